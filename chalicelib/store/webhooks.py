"""With what a webhook's posts are signed: an item of the people table for each, made by the deploy, or when it is
first shown.

After a rotation the secret before it signs as well for a day, in which its receiver is told the new one.
"""

from __future__ import annotations

import base64
import secrets
import time
import weakref
from typing import Any, Final

from botocore.exceptions import ClientError

from chalicelib import aws
from chalicelib.errors import TransientError
from chalicelib.stage import Stage
from chalicelib.store import table

PREFIX: Final = "webhook:"
"""How their items' ids begin."""
_SHAPE: Final = "whsec_"
# Standard Webhooks asks for 24 to 64 bytes:
# https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md#signature-scheme
_BYTES: Final = 32
CACHE_SECONDS: Final = 60
FADING_SECONDS: Final = 24 * 3600

# By the client that read them, for that is an account's; and by the item.
_cache: weakref.WeakKeyDictionary[Any, dict[str, tuple[float, tuple[str, ...]]]] = (
    weakref.WeakKeyDictionary()
)


def of(stage: Stage, name: str) -> tuple[str, ...]:
    """What signs for a webhook now, the newest first; read once in a while.

    Raises
    ------
    TransientError : it cannot be read right now, or there is none.
    """
    known = _cache.setdefault(stage.dynamodb, {})
    cached = known.get(f"{stage.name}/{name}")
    if cached is not None and cached[0] > time.monotonic():
        return cached[1]
    try:
        found = _signing(_item(stage, name))
    except aws.FAILURES as error:
        why = aws.code_of(error)
        raise TransientError(f"the secret of webhook {name} cannot be read ({why})") from None
    if not found:
        command = f"./heraldo webhooks secret {name} --stage {stage.name}"
        raise TransientError(f"webhook {name} has no secret yet: {command} makes it")
    known[f"{stage.name}/{name}"] = (time.monotonic() + CACHE_SECONDS, found)
    return found


def made(stage: Stage, name: str) -> tuple[str, ...]:
    """The secrets of a webhook, the newest first; made if there is none.

    Raises
    ------
    BotoCoreError, ClientError : the table does not answer.
    """
    item = _item(stage, name)
    if not item:
        item = {**key(name), "secret": {"S": _new()}}
        try:
            stage.dynamodb.put_item(
                TableName=stage.table(table.PEOPLE),
                Item=item,
                ConditionExpression="attribute_not_exists(id)",
            )
        except ClientError as error:
            if aws.code_of(error) != "ConditionalCheckFailedException":
                raise
            item = _item(stage, name)  # somebody else made it at the same time
    return _signing(item)


def rotate(stage: Stage, name: str) -> str:
    """Sign with a new secret from now on, which this gives; the one before signs as well for `FADING_SECONDS`.

    Raises
    ------
    BotoCoreError, ClientError : the table does not answer, or somebody else rotates.
    """
    before, new = made(stage, name)[0], _new()
    stage.dynamodb.update_item(
        TableName=stage.table(table.PEOPLE),
        Key=key(name),
        UpdateExpression="SET secret = :new, fading = :fading",
        ConditionExpression="secret = :before",
        ExpressionAttributeValues={
            ":new": {"S": new},
            ":before": {"S": before},
            ":fading": {"S": f"{before} {int(time.time()) + FADING_SECONDS}"},
        },
    )
    _cache.pop(stage.dynamodb, None)
    return new


def has(stage: Stage, name: str) -> bool:
    """Whether a webhook has a secret by now.

    Raises
    ------
    BotoCoreError, ClientError : the table does not answer.
    """
    return bool(_item(stage, name))


def key_of(secret: str) -> bytes:
    """The bytes that a secret stands for."""
    return base64.b64decode(secret.removeprefix(_SHAPE))


def key(name: str) -> dict[str, Any]:
    """The key of a webhook's item in the people table."""
    return {"id": {"S": PREFIX + name}}


def _item(stage: Stage, name: str) -> Any:
    found = stage.dynamodb.get_item(
        TableName=stage.table(table.PEOPLE), Key=key(name), ConsistentRead=True
    )
    return found.get("Item")


def _new() -> str:
    return _SHAPE + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def _signing(item: Any) -> tuple[str, ...]:
    """The secrets of an item that sign now, the newest first; none of none."""
    if not item:
        return ()
    found = [str(item["secret"]["S"])]
    if "fading" in item:
        last, until = item["fading"]["S"].split()
        found += [last] if time.time() < int(until) else []
    return tuple(found)
