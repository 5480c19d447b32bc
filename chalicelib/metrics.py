"""Figures for CloudWatch, in its embedded metric format: a line of a function's log is all that one takes.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from dataclasses import field
from typing import Any, Final

from chalicelib.values import dataclass

NAMESPACE: Final = "Heraldo"
LATENCY: Final = "latency"
"""Milliseconds from being accepted, or from the time until which it was held, to being sent."""
DUPLICATE: Final = "duplicate"
# Each figure is one of a stage and lane, and one of a stage and event type: what CloudWatch is paid for is how
# many of these there are, so nothing is a dimension that grows with what comes in.
_DIMENSIONS: Final = (("stage", "lane"), ("stage", "type"))
_OF_REASON: Final = ("stage", "reason")
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html#CloudWatch_Embedded_Metric_Format_Specification_structure_target
_MOST_VALUES: Final = 100


@dataclass(slots=True)
class _Figures:
    counts: Counter[str] = field(default_factory=Counter)
    latencies: list[int] = field(default_factory=list)


class Tally:
    """What became of the events of one call or batch, by lane, event type and reason."""

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self._found: dict[tuple[str, str, str], _Figures] = {}

    def add(
        self,
        what: str,
        lane: str,
        event_type: str,
        reason: str = "",
        latency: float | None = None,
    ) -> None:
        """Count an event; `latency` is in milliseconds."""
        figures = self._found.get((lane, event_type, reason))
        if figures is None:
            figures = self._found[lane, event_type, reason] = _Figures()
        figures.counts[what] += 1
        if latency is not None:
            figures.latencies.append(max(0, round(latency)))

    def tell(self) -> None:
        """Write what was counted: a line for each lane, type and reason that there was."""
        for (lane, event_type, reason), figures in self._found.items():
            about = {"stage": self._stage, "lane": lane, "type": event_type}
            if reason:
                about["reason"] = reason
            values: dict[str, Any] = dict(figures.counts)
            for begin in range(0, max(1, len(figures.latencies)), _MOST_VALUES):
                if some := figures.latencies[begin : begin + _MOST_VALUES]:
                    values[LATENCY] = some
                _line(about, values)
                values = {}


def _line(about: dict[str, str], values: dict[str, Any]) -> None:
    metrics = [
        {"Name": name, "Unit": "Milliseconds" if name == LATENCY else "Count"} for name in values
    ]
    dimensions = [*_DIMENSIONS, _OF_REASON] if "reason" in about else _DIMENSIONS
    told = {"Namespace": NAMESPACE, "Dimensions": dimensions, "Metrics": metrics}
    embedded = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [told]}
    sys.stderr.write(json.dumps({"_aws": embedded, **about, **values}) + "\n")
