"""What should have gone out and did not is woken once more: a schedule was never made, or its wake was lost."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Final

from chalicelib import log
from chalicelib.rules.reading import routing
from chalicelib.stage import Stage
from chalicelib.store import holds
from chalicelib.store.holds import Hold

# A schedule is a minute late at the most, and its wake waits in a lane for what is before it:
# https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-flexible-time-windows.html
LATE: Final = timedelta(minutes=5)


def sweep(stage: Stage) -> int:
    """Wake lanes for all that is overdue; gives how many events that was.

    Raises
    ------
    BotoCoreError, ClientError : the table or a queue does not answer; the next sweep finds the rest.
    """
    now = datetime.now(UTC)
    lanes = routing(stage.name).lanes
    woken = 0
    for hold in holds.overdue(stage, holds.due_text(now - LATE)):
        if hold.lane in lanes:
            _wake(stage, hold, now)
            woken += 1
        else:
            log.error("a lane that is gone holds an event", lane=hold.lane, event=hold.tag)
    if woken:
        log.warning("overdue events were woken", events=woken)
    return woken


def _wake(stage: Stage, hold: Hold, now: datetime) -> None:
    # One wake of an event in five minutes: FIFO drops a second.
    once = hashlib.sha256(f"{hold.tag} {now:%Y-%m-%dT%H:%M}"[:-1].encode()).hexdigest()
    stage.sqs.send_message(
        QueueUrl=stage.queue_url(hold.lane),
        MessageBody=holds.wake_body(hold.tag),
        MessageGroupId=hold.group,
        MessageDeduplicationId=once,
    )
