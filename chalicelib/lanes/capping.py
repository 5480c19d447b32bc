"""Caps: what was sent to somebody of a category is read with the ledger, and counted before more is sent."""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib import aws, log
from chalicelib.events.event import Event
from chalicelib.lanes.invocation import Invocation
from chalicelib.lanes.item import Item
from chalicelib.lanes.settle import again
from chalicelib.plan.reach import Known, whose
from chalicelib.rules.caps import LONGEST
from chalicelib.rules.routing import Routing
from chalicelib.store import counting, table
from chalicelib.store.counts import Count, key_of


def wanted(routing: Routing, lane: str, events: Sequence[Event], known: Known) -> list[table.Item]:
    """The keys of all that must be read of what the recipients of a lane's events got; each once."""
    found: dict[tuple[str, str], None] = {}
    for event in events if routing.has_caps else ():
        category, who = routing.category(event.type, lane), whose(event, known)
        if category.cap is not None and who:
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
            again(item)  # two ordering keys of one person: one after the other
        else:
            counts[key] = item, item.count
    if counts:
        until = run.now + LONGEST
        try:
            counting.write(run.stage, [(count, until) for _, count in counts.values()])
        except aws.FAILURES as error:
            log.warning("not counted", lane=run.lane, events=len(counts), reason=aws.code_of(error))
            for item, _ in counts.values():
                again(item)
        else:
            run.known.counts.update({key: count for key, (_, count) in counts.items()})
    return [item for item in wave if not item.outcome]
