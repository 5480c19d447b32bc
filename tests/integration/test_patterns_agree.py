"""Our matcher against two others: moto's, and the local AWS's behind `TestEventPattern`.

Where they answer differently, AWS's documentation decides, and the difference has a name and a reason
below (and in docs/decisions/0010-event-patterns.md). An exclusion that is no longer needed fails.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from moto.events.models import EventPattern

from chalicelib.rules.patterns import compile_pattern
from chalicelib.rules.patterns.conditions import address, comparable
from tests.event_patterns import EVENTS, PATTERNS, PLAIN_EVENTS
from tests.unit.rules import test_patterns

MINISTACK = Path(__file__).parents[2] / ".venv-aws" / "bin" / "ministack"
START_SECONDS = 60


@dataclass(frozen=True)
class Exclusion:
    """Where another matcher does not say what AWS's documentation says: `ours` is what that says."""

    name: str
    reason: str
    applies: Callable[[Any, Any], bool]
    pattern: Any
    event: Any
    ours: bool


def nodes(value: Any) -> Iterator[Any]:
    yield value
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in below:
        yield from nodes(item)


def keys(value: Any) -> set[str]:
    return {key for node in nodes(value) if isinstance(node, dict) for key in node}


def has_array_of_containers(_: Any, event: Any) -> bool:
    arrays = [node for node in nodes(event) if isinstance(node, list)]
    return any(isinstance(item, (dict, list)) for array in arrays for item in array)


def has_empty_container(_: Any, event: Any) -> bool:
    return any(node in ([], {}) for node in nodes(event))


def takes_true_for_one(pattern: Any, event: Any) -> bool:
    def has(value: Any, *wanted: type) -> bool:
        return any(type(node) in wanted for node in nodes(value))

    numeric = has(pattern, int, float) and has(event, bool)
    return numeric or (has(pattern, bool) and has(event, int, float))


def paths(pattern: Any, path: str = "") -> Iterator[str]:
    """The paths a pattern names: for a $or as often as the branch that names them most."""
    for name, value in pattern.items():
        if name == "$or":
            most: Counter[str] = Counter()
            for branch in value:
                most |= Counter(paths(branch, path))
            yield from most.elements()
        elif isinstance(value, dict):
            yield from paths(value, f"{path}{name}.")
        else:
            yield f"{path}{name}."


def names_a_field_twice(pattern: Any, _: Any) -> bool:
    found = list(paths(pattern))
    return len(found) > len(set(found))


def names_a_field_and_one_below_it(pattern: Any, _: Any) -> bool:
    found = set(paths(pattern))
    return any(one != other and other.startswith(one) for one in found for other in found)


def asks_for_absence_within_an_array(pattern: Any, event: Any) -> bool:
    return {"exists": False} in list(nodes(pattern)) and has_array_of_containers(pattern, event)


def has_keys_with_dots(pattern: Any, event: Any) -> bool:
    return any("." in key for key in keys(pattern) | keys(event))


def has_an_address_of_version_6(_: Any, event: Any) -> bool:
    return any(isinstance(n, str) and ":" in n and address(n) is not None for n in nodes(event))


def has_a_number_beyond_a_double(_: Any, event: Any) -> bool:
    return any(type(n) in (int, float) and comparable(n) is None for n in nodes(event))


MOTO = (
    Exclusion(
        "objects within arrays",
        "AWS looks into the objects of an array; moto stops at the array",
        has_array_of_containers,
        {"a": {"b": [1]}},
        {"a": [{"b": 1}]},
        True,
    ),
    Exclusion(
        "empty containers",
        "exists and anything-but are about leaves; moto takes [] and {} for values",
        has_empty_container,
        {"a": [{"exists": True}]},
        {"a": []},
        False,
    ),
    Exclusion(
        "true and 1",
        "true is no number; in moto it equals 1",
        takes_true_for_one,
        {"a": [1]},
        {"a": True},
        False,
    ),
    Exclusion(
        "a field inside and outside of $or",
        "AWS's matcher keeps what was said last; moto asks for both",
        names_a_field_twice,
        {"a": [1], "$or": [{"a": [2]}, {"b": [3]}]},
        {"a": 2},
        True,
    ),
)
EMULATOR = (
    Exclusion(
        "absence within arrays",
        "AWS takes fields in alphabetical order, and a field is absent only if no element that is"
        " still possible has it; the emulator looks at each element alone",
        asks_for_absence_within_an_array,
        {"a": {"b": [{"exists": False}]}},
        {"a": [{"b": 1}, {"c": 1}]},
        False,
    ),
    Exclusion(
        "a field that is a value and an object",
        "in an array it can be both; the emulator takes the two for a contradiction",
        names_a_field_and_one_below_it,
        {"a": [1], "$or": [{"a": {"b": [2]}}, {"c": [3]}]},
        {"a": [1, {"b": 2}]},
        True,
    ),
    Exclusion(
        "keys with dots",
        "AWS's matcher reads {'a.b': 1} as {'a': {'b': 1}}, in the event as in the pattern",
        has_keys_with_dots,
        {"a": {"b": [1]}},
        {"a.b": 1},
        True,
    ),
    Exclusion(
        "spellings of one address",
        "AWS's matcher compares addresses, not how they are written",
        has_an_address_of_version_6,
        {"a": ["::1"]},
        {"a": "0:0:0:0:0:0:0:1"},
        True,
    ),
    Exclusion(
        "numbers beyond a double",
        "AWS's matcher compares only numbers that a double holds exactly",
        has_a_number_beyond_a_double,
        {"a": [{"numeric": [">", 0]}]},
        {"a": 2**53 + 1},
        False,
    ),
)
# What we refuse and the emulator, like AWS's matcher alone, does not.
REFUSED_BY_US = (
    # AWS refuses patterns that it finds too complex, by a measure that it does not publish.
    {"f": [{"wildcard": "*a" * 11}]},
    # AWS's matcher takes a $or without a list for a field called $or, for old patterns' sake.
    {"d": {"$or": {"a": [1]}}},
)


def moto_says(pattern: Any, event: Any) -> bool:
    return bool(EventPattern.load(json.dumps(pattern)).matches_event(event))


def excluded(pattern: Any, event: Any, exclusions: tuple[Exclusion, ...]) -> bool:
    return any(exclusion.applies(pattern, event) for exclusion in exclusions)


@settings(max_examples=400, deadline=None)
@given(PATTERNS, EVENTS | PLAIN_EVENTS)
def test_moto_agrees_but_for_what_is_excluded(pattern: Any, event: Any) -> None:
    ours = compile_pattern(pattern).matches(event)
    assert ours is moto_says(pattern, event) or excluded(pattern, event, MOTO)


@pytest.mark.parametrize("exclusion", MOTO, ids=lambda exclusion: exclusion.name)
def test_what_is_excluded_for_moto_still_differs(exclusion: Exclusion) -> None:
    assert compile_pattern(exclusion.pattern).matches(exclusion.event) is exclusion.ours
    assert moto_says(exclusion.pattern, exclusion.event) is not exclusion.ours
    assert exclusion.applies(exclusion.pattern, exclusion.event)


class Emulator:
    """`TestEventPattern` of a local AWS, for patterns on an event's `detail`."""

    def __init__(self, endpoint: str) -> None:
        self._events = boto3.client(
            "events",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )

    def says(self, pattern: Any, detail: Any) -> bool:
        event = {
            "id": "1",
            "source": "heraldo",
            "account": "123456789012",
            "time": "2026-01-01T00:00:00Z",
            "region": "us-east-1",
            "resources": [],
            "detail-type": "test",
            "detail": detail,
        }
        answer = self._events.test_event_pattern(
            EventPattern=json.dumps({"detail": pattern}), Event=json.dumps(event)
        )
        return bool(answer["Result"])


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    endpoint = f"http://127.0.0.1:{port}"
    home = tmp_path_factory.mktemp("emulator")
    log = home / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(MINISTACK)],
            env={
                **os.environ,
                "GATEWAY_PORT": str(port),
                "SERVICES": "events",
                "LOG_LEVEL": "ERROR",
            },
            cwd=home,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        for _ in range(START_SECONDS * 10):
            try:
                urllib.request.urlopen(f"{endpoint}/_ministack/health", timeout=1).close()
                break
            except (urllib.error.URLError, OSError):
                # There is nothing to await but the exit: the port opens when it opens.
                try:
                    process.wait(0.1)
                except subprocess.TimeoutExpired:
                    continue
                pytest.fail(f"the local AWS did not start:\n{log.read_text()}")
        yield Emulator(endpoint)
    finally:
        process.terminate()
        process.wait(60)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(pattern=PATTERNS, event=EVENTS)
def test_the_local_aws_agrees_but_for_what_is_excluded(
    emulator: Emulator, pattern: Any, event: Any
) -> None:
    theirs = emulator.says(pattern, event)
    ours = compile_pattern({"detail": pattern}).matches({"detail": event})
    assert ours is theirs or excluded(pattern, event, EMULATOR)


def test_the_local_aws_agrees_on_every_case_of_our_own_table(emulator: Emulator) -> None:
    cases = test_patterns.DOCUMENTED + test_patterns.VALUES + test_patterns.STRUCTURE
    different = [
        (pattern, event)
        for pattern, event, expected in cases
        if emulator.says(pattern, event) is not expected and not excluded(pattern, event, EMULATOR)
    ]
    assert different == []


def test_the_local_aws_refuses_what_we_refuse(emulator: Emulator) -> None:
    accepted = []
    for pattern, *_ in test_patterns.REFUSED:
        try:
            emulator.says(pattern, {})
        except ClientError as error:
            assert error.response["Error"]["Code"] == "InvalidEventPatternException"
        else:
            accepted.append(pattern)
    assert accepted == list(REFUSED_BY_US)


@pytest.mark.parametrize("exclusion", EMULATOR, ids=lambda exclusion: exclusion.name)
def test_what_is_excluded_for_the_local_aws_still_differs(
    emulator: Emulator, exclusion: Exclusion
) -> None:
    assert compile_pattern(exclusion.pattern).matches(exclusion.event) is exclusion.ours
    assert emulator.says(exclusion.pattern, exclusion.event) is not exclusion.ours
    assert exclusion.applies(exclusion.pattern, exclusion.event)
