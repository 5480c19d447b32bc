"""The ledger: what became of every event. One DynamoDB item per event, no words and no person in it.

Attributes are few and flat (a timeline is one string of lines, the SNS ids one JSON object), because
botocore pays for every nested value of an item in CPU, twice per event.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import aws
from chalicelib.errors import TransientError
from chalicelib.stage import Stage
from chalicelib.store import table

# An event's last word is one of SETTLED; only `failed` can still change, by a redrive.
ACCEPTED: Final = "accepted"
PUBLISHING: Final = "publishing"  # written before SNS is asked, for types with on_unknown = skip
RETRYING: Final = "retrying"
PUBLISHED: Final = "published"
SUPPRESSED: Final = "suppressed"
EXPIRED: Final = "expired"
UNKNOWN: Final = "unknown"  # SNS may or may not have taken it, and the type says skip
TEST: Final = "test"
FAILED: Final = "failed"
SETTLED: Final = frozenset((PUBLISHED, SUPPRESSED, EXPIRED, UNKNOWN, TEST))
# Every status there is, as GET /openapi.json lists them.
STATUSES: Final = (
    ACCEPTED,
    PUBLISHING,
    RETRYING,
    PUBLISHED,
    SUPPRESSED,
    EXPIRED,
    UNKNOWN,
    TEST,
    FAILED,
)

KEEP_SECONDS: Final = 30 * 24 * 3600
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
WRITE_ITEMS: Final = 25
Key = tuple[str, str]  # (id, source)
# One for all: `json.dumps` with options makes a new encoder for every item.
_ENCODER: Final = json.JSONEncoder(separators=(",", ":"))


@dataclass(slots=True)
class Record:
    """What is known of one event.

    `sent` maps `destination/locale` to SNS's message id; `template` is the version that was rendered;
    `fields` is the fingerprint of its content, `sender` the name of the key that sent it.
    """

    id: str
    source: str
    status: str = ""
    type: str = ""
    lane: str = ""
    timeline: list[str] = field(default_factory=list)
    rules: tuple[str, ...] = ()
    sent: dict[str, str] = field(default_factory=dict)
    template: str = ""
    reason: str = ""
    detail: str = ""
    attempts: int = 0
    fields: str = ""
    test: bool = False
    sender: str = ""

    @property
    def key(self) -> Key:
        return (self.id, self.source)

    def enter(self, status: str, at: str) -> None:
        """Take a status; `at` is an ISO timestamp."""
        self.status = status
        self.timeline.append(f"{at} {status}")


def now_text() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_item(record: Record, expires: str) -> dict[str, Any]:
    """The DynamoDB item of a record; what is empty is left out."""
    item: dict[str, Any] = {
        "id": {"S": record.id},
        "source": {"S": record.source},
        "status": {"S": record.status},
        "type": {"S": record.type},
        "lane": {"S": record.lane},
        "timeline": {"S": "\n".join(record.timeline)},
        "expires": {"N": expires},
    }
    if record.rules:
        item["rules"] = {"S": " ".join(record.rules)}
    if record.sent:
        item["sent"] = {"S": _ENCODER.encode(record.sent)}
    if record.template:
        item["template"] = {"S": record.template}
    if record.reason:
        item["reason"] = {"S": record.reason}
    if record.detail:
        item["detail"] = {"S": record.detail}
    if record.attempts:
        item["attempts"] = {"N": str(record.attempts)}
    if record.fields:
        item["fields"] = {"S": record.fields}
    if record.test:
        item["test"] = {"BOOL": True}
    if record.sender:
        item["sender"] = {"S": record.sender}
    return item


def from_item(item: Mapping[str, Any]) -> Record:
    def text(name: str) -> str:
        value: str = item[name]["S"] if name in item else ""
        return value

    return Record(
        id=text("id"),
        source=text("source"),
        status=text("status"),
        type=text("type"),
        lane=text("lane"),
        timeline=text("timeline").splitlines(),
        rules=tuple(text("rules").split()),
        sent=json.loads(text("sent")) if "sent" in item else {},
        template=text("template"),
        reason=text("reason"),
        detail=text("detail"),
        attempts=int(item["attempts"]["N"]) if "attempts" in item else 0,
        fields=text("fields"),
        test=bool(item["test"]["BOOL"]) if "test" in item else False,
        sender=text("sender"),
    )


def expires_text() -> str:
    return str(int(time.time()) + KEEP_SECONDS)


def read(stage: Stage, keys: Iterable[Key], seconds: float) -> dict[Key, Record]:
    """What is known of these events; an event without an entry is not known.

    Raises
    ------
    TransientError : not all could be read within `seconds`.
    """
    wanted = [{"id": {"S": i}, "source": {"S": s}} for i, s in dict.fromkeys(keys)]
    found = map(from_item, table.read(stage, {table.LEDGER: wanted}, seconds)[table.LEDGER])
    return {record.key: record for record in found}


def write(stage: Stage, records: Sequence[Record], seconds: float) -> list[Record]:
    """Write these records whole; returns those that could not be written within `seconds`."""
    give_up = time.monotonic() + seconds
    ledger = stage.table(table.LEDGER)
    expires = expires_text()
    pending: list[Any] = [{"PutRequest": {"Item": to_item(r, expires)}} for r in records]
    pause, slowest = 0.05, 0.0
    while pending:
        begun = time.monotonic()
        chunk, rest = pending[:WRITE_ITEMS], pending[WRITE_ITEMS:]
        try:
            answer = stage.dynamodb.batch_write_item(RequestItems={ledger: chunk})
            unprocessed: Any = answer.get("UnprocessedItems")
            # Without that field it was not DynamoDB's answer, or not all of it.
            left = chunk if unprocessed is None else list(unprocessed.get(ledger, []))
        except (BotoCoreError, ClientError):
            left = chunk
        pending = left + rest
        if left:
            now = time.monotonic()
            slowest = max(slowest, now - begun)
            if now + pause + 1.5 * slowest > give_up:  # the client's own pauses are random
                break
            time.sleep(pause)
            pause = min(pause * 2, 1.0)
    items = [request["PutRequest"]["Item"] for request in pending]
    unwritten = {(item["id"]["S"], item["source"]["S"]) for item in items}
    return [record for record in records if record.key in unwritten]


def find(stage: Stage, event_id: str) -> list[Record]:
    """Events with this id, one for each source that used it: fifty at the most.

    Raises
    ------
    TransientError : DynamoDB could not be read.
    """
    try:
        answer = stage.dynamodb.query(
            TableName=stage.table(table.LEDGER),
            KeyConditionExpression="id = :id",
            ExpressionAttributeValues={":id": {"S": event_id}},
            ConsistentRead=True,
            Limit=50,
        )
    except (BotoCoreError, ClientError) as error:
        raise TransientError(f"the ledger cannot be read ({aws.code_of(error)})") from None
    return [from_item(item) for item in answer["Items"] if "status" in item]
