"""What a run's arrivals say: order, doubles, latency. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cli.verify.listener import Arrival
from cli.verify.marks import Mark

PERCENTILES: Final = (50, 95, 99)


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that so many percent do not exceed, by the nearest rank: it is one of them."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p95 and p99 of some times in seconds, in whole milliseconds."""
    return {f"p{p}": round(percentile(seconds, p) * 1000) for p in PERCENTILES}


@dataclass(frozen=True, slots=True)
class Sorted:
    """Arrivals by what they are: each event once, published twice, or handed over twice by SNS."""

    once: Mapping[Mark, Arrival]
    published_twice: Collection[Mark]
    delivered_twice: Collection[Mark]


def sort(arrivals: Iterable[Arrival]) -> Sorted:
    """Tell what Heraldo published twice, under two ids of SNS's, from what SNS handed over twice."""
    once: dict[Mark, Arrival] = {}
    published: set[Mark] = set()
    delivered: set[Mark] = set()
    for one in arrivals:
        first = once.setdefault(one.mark, one)
        if first.message_id != one.message_id:
            published.add(one.mark)
        elif first is not one:
            delivered.add(one.mark)
    return Sorted(once, published, delivered)


def overtaken(arrivals: Iterable[Arrival]) -> list[Mark]:
    """Events of which SNS was told after a later one of their ordering key.

    Where SNS says the same of both, what counts is when SQS had them, and at last when they were received.
    """
    return _late(sorted(arrivals, key=lambda one: (one.told, one.came, one.place)))


def swapped(arrivals: Iterable[Arrival]) -> list[Mark]:
    """Events that SQS had after a later one of their ordering key: a standard topic keeps order by best effort."""
    return _late(sorted(arrivals, key=lambda one: (one.came, one.told, one.place)))


def _late(arrivals: Iterable[Arrival]) -> list[Mark]:
    last: dict[tuple[str, str], int] = {}
    late: list[Mark] = []
    for one in arrivals:
        key = (one.mark.part, one.mark.key)
        if one.mark.number < last.get(key, 0):
            late.append(one.mark)
        last[key] = max(one.mark.number, last.get(key, 0))
    return late
