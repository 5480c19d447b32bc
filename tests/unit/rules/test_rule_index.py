"""The index finds exactly what trying every pattern finds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.rules.patterns import compile_pattern
from chalicelib.rules.patterns.rule_index import RuleIndex
from tests.event_patterns import EVENTS, PATTERNS


@settings(max_examples=200, deadline=None)
@given(st.lists(PATTERNS, max_size=8), st.lists(EVENTS, min_size=1, max_size=4))
def test_the_index_matches_what_a_linear_search_matches(
    patterns: list[Any], events: list[Any]
) -> None:
    compiled = [compile_pattern(pattern) for pattern in patterns]
    index = RuleIndex(compiled)
    for event in events:
        linear = [number for number, pattern in enumerate(compiled) if pattern.matches(event)]
        assert index.match(event) == linear


MANY = [{"type": ["order.placed"], "data": {"sku": [f"S-{n}"]}} for n in range(1_000)]


@pytest.mark.parametrize(
    ("pattern", "event"),
    [
        ({"type": ["order.placed"]}, {"type": "order.placed"}),
        ({"type": [{"prefix": "order."}]}, {"type": "order.placed"}),
        ({"type": [{"wildcard": "order.*"}]}, {"type": "order.placed"}),
        ({"type": [{"suffix": ".placed"}, "x"]}, {"type": "order.placed"}),
        ({"data": {"n": [{"numeric": ["=", 5]}]}}, {"data": {"n": 5.0}}),
        ({"data": {"n": [None, True]}}, {"data": {"n": [False, True]}}),
        ({"data": {"n": [1]}}, {"data": [{"n": 0}, [{"n": 1}]]}),
        ({"data": {"n": [1]}}, {"data.n": 1}),
        ({"data": {"n": {"m": [1]}}}, {"data.n": {"m": 1}}),
        ({"$or": [{"type": ["a"]}, {"data": {"n": [1]}}]}, {"data": {"n": 1}}),
        ({"$or": [{"type": ["a"]}, {"n": [{"exists": False}]}]}, {}),
        ({"n": [{"exists": False}, "x"]}, {"type": "t"}),
        ({"n": [{"anything-but": "x"}]}, {"n": "y"}),
        ({"ip": ["::1"]}, {"ip": "0:0::1"}),
    ],
)
def test_a_pattern_is_found_among_many_others(pattern: Any, event: Any) -> None:
    index = RuleIndex([compile_pattern(p) for p in (*MANY, pattern, *MANY)])
    assert index.match(event) == [len(MANY)]


def test_only_the_patterns_that_ask_for_the_rarest_value_are_tried() -> None:
    index = RuleIndex([compile_pattern(pattern) for pattern in MANY])
    assert index.candidates({"type": "order.placed", "data": {"sku": "S-7"}}) == {7}
    assert index.candidates({"type": "order.placed", "data": {"sku": "?"}}) == set()


def test_numbers_come_back_in_order_and_once() -> None:
    both = {"$or": [{"a": [1]}, {"b": [{"prefix": "x"}, {"prefix": "xy"}]}]}
    index = RuleIndex([compile_pattern(p) for p in (both, {"c": [{"exists": True}]}, both)])
    assert index.match({"a": [1, 1], "b": "xyz", "c": 0}) == [0, 1, 2]


def test_an_index_of_no_patterns_matches_nothing() -> None:
    assert RuleIndex([]).match({"a": 1}) == []
