"""The key of a run's own: for its events alone, and for no longer than a run."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Final

from chalicelib import names
from chalicelib.door.keys import hash_of
from cli.account import put_down
from cli.keys import PREFIX, StoredKey, stored, table_of
from cli.target import Target
from cli.verify import marks

_NAME: Final = "verify-"
_RANDOM_BYTES: Final = 32


def create(target: Target, run: str, now: datetime) -> str:
    """Make the key with which a run sends, and reads what became of that.

    Raises
    ------
    BotoCoreError, ClientError : there is none.
    """
    secret = PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    key = StoredKey(
        hash_of(secret),
        _NAME + run,
        ("send", "read"),
        (_NAME + run,),
        (names.VERIFY_TYPE,),
        False,
        now.isoformat(timespec="seconds"),
        secret[-4:],
    )
    put_down(target, "key-create", f"{key.name}: {' '.join(key.scopes)}")
    ends = {"expires": {"N": str(int((now + marks.LIFE).timestamp()))}}
    target.client("dynamodb").put_item(TableName=table_of(target), Item={**key.item(), **ends})
    return secret


def revoke(target: Target, run: str) -> None:
    """Take the key of a run away, if it has one.

    Raises
    ------
    BotoCoreError, ClientError : it may still be there.
    """
    for key in stored(target):
        if key.name == _NAME + run:
            put_down(target, "key-revoke", key.name)
            target.client("dynamodb").delete_item(
                TableName=table_of(target), Key={"hash": {"S": key.hash}}
            )


def left_behind(target: Target, now: datetime) -> list[str]:
    """Runs that are over, and whose keys are still there.

    Raises
    ------
    BotoCoreError, ClientError : AWS does not say.
    """
    found = {key.name: marks.begun(key.name, _NAME) for key in stored(target)}
    return [name.removeprefix(_NAME) for name, began in found.items() if marks.is_over(began, now)]
