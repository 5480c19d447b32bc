"""chalicelib/rules/journeys.py: which journeys an event starts and stops, and for whom."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.events.event import Event
from chalicelib.rules.journeys import Journey, journey_key
from chalicelib.rules.reading import load

RULES = """\
[lanes]
orders = ["*"]
[topics]
users = {}
[journeys.cart]
key = "recipient"
[journeys.unpaid]
key = "data.order.id"
[[rule]]
name = "left"
pattern.type = ["cart.abandoned"]
start = "cart"
[[rule]]
name = "ordered"
pattern.type = ["order.placed"]
to = ["topic:users"]
start = ["unpaid", "unpaid"]
stop = ["cart", "cart"]
[[rule]]
name = "tests"
pattern.data.test = [true]
suppress = true
[[rule]]
name = "again"
pattern.type = ["order.placed"]
start = "cart"
stop = "unpaid"
[[rule]]
name = "never"
pattern.type = ["order.placed"]
stop = true
[[rule]]
name = "late"
start = "cart"
"""


def event(event_type: str = "order.placed", **attributes: Any) -> Event:
    return Event(id="e-1", source="/s", type=event_type, **{"data": {}, **attributes})


def test_journeys_are_declared_with_their_keys_and_lines() -> None:
    assert load(RULES, None).journeys == {
        "cart": Journey("cart", "recipient", 5),
        "unpaid": Journey("unpaid", "data.order.id", 7),
    }


@pytest.mark.parametrize(
    ("event_type", "data", "starts", "stops"),
    [
        ("cart.abandoned", {}, ("cart",), ()),
        ("order.placed", {}, ("unpaid", "cart"), ("cart", "unpaid")),
        # What is suppressed starts nothing, and what it tells of has happened all the same.
        ("order.placed", {"test": True}, (), ("cart",)),
        ("cart.abandoned", {"test": True}, (), ()),
        ("another", {}, ("cart",), ()),
    ],
)
def test_rules_start_and_stop_journeys_each_once_and_in_order(
    event_type: str, data: dict[str, Any], starts: Any, stops: Any
) -> None:
    decision = load(RULES, None).decide(event(event_type, data=data))
    assert (decision.starts, decision.stops) == (starts, stops)


def test_a_rule_may_start_a_journey_and_send_nothing() -> None:
    decision = load(RULES, None).decide(event("cart.abandoned"))
    assert (decision.destinations, decision.reason) == ((), "")


def test_stop_with_yes_ends_the_rules_and_no_journey() -> None:
    rules = {rule.name: (rule.stop, rule.stops) for rule in load(RULES, None).rules}
    assert rules["never"] == (True, ())
    assert rules["again"] == (False, ("unpaid",))


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("id", "e-1"),
        ("recipient", "cus-1"),
        ("subject", ""),
        ("tenant", "north"),
        ("shard", "7"),
        ("data.order.id", "A-1"),
        ("data.order.number", "12"),
        ("data.order", ""),
        ("data.order.paid", ""),
        ("data.order.none", ""),
        ("data.order.id.more", ""),
        ("email", ""),
    ],
)
def test_a_key_is_an_attribute_or_a_value_of_the_data(path: str, key: str) -> None:
    order = {"id": "A-1", "number": 12, "paid": True, "none": None}
    found = event(
        recipient="cus-1",
        email="a@example.com",
        data={"order": order},
        extensions={"tenant": "north", "shard": 7},
    )
    assert journey_key(path, found) == key
