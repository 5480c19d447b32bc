"""API keys: who may send, who may read, and who may see people. Only a key's SHA-256 is ever stored.

A key's own randomness (192 bits) is what protects it, so a fast hash is enough.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from botocore.exceptions import ClientError

from chalicelib import aws, log, names
from chalicelib.door import http
from chalicelib.door.http import Problem, Request
from chalicelib.errors import TransientError
from chalicelib.patience import Patience
from chalicelib.regex import regex
from chalicelib.stage import Stage
from chalicelib.values import dataclass

SCOPES: Final = ("send", "read", "people", "admin")
# How long a worker trusts what it read: a revoked key is refused at the latest after this.
CACHE_SECONDS: Final = 60
# That a key is not known is kept for a moment only: it spares the table a guesser's repetitions, and
# whoever creates the key that was just refused need not wonder for a minute why it does not work.
UNKNOWN_SECONDS: Final = 3
_CACHE_KEYS: Final = 1_000
_BEARER: Final = regex(r"Bearer +([A-Za-z0-9_-]{16,128})\Z", re.IGNORECASE)
_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="heraldo"'}

_cache: dict[str, tuple[float, Key | None]] = {}


@dataclass(frozen=True, slots=True)
class Key:
    """A key that was shown: its name, scopes and the event types it is for (none: all).

    `sources` are those that its events may have, and what lies beneath each; the first is that of an
    event which names none. `*` is any.
    """

    name: str
    scopes: frozenset[str]
    sources: tuple[str, ...]
    types: tuple[str, ...] = ()
    test: bool = False

    @property
    def source(self) -> str:
        return self.sources[0]

    def may(self, scope: str) -> bool:
        return scope in self.scopes or "admin" in self.scopes

    def may_type(self, event_type: str) -> bool:
        """Whether the key is for this event type; `order.*` stands for all that start with order."""
        return not self.types or any(
            event_type.startswith(t[:-1]) if t.endswith("*") else event_type == t
            for t in self.types
        )

    def may_source(self, source: str) -> bool:
        """Whether the key may speak for this source."""
        return any(of == "*" or lies_beneath(source, of) for of in self.sources)


def lies_beneath(source: str, above: str) -> bool:
    """Whether a source is `above` or lies beneath it, as /shop/returns does beneath /shop."""
    return source == above or source.startswith(above.rstrip("/") + "/")


def hash_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def require(request: Request, scope: str) -> Key:
    """The key of a request, which must have `scope`.

    Raises
    ------
    Problem : 401 without a valid key, 403 where its scope does not reach, 503 where keys cannot be
        read right now.
    """
    key = _caller(request)
    request.seen["key"] = key.name
    if not key.may(scope):
        raise Problem(403, "scope", f"The key {key.name} lacks the scope {scope}.")
    return key


def _caller(request: Request) -> Key:
    if names.iam_callers():
        return _signed(request.caller_arn)
    match = _BEARER.match(request.headers.get("authorization", ""))
    if match is None:
        detail = "Send the header Authorization: Bearer <key>."
        raise Problem(401, "no-key", detail, headers=_CHALLENGE)
    key = find(request.stage, request.patience, hash_of(match[1]))
    if key is None:
        detail = "This key is not known, or was revoked."
        raise Problem(401, "unknown-key", detail, headers=_CHALLENGE)
    return key


def _signed(arn: str) -> Key:
    """Who signed a request, as API Gateway made sure (`auth = "iam"` in stages.toml).

    What they may do is their IAM policy's business: `execute-api:Invoke` on a method and path.
    """
    if not arn:
        raise Problem(401, "no-signature", "Sign the request with AWS Signature Version 4.")
    kind, _, name = arn.split(":", 5)[-1].partition("/")
    if kind == "assumed-role":  # the session's name is its own choice, the role's is not
        name = name.split("/", 1)[0]
    name = name.rsplit("/", 1)[-1] or kind
    return Key(name, frozenset(("admin",)), (name,))


def find(stage: Stage, patience: Patience, key_hash: str) -> Key | None:
    """The key of this hash, as it was within `CACHE_SECONDS`.

    Raises
    ------
    Problem : 503 where keys cannot be read right now.
    """
    now = time.monotonic()
    cached = _cache.get(key_hash)
    if cached is not None and cached[0] > now:
        return cached[1]
    try:
        answer = patience.ask(
            lambda: stage.dynamodb.get_item(
                TableName=stage.table("keys"), Key={"hash": {"S": key_hash}}
            )
        )
    except (TransientError, ClientError):
        detail = "Keys cannot be checked right now."
        raise Problem(503, "keys-unavailable", detail, headers=http.RETRY) from None
    item = answer.get("Item")
    found = _from_item(item) if item and hmac.compare_digest(item["hash"]["S"], key_hash) else None
    if len(_cache) >= _CACHE_KEYS:  # a guesser must not fill the worker's memory
        _cache.clear()
    _cache[key_hash] = (now + (CACHE_SECONDS if found else UNKNOWN_SECONDS), found)
    if item and found:
        _note_use(stage, key_hash, item["used"]["S"] if "used" in item else "")
    return found


def _note_use(stage: Stage, key_hash: str, last: str) -> None:
    """Put down on which day (UTC) a key was last used: once a day, and where it cannot be, not."""
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    if last >= today:
        return
    try:
        stage.dynamodb.update_item(
            TableName=stage.table("keys"),
            Key={"hash": {"S": key_hash}},
            UpdateExpression="SET #used = :today",
            # Revoked meanwhile, it must not come back.
            ConditionExpression="attribute_exists(#hash)",
            ExpressionAttributeNames={"#hash": "hash", "#used": "used"},
            ExpressionAttributeValues={":today": {"S": today}},
        )
    except aws.FAILURES as error:
        log.warning("a key's use is not put down", reason=aws.code_of(error))


def _from_item(item: Mapping[str, Any]) -> Key | None:
    name = item["name"]["S"]
    if "expires" in item and float(item["expires"]["N"]) <= time.time():
        return None  # DynamoDB takes it away some day
    return Key(
        name=name,
        scopes=frozenset(item["scope"]["S"].split()),
        # A key from before keys had sources may use any.
        sources=tuple(item["source"]["S"].split()) if "source" in item else (name, "*"),
        types=tuple(item["types"]["S"].split()) if "types" in item else (),
        test=bool(item["test"]["BOOL"]) if "test" in item else False,
    )
