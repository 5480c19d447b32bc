"""What is known of a batch before anything is done: from the ledger, and from how often it came."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from chalicelib.events.event import Event
from chalicelib.lanes import capping, gathering, journeys, persons
from chalicelib.lanes.invocation import Invocation
from chalicelib.lanes.item import DONE, KEPT, Item
from chalicelib.store import ledger, statuses, table, windows
from chalicelib.store.counts import from_items
from chalicelib.store.record import EventKey, Record
from chalicelib.store.run import read

# A message that came so often more than anybody can account for is suspected of killing its workers.
SUSPICIOUS_RECEIVES: Final = 3


def recall(run: Invocation, items: Sequence[Item]) -> None:
    """Take up what the ledger knows, and settle what needs nothing more.

    Raises
    ------
    TransientError : the ledger cannot be read, so nothing can be published.
    """
    known = _read(run, items)
    first: dict[EventKey, Item] = {}
    for item in items:
        key = item.record.key
        item.twin = first.get(key)
        if item.twin is not None:
            continue
        first[key] = item
        record = known.get(key)
        if record is None:
            continue
        item.record = record
        record.lane = record.lane or run.lane
        if record.status == statuses.FAILED:  # redriven: it has all its attempts again
            record.attempts = record.receives = record.alone = 0
        if record.status in statuses.SETTLED:
            item.outcome = DONE
        elif _is_being_published(run, item):
            item.outcome, item.wait = KEPT, int(run.longest) + 1


def _read(run: Invocation, items: Sequence[Item]) -> dict[EventKey, Record]:
    """What the ledger knows of these, the people whom they may go to and what those got, and the runs that they
    stop: one call for all, and one before it where a journey's steps are among them."""
    journeys.resolve(run, items)
    journeying = journeys.look(run, items)
    rules = run.fates.routing
    events = [item.content for item in items if isinstance(item.content, Event)]
    wanted, by_address, gathered = persons.wanted(run.stage, rules, run.lane, events)
    keys: dict[str, Sequence[table.Item]] = {}
    keys[table.LEDGER] = ledger.keys_of(item.record.key for item in items)
    if wanted:
        keys[table.PEOPLE] = wanted
    named = persons.named(run.stage, by_address)
    held = capping.wanted(rules, run.lane, events, named)
    held += gathering.wanted(rules, run.lane, gathered, named)
    held += journeys.stopping(items)
    if held:
        keys[table.HOLDS] = held
    # Half of what is left: what is read must still be published and recorded.
    found = table.read(run.stage, keys, run.left_for_ledger() / 2)
    people = found.get(table.PEOPLE, ())
    run.known = persons.known(run.stage, wanted, people, by_address, acks=journeying)
    others = found.get(table.HOLDS, ())
    run.known.counts.update(from_items(others))
    run.known.windows.update(windows.from_items(others))
    run.runs, _ = read(others)
    return ledger.records(found[table.LEDGER])


def suspect(items: Sequence[Item]) -> Item | None:
    """The first of a key that has a message which may have killed its workers, if there is any.

    A worker that is killed leaves no trace but that all of its messages come once more. How often a
    message was received and handed back in order is known, from the ledger; what is above that is not
    accounted for, and after a few times such a message is tried with nothing else at hand.
    """
    first: dict[str, Item] = {}
    for item in items:
        if item.outcome or item.twin is not None:
            continue
        head = first.setdefault(item.message.group, item)
        if suspicious(item):
            return head
    return None


def suspicious(item: Item) -> bool:
    """Whether a message came too often without a handler that ended in order with it."""
    before = item.message.receives - 1
    # A copy of the message has a count of its own, of which the ledger knows nothing.
    accounted = item.record.receives if item.record.receives <= before else before
    return before - accounted >= SUSPICIOUS_RECEIVES


def deaths_alone(run: Invocation, item: Item) -> int:
    """How many workers died with nothing but this message at hand.

    That a worker began with it is written down, and taken back when it ends in order. Where only the
    latter could not be written, the message came back after `ending.hand_back`, and so within seconds;
    after a death it stays away for the queue's visibility timeout, six times as long as a worker lives.
    """
    began = item.record.since()
    if item.record.alone and began and run.now - began < timedelta(seconds=4 * run.longest):
        return item.record.alone - 1
    return item.record.alone


def _is_being_published(run: Invocation, item: Item) -> bool:
    """Whether another worker may be about it, for a type that must not go out twice."""
    since = item.record.since()
    return (
        item.record.status == statuses.PUBLISHING
        and run.fates.skips(item.record.type)
        and since is not None
        and run.now - since < timedelta(seconds=run.longest)
    )
