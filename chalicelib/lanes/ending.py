"""The end of a batch: dead letters, the ledger, and the queue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from chalicelib import log
from chalicelib.lanes import queues
from chalicelib.lanes.invocation import Invocation
from chalicelib.lanes.item import DEAD, DONE, KEPT, Item
from chalicelib.lanes.queues import DeadLetter, Received
from chalicelib.lanes.settle import keep, wait_seconds
from chalicelib.store import ledger, statuses

WAITING: Final = "waiting"
"""The reason of an event that failed in nothing itself, and comes again with another of its key."""


def bury(run: Invocation, items: Sequence[Item]) -> None:
    """Put the dead among these into the dead-letter queue; those it does not take are kept."""
    dead = [item for item in items if item.outcome == DEAD and not item.buried]
    if not dead:
        return
    letters = [DeadLetter.about(item.message, item.record) for item in dead]
    url = run.stage.dead_queue_url(run.lane)
    safe = queues.dead_letter(run.stage.sqs, url, letters)
    refused = [item for item in dead if item.message.message_id not in safe]
    for item in dead:
        if item in refused:
            item.record.attempts += 1
            keep(item, run.at, item.record.reason, "the dead-letter queue did not take it")
            continue
        item.buried = item.changed = True
        item.record.enter(statuses.FAILED, run.at)
        log.warning(
            "dead-lettered",
            lane=run.lane,
            event=item.record.id,
            reason=item.record.reason,
            detail=item.record.detail,
        )
    if refused:
        log.error("the dead-letter queue refuses", lane=run.lane, letters=len(refused))


def record(run: Invocation, items: Sequence[Item]) -> None:
    """Write down what became of these."""
    for item in items:
        if item.twin is None:
            _account(run, item)
    changed = [item.record for item in items if item.changed]
    for left in ledger.write(run.stage, changed, run.left_for_ledger()) if changed else ():
        # It was published, and saying so a second time would publish it a second time: the message is
        # acknowledged all the same, and the gap in the ledger is said out loud.
        log.error("not recorded", lane=run.lane, event=left.id, status=left.status)


def _account(run: Invocation, item: Item) -> None:
    """Have the ledger say that a handler ended in order with this message, where that will matter."""
    found = item.record
    if item.outcome == KEPT and found.status == statuses.PUBLISHING:
        return  # another worker is about it
    if found.alone:
        found.alone, item.changed = 0, True
    if item.outcome != KEPT:
        return
    if item.changed:
        found.receives = item.message.receives
    elif item.message.receives > 1:
        # It waited behind another of its key, and would be suspected after a few more times.
        found.receives, item.changed = item.message.receives, True
        if found.status != statuses.RETRYING:
            found.reason, found.detail = WAITING, "for what is before it in the lane"
            found.enter(statuses.RETRYING, run.at)


def acknowledge(
    run: Invocation,
    items: Sequence[Item],
    idle: Sequence[Received],
    others: Sequence[Item],
    *,
    raising: bool,
) -> list[Item]:
    """Make visible again, after a wait, what is not done, and return that. `idle` are wakes that came to
    nothing, `others` were handed back already.

    Where there is such, or the handler is `raising` for another reason, what is done is deleted here;
    otherwise Lambda deletes the batch.
    """
    for item in items:
        if item.twin is not None:
            item.outcome = item.twin.outcome
    kept = [item for item in items if item.outcome not in (DONE, DEAD)]
    if kept or raising:
        # A wake is done when all is that it stands for.
        waiting = {item.message.receipt_handle for item in (*kept, *others)}
        done = {m.receipt_handle: m for m in (*idle, *(item.message for item in items))}
        gone = [message for receipt, message in done.items() if receipt not in waiting]
        try:
            queues.delete(run.stage.sqs, run.stage.queue_url(run.lane), gone)
        finally:
            hand_back(run, kept)
    return kept


def hand_back(run: Invocation, items: Sequence[Item]) -> None:
    """Make messages visible again: a key of which an event failed waits, one out of time does not."""
    waits: dict[str, int] = {}
    for item in items:
        if item.wait is not None:
            # One that was tried alone comes back soon: see recall.deaths_alone.
            wait = min(item.wait, int(run.longest)) if item.alone else item.wait
            waits.setdefault(item.message.group, wait)
    url = run.stage.queue_url(run.lane)
    back = {
        item.message.receipt_handle: (item.message, waits.get(item.message.group, 0))
        for item in items
    }
    queues.hand_back(run.stage.sqs, url, list(back.values()))


def hand_all_back(run: Invocation, items: Sequence[Item]) -> None:
    """Make a whole batch visible again, of which nothing is known and with which nothing was done."""
    for item in items:
        # How often its first event came is all there is to go by.
        item.wait = wait_seconds(item.message.receives)
    hand_back(run, items)
