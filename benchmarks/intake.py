"""What the door takes: events per second and latencies on the local stack, and the CPU of a check.

    python -m benchmarks.intake          about a minute; brings up a stack of its own
    python -m benchmarks.intake --cpu    the CPU of a check alone, a few seconds

Beside the door, in the same run and on the same local AWS, goes a bare boto3 `send_message` loop into a
FIFO queue that nobody drains: no check, no ledger, no answer to "what became of it?".
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final
from urllib.parse import urlsplit

from chalicelib.door import intake
from chalicelib.errors import InvalidEvent
from chalicelib.events import bounds, event
from chalicelib.rules.reading import routing
from cli.deploy import package
from cli.stack import local
from cli.stack.emulator import Emulator, free_port

ROOT: Final = Path(__file__).resolve().parents[1]
TYPES: Final = ("order.shipped", "order.placed", "critical.alert")
SINGLE: Final = 400
BATCHES: Final = 24
BATCH: Final = 500
CLIENTS: Final = 4
CPU_EVENTS: Final = 1_000
CPU_ROUNDS: Final = 7


def main() -> None:
    parser = argparse.ArgumentParser(description="What the door takes.")
    parser.add_argument("--cpu", action="store_true", help="only the CPU of a check")
    options = parser.parse_args()
    if not options.cpu:
        load()
    cpu()


def sample(event_type: str, number: int) -> dict[str, Any]:
    file = ROOT / "templates" / event_type / "sample.json"
    found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return {**found, "id": f"{uuid.uuid4().hex}", "recipient": f"cus-{number}"}


# -- the running stack -----------------------------------------------------------------------------


def load() -> None:
    """Single events, batches, and the bare loop, one after the other on one stack."""
    os.environ["HERALDO_STAGE"] = local.STAGE
    built = package.build(local.STAGE)
    with tempfile.TemporaryDirectory() as home, Emulator(Path(home), free_port()) as emulator:
        facts, _ = local.set_up(emulator, built)
        door = Door(facts)
        bare = Bare(emulator)
        for number in range(2 * CLIENTS):  # the local AWS starts a worker for each at once
            door.single(number)
        print("| | clients | requests | events per second | p50 ms | p99 ms |")
        print("| --- | ---: | ---: | ---: | ---: | ---: |")
        for clients in (1, CLIENTS):
            at_once(clients, clients * 4, door.single)
            row("POST /events", clients, SINGLE * clients // CLIENTS, door.single)
        for clients in (1, CLIENTS):
            row("POST /events/batch of 500", clients, BATCHES // 2, door.batch, BATCH)
        for clients in (1, CLIENTS):
            row("boto3 send_message", clients, SINGLE, bare.send)


class Door:
    """The API, with a connection per thread; every answer is looked at."""

    def __init__(self, facts: local.Local) -> None:
        self.url = urlsplit(facts["api_url"])
        self.headers = {
            "Authorization": f"Bearer {facts['api_key']}",
            "Content-Type": "application/json",
        }
        self.own = threading.local()

    def single(self, number: int) -> None:
        status, answer = self._post("/events", sample("order.shipped", number))
        assert status == 202, answer

    def batch(self, number: int) -> None:
        events = [sample(TYPES[n % len(TYPES)], number * BATCH + n) for n in range(BATCH)]
        status, answer = self._post("/events/batch", events)
        assert status == 200, answer
        assert all(result["status"] == "accepted" for result in answer)

    def _post(self, path: str, body: Any) -> tuple[int, Any]:
        if not hasattr(self.own, "connection"):
            self.own.connection = http.client.HTTPConnection(self.url.netloc, timeout=60)
        text = json.dumps(body)
        self.own.connection.request("POST", self.url.path + path, text, self.headers)
        response = self.own.connection.getresponse()
        return response.status, json.loads(response.read())


class Bare:
    """What a script does that knows nothing of Heraldo."""

    def __init__(self, emulator: Emulator) -> None:
        self.sqs = emulator.client("sqs", max_pool_connections=50)
        made = self.sqs.create_queue(QueueName="bare.fifo", Attributes={"FifoQueue": "true"})
        self.url = made["QueueUrl"]

    def send(self, number: int) -> None:
        found = sample("order.shipped", number)
        self.sqs.send_message(
            QueueUrl=self.url,
            MessageBody=json.dumps(found),
            MessageGroupId=found["recipient"],
            MessageDeduplicationId=found["id"],
        )


def at_once(clients: int, times: int, call: Callable[[int], None]) -> list[float]:
    """Call so many times from so many threads; the milliseconds of each."""

    def timed(number: int) -> float:
        start = time.perf_counter()
        call(number)
        return (time.perf_counter() - start) * 1000

    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(timed, range(times)))


def row(
    name: str, clients: int, requests: int, call: Callable[[int], None], events: int = 1
) -> None:
    start = time.perf_counter()
    took = at_once(clients, requests, call)
    rate = requests * events / (time.perf_counter() - start)
    # Of a dozen batches the slowest is all that p99 can mean.
    high = quantiles(took, n=100)[98] if requests >= 100 else max(took)
    print(
        f"| {name} | {clients} | {requests} | {rate:.0f} | {median(took):.0f} | {high:.0f} |",
        flush=True,
    )


# -- the CPU of a check ----------------------------------------------------------------------------


def read(raw: Any) -> None:
    bounds.problems(raw)
    event.parse(raw, default_source="bench")


def in_one_locale(raw: Any) -> None:
    intake.check({**raw, "locale": "es"}, routing(), default_source="bench")


def whole(raw: Any) -> None:
    intake.check(raw, routing(), default_source="bench")


def refused(raw: Any) -> None:
    with contextlib.suppress(InvalidEvent):
        intake.check({**raw, "data": {}}, routing(), default_source="bench")


def cpu() -> None:
    """Microseconds of CPU per event.

    These events name a recipient, so that without a locale they are rendered in each.
    """
    print("\n| CPU per event, µs | read | checked in one locale | in every locale | refused |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for event_type in TYPES:
        events = [sample(event_type, n) for n in range(CPU_EVENTS)]
        figures = []
        for check in (read, in_one_locale, whole, refused):
            check(events[0])  # templates are compiled once per worker
            rounds = []
            for _ in range(CPU_ROUNDS):
                start = time.process_time()
                for raw in events:
                    check(raw)
                rounds.append((time.process_time() - start) / CPU_EVENTS * 1e6)
            figures.append(f"{median(rounds):.0f}")
        print(f"| {event_type} | {' | '.join(figures)} |")


if __name__ == "__main__":
    main()
