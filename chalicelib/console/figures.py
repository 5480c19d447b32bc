"""How many, what became of them, and how long it took: over an hour, a day, a week or a month."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import field
from datetime import UTC, datetime, timedelta
from typing import Final

from chalicelib.console import charts, times
from chalicelib.console.activity import KINDS
from chalicelib.console.visit import Page, Visit
from chalicelib.store import listing, statuses
from chalicelib.store.listing import Sample
from chalicelib.store.record import Record, from_item
from chalicelib.values import dataclass

SPANS: Final = {
    "hour": (timedelta(hours=1), 12),
    "day": (timedelta(days=1), 24),
    "week": (timedelta(days=7), 14),
    "month": (timedelta(days=30), 30),
}
# Those that are known at once, in the order in which a bar has them, from below.
CLASSES: Final = ("ok", "wait", "off", "bad")


@dataclass(slots=True)
class Bar:
    """What began in one interval: how many of each kind and status (estimates, where it is a sample), and how
    many seconds they took."""

    begins: datetime
    kinds: dict[str, int] = field(default_factory=dict)
    statuses: Counter[str] = field(default_factory=Counter)
    took: list[float] = field(default_factory=list)

    @property
    def total(self) -> int:
        return sum(self.kinds.values())

    def percentile(self, share: float) -> float | None:
        """How long so many of them took at the most; None where it took none."""
        return percentile(self.took, share)


def show(visit: Visit) -> Page:
    span = visit.query.get("span", "day")
    span = span if span in SPANS else "day"
    length, number = SPANS[span]
    step = length / number
    until = _end_of(datetime.now(UTC), step)
    samples, is_all = listing.sample(visit.stage, until - length, until, visit.patience, number)
    bars = [
        bar_of(until - length + step * n, found, visit.key.may_type)
        for n, found in enumerate(samples)
    ]
    took = [seconds for bar in bars for seconds in bar.took]
    counts = sum((bar.statuses for bar in bars), Counter[str]())
    labels = [_label(bar.begins, span, visit.language) for bar in bars]
    return Page(
        "figures",
        {
            "span": span,
            "spans": list(SPANS),
            "bars": list(zip(labels, bars, strict=True)),
            "classes": CLASSES,
            "total": sum(bar.total for bar in bars),
            "counts": [(s, counts[s], KINDS[s]) for s in statuses.STATUSES if counts[s]],
            "is_all": is_all,
            "half": _told(percentile(took, 0.5)),
            "most": _told(percentile(took, 0.95)),
            "told": _told,
            "counted": charts.stacked([[bar.kinds.get(k, 0) for k in CLASSES] for bar in bars]),
            "timed": charts.lines(
                [[bar.percentile(0.5) for bar in bars], [bar.percentile(0.95) for bar in bars]],
                times.lasted,
            ),
            "ticks": charts.ticks(labels),
        },
    )


def _end_of(now: datetime, step: timedelta) -> datetime:
    """When the interval ends that we are in: at a whole number of steps since midnight on the shop's clock."""
    zone = times.shop_zone()
    midnight = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    passed = (now - midnight) // step + 1
    return midnight.astimezone(UTC) + step * passed


def bar_of(begins: datetime, sample: Sample, may_type: object) -> Bar:
    """An interval, from what was read of it."""
    bar = Bar(begins)
    found: Counter[str] = Counter()
    for item in sample.items:
        record = from_item(item)
        if not callable(may_type) or not may_type(record.type):
            continue
        found[record.status] += 1
        seconds = took(record)
        if seconds is not None:
            bar.took.append(seconds)
    for status, count in found.items():
        estimate = round(count * sample.weight)
        bar.statuses[status] = estimate
        kind = KINDS.get(status, "wait")
        bar.kinds[kind] = bar.kinds.get(kind, 0) + estimate
    return bar


def took(record: Record) -> float | None:
    """How many seconds it took from being accepted to being sent, or found to be for nobody; None for what
    waited for its time, is not over, or failed."""
    if record.status not in (statuses.PUBLISHED, statuses.SUPPRESSED) or len(record.timeline) < 2:
        return None
    if any(line.endswith(f" {statuses.HELD}") for line in record.timeline):
        return None
    first, last = (line.split(" ", 1)[0] for line in (record.timeline[0], record.timeline[-1]))
    return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()


def percentile(took: Sequence[float], share: float) -> float | None:
    if not took:
        return None
    return sorted(took)[min(len(took) - 1, int(len(took) * share))]


def _told(seconds: float | None) -> str:
    return "–" if seconds is None else times.lasted(seconds)


def _label(moment: datetime, span: str, language: str) -> str:
    at = moment.astimezone(times.shop_zone())
    if span in ("hour", "day"):
        return f"{at:%H:%M}"
    return times.day(at, language)
