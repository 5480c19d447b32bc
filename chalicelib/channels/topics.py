"""Publications to SNS topics: ten entries a call, and of each entry what became of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from chalicelib import aws
from chalicelib.channels.answers import LATER_CODES, of_failure
from chalicelib.channels.publication import LATER, NOT_TRIED, PERSON, REFUSED, Publication, Result
from chalicelib.stage import Stage
from chalicelib.words import limits

# Of a single entry what is not known is taken for its own fault; but these are never one entry's.
_NEVER_AN_ENTRYS: Final = ("AuthorizationError", "NotFound", "InvalidSecurity", "KMS")


def send(
    stage: Stage, publications: Sequence[Publication], *, in_time: Callable[[], bool], once: bool
) -> list[Result]:
    """Publish each; see `registry.Channel`. Large messages travel alone, so ten may take ten calls."""
    results = [NOT_TRIED] * len(publications)
    for number, positions in enumerate(_batches(publications)):
        if number and not in_time():
            break
        batch = [publications[position] for position in positions]
        for position, result in zip(positions, _publish(stage.sns, batch, once), strict=True):
            results[position] = result
    return results


def _batches(publications: Sequence[Publication]) -> Iterator[list[int]]:
    """Positions to publish together: one topic, at most 10 entries and 256 KiB in total."""
    open_batches: dict[str, tuple[list[int], int]] = {}
    for position, publication in enumerate(publications):
        size = publication.size
        batch, total = open_batches.get(publication.to, ([], 0))
        if batch and (len(batch) == limits.BATCH_ENTRIES or total + size > limits.MESSAGE_BYTES):
            yield batch
            batch, total = [], 0
        batch.append(position)
        open_batches[publication.to] = (batch, total + size)
    for batch, _ in open_batches.values():
        yield batch


def _publish(sns: Any, batch: Sequence[Publication], once: bool) -> list[Result]:
    entries = [_entry(number, publication) for number, publication in enumerate(batch)]
    if once:
        # A connection that SNS closed while the worker stood still breaks when it is used, and
        # nothing tells that from an answer that was lost. A new one has no such past.
        sns.close()
    try:
        answer = sns.publish_batch(TopicArn=batch[0].to, PublishBatchRequestEntries=entries)
    except aws.FAILURES as error:
        result = of_failure(error)
        if len(batch) > 1 and result.fault == REFUSED:
            # SNS refused the call as a whole and so sent none of it: one entry may be to blame.
            return [_publish(sns, [publication], once)[0] for publication in batch]
        return [result] * len(batch)
    return _read(answer, len(batch))


def _read(answer: Mapping[str, Any], count: int) -> list[Result]:
    """What an answer says of each entry. One that it does not speak of may or may not have gone out."""
    results = [Result(error="NoAnswer", fault=LATER, unknown=True)] * count
    for done in answer.get("Successful") or ():
        position = aws.position_of(done, count)
        if position is not None and done.get("MessageId"):
            results[position] = Result(message_id=str(done["MessageId"]))
    for failed in answer.get("Failed") or ():
        position = aws.position_of(failed, count)
        if position is not None:
            results[position] = _of_entry(failed)
    return results


def _of_entry(failed: Mapping[str, Any]) -> Result:
    code = str(failed.get("Code") or "Unknown")
    name = code.removesuffix("Exception")
    if name in LATER_CODES or not failed.get("SenderFault", False):
        return Result(error=code, fault=LATER)
    return Result(error=code, fault=PERSON if name.startswith(_NEVER_AN_ENTRYS) else REFUSED)


def _entry(number: int, publication: Publication) -> dict[str, Any]:
    entry: dict[str, Any] = {"Id": str(number), "Message": publication.message}
    if publication.subject is not None:
        entry["Subject"] = publication.subject
    if publication.structured:
        entry["MessageStructure"] = "json"
    if publication.attributes:
        entry["MessageAttributes"] = {
            name: {"DataType": "String", "StringValue": value}
            for name, value in publication.attributes.items()
        }
    return entry
