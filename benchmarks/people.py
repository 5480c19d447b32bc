"""How people are imported, and how long one takes to find among ten and among a million.

    .venv-bench/bin/python -m benchmarks.people [--number 1000000]

Against the local AWS's DynamoDB. What is measured of a look-up is the lane's own: the one call that reads
a batch of ten, ledger and people together; its rounds alternate between the small table and the large one.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import environment

FEW: Final = 10
ROUNDS: Final = 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--number", type=int, default=100_000)
    number = parser.parse_args().number
    environment.enter()
    from cli import setup
    from cli.stack.emulator import Emulator, free_port

    setup.ensure("aws")
    with (
        tempfile.TemporaryDirectory() as home,
        Emulator(Path(home), free_port()) as emulator,
    ):
        few, many = _stage(emulator, "few"), _stage(emulator, "many")
        _import(few, FEW)
        calls, seconds = _import(many, number)
        print(
            f"{number:,} imported in {seconds:.0f} s, {number / seconds:,.0f} a second, "
            f"{calls / number:.3f} calls each"
        )
        _read(few, FEW), _read(many, number)  # warm
        times: dict[str, list[float]] = {"few": [], "many": []}
        for _ in range(ROUNDS):
            times["few"].append(_timed(lambda: _read(few, FEW)))
            times["many"].append(_timed(lambda: _read(many, number)))
        of_few, of_many = (statistics.median(times[name]) * 1000 for name in ("few", "many"))
        print(f"ten found among {FEW}: {of_few:.2f} ms; among {number:,}: {of_many:.2f} ms", end="")
        print(f", {of_many / of_few:.2f} times that (one call each)")


def _stage(emulator: Any, name: str) -> Any:
    from chalicelib.stage import Stage

    stage = Stage(name, emulator.client)
    for table, keys in (("people", ("id",)), ("ledger", ("id", "source"))):
        stage.dynamodb.create_table(
            TableName=stage.table(table),
            AttributeDefinitions=[{"AttributeName": k, "AttributeType": "S"} for k in keys],
            KeySchema=[
                {"AttributeName": k, "KeyType": kind}
                for k, kind in zip(keys, ("HASH", "RANGE"), strict=False)
            ],
            BillingMode="PAY_PER_REQUEST",
        )
    return stage


def _import(stage: Any, number: int) -> tuple[int, float]:
    """Import so many; gives the calls and the seconds that it took."""
    from cli.people import importing

    calls: Counter[str] = Counter()
    stage.dynamodb.meta.events.register(
        "before-call.dynamodb.*", lambda model, **_: calls.update([model.name])
    )
    begun = time.monotonic()
    for _ in importing.save(stage, _everybody(number)):
        pass
    return calls.total(), time.monotonic() - begun


def _everybody(number: int) -> Iterator[tuple[str, dict[str, Any]]]:
    for n in range(number):
        yield (
            f"c-{n}",
            {
                "email": f"customer{n}@example.com",
                "phone": f"+346{n:08d}",
                "locale": "es",
                "preferences": {"promotions": {"sms": False}},
            },
        )


def _read(stage: Any, number: int) -> None:
    from chalicelib.store import people, table

    wanted = [people.key_of(f"c-{n * (number // FEW)}") for n in range(FEW)]
    events = [{"id": {"S": f"e-{n}"}, "source": {"S": "/shop"}} for n in range(FEW)]
    found = table.read(stage, {table.LEDGER: events, table.PEOPLE: wanted}, 10)
    assert len(found[table.PEOPLE]) == FEW


def _timed(call: Callable[[], None]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
