"""What waits for its time: an event, held until it is due, and found by its lane's key, its id or its person.

A hold is one item under its lane and ordering key, sorted by when it is due and then by when it was accepted. Two
small ones lead to it, from the event and from whom it is for. What is `held` is released once, or cancelled
and gone. A sparse index has those that are still held, by when they are due.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from botocore.exceptions import ClientError

from chalicelib.events.gathered import DIGEST
from chalicelib.stage import Stage
from chalicelib.store import statuses, table
from chalicelib.store.record import KEEP_SECONDS, Record, text_of, to_item
from chalicelib.values import dataclass

HELD: Final = "held"
RELEASED: Final = "released"
INDEX: Final = "open"
# An index's partition takes 1,000 writes a second; what is held at once is spread over these.
SHARDS: Final = 8
# A transaction has a hundred writes, and a hold takes three with what the ledger says of it a fourth:
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
AT_ONCE: Final = 25
# So many go out by one wake: what a lane does at once.
MOST: Final = 10
# And so many go into one digest, released a hundred to a transaction. They lie in one partition, which takes
# a thousand units a second, and a kilobyte in a transaction is two:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html
GATHERED: Final = 2000
RELEASED_AT_ONCE: Final = 100
_SECONDS: Final = 5.0
# After every other character of a time and an id.
_LAST: Final = "~"


@dataclass(frozen=True, slots=True)
class Hold:
    """An event that waits. `group` is its ordering key as SQS has it, `due` and `accepted` are ISO
    timestamps in UTC, `tag` names the event (`plan.compose.event_tag`), `event` is its JSON.

    `by` is the wake that released it; `why` what holds it: `deliverat`, `quiet-hours`, `digest`. What a rule gathers of an
    event has for its `group` the window in which it is, a tag of its own, and for `by` the digest that took it; what is left out of that has for its `state` why.
    """

    lane: str
    group: str
    due: str
    accepted: str
    tag: str
    event_id: str
    source: str
    event: str = ""
    recipient: str = ""
    why: str = "deliverat"
    state: str = HELD
    by: str = ""

    @property
    def key(self) -> dict[str, Any]:
        at = f"{self.due}/{self.accepted}/{self.tag}"
        return {"id": {"S": place(self.lane, self.group)}, "at": {"S": at}}


def due_text(moment: datetime) -> str:
    """When something is due, as holds are sorted by it: in UTC, and in milliseconds."""
    return text_of(moment.astimezone(UTC))


def puts(stage: Stage, hold: Hold) -> list[dict[str, Any]]:
    """The writes that keep a hold, for the transaction that claims its event."""
    name = stage.table(table.HOLDS)
    expires = {"expires": {"N": str(keep_until(hold))}}
    item = {
        **hold.key,
        **expires,
        "state": {"S": HELD},
        "event": {"S": hold.event},
        "event_id": {"S": hold.event_id},
        "source": {"S": hold.source},
        "why": {"S": hold.why},
        INDEX: {"S": str(int(hold.tag[:4], 16) % SHARDS)},
    }
    if hold.recipient:
        item["recipient"] = {"S": hold.recipient}
    found = [item, {**_of_event(hold.tag), **expires, **_leads_to(hold)}]
    if hold.recipient:
        found.append({**_of_person(hold), **expires, **_leads_to(hold)})
    wanted: list[dict[str, Any]] = [{"TableName": name, "Item": each} for each in found]
    if hold.why == DIGEST:  # once, in whichever window that was
        wanted[1]["ConditionExpression"] = "attribute_not_exists(id)"
        wanted[1]["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    return wanted


def gather(stage: Stage, found: Sequence[Hold]) -> dict[str, str]:
    """Keep what rules gather of events, `AT_ONCE` at the most; gives by their tags in which windows those are
    that were kept before.

    Raises
    ------
    BotoCoreError, ClientError : not all is kept.
    """
    before: dict[str, str] = {}
    while left := [hold for hold in found if hold.tag not in before]:
        wanted = [(hold, put) for hold in left for put in puts(stage, hold)]
        writes: list[Any] = [{"Put": put} for _, put in wanted]
        try:
            stage.dynamodb.transact_write_items(TransactItems=writes)
        except ClientError as error:
            reasons: Any = error.response.get("CancellationReasons") or ()
            refused = [
                (hold.tag, reason["Item"]["of"]["S"].rpartition("\n")[2])
                for (hold, _), reason in zip(wanted, reasons, strict=False)
                if reason.get("Code") == "ConditionalCheckFailed" and "Item" in reason
            ]
            if not refused:
                raise
            before |= dict(refused)
        else:
            break
    return before


def keep(stage: Stage, kept: Sequence[tuple[Hold, Record]]) -> None:
    """Keep events of a lane until their time, and have the ledger say so, all or none; `AT_ONCE` at the most.

    Raises
    ------
    BotoCoreError, ClientError : they are not kept; one of them may be cancelled.
    """
    changes: list[Any] = []
    for hold, record in kept:
        told = {
            "TableName": stage.table(table.LEDGER),
            "Item": to_item(record, str(keep_until(hold))),
            "ConditionExpression": "attribute_not_exists(id) OR #status <> :cancelled",
            "ExpressionAttributeNames": {"#status": "status"},
            "ExpressionAttributeValues": {":cancelled": {"S": statuses.CANCELLED}},
        }
        changes += [{"Put": put} for put in (told, *puts(stage, hold))]
    stage.dynamodb.transact_write_items(TransactItems=changes)


def due(stage: Stage, lane: str, group: str, by: str, now: str) -> list[Hold]:
    """What is due of a lane's ordering key, in order: what is held, and what this wake released before.

    Raises
    ------
    BotoCoreError, ClientError : the table does not answer.
    """
    pages = stage.dynamodb.get_paginator("query").paginate(
        TableName=stage.table(table.HOLDS),
        KeyConditionExpression="id = :id AND #at <= :now",
        FilterExpression="#state = :held OR #by = :by",
        ExpressionAttributeNames={"#at": "at", "#state": "state", "#by": "by"},
        ExpressionAttributeValues={
            ":id": {"S": place(lane, group)},
            ":now": {"S": now + _LAST},
            ":held": {"S": HELD},
            ":by": {"S": by},
        },
        ConsistentRead=True,
    )
    return [from_item(item) for page in pages for item in page["Items"]]


def find(stage: Stage, tag: str) -> Hold | None:
    """The hold of an event, in whatever state.

    Raises
    ------
    BotoCoreError, ClientError : the table does not answer.
    """
    name = stage.table(table.HOLDS)
    pointer: Any = stage.dynamodb.get_item(TableName=name, Key=_of_event(tag), ConsistentRead=True)
    if "Item" not in pointer:
        return None
    key = {"id": pointer["Item"]["of"], "at": pointer["Item"]["of_at"]}
    found: Any = stage.dynamodb.get_item(TableName=name, Key=key, ConsistentRead=True)
    return from_item(found["Item"]) if "Item" in found else None


def of_person(stage: Stage, person_id: str) -> list[Hold]:
    """All that waits for a person, or did and is still remembered.

    Raises
    ------
    BotoCoreError, ClientError : the table does not answer.
    """
    asked = _pointers(stage, person_id)
    pages = stage.dynamodb.get_paginator("query").paginate(**asked, ConsistentRead=True)
    keys = [{"id": i["of"], "at": i["of_at"]} for page in pages for i in page["Items"]]
    name = stage.table(table.HOLDS)
    items = [stage.dynamodb.get_item(TableName=name, Key=key).get("Item") for key in keys]
    return [from_item(item) for item in items if item]


def last_of_person(stage: Stage, person_id: str, count: int) -> list[Hold]:
    """Of what waits for a person, or did, the `count` that are due last, in order of that: two calls, however
    many there are.

    Raises
    ------
    BotoCoreError, ClientError, TransientError : the table does not answer.
    """
    asked = _pointers(stage, person_id)
    answer: Any = stage.dynamodb.query(**asked, ScanIndexForward=False, Limit=count)
    keys = [{"id": item["of"], "at": item["of_at"]} for item in answer["Items"]]
    items = table.read(stage, {table.HOLDS: keys}, _SECONDS)[table.HOLDS]
    return sorted(map(from_item, items), key=lambda hold: hold.due)


def _pointers(stage: Stage, person_id: str) -> dict[str, Any]:
    """What asks for the places of all that waits for a person, by when it is due."""
    return {
        "TableName": stage.table(table.HOLDS),
        # Behind these are the runs of journeys: store/runs.py.
        "KeyConditionExpression": "id = :id AND #at < :run",
        "ExpressionAttributeNames": {"#at": "at"},
        "ExpressionAttributeValues": {":id": {"S": f"person\n{person_id}"}, ":run": {"S": "run"}},
    }


def overdue(stage: Stage, before: str) -> Iterator[Hold]:
    """What should have gone out before this, and is still held.

    Raises
    ------
    BotoCoreError, ClientError : the table does not answer.
    """
    for shard in range(SHARDS):
        pages = stage.dynamodb.get_paginator("query").paginate(
            TableName=stage.table(table.HOLDS),
            IndexName=INDEX,
            KeyConditionExpression="#open = :shard AND #at < :before",
            ExpressionAttributeNames={"#open": INDEX, "#at": "at"},
            ExpressionAttributeValues={":shard": {"S": str(shard)}, ":before": {"S": before}},
        )
        for page in pages:
            yield from map(from_item, page["Items"])


def release(
    stage: Stage, holds: Sequence[Hold], by: str, left_out: Mapping[str, str] | None = None
) -> None:
    """Say that these go out now, all of them or none; what this wake released before may be among them.
    `left_out` has those, by tag, that do not go out after all, and why.

    Raises
    ------
    BotoCoreError, ClientError : it is not said; one of them may be cancelled, or released by another.
    """
    changes: list[Any] = [
        {
            "Update": {
                "TableName": stage.table(table.HOLDS),
                "Key": hold.key,
                "UpdateExpression": "SET #state = :released, #by = :by REMOVE #open",
                "ConditionExpression": "#state = :held OR #by = :by",
                "ExpressionAttributeNames": {"#state": "state", "#by": "by", "#open": INDEX},
                "ExpressionAttributeValues": {
                    ":released": {"S": (left_out or {}).get(hold.tag, RELEASED)},
                    ":held": {"S": HELD},
                    ":by": {"S": by},
                },
            }
        }
        for hold in holds
    ]
    stage.dynamodb.transact_write_items(TransactItems=changes)


def cancel(
    stage: Stage, waiting: Sequence[Hold], record: Record, at: str, reason: str, detail: str
) -> None:
    """Have an event never go out, of which this is `waiting`, and forget what it said; the ledger says so in the
    same transaction.

    Raises
    ------
    BotoCoreError, ClientError : it is not cancelled; it may be on its way.
    """
    still_held = {
        "ConditionExpression": "#state = :held",
        "ExpressionAttributeNames": {"#state": "state"},
        "ExpressionAttributeValues": {":held": {"S": HELD}},
    }
    told: Any = {
        "TableName": stage.table(table.LEDGER),
        "Key": {"id": {"S": record.id}, "source": {"S": record.source}},
        "UpdateExpression": "SET #status = :new, timeline = :line, reason = :why, detail = :detail",
        "ConditionExpression": "#status = :old",
        "ExpressionAttributeNames": {"#status": "status"},
        "ExpressionAttributeValues": {
            ":new": {"S": statuses.CANCELLED},
            ":old": {"S": record.status},
            ":line": {"S": "\n".join([*record.timeline, f"{at} {statuses.CANCELLED}"])},
            ":why": {"S": reason},
            ":detail": {"S": detail},
        },
    }
    changes: list[Any] = [{"Update": told}]
    for hold in waiting:
        deletes = _deletes(stage, hold)
        deletes[0] |= still_held
        changes += [{"Delete": delete} for delete in deletes]
    stage.dynamodb.transact_write_items(TransactItems=changes)


def forget(stage: Stage, hold: Hold) -> None:
    """Forget an event that was held, and is on its way or went out.

    Raises
    ------
    BotoCoreError, ClientError : the table does not answer.
    """
    for delete in _deletes(stage, hold):
        stage.dynamodb.delete_item(**delete)


def _deletes(stage: Stage, hold: Hold) -> list[Any]:
    keys = [hold.key, _of_event(hold.tag)]
    if hold.recipient:
        keys.append(_of_person(hold))
    return [{"TableName": stage.table(table.HOLDS), "Key": key} for key in keys]


def place(lane: str, group: str) -> str:
    """Under what the holds of a lane's ordering key lie."""
    return f"lane\n{lane}\n{group}"


def _of_event(tag: str) -> dict[str, Any]:
    return {"id": {"S": f"event\n{tag}"}, "at": {"S": "-"}}


def _of_person(hold: Hold) -> dict[str, Any]:
    return {"id": {"S": f"person\n{hold.recipient}"}, "at": hold.key["at"]}


def _leads_to(hold: Hold) -> dict[str, Any]:
    return {"of": hold.key["id"], "of_at": hold.key["at"]}


def keep_until(hold: Hold) -> int:
    """Until when what is held is remembered, in seconds since 1970."""
    return int(datetime.fromisoformat(hold.due).timestamp()) + KEEP_SECONDS


def from_item(item: Mapping[str, Any]) -> Hold:
    """A hold; from the index it lacks all that is not in its key."""
    _, lane, group = item["id"]["S"].split("\n", 2)
    due, accepted, tag = item["at"]["S"].split("/", 2)

    def text(name: str) -> str:
        return str(item[name]["S"]) if name in item else ""

    return Hold(
        lane,
        group,
        due,
        accepted,
        tag,
        text("event_id"),
        text("source"),
        text("event"),
        text("recipient"),
        text("why"),
        text("state"),
        text("by"),
    )


def wake_body(tag: str) -> str:
    """What wakes a lane for an event: its tag and nothing else."""
    return json.dumps({"wake": tag})
