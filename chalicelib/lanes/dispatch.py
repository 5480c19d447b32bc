"""What a lane does with a batch: read the ledger, route and render, publish, record.

The promises rest on three facts:

* FIFO hands one ordering key to one worker at a time, so the ledger is read once per batch and
  needs no lock.
* A batch is published in waves: one event of each ordering key at a time, ten to a call. A
  `PublishBatch` can fail for one entry alone, so two events of one key never share one.
* What is done is deleted here before the invocation raises for the rest. That is safe with and
  without `ReportBatchItemFailures`; see docs/decisions/0003-partial-failure.md.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from chalicelib import log
from chalicelib.channels import registry
from chalicelib.channels.publication import LATER, NOT_TRIED, Publication, Result
from chalicelib.errors import HeraldoError, PermanentError, TransientError
from chalicelib.events.event import Event
from chalicelib.lanes import queues
from chalicelib.lanes.decode import ReadyMade, decode
from chalicelib.lanes.queues import DeadLetter, Received
from chalicelib.names import Place
from chalicelib.plan.compose import compose
from chalicelib.rules.reading import routing
from chalicelib.rules.routing import Routing
from chalicelib.stage import Stage
from chalicelib.store import ledger
from chalicelib.store.ledger import Record
from chalicelib.words.render import Templates, templates

# SNS is asked only with this much time left, and with three times what asking took at the slowest so
# far: what cannot be published and recorded in time is handed back rather than cut off.
RESERVE_MILLISECONDS: Final = 2_500

# A message may be wrong in sixty thousand ways at once, and the ledger takes 400 KB an item.
DETAIL_CHARACTERS: Final = 1000

DONE: Final = "done"
RETRY: Final = "retry"
DEAD: Final = "dead"


class Redeliver(HeraldoError):
    """Raised to the event source when a part of the batch is kept for redelivery."""


@dataclass(slots=True)
class Item:
    """One message on its way through a batch. `outcome` is empty until it is known."""

    message: Received
    content: Event | ReadyMade | None
    record: Record
    error: PermanentError | None = None
    outcome: str = ""
    tried: bool = False
    changed: bool = False
    buried: bool = False
    publications: Mapping[str, Publication] = field(default_factory=dict)

    def settle(
        self, outcome: str, status: str, at: str, reason: str = "", detail: str = ""
    ) -> None:
        self.outcome = outcome
        self.record.reason, self.record.detail = reason, detail[:DETAIL_CHARACTERS]
        self.record.enter(status, at)
        self.changed = True


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
        Batch(stage.at(place), records, lane, remaining_milliseconds).run()


class Batch:
    """One batch of one lane."""

    def __init__(
        self,
        stage: Stage,
        records: Sequence[dict[str, Any]],
        lane: str,
        remaining: Callable[[], int],
    ) -> None:
        self.lane = lane
        self.stage = stage
        self.remaining = remaining
        self.now = datetime.now(UTC)
        self.at = ledger.now_text()
        self.routing: Routing = routing(stage.name)
        self.templates: Templates = templates()
        self.topics = {stage.topic_arn(name) for name in self.routing.topics}
        self.items = [self._decode(Received.of(record)) for record in records]

    def run(self) -> None:
        try:
            self._recall()
        except TransientError as error:
            self._hand_back_all(str(error))
        self._waves()
        self._record()
        self._acknowledge()

    # -- decode ----------------------------------------------------------------------------------

    def _decode(self, message: Received) -> Item:
        event_id, source = message.identity(self.lane)
        try:
            content = decode(message.body, default_id=event_id, default_source=source)
        except Exception as error:
            return Item(message, None, self._new_record(event_id, source, ""), _permanent(error))
        if isinstance(content, Event):
            record = self._new_record(content.id, content.source, content.type)
        else:
            record = self._new_record(event_id, source, "")
        return Item(message, content, record)

    def _new_record(self, event_id: str, source: str, event_type: str) -> Record:
        return Record(event_id, source, type=event_type, lane=self.lane)

    # -- seen before? ----------------------------------------------------------------------------

    def _recall(self) -> None:
        """Take up what the ledger knows, and settle what needs nothing more."""
        known = ledger.read(
            self.stage, [item.record.key for item in self.items], self._seconds() / 2
        )
        first: dict[ledger.Key, Item] = {}
        for item in self.items:
            key = item.record.key
            if key in first:
                item.outcome = "same"  # twice in one batch: shares the fate of the first
                continue
            first[key] = item
            record = known.get(key)
            if record is not None:
                item.record = record
                record.lane = record.lane or self.lane
                if record.status == ledger.FAILED:  # redriven: it has all its attempts again
                    record.attempts = 0
                if record.status in ledger.SETTLED:
                    item.outcome = DONE
                elif record.status == ledger.PUBLISHING and self._skips(item):
                    item.settle(DONE, ledger.UNKNOWN, self.at, "outcome-unknown", _CRASHED)
        self._first = first

    def _skips(self, item: Item) -> bool:
        return self.routing.on_unknown.get(item.record.type) == "skip"

    # -- route, render, publish ------------------------------------------------------------------

    def _waves(self) -> None:
        """Publish wave by wave until every key is through or waits behind a failure."""
        keys: dict[str, deque[Item]] = {}
        for item in self.items:
            if not item.outcome:
                keys.setdefault(item.message.group, deque()).append(item)
        self._asked_at, self._slowest = self.remaining(), 0
        while keys:
            if not self._in_time():
                for waiting in keys.values():
                    for item in waiting:
                        item.outcome = RETRY
                return
            heads = [self._heads(waiting) for waiting in keys.values()]
            # A key is free once its dead letter is safe, not before: an event that stays in the
            # lane must not be overtaken.
            self._dead_letter([item for found in heads for item in found])
            wave = [found[-1] for found in heads if not any(i.outcome == RETRY for i in found)]
            self._publish([item for item in wave if not item.outcome])
            self._dead_letter(wave)
            for group in list(keys):
                waiting = keys[group]
                while waiting and waiting[0].outcome in (DONE, DEAD):
                    waiting.popleft()
                if waiting and waiting[0].outcome == RETRY:
                    for item in waiting:
                        item.outcome = item.outcome or RETRY
                    waiting.clear()
                if not waiting:
                    del keys[group]

    def _in_time(self) -> bool:
        """Whether SNS can be asked once more, by how long that took each time since the first."""
        now = self.remaining()
        self._slowest = max(self._slowest, self._asked_at - now)
        self._asked_at = now
        return now >= RESERVE_MILLISECONDS + 3 * self._slowest

    def _heads(self, waiting: deque[Item]) -> list[Item]:
        """The next events of a key up to one that has something to publish; settles the others."""
        heads: list[Item] = []
        for item in waiting:
            heads.append(item)
            self._compose(item)
            if not item.outcome:
                break
        return heads

    def _compose(self, item: Item) -> None:
        item.tried = True
        try:
            if item.error is not None:
                raise item.error
            if isinstance(item.content, ReadyMade):
                item.publications = {"topic": self._ready_made(item.content)}
            elif isinstance(item.content, Event):
                self._compose_event(item, item.content)
        except Exception as error:
            found = _permanent(error)
            item.settle(DEAD, ledger.FAILED, self.at, found.reason, str(found))

    def _ready_made(self, content: ReadyMade) -> Publication:
        if content.sns_topic not in self.topics:
            raise PermanentError("foreign-topic", "sns_topic is none of this stage's topics")
        return Publication("topic", content.sns_topic, content.subject, content.message, {}, False)

    def _compose_event(self, item: Item, event: Event) -> None:
        if event.expired(self.now):
            item.settle(DONE, ledger.EXPIRED, self.at, "expired", "expirytime was past")
            return
        composed = compose(event, self.lane, self.routing, self.templates, self.stage.topic_arn)
        record = item.record
        record.rules = composed.decision.rules
        record.template = composed.template
        if not composed.publications:
            why = composed.decision.reason
            if not composed.decision.rules:
                why = f"{why}; {self.routing.why_nobody(event)}"
            item.settle(DONE, ledger.SUPPRESSED, self.at, "suppressed", why)
        elif record.test:
            item.settle(DONE, ledger.TEST, self.at)
        else:
            missing = {n: p for n, p in composed.publications.items() if n not in record.sent}
            item.publications = missing
            if not missing:
                item.settle(DONE, ledger.PUBLISHED, self.at)

    def _publish(self, wave: Sequence[Item]) -> None:
        wave = self._announce(wave)
        flat = [(item, name, p) for item in wave for name, p in item.publications.items()]
        if not flat:
            return
        once = any(self._skips(item) for item, _, _ in flat)
        results = registry.send(
            self.stage, [p for _, _, p in flat], in_time=self._in_time, once=once
        )
        failures: dict[int, list[Result]] = {}
        for (item, name, _), result in zip(flat, results, strict=True):
            if result.message_id:
                item.record.sent[name] = result.message_id
            else:
                failures.setdefault(id(item), []).append(result)
        for item in wave:
            self._settle_published(item, failures.get(id(item), []))

    def _announce(self, wave: Sequence[Item]) -> list[Item]:
        """Write down that SNS is about to be asked, for the types that must never be sent twice.

        Those that cannot be written down are handed back unsent.
        """
        careful = [item for item in wave if self._skips(item)]
        if not careful:
            return list(wave)
        for item in careful:
            item.record.enter(ledger.PUBLISHING, self.at)
        # Half of what is left: what was published before must still be recorded after it.
        left = ledger.write(self.stage, [item.record for item in careful], self._seconds() / 2)
        unwritten = {record.key for record in left}
        for item in careful:
            if item.record.key in unwritten:  # or written, and the answer did not come
                item.settle(RETRY, ledger.RETRYING, self.at, "retrying", "ledger not written")
        return [item for item in wave if not item.outcome]

    def _settle_published(self, item: Item, failed: Sequence[Result]) -> None:
        if not failed:
            item.settle(DONE, ledger.PUBLISHED, self.at)
            return
        codes = " ".join(sorted({result.error for result in failed}))
        item.record.attempts += any(result != NOT_TRIED for result in failed)
        if any(result.unknown for result in failed) and self._skips(item):
            item.settle(DONE, ledger.UNKNOWN, self.at, "outcome-unknown", codes)
        elif not any(result.fault == LATER for result in failed):
            item.settle(DEAD, ledger.FAILED, self.at, "sns-refused", codes)
        elif item.record.attempts >= queues.MAX_ATTEMPTS:
            item.settle(DEAD, ledger.FAILED, self.at, "gave-up", codes)
        else:
            item.settle(RETRY, ledger.RETRYING, self.at, "retrying", codes)

    # -- record, acknowledge ---------------------------------------------------------------------

    def _dead_letter(self, items: Sequence[Item]) -> None:
        """Put the dead among these into the dead-letter queue; those it does not take are kept."""
        dead = [item for item in items if item.outcome == DEAD and not item.buried]
        if not dead:
            return
        letters = [
            DeadLetter(
                item.message,
                item.record.reason,
                item.record.detail,
                item.record.id,
                item.record.source,
                item.record.type,
            )
            for item in dead
        ]
        url = self.stage.dead_queue_url(self.lane)
        safe = queues.dead_letter(self.stage.sqs, url, letters)
        for item in dead:
            if item.message.message_id in safe:
                item.buried = True
                log.warning(
                    "dead-lettered",
                    lane=self.lane,
                    event=item.record.id,
                    reason=item.record.reason,
                    detail=item.record.detail,
                )
            else:
                problem = "the dead-letter queue did not take it"
                item.settle(RETRY, ledger.RETRYING, self.at, item.record.reason, problem)

    def _record(self) -> None:
        changed = [item.record for item in self.items if item.changed]
        for record in ledger.write(self.stage, changed, self._seconds()) if changed else ():
            # It was published, and saying so a second time would publish it a second time: the
            # message is acknowledged all the same, and the gap in the ledger is said out loud.
            log.error("not recorded", lane=self.lane, event=record.id, status=record.status)

    def _acknowledge(self) -> None:
        for item in self.items:
            if item.outcome == "same":
                item.outcome = self._first[item.record.key].outcome
        kept = [item for item in self.items if item.outcome not in (DONE, DEAD)]
        if not kept:
            return
        done = [item.message for item in self.items if item.outcome in (DONE, DEAD)]
        try:
            queues.delete(self.stage.sqs, self.stage.queue_url(self.lane), done)
        finally:
            self._hand_back(kept, {i.message.group: i.record.attempts for i in kept if i.tried})
        reasons = " ".join(sorted({i.record.detail for i in kept if i.tried and i.record.detail}))
        text = f"{len(kept)} of {len(self.items)} messages are kept for redelivery"
        raise Redeliver(f"{text}: {reasons}" if reasons else text)

    def _hand_back_all(self, why: str) -> None:
        waits = {item.message.group: item.message.receives for item in self.items}
        self._hand_back(self.items, waits)
        raise Redeliver(f"all {len(self.items)} messages are kept for redelivery: {why}")

    def _hand_back(self, kept: Sequence[Item], failed: Mapping[str, int]) -> None:
        """Make messages visible again: a key whose event failed waits, one out of time does not.

        `failed` has, for each key that waits, how often its event failed.
        """
        back = [
            (item.message, queues.wait_seconds(failed[group]) if group in failed else 0)
            for item in kept
            for group in (item.message.group,)
        ]
        queues.hand_back(self.stage.sqs, self.stage.queue_url(self.lane), back)

    def _seconds(self) -> float:
        """What is left of this invocation for writing to the ledger, with a second to spare."""
        return self.remaining() / 1000 - 1


def _permanent(error: Exception) -> PermanentError:
    """What an event is dead-lettered for: its own fault, or one of ours that it brought to light.

    Ours must not take the rest of the batch with it; its place is logged, the event can be redriven.
    """
    if isinstance(error, PermanentError):
        return error
    log.error("unexpected", **log.origin(error))
    return PermanentError("unexpected", f"Heraldo stumbled over it ({type(error).__name__})")


_CRASHED: Final = "the worker ended between asking SNS and recording its answer"
