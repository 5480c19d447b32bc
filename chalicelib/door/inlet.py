"""A queue by which AWS itself tells something (`names.INLETS`), drained.

Nobody waits for an answer there. A message is deleted when what it said, or its dead letter, is safe, and
not before; what cannot be taken right now stays in the queue. Whatever ends the function in between, it
comes again, so what is done with it must bear that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from chalicelib import log
from chalicelib.errors import PermanentError
from chalicelib.lanes import queues
from chalicelib.lanes.dispatch import Redeliver
from chalicelib.lanes.queues import Received
from chalicelib.lanes.settle import wait_seconds
from chalicelib.names import Place
from chalicelib.stage import Stage

# Seconds in which the work of a round must have begun. With what the last calls take, dead letters and the
# end of the batch, it is less than the function has.
SECONDS: Final = 8.0
# What one more round may need, all services hanging.
_ROUND_MILLISECONDS: Final = 20_000
# Received more often than this, a message is handled alone and after all others: it may be what ends
# the function before it comes to delete anything.
_TRUSTED_RECEIVES: Final = 3

Take = Callable[[Stage, Sequence[Received]], Sequence[Received]]
"""Deals with messages, and gives those that have to wait."""


def drain(
    stage: Stage,
    inlet: str,
    records: Sequence[dict[str, Any]],
    remaining: Callable[[], int],
    take: Take,
) -> None:
    """Deal with the records of one SQS Lambda event; `remaining` says how many milliseconds are left.

    Raises
    ------
    Redeliver : some messages are kept for redelivery; all others are already deleted.
    TransientError : what is done could not be deleted; it comes again, and is known then.
    """
    stage = stage.at(Place.of_arn(records[0]["eventSourceARN"]))
    url = stage.queue_url(inlet)
    kept = 0
    for number, messages in enumerate(_rounds([Received.of(record) for record in records])):
        in_time = not number or remaining() >= _ROUND_MILLISECONDS
        left = take(stage, messages) if in_time else messages
        waiting = {message.message_id for message in left}
        done = [message for message in messages if message.message_id not in waiting]
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


def stumbled(error: Exception) -> PermanentError:
    """What is ours, brought to light by one message: it is told, and the other messages go on."""
    log.error("unexpected", **log.origin(error))
    return PermanentError("unexpected", f"Heraldo stumbled over it ({type(error).__name__})")


def bury(
    stage: Stage, inlet: str, message: Received, error: PermanentError, event: str = ""
) -> bool:
    """Put a message as it came into its inlet's dead-letter queue; says whether it is safe there."""
    about = {"reason": error.reason, "detail": text(str(error))[:1000]}
    safe = queues.put(stage.sqs, stage.dead_queue_url(inlet), message.body, about)
    return buried(safe, inlet, event or message.message_id, error)


def buried(safe: bool, lane: str, event: str, error: PermanentError) -> bool:
    """Tell of a dead letter in the log; gives whether it is `safe`."""
    if safe:
        log.warning("dead-lettered", lane=lane, event=event, reason=error.reason)
    else:
        log.error("the dead-letter queue refuses", lane=lane, letters=1)
    return safe


def text(value: object) -> str:
    """A text as SQS takes it in an attribute; nothing for what is no text."""
    return queues.REFUSED.sub("?", value) if isinstance(value, str) else ""
