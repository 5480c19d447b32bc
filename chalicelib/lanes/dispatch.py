"""What a lane does with a batch: read the ledger, decide and render, publish, record.

The promises rest on three facts:

* FIFO hands one ordering key to one worker at a time, so the ledger is read once per batch and
  needs no lock. (For types that must not go out twice, `ledger.announce` does not count on it.)
* A batch is published in waves: one event of each ordering key at a time, ten to a call. A
  publish call can fail for one entry alone, so two events of one key never share one.
* What is done is deleted here before the invocation raises for the rest. That is safe with and
  without `ReportBatchItemFailures`; see docs/decisions/0003-partial-failure.md.

Each step is a module: recall, plan.fate, publishing, settle, ending; what journeys add to them is journeys.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from chalicelib.errors import HeraldoError, PermanentError, TransientError
from chalicelib.lanes import ending, gathering, holding, journeys, measuring, queues, wakes
from chalicelib.lanes.invocation import Invocation
from chalicelib.lanes.item import DEAD, DONE, KEPT, Item, permanent
from chalicelib.lanes.publishing import publish
from chalicelib.lanes.queues import Received
from chalicelib.lanes.recall import deaths_alone, recall, suspect
from chalicelib.lanes.settle import wait_seconds
from chalicelib.lanes.wakes import Opened
from chalicelib.names import Place
from chalicelib.plan.fate import gone_of
from chalicelib.stage import Stage
from chalicelib.store import ledger, statuses

# How many workers may die of a message with nothing else at hand before it is dead-lettered.
DEATHS_ALONE: Final = 2


class Redeliver(HeraldoError):
    """Raised to the event source when a part of the batch is kept for redelivery."""


def dispatch(
    stage: Stage,
    records: Sequence[dict[str, Any]],
    lane: str,
    remaining_milliseconds: Callable[[], int],
) -> None:
    """Deal with the records of one SQS Lambda event.

    Raises
    ------
    Redeliver : some messages are kept for redelivery; all others are already deleted.
    """
    if records:
        place = Place.of_arn(records[0]["eventSourceARN"])
        run = Invocation(stage.at(place), lane, remaining_milliseconds)
        received = [Received.of(record) for record in records]
        try:
            opened = wakes.opened(run.stage, lane, received, run.now)
        except TransientError as error:
            back = [(message, wait_seconds(message.receives)) for message in received]
            queues.hand_back(run.stage.sqs, run.stage.queue_url(lane), back)
            raise Redeliver(_told(len(received), len(received), [str(error)])) from None
        Batch(run, [Item.of(message, lane) for message in opened.messages], opened).run()


class Batch:
    """One batch of one lane; `opened` has the wakes that came to nothing."""

    def __init__(self, invocation: Invocation, items: Sequence[Item], opened: Opened) -> None:
        self.invocation = invocation
        self.items = items
        self.opened = opened

    def run(self) -> None:
        try:
            recall(self.invocation, self.items)
        except TransientError as error:
            ending.hand_all_back(self.invocation, self.items)
            raise Redeliver(_told(len(self.items), len(self.items), [str(error)])) from None
        journeys.stop(self.invocation, self.items)
        suspected = suspect(self.items)
        if suspected is not None:
            self._alone(suspected)
        else:
            self._finish(self.items)

    def _finish(self, items: Sequence[Item], others: Sequence[Item] = ()) -> None:
        """Deal with these. `others` were handed back already."""
        self._waves([item for item in items if not item.outcome and item.twin is None])
        sent = self.invocation.clock()
        holding.hold(self.invocation, items)
        ending.record(self.invocation, items)
        journeys.end(self.invocation, items)
        measuring.tell(self.invocation, items, sent)
        early = self.opened.early
        raising = bool(others or early)
        kept = ending.acknowledge(self.invocation, items, self.opened.done, others, raising=raising)
        if early:
            url = self.invocation.stage.queue_url(self.invocation.lane)
            queues.hand_back(self.invocation.stage.sqs, url, early)
        if kept or raising:
            details = {item.record.detail for item in kept if item.wait is not None}
            left = len(kept) + len(others) + len(early)
            raise Redeliver(_told(left, len(self.items) + len(early), details))

    def _alone(self, suspected: Item) -> None:
        """Try a message that may kill its worker with nothing else at hand.

        The others go back before, so that its end is not theirs; and the ledger says that it is tried,
        so that its end is told from theirs.
        """
        mine = [i for i in self.items if i is suspected or (i.twin or i).outcome == DONE]
        others = [item for item in self.items if item not in mine]
        ending.hand_back(self.invocation, others)
        deaths = deaths_alone(self.invocation, suspected)
        if deaths < DEATHS_ALONE:
            self._announce_alone(suspected, deaths + 1)
        else:
            why = _KILLS.format(suspected.message.receives)
            suspected.content = PermanentError("kills-its-worker", why)
        self._finish(mine, others)

    def _announce_alone(self, item: Item, number: int) -> None:
        record, run = item.record, self.invocation
        record.alone, item.alone = number, True
        if record.status != statuses.PUBLISHING:
            record.reason, record.detail = "suspected", "its workers died; it is tried alone"
            record.enter(statuses.RETRYING, run.at)
        if ledger.write(run.stage, [record], run.left_for_ledger() / 2):
            item.outcome, item.wait = KEPT, wait_seconds(item.message.receives)

    def _waves(self, items: Sequence[Item]) -> None:
        """Publish wave by wave until every key is through or waits behind a failure."""
        run = self.invocation
        keys: dict[str, deque[Item]] = {}
        for item in items:
            keys.setdefault(item.message.group, deque()).append(item)
        run.begin_asking()
        while keys:
            if not run.in_time():
                for waiting in keys.values():
                    for item in waiting:
                        item.outcome = KEPT
                return
            heads = [self._heads(waiting) for waiting in keys.values()]
            gathering.gather(run, [item for found in heads for item in found if item.shares])
            # A key is free once its dead letter is safe, not before: an event that stays in the
            # lane must not be overtaken.
            ending.bury(run, [item for found in heads for item in found])
            wave = [found[-1] for found in heads if not any(i.outcome == KEPT for i in found)]
            publish(run, [item for item in wave if not item.outcome])
            ending.bury(run, wave)
            for group in list(keys):
                waiting = keys[group]
                while waiting and waiting[0].outcome in (DONE, DEAD):
                    waiting.popleft()
                if waiting and waiting[0].outcome == KEPT:
                    for item in waiting:
                        item.outcome = item.outcome or KEPT
                    waiting.clear()
                if not waiting:
                    del keys[group]

    def _heads(self, waiting: deque[Item]) -> list[Item]:
        """The next events of a key up to one that has something to publish; settles the others."""
        heads: list[Item] = []
        for item in waiting:
            heads.append(item)
            self._decide(item)
            if not item.outcome:
                break
        return heads

    def _decide(self, item: Item) -> None:
        """Settle an event that has nothing to publish, or say what it has."""
        run, record = self.invocation, item.record
        try:
            fate = run.fates.of(item.content, record, run.lane, run.now, run.known)
        except Exception as error:
            found = permanent(error)
            item.die(found.reason, str(found))
            return
        record.unknown = fate.unknown
        if fate.composed is not None:
            record.rules = fate.composed.decision.rules
            record.template = fate.composed.template
            record.withheld = {**gone_of(record), **fate.composed.withheld}
            item.chooses = record.chosen != fate.composed.chosen
            record.chosen = dict(fate.composed.chosen)
        item.publications = journeys.addressed(item, fate.publications)
        item.count = fate.count
        item.shares = fate.shares
        if fate.until is not None:
            item.hold = holding.hold_of(item, run.lane, fate.until, fate.reason)
            record.until = item.hold.due
        if fate.status:
            item.settle(DONE, fate.status, run.at, fate.reason, fate.detail)


def _told(kept: int, of: int, details: Iterable[str]) -> str:
    text = f"{kept} of {of} messages are kept for redelivery"
    reasons = " ".join(sorted(filter(None, details)))
    return f"{text}: {reasons}" if reasons else text


_KILLS: Final = "it was received {} times, and its workers died of it with nothing else at hand"
