"""Publish to SNS, ten entries a call, and say of each entry what became of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
)
from botocore.parsers import ResponseParserError

from chalicelib.words import limits

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

# Codes that say "not now" under an HTTP 4xx. Everything else that is the sender's fault stays wrong.
# https://docs.aws.amazon.com/sns/latest/api/CommonErrors.html
_NOT_NOW: Final = frozenset(
    (
        "Throttled",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "KMSThrottling",
        "ExpiredToken",
        "ExpiredTokenException",
        "RequestExpired",
        "RequestTimeout",
    )
)


@dataclass(frozen=True, slots=True)
class Publication:
    """One message to one topic. `structured`: the message is JSON with a text per protocol."""

    topic_arn: str
    subject: str | None
    message: str
    attributes: Mapping[str, str]
    structured: bool = True

    @property
    def size(self) -> int:
        """Bytes, as SNS counts them."""
        return limits.size(self.subject, self.message, self.attributes)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a publication: a `message_id`, or an `error` code.

    `retry`: trying again can mend the error. `unknown`: SNS may have taken it all the same.
    """

    message_id: str = ""
    error: str = ""
    retry: bool = False
    unknown: bool = False


NOT_TRIED: Final = Result(error="NotTried", retry=True)


def publish(
    sns: SNSClient, publications: Sequence[Publication], in_time: Callable[[], bool]
) -> list[Result]:
    """Publish each, in order per topic; never raises for what SNS or the network does.

    Large messages travel alone, so this may take ten calls: once `in_time` says that there is no
    time for another, what is left is `NOT_TRIED`.
    """
    results: list[Result | None] = [None] * len(publications)
    for number, positions in enumerate(_batches(publications)):
        if number and not in_time():
            break
        batch = [publications[p] for p in positions]
        for position, result in zip(positions, _publish_batch(sns, batch), strict=True):
            results[position] = result
    return [r or NOT_TRIED for r in results]


def _batches(publications: Sequence[Publication]) -> Iterator[list[int]]:
    """Positions to publish together: one topic, at most 10 entries and 256 KiB in total."""
    open_batches: dict[str, tuple[list[int], int]] = {}
    for position, publication in enumerate(publications):
        size = publication.size
        batch, total = open_batches.get(publication.topic_arn, ([], 0))
        if batch and (len(batch) == limits.BATCH_ENTRIES or total + size > limits.MESSAGE_BYTES):
            yield batch
            batch, total = [], 0
        batch.append(position)
        open_batches[publication.topic_arn] = (batch, total + size)
    for batch, _ in open_batches.values():
        yield batch


def _publish_batch(sns: SNSClient, batch: Sequence[Publication]) -> list[Result]:
    entries = [_entry(number, publication) for number, publication in enumerate(batch)]
    try:
        answer: Any = sns.publish_batch(
            TopicArn=batch[0].topic_arn, PublishBatchRequestEntries=entries
        )
    except (BotoCoreError, ClientError) as error:
        result = _result_of(error)
        if len(batch) > 1 and not result.retry:
            # SNS refused the call as a whole and so sent none of it: one entry may be to blame.
            return [_publish_batch(sns, [publication])[0] for publication in batch]
        return [result] * len(batch)
    except ResponseParserError:  # no XML: something on the way answered, or cut the answer short
        return [Result(error="BadAnswer", retry=True, unknown=True)] * len(batch)
    # An entry that the answer does not speak of may or may not have gone out.
    results = [Result(error="NoAnswer", retry=True, unknown=True)] * len(batch)
    for done in answer.get("Successful", ()):
        results[int(done["Id"])] = Result(message_id=done["MessageId"])
    for failed in answer.get("Failed", ()):
        code = failed.get("Code", "Unknown")
        retry = not failed.get("SenderFault", False) or code in _NOT_NOW
        results[int(failed["Id"])] = Result(error=code, retry=retry)
    return results


def _entry(number: int, publication: Publication) -> Any:
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


def _result_of(error: BotoCoreError | ClientError) -> Result:
    """What a failed call means for every entry in it."""
    if isinstance(error, ClientError):
        code = str(error.response.get("Error", {}).get("Code", "ClientError"))
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500))
        if status >= 500:
            return Result(error=code, retry=True, unknown=True)
        return Result(error=code, retry=code in _NOT_NOW or status == 429)
    # These never reached SNS; any other break in the line may have come after it said yes.
    unsent = isinstance(error, (EndpointConnectionError, ConnectTimeoutError, NoCredentialsError))
    return Result(error=type(error).__name__, retry=True, unknown=not unsent)
