"""Caps: what was sent to somebody of a category is read with the ledger, and counted before more is sent."""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib import aws, log
from chalicelib.errors import PermanentError
from chalicelib.events.event import Event
from chalicelib.lanes.invocation import Invocation
from chalicelib.lanes.item import KEPT, Item
from chalicelib.plan.reach import Known, whose
from chalicelib.plan.timing import is_own
from chalicelib.rules.caps import LONGEST
from chalicelib.rules.routing import Category, Routing
from chalicelib.store import counting, table
from chalicelib.store.counts import Count, key_of


def wanted(routing: Routing, events: Sequence[Event], known: Known) -> list[table.Item]:
    """The keys of all that must be read of what these events' recipients got; each once."""
    found: dict[tuple[str, str], None] = {}
    for event in events if routing.has_caps else ():
        category = _category(event, routing)
        if category is None or category.cap is None:
            continue
        who = whose(event, known)
        if who and any(map(is_own, routing.decide(event).destinations)):
            found[who, category.name] = None
    return [key_of(who, category) for who, category in found]


def count(run: Invocation, wave: Sequence[Item]) -> list[Item]:
    """Count what goes to somebody whose category has a cap; gives what may go out.

    What cannot be counted comes again: another lane may be about the same person.
    """
    counts: dict[tuple[str, str], tuple[Item, Count]] = {}
    for item in wave:
        if item.count is None:
            continue
        key = (item.count.who, item.count.category)
        if key in counts:
            _again(item)  # two ordering keys of one person: one after the other
        else:
            counts[key] = item, item.count
    if counts:
        until = run.now + LONGEST
        try:
            counting.write(run.stage, [(count, until) for _, count in counts.values()])
        except aws.FAILURES as error:
            log.warning("not counted", lane=run.lane, events=len(counts), reason=aws.code_of(error))
            for item, _ in counts.values():
                _again(item)
        else:
            run.known.counts.update({key: count for key, (_, count) in counts.items()})
    return [item for item in wave if not item.outcome]


def _again(item: Item) -> None:
    item.outcome, item.wait = KEPT, 1


def _category(event: Event, routing: Routing) -> Category | None:
    try:
        return routing.category(event.type, routing.lane(event.type))
    except PermanentError:
        return None
