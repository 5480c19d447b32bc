"""What happened, the newest first; and the way from a question ("where is my mail?") to its answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from chalicelib.console import times
from chalicelib.console.visit import Page, Redirect, Visit, link
from chalicelib.events.event import is_id
from chalicelib.regex import regex
from chalicelib.rules.reading import routing
from chalicelib.store import ledger, listing, secrets, statuses
from chalicelib.store.listing import Wanted
from chalicelib.store.record import Record, from_item, text_of
from chalicelib.values import dataclass
from chalicelib.words.render import templates

ROWS: Final = 40
# What each status comes to, for whoever looks at many: sent, on its way, not sent, or amiss.
KINDS: Final[Mapping[str, str]] = {
    statuses.ACCEPTED: "wait",
    statuses.HELD: "wait",
    statuses.PUBLISHING: "wait",
    statuses.RETRYING: "wait",
    statuses.PUBLISHED: "ok",
    statuses.GATHERED: "ok",
    statuses.SUPPRESSED: "off",
    statuses.EXPIRED: "off",
    statuses.UNKNOWN: "bad",
    statuses.TEST: "off",
    statuses.CANCELLED: "off",
    statuses.FAILED: "bad",
}
KEYED: Final = regex(r"[0-9a-f]{32}\Z")
_PLACE: Final = regex(r"[0-9TZ:./a-f-]{10,40}\Z")
_FILTERS: Final = ("status", "type", "lane", "rule", "whose", "since", "until")


@dataclass(frozen=True, slots=True)
class Row:
    """An event as the list has it."""

    record: Record
    kind: str
    began: str


def row(record: Record) -> Row:
    return Row(record, KINDS.get(record.status, "wait"), record.timeline[0].split(" ", 1)[0])


def show(visit: Visit) -> Page:
    """The newest events that the filters of the address leave."""
    asked = {name: visit.query.get(name, "") for name in _FILTERS}
    wanted, problems = _wanted(asked, visit.key.types)
    before = visit.query.get("before", "")
    before = before if _PLACE.match(before) else ""
    found = listing.newest(visit.stage, wanted, ROWS, visit.patience, before)
    records = [from_item(item) for item in found.items]
    rows = [row(record) for record in records if visit.key.may_type(record.type)]
    rules = routing(visit.stage.name)
    kept = {name: value for name, value in asked.items() if value}
    return Page(
        "activity",
        {
            "rows": rows,
            "asked": asked,
            "problems": problems,
            "filtered": any(asked[name] for name in _FILTERS if name != "whose"),
            "before": before,
            "older": link("activity", **kept, before=found.before) if found.before else "",
            "is_whole": found.is_whole,
            "looked": found.before.split("/", 1)[0] if not found.is_whole else "",
            "newest": link("activity", **kept),
            "statuses": list(statuses.STATUSES),
            "types": [name for name in templates().types if visit.key.may_type(name)],
            "lanes": list(rules.lanes),
            "rules": [rule.name for rule in rules.rules],
            "refresh": 0 if before or kept else 10,
        },
        422 if problems else 200,
    )


def find(visit: Visit) -> Redirect:
    """From what somebody knows of a message to what became of it: an event's id, or whom it was for.

    Whom is looked for stands in no address: from here on a keyed hash stands for them.
    """
    asked = visit.form.get("q", "").strip()
    if not asked:
        return Redirect("activity")
    found = ledger.find(visit.stage, asked) if is_id(asked) else []
    found = [record for record in found if visit.key.may_type(record.type)]
    if len(found) == 1:
        return Redirect(link("event", id=found[0].id, source=found[0].source))
    keyed = visit.patience.ask(lambda: secrets.of(visit.stage)).hash_of(tidy(asked))
    return Redirect(link("activity", whose=keyed))


def tidy(asked: str) -> str:
    """A telephone number as it is sent to; anything else as it is."""
    digits = re.sub(r"[ ().-]", "", asked)
    return digits if re.match(r"\+[1-9][0-9]{7,14}\Z", digits) else asked


def _wanted(asked: Mapping[str, str], types: tuple[str, ...]) -> tuple[Wanted, dict[str, str]]:
    """Which events are asked for; and the fields that cannot be read."""
    problems: dict[str, str] = {}
    moments: dict[str, str] = {}
    for name in ("since", "until"):
        text = asked[name]
        try:
            moments[name] = _utc(text) if text else ""
        except ValueError:
            problems[name] = "bad_time"
    whose = asked["whose"] if KEYED.match(asked["whose"]) else ""
    only = types[0] if len(types) == 1 and not types[0].endswith("*") else ""
    found = Wanted(
        status=asked["status"] if asked["status"] in statuses.STATUSES else "",
        type=asked["type"] or only,
        lane=asked["lane"],
        rule=asked["rule"],
        whose=whose,
        since=moments.get("since", ""),
        until=moments.get("until", ""),
    )
    return found, problems


def _utc(text: str) -> str:
    """A moment on the shop's clock, as a form has it, as the ledger has it."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=times.shop_zone())
    return text_of(moment.astimezone(UTC))
