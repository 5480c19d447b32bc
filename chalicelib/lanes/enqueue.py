"""Fill the lanes' queues, in order."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import ClientError

from chalicelib import aws
from chalicelib.errors import TransientError
from chalicelib.events.event import Event
from chalicelib.lanes.queues import deduplication_id, group_id
from chalicelib.lanes.waves import waves
from chalicelib.patience import Patience
from chalicelib.stage import Stage


def enqueue(stage: Stage, events: Sequence[tuple[str, Event]], patience: Patience) -> list[str]:
    """Put events into their lanes' queues; gives for each what went wrong, or nothing.

    In order: what comes after an event of its own ordering key that was not queued is not queued
    either, whatever the lane. The lanes go side by side where that allows it.
    """
    work = _Filling(stage, events)
    patient = {lane: patience.for_another() for lane, _ in events}
    for turn in _turns(events, work.groups):
        if len(turn) == 1:
            for lane, positions in turn.items():
                work.fill(lane, positions, patient[lane])
            continue
        with ThreadPoolExecutor(len(turn)) as pool:
            list(pool.map(lambda lane, of=turn: work.fill(lane, of[lane], patient[lane]), turn))
    return work.problems


def _turns(
    events: Sequence[tuple[str, Event]], groups: Sequence[str]
) -> list[dict[str, list[int]]]:
    """Positions by lane, turn by turn: in no turn is a group in two lanes.

    Nearly always that is one turn, because hardly a request has a group in several lanes.
    """
    turns: list[dict[str, list[int]]] = []
    last: dict[str, tuple[int, str]] = {}
    for position, (lane, _) in enumerate(events):
        turn, before = last.get(groups[position], (0, lane))
        turn += lane != before
        last[groups[position]] = (turn, lane)
        if turn == len(turns):
            turns.append({})
        turns[turn].setdefault(lane, []).append(position)
    return turns


class _Filling:
    """Events on their way into their queues."""

    def __init__(self, stage: Stage, events: Sequence[tuple[str, Event]]) -> None:
        self._stage = stage
        self._entries = [_entry(number, found) for number, (_, found) in enumerate(events)]
        self.groups: list[str] = [entry["MessageGroupId"] for entry in self._entries]
        self.problems = [""] * len(events)
        self._stuck: set[str] = set()

    def fill(self, lane: str, positions: Sequence[int], patience: Patience) -> None:
        """Send what goes to one lane, call by call."""
        try:
            url = patience.ask(lambda: self._stage.queue_url(lane))
        except (TransientError, ClientError) as error:
            self._fail(positions, "the queue cannot be reached", error)
            return
        for wave in waves(positions, self.groups.__getitem__, self._size):
            ready = [position for position in wave if self.groups[position] not in self._stuck]
            for position in wave:
                if position not in ready:
                    self.problems[position] = "an earlier event of its ordering key was not queued"
            if ready:
                self._send(url, ready, patience)

    def _send(self, url: str, wave: Sequence[int], patience: Patience) -> None:
        entries: Any = [self._entries[position] for position in wave]
        try:
            answer: Any = patience.ask(
                lambda: self._stage.sqs.send_message_batch(QueueUrl=url, Entries=entries)
            )
        except (TransientError, ClientError) as error:
            if isinstance(error, ClientError):  # of the queue, and so the same for the next call
                patience.count(aws.code_of(error))
            self._fail(wave, "the event was not queued", error)
            return
        done = aws.taken(answer, len(self._entries))
        codes = aws.refused(answer, len(self._entries))
        for position in wave:
            if position not in done:
                code = codes.get(position, "NoAnswer")
                self._fail([position], "the event was not queued", TransientError(code))

    def _fail(self, positions: Sequence[int], problem: str, error: Exception) -> None:
        why = str(error) if isinstance(error, TransientError) else aws.code_of(error)
        for position in positions:
            self.problems[position] = f"{problem} ({why})"
            self._stuck.add(self.groups[position])

    def _size(self, position: int) -> int:
        return len(self._entries[position]["MessageBody"].encode())


def _entry(position: int, found: Event) -> dict[str, Any]:
    return {
        "Id": str(position),
        "MessageBody": found.to_json(),
        "MessageGroupId": group_id(found.ordering_key),
        "MessageDeduplicationId": deduplication_id(found.id, found.source),
    }
