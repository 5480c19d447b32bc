"""What rules gather: in which window an event falls, and what a window comes to at its end. Pure.

A group is what one rule sends at once: of one event type, to one recipient where it goes to one, and with one
value of the rule's key. A window is a group and when it ends.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, Final, Protocol

from chalicelib.events.event import Event, timestamp
from chalicelib.events.gathered import DIGEST, LISTED, LISTED_BYTES, Gathered
from chalicelib.plan.compose import event_tag
from chalicelib.plan.reach import Known, whose
from chalicelib.plan.timing import zone_of
from chalicelib.regex import regex
from chalicelib.rules.digests import Digest, value_at
from chalicelib.rules.routing import Category, Decision, Routing, Rule
from chalicelib.store import statuses
from chalicelib.store.record import Record
from chalicelib.values import dataclass

RESOLVED: Final = "resolved"
WHY_LEFT_OUT: Final[Mapping[str, str]] = {
    RESOLVED: "what it told of was over before its digest went out",
    statuses.EXPIRED: "expirytime was past when its digest went out",
}
"""Why what was gathered is not in the digest."""
_WINDOW: Final = regex(r"(digest:([a-z0-9-]+):[0-9a-f]{32}):(\d{1,12})\Z")


class Member(Protocol):
    """What is kept of an event in a window: its tag, its JSON, and when it was accepted (ISO,
    and its number among those of that moment)."""

    @property
    def tag(self) -> str: ...

    @property
    def event(self) -> str: ...

    @property
    def accepted(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Share:
    """What a rule gathers of an event: its `group` (a lane's ordering key, as SQS takes it), and when its window ends
    (UTC). `opens`: there is no such window yet, as far as is known; the last one ended at `last`."""

    rule: Rule
    group: str
    due: datetime
    opens: bool
    last: datetime | None = None

    @property
    def window(self) -> str:
        return window_of(self.group, self.due)


def window_of(group: str, due: datetime) -> str:
    """A window, as holds lie in it."""
    return f"{group}:{int(due.timestamp())}"


def window_parts(window: str) -> tuple[str, str, datetime] | None:
    """The group of a window, its rule's name, and when it ends; None for what is no window."""
    match = _WINDOW.match(window)
    if match is None:
        return None
    return match[1], match[2], datetime.fromtimestamp(int(match[3]), UTC)


def group_of(event: Event, rule: Rule, routing: Routing, known: Known) -> str:
    """The group of an event, for a rule that gathers it."""
    assert rule.digest is not None  # noqa: S101 - for the type checker
    personal = any(routing.is_personal(to, event) for to in rule.to)
    who = whose(event, known) if personal else ""
    if rule.digest.key:
        value = value_at(event.attributes(), rule.digest.key)
    else:
        value = event.recipient or event.ordering_key
    parts = json.dumps([event.type, who, value], sort_keys=True)
    return f"digest:{rule.name}:{hashlib.sha256(parts.encode()).hexdigest()[:32]}"


def ends(
    event: Event,
    rule: Rule,
    routing: Routing,
    category: Category,
    known: Known,
    shop: tzinfo | None,
    now: datetime,
    last: datetime | None,
) -> datetime:
    """When a window ends (UTC, whole seconds) that an event opens at `now` (aware)."""
    assert rule.digest is not None  # noqa: S101 - for the type checker
    personal = any(routing.is_personal(to, event) for to in rule.to)
    zone = zone_of(event, known, shop) if personal else shop or UTC
    due = rule.digest.due(now, zone, last)
    if category.hours is not None and not category.critical:
        due = category.hours.opens(
            due, zone
        )  # one digest of a night, and not several in the morning
    return datetime.fromtimestamp(-(-due.timestamp() // 1), UTC)


def shares(
    event: Event,
    decision: Decision,
    routing: Routing,
    lane: str,
    known: Known,
    shop: tzinfo | None,
    now: datetime,
    record: Record | None = None,
) -> list[Share]:
    """What is gathered of an event of a lane at `now` (aware), but what its `record` knows to be."""
    found = []
    category = routing.category(event.type, lane)
    for rule in decision.digests:
        if record is not None and rule.name in record.digests:
            continue
        group = group_of(event, rule, routing, known)
        last = known.windows.get(group)
        if last is not None and last > now:
            found.append(Share(rule, group, last, opens=False))
        else:
            due = ends(event, rule, routing, category, known, shop, now, last)
            found.append(Share(rule, group, due, opens=True, last=last))
    return found


def share_tag(event_id: str, source: str, rule: str) -> str:
    """What a rule gathers of an event, as its hold is called."""
    return event_tag(f"{rule}\n{event_id}", source)


def digest_id(window: str, look: int) -> str:
    """The id of the digest that one look at a window comes to."""
    return f"digest-{hashlib.sha256(f'{window} {look}'.encode()).hexdigest()[:32]}"


def left_out(members: Sequence[Member], digest: Digest | None, now: datetime) -> dict[str, str]:
    """What of a window's members, oldest first, is not to go out, by tag: a word of `WHY_LEFT_OUT`."""
    found: dict[str, str] = {}
    open_: dict[str, list[str]] = {}  # what nothing has settled yet, by what it is about
    for member in members:
        raw = json.loads(member.event)
        until = raw.get("expirytime")
        if until is not None and timestamp(until) <= now:
            found[member.tag] = statuses.EXPIRED
        elif digest is not None and digest.resolved is not None:
            about = json.dumps(value_at(raw, digest.same) if digest.same else None)
            before = open_.setdefault(about, [])
            if not digest.resolved.matches(raw):
                before.append(member.tag)
            elif before:
                found |= dict.fromkeys((*before, member.tag), RESOLVED)
                before.clear()
    return found


def merged(rule: str, members: Sequence[Member], event_id: str) -> str:
    """The event, as JSON, that stands for these members of a window, oldest first: the last of them, with the
    list of all. One alone has no list."""
    raws: list[dict[str, Any]] = []
    size = 0
    for member in members[:LISTED] if len(members) > 1 else ():
        raw = json.loads(member.event)
        one = {name: raw[name] for name in ("id", "type", "data")}
        one["time"] = raw.get("time") or member.accepted.split(" ", 1)[0]
        size += len(json.dumps(one, ensure_ascii=False).encode())
        if size > LISTED_BYTES:
            break
        raws.append(one)
    last = json.loads(members[-1].event)
    untils = [json.loads(member.event).get("expirytime") for member in members]
    for name in ("deliverat", "expirytime"):
        last.pop(name, None)
    if all(untils):
        last["expirytime"] = max(untils, key=timestamp)
    last["id"] = event_id
    last[DIGEST] = Gathered(rule, len(members), raws).to_raw()
    text = json.dumps(last, ensure_ascii=False, separators=(",", ":"))
    # What SQS refuses: see `Event.to_json`.
    return text.replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")
