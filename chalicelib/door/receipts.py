"""SES as a door: what it says afterwards of the mails that it took is kept, and stops addresses.

What is no receipt of one of this stage's mails goes to a dead-letter queue with its reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from chalicelib.door import inlet, notification
from chalicelib.errors import PermanentError
from chalicelib.lanes.queues import Received
from chalicelib.names import RECEIPTS
from chalicelib.patience import Patience
from chalicelib.stage import Stage
from chalicelib.store import receipts
from chalicelib.store.receipts import Receipt


def drain(stage: Stage, records: Sequence[dict[str, Any]], remaining: Callable[[], int]) -> None:
    """Deal with the records of one SQS Lambda event; `remaining` says how many milliseconds are left.

    Raises
    ------
    Redeliver : some messages are kept for redelivery; all others are already deleted.
    TransientError : what is done could not be deleted; it comes again, and is known then.
    """
    inlet.drain(stage, RECEIPTS, records, remaining, _take)


def _take(stage: Stage, messages: Sequence[Received]) -> list[Received]:
    """Keep what these say, and dead-letter what says nothing; gives those that have to wait."""
    found: list[tuple[Received, Receipt]] = []
    waiting: list[Received] = []
    for message in messages:
        try:
            receipt = notification.read(message.body, stage.name)
        except Exception as error:
            why = error if isinstance(error, PermanentError) else inlet.stumbled(error)
            if not inlet.bury(stage, RECEIPTS, message, why):
                waiting.append(message)
        else:
            if receipt is not None:
                found.append((message, receipt))
    unkept = receipts.keep(stage, [receipt for _, receipt in found], Patience(inlet.SECONDS))
    return waiting + [message for message, receipt in found if receipt.key in unkept]
