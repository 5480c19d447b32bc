"""One worker process with one contender in it, told what to do over stdin and stdout."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import contenders

BATCH = 10


class Worker:
    """A worker process, seen from the benchmark."""

    def __init__(self, name: str, endpoint: str, by: str = "topic") -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", name, by],
            cwd=contenders.ROOT,
            env=contenders.environment_variables(endpoint),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, batches: int, profile: str = "") -> dict[str, float]:
        """Handle so many fresh batches; gives the `cpu` and `wall` seconds that it took."""
        assert self._process.stdin is not None and self._process.stdout is not None
        print(json.dumps([batches, profile]), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("a worker died; what it said stands above")
        found: dict[str, float] = json.loads(line)
        return found

    def close(self) -> None:
        self._process.communicate("")


def shipped(number: int) -> dict[str, Any]:
    """An order.shipped event unlike any of another number, its recipient included."""
    from tests.factories import sample

    data = sample("order.shipped")["data"]
    return {
        "specversion": "1.0",
        "type": "order.shipped",
        "source": "/shop",
        "id": f"e-{number}",
        "recipient": f"cus-{number}",
        "time": "2026-12-01T11:05:00+01:00",
        "data": {
            **data,
            "order": {**data["order"], "id": f"A-{number}"},
            "tracking": {**data["tracking"], "number": f"PQ7H2K{number:09}"},
            "delivery": {"expected": f"2026-12-{3 + number % 5:02}"},
        },
    }


def batches_of(count: int, first: int) -> list[dict[str, Any]]:
    """SQS Lambda events of ten order.shipped each; every event new, every ordering key another."""
    from tests.factories import record

    return [
        {
            "Records": [
                record(shipped(number), group=f"cus-{number}", message_id=f"m-{number}")
                for number in range(start, start + BATCH)
            ]
        }
        for start in range(first, first + count * BATCH, BATCH)
    ]


def main() -> None:
    handler = contenders.CONTENDERS[sys.argv[1]](sys.argv[2])
    context = contenders.Context()
    first = 0
    for line in sys.stdin:
        count, profile = json.loads(line)
        batches = batches_of(count, first)
        first += count * BATCH
        if profile:
            import cProfile

            profiler = cProfile.Profile(time.process_time)  # CPU, not waiting
            profiler.enable()
        # What it logs is Lambda's business.
        with Path(os.devnull).open("w") as log, contextlib.redirect_stderr(log):
            wall, cpu = time.perf_counter(), time.process_time()
            for batch in batches:
                handler(batch, context)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        if profile:
            profiler.disable()
            profiler.dump_stats(profile)
        print(json.dumps({"cpu": cpu, "wall": wall}), flush=True)


if __name__ == "__main__":
    main()
