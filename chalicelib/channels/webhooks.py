"""Events for servers outside of AWS: put into a queue, ten to a call, from which a function of its own posts them.

So a server that is slow or gone keeps no lane waiting. What counts as published is that it is in that queue;
what becomes of it there are its receipts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from chalicelib import aws, names
from chalicelib.channels.answers import of_failure
from chalicelib.channels.publication import (
    LATER,
    NOT_TRIED,
    POST_EVENT,
    POST_GROUP,
    POST_ID,
    REFUSED,
    Publication,
    Result,
)
from chalicelib.stage import Stage

WEBHOOK: Final = "webhook"
"""The message's attribute that says to which webhook it goes; `POST_ID` and `POST_EVENT` are others."""
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
BATCH_ENTRIES: Final = 10
BATCH_BYTES: Final = 1024 * 1024
# More than the attributes of an entry take.
_ENTRY_BYTES: Final = 1024


def send(
    stage: Stage, publications: Sequence[Publication], *, in_time: Callable[[], bool], once: bool
) -> list[Result]:
    """Put each into the queue; see `registry.Channel`.

    Nothing is ever in doubt: what is put there twice is one for SQS within five minutes, and after that one for
    its receiver, who knows it by its id.
    """
    del once
    results = [NOT_TRIED] * len(publications)
    for number, positions in enumerate(_batches(publications)):
        if number and not in_time():
            break
        batch = [publications[position] for position in positions]
        for position, result in zip(positions, _put(stage, batch), strict=True):
            results[position] = replace(result, unknown=False)
    return results


def entry(number: int, publication: Publication) -> dict[str, Any]:
    """A publication as SQS takes it in a batch: its body is what is posted, to the byte."""
    about = {
        WEBHOOK: publication.to,
        POST_ID: publication.attributes[POST_ID],
        POST_EVENT: publication.attributes[POST_EVENT],
    }
    return {
        "Id": str(number),
        "MessageBody": publication.message,
        "MessageGroupId": publication.attributes[POST_GROUP],
        "MessageDeduplicationId": publication.attributes[POST_ID],
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value} for name, value in about.items()
        },
    }


def _batches(publications: Sequence[Publication]) -> Iterator[list[int]]:
    """Positions to put in one call. No two are of one group: a wave has one event of each ordering key."""
    batch: list[int] = []
    total = 0
    for position, publication in enumerate(publications):
        size = publication.size + _ENTRY_BYTES
        if batch and (len(batch) == BATCH_ENTRIES or total + size > BATCH_BYTES):
            yield batch
            batch, total = [], 0
        batch.append(position)
        total += size
    if batch:
        yield batch


def _put(stage: Stage, batch: Sequence[Publication]) -> list[Result]:
    entries: Any = [entry(number, publication) for number, publication in enumerate(batch)]
    try:
        url = stage.queue_url(names.WEBHOOKS)
        answer = stage.sqs.send_message_batch(QueueUrl=url, Entries=entries)
        taken, refused = aws.taken(answer, len(batch)), aws.refused(answer, len(batch))
    except aws.FAILURES as error:
        result = of_failure(error)
        if len(batch) > 1 and result.fault == REFUSED:
            # SQS refused the call as a whole and so took none of it: one entry may be to blame.
            return [_put(stage, [one])[0] for one in batch]
        return [result] * len(batch)
    # What its receiver knows it by says more in the ledger than what SQS calls it.
    return [
        Result(message_id=publication.attributes[POST_ID])
        if number in taken
        else Result(error=refused.get(number, "NoAnswer"), fault=LATER)
        for number, publication in enumerate(batch)
    ]
