"""Counts of what was sent to people, written so that two lanes about one person count each event once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from chalicelib.stage import Stage
from chalicelib.store import table
from chalicelib.store.counts import Count, key_of, to_item


def write(stage: Stage, counts: Sequence[tuple[Count, datetime]]) -> None:
    """Write these, each one writing further than it was read, all or none; with each, until when it is
    remembered. Their keys differ.

    Raises
    ------
    BotoCoreError, ClientError : none was written; somebody else may have written one meanwhile.
    """
    puts: list[Any] = [
        {
            "TableName": stage.table(table.HOLDS),
            "Item": to_item(count, until),
            "ConditionExpression": "attribute_not_exists(id) OR version = :before",
            "ExpressionAttributeValues": {":before": {"N": str(count.version - 1)}},
        }
        for count, until in counts
    ]
    if len(puts) == 1:
        stage.dynamodb.put_item(**puts[0])
    else:
        stage.dynamodb.transact_write_items(TransactItems=[{"Put": put} for put in puts])


def forget(stage: Stage, who: str, categories: Sequence[str]) -> None:
    """Forget what was sent to somebody.

    Raises
    ------
    BotoCoreError, ClientError : the table does not answer.
    """
    for category in categories:
        key = key_of(who, category)
        stage.dynamodb.delete_item(TableName=stage.table(table.HOLDS), Key=key)
