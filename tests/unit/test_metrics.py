"""chalicelib/metrics.py: lines that CloudWatch reads as figures."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.metrics import Tally

Capture = pytest.CaptureFixture[str]


def lines(capsys: Capture) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_batch_of_one_type_is_one_line(capsys: Capture) -> None:
    tally = Tally("dev")
    for milliseconds in (80.4, 91.6):
        tally.add("published", "orders", "order.shipped", latency=milliseconds)
    tally.tell()
    [line] = lines(capsys)
    [told] = line.pop("_aws")["CloudWatchMetrics"]
    assert told == {
        "Namespace": "Heraldo",
        "Dimensions": [["stage", "lane"], ["stage", "type"]],
        "Metrics": [
            {"Name": "published", "Unit": "Count"},
            {"Name": "latency", "Unit": "Milliseconds"},
        ],
    }
    assert line == {
        "stage": "dev",
        "lane": "orders",
        "type": "order.shipped",
        "published": 2,
        "latency": [80, 92],
    }


def test_what_has_a_reason_is_counted_by_it_too(capsys: Capture) -> None:
    tally = Tally("dev")
    tally.add("suppressed", "orders", "order.shipped", "opted-out")
    tally.add("suppressed", "orders", "order.shipped", "no-contact")
    tally.tell()
    found = lines(capsys)
    assert [line["reason"] for line in found] == ["opted-out", "no-contact"]
    for line in found:
        assert ["stage", "reason"] in line["_aws"]["CloudWatchMetrics"][0]["Dimensions"]


def test_a_figure_has_a_hundred_values_at_the_most(capsys: Capture) -> None:
    """CloudWatch drops the whole line otherwise."""
    tally = Tally("dev")
    for number in range(250):
        tally.add("published", "orders", "order.shipped", latency=number)
    tally.tell()
    found = lines(capsys)
    assert [len(line["latency"]) for line in found] == [100, 100, 50]
    assert [line.get("published") for line in found] == [250, None, None], "counted once"
    for line in found:
        [told] = line["_aws"]["CloudWatchMetrics"]
        assert all(metric["Name"] in line for metric in told["Metrics"])
        assert all(name in line for names in told["Dimensions"] for name in names)


def test_nothing_is_told_of_nothing(capsys: Capture) -> None:
    Tally("dev").tell()
    assert lines(capsys) == []


def test_a_clock_that_runs_behind_makes_no_figure_below_nothing(capsys: Capture) -> None:
    tally = Tally("dev")
    tally.add("published", "orders", "order.shipped", latency=-3.0)
    tally.tell()
    assert lines(capsys)[0]["latency"] == [0]
