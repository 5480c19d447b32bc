"""Dead letters, and how to look at them without disturbing them.

What FIFO allows decides how this works. A received letter is invisible, and while one letter of an
ordering key is, SQS hands out no other of that key. So everything is received and held, and made
visible again at the end; what is moved is deleted at once, which lets the next of its key come up.
Ten letters of a key come with one receive at most: of a key with more, a look shows the first ten
and a count.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.channels.publication import Publication
from chalicelib.door.envelope import opened
from chalicelib.errors import PermanentError
from chalicelib.events.event import Event, parse
from chalicelib.lanes import queues
from chalicelib.lanes.decode import decode
from chalicelib.lanes.waves import BATCH_ENTRIES
from chalicelib.names import BUS
from chalicelib.plan.fate import Content
from chalicelib.stage import Stage
from chalicelib.store.record import EventKey, Record

# How long a letter stays invisible should this process be killed; on a normal end, not at all.
HOLD_SECONDS: Final = 120
# Long polling asks all of SQS's servers; without it, an empty answer may be a mistake.
WAIT_SECONDS: Final = 1
NO_SURVIVOR: Final = "no-handler-survived"


@dataclass(slots=True)
class Letter:
    """A dead letter. `content` is a PermanentError where the body cannot even be read."""

    lane: str
    message_id: str
    receipt_handle: str
    body: str
    group: str
    died: datetime
    attributes: Mapping[str, Any]
    content: Content
    id: str
    source: str
    type: str
    reason: str
    detail: str

    @classmethod
    def of(cls, message: Mapping[str, Any], lane: str, stage: str) -> Letter:
        system, attributes = message["Attributes"], message.get("MessageAttributes", {})
        # The identity under which the lane's handler knows it: see Item.of.
        event_id, source = queues.identity(
            _carried(attributes, "event_id"),
            _carried(attributes, "event_source"),
            message["MessageId"],
            lane,
        )
        content: Content
        try:
            if lane == BUS:
                content = _on_the_bus(message["Body"], stage)
            else:
                content = decode(message["Body"], default_id=event_id, default_source=source)
        except PermanentError as error:
            content = error
        event_type = _carried(attributes, "event_type")
        if isinstance(content, Event):
            event_id, source, event_type = content.id, content.source, content.type
        elif isinstance(content, Publication):
            event_type = event_type or "(ready-made)"
        reason, detail = _carried(attributes, "reason"), _carried(attributes, "detail")
        # What EventBridge itself could not deliver says so in words of its own:
        # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
        if not reason and (code := _carried(attributes, "ERROR_CODE")):
            reason, detail = "not-delivered", f"{code}: {_carried(attributes, 'ERROR_MESSAGE')}"
        return cls(
            lane,
            message["MessageId"],
            message["ReceiptHandle"],
            message["Body"],
            system.get("MessageGroupId") or message["MessageId"],  # the bus has no order
            datetime.fromtimestamp(int(system["SentTimestamp"]) / 1000, UTC),
            attributes,
            content,
            event_id,
            source,
            event_type or "(unreadable)",
            reason,
            detail,
        )

    @property
    def key(self) -> EventKey:
        return (self.id, self.source)

    @property
    def moved_by_sqs(self) -> bool:
        """Whether SQS gave up on it, because no handler ever came to an end with it."""
        return not any(_carried(self.attributes, name) for name in ("reason", "ERROR_CODE"))

    def told_by(self, record: Record | None) -> None:
        """Take the reason from the ledger where the letter itself has none."""
        if not self.moved_by_sqs:
            return
        if record is not None and record.reason:
            self.reason, self.detail = record.reason, record.detail
            return
        if isinstance(self.content, PermanentError):  # too large to have its reason written on it
            self.reason, self.detail = self.content.reason, str(self.content)[:1000]
            return
        self.reason = NO_SURVIVOR
        last = f" (the ledger says {record.status})" if record is not None else ""
        self.detail = f"received again and again, and no handler survived it{last}"


def _on_the_bus(body: str, stage: str) -> Event:
    """The event that an envelope of EventBridge means."""
    found = opened(body, stage)
    if found.problem is not None:
        raise found.problem
    raw = found.raw if found.raw.get("time") is not None else {**found.raw, "time": found.time}
    return parse(raw, default_source=found.sender)


def _carried(attributes: Mapping[str, Any], name: str) -> str:
    return str((attributes.get(name) or {}).get("StringValue") or "")


class DeadQueue:
    """One lane's dead letters, held while this is open and visible again when it closes."""

    def __init__(self, stage: Stage, lane: str) -> None:
        self._sqs: Any = stage.sqs
        self._stage = stage.name
        self.lane = lane
        self.url = stage.dead_queue_url(lane)
        self._met: set[str] = set()
        self._held: dict[str, Letter] = {}
        # Counted once: SQS's count is right for a queue at rest, and lags behind what is done to it.
        self._total = self._count()

    def __enter__(self) -> DeadQueue:
        return self

    def __exit__(self, *_: object) -> None:
        self._release(list(self._held.values()))

    @property
    def unseen(self) -> int:
        """About how many letters are behind those that were met, or in somebody else's hands."""
        return max(0, self._total - len(self._met))

    def batches(self) -> Iterator[list[Letter]]:
        """Every letter that can be had, each once, those of a key in order.

        What the caller deletes meanwhile makes room for what waits behind it.
        """
        exhausted: set[str] = set()
        more = True
        while more:
            more = False
            while received := self._receive():
                if fresh := self._hold(received):
                    yield fresh
            # A key whose letters did not all fit into one answer has more to show: when its first
            # ones are let go, all of them come together.
            for group in self._narrow():
                if not self.unseen or group in exhausted:
                    continue
                self._release([held for held in self._held.values() if held.group == group])
                if fresh := self._hold(self._receive()):
                    more = True
                    yield fresh
                else:
                    exhausted.add(group)

    def delete(self, letters: Sequence[Letter]) -> int:
        """Remove letters for good; says how many could not be."""
        entries = [
            {"Id": str(n), "ReceiptHandle": letter.receipt_handle}
            for n, letter in enumerate(letters)
        ]
        try:
            answer = self._sqs.delete_message_batch(QueueUrl=self.url, Entries=entries)
        except (BotoCoreError, ClientError):
            return len(letters)
        for done in answer.get("Successful", ()):
            self._held.pop(letters[int(done["Id"])].message_id, None)
        return len(answer.get("Failed", ()))

    def _count(self) -> int:
        wanted = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        got = self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=wanted)
        return sum(int(got["Attributes"][name]) for name in wanted)

    def _receive(self) -> list[Letter]:
        messages = self._sqs.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=BATCH_ENTRIES,
            WaitTimeSeconds=WAIT_SECONDS,
            VisibilityTimeout=HOLD_SECONDS,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        ).get("Messages", [])
        return [Letter.of(message, self.lane, self._stage) for message in messages]

    def _hold(self, received: Sequence[Letter]) -> list[Letter]:
        fresh = [letter for letter in received if letter.message_id not in self._met]
        for letter in received:  # a letter that is met again has a new receipt handle
            self._met.add(letter.message_id)
            self._held[letter.message_id] = letter
        return fresh

    def _narrow(self) -> list[str]:
        """Keys of which fewer letters are held than one receive can bring."""
        sizes = Counter(letter.group for letter in self._held.values())
        return [group for group, size in sizes.items() if size < BATCH_ENTRIES]

    def _release(self, letters: Sequence[Letter]) -> None:
        """Best effort: where it fails, they are visible again after HOLD_SECONDS."""
        for start in range(0, len(letters), BATCH_ENTRIES):
            chunk = letters[start : start + BATCH_ENTRIES]
            entries = [
                {"Id": str(n), "ReceiptHandle": letter.receipt_handle, "VisibilityTimeout": 0}
                for n, letter in enumerate(chunk)
            ]
            try:
                self._sqs.change_message_visibility_batch(QueueUrl=self.url, Entries=entries)
            except (BotoCoreError, ClientError):
                continue
            for letter in chunk:
                self._held.pop(letter.message_id, None)


@dataclass(slots=True)
class Look:
    """What one look at a dead-letter queue shows, and how many letters it cannot."""

    lane: str
    letters: list[Letter]
    unseen: int


def look(stage: Stage, lanes: Sequence[str]) -> list[Look]:
    """Look at the dead letters of these lanes, all lanes at once, and leave everything as it was."""
    _ = stage.sqs  # made by one thread, for botocore's sessions know of no other
    stop = threading.Event()

    def one(lane: str) -> Look:
        with DeadQueue(stage, lane) as queue:
            letters: list[Letter] = []
            for batch in queue.batches():
                letters += batch
                if stop.is_set():
                    break
            return Look(lane, letters, queue.unseen)

    with ThreadPoolExecutor(len(lanes)) as pool:
        try:
            return list(pool.map(one, lanes))
        finally:  # Ctrl-C comes to this thread alone; the others are told, and let go of theirs
            stop.set()
