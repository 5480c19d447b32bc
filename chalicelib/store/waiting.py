"""What is held, by when it is due: the sparse index of holds, read a page at a time."""

from __future__ import annotations

from typing import Any, Final

from chalicelib.errors import TransientError
from chalicelib.stage import Stage
from chalicelib.store import holds, table
from chalicelib.store.holds import Hold

_TURNS: Final = 3


def soonest(stage: Stage, count: int, after: str = "") -> tuple[list[Hold], str]:
    """What is held and due the soonest, behind a place, and the place of the last where there may be more.

    Nothing is read of what an event says, nor of whom it is for.

    Raises
    ------
    BotoCoreError, ClientError, TransientError : the table does not answer.
    """
    found: list[Hold] = []
    for shard in range(holds.SHARDS):
        answer: Any = stage.dynamodb.query(
            TableName=stage.table(table.HOLDS),
            IndexName=holds.INDEX,
            KeyConditionExpression="#open = :shard AND #at > :after",
            ExpressionAttributeNames={"#open": holds.INDEX, "#at": "at"},
            ExpressionAttributeValues={":shard": {"S": str(shard)}, ":after": {"S": after or "0"}},
            Limit=count,
        )
        found += map(holds.from_item, answer["Items"])
    found.sort(key=lambda hold: hold.key["at"]["S"])
    newest = found[:count]
    if not newest:
        return [], ""
    asked: Any = {
        stage.table(table.HOLDS): {
            "Keys": [hold.key for hold in newest],
            "ProjectionExpression": "id, #at, event_id, #source, why, #state",
            "ExpressionAttributeNames": {"#at": "at", "#source": "source", "#state": "state"},
        }
    }
    told: dict[str, Hold] = {}
    for _ in range(_TURNS):
        answer = stage.dynamodb.batch_get_item(RequestItems=asked)
        for item in next(iter(answer["Responses"].values()), ()):
            told[item["at"]["S"]] = holds.from_item(item)
        asked = answer.get("UnprocessedKeys")
        if not asked:
            break
    else:
        raise TransientError("Throttled")
    last = newest[-1].key["at"]["S"] if len(found) > count or len(newest) == count else ""
    return [told[at] for hold in newest if (at := hold.key["at"]["S"]) in told], last
