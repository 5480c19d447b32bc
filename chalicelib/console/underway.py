"""What is under way: the runs of journeys, where each stands, and what is held until its time.

No person is shown, nor the key of a run, which may be one: from both, links lead to their events.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from botocore.exceptions import ClientError

from chalicelib import aws
from chalicelib.console import rulebook
from chalicelib.console.life import why_word
from chalicelib.console.visit import Page, Sorry, Visit, link
from chalicelib.journeys import drawing, running
from chalicelib.journeys.running import PAGE, Running, Stop
from chalicelib.regex import regex
from chalicelib.rules.journeys import Journey
from chalicelib.rules.reading import routing
from chalicelib.side_by_side import side_by_side
from chalicelib.store import ledger, waiting
from chalicelib.store.record import Record
from chalicelib.values import dataclass

ROWS: Final = 40
_RUNS: Final = 20
_AT_ONCE: Final = 8
_GONE: Final = "StateMachineDoesNotExist"
_PLACE: Final = regex(r"[0-9TZ:.-]{10,30}/[0-9TZ:.-]{10,30}/[0-9a-zA-Z_-]{1,80}\Z")


@dataclass(frozen=True, slots=True)
class Row:
    """A journey in the list; `number` is None where it is not deployed."""

    journey: Journey
    number: str | None
    starts: tuple[str, ...]
    stops: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """A run, and the state that it last came to."""

    run: Running
    stop: Stop | None


@dataclass(frozen=True, slots=True)
class Held:
    """An event that waits."""

    record: Record
    due: str
    why: str


def journeys(visit: Visit) -> Page:
    rules = routing(visit.stage.name)
    named = list(rules.journeys)
    numbers = side_by_side(lambda name: _number(visit, name), named, _AT_ONCE)
    rows = [
        Row(
            rules.journeys[name],
            number,
            tuple(rule.name for rule in rules.rules if name in rule.starts),
            tuple(rule.name for rule in rules.rules if name in rule.stops),
        )
        for name, number in zip(named, numbers, strict=True)
    ]
    return Page("journeys", {"section": "journeys", "rows": rows})


def journey(visit: Visit) -> Page:
    name = visit.query.get("name", "")
    rules = routing(visit.stage.name)
    if name not in rules.journeys:
        raise Sorry(404, "gone_journey")
    try:
        defined = visit.patience.ask(lambda: running.defined(visit.stage, name))
        arns, is_all = visit.patience.ask(lambda: running.page(visit.stage, name))
    except ClientError as error:
        if aws.code_of(error) == _GONE:
            raise Sorry(404, "not_deployed") from None
        raise
    found = [
        one
        for one in side_by_side(lambda arn: _standing(visit, arn), arns[:_RUNS], _AT_ONCE)
        if visit.key.may_type(one.run.event.get("type", ""))
    ]
    standing = Counter(one.stop.state for one in found if one.stop)
    words = {word: visit.say(f"draw.{word}", what="{}") for word in drawing.WORDS}
    concerned = [rule for rule in rules.rules if name in (*rule.starts, *rule.stops)]
    return Page(
        "journey",
        {
            "section": "journeys",
            "journey": rules.journeys[name],
            "about": defined.comment,
            "drawn": drawing.inline(defined, words, standing),
            "number": _plus(len(arns), is_all),
            "runs": found,
            "is_part": len(arns) > _RUNS,
            "rules": [rulebook.told(visit, rule) for rule in concerned],
        },
    )


def held(visit: Visit) -> Page:
    """What waits for its time, the soonest first."""
    after = visit.query.get("after", "")
    after = after if _PLACE.match(after) else ""
    found, next_after = visit.patience.ask(lambda: waiting.soonest(visit.stage, ROWS, after))
    keys = [(hold.event_id, hold.source) for hold in found]
    records = ledger.read(visit.stage, keys, visit.patience.left()) if keys else {}
    rows = [
        Held(record, hold.due, why_word(visit.language, hold.why))
        for hold in found
        if (record := records.get((hold.event_id, hold.source))) is not None
        and visit.key.may_type(record.type)
    ]
    return Page(
        "held",
        {
            "section": "journeys",
            "rows": rows,
            "after": after,
            "further": link("held", after=next_after) if next_after else "",
        },
    )


def _number(visit: Visit, name: str) -> str | None:
    try:
        return _plus(*_counted(visit, name))
    except ClientError as error:
        if aws.code_of(error) == _GONE:
            return None
        raise


def _counted(visit: Visit, name: str) -> tuple[int, bool]:
    arns, is_all = visit.patience.for_another().ask(lambda: running.page(visit.stage, name))
    return len(arns), is_all


def _plus(number: int, is_all: bool) -> str:
    return f"{number:,}" if is_all else f"{PAGE:,}+"


def _standing(visit: Visit, arn: str) -> Standing:
    patience = visit.patience.for_another()
    run = patience.ask(lambda: running.begun(visit.stage, arn))
    return Standing(run, patience.ask(lambda: running.stands(visit.stage, arn)))
