"""A stage's dashboard in CloudWatch: what came, what became of it, how long it took, and what waits.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, Final

from chalicelib import metrics, names
from cli.deploy import policies

_WIDTH: Final = 24  # of CloudWatch's grid
_HEIGHT: Final = 6
_PERIOD: Final = 300
# In the order in which they are asked about; CloudWatch draws none that there is not.
_ENDS: Final = ("accepted", "published", "suppressed", "held", "expired", "failed", "duplicate")

Widget = dict[str, Any]


def dashboard(
    stage: str, lanes: Collection[str], functions: Collection[str], resources: Mapping[str, Any]
) -> dict[str, Any]:
    """The resource, for a stage with these lanes and functions whose alarms are among `resources`."""
    alarms = [
        found["Properties"]["AlarmName"]
        for found in resources.values()
        if found["Type"] == "AWS::CloudWatch::Alarm"
    ]
    functions = [policies.function_name(stage, name) for name in functions]
    rows = [
        [_alarms(alarms)],
        [_lane(stage, lane) for lane in lanes],
        [_latency(stage, lanes), _waiting(stage, lanes), _oldest(stage, lanes)],
        [
            _search(
                "Sent, by event type", f"{{{metrics.NAMESPACE},stage,type}}", stage, "published"
            ),
            _search("Not sent, by reason", f"{{{metrics.NAMESPACE},stage,reason}}", stage),
            _dead(stage, lanes),
        ],
        [
            _of_functions("Errors", "Errors", "Sum", functions),
            _of_functions("Duration, p95", "Duration", "p95", functions),
            _of_functions("Throttled", "Throttles", "Sum", functions),
        ],
    ]
    body = json.dumps({"widgets": _placed(rows)}, separators=(",", ":"))
    return {
        "Type": "AWS::CloudWatch::Dashboard",
        "Properties": {
            "DashboardName": names.dashboard(stage),
            "DashboardBody": {"Fn::Sub": body},
        },
    }


def _placed(rows: list[list[Widget]]) -> list[Widget]:
    """Widgets beside and below each other, those of a row equally wide."""
    placed = []
    for y, row in enumerate(rows):
        width = _WIDTH // len(row)
        for number, widget in enumerate(row):
            at = {"x": number * width, "y": y * _HEIGHT, "width": width, "height": _HEIGHT}
            placed.append({**widget, **at})
    return placed


def _alarms(alarms: Collection[str]) -> Widget:
    start = "arn:${AWS::Partition}:cloudwatch:${AWS::Region}:${AWS::AccountId}:alarm:"
    found = [f"{start}{name}" for name in sorted(alarms)]
    return {"type": "alarm", "properties": {"title": "Alarms", "alarms": found}}


def _metric(title: str, lines: list[list[Any]], stat: str, **more: Any) -> Widget:
    properties = {
        "title": title,
        "region": "${AWS::Region}",
        "view": "timeSeries",
        "period": _PERIOD,
        "stat": stat,
        "metrics": lines,
        **more,
    }
    return {"type": "metric", "properties": properties}


def _lane(stage: str, lane: str) -> Widget:
    lines = [
        [metrics.NAMESPACE, what, "stage", stage, "lane", lane, {"label": what}] for what in _ENDS
    ]
    return _metric(f"Events of {lane}", lines, "Sum")


def _latency(stage: str, lanes: Collection[str]) -> Widget:
    lines = [
        [
            *(metrics.NAMESPACE, metrics.LATENCY, "stage", stage, "lane", lane),
            {"label": f"{lane} {stat}", "stat": stat},
        ]
        for lane in lanes
        for stat in ("p50", "p99")
    ]
    return _metric("From accepted to sent, ms", lines, "p50")


def _waiting(stage: str, lanes: Collection[str]) -> Widget:
    return _queues(
        "Waiting",
        "ApproximateNumberOfMessagesVisible",
        {lane: names.queue(stage, lane) for lane in (*lanes, *names.INLETS)},
    )


def _oldest(stage: str, lanes: Collection[str]) -> Widget:
    return _queues(
        "The oldest has waited for, s",
        "ApproximateAgeOfOldestMessage",
        {lane: names.queue(stage, lane) for lane in (*lanes, *names.INLETS)},
    )


def _dead(stage: str, lanes: Collection[str]) -> Widget:
    return _queues(
        "Dead letters",
        "ApproximateNumberOfMessagesVisible",
        {lane: names.dead_queue(stage, lane) for lane in (*lanes, *names.INLETS)},
    )


def _queues(title: str, metric: str, queues: Mapping[str, str]) -> Widget:
    lines = [
        ["AWS/SQS", metric, "QueueName", queue, {"label": lane}] for lane, queue in queues.items()
    ]
    return _metric(title, lines, "Maximum")


def _search(title: str, schema: str, stage: str, metric: str = "") -> Widget:
    """What there is of a kind, known when it is looked at: event types and reasons come and go."""
    named = f' MetricName="{metric}"' if metric else ""
    found = f"SEARCH('{schema} stage=\"{stage}\"{named}', 'Sum', {_PERIOD})"
    return _metric(title, [[{"expression": found, "id": "found", "label": ""}]], "Sum")


def _of_functions(title: str, metric: str, stat: str, functions: Collection[str]) -> Widget:
    lines = [
        ["AWS/Lambda", metric, "FunctionName", function, {"label": function}]
        for function in functions
    ]
    return _metric(title, lines, stat)
