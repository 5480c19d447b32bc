"""What became of events, told on EventBridge's bus: each as a CloudEvent with no person in it.

The source is the ledger's stream, and so what is written there, by whomever: nobody has to think of telling,
a lane makes no call for it, and nothing that happens here delays or fails what is sent. Lambda hands records
over in the order of each event and at least once, and keeps what could not be told for a day. The id of a
CloudEvent follows from what it tells: whoever hears one twice can drop the second.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from chalicelib import aws, log, names
from chalicelib.errors import HeraldoError
from chalicelib.plan.compose import event_tag
from chalicelib.stage import Stage
from chalicelib.store import statuses, table
from chalicelib.store.record import from_item

TOLD: Final = (
    *(statuses.PUBLISHED, statuses.SUPPRESSED, statuses.FAILED),
    *(statuses.EXPIRED, statuses.UNKNOWN, statuses.CANCELLED, statuses.GATHERED),
)
"""The statuses of an event that are outcomes."""
TOLD_RECEIPTS: Final = (
    *(statuses.DELIVERED, statuses.REJECTED),
    *(statuses.BOUNCED, statuses.COMPLAINED),
)
"""And those of a mail, or a post."""

# https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html,
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html#eb-putevent-size
BATCH_ENTRIES: Final = 10
BATCH_BYTES: Final = 256 * 1024
_TIME_BYTES: Final = 14
# What is wrong with the entry itself, and would be for ever; all else passes, or a person mends it.
_REFUSED: Final = frozenset(("MalformedDetail", "InvalidArgument"))
# What the last call may take, and the end of the function.
_SPARE_SECONDS: Final = 12.0

CloudEvent = dict[str, Any]


class Untold(HeraldoError):
    """Raised to Lambda, which hands the same records over again."""


def filters() -> list[str]:
    """Which records of the stream are outcomes, as Lambda's filters: for all others it calls nobody.

    https://docs.aws.amazon.com/lambda/latest/dg/with-ddb-filtering.html
    """
    patterns: list[dict[str, Any]] = [
        {"status": {"S": list(TOLD)}},
        {"kind": {"S": list(TOLD_RECEIPTS)}},
    ]
    return [json.dumps({"dynamodb": {"NewImage": pattern}}) for pattern in patterns]


def drain(stage: Stage, records: Sequence[Mapping[str, Any]], remaining: Callable[[], int]) -> None:
    """Tell what the records of one DynamoDB Lambda event say; `remaining` says how many milliseconds are left.

    Raises
    ------
    Untold : the bus did not take all; those that it took are told again together with the rest.
    """
    events: list[CloudEvent] = []
    for record in records:
        try:
            found = outcome(stage.name, record.get("dynamodb") or {})
        except Exception as error:  # one that cannot be read must not keep the others for a day
            log.error("unexpected", **log.origin(error))
        else:
            events += [found] if found is not None else []
    left = put(stage, events, remaining() / 1000 - _SPARE_SECONDS)
    if left:
        raise Untold(f"the bus did not take {left} of {len(events)} outcomes")


def outcome(stage: str, change: Mapping[str, Any]) -> CloudEvent | None:
    """The CloudEvent of a change in the ledger; None for one that is no outcome, or no change of it.

    `change` is the `dynamodb` of a stream's record, with the item as it is and as it was.
    """
    new, old = change.get("NewImage") or {}, change.get("OldImage") or {}
    if new.get("type", {}).get("S") == names.VERIFY_TYPE:
        return None  # a test of Heraldo itself, which nobody is to act upon
    if new.get("status", {}).get("S") in TOLD:
        return _of_event(stage, new) if new["timeline"] != old.get("timeline") else None
    if new.get("kind", {}).get("S") in TOLD_RECEIPTS:
        return _of_receipt(stage, new) if not old else None
    return None


def _of_event(stage: str, item: Mapping[str, Any]) -> CloudEvent:
    record = from_item(item)
    timeline = [line.split(" ", 1) for line in record.timeline]
    at = timeline[-1][0]
    data: dict[str, Any] = {
        "id": record.id,
        "source": record.source,
        "tag": event_tag(record.id, record.source),
        "type": record.type or None,
        "lane": record.lane,
        "status": record.status,
        "timeline": [{"at": at, "status": status} for at, status in timeline],
        "rules": list(record.rules),
        "messages": record.sent,
    }
    if record.withheld:
        data["withheld"] = record.withheld
    if record.digests:
        data["digests"] = record.digests
    if record.unknown:
        data["unknown"] = list(record.unknown)
    if record.reason:
        data["reason"] = record.reason
    if record.test:
        data["test"] = True
    identity = (record.id, record.source, record.status, at)
    return _cloud_event(stage, f"event.{record.status}", identity, record.id, at, data)


def _of_receipt(stage: str, item: Mapping[str, Any]) -> CloudEvent:
    partition, place = item["id"]["S"], item["source"]["S"]
    destination, message_id, *_ = place.split("/")
    kind, at = item["kind"]["S"], item["at"]["S"]
    data = {
        "tag": partition.partition("\n")[2],
        "destination": destination,
        "message_id": message_id,
        "status": kind,
    }
    if "detail" in item:
        data["reason"] = item["detail"]["S"]
    what = "webhook" if destination.startswith("webhook_") else "mail"
    return _cloud_event(stage, f"{what}.{kind}", (partition, place), message_id, at, data)


def _cloud_event(
    stage: str,
    what: str,
    identity: Sequence[str],
    subject: str,
    at: str,
    data: Mapping[str, Any],
) -> CloudEvent:
    return {
        "specversion": "1.0",
        "id": hashlib.sha256("\n".join(identity).encode()).hexdigest()[:32],
        "source": names.outcome_source(stage),
        "type": f"heraldo.{what}",
        "subject": subject,
        "time": at,
        "datacontenttype": "application/json",
        "data": data,
    }


def put(stage: Stage, events: Sequence[CloudEvent], seconds: float) -> int:
    """Put events on the account's default bus, ten to a call, those that it does not take once more; says
    how many it did not take within `seconds`. One that it would never take is told in the log."""
    pending = list(_entries(events))

    def turn() -> bool:
        nonlocal pending
        chunk, rest = _chunk(pending)
        left = _put(stage, chunk)
        pending = left + rest
        return not left

    table.turns(lambda: bool(pending), turn, time.monotonic() + seconds)
    return len(pending)


def _entries(events: Sequence[CloudEvent]) -> Iterator[dict[str, Any]]:
    for event in events:
        entry = {
            "Source": event["source"],
            "DetailType": event["type"],
            "Time": event["time"],
            "Resources": [],
            "Detail": json.dumps(event, ensure_ascii=False, separators=(",", ":")),
        }
        if _bytes(entry) <= BATCH_BYTES:
            yield entry
        else:
            log.error("an outcome is too large for the bus", outcome=event["id"])


def _bytes(entry: Mapping[str, Any]) -> int:
    texts = (entry["Source"], entry["DetailType"], entry["Detail"])
    return _TIME_BYTES + sum(len(text.encode()) for text in texts)


def _chunk(pending: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What fits into one call, and what is left."""
    size = number = 0
    for entry in pending[:BATCH_ENTRIES]:
        size += _bytes(entry)
        if size > BATCH_BYTES:
            break
        number += 1
    return pending[:number], pending[number:]


def _put(stage: Stage, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put these into one call; gives those that have to come again."""
    try:
        told = stage.client("events").put_events(Entries=entries)["Entries"]
        answers = [
            (e, answer.get("EventId"), answer.get("ErrorCode"))
            for e, answer in zip(entries, told, strict=True)
        ]
    except aws.FAILURES as error:
        log.warning("the bus does not answer", error=aws.code_of(error))
        return entries
    left = []
    for entry, taken, code in answers:
        if taken:
            continue
        if code in _REFUSED:
            log.error("the bus refuses an outcome", error=code)
            continue
        log.warning("the bus does not take an outcome", error=code or "NoAnswer")
        left.append(entry)
    return left
