"""Put dead letters back into their lanes: in order, interruptible, nothing twice."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import field
from typing import Any, Final

from chalicelib import aws
from chalicelib.lanes.queues import attribute, entry_bytes
from chalicelib.lanes.waves import BATCH_ENTRIES, waves
from chalicelib.letters.letters import DeadQueue, Letter, Sought
from chalicelib.letters.verdict import Judge, Verdict
from chalicelib.names import INLETS
from chalicelib.store.record import EventKey
from chalicelib.values import dataclass

# What `queues.dead_letter` writes on a letter about its death; all else travels back with it.
_OBITUARY: Final = frozenset(("reason", "detail", "event_type"))


@dataclass
class Redrive:
    """Moves letters of one lane back into its queue, and counts what became of them.

    It may be cut off anywhere and run again. A letter is deleted only after SQS took its copy, and
    the copy's deduplication id comes from the letter: within five minutes SQS drops a second copy,
    and after that the ledger knows what was published. It is not `whole` where it ended early, because
    all that was `sought` was met.
    """

    queue: DeadQueue
    sqs: Any
    lane_url: str
    judge: Judge
    wanted: Callable[[Letter], bool]
    force: bool = False
    pace: Pace | None = None
    sought: Sought = field(default_factory=Sought)
    whole: bool = True
    moved: list[Letter] = field(default_factory=list)
    _moved_keys: set[EventKey] = field(default_factory=set)
    still_failing: list[tuple[Letter, Verdict]] = field(default_factory=list)
    back_again: list[Letter] = field(default_factory=list)
    refused: list[tuple[Letter, str]] = field(default_factory=list)
    nothing_to_send: int = 0
    undeleted: int = 0

    def run(self, progress: Callable[[int], None]) -> None:
        """Move what is wanted and would not fail; `progress` hears how many letters were moved."""
        stuck: set[str] = set()  # keys of which SQS refused a letter: the later ones wait behind it
        for batch in self.queue.batches():
            records = self.judge.records(batch)
            going: list[Letter] = []
            for letter in batch:
                if not self.wanted(letter):
                    continue
                if letter.key in self._moved_keys:  # or a broken letter would go round for ever
                    self.back_again.append(letter)
                    continue
                verdict = self.judge.judge(letter, records.get(letter.key))
                if verdict.fails is not None and not self.force:
                    self.still_failing.append((letter, verdict))
                    continue
                self.nothing_to_send += bool(verdict.note)
                going.append(letter)
            most = min(BATCH_ENTRIES, self.pace.rate) if self.pace else BATCH_ENTRIES
            for wave in waves(going, lambda letter: letter.group, _size, most):
                ready = [letter for letter in wave if letter.group not in stuck]
                for letter, problem in self._move(ready):
                    self.refused.append((letter, problem))
                    stuck.add(letter.group)
                progress(len(self.moved))
            self.sought.meet(batch)
            if self.sought.found:
                self.whole = False
                return

    def _move(self, wave: Sequence[Letter]) -> list[tuple[Letter, str]]:
        """Send, then delete what SQS took; gives what it did not take, and why."""
        if not wave:
            return []
        if self.pace:
            self.pace.wait(len(wave))
        entries = [_entry(number, letter) for number, letter in enumerate(wave)]
        try:
            answer = self.sqs.send_message_batch(QueueUrl=self.lane_url, Entries=entries)
        except aws.FAILURES as error:
            return [(letter, aws.code_of(error)) for letter in wave]
        done, codes = aws.taken(answer, len(wave)), aws.refused(answer, len(wave))
        taken = [letter for number, letter in enumerate(wave) if number in done]
        if taken:
            self.undeleted += self.queue.delete(taken)
            self.moved += taken
            self._moved_keys.update(letter.key for letter in taken)
        return [
            (letter, codes.get(number, "NoAnswer"))
            for number, letter in enumerate(wave)
            if number not in done
        ]


class Pace:
    """At most `rate` a second, evenly."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._free_at = time.monotonic()

    def wait(self, number: int) -> None:
        """Return when `number` more may go."""
        now = time.monotonic()
        time.sleep(max(0.0, self._free_at - now))
        self._free_at = max(self._free_at, now) + number / self.rate


def _size(letter: Letter) -> int:
    return entry_bytes(_entry(0, letter))


def _entry(number: int, letter: Letter) -> dict[str, Any]:
    if letter.lane in INLETS:  # a standard queue; all that counts is in the body
        return {"Id": str(number), "MessageBody": letter.body}
    attributes = {
        name: {k: v for k, v in value.items() if k in ("DataType", "StringValue", "BinaryValue")}
        for name, value in letter.attributes.items()
        if name not in _OBITUARY
    }
    for name, text in (("event_id", letter.id), ("event_source", letter.source)):
        attributes[name] = attribute(text)
    return {
        "Id": str(number),
        "MessageBody": letter.body,
        "MessageGroupId": letter.group,
        # Not the event's own, which SQS may still remember from the first time it was sent.
        "MessageDeduplicationId": hashlib.sha256(
            f"redrive\n{letter.message_id}".encode()
        ).hexdigest(),
        "MessageAttributes": attributes,
    }
