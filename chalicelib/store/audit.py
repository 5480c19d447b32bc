"""The audit log: who did what to what, as items in the table of holds that expire.

It is written before what it tells of is done, so that nothing is done that it does not have. An entry names no
customer: `subject` is an event's id, a topic, a key's name, or what stands for a person (`Secrets.hash_of`).
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from chalicelib.stage import Stage
from chalicelib.store import table
from chalicelib.store.record import text_of
from chalicelib.values import dataclass

# What is done and put down; the console has words for each (`audit.redrive`).
VERBS: Final = (
    *("redrive", "cancel", "acknowledge"),
    *("person-change", "person-erase", "address-lift"),
    *("key-create", "key-revoke", "secret-rotate"),
    *("subscribe", "unsubscribe", "mail-try"),
)
KEEP_DAYS: Final = 400
# A month's entries lie under one id: this many hold all that is kept.
_MONTHS: Final = KEEP_DAYS // 28 + 1
# An item's 400 KB are far away, but a sort key, a page and an eye have less room.
_MOST: Final = 500
_LAST: Final = "~"


@dataclass(frozen=True, slots=True)
class Entry:
    """Somebody (`who`: a key's name, or who was at a command line) did something. `place` tells entries of one
    moment apart."""

    at: str
    who: str
    what: str
    subject: str
    place: str


@dataclass(frozen=True, slots=True)
class Entries:
    """Entries, the newest first; `before` is where the next ones begin, empty at the end."""

    found: Sequence[Entry]
    before: str = ""


def write(stage: Stage, who: str, what: str, subject: str) -> None:
    """Put down that somebody does something, one of `VERBS`, now.

    Raises
    ------
    BotoCoreError, ClientError : it is not put down, and is not to be done.
    """
    put = item(who, what, subject, datetime.now(UTC))
    stage.dynamodb.put_item(TableName=stage.table(table.HOLDS), Item=put)


def item(who: str, what: str, subject: str, now: datetime) -> dict[str, Any]:
    """The item of an entry of that moment (aware)."""
    return {
        "id": {"S": _of_month(now)},
        "at": {"S": f"{text_of(now)}/{secrets.token_hex(4)}"},
        "who": {"S": who[:_MOST]},
        "what": {"S": what},
        "subject": {"S": subject[:_MOST]},
        "expires": {"N": str(int((now + timedelta(days=KEEP_DAYS)).timestamp()))},
    }


def newest(stage: Stage, count: int, before: str = "") -> Entries:
    """The newest `count` entries that stand before a place, or before now.

    Raises
    ------
    BotoCoreError, ClientError : the table does not answer.
    ValueError : `before` is no place.
    """
    month = datetime.fromisoformat(before.partition("/")[0]) if before else datetime.now(UTC)
    found: list[Entry] = []
    for _ in range(_MONTHS):
        answer = stage.dynamodb.query(
            TableName=stage.table(table.HOLDS),
            KeyConditionExpression="id = :id AND #at < :before",
            ExpressionAttributeNames={"#at": "at"},
            ExpressionAttributeValues={
                ":id": {"S": _of_month(month)},
                ":before": {"S": before or _LAST},
            },
            ScanIndexForward=False,
            Limit=count + 1 - len(found),
        )
        found += [_from_item(item) for item in answer["Items"]]
        if len(found) > count:
            return Entries(found[:count], found[count - 1].place)
        month = month.replace(day=1) - timedelta(days=1)
    return Entries(found)


def _of_month(moment: datetime) -> str:
    return f"audit\n{moment.astimezone(UTC):%Y-%m}"


def _from_item(item: Mapping[str, Any]) -> Entry:
    place = item["at"]["S"]
    who, what, subject = (item[name]["S"] for name in ("who", "what", "subject"))
    return Entry(place.partition("/")[0], who, what, subject, place)
