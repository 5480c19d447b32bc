"""The ledger: what became of every event, read and written."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from botocore.exceptions import ClientError

from chalicelib import aws
from chalicelib.errors import TransientError
from chalicelib.stage import Stage
from chalicelib.store import table
from chalicelib.store.record import (
    KEEP_SECONDS,
    EventKey,
    Record,
    expires_text,
    from_item,
    to_item,
)

# Why a record was not written, where that is for good: somebody else wrote it meanwhile.
TAKEN: Final = "taken"


def read(stage: Stage, keys: Iterable[EventKey], seconds: float) -> dict[EventKey, Record]:
    """What is known of these events; an event without an entry is not known.

    Raises
    ------
    TransientError : not all could be read within `seconds`.
    """
    return records(table.read(stage, {table.LEDGER: keys_of(keys)}, seconds)[table.LEDGER])


def keys_of(keys: Iterable[EventKey]) -> list[table.Item]:
    """DynamoDB's keys of events, each once."""
    return [{"id": {"S": i}, "source": {"S": s}} for i, s in dict.fromkeys(keys)]


def records(items: Iterable[table.Item]) -> dict[EventKey, Record]:
    return {record.key: record for record in map(from_item, items)}


def write(stage: Stage, records: Sequence[Record], seconds: float) -> list[Record]:
    """Write these records whole; returns those that could not be written within `seconds`.

    One that has a `turn` is written only if nobody else has taken it meanwhile.
    """
    give_up = time.monotonic() + seconds
    free = [record for record in records if not record.turn]
    held = [record for record in records if record.turn]
    left = _write_free(stage, free, give_up)
    missed = _write_held(stage, held, give_up)
    return left + [record for record in held if record.key in missed]


def announce(stage: Stage, records: Sequence[Record], seconds: float) -> dict[EventKey, str]:
    """Take the turn of these records, and write them; gives those that were not written, and why.

    `TAKEN` is said where somebody else took it since they were read: two workers that hold the same
    message both read it, and one of them may publish. Any other word leaves open whether the record
    was written.
    """
    turn = uuid.uuid4().hex
    for record in records:
        record.turn_before, record.turn = record.turn, turn
    return _write_held(stage, records, time.monotonic() + seconds)


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
        return [from_item(item) for item in answer["Items"] if "status" in item]
    except aws.FAILURES as error:
        raise TransientError(f"the ledger cannot be read ({aws.code_of(error)})") from None


def _write_free(stage: Stage, records: Sequence[Record], give_up: float) -> list[Record]:
    """What could not be written of records that nobody else can have changed."""
    expires = expires_text()
    items = [to_item(record, _kept(record, expires)) for record in records]
    left = table.write(stage, table.LEDGER, items, give_up - time.monotonic())
    unwritten = {(item["id"]["S"], item["source"]["S"]) for item in left}
    return [record for record in records if record.key in unwritten]


def _kept(record: Record, expires: str) -> str:
    """Until when a record is kept: as long as what waits for its digest, if that is longer."""
    if not record.digests:
        return expires
    last = datetime.fromisoformat(max(record.digests.values())).timestamp()
    return max(expires, str(int(last) + KEEP_SECONDS))


def _write_held(stage: Stage, records: Sequence[Record], give_up: float) -> dict[EventKey, str]:
    """Write each record unless somebody else has its turn; gives those not written, and why.

    A batch write knows no condition, so this is a transaction. It fails as a whole, and says of each
    item whether it was to blame.
    """
    pending = {record.key: record for record in records}
    missed: dict[EventKey, str] = {}
    expires = expires_text()
    why = ""

    def turn() -> bool:
        nonlocal why
        writes: list[Any] = [_held_put(stage, record, expires) for record in pending.values()]
        try:
            stage.dynamodb.transact_write_items(TransactItems=writes)
        except aws.FAILURES as error:
            why = aws.code_of(error)
            taken = _taken(error, list(pending))
            for key in taken:
                missed[key] = TAKEN
                del pending[key]
            return bool(taken)
        pending.clear()
        return True

    table.turns(lambda: bool(pending), turn, give_up)
    return missed | dict.fromkeys(pending, why)


def _held_put(stage: Stage, record: Record, expires: str) -> dict[str, Any]:
    # Its own turn counts as well: an answer that was lost leaves it written.
    mine = {":before": {"S": record.turn_before}, ":mine": {"S": record.turn}}
    put: dict[str, Any] = {
        "TableName": stage.table(table.LEDGER),
        "Item": to_item(record, _kept(record, expires)),
        "ConditionExpression": "attribute_not_exists(turn) OR turn IN (:before, :mine)",
        "ExpressionAttributeValues": mine,
    }
    return {"Put": put}


def _taken(error: Exception, keys: Sequence[EventKey]) -> list[EventKey]:
    """The keys whose condition did not hold."""
    if not isinstance(error, ClientError):
        return []
    reasons: Any = error.response.get("CancellationReasons") or ()
    return [
        key
        for key, reason in zip(keys, reasons, strict=False)
        if reason.get("Code") == "ConditionalCheckFailed"
    ]
