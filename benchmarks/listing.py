"""What a page of the ledger costs among ten events and among many, and what its index costs an event.

    .venv/bin/python -m benchmarks.listing [--number 100000]

Against the local AWS's DynamoDB, which says nothing of what AWS would ask for a write: that is reckoned from
the sizes of items, as AWS does: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LSI.html
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import yaml

sys.path.insert(0, str(Path(__file__).parents[1]))

from chalicelib.patience import Patience
from chalicelib.stage import Stage
from chalicelib.store import listing, table
from chalicelib.store.listing import Wanted
from chalicelib.store.record import Record, text_of, to_item
from cli import setup
from cli.paths import ROOT
from cli.stack.emulator import Emulator, free_port

ROUNDS: Final = 3
TYPES: Final = ("order.placed", "order.shipped", "cart.abandoned", "promotion.started")
RARE: Final = 5_000  # one of so many has failed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--number", type=int, default=100_000)
    number = parser.parse_args().number
    setup.ensure("aws")
    _say_what_a_write_costs()
    with tempfile.TemporaryDirectory() as home, Emulator(Path(home), free_port()) as emulator:
        few, many = _stage(emulator, "few", 10), _stage(emulator, "many", number)
        whose = _record(3).whose
        asked: dict[str, Callable[[Stage], Any]] = {
            "the newest": lambda stage: _page(stage, Wanted()),
            "of one recipient": lambda stage: _page(stage, Wanted(whose=whose)),
            "of a type": lambda stage: _page(stage, Wanted(type=TYPES[1])),
            "what failed": lambda stage: _page(stage, Wanted(status="failed")),
            "figures of a day": lambda stage: _figures(stage),
        }
        for name, ask in asked.items():
            costs = []
            for stage in (few, many):
                ask(stage)
                seen.clear()
                times = [_timed(partial(ask, stage)) for _ in range(ROUNDS)]
                calls, items = len(seen) // ROUNDS, sum(seen) // ROUNDS
                costs.append(
                    f"{statistics.median(times) * 1000:.0f} ms, {calls} calls, {items:,} looked at"
                )
            print(f"{name}: among 10: {costs[0]}; among {number:,}: {costs[1]}", flush=True)


seen: list[int] = []


def _say_what_a_write_costs() -> None:
    record = _record(1)
    last, record.timeline = record.timeline[1], record.timeline[:1]
    claimed = to_item(
        Record(**{**_fields(record), "status": "accepted", "sent": {}, "rules": ()}), "1"
    )
    record.timeline.append(last)
    done = to_item(record, "1")
    for name, item in (("accepted", claimed), ("published", done)):
        own = {k: v for k, v in item.items() if k not in ("shard", "at", "whose")}
        inside = {k: v for k, v in item.items() if k in _projected()}
        print(
            f"{name}: the item has {_bytes(own)} bytes without the index, {_bytes(item)} with it"
            f" ({_units(own)} and {_units(item)} write units); the index's {_bytes(inside)}: {_units(inside)} more"
        )


def _fields(record: Record) -> dict[str, Any]:
    return {name: getattr(record, name) for name in Record.__slots__}


def _units(item: dict[str, Any]) -> int:
    return math.ceil(_bytes(item) / 1024)


def _bytes(item: dict[str, Any]) -> int:
    return sum(
        len(name) + len(str(next(iter(value.values()))).encode()) for name, value in item.items()
    )


def _projected() -> set[str]:
    [index] = _declared()["GlobalSecondaryIndexes"]
    return {"id", "source", "shard", "at", *index["Projection"]["NonKeyAttributes"]}


def _declared() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "infra" / "resources.yaml").read_text("utf-8"))
    properties: dict[str, Any] = found["Resources"]["LedgerTable"]["Properties"]
    return properties


def _stage(emulator: Emulator, name: str, number: int) -> Stage:
    stage = Stage(name, lambda service: emulator.client(service, max_pool_connections=10))
    keys = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
    declared = _declared()
    emulator.client("dynamodb").create_table(
        TableName=stage.table(table.LEDGER), **{key: declared[key] for key in keys}
    )
    for begin in range(0, number, 1000):
        items = [to_item(_record(n), "1") for n in range(begin, min(begin + 1000, number))]
        assert not table.write(stage, table.LEDGER, items, 600)
    stage.dynamodb.meta.events.register(
        "after-call.dynamodb.Query", lambda parsed, **_: seen.append(parsed["ScannedCount"])
    )
    return stage


_BEGAN: Final = datetime.now(UTC)


def _record(number: int) -> Record:
    """An event of the last 30 days of a shop, as the ledger has it in the end."""
    space = uuid.UUID(int=7)
    record = Record(str(uuid.uuid5(space, str(number))), "/shop", lane="orders")
    record.type = TYPES[number % len(TYPES)]
    record.whose = uuid.uuid5(space, f"customer {number % 20_000}").hex
    record.rules, record.sender, record.template = ("customers",), "shop", "a1c8f48788fe"
    record.fields = "f" * 200
    record.sent = {"recipient:email": f"{uuid.uuid5(space, str(-number))}@email.amazonses.com"}
    at = _BEGAN - timedelta(seconds=25.92 * number)
    record.enter("accepted", text_of(at))
    record.enter("failed" if number % RARE == RARE - 1 else "published", text_of(at))
    return record


def _page(stage: Stage, wanted: Wanted) -> None:
    listing.newest(stage, wanted, 40, Patience(60))


def _figures(stage: Stage) -> None:
    listing.sample(stage, _BEGAN - timedelta(days=1), _BEGAN, Patience(60), 24)


def _timed(do: Callable[[], None]) -> float:
    begun = time.perf_counter()
    do()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
