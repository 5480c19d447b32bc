"""Whom a keyed hash stands for, for a while: kept when somebody looks a person up, so that an address of the
console holds the hash and nothing of the person.

Without it a hash leads to nobody: that is what it is for.
"""

from __future__ import annotations

import time
from typing import Any, Final

from chalicelib.stage import Stage
from chalicelib.store import table

SECONDS: Final = 8 * 3600
"""How long whoever looked somebody up can come back to their page: a working day."""


def keep(stage: Stage, keyed: str, person_id: str) -> None:
    """Keep that this hash stands for this person, from now on for a while.

    Raises
    ------
    BotoCoreError, ClientError : it is not kept.
    """
    expires = str(int(time.time()) + SECONDS)
    item = {**_key(keyed), "of": {"S": person_id}, "expires": {"N": expires}}
    stage.dynamodb.put_item(TableName=stage.table(table.HOLDS), Item=item)


def find(stage: Stage, keyed: str) -> str:
    """The id of the person for whom this hash stands; empty where nobody looked them up of late.

    Raises
    ------
    BotoCoreError, ClientError : the table does not answer.
    """
    answer: Any = stage.dynamodb.get_item(
        TableName=stage.table(table.HOLDS), Key=_key(keyed), ConsistentRead=True
    )
    item = answer.get("Item")
    # DynamoDB takes its time, up to some days, to delete what has expired:
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html
    return str(item["of"]["S"]) if item and int(item["expires"]["N"]) > time.time() else ""


def forget(stage: Stage, keyed: str) -> None:
    """Have this hash stand for nobody.

    Raises
    ------
    BotoCoreError, ClientError : it is not known.
    """
    stage.dynamodb.delete_item(TableName=stage.table(table.HOLDS), Key=_key(keyed))


def _key(keyed: str) -> dict[str, Any]:
    return {"id": {"S": f"lookup\n{keyed}"}, "at": {"S": "-"}}
