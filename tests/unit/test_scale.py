"""benchmarks/scale.py: the simulated lane keeps what a real one promises."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import simpy

from benchmarks import scale
from benchmarks.scale import Setting, simulate

BUSY = Setting(events=3_000, rate=500, keys=20)


@pytest.fixture
def lanes(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The lanes that are simulated."""
    made: list[Any] = []
    lane = scale._Lane

    def kept(setting: Setting, env: simpy.Environment) -> Any:
        made.append(lane(setting, env))
        return made[-1]

    monkeypatch.setattr(scale, "_Lane", kept)
    return made


@pytest.mark.parametrize("by_turns", [False, True])
def test_nothing_is_lost_and_the_order_of_each_key_is_kept(
    lanes: list[Any], by_turns: bool
) -> None:
    found = simulate(replace(BUSY, by_turns=by_turns, skew=1))
    assert found.sent == BUSY.events
    last: dict[int, float] = {}
    for key, accepted in lanes[0].order:
        assert accepted >= last.get(key, 0)
        last[key] = accepted


def test_one_key_has_one_worker_however_many_there_are() -> None:
    found = simulate(replace(BUSY, keys=1, backlog=True, first=50))
    assert found.workers == 1
    # Ten messages: handed over, read, ten waves, recorded.
    batch = BUSY.overhead + 12 * BUSY.call + 10 * BUSY.cpu * 1769 / BUSY.memory
    assert found.per_second == pytest.approx(10 / batch, rel=0.01)


def test_more_keys_are_more_at_once() -> None:
    rates = [
        simulate(replace(BUSY, keys=keys, backlog=True, first=50)).per_second for keys in (1, 5, 50)
    ]
    assert rates[0] * 4 < rates[1] < rates[2]


def test_a_channel_lets_through_what_it_can_and_is_what_is_waited_for() -> None:
    found = simulate(replace(BUSY, keys=3_000, channel=100))
    assert found.per_second == pytest.approx(100, rel=0.05)
    assert found.most == "the channel"


def test_a_key_that_its_partition_refuses_holds_up_no_other(lanes: list[Any]) -> None:
    simulate(replace(BUSY, skew=3, partition=50))
    busy = [accepted for key, accepted in lanes[0].order if key == 0]
    others = [accepted for key, accepted in lanes[0].order if key]
    assert max(busy) > 4 * max(others)


def test_what_is_quiet_waits_for_nothing() -> None:
    found = simulate(replace(BUSY, rate=1, events=200))
    assert found.most == "nothing"
    assert found.p50 == pytest.approx(
        BUSY.overhead + 2 * BUSY.call + BUSY.cpu * 1769 / BUSY.memory, rel=0.01
    )


def test_the_same_seed_gives_the_same() -> None:
    assert simulate(BUSY) == simulate(BUSY)
    assert simulate(BUSY) != simulate(replace(BUSY, seed=2))
