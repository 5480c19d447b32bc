"""A window of what a rule gathered ends: a wake takes what it reads there, and that goes out as one event.

What one look at a window took, it takes again when it comes twice, and no more: the digest's id follows from the
look, and the ledger knows whether it went out. What is written later waits for the next look.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from botocore.exceptions import ClientError

from chalicelib import aws
from chalicelib.errors import TransientError
from chalicelib.lanes import schedules
from chalicelib.lanes.queues import Received
from chalicelib.plan.gathering import (
    WHY_LEFT_OUT,
    digest_id,
    left_out,
    merged,
    window_parts,
)
from chalicelib.rules.reading import routing
from chalicelib.stage import Stage
from chalicelib.store import holds, ledger, statuses
from chalicelib.store.holds import Hold
from chalicelib.store.record import Record, text_of
from chalicelib.values import dataclass

# A wake that comes earlier than that is not its schedule's, and would keep its whole key waiting.
EARLY_SECONDS: Final = 60
# So an event's body begins that is none.
_BEGINS: Final = '{"digest":'
# How often a cancellation may come in between.
_TURNS: Final = 5
# How soon a window is looked at again of which something is left.
_AGAIN: Final = timedelta(seconds=5)
_SECONDS: Final = 5.0
# What is left of a worker's time is for sending.
_RELEASE_SECONDS: Final = 12.0


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a window; `number` tells it from others."""

    window: str
    number: int
    rule: str
    due: datetime

    @property
    def id(self) -> str:
        return digest_id(self.window, self.number)


def wake_body(window: str, look: int) -> str:
    """What wakes a lane for a window."""
    return json.dumps({"digest": window, "look": look})


def look_of(message: Received) -> Look | None:
    """What a message wakes its lane for, if it is such a one."""
    if not message.body.startswith(_BEGINS):
        return None
    try:
        raw: Any = json.loads(message.body)
    except ValueError:
        return None
    if not raw.keys() >= {"digest", "look"} or not isinstance(raw["look"], int):
        return None
    parts = window_parts(raw["digest"]) if isinstance(raw["digest"], str) else None
    return Look(raw["digest"], raw["look"], parts[1], parts[2]) if parts is not None else None


def look_at(stage: Stage, lane: str, window: str, moment: datetime) -> None:
    """Have a lane woken at a moment (aware), to look at a window. Twice in one second is once.

    Raises
    ------
    BotoCoreError, ClientError : it is not.
    """
    parts, number = window_parts(window), int(moment.timestamp())
    assert parts is not None  # noqa: S101 - for the type checker
    name, body = digest_id(window, number), wake_body(window, number)
    schedules.create(stage, lane, parts[0], name, moment, body)


def opened(
    stage: Stage, lane: str, message: Received, look: Look, now: datetime
) -> tuple[list[Received], int]:
    """The digest that a look at a window comes to at `now` (aware), in its wake's place, if there is any; and how many
    seconds the wake is early.

    Raises
    ------
    TransientError : what was gathered cannot be read, or released, right now.
    """
    early = (look.due - now).total_seconds()
    if early > 0:
        return [], int(early) + 1 if early <= EARLY_SECONDS else 0
    try:
        members = _taken(stage, lane, look, now)
    except aws.FAILURES as error:
        raise TransientError(f"what was gathered cannot be read ({aws.code_of(error)})") from None
    if not members:
        return [], 0
    body = merged(look.rule, members, look.id)
    number = f"{message.message_id}.0"
    sent_at = look.due.timestamp()
    return [replace(message, message_id=number, body=body, attributes={}, sent_at=sent_at)], 0


def _taken(stage: Stage, lane: str, look: Look, now: datetime) -> list[Hold]:
    """What a look takes out of its window and sends, oldest first."""
    begun = False
    for _ in range(_TURNS):
        found = holds.due(stage, lane, look.window, look.id, holds.due_text(now))
        taken = [hold for hold in found if hold.by == look.id]
        if begun or not taken:
            taken = found[: holds.GATHERED]
        if len(taken) < len(found):  # what it does not take
            look_at(stage, lane, look.window, now + _AGAIN)
        why = {hold.tag: hold.state for hold in taken if hold.state in WHY_LEFT_OUT}
        if begun or any(hold.state == holds.HELD for hold in taken):
            rule = routing(stage.name).rule(look.rule)
            why = left_out(taken, rule.digest if rule is not None else None, now)
            begun = True
            if not _released(stage, taken, look.id, why):
                continue
        _say(stage, [hold for hold in taken if hold.tag in why], why, now)
        return [hold for hold in taken if hold.tag not in why]
    raise TransientError("what was gathered changes all the time")


def _released(stage: Stage, taken: Sequence[Hold], by: str, why: Mapping[str, str]) -> bool:
    """Release these; False where one was cancelled in between."""
    give_up = time.monotonic() + _RELEASE_SECONDS
    chunks = [
        taken[begin : begin + holds.RELEASED_AT_ONCE]
        for begin in range(0, len(taken), holds.RELEASED_AT_ONCE)
    ]
    pause = 0.1
    while chunks:
        try:
            holds.release(stage, chunks[0], by, why)
        except ClientError as error:
            reasons: Any = error.response.get("CancellationReasons") or ()
            if any(reason.get("Code") == "ConditionalCheckFailed" for reason in reasons):
                return False
            if time.monotonic() > give_up or not (reasons or aws.is_throttled(error)):
                raise
            time.sleep(pause)  # more than the partition takes in a second
            pause = min(2 * pause, 1.0)
        else:
            del chunks[0]
    return True


def _say(stage: Stage, dropped: Sequence[Hold], why: Mapping[str, str], now: datetime) -> None:
    """Have the ledger say of events that they do not go out after all, where nothing else of them does.

    Raises
    ------
    TransientError : it does not yet.
    """
    keys = [(hold.event_id, hold.source) for hold in dropped]
    known = ledger.read(stage, keys, _SECONDS) if keys else {}
    said: list[Record] = []
    for hold in dropped:
        record = known.get((hold.event_id, hold.source))
        if record is None or record.status != statuses.GATHERED or len(record.digests) > 1:
            continue
        reason = why[hold.tag]
        expired = reason == statuses.EXPIRED
        record.enter(statuses.EXPIRED if expired else statuses.SUPPRESSED, text_of(now))
        record.reason, record.detail = reason, WHY_LEFT_OUT[reason]
        said.append(record)
    if ledger.write(stage, said, _SECONDS):
        raise TransientError("the ledger was not written")
