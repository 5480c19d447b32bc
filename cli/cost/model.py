"""What events cost: what AWS charges for, in the units that it charges for, times list prices. Pure."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cli.cost.calls import TOGETHER, Calls

FILE: Final = Path(__file__).with_name("prices.toml")
MILLION: Final = 1_000_000

# How long functions run. A call takes AWS some 5 ms within a region; CPU as docs/performance.md has it, on a
# whole core, of which a function has its memory's share:
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
_CALL_MS: Final = 5.0
_LANE_CPU_MS: Final = 0.45  # for each notification
_DOOR_CPU_MS: Final = 0.3  # for each event; and for each request, what Chalice and JSON take
_REQUEST_CPU_MS: Final = 3.0
_CORE_MB: Final = 1769
_POSTED_MS: Final = 100.0  # waiting for somebody else's server
# Bytes of log: Lambda's own three lines of an invocation; a line of the access log; a line of figures, at the
# door and in the lane (docs/watching.md).
_INVOCATION_LOG: Final = 400
_REQUEST_LOG: Final = 160
_FIGURES_LOG: Final = 420
# One call to the ledger takes a hundred events of a request, one to a queue ten.
_CLAIMS: Final = 100
_ENTRIES: Final = 10
# For each queue that it polls, Lambda begins with five connections, each of which waits up to 20 s:
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
_MONTH_SECONDS: Final = 30 * 24 * 3600
_POLLS_A_MONTH: Final = 5 * _MONTH_SECONDS / 20


@dataclass(frozen=True, slots=True)
class Prices:
    """What a million of each unit costs in a region, in dollars (`sqs.requests`), or one a month."""

    region: str
    as_of: str
    of: Mapping[str, float]
    pages: Mapping[str, str]


def regions() -> list[str]:
    """The regions whose prices are known."""
    tables = {name: found for name, found in _read().items() if isinstance(found, dict)}
    return [name for name in tables if name != "services"]


def prices(region: str) -> Prices:
    """The prices of a region that is known."""
    raw = _read()
    found = {
        f"{service}.{unit}": float(price)
        for service, units in raw[region].items()
        for unit, price in units.items()
    }
    return Prices(region, str(raw["as_of"]), found, raw["services"])


def _read() -> dict[str, Any]:
    return tomllib.loads(FILE.read_text("utf-8"))


def units(
    calls: Calls, *, batch: int, together: int, memory: int, transitions: float
) -> dict[str, float]:
    """What one event uses, by unit.

    `batch` events come in one request, `together` reach a lane at once; functions have `memory` MB; `transitions`
    are those of the journeys that it starts.
    """
    found: defaultdict[str, float] = defaultdict(float)
    share = min(1.0, memory / _CORE_MB)
    found["api_gateway.requests"] = 1 / batch
    claims, entries = -(-batch // _CLAIMS), -(-batch // _ENTRIES)
    door_calls = claims + (batch if calls.held else entries)
    door_ms = door_calls * _CALL_MS + (_REQUEST_CPU_MS + _DOOR_CPU_MS * batch) / share
    lane_calls = sum(
        number if name in TOGETHER or name.startswith("Batch") else number * together
        for name, number in calls.lane.items()
    )
    lane_ms = lane_calls * _CALL_MS + _LANE_CPU_MS * together / share
    invocations = 1 / batch + 1 / together
    milliseconds = door_ms / batch + lane_ms / together
    posts = calls.channels.get("webhook", 0)
    if posts:
        invocations += posts / together
        milliseconds += posts * _POSTED_MS
    found["lambda.requests"] = invocations
    found["lambda.seconds"] = milliseconds / 1000 * memory / 1024
    # Sent once, by the door or by the scheduler; received, and deleted.
    sends = 1.0 if calls.held else entries / batch
    found["sqs.requests"] = sends + 2 / together + posts * 3 / together
    found["dynamodb.writes"] = calls.writes + posts
    found["dynamodb.reads"] = calls.reads + (2 if calls.held else 0)
    # Ten messages of one topic are one request, as far as they have no more than 64 KB.
    found["sns.requests"] = calls.channels.get("topic", 0) / together
    found["sns.pushes"] = calls.channels.get("push", 0)
    found["ses.mails"] = calls.channels.get("email", 0)
    found["scheduler.schedules"] = float(calls.held)
    found["step_functions.transitions"] = transitions
    logged = (
        invocations * _INVOCATION_LOG
        + _REQUEST_LOG / batch
        + _FIGURES_LOG * (1 / batch + 1 / together)
    )
    found["logs.gigabytes"] = logged / 1e9 * MILLION
    return {unit: number for unit, number in found.items() if number}


def dollars(used: Mapping[str, float], known: Prices, events: int) -> dict[str, float]:
    """What so many events cost by service; the messages themselves (`MESSAGES`) stand for themselves."""
    found: defaultdict[str, float] = defaultdict(float)
    for unit, number in used.items():
        service = "messages" if unit in MESSAGES else unit.partition(".")[0]
        found[service] += number * known.of[unit] * events / MILLION
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))


MESSAGES: Final = ("ses.mails", "sns.pushes")
"""What is paid for a message to a person, whoever sends it."""


def monthly(known: Prices, *, alarms: int, queues: int, snapshots: float = 0.0) -> dict[str, float]:
    """What a stage costs a month before anything is sent; its snapshots have so many gigabytes."""
    seconds = snapshots * _MONTH_SECONDS / MILLION
    kept = {"snapshots": seconds * known.of["lambda.snapshots"]} if snapshots else {}
    return kept | {
        "alarms": alarms * known.of["cloudwatch.alarms"],
        "dashboard": known.of["cloudwatch.dashboards"],
        "key": known.of["kms.keys"],
        "polling": queues * _POLLS_A_MONTH * known.of["sqs.requests"] / MILLION,
    }
