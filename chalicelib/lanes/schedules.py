"""One-time schedules of EventBridge's, each of which wakes a lane once, through its own queue."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from botocore.exceptions import ClientError

from chalicelib import aws, names
from chalicelib.stage import Stage

# What is due at once is woken so soon: a schedule must not be past when it is made.
_SOON: Final = timedelta(seconds=5)
# A schedule that cannot deliver its wake tries so long; then the sweep finds what is overdue.
_TRIES: Final = {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 20}


def create(stage: Stage, lane: str, group: str, name: str, moment: datetime, body: str) -> None:
    """Have a lane woken at a moment (aware), in one of its ordering keys. Twice is once: that goes by the name.

    Raises
    ------
    BotoCoreError, ClientError : it is not.
    """
    place, scheduler = stage.place, stage.client("scheduler")
    # One in the past is refused: what is held behind others whose time has come is due already.
    soon = datetime.now(UTC) + _SOON
    moment = max(moment.astimezone(UTC), soon)
    if moment.microsecond:  # schedules know seconds; none comes before its time
        moment = moment.replace(microsecond=0) + timedelta(seconds=1)
    try:
        scheduler.create_schedule(
            Name=name,
            GroupName=names.schedules(stage.name),
            ScheduleExpression=f"at({moment:%Y-%m-%dT%H:%M:%S})",
            ScheduleExpressionTimezone="UTC",
            FlexibleTimeWindow={"Mode": "OFF"},
            ActionAfterCompletion="DELETE",
            Target={
                "Arn": place.queue_arn(names.queue(stage.name, lane)),
                "RoleArn": place.role_arn(names.waker(stage.name)),
                "Input": body,
                "SqsParameters": {"MessageGroupId": group},
                "DeadLetterConfig": {"Arn": place.queue_arn(names.lost_wakes(stage.name))},
                "RetryPolicy": _TRIES,
            },
        )
    except ClientError as error:
        if aws.code_of(error) != "ConflictException":
            raise
