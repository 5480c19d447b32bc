"""The stage's tables: many keys of several read in one call, many items written in one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from chalicelib import aws
from chalicelib.errors import TransientError
from chalicelib.stage import Stage

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
READ_ITEMS: Final = 100
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
WRITE_ITEMS: Final = 25
# The tables by their short names.
LEDGER: Final = "ledger"
PEOPLE: Final = "people"
HOLDS: Final = "holds"

Item = Mapping[str, Any]


def read(stage: Stage, keys: Mapping[str, Sequence[Item]], seconds: float) -> dict[str, list[Item]]:
    """The items of these keys, by table; a key without an item is not there.

    `keys` has for each table, by its short name, DynamoDB keys that differ. Read consistently, a
    hundred to a call whatever table they are of; what DynamoDB leaves over is asked for again.

    Raises
    ------
    TransientError : not all could be read within `seconds`.
    """
    give_up = time.monotonic() + seconds
    pending = [(name, key) for name, of in keys.items() for key in of]
    found: dict[str, list[Item]] = {name: [] for name in keys}
    short = {stage.table(name): name for name in keys}
    pause, slowest = 0.05, 0.0
    while pending:
        begun = time.monotonic()
        chunk, rest = pending[:READ_ITEMS], pending[READ_ITEMS:]
        try:
            answer = _ask(stage, chunk)
            left = [
                (short[table], key)
                for table, of in (answer.get("UnprocessedKeys") or {}).items()
                for key in of["Keys"]
            ]
            for table, items in answer["Responses"].items():
                found[short[table]] += items
        except aws.BREAKS as error:
            raise _unread(keys, aws.code_of(error)) from None
        except aws.FAILURES:  # not DynamoDB's answer, or not all of it
            raise _unread(keys, "BadAnswer") from None
        pending = left + rest
        now = time.monotonic()
        slowest = max(slowest, now - begun)
        # The client's own pauses are random, so a call may take longer than those before it.
        if pending and now + (pause if left else 0) + 1.5 * slowest > give_up:
            raise _unread(keys, "throttled")
        if left:
            time.sleep(pause)
            pause = min(pause * 2, 1.0)
    return found


def _ask(stage: Stage, chunk: Sequence[tuple[str, Item]]) -> Any:
    wanted: dict[str, Any] = {}
    for name, key in chunk:
        request = wanted.setdefault(stage.table(name), {"Keys": [], "ConsistentRead": True})
        request["Keys"].append(key)
    return stage.dynamodb.batch_get_item(RequestItems=wanted)


def _unread(names: Iterable[str], why: str) -> TransientError:
    return TransientError(f"the {' and the '.join(names)} cannot be read ({why})")


def write(stage: Stage, name: str, items: Sequence[Item], seconds: float) -> list[Item]:
    """Write items whole, whatever is there, 25 to a call; gives those that could not be written within
    `seconds`. Their keys differ.
    """
    give_up = time.monotonic() + seconds
    full = stage.table(name)
    pending: list[Any] = [{"PutRequest": {"Item": item}} for item in items]

    def turn() -> bool:
        nonlocal pending
        chunk, rest = pending[:WRITE_ITEMS], pending[WRITE_ITEMS:]
        try:
            answer = stage.dynamodb.batch_write_item(RequestItems={full: chunk})
            unprocessed: Any = answer.get("UnprocessedItems")
            # Without that field it was not DynamoDB's answer, or not all of it.
            left = chunk if unprocessed is None else list(unprocessed.get(full, []))
        except aws.FAILURES:
            left = chunk
        pending = left + rest
        return not left

    turns(lambda: bool(pending), turn, give_up)
    return [request["PutRequest"]["Item"] for request in pending]


def turns(more: Callable[[], bool], turn: Callable[[], bool], give_up: float) -> None:
    """Call `turn` while there is `more` to do and time; where it says that it got nowhere, wait."""
    pause, slowest = 0.05, 0.0
    while more():
        begun = time.monotonic()
        if turn():
            continue
        now = time.monotonic()
        slowest = max(slowest, now - begun)
        if now + pause + 1.5 * slowest > give_up:  # the client's own pauses are random
            break
        time.sleep(pause)
        pause = min(pause * 2, 1.0)
