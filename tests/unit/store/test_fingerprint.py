"""chalicelib/store/fingerprint.py: what makes two events of one, and what does not."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.events.event import parse
from chalicelib.store import fingerprint


def of(**changes: Any) -> str:
    raw = {"type": "t", "id": "1", "source": "/s", "data": {"a": {"b": 1}, "c": "x"}, **changes}
    return fingerprint.of(parse({name: value for name, value in raw.items() if value is not ...}))


SAME: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "another id": ({"id": "1"}, {"id": "2"}),
    "another order of fields": ({"data": {"a": 1, "b": 2}}, {"data": {"b": 2, "a": 1}}),
    "120 and 120.0": ({"data": {"a": 120}}, {"data": {"a": 120.0}}),
    "120 and 1.2e2, in a list": ({"data": {"a": [{"b": 120}]}}, {"data": {"a": [{"b": 1.2e2}]}}),
    "0 and -0.0": ({"data": {"a": 0}}, {"data": {"a": -0.0}}),
    "Z and .000Z": ({"time": "2026-11-22T10:00:00Z"}, {"time": "2026-11-22T10:00:00.000Z"}),
    "Z and +00:00": ({"time": "2026-11-22T10:00:00Z"}, {"time": "2026-11-22t10:00:00+00:00"}),
    ".5 and .500, in data": (
        {"data": {"at": "2026-11-22T10:00:00.5+02:00"}},
        {"data": {"at": "2026-11-22T10:00:00.500+02:00"}},
    ),
    "a number and a header": ({"priority": 5}, {"priority": "5"}),
    "a boolean and a header": ({"vip": True}, {"vip": "true"}),
    "another trace": ({"traceparent": "00-a"}, {"traceparent": "00-b", "tracestate": "x=1"}),
    "with and without the type of its data": (
        {},
        {"datacontenttype": "application/json; charset=utf-8"},
    ),
    "null and not set": ({"subject": None}, {}),
}


@pytest.mark.parametrize("name", SAME)
def test_what_says_the_same_is_one_event(name: str) -> None:
    one, other = SAME[name]
    assert of(**one) == of(**other)
    assert not fingerprint.differ(of(**one), of(**other))


OTHER: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "an amount": ({"data": {"a": 120}}, {"data": {"a": 120.5}}, ["data.a"]),
    "a number and a text in data": ({"data": {"a": 1}}, {"data": {"a": "1"}}, ["data.a"]),
    "1 and true": ({"data": {"a": 1}}, {"data": {"a": True}}, ["data.a"]),
    "integers beyond a double": (
        {"data": {"a": 2**53}},
        {"data": {"a": 2**53 + 1}},
        ["data.a"],
    ),
    "one moment on two clocks": (
        {"data": {"at": "2026-11-22T10:00:00Z"}},
        {"data": {"at": "2026-11-22T11:00:00+01:00"}},
        ["data.at"],
    ),
    "a field more": ({"data": {"a": 1}}, {"data": {"a": 1, "b": None}}, ["data.b"]),
    "a field with a dot and a nested one": ({"data": {"a.b": 1}}, {"data": {"a": {"b": 1}}}, []),
    "a recipient": ({"recipient": "r-1"}, {"recipient": "r-2"}, ["recipient"]),
    "an extension": ({"campaign": "x"}, {}, ["campaign"]),
    "the order of a list": ({"data": {"a": [1, 2]}}, {"data": {"a": [2, 1]}}, ["data.a"]),
    "beyond the hundredth field": (
        {"data": {f"f{n}": n for n in range(120)}},
        {"data": {f"f{n}": n if n < 119 else 0 for n in range(120)}},
        [],
    ),
}


@pytest.mark.parametrize("name", OTHER)
def test_what_says_something_else_is_another_event_and_its_field_is_named(name: str) -> None:
    one, other, fields = OTHER[name]
    assert fingerprint.differ(of(**one), of(**other))
    assert fingerprint.differing(of(**one), of(**other)) == fields


def test_of_an_address_nothing_is_kept() -> None:
    assert of(email="lucia@abedul.example", phone="+34600000000") == of()


def test_what_was_kept_in_another_form_is_taken_for_the_same() -> None:
    assert not fingerprint.differ("", of())
    assert not fingerprint.differ("a" * 64 + " data.a=1234", of())


def test_a_fingerprint_is_short_whatever_the_event() -> None:
    names = {"a" * 250: {"b" * 250: {str(n): n for n in range(90)}}}
    assert len(of(data=names)) <= 8_000


def test_an_address_counts_as_what_stands_for_it() -> None:
    event = parse({"type": "t", "id": "1", "source": "/s", "data": {}, "email": "a@example.com"})
    one, other = (fingerprint.of(event, {"email": keyed}) for keyed in ("1f", "2e"))
    assert fingerprint.of(event) != one
    assert fingerprint.differing(one, other) == ["email"]
