"""The stage's secrets: with one, addresses become hashes that nobody can guess; with others, links are signed.

They are one item of the people table, made when they are first asked for. The key of the hashes stays for
ever, or stops and opt-outs of addresses would be forgotten. Those of the links can be changed
(`./heraldo keys rotate`): the newest signs, and those before it are still believed.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
import weakref
from typing import Any, Final

from botocore.exceptions import ClientError

from chalicelib import aws
from chalicelib.errors import TransientError
from chalicelib.events.addresses import normal_email
from chalicelib.stage import Stage
from chalicelib.store import table
from chalicelib.values import dataclass

KEY: Final = {"id": {"S": "secrets"}}
_BYTES: Final = 32
# So many are believed: links work for a year (`store.tokens`), and nobody rotates more often than monthly.
_TOKENS: Final = 16
# How long a worker goes on with what it read: a changed secret signs everywhere after this.
CACHE_SECONDS: Final = 300
# Whatever is forgotten is believed so long, for workers that have not read of it go on signing with it.
FADING_SECONDS: Final = CACHE_SECONDS + 60
# Who guesses at tokens has them read no more often than this.
FRESH_SECONDS: Final = 5

# By the client that read them, for that is an account's.
_cache: weakref.WeakKeyDictionary[Any, tuple[float, Secrets]] = weakref.WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Secrets:
    """`addresses` is the key of the hashes, `tokens` those of the links, the newest first."""

    addresses: bytes
    tokens: tuple[bytes, ...]

    def hash_of(self, address: str) -> str:
        """What stands for an address (or a number) where it must not be kept: 32 hex digits. An e-mail
        address has one, however its domain is written."""
        if "@" in address:
            address = normal_email(address)
        return hmac.new(self.addresses, address.encode(), hashlib.sha256).hexdigest()[:32]


def fresh(stage: Stage) -> Secrets:
    """The secrets of a stage as they are now, or were a few seconds ago.

    Raises
    ------
    TransientError : as `of`.
    """
    known = _cache.get(stage.dynamodb)
    if known is not None and known[0] - CACHE_SECONDS < time.monotonic() - FRESH_SECONDS:
        del _cache[stage.dynamodb]
    return of(stage)


def of(stage: Stage) -> Secrets:
    """The secrets of a stage, read once in a while.

    Raises
    ------
    TransientError : they cannot be read, or made, right now.
    """
    known = _cache.get(stage.dynamodb)
    now = time.monotonic()
    if known is not None and known[0] > now:
        return known[1]
    try:
        found = made(stage)
    except aws.FAILURES as error:
        raise TransientError(f"the secrets cannot be read ({aws.code_of(error)})") from None
    _cache[stage.dynamodb] = (now + CACHE_SECONDS, found)
    return found


def made(stage: Stage) -> Secrets:
    """The secrets of a stage, made if there are none. The deploy does so: the lanes may only read.

    Raises
    ------
    BotoCoreError, ClientError : the table does not answer.
    """
    return _from_item(_item(stage))


def _item(stage: Stage) -> Any:
    name = stage.table(table.PEOPLE)
    found = stage.dynamodb.get_item(TableName=name, Key=KEY, ConsistentRead=True).get("Item")
    return found or _make(stage, name)


def _make(stage: Stage, name: str) -> Any:
    """New secrets, or those that somebody else made at the same time."""
    item = {
        **KEY,
        "addresses": {"S": secrets.token_hex(_BYTES)},
        "tokens": {"S": secrets.token_hex(_BYTES)},
    }
    try:
        stage.dynamodb.put_item(
            TableName=name,
            Item=item,
            ConditionExpression="attribute_not_exists(id)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except ClientError as error:
        there: Any = error.response.get("Item")
        if not there:
            raise
        return there
    return item


def rotate(stage: Stage, forget: bool) -> int:
    """Sign links with a new secret from now on; gives how many are believed then.

    `forget`: those before it are not, and no link that was ever sent works any more; but the last of them is
    for `FADING_SECONDS`, or a mail that goes out in the meantime could not be stopped.

    Raises
    ------
    BotoCoreError, ClientError : the table does not answer, or somebody else rotates.
    """
    before = _item(stage)["tokens"]["S"]
    last, *_ = known = before.split()
    tokens = [secrets.token_hex(_BYTES), *([] if forget else known[: _TOKENS - 1])]
    change, values = "SET tokens = :new", {":new": {"S": " ".join(tokens)}, ":old": {"S": before}}
    if forget:
        change += ", fading = :fading"
        values[":fading"] = {"S": f"{last} {int(time.time()) + FADING_SECONDS}"}
    stage.dynamodb.update_item(
        TableName=stage.table(table.PEOPLE),
        Key=KEY,
        UpdateExpression=change,
        ConditionExpression="tokens = :old",
        ExpressionAttributeValues=values,
    )
    _cache.pop(stage.dynamodb, None)
    return len(tokens)


def _from_item(item: Any) -> Secrets:
    tokens = item["tokens"]["S"].split()
    if "fading" in item:
        last, until = item["fading"]["S"].split()
        tokens += [last] if time.time() < int(until) else []
    return Secrets(bytes.fromhex(item["addresses"]["S"]), tuple(map(bytes.fromhex, tokens)))
