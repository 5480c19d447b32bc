"""How a stage's lanes are doing just now, in few calls: their queues, and the ledger's last minute."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from chalicelib import names
from chalicelib.console.figures import percentile, took
from chalicelib.lanes.ending import WAITING
from chalicelib.patience import Patience
from chalicelib.rules.routing import Routing
from chalicelib.stage import Stage
from chalicelib.store import ledger, listing, statuses
from chalicelib.store.listing import Wanted
from chalicelib.store.record import Record, from_item, text_of
from cli.stages import LOCAL
from cli.target import Target

_SECONDS: Final = 15.0
_MINUTE: Final = timedelta(minutes=1)
_DAY: Final = timedelta(days=1)
FAILING: Final = 5
"""So many failing keys are named; what is looked at is bounded, however many there are."""
_LOOKED_AT: Final = 50
_OLDEST: Final = 200
_WAITS: Final = (statuses.ACCEPTED, statuses.RETRYING)


@dataclass(frozen=True, slots=True)
class Lane:
    """A lane: messages that `wait`, are `in_hand` of a worker, and are `dead` letters; for how many seconds the
    `oldest` has waited (None: nobody knows, or nothing waits); and of what began in the last minute, how many
    were sent, and how many seconds that took for half of them, and for 95 of 100."""

    name: str
    waiting: int
    in_hand: int
    dead: int
    oldest: float | None
    sent: int
    half: float | None
    most: float | None


@dataclass(frozen=True, slots=True)
class Look:
    """All lanes at one moment, and events that keep their ordering keys waiting, the newest first."""

    at: datetime
    lanes: Sequence[Lane]
    failing: Sequence[Record]


def look(target: Target, routing: Routing) -> Look:
    """Look at every lane.

    Raises
    ------
    TransientError : the ledger does not answer.
    BotoCoreError, ClientError : a queue does not, or is not there.
    """
    stage, now = target.handle(), datetime.now(UTC)
    lanes, patience = list(routing.lanes), Patience(_SECONDS)
    with ThreadPoolExecutor(2 * len(lanes)) as pool:
        queues = list(pool.map(lambda lane: _depth(stage, names.queue(stage.name, lane)), lanes))
        dead = list(pool.map(lambda lane: _depth(stage, names.dead_queue(stage.name, lane)), lanes))
    waiting = [lane for lane, depth in zip(lanes, queues, strict=True) if sum(depth)]
    oldest = _oldest(target, stage, waiting, now, patience) if waiting else {}
    sent, times = _last_minute(stage, now, patience)
    failing = _failing(stage, now, patience)
    return Look(
        now,
        [
            Lane(
                lane,
                *depth,
                sum(letters),
                oldest.get(lane),
                round(sent[lane]),
                percentile(times.get(lane, ()), 0.5),
                percentile(times.get(lane, ()), 0.95),
            )
            for lane, depth, letters in zip(lanes, queues, dead, strict=True)
        ],
        failing,
    )


def _depth(stage: Stage, queue: str) -> tuple[int, int]:
    url = stage.sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    asked: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    told: Any = stage.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=asked)
    waiting, in_hand = (int(told["Attributes"][name]) for name in asked)
    return waiting, in_hand


def _last_minute(
    stage: Stage, now: datetime, patience: Patience
) -> tuple[Mapping[str, float], dict[str, list[float]]]:
    """How many events of each lane began and were sent in the last minute, and how long each took (seconds)."""
    [sample], _ = listing.sample(stage, now - _MINUTE, now, patience, 1)
    sent: defaultdict[str, float] = defaultdict(float)
    times: dict[str, list[float]] = {}
    for record in map(from_item, sample.items):
        if record.status != statuses.PUBLISHED:
            continue
        sent[record.lane] += sample.weight
        seconds = took(record)
        if seconds is not None:
            times.setdefault(record.lane, []).append(seconds)
    return sent, times


def _failing(stage: Stage, now: datetime, patience: Patience) -> list[Record]:
    """Events that failed and are tried again, the newest of a day, as the ledger has them."""
    wanted = Wanted(status=statuses.RETRYING, since=text_of(now - _DAY))
    page = listing.newest(stage, wanted, _LOOKED_AT, patience)
    # Of what only waits behind another, the other is told.
    records = [record for record in map(from_item, page.items) if record.reason != WAITING]
    keys = [record.key for record in records[:FAILING]]
    found = ledger.read(stage, keys, patience.left()) if keys else {}
    return [found[key] for key in keys if key in found]


def _oldest(
    target: Target, stage: Stage, lanes: Sequence[str], now: datetime, patience: Patience
) -> dict[str, float]:
    """For how many seconds the oldest message of each of these lanes has waited.

    CloudWatch knows it of a queue, a minute late; the local AWS has no such metric, and few events.
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
    """
    if target.stage == LOCAL:
        return _oldest_of_ledger(stage, lanes, now, patience)
    queries: Any = [
        {
            "Id": f"q{number}",
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/SQS",
                    "MetricName": "ApproximateAgeOfOldestMessage",
                    "Dimensions": [{"Name": "QueueName", "Value": names.queue(stage.name, lane)}],
                },
                "Period": 60,
                "Stat": "Maximum",
            },
        }
        for number, lane in enumerate(lanes)
    ]
    told = target.client("cloudwatch").get_metric_data(
        MetricDataQueries=queries,
        StartTime=now - timedelta(minutes=5),
        EndTime=now,
        ScanBy="TimestampDescending",
    )
    found = {result["Id"]: result["Values"] for result in told["MetricDataResults"]}
    values = {lane: found.get(f"q{number}") for number, lane in enumerate(lanes)}
    return {lane: value[0] for lane, value in values.items() if value}


def _oldest_of_ledger(
    stage: Stage, lanes: Sequence[str], now: datetime, patience: Patience
) -> dict[str, float]:
    found: dict[str, float] = {}
    for lane in lanes:
        for status in _WAITS:
            page = listing.newest(stage, Wanted(status=status, lane=lane), _OLDEST, patience)
            for record in map(from_item, page.items):
                age = (now - datetime.fromisoformat(record.began)).total_seconds()
                found[lane] = max(age, found.get(lane, 0.0))
    return found
