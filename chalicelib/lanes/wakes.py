"""What was held goes out: a wake comes through the lane's own queue, and stands for all that is due of its key.

The schedule's name derives from the event, so that twice is once; a wake that comes twice finds what it
released before, and the ledger knows what of that went out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from botocore.exceptions import ClientError

from chalicelib import aws, names
from chalicelib.errors import TransientError
from chalicelib.events.event import Event
from chalicelib.lanes import digests, schedules
from chalicelib.lanes.queues import Received
from chalicelib.plan.compose import event_tag
from chalicelib.stage import Stage
from chalicelib.store import holds
from chalicelib.store.holds import Hold
from chalicelib.values import dataclass

# So an event's body begins that is none.
_BEGINS: Final = '{"wake":'
# How often a cancellation may come in between.
_TURNS: Final = 5


@dataclass(frozen=True, slots=True)
class Opened:
    """What a batch comes to: messages, the holds of wakes among them in their place; and the wakes for which
    nothing is due, `early` those that came before their time, with the seconds until then."""

    messages: Sequence[Received]
    done: Sequence[Received]
    early: Sequence[tuple[Received, int]]


def hold_of(event: Event, lane: str, group: str, until: datetime, accepted: str, why: str) -> Hold:
    """What is kept of an event of a lane's ordering key (`group`, as SQS has it) that goes out at `until` (aware)."""
    return Hold(
        lane=lane,
        group=group,
        due=holds.due_text(until),
        accepted=accepted,
        tag=event_tag(event.id, event.source),
        event_id=event.id,
        source=event.source,
        event=event.to_json(),
        recipient=event.recipient or "",
        why=why,
    )


def set_schedule(stage: Stage, hold: Hold) -> None:
    """Have a lane woken when a hold is due. Twice is once.

    Raises
    ------
    BotoCoreError, ClientError : it is not.
    """
    due = datetime.fromisoformat(hold.due)
    schedules.create(
        stage, hold.lane, hold.group, schedule_name(hold), due, holds.wake_body(hold.tag)
    )


def drop_schedule(stage: Stage, hold: Hold) -> None:
    """Take a schedule away, as far as it is there: a wake for what is cancelled finds nothing."""
    try:
        stage.client("scheduler").delete_schedule(
            Name=schedule_name(hold), GroupName=names.schedules(stage.name)
        )
    except aws.FAILURES:
        return


def schedule_name(hold: Hold) -> str:
    """Of an event and when it is due, for the schedule that woke it may still be there when it is held again.

    At most 64 characters: https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html"""
    due = datetime.fromisoformat(hold.due)
    return f"event-{hold.tag}-{int(due.timestamp())}"


def opened(stage: Stage, lane: str, messages: Sequence[Received], now: datetime) -> Opened:
    """Put in the place of each wake what it stands for.

    Raises
    ------
    TransientError : what is due cannot be read, or released, right now.
    """
    found: list[Received] = []
    done: list[Received] = []
    early: list[tuple[Received, int]] = []
    for message in messages:
        if look := digests.look_of(message):
            taken, wait = digests.opened(stage, lane, message, look, now)
            found += taken
            if wait:
                early.append((message, wait))
            elif not taken:
                done.append(message)
            continue
        tag = _tag(message.body)
        if not tag:
            found.append(message)
            continue
        due = _released(stage, lane, message.group, tag, now)
        found += [
            replace(
                message,
                message_id=f"{message.message_id}.{number}",
                body=hold.event,
                attributes={},
                sent_at=datetime.fromisoformat(hold.due).timestamp(),
            )
            for number, hold in enumerate(due)
        ]
        if not due:
            wait = _too_early(stage, tag, now)
            if wait:
                early.append((message, wait))
            else:
                done.append(message)
    return Opened(found, done, early)


def _released(stage: Stage, lane: str, group: str, tag: str, now: datetime) -> list[Hold]:
    try:
        for _ in range(_TURNS):
            due = holds.due(stage, lane, group, tag, holds.due_text(now))[: holds.MOST]
            if not due:
                return []
            try:
                holds.release(stage, due, tag)
            except ClientError as error:
                if aws.code_of(error) != "TransactionCanceledException":
                    raise
                continue  # one was cancelled in between
            return due
    except aws.FAILURES as error:
        raise TransientError(f"what is held cannot be read ({aws.code_of(error)})") from None
    raise TransientError("what is held changes all the time")


def _too_early(stage: Stage, tag: str, now: datetime) -> int:
    """Seconds until an event is due whose wake came a little before its time; nothing where it is not held, or
    where its schedule's own wake is yet to come."""
    try:
        hold = holds.find(stage, tag)
    except aws.FAILURES as error:
        raise TransientError(f"what is held cannot be read ({aws.code_of(error)})") from None
    if hold is None or hold.state != holds.HELD:
        return 0
    left = (datetime.fromisoformat(hold.due) - now).total_seconds()
    return int(left) + 1 if 0 < left <= digests.EARLY_SECONDS else 0


def _tag(body: str) -> str:
    if not body.startswith(_BEGINS):
        return ""
    try:
        raw: Any = json.loads(body)
    except ValueError:
        return ""
    tag = raw.get("wake")  # and whatever a later version says beside it
    return tag if isinstance(tag, str) and len(tag) == 32 else ""
