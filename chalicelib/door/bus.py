"""EventBridge as a door: what its rules put into the bus's queue is taken like what comes over HTTP.

Nobody waits for an answer here, so an event that cannot be accepted goes to a dead-letter queue with
its reason, where `./heraldo dead-letters` shows it; and one that cannot be accepted *now* stays in the
queue (`door.inlet`). What comes twice is known by its id.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from chalicelib.door import inlet, intake
from chalicelib.door.envelope import Opened, opened
from chalicelib.door.intake import Accepted, Checked
from chalicelib.errors import PermanentError, TransientError
from chalicelib.events.event import MAX_ID, MAX_SOURCE, ORDERED_BY
from chalicelib.lanes import queues
from chalicelib.lanes.queues import DeadLetter, Received
from chalicelib.names import BUS
from chalicelib.patience import Patience
from chalicelib.rules.reading import routing
from chalicelib.stage import Stage
from chalicelib.values import dataclass


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
    inlet.drain(stage, BUS, records, remaining, _take)


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
        except Exception as error:
            letters.append(_Letter(message, event, inlet.stumbled(error)))
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
    patience = Patience(inlet.SECONDS)
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
        name = event.id if event else ""
        return inlet.bury(stage, BUS, letter.message, letter.error, name)
    body = json.dumps(event.raw, ensure_ascii=False, separators=(",", ":"))
    # Its ordering key, as far as it can be read: a redrive keeps what the event asked for.
    keys = (inlet.text(event.raw.get(name)) for name in ORDERED_BY)
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
        inlet.text(str(letter.error)),
        inlet.text(event.raw["id"])[:MAX_ID],
        inlet.text(event.raw["source"])[:MAX_SOURCE],
        inlet.text(event.raw.get("type"))[:MAX_ID],
    )
    safe = bool(queues.dead_letter(stage.sqs, stage.dead_queue_url(lane), [dead]))
    return inlet.buried(safe, lane, event.id, letter.error)


def _lane(stage: Stage, event: Opened | None) -> str | None:
    """The lane that an event is for; None where that cannot be told, or it is another stage's."""
    if event is None or event.problem is not None:
        return None
    try:
        return routing(stage.name).lane(inlet.text(event.raw.get("type")))
    except PermanentError:
        return None
