"""EventBridge as a door: what its rules put into the bus's queue is taken like what comes over HTTP.

Nobody waits for an answer here, so an event that cannot be accepted goes to a dead-letter queue with
its reason, where `./heraldo dead-letters` shows it; and one that cannot be accepted *now* stays in the
queue. A message is deleted when its event, or its dead letter, is safe, and not before: whatever ends
the function in between, it comes again, and its id makes that harmless.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from chalicelib import log
from chalicelib.door import intake
from chalicelib.door.envelope import Opened, opened
from chalicelib.door.intake import Accepted, Checked
from chalicelib.errors import PermanentError, TransientError
from chalicelib.events.event import MAX_ID, MAX_SOURCE, ORDERED_BY
from chalicelib.lanes import queues
from chalicelib.lanes.dispatch import Redeliver
from chalicelib.lanes.queues import DeadLetter, Received
from chalicelib.lanes.settle import wait_seconds
from chalicelib.names import BUS, Place
from chalicelib.patience import Patience
from chalicelib.rules.reading import routing
from chalicelib.stage import Stage

# Seconds in which events must begin to be taken. With what the last calls take, their dead letters and
# the end of the batch, it is less than the function has.
_SECONDS: Final = 8.0
# What one more round may need, all services hanging.
_ROUND_MILLISECONDS: Final = 20_000
# Received more often than this, a message is handled alone and after all others: it may be what ends
# the function before it comes to delete anything.
_TRUSTED_RECEIVES: Final = 3


@dataclass(frozen=True, slots=True)
class _Letter:
    """A message on the way to a dead-letter queue. `event` is None where it holds none."""

    message: Received
    event: Opened | None
    error: PermanentError


def drain(stage: Stage, records: Sequence[dict[str, Any]], remaining: Callable[[], int]) -> None:
    """Deal with the records of one SQS Lambda event; `remaining` says how many milliseconds are left.

    Raises
    ------
    Redeliver : some messages are kept for redelivery; all others are already deleted.
    TransientError : what is done could not be deleted; it comes again, and is known then.
    """
    stage = stage.at(Place.of_arn(records[0]["eventSourceARN"]))
    kept = 0
    for number, messages in enumerate(_rounds([Received.of(record) for record in records])):
        in_time = not number or remaining() >= _ROUND_MILLISECONDS
        left = _take(stage, messages) if in_time else messages
        waiting = {message.message_id for message in left}
        done = [message for message in messages if message.message_id not in waiting]
        url = stage.queue_url(BUS)
        if done:
            queues.delete(stage.sqs, url, done)
        if left:
            back = [(message, wait_seconds(message.receives)) for message in left]
            queues.hand_back(stage.sqs, url, back)
        kept += len(left)
    if kept:
        raise Redeliver(f"{kept} of {len(records)} messages are kept for redelivery")


def _rounds(messages: Sequence[Received]) -> Iterator[Sequence[Received]]:
    """All that is fresh at once, then what comes again and again, one by one."""
    fresh = [message for message in messages if message.receives <= _TRUSTED_RECEIVES]
    if fresh:
        yield fresh
    for message in messages:
        if message.receives > _TRUSTED_RECEIVES:
            yield [message]


def _take(stage: Stage, messages: Sequence[Received]) -> list[Received]:
    """Take what these hold, and dead-letter what cannot be; gives those that have to wait."""
    rules = routing(stage.name)
    checked: list[tuple[Received, Opened, Checked]] = []
    letters: list[_Letter] = []
    for message in messages:
        event: Opened | None = None
        try:
            event = opened(message.body, stage.name)
            if event.problem is not None:
                raise event.problem
            found = intake.check(
                event.raw, rules, default_source=event.sender, default_time=event.time
            )
        except PermanentError as error:
            letters.append(_Letter(message, event, error))
        except Exception as error:  # ours, brought to light by this one: the others go on
            log.error("unexpected", **log.origin(error))
            why = f"Heraldo stumbled over it ({type(error).__name__})"
            letters.append(_Letter(message, event, PermanentError("unexpected", why)))
        else:
            checked.append((message, event, found))
    waiting: list[Received] = []
    for (message, event, _), result in zip(checked, _accept(stage, checked), strict=True):
        if isinstance(result, TransientError):
            waiting.append(message)
        elif not isinstance(result, Accepted):
            letters.append(_Letter(message, event, result))
    return waiting + [letter.message for letter in letters if not _bury(stage, letter)]


def _accept(
    stage: Stage, checked: Sequence[tuple[Received, Opened, Checked]]
) -> list[Accepted | intake.Conflict | TransientError]:
    """One result per event, in order; the ledger keeps who put it on the bus."""
    patience = Patience(_SECONDS)
    results: dict[str, Accepted | intake.Conflict | TransientError] = {}
    for sender in dict.fromkeys(event.sender for _, event, _ in checked):
        theirs = [(message, found) for message, event, found in checked if event.sender == sender]
        taken = intake.accept(stage, [found for _, found in theirs], sender, patience)
        results |= {m.message_id: r for (m, _), r in zip(theirs, taken, strict=True)}
    return [results[message.message_id] for message, _, _ in checked]


def _bury(stage: Stage, letter: _Letter) -> bool:
    """Put a message into the dead-letter queue of the lane that its event is for, as that event; or, as
    it came, into the bus's own. Says whether it is safe there."""
    event = letter.event
    lane = _lane(stage, event)
    if event is None or lane is None:
        lane, safe = BUS, _bury_unread(stage, letter)
    else:
        body = json.dumps(event.raw, ensure_ascii=False, separators=(",", ":"))
        # Its ordering key, as far as it can be read: a redrive keeps what the event asked for.
        keys = (_text(event.raw.get(name)) for name in ORDERED_BY)
        message = Received(
            message_id=letter.message.message_id,
            receipt_handle="",
            body=queues.REFUSED.sub(lambda found: f"\\u{ord(found[0]):04x}", body),
            group=queues.group_id(next(filter(None, keys), event.id)),
            receives=1,
            attributes={},
        )
        dead = DeadLetter(
            message,
            letter.error.reason,
            _text(str(letter.error)),
            _text(event.raw["id"])[:MAX_ID],
            _text(event.raw["source"])[:MAX_SOURCE],
            _text(event.raw.get("type"))[:MAX_ID],
        )
        safe = bool(queues.dead_letter(stage.sqs, stage.dead_queue_url(lane), [dead]))
    event_id = event.id if event else letter.message.message_id
    if safe:
        log.warning("dead-lettered", lane=lane, event=event_id, reason=letter.error.reason)
    else:
        log.error("the dead-letter queue refuses", lane=lane, letters=1)
    return safe


def _lane(stage: Stage, event: Opened | None) -> str | None:
    """The lane that an event is for; None where that cannot be told, or it is another stage's."""
    if event is None or event.problem is not None:
        return None
    try:
        return routing(stage.name).lane(_text(event.raw.get("type")))
    except PermanentError:
        return None


def _bury_unread(stage: Stage, letter: _Letter) -> bool:
    about = {"reason": letter.error.reason, "detail": _text(str(letter.error))[:1000]}
    return queues.put(stage.sqs, stage.dead_queue_url(BUS), letter.message.body, about)


def _text(value: object) -> str:
    """A text as SQS takes it in an attribute; nothing for what is no text."""
    return queues.REFUSED.sub("?", value) if isinstance(value, str) else ""
