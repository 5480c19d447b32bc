"""What a lane does to its queues: acknowledge, hand back, dead-letter; and a queue's words."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any, Final

from chalicelib import aws
from chalicelib.errors import TransientError
from chalicelib.events.event import is_id
from chalicelib.lanes.waves import BATCH_ENTRIES, MESSAGE_BYTES, waves
from chalicelib.regex import regex
from chalicelib.store.record import Record
from chalicelib.values import dataclass

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# Characters that SQS does not take, which JSON can carry as escapes:
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
REFUSED: Final = regex("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_GROUP: Final = regex(r"[A-Za-z0-9!\"#$%&'()*+,./:;<=>?@\[\\\]^_`{|}~-]{1,128}\Z")


@dataclass(frozen=True, slots=True)
class Received:
    """One record of an SQS Lambda event. `sent_at` is in seconds since 1970."""

    message_id: str
    receipt_handle: str
    body: str
    group: str
    receives: int
    attributes: dict[str, Any]
    sent_at: float = 0.0

    @classmethod
    def of(cls, record: dict[str, Any]) -> Received:
        system = record.get("attributes") or {}
        return cls(
            message_id=record["messageId"],
            receipt_handle=record.get("receiptHandle", ""),
            body=record["body"],
            group=system.get("MessageGroupId") or record["messageId"],
            receives=int(system.get("ApproximateReceiveCount", 1)),
            attributes=record.get("messageAttributes") or {},
            sent_at=int(system.get("SentTimestamp") or time.time() * 1000) / 1000,
        )

    def carried(self, name: str) -> str:
        """A message attribute's string value, or nothing."""
        attribute = self.attributes.get(name) or {}
        return str(attribute.get("stringValue") or "")

    def identity(self, lane: str) -> tuple[str, str]:
        """See `identity`."""
        carried = self.carried("event_id"), self.carried("event_source")
        return identity(*carried, self.message_id, lane)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that its lane gives up on, and why. `carried` are attributes of its own that it keeps."""

    message: Received
    reason: str
    detail: str
    event_id: str
    source: str
    type: str
    carried: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def about(cls, message: Received, record: Record) -> DeadLetter:
        """A letter that says what the ledger says."""
        facts = (record.reason, record.detail, record.id, record.source, record.type)
        return cls(message, *facts)


def identity(event_id: str, source: str, message_id: str, lane: str) -> tuple[str, str]:
    """Id and source of a message that names none itself: those that it carries, or else its own.

    Anybody who may write to the queue decides what it carries, and one key that the ledger refuses
    would take the whole batch with it.
    """
    return (
        event_id if is_id(event_id) else message_id,
        source if is_id(source) else f"queue:{lane}",
    )


def attribute(text: str) -> dict[str, str]:
    """A message attribute with this text; what SQS would refuse the whole message for is a `?` in it."""
    return {"DataType": "String", "StringValue": REFUSED.sub("?", text)}


def group_id(ordering_key: str) -> str:
    """An ordering key as SQS takes it: itself, or a hash of it where it is too long or too odd."""
    if _GROUP.match(ordering_key):
        return ordering_key
    return hashlib.sha256(ordering_key.encode()).hexdigest()


def deduplication_id(event_id: str, source: str) -> str:
    return hashlib.sha256(f"{source}\n{event_id}".encode()).hexdigest()


def delete(sqs: SQSClient, queue_url: str, messages: Sequence[Received]) -> None:
    """Acknowledge these messages.

    Raises
    ------
    TransientError : some could not be deleted; they will be redelivered, and the ledger knows them.
    """
    entries: Any = [
        {"Id": str(n), "ReceiptHandle": m.receipt_handle} for n, m in enumerate(messages)
    ]
    for start in range(0, len(entries), BATCH_ENTRIES):
        chunk = entries[start : start + BATCH_ENTRIES]
        try:
            answer = sqs.delete_message_batch(QueueUrl=queue_url, Entries=chunk)
            deleted = aws.taken(answer, len(entries))
        except aws.FAILURES as error:
            raise TransientError(f"SQS did not answer ({aws.code_of(error)})") from None
        if len(deleted) < len(chunk):
            raise TransientError("SQS took only a part of the batch")


def hand_back(sqs: SQSClient, queue_url: str, messages: Sequence[tuple[Received, int]]) -> None:
    """Make messages visible again after so many seconds.

    Best effort: where it fails, they come back after the queue's own visibility timeout.
    """
    entries: Any = [
        {"Id": str(n), "ReceiptHandle": m.receipt_handle, "VisibilityTimeout": seconds}
        for n, (m, seconds) in enumerate(messages)
    ]
    for start in range(0, len(entries), BATCH_ENTRIES):
        chunk = entries[start : start + BATCH_ENTRIES]
        try:
            sqs.change_message_visibility_batch(QueueUrl=queue_url, Entries=chunk)
        except aws.FAILURES:
            return


def dead_letter(sqs: SQSClient, queue_url: str, letters: Sequence[DeadLetter]) -> set[str]:
    """Put messages into the dead-letter queue as they came, with the reason as attributes.

    Returns the message ids that are safely there. What follows one of its own key that SQS did not
    take is not sent. SQS drops a second copy within five minutes, because the deduplication id is the
    message's own.
    """
    safe: set[str] = set()
    stuck: set[str] = set()
    entries = [_dead_entry(number, letter) for number, letter in enumerate(letters)]
    for wave in waves(entries, lambda entry: str(entry["MessageGroupId"]), entry_bytes):
        going: Any = [entry for entry in wave if entry["MessageGroupId"] not in stuck]
        if not going:
            continue
        try:
            answer: Any = sqs.send_message_batch(QueueUrl=queue_url, Entries=going)
            taken = aws.taken(answer, len(letters))
        except aws.FAILURES:
            taken = set()
        safe |= {letters[number].message.message_id for number in taken}
        stuck |= {entry["MessageGroupId"] for entry in going if int(entry["Id"]) not in taken}
    return safe


def put(sqs: SQSClient, queue_url: str, body: str, attributes: Mapping[str, str]) -> bool:
    """Put one message into a standard queue, with attributes that are texts; says whether it is there."""
    about: Any = {n: {"DataType": "String", "StringValue": v} for n, v in attributes.items() if v}
    try:
        sqs.send_message(QueueUrl=queue_url, MessageBody=body, MessageAttributes=about)
    except aws.FAILURES:
        return False
    return True


def entry_bytes(entry: Mapping[str, Any]) -> int:
    """What SQS counts of a message to send: its body, and names, types and values of attributes."""
    total = len(entry["MessageBody"].encode())
    for name, attribute in entry.get("MessageAttributes", {}).items():
        value = attribute.get("StringValue", "").encode() or attribute.get("BinaryValue", b"")
        total += len(name.encode()) + len(attribute["DataType"].encode()) + len(value)
    return total


def _dead_entry(number: int, letter: DeadLetter) -> dict[str, Any]:
    attributes = {
        **letter.carried,
        "reason": letter.reason,
        "detail": letter.detail[:1000],
        "event_id": letter.event_id,
        "event_source": letter.source,
        "event_type": letter.type,
    }
    entry: dict[str, Any] = {
        "Id": str(number),
        "MessageBody": letter.message.body,
        "MessageGroupId": letter.message.group,
        "MessageDeduplicationId": letter.message.message_id,
        "MessageAttributes": {
            name: attribute(value) for name, value in attributes.items() if value
        },
    }
    if entry_bytes(entry) > MESSAGE_BYTES:
        del entry["MessageAttributes"]  # the ledger has the reason; SQS has no room for it
    return entry
