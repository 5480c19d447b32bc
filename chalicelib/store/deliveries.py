"""What arrived on the local stack, for the console's inbox: a table that `make run` makes and fills.

There is none on any other stage: what people are sent is kept nowhere.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, Final

from chalicelib.stage import Stage
from chalicelib.store import table
from chalicelib.values import dataclass

TABLE: Final = "inbox"
_BOX: Final = {"S": "inbox"}
_LAST: Final = "~"
_SNIPPET: Final = 160
_LISTED: Final = ("at", "channel", "who", "subject", "snippet", "seen", "attributes")


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message that somebody, or a topic's subscriber, got: `who` is an address, a number or the topic's name.
    `place` is where it stands in the inbox. In a list it has no `text` and no `html`."""

    place: str
    at: str
    channel: str
    who: str
    subject: str
    snippet: str
    is_seen: bool
    attributes: Mapping[str, str] = field(default_factory=dict)
    sender: str = ""
    message_id: str = ""
    text: str = ""
    html: str = ""


def make(stage: Stage) -> None:
    """Make the table, if there is none.

    Raises
    ------
    BotoCoreError, ClientError : there is none.
    """
    with contextlib.suppress(stage.dynamodb.exceptions.ResourceInUseException):
        stage.dynamodb.create_table(
            TableName=stage.table(TABLE),
            KeySchema=[
                {"AttributeName": "box", "KeyType": "HASH"},
                {"AttributeName": "at", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "box", "AttributeType": "S"},
                {"AttributeName": "at", "AttributeType": "S"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )


def put(stage: Stage, deliveries: Sequence[Mapping[str, Any]]) -> None:
    """Keep deliveries, as `cli.stack.inbox` has them.

    Raises
    ------
    BotoCoreError, ClientError : not all are kept.
    """
    name = stage.table(TABLE)
    for first in range(0, len(deliveries), table.WRITE_ITEMS):
        some = deliveries[first : first + table.WRITE_ITEMS]
        writes: Any = [{"PutRequest": {"Item": _item(delivery)}} for delivery in some]
        stage.dynamodb.batch_write_item(RequestItems={name: writes})


def newest(stage: Stage, count: int, before: str = "") -> tuple[Sequence[Arrived], str]:
    """The newest `count` that stand before a place, and where the next ones begin, empty at the end.

    Raises
    ------
    BotoCoreError, ClientError : the table does not answer.
    """
    answer = stage.dynamodb.query(
        TableName=stage.table(TABLE),
        KeyConditionExpression="box = :box AND #at < :before",
        ProjectionExpression=", ".join(f"#{name}" for name in _LISTED),
        ExpressionAttributeNames={f"#{name}": name for name in _LISTED},
        ExpressionAttributeValues={":box": _BOX, ":before": {"S": before or _LAST}},
        ScanIndexForward=False,
        Limit=count,
    )
    last = answer.get("LastEvaluatedKey")
    return [_from_item(item) for item in answer["Items"]], last["at"]["S"] if last else ""


def find(stage: Stage, place: str) -> Arrived | None:
    """A message by its place.

    Raises
    ------
    BotoCoreError, ClientError : the table does not answer.
    """
    answer: Any = stage.dynamodb.get_item(TableName=stage.table(TABLE), Key=_key(place))
    return _from_item(answer["Item"]) if "Item" in answer else None


def see(stage: Stage, place: str) -> None:
    """Say that somebody looked at a message.

    Raises
    ------
    BotoCoreError, ClientError : it is not said.
    """
    stage.dynamodb.update_item(
        TableName=stage.table(TABLE),
        Key=_key(place),
        UpdateExpression="SET seen = :yes",
        ExpressionAttributeValues={":yes": {"BOOL": True}},
    )


def _key(place: str) -> dict[str, Any]:
    return {"box": _BOX, "at": {"S": place}}


def _item(delivery: Mapping[str, Any]) -> dict[str, Any]:
    text = str(delivery["message"])
    said = {
        "channel": delivery["channel"],
        "who": delivery.get("topic") or delivery.get("to", ""),
        "subject": delivery["subject"],
        "snippet": " ".join(text.split())[:_SNIPPET],
        "attributes": json.dumps(delivery["attributes"]),
        "sender": delivery.get("sender", ""),
        "message_id": delivery["message_id"],
        "text": text,
        "html": delivery.get("html", ""),
    }
    place = f"{delivery['received_at']}/{delivery['message_id']}"
    return {**_key(place), **{name: {"S": value} for name, value in said.items()}}


def _from_item(item: Mapping[str, Any]) -> Arrived:
    def text(name: str) -> str:
        return str(item[name]["S"]) if name in item else ""

    place = text("at")
    return Arrived(
        place,
        place.partition("/")[0],
        text("channel"),
        text("who"),
        text("subject"),
        text("snippet"),
        "seen" in item,
        json.loads(text("attributes") or "{}"),
        text("sender"),
        text("message_id"),
        text("text"),
        text("html"),
    )
