"""chalicelib/stage.py: what a stage has in hand."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from chalicelib.stage import Stage

AT_ONCE = 8


def test_clients_are_made_one_by_one_and_each_once_whoever_asks_for_them() -> None:
    """Two threads in one botocore session trip over each other: a page that asks SNS side by side failed so."""
    together = threading.Barrier(AT_ONCE)
    making = threading.Lock()
    made: list[str] = []

    def make(service: str) -> Any:
        assert making.acquire(blocking=False), "two are being made at once"
        made.append(service)
        making.release()
        return object()

    stage = Stage("local", make)

    def ask(number: int) -> Any:
        together.wait()
        return stage.sns if number % 2 else stage.client("sts")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        clients = list(pool.map(ask, range(AT_ONCE)))
    assert sorted(made) == ["sns", "sts"]
    assert len(set(map(id, clients))) == 2
