"""What should have gone out and did not is woken once more: a schedule was never made, or its wake was lost."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Final

from chalicelib import log
from chalicelib.lanes import digests
from chalicelib.plan.gathering import window_parts
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
    looked: set[str] = set()
    for hold in holds.overdue(stage, holds.due_text(now - LATE)):
        if hold.lane in lanes:
            if hold.group not in looked:
                _wake(stage, hold, now)
            if window_parts(hold.group) is not None:  # one wake for all that is in a window
                looked.add(hold.group)
            woken += 1
        else:
            log.error("a lane that is gone holds an event", lane=hold.lane, event=hold.tag)
    if woken:
        log.warning("overdue events were woken", events=woken)
    return woken


def _wake(stage: Stage, hold: Hold, now: datetime) -> None:
    # One wake of an event in five minutes: FIFO drops a second.
    window, group, body, what = window_parts(hold.group), hold.group, "", hold.tag
    if window is not None:
        group, what = window[0], hold.group
        body = digests.wake_body(hold.group, int(now.timestamp()))
    once = hashlib.sha256(f"{what} {now:%Y-%m-%dT%H:%M}"[:-1].encode()).hexdigest()
    stage.sqs.send_message(
        QueueUrl=stage.queue_url(hold.lane),
        MessageBody=body or holds.wake_body(hold.tag),
        MessageGroupId=group,
        MessageDeduplicationId=once,
    )
