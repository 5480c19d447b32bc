"""Every documented event pattern on events that it takes and events that it leaves, and why.

The examples are those of https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
and of the pages beside it on arrays, null values and empty strings.
"""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import Any

import pytest

from chalicelib.rules.patterns import MISSING, Mismatch, PatternError, compile_pattern

Case = tuple[Any, Any, bool]


def field(*entries: Any) -> dict[str, Any]:
    return {"f": list(entries)}


def on(value: Any) -> dict[str, Any]:
    return {"f": value}


INSTANCE = {
    "version": "0",
    "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
    "detail-type": "EC2 Instance State-change Notification",
    "source": "aws.ec2",
    "account": "111122223333",
    "time": "2017-12-22T18:43:48Z",
    "region": "us-west-1",
    "resources": ["arn:aws:ec2:us-west-1:123456789012:instance/i-1234567890abcdef0"],
    "detail": {"instance-id": "i-1234567890abcdef0", "state": "terminated"},
}
LAUNCH = {
    "detail-type": "EC2 Instance Launch Successful",
    "source": "aws.autoscaling",
    "resources": [],
    "detail": {"eventVersion": "", "responseElements": None},
}
MACIE = {
    "source": "aws.macie",
    "detail-type": "Macie Alert",
    "detail": {"tags": ["Custom_Alert", "Insider"], "risk-score": 80, "trigger": {"risk": 8}},
}
COMPLEX = {
    "time": [{"prefix": "2017-10-02"}],
    "detail": {
        "state": [{"anything-but": "initializing"}],
        "c-count": [{"numeric": [">", 0, "<=", 5]}],
        "d-count": [{"numeric": ["<", 10]}],
        "x-limit": [{"anything-but": [100, 200, 300]}],
    },
}
COMPLEX_EVENT = {
    "time": "2017-10-02T18:43:48Z",
    "detail": {"state": "running", "c-count": 5, "d-count": 3, "x-limit": 301.8},
}
OR_LIMITS = {
    "detail": {
        "$or": [
            {"c-count": [{"numeric": [">", 0, "<=", 5]}]},
            {"d-count": [{"numeric": ["<", 10]}]},
            {"x-limit": [{"numeric": ["=", 3.018e2]}]},
        ]
    }
}
OR_METRICS = {
    "source": ["aws.cloudwatch"],
    "$or": [
        {"metricName": ["CPUUtilization", "ReadLatency"]},
        {
            "metricType": ["MetricType"],
            "namespace": ["AWS/EC2", "AWS/ES"],
            "$or": [{"metricId": [1234]}, {"spaceId": [1000]}],
        },
        {"scope": ["Service"]},
    ],
}
OR_TWICE = {
    "$or": [{"metricName": ["CPUUtilization"]}, {"namespace": ["AWS/EC2"]}],
    "detail": {"$or": [{"source": ["aws.cloudwatch"]}, {"type": ["Alarm"]}]},
}

DOCUMENTED: list[Case] = [
    (
        {
            "source": ["aws.ec2"],
            "detail-type": ["EC2 Instance State-change Notification"],
            "detail": {"state": ["terminated"]},
        },
        INSTANCE,
        True,
    ),
    ({"detail": {"state": ["running"]}}, INSTANCE, False),
    ({"source": ["aws.ec2", "aws.fargate"]}, INSTANCE, True),
    ({"Location": ["New York"], "Day": ["Monday"]}, {"Location": "New York", "Day": "Monday"}, True),
    ({"Location": ["New York"], "Day": ["Monday"]}, {"Location": "New York", "Day": "Friday"}, False),
    # Null values and empty strings are not the same.
    ({"detail": {"eventVersion": [""]}}, LAUNCH, True),
    ({"detail": {"responseElements": [None]}}, LAUNCH, True),
    ({"detail": {"responseElements": [""]}}, LAUNCH, False),
    ({"detail": {"eventVersion": [None]}}, LAUNCH, False),
    ({"detail": {"nothing": [None]}}, LAUNCH, False),
    # Numbers, and objects within objects.
    ({"detail": {"risk-score": [80], "trigger": {"risk": [8]}}}, MACIE, True),
    ({"detail": {"risk-score": [80], "trigger": {"risk": [9]}}}, MACIE, False),
    # Arrays intersect.
    ({"resources": ["a", "arn:i-b188560f", "c"]}, {"resources": ["arn:group", "arn:i-b188560f"]}, True),
    ({"resources": ["a"]}, {"resources": ["b", "c"]}, False),
    ({"detail": {"tags": ["Insider"]}}, MACIE, True),
    # prefix, suffix, and both ignoring case
    ({"time": [{"prefix": "2017-10-02"}]}, {"time": "2017-10-02T18:43:48Z"}, True),
    ({"time": [{"prefix": "2017-10-02"}]}, {"time": "2017-10-03T18:43:48Z"}, False),
    ({"service": [{"prefix": {"equals-ignore-case": "EventB"}}]}, {"service": "EVENTBridge"}, True),
    ({"service": [{"prefix": {"equals-ignore-case": "EventB"}}]}, {"service": "event"}, False),
    ({"FileName": [{"suffix": ".png"}]}, {"FileName": "cat.png"}, True),
    ({"FileName": [{"suffix": ".png"}]}, {"FileName": "cat.PNG"}, False),
    ({"FileName": [{"suffix": {"equals-ignore-case": ".png"}}]}, {"FileName": "cat.PNG"}, True),
    ({"service": [{"suffix": {"equals-ignore-case": "tBridge"}}]}, {"service": "EVENTBRIDGE"}, True),
    ({"service": [{"suffix": {"equals-ignore-case": "tBridge"}}]}, {"service": "bridge"}, False),
    # anything-but
    ({"state": [{"anything-but": "initializing"}]}, {"state": "running"}, True),
    ({"state": [{"anything-but": "initializing"}]}, {"state": "initializing"}, False),
    ({"x-limit": [{"anything-but": 123}]}, {"x-limit": 124}, True),
    ({"x-limit": [{"anything-but": 123}]}, {"x-limit": 123.0}, False),
    ({"state": [{"anything-but": ["stopped", "overloaded"]}]}, {"state": "running"}, True),
    ({"state": [{"anything-but": ["stopped", "overloaded"]}]}, {"state": "overloaded"}, False),
    ({"x-limit": [{"anything-but": [100, 200, 300]}]}, {"x-limit": 200}, False),
    ({"x-limit": [{"anything-but": [100, 200, 300]}]}, {"x-limit": "200"}, True),
    ({"state": [{"anything-but": {"equals-ignore-case": "initializing"}}]}, {"state": "INITIALIZING"}, False),
    ({"state": [{"anything-but": {"equals-ignore-case": ["initializing", "stopped"]}}]}, {"state": "Stopped"}, False),
    ({"state": [{"anything-but": {"equals-ignore-case": ["initializing", "stopped"]}}]}, {"state": "running"}, True),
    ({"Region": [{"anything-but": {"prefix": "us-"}}]}, {"Region": "us-east-1"}, False),
    ({"Region": [{"anything-but": {"prefix": "us-"}}]}, {"Region": "eu-west-1"}, True),
    ({"state": [{"anything-but": {"prefix": ["init", "stop"]}}]}, {"state": "stopped"}, False),
    ({"FileName": [{"anything-but": {"suffix": ".png"}}]}, {"FileName": "cat.png"}, False),
    ({"FileName": [{"anything-but": {"suffix": [".png", ".rtf"]}}]}, {"FileName": "cat.txt"}, True),
    ({"FilePath": [{"anything-but": {"wildcard": "*/lib/*"}}]}, {"FilePath": "/usr/lib/x"}, False),
    ({"FilePath": [{"anything-but": {"wildcard": ["*/lib/*", "*/bin/*"]}}]}, {"FilePath": "/bin/x"}, False),
    ({"FilePath": [{"anything-but": {"wildcard": ["*/lib/*", "*/bin/*"]}}]}, {"FilePath": "/opt/x"}, True),
    # numeric
    ({"Price": [{"numeric": ["=", 100]}]}, {"Price": 100}, True),
    ({"Price": [{"numeric": ["=", 100]}]}, {"Price": "100"}, False),
    ({"Price": [{"numeric": [">", 10, "<=", 20]}]}, {"Price": 10}, False),
    ({"Price": [{"numeric": [">", 10, "<=", 20]}]}, {"Price": 10.000001}, True),
    ({"Price": [{"numeric": [">", 10, "<=", 20]}]}, {"Price": 20}, True),
    ({"Price": [{"numeric": [">", 10, "<=", 20]}]}, {"Price": 20.5}, False),
    # cidr: the addresses that start with 10.0.0
    ({"ip": [{"cidr": "10.0.0.0/24"}]}, {"ip": "10.0.0.255"}, True),
    ({"ip": [{"cidr": "10.0.0.0/24"}]}, {"ip": "10.0.1.0"}, False),
    # exists is about leaves
    ({"detail": {"state": [{"exists": True}]}}, INSTANCE, True),
    ({"detail": {"c-count": [{"exists": True}]}}, INSTANCE, False),
    ({"detail": {"c-count": [{"exists": False}]}}, INSTANCE, True),
    ({"detail": {"c-count": [{"exists": False}]}}, {"detail": {"c-count": {"c1": 100}}}, True),
    ({"detail": [{"exists": True}]}, INSTANCE, False),
    # equals-ignore-case
    ({"detail-type": [{"equals-ignore-case": "ec2 instance state-change notification"}]}, INSTANCE, True),
    # wildcard
    ({"bus": [{"wildcard": "arn:aws:events:us-east-1:*:event-bus/*"}]}, {"bus": "arn:aws:events:us-east-1:1:event-bus/b"}, True),
    ({"bus": [{"wildcard": "arn:aws:events:us-east-1:*:event-bus/*"}]}, {"bus": "arn:aws:events:eu-west-1:1:event-bus/b"}, False),
    ({"FileName": [{"wildcard": "dir/*.png"}]}, {"FileName": "dir/a/b.png"}, True),
    ({"FileName": [{"wildcard": "dir/*.png"}]}, {"FileName": "dir/a.pngx"}, False),
    # several at once
    (COMPLEX, COMPLEX_EVENT, True),
    (COMPLEX, {**COMPLEX_EVENT, "time": "2018"}, False),
    # $or
    ({"$or": [{"Location": ["New York"]}, {"Day": ["Monday"]}]}, {"Location": "x", "Day": "Monday"}, True),
    ({"$or": [{"Location": ["New York"]}, {"Day": ["Monday"]}]}, {"Location": "x", "Day": "Friday"}, False),
    (OR_LIMITS, {"detail": {"x-limit": 301.8}}, True),
    (OR_LIMITS, {"detail": {"c-count": 6, "d-count": 10, "x-limit": 1}}, False),
    (OR_METRICS, {"source": "aws.cloudwatch", "scope": "Service"}, True),
    (OR_METRICS, {"source": "aws.cloudwatch", "metricType": "MetricType", "namespace": "AWS/ES", "spaceId": 1000}, True),
    (OR_METRICS, {"source": "aws.cloudwatch", "metricType": "MetricType", "namespace": "AWS/ES"}, False),
    (OR_METRICS, {"source": "x", "scope": "Service"}, False),
    (OR_TWICE, {"namespace": "AWS/EC2", "detail": {"type": "Alarm"}}, True),
    (OR_TWICE, {"namespace": "AWS/EC2", "detail": {}}, False),
]  # fmt: skip

VALUES: list[Case] = [
    # Exact values: character by character, type by type.
    (field("a"), on("a"), True),
    (field("a"), on("A"), False),
    (field("a"), on(" a"), False),
    (field("\u00e9"), on("e\u0301"), False),
    (field("1"), on(1), False),
    (field(1), on("1"), False),
    (field(1), on(True), False),
    (field(True), on(1), False),
    (field(0), on(False), False),
    (field(True), on(True), True),
    (field(False), on(False), True),
    (field(True), on("true"), False),
    (field(None), on("null"), False),
    (field(None), on(0), False),
    (field(""), on(""), True),
    (field(""), on(" "), False),
    (field("a", 1, None), on(None), True),
    (field("a", 1, None), on(1.0), True),
    (field("a", 1, None), on(True), False),
    # Numbers are equal when they are the same number, however they are written.
    (field(300), on(300.0), True),
    (field(300.0), on(300), True),
    (field(3.0e2), on(300), True),
    (field(-0.0), on(0), True),
    (field(0.1), on(0.1), True),
    (field(0.3), on(0.1 + 0.2), False),
    (field(123456789012), on(123456789012), True),
    (field(2**53 + 1), on(2**53 + 1), True),
    (field(2**53 + 1), on(2**53), False),
    # An address is the same address however it is spelled.
    (field("10.0.0.1"), on("10.0.0.1"), True),
    (field("10.0.0.1"), on("10.0.0.10"), False),
    (field("::1"), on("0:0:0:0:0:0:0:1"), True),
    (field("2001:DB8::1"), on("2001:db8:0::1"), True),
    (field("12:30"), on("12:30"), True),
    (field("999.1.1.1"), on("999.1.1.1"), True),
    (field({"exactly": "::1"}), on("0:0:0:0:0:0:0:1"), False),
    (field({"exactly": "a"}), on("a"), True),
    # Text operators see strings only.
    (field({"prefix": "1"}), on(12), False),
    (field({"prefix": "t"}), on(True), False),
    (field({"prefix": "n"}), on(None), False),
    (field({"prefix": ""}), on(""), True),
    (field({"prefix": ""}), on(1), False),
    (field({"suffix": ""}), on("x"), True),
    (field({"suffix": "2"}), on(12), False),
    (field({"suffix": "ab"}), on("b"), False),
    (field({"prefix": {"equals-ignore-case": ""}}), on("x"), True),
    (field({"suffix": {"equals-ignore-case": ""}}), on(None), False),
    (field({"equals-ignore-case": ""}), on(""), True),
    (field({"equals-ignore-case": ""}), on("x"), False),
    (field({"equals-ignore-case": "ab"}), on("aB"), True),
    (field({"equals-ignore-case": "ab"}), on("abc"), False),
    (field({"equals-ignore-case": "1"}), on(1), False),
    (field({"equals-ignore-case": "CAMIÓN"}), on("camión"), True),
    (field({"equals-ignore-case": "camión"}), on("camion"), False),
    (field({"prefix": {"equals-ignore-case": "ñu"}}), on("ÑUbe"), True),
    (field({"suffix": {"equals-ignore-case": "ñu"}}), on("a\nÑU"), True),
    (field({"suffix": {"equals-ignore-case": "ñu"}}), on("ÑU\n"), False),
    (field({"equals-ignore-case": "straße"}), on("STRASSE"), True),
    (field({"equals-ignore-case": "ß"}), on("ss"), False),
    (field({"equals-ignore-case": "k"}), on("\N{KELVIN SIGN}"), False),
    (field({"equals-ignore-case": "\N{GRINNING FACE}a"}), on("\N{GRINNING FACE}A"), True),
    (field({"equals-ignore-case": "a.c"}), on("abc"), False),
    (field({"equals-ignore-case": "ñ.c"}), on("ñbc"), False),
    # Wildcards
    (field({"wildcard": "*"}), on(""), True),
    (field({"wildcard": "*"}), on(1), False),
    (field({"wildcard": ""}), on(""), True),
    (field({"wildcard": ""}), on("a"), False),
    (field({"wildcard": "a*a"}), on("a"), False),
    (field({"wildcard": "a*a"}), on("aa"), True),
    (field({"wildcard": "a*b*b"}), on("ab"), False),
    (field({"wildcard": "a*b*b"}), on("abb"), True),
    (field({"wildcard": "*ab*ab*"}), on("xabab"), True),
    (field({"wildcard": "*ab*ab*"}), on("xab"), False),
    (field({"wildcard": "a*"}), on("a\nb"), True),
    (field({"wildcard": "a?c"}), on("abc"), False),
    (field({"wildcard": "a[b]c"}), on("abc"), False),
    (field({"wildcard": r"a\*c"}), on("a*c"), True),
    (field({"wildcard": r"a\*c"}), on("abc"), False),
    (field({"wildcard": r"a\\*"}), on("a\\b"), True),
    (field({"wildcard": r"*\**"}), on("a*b"), True),
    (field({"wildcard": "日*語"}), on("日本語"), True),
    # anything-but takes every value of another type, and no missing one.
    (field({"anything-but": "a"}), on(1), True),
    (field({"anything-but": "a"}), on(None), True),
    (field({"anything-but": "a"}), on(True), True),
    (field({"anything-but": 1}), on("1"), True),
    (field({"anything-but": 1}), on(True), True),
    (field({"anything-but": ""}), on(""), False),
    (field({"anything-but": {"prefix": "a"}}), on(1), True),
    (field({"anything-but": {"wildcard": "*"}}), on("x"), False),
    (field({"anything-but": {"wildcard": "*"}}), on(1), True),
    (field({"anything-but": "a"}), {}, False),
    (field({"anything-but": "a"}), on({"x": 1}), False),
    (field({"anything-but": "a"}), on(["a"]), False),
    (field({"anything-but": "a"}), on(["a", "b"]), True),
    (field({"anything-but": "a"}), on([]), False),
    # Numbers
    (field({"numeric": [">", 0]}), on(5_000_000_000), True),
    (field({"numeric": [">", 0]}), on(6_000_000_000), True),
    (field({"numeric": ["<", 0]}), on(-1e300), True),
    (field({"numeric": [">=", 0]}), on(float("inf")), False),
    (field({"numeric": [">=", 0]}), on(float("nan")), False),
    (field({"numeric": [">=", 1]}), on(True), False),
    (field({"numeric": [">=", 1]}), on("2"), False),
    (field({"numeric": [">=", 1]}), on(None), False),
    (field({"numeric": [">=", 0]}), on(2**53 + 1), False),
    (field({"numeric": [">=", -5e9, "<=", 5e9]}), on(5e9), True),
    (field({"numeric": [">", 1.000001]}), on(1.0000011), True),
    (field({"numeric": ["=", 1]}), on(1.0), True),
    (field({"numeric": ["<", 0]}, "n/a"), on("n/a"), True),
    # Address ranges
    (field({"cidr": "10.0.0.7/24"}), on("10.0.0.200"), True),
    (field({"cidr": "0.0.0.0/0"}), on("255.1.2.3"), True),
    (field({"cidr": "0.0.0.0/0"}), on(3), False),
    (field({"cidr": "0.0.0.0/0"}), on("::1"), False),
    (field({"cidr": "::/0"}), on("10.0.0.1"), False),
    (field({"cidr": "2001:db8::/32"}), on("2001:db8:ffff::1"), True),
    (field({"cidr": "2001:db8::/32"}), on("2001:db9::1"), False),
    (field({"cidr": "10.0.0.0/31"}), on("10.0.0.2"), False),
    (field({"cidr": "10.0.0.0/8"}), on("10.1"), False),
    (field({"cidr": "10.0.0.0/8"}), on("host"), False),
    (field({"cidr": "10.0.0.0/8"}), on("::ffff:a01:203"), True),
    # exists
    (field({"exists": True}), on(None), True),
    (field({"exists": True}), on(""), True),
    (field({"exists": True}), on([]), False),
    (field({"exists": True}), on({}), False),
    (field({"exists": True}), on([[], {}]), False),
    (field({"exists": False}), on([]), True),
    (field({"exists": False}), on(None), False),
    (field({"exists": False}), {}, True),
    (field({"exists": False}, "a"), on("a"), True),
    (field({"exists": False}, "a"), on("b"), False),
    (field({"exists": True}, {"exists": False}), on(1), True),
    ({"f": {"g": [{"exists": False}]}}, on("scalar"), True),
    ({"f": {"g": [{"exists": False}]}}, on(None), True),
    ({"f": {"g": [{"exists": True}]}}, on("g"), False),
]  # fmt: skip

ITEMS = {"items": [{"sku": "A", "qty": 1}, {"sku": "B", "qty": 5}]}
CRATES = {
    "crates": [
        {"port": "Cádiz", "items": [{"sku": "A", "qty": 1}, {"sku": "B", "qty": 5}]},
        {"port": "Vigo", "items": [{"sku": "C", "qty": 1}]},
    ]
}

STRUCTURE: list[Case] = [
    # Any element of an array, at any depth of arrays.
    (field("b"), on(["a", "b"]), True),
    (field("b"), on([["a"], [["b"]]]), True),
    (field("b"), on([]), False),
    (field("b"), on([{"b": "b"}]), False),
    (field(2), on(["a", 2.0]), True),
    ({"f": {"g": [1]}}, on([{"g": 0}, {"g": 1}]), True),
    ({"f": {"g": [1]}}, on([1, "x", {"g": [0, 1]}]), True),
    ({"f": {"g": [1]}}, on([[{"g": 1}]]), True),
    ({"f": {"g": [1]}}, on([1]), False),
    # Two fields of one array's objects must hold in one of them.
    ({"items": {"sku": ["A"], "qty": [1]}}, ITEMS, True),
    ({"items": {"sku": ["A"], "qty": [5]}}, ITEMS, False),
    ({"items": {"sku": ["A", "B"], "qty": [5]}}, ITEMS, True),
    ({"items": {"sku": [{"anything-but": "A"}], "qty": [{"numeric": ["<", 5]}]}}, ITEMS, False),
    ({"items": {"qty": [5], "sku": ["B"]}}, ITEMS, True),
    ({"crates": {"port": ["Vigo"], "items": {"sku": ["C"]}}}, CRATES, True),
    ({"crates": {"port": ["Vigo"], "items": {"sku": ["A"]}}}, CRATES, False),
    ({"crates": {"port": ["Cádiz"], "items": {"sku": ["A"], "qty": [5]}}}, CRATES, False),
    ({"crates": {"port": ["Cádiz"], "items": {"sku": ["B"], "qty": [5]}}}, CRATES, True),
    ({"a": {"x": [1]}, "b": {"x": [2]}}, {"a": [{"x": 0}, {"x": 1}], "b": [{"x": 2}]}, True),
    ({"a": {"x": [1], "y": [2]}}, {"a": [[{"x": 1}, {"y": 2}]]}, False),
    ({"a": {"x": [1], "y": [2]}}, {"a": [[{"x": 1, "y": 2}]]}, True),
    ({"a": [1], "a.x": [2]}, {"a": [1, {"x": 2}]}, True),
    # The same with $or, and with a field that must be absent.
    ({"items": {"$or": [{"sku": ["A"], "qty": [5]}, {"sku": ["B"], "qty": [5]}]}}, ITEMS, True),
    ({"items": {"sku": ["A"], "$or": [{"qty": [5]}, {"qty": [6]}]}}, ITEMS, False),
    ({"items": {"sku": ["A"], "weight": [{"exists": False}]}}, ITEMS, True),
    ({"a": {"x": [1], "y": [{"exists": False}]}}, {"a": [{"x": 1, "y": 1}, {"x": 1}]}, True),
    ({"a": {"x": [1], "y": [{"exists": False}]}}, {"a": [{"x": 1, "y": 1}, {"x": 2}]}, False),
    ({"a": {"x": [{"exists": False}], "y": [1]}}, {"a": [{"x": 1}, {"y": 1}]}, False),
    # Dots in a key and nesting are the same, in patterns and in events.
    ({"a.b": [1]}, {"a": {"b": 1}}, True),
    ({"a": {"b": [1]}}, {"a.b": 1}, True),
    ({"a": {"b": {"c": [1]}}}, {"a.b": {"c": 1}}, True),
    ({"a": {"b": {"c": [1]}}}, {"a": {"b.c": 1}}, True),
    ({"a": {"b": [1]}}, {"a": {"b": 0}, "a.b": 1}, True),
    ({"a": {"b": [{"exists": False}]}}, {"a.b": 1}, False),
    # A field that is named again replaces what it said before: AWS's reading, not a conjunction.
    ({"a": [1], "$or": [{"a": [2]}, {"b": [3]}]}, {"a": 2}, True),
    ({"a": [1], "$or": [{"a": [2]}, {"b": [3]}]}, {"a": 1}, False),
    ({"$or": [{"a": [2]}, {"b": [3]}], "a": [1]}, {"a": 1, "b": 0}, True),
    # Outside of $or an operator's name is a field like any other.
    ({"a": {"prefix": ["x"]}}, {"a": {"prefix": "x"}}, True),
    ({"$or": [{"a": [1], "b": [1]}, {"a": [2], "b": [2]}]}, {"a": 1, "b": 2}, False),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "event", "expected"), DOCUMENTED + VALUES + STRUCTURE)
def test_a_pattern_takes_and_leaves_what_aws_says(pattern: Any, event: Any, expected: bool) -> None:
    compiled = compile_pattern(pattern)
    assert compiled.matches(event) is expected
    assert (compiled.explain(event) is None) is expected


REFUSED: list[tuple[Any, str, str]] = [
    ({}, "", "an empty object matches nothing in particular: name a field in it"),
    ({"a": {}}, "a", "an empty object matches nothing in particular: name a field in it"),
    ([], "", "a pattern is an object, not []"),
    ({"a": []}, "a", "an empty list matches nothing: put at least one value in it"),
    ({"a": {"b": "x"}}, "a.b", 'must be a list or an object: write ["x"]'),
    ({"a": None}, "a", "must be a list or an object: write [null]"),
    (field([1]), "f", "an entry is a string, a number, true, false, null or a comparison, not a list"),
    (field(float("nan")), "f", "nan is no JSON number"),
    (field({}), "f", "a comparison is one operator and its value, found none"),
    (field({"prefix": "a", "suffix": "b"}), "f", "a comparison is one operator and its value, found prefix, suffix"),
    (field({"prefx": "a"}), "f", "unknown operator 'prefx'; did you mean 'prefix'?"),
    (field({"prefix": 1}), "f", "prefix needs a string, found 1"),
    (field({"prefix": {"wildcard": "a"}}), "f", "prefix knows no 'wildcard' within it: use equals-ignore-case"),
    (field({"suffix": {}}), "f", "suffix takes one of equals-ignore-case within it"),
    (field({"suffix": {"equals-ignore-case": ["a"]}}), "f", 'equals-ignore-case needs a string, found ["a"]'),
    (field({"equals-ignore-case": None}), "f", "equals-ignore-case needs a string, found null"),
    (field({"wildcard": "a**b"}), "f", 'wildcard "a**b" has ** in it: write one *'),
    (field({"wildcard": "a\\b"}), "f", 'in wildcard "a\\\\b" a backslash may only stand before * or \\'),
    (field({"wildcard": "a\\"}), "f", 'in wildcard "a\\\\" a backslash may only stand before * or \\'),
    (field({"wildcard": "*a" * 11}), "f", f'wildcard "{"*a" * 11}" has more than 10 *: use fewer'),
    (field({"wildcard": ["*a"]}), "f", 'wildcard needs a string, found ["*a"]'),
    (field({"anything-but": []}), "f", "anything-but takes a string, a number, or a list of only strings or only numbers"),
    (field({"anything-but": ["a", 1]}), "f", "anything-but takes a string, a number, or a list of only strings or only numbers"),
    (field({"anything-but": None}), "f", "anything-but takes a string, a number, or a list of only strings or only numbers"),
    (field({"anything-but": True}), "f", "anything-but takes a string, a number, or a list of only strings or only numbers"),
    (field({"anything-but": [[1]]}), "f", "anything-but takes a string, a number, or a list of only strings or only numbers"),
    (field({"anything-but": {"prefix": ""}}), "f", "anything-but prefix needs at least one character"),
    (field({"anything-but": {"suffix": ["a", ""]}}), "f", "anything-but suffix needs at least one character"),
    (field({"anything-but": {"prefix": []}}), "f", "anything-but prefix has an empty list: say what to leave out"),
    (field({"anything-but": {"prefix": [1]}}), "f", "prefix needs a string, found 1"),
    (field({"anything-but": {"wildcard": ["**"]}}), "f", 'wildcard "**" has ** in it: write one *'),
    (field({"anything-but": {"numeric": ["=", 1]}}), "f", "anything-but knows no 'numeric' within it: use prefix or suffix or equals-ignore-case or wildcard"),
    (field({"anything-but": {}}), "f", "anything-but takes one of prefix or suffix or equals-ignore-case or wildcard within it"),
    (field({"exists": "true"}), "f", 'exists is true or false, found "true"'),
    (field({"exists": 1}), "f", "exists is true or false, found 1"),
    (field({"numeric": 5}), "f", 'numeric takes a list: write it as ["=", 5], [">", 0] or [">", 0, "<=", 5]'),
    (field({"numeric": []}), "f", 'numeric takes a list: write it as ["=", 5], [">", 0] or [">", 0, "<=", 5]'),
    (field({"numeric": [">", 0, "<"]}), "f", 'numeric takes a list: write it as ["=", 5], [">", 0] or [">", 0, "<=", 5]'),
    (field({"numeric": ["==", 5]}), "f", "numeric knows no '==': write it as [\"=\", 5], [\">\", 0] or [\">\", 0, \"<=\", 5]"),
    (field({"numeric": ["=", "5"]}), "f", 'numeric = needs a number, found "5": write it as ["=", 5], [">", 0] or [">", 0, "<=", 5]'),
    (field({"numeric": ["=", True]}), "f", 'numeric = needs a number, found true: write it as ["=", 5], [">", 0] or [">", 0, "<=", 5]'),
    (field({"numeric": ["=", 1, "<", 5]}), "f", 'a numeric range has its lower bound first: write it as ["=", 5], [">", 0] or [">", 0, "<=", 5]'),
    (field({"numeric": ["<", 5, ">", 1]}), "f", 'a numeric range has its lower bound first: write it as ["=", 5], [">", 0] or [">", 0, "<=", 5]'),
    (field({"numeric": [">", 5, ">", 6]}), "f", 'a numeric range has its lower bound first: write it as ["=", 5], [">", 0] or [">", 0, "<=", 5]'),
    (field({"numeric": [">", 5, "<", 5]}), "f", "a numeric range needs a lower bound below its upper bound"),
    (field({"numeric": [">=", 6, "<=", 5]}), "f", "a numeric range needs a lower bound below its upper bound"),
    (field({"cidr": "10.0.0.0"}), "f", '"10.0.0.0" is no address range: write it as 10.0.0.0/24'),
    (field({"cidr": "10.0.0.0/x"}), "f", '"10.0.0.0/x" is no address range: write it as 10.0.0.0/24'),
    (field({"cidr": "10.0.0.300/8"}), "f", '"10.0.0.300/8" is no address range: write it as 10.0.0.0/24'),
    (field({"cidr": "10.0.0.1/32"}), "f", 'the mask of "10.0.0.1/32" must be below 32; for one address write the address itself, "10.0.0.1"'),
    (field({"cidr": "::1/128"}), "f", 'the mask of "::1/128" must be below 128; for one address write the address itself, "::1"'),
    ({"$or": []}, "$or", "takes a list of at least two objects"),
    ({"$or": [{"a": [1]}]}, "$or", "takes a list of at least two objects"),
    ({"d": {"$or": {"a": [1]}}}, "d.$or", "takes a list of at least two objects"),
    ({"$or": [{"a": [1]}, "b"]}, "$or[1]", 'must be an object, not "b"'),
    ({"$or": [{"a": [1]}, {}]}, "$or[1]", "is empty: name a field in it"),
    ({"$or": [{"a": [1]}, {"b": []}]}, "b", "an empty list matches nothing: put at least one value in it"),
    ({"$or": [{"a": [1]}, {"prefix": ["x"]}]}, "prefix", "is an operator, and $or takes fields: name the field first"),
    ({"$or": [{"a": [1]}, {"b": {"numeric": [1]}}]}, "b.numeric", "is an operator, and $or takes fields: name the field first"),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "path", "problem"), REFUSED)
def test_what_aws_would_refuse_is_refused_with_its_field_and_a_remedy(
    pattern: Any, path: str, problem: str
) -> None:
    with pytest.raises(PatternError) as refused:
        compile_pattern(pattern)
    assert (refused.value.path, refused.value.problem) == (path, problem)
    assert str(refused.value) == (f"{path}: {problem}" if path else problem)


def test_a_date_without_quotes_is_told_to_get_quotes() -> None:
    import datetime

    with pytest.raises(PatternError, match="put dates in quotes"):
        compile_pattern(field(datetime.date(2026, 1, 1)))


def test_an_or_may_multiply_to_a_thousand_combinations_and_no_further() -> None:
    ten = [{"a": [n]} for n in range(10)]
    levels = {"x": {"$or": ten}, "y": {"$or": ten}, "z": {"$or": ten}}
    assert compile_pattern(levels).matches({"x": {"a": 1}, "y": {"a": 2}, "z": {"a": 3}})
    with pytest.raises(PatternError, match="more than 1000 combinations"):
        compile_pattern({**levels, "w": {"$or": ten[:2]}})


def test_a_pattern_nested_without_end_is_refused() -> None:
    pattern: Any = ["x"]
    for _ in range(500):
        pattern = {"a": pattern}
    with pytest.raises(PatternError, match="nested deeper than 100 levels"):
        compile_pattern(pattern)


ORDER = {"type": ["order.placed"], "data": {"order": {"total": [{"numeric": [">=", 500]}]}}}


@pytest.mark.parametrize(
    ("pattern", "event", "said"),
    [
        (
            ORDER,
            {"type": "order.placed", "data": {"order": {"total": 12.5}}},
            "data.order.total: wanted numeric >= 500, found 12.5",
        ),
        (
            ORDER,
            {"type": "cart.abandoned", "data": {}},
            'type: wanted "order.placed", found "cart.abandoned"',
        ),
        (
            ORDER,
            {"type": "order.placed", "data": {}},
            "data.order.total: wanted numeric >= 500, found nothing",
        ),
        (field("a", {"prefix": "b"}, None), on(7), 'f: wanted "a" or prefix "b" or null, found 7'),
        (
            field({"anything-but": ["a", "b"]}),
            on("a"),
            'f: wanted anything but "a", "b", found "a"',
        ),
        (
            field({"anything-but": {"suffix": "x"}}),
            on("ax"),
            'f: wanted anything but suffix "x", found "ax"',
        ),
        (field({"exists": False}), on(None), "f: wanted not to exist, found null"),
        (field({"exists": True}), {}, "f: wanted to exist, found nothing"),
        (field({"exists": True}), on({"x": 1}), 'f: wanted to exist, found {"x": 1}'),
        (
            field({"numeric": [">", 0, "<=", 5]}),
            on([6, 7]),
            "f: wanted numeric > 0 and <= 5, found [6, 7]",
        ),
        (field({"cidr": "10.0.0.0/8"}), on("::1"), 'f: wanted cidr 10.0.0.0/8, found "::1"'),
        (
            field({"equals-ignore-case": "a"}),
            on("x" * 200),
            'f: wanted "a" ignoring case, found "' + "x" * 78 + "…",
        ),
        (
            {"items": {"sku": ["A"], "qty": [5]}},
            ITEMS,
            "items.qty: wanted 5 in the same array element as the conditions before it, found [1, 5]",
        ),
        (
            {"type": ["a"], "$or": [{"x": [1], "y": [1]}, {"z": [1]}]},
            {"type": "a", "x": 1, "y": 2},
            "y: wanted 1 (or another branch of $or), found 2",
        ),
        (
            {"type": ["a"], "$or": [{"x": [1]}, {"z": [1]}]},
            {"type": "b"},
            'type: wanted "a", found "b"',
        ),
    ],
)
def test_a_mismatch_tells_the_first_condition_that_failed_and_what_it_met(
    pattern: Any, event: Any, said: str
) -> None:
    assert str(compile_pattern(pattern).explain(event)) == said


def test_a_mismatch_carries_the_value_met_as_it_is() -> None:
    pattern = compile_pattern(field(1))
    assert pattern.explain(on("1")) == Mismatch("f", "1", "1")
    assert pattern.explain({}) == Mismatch("f", "1", MISSING)


def test_an_event_may_be_any_mapping() -> None:
    assert compile_pattern(field(1)).matches(MappingProxyType(on(1)))


def test_a_hostile_event_or_wildcard_costs_no_more_than_its_size() -> None:
    """Regular expressions and products of arrays would not come to an end here."""
    glob = compile_pattern(field({"wildcard": "*a*a*a*a*a*a*a*a*a*b"}))
    wide = compile_pattern({k: {"x": [1], "y": [2]} for k in "abcdef"})
    event = {k: [{"x": 1, "y": 3}] * 1_000 for k in "abcdef"}
    deep = json.loads("[" * 900 + "1" + "]" * 900)
    assert not glob.matches(on("a" * 100_000))
    assert not wide.matches(event)
    assert compile_pattern(field(1)).matches(on(deep))
