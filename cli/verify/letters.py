"""The dead letter of a run: found, mended, put back as `dead-letters redrive` does it, or taken away."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final

from chalicelib import names
from chalicelib.lanes.decode import decode
from chalicelib.letters.letters import DeadQueue, Letter, Sought, look
from chalicelib.letters.redrive import Redrive
from chalicelib.letters.verdict import Judge
from chalicelib.stage import Stage
from cli.verify import marks

# So many minutes in a row a letter must lie there before the alarm goes off, at the least. What is taken away
# within a minute is in two of them: docs/decisions/0030-verify.md.
PATIENT: Final = 3
_LOOKING: Final = 20.0


def alarm_minutes(cloudwatch: Any, stage: str, lane: str) -> int | None:
    """For how many minutes a letter lies in a lane before its alarm goes off; None where there is no alarm.

    Raises
    ------
    BotoCoreError, ClientError : CloudWatch does not say.
    """
    name = f"heraldo-{stage}-{lane}-dead-letters"
    found = cloudwatch.describe_alarms(AlarmNames=[name]).get("MetricAlarms", [])
    for alarm in found:
        points = int(alarm.get("DatapointsToAlarm") or alarm["EvaluationPeriods"])
        return points * int(alarm["Period"]) // 60
    return None


def find(
    stage: Stage, lane: str, event_id: str, seconds: float, show: Callable[[str], None]
) -> Letter | None:
    """Wait for an event to be a dead letter, and leave it where it is.

    Raises
    ------
    BotoCoreError, ClientError : SQS does not say.
    """
    until = time.monotonic() + seconds
    while True:
        for found in look(stage, [lane], Sought([event_id]), show):
            for letter in found.letters:
                if letter.id == event_id:
                    return letter
        if time.monotonic() > until:
            return None


class _Mended(DeadQueue):
    """Dead letters of which one has another body: as if what was wrong with it had been mended."""

    def __init__(self, stage: Stage, lane: str, event_id: str, body: str) -> None:
        super().__init__(stage, lane)
        self._mended = event_id, body

    def batches(self) -> Iterator[list[Letter]]:
        event_id, body = self._mended
        for batch in super().batches():
            for letter in batch:
                if letter.id == event_id:
                    letter.body = body
                    letter.content = decode(
                        body, default_id=letter.id, default_source=letter.source
                    )
            yield batch


def put_back(stage: Stage, judge: Judge, lane: str, event_id: str, body: str = "") -> Redrive:
    """Redrive one letter; as it is, or with a body that is mended.

    Raises
    ------
    BotoCoreError, ClientError, TransientError : it may be there still.
    """
    queue = _Mended(stage, lane, event_id, body) if body else DeadQueue(stage, lane)
    with queue:
        run = Redrive(
            queue,
            stage.sqs,
            stage.queue_url(lane),
            judge,
            lambda letter: letter.id == event_id,
            sought=Sought([event_id]),
        )
        run.run(lambda _: None)
    return run


def take_away(stage: Stage, lane: str, wanted: Callable[[Letter], bool]) -> int:
    """Delete verify's own letters that are `wanted`; says how many. Looks for a while, not for ever.

    Raises
    ------
    BotoCoreError, ClientError : some may be there still.
    """
    gone = 0
    with DeadQueue(stage, lane, time.monotonic() + _LOOKING) as queue:
        for batch in queue.batches():
            own = [one for one in batch if one.type == names.VERIFY_TYPE and wanted(one)]
            if own:
                gone += len(own) - queue.delete(own)
    return gone


def is_left_behind(letter: Letter, now: datetime) -> bool:
    """Whether a letter is of a run that is over."""
    return marks.is_over(marks.begun("-".join(letter.id.split("-")[:2])), now)
