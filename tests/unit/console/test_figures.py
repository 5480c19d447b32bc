"""chalicelib/console/figures.py and charts.py: what is counted, what is drawn."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.console import charts, figures, times
from chalicelib.store.listing import Sample
from chalicelib.store.record import Record, text_of, to_item

BEGAN = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)


def record(*steps: tuple[str, float], event_type: str = "order.placed") -> Record:
    found = Record("i", "/s", type=event_type, lane="orders")
    for status, after in steps:
        found.enter(status, text_of(BEGAN + timedelta(seconds=after)))
    return found


def item(*steps: tuple[str, float], event_type: str = "order.placed") -> dict[str, Any]:
    return to_item(record(*steps, event_type=event_type), "1")


@pytest.mark.parametrize(
    ("steps", "took"),
    [
        ([("accepted", 0), ("published", 0.4)], 0.4),
        ([("accepted", 0), ("retrying", 2), ("published", 60)], 60),
        ([("accepted", 0), ("suppressed", 0.1)], 0.1),
        ([("accepted", 0)], None),
        ([("published", 0)], None),
        ([("accepted", 0), ("failed", 5)], None),
        ([("held", 0), ("published", 3600)], None),
    ],
)
def test_how_long_an_event_took(steps: list[tuple[str, float]], took: float | None) -> None:
    assert figures.took(record(*steps)) == took


def test_a_bar_counts_what_the_key_may_see_each_for_as_many_as_it_stands_for() -> None:
    items = [
        *[item(("accepted", 0), ("published", 1))] * 3,
        item(("accepted", 0), ("failed", 1)),
        item(("accepted", 0), event_type="secret.thing"),
    ]
    bar = figures.bar_of(BEGAN, Sample(items, 16.0), lambda name: name == "order.placed")
    assert bar.kinds == {"ok": 48, "bad": 16}
    assert bar.statuses == {"published": 48, "failed": 16}
    assert bar.total == 64
    assert bar.took == [1, 1, 1]


@pytest.mark.parametrize(
    ("took", "half", "most"),
    [([], None, None), ([3.0], 3, 3), ([float(n) for n in range(100)], 50, 95)],
)
def test_percentiles(took: list[float], half: float | None, most: float | None) -> None:
    assert (figures.percentile(took, 0.5), figures.percentile(took, 0.95)) == (half, most)


@pytest.mark.parametrize(
    ("most", "top", "step"),
    [
        (0, 1, 1),
        (1, 1, 1),
        (3, 3, 1),
        (10, 10, 5),
        (17, 20, 5),
        (996, 1000, 500),
        (1001, 1500, 500),
    ],
)
def test_a_scale_ends_at_a_round_number(most: float, top: float, step: float) -> None:
    assert charts.rounded(most) == (top, step)


def test_the_parts_of_a_bar_stand_one_on_the_other_and_none_is_lost() -> None:
    drawn = charts.stacked([[300, 0, 200, 0], [0, 0, 0, 0], [1, 0, 0, 999]])
    first, second, little, rest = drawn.pieces
    assert (first.layer, second.layer, little.layer, rest.layer) == (0, 2, 0, 3)
    assert second.y + second.height == pytest.approx(first.y, abs=0.2)
    assert (first.height, second.height, little.height) == (60, 40, 1.5)
    assert next(label for _, label in drawn.scale) == "0"
    assert all(0 <= piece.x <= charts.WIDTH for piece in drawn.pieces)


def test_a_line_is_broken_where_there_is_nothing() -> None:
    drawn = charts.lines([[1.0, None, 2.0, 3.0]], times.lasted)
    assert [path.count("M") for path in drawn.paths] == [2]
    assert [len(dots) for dots in drawn.dots] == [3]
    assert charts.lines([[None, None]], times.lasted).is_empty


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (-1, "0 ms"),
        (0.24, "240 ms"),
        (3.21, "3.2 s"),
        (59, "59 s"),
        (180, "3 min"),
        (7200, "2 h"),
        (200_000, "2 d"),
    ],
)
def test_how_long_something_lasted(seconds: float, told: str) -> None:
    assert times.lasted(seconds) == told


def test_a_moment_is_told_on_the_shops_clock_with_its_day_where_that_is_another() -> None:
    now = datetime(2026, 7, 2, 12, 0, tzinfo=UTC)
    assert times.clock("2026-07-02T08:00:01.000Z", "es", now) == "10:00:01"
    assert times.clock("2026-07-01T22:30:00.000Z", "es", now) == "00:30:00"
    assert times.clock("2026-06-30T08:00:00.000Z", "es", now) == "30 jun 10:00"
    assert times.clock("2025-01-02T08:00:00.000Z", "en", now) == "2 Jan 2025"
