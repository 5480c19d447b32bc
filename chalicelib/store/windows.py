"""When the latest window of a group ends: one item of a group, in the table of holds, whose items expire.

It is opened by a conditional write, and joined without one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from botocore.exceptions import ClientError

from chalicelib import aws
from chalicelib.errors import TransientError
from chalicelib.stage import Stage
from chalicelib.store import table

_WINDOW: Final = "window\n"
# How long the end of a window is of use after it, beside what its rule says.
_KEPT: Final = timedelta(days=2)
_TURNS: Final = 5


def key_of(lane: str, group: str) -> dict[str, Any]:
    return {"id": {"S": f"{_WINDOW}{lane}\n{group}"}, "at": {"S": "-"}}


def from_items(items: Sequence[Mapping[str, Any]]) -> dict[str, datetime]:
    """When the windows among these items end, by group."""
    return {
        item["id"]["S"].rpartition("\n")[2]: _due(item)
        for item in items
        if item["id"]["S"].startswith(_WINDOW)
    }


def open_window(
    stage: Stage,
    lane: str,
    group: str,
    last: datetime | None,
    now: datetime,
    ends: Callable[[datetime | None], datetime],
    every: timedelta,
) -> datetime:
    """Open the next window of a group, whose latest ended at `last` as far as is known, or find it open; gives
    when it ends. `ends` says that of one that is opened, by when the one before ended.

    Raises
    ------
    BotoCoreError, ClientError, TransientError : it is not known to be open.
    """
    name, key = stage.table(table.HOLDS), key_of(lane, group)
    for _ in range(_TURNS):
        due = ends(last)
        values: dict[str, Any] = {
            ":due": {"N": str(int(due.timestamp()))},
            ":expires": {"N": str(int((due + every + _KEPT).timestamp()))},
        }
        condition = "attribute_not_exists(due)"
        if last is not None:
            condition = "due = :last"
            values[":last"] = {"N": str(int(last.timestamp()))}
        try:
            stage.dynamodb.update_item(
                TableName=name,
                Key=key,
                UpdateExpression="SET due = :due, expires = :expires",
                ConditionExpression=condition,
                ExpressionAttributeValues=values,
            )
        except ClientError as error:
            if aws.code_of(error) != "ConditionalCheckFailedException":
                raise
        else:
            return due
        found: Any = stage.dynamodb.get_item(TableName=name, Key=key, ConsistentRead=True)
        last = _due(found["Item"]) if "Item" in found else None
        if last is not None and last > now:
            return last
    raise TransientError("the window of a digest changes all the time")


def _due(item: Mapping[str, Any]) -> datetime:
    return datetime.fromtimestamp(int(item["due"]["N"]), UTC)
