"""Dead letters, and how to look at them without disturbing them.

What FIFO allows decides how this works. A received letter is invisible, and while one letter of an
ordering key is, SQS hands out no other of that key. So everything is received and held, and made
visible again at the end; what is moved is deleted at once, which lets the next of its key come up.
Ten letters of a key come with one receive at most: of a key with more, a look shows the first ten
and a count.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Final

from chalicelib import aws
from chalicelib.channels.publication import POST_ID, Publication
from chalicelib.channels.webhooks import WEBHOOK
from chalicelib.door import notification
from chalicelib.door.envelope import opened
from chalicelib.errors import PermanentError
from chalicelib.events.event import Event, parse
from chalicelib.events.step import Step
from chalicelib.lanes import queues
from chalicelib.lanes.decode import decode
from chalicelib.lanes.waves import BATCH_ENTRIES
from chalicelib.names import BUS, RECEIPTS, WEBHOOKS
from chalicelib.plan.fate import Content
from chalicelib.stage import Stage
from chalicelib.store.record import EventKey, Record
from chalicelib.values import dataclass

# How long a letter stays invisible, at the least, should this process be killed; on a normal end, not
# at all. SQS takes twelve hours:
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
HOLD_SECONDS: Final = 120
LONGEST_HOLD: Final = 12 * 3600
# What a receive is taken to last before any was timed.
_FIRST_GUESS: Final = 0.5
# So many keys in a row that had no more to show than was seen are enough to stop looking.
_MISSES: Final = 30
_RELEASING: Final = 8  # calls at once
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
            elif lane == RECEIPTS:
                notification.read(message["Body"], stage)
                content = READABLE
            elif lane == WEBHOOKS:
                content = POSTABLE
            else:
                content = decode(message["Body"], default_id=event_id, default_source=source)
        except PermanentError as error:
            content = error
        event_type = _carried(attributes, "event_type")
        if isinstance(content, Event):
            event_id, source, event_type = content.id, content.source, content.type
        elif isinstance(content, Step):
            event_id, source, event_type = content.id, content.source, content.send
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
        if self.lane == WEBHOOKS:  # of one event, each webhook has a post of its own
            return (_carried(self.attributes, POST_ID) or self.message_id, self.webhook)
        return (self.id, self.source)

    @property
    def webhook(self) -> str:
        """The webhook that it is to be posted to, where it is a post."""
        return _carried(self.attributes, WEBHOOK)

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


READABLE: Final = PermanentError("receipt", "a receipt of SES, which can be read now")
"""What a receipt is here: no event, and nothing is published of it."""
POSTABLE: Final = PermanentError("post", "an event that is posted to a webhook as it lies there")
"""And what is posted."""


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
    """One lane's dead letters, held while this is open and visible again when it closes. Nothing is received
    after `until` (`time.monotonic`): what was to be had then is not all, and the look `is_cut`.

    A letter is held until the end of the look, as far as that can be told from how long a receive takes
    and how many letters there are; so each comes once.
    """

    def __init__(self, stage: Stage, lane: str, until: float = math.inf) -> None:
        self._sqs: Any = stage.sqs
        self._until = until
        self.is_cut = False
        self._stage = stage.name
        self.lane = lane
        self.url = stage.dead_queue_url(lane)
        self._met: set[str] = set()
        self._held: dict[str, Letter] = {}
        self._tails: dict[str, None] = {}  # keys that an answer may not have had the room for
        self._due: deque[tuple[float, list[Letter]]] = deque()  # until when they are held
        self._began = time.monotonic()
        self._receives = 0
        # Counted once: SQS's count is right for a queue at rest, and lags behind what is done to it.
        self.total = self._count()

    def __enter__(self) -> DeadQueue:
        return self

    def __exit__(self, *_: object) -> None:
        self._release(list(self._held.values()))

    @property
    def met(self) -> int:
        """How many letters were looked at."""
        return len(self._met)

    @property
    def unseen(self) -> int:
        """About how many letters are behind those that were met, or in somebody else's hands."""
        return max(0, self.total - len(self._met))

    def batches(self) -> Iterator[list[Letter]]:
        """Every letter that can be had, each once, those of a key in order.

        What the caller deletes meanwhile makes room for what waits behind it.
        """
        yield from self._visible()
        exhausted: set[str] = set()
        misses = 0
        # A key whose letters did not all fit into one answer has more to show: when its first ones are
        # let go, all of them come together.
        while self.unseen and misses < _MISSES and not self.is_cut:
            group = next((group for group in self._narrow() if group not in exhausted), None)
            if group is None:
                return
            self._release([held for held in self._held.values() if held.group == group])
            if fresh := self._hold(self._receive()):
                misses = 0
                yield fresh
                yield from self._visible()
            else:
                exhausted.add(group)
                misses += 1

    def delete(self, letters: Sequence[Letter]) -> int:
        """Remove letters for good; says how many could not be."""
        entries = [
            {"Id": str(n), "ReceiptHandle": letter.receipt_handle}
            for n, letter in enumerate(letters)
        ]
        try:
            answer = self._sqs.delete_message_batch(QueueUrl=self.url, Entries=entries)
            done = aws.taken(answer, len(letters))
        except aws.FAILURES:
            return len(letters)
        for number in done:
            self._held.pop(letters[number].message_id, None)
        return len(letters) - len(done)

    def _visible(self) -> Iterator[list[Letter]]:
        """What can be received now, until there is nothing new."""
        again: set[str] = set()
        while received := self._receive():
            if fresh := self._hold(received):
                again.clear()
                yield fresh
                continue
            # They were not held long enough, and come a second time. Others may lie behind them, but
            # when one of them comes a third time, all have gone round.
            ids = {letter.message_id for letter in received}
            if ids & again:
                return
            again |= ids

    def _count(self) -> int:
        wanted = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        got = self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=wanted)
        return sum(int(got["Attributes"][name]) for name in wanted)

    def _receive(self) -> list[Letter]:
        if time.monotonic() >= self._until:
            self.is_cut = True
            return []
        self._hold_on()
        hold = self._hold_seconds()
        until = time.monotonic() + hold
        messages = self._sqs.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=BATCH_ENTRIES,
            WaitTimeSeconds=WAIT_SECONDS,
            VisibilityTimeout=hold,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        ).get("Messages", [])
        self._receives += 1
        received = [Letter.of(message, self.lane, self._stage) for message in messages]
        if len(received) == BATCH_ENTRIES:
            self._tails[received[-1].group] = None
        self._due.append((until, received))
        return received

    def _hold_on(self) -> None:
        """Hold for longer what would come up before the next look at the time: the first letters, whose
        time was a guess, and all of them where SQS has become slower."""
        now = time.monotonic()
        while self._due and self._due[0][0] < now + HOLD_SECONDS / 2:
            _, letters = self._due.popleft()
            held = [letter for letter in letters if self._held.get(letter.message_id) is letter]
            if held:
                hold = self._hold_seconds()
                self._change(held, hold)
                self._due.append((now + hold, held))

    def _hold_seconds(self) -> int:
        """How long what is received now is to be held: twice what the rest of the look will take, by
        what it took so far, with what the caller does between two receives."""
        took = time.monotonic() - self._began
        each = took / self._receives if self._receives else _FIRST_GUESS
        at_once = max(1.0, len(self._met) / self._receives) if self._receives else BATCH_ENTRIES
        rest = self.unseen / at_once * each
        return int(min(HOLD_SECONDS + 2 * rest, LONGEST_HOLD))

    def _hold(self, received: Sequence[Letter]) -> list[Letter]:
        fresh = [letter for letter in received if letter.message_id not in self._met]
        for letter in received:  # a letter that is met again has a new receipt handle
            self._met.add(letter.message_id)
            self._held[letter.message_id] = letter
        return fresh

    def _narrow(self) -> list[str]:
        """Keys of which fewer letters are held than one receive can bring; those first of which the
        last letter was the last of a full answer."""
        sizes = Counter(letter.group for letter in self._held.values())
        narrow = [group for group, size in sizes.items() if size < BATCH_ENTRIES]
        return sorted(narrow, key=lambda group: group not in self._tails)

    def _release(self, letters: Sequence[Letter]) -> None:
        """Best effort: where it fails, they are visible again after the time for which they are held."""
        starts = range(0, len(letters), BATCH_ENTRIES)
        chunks = [letters[start : start + BATCH_ENTRIES] for start in starts]
        if len(chunks) == 1:
            self._release_chunk(chunks[0])
        elif chunks:
            with ThreadPoolExecutor(_RELEASING) as pool:
                list(pool.map(self._release_chunk, chunks))

    def _release_chunk(self, chunk: Sequence[Letter]) -> None:
        if self._change(chunk, 0):
            for letter in chunk:
                self._held.pop(letter.message_id, None)

    def _change(self, letters: Sequence[Letter], seconds: int) -> bool:
        """Have up to ten letters stay away for so long from now on; says whether SQS heard it."""
        entries = [
            {"Id": str(n), "ReceiptHandle": letter.receipt_handle, "VisibilityTimeout": seconds}
            for n, letter in enumerate(letters)
        ]
        try:
            self._sqs.change_message_visibility_batch(QueueUrl=self.url, Entries=entries)
        except aws.FAILURES:
            return False
        return True


@dataclass(slots=True)
class Look:
    """What one look at a dead-letter queue shows, and how many letters it cannot.

    `whole` is False where the look ended early, because what it was for was found.
    """

    lane: str
    letters: list[Letter]
    unseen: int
    whole: bool = True


class Sought:
    """Ids that somebody looks for; without any, nothing is ever found and everything is looked at."""

    def __init__(self, ids: Sequence[str] = ()) -> None:
        self._left = set(ids)
        self._any = bool(ids)

    def meet(self, letters: Sequence[Letter]) -> None:
        for letter in letters:
            self._left -= {letter.id, letter.message_id}

    @property
    def is_anything(self) -> bool:
        return not self._any

    @property
    def found(self) -> bool:
        """Whether all of them were met."""
        return self._any and not self._left


def look(
    stage: Stage,
    lanes: Sequence[str],
    sought: Sought,
    show: Callable[[str], None] = lambda _: None,
    seconds: float = math.inf,
) -> list[Look]:
    """Look at the dead letters of these lanes, all lanes at once, and leave everything as it was.

    Ends as soon as what is `sought` was found. Where somebody waits, it begins nothing more after so many
    `seconds`, and takes SQS at its word that a queue is empty, which of what died within the last minute may not
    be true. `show` is told how far it is.
    """
    stop = threading.Event()
    queues_open: list[DeadQueue] = []
    until = time.monotonic() + seconds

    def one(lane: str) -> Look:
        with DeadQueue(stage, lane, until) as queue:
            queues_open.append(queue)
            if math.isfinite(seconds) and sought.is_anything and not queue.total:
                return Look(lane, [], 0)
            letters: list[Letter] = []
            for batch in queue.batches():
                letters += batch
                sought.meet(batch)
                met, total = (sum(getattr(q, n) for q in queues_open) for n in ("met", "total"))
                show(f"{met:,} of {max(met, total):,} dead letters looked at")
                if sought.found or stop.is_set():
                    return Look(lane, letters, queue.unseen, whole=False)
            return Look(lane, letters, queue.unseen, whole=not queue.is_cut)

    with ThreadPoolExecutor(len(lanes)) as pool:
        try:
            return list(pool.map(one, lanes))
        finally:  # Ctrl-C comes to this thread alone; the others are told, and let go of theirs
            stop.set()
