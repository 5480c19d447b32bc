"""chalicelib/rules/routing.py: what the rules decide about an event."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.errors import PermanentError
from chalicelib.events.event import Event, parse
from chalicelib.rules.reading import load
from chalicelib.rules.routing import Decision, TypeSettings

GOOD = """\
[lanes]
orders = ["order.*"]
alerts = ["critical.alert"]

[topics]
users = { personal = true, locales = ["es"] }
alerts = { locales = ["es"] }

[[rule]]
name = "all"
to = ["topic:users"]
"""

RULES = """\
[lanes]
orders = ["order.*", "order.late.*"]
alerts = ["*"]
promotions = ["order.placed"]
[topics]
users = { personal = true, locales = ["es", "en"] }
company = { locales = ["es"] }
alerts = {}
[[rule]]
name = "test-orders"
pattern.data.test = [true]
suppress = true
[[rule]]
name = "large"
pattern.type = ["order.placed"]
pattern.data.total = [{ numeric = [">=", 500] }]
to = ["topic:company", "topic:users"]
[[rule]]
name = "vip"
pattern.data.vip = [true]
to = ["topic:alerts"]
stop = true
[[rule]]
name = "customers"
pattern.type = [{ prefix = "order." }]
to = ["topic:users"]
[[rule]]
name = "prod-only"
stages = ["prod", "dev"]
pattern.type = ["order.placed"]
to = ["topic:company"]
[[rule]]
name = "quiet"
pattern.type = ["order.lost"]
stop = true
[[rule]]
name = "everything-else"
pattern.type = ["other"]
to = ["topic:alerts"]
"""


def event(event_type: str = "order.placed", **attributes: Any) -> Event:
    return Event(id="1", source="/s", type=event_type, **{"data": {}, **attributes})


@pytest.mark.parametrize(
    ("event_type", "data", "rules", "to", "reason"),
    [
        ("order.placed", {}, ("customers", "prod-only"), ("users", "company"), ""),
        ("order.placed", {"total": 500}, ("large", "customers", "prod-only"), ("company", "users"), ""),
        ("order.placed", {"vip": True}, ("vip",), ("alerts",), ""),
        ("order.placed", {"total": 500, "vip": True}, ("large", "vip"), ("company", "users", "alerts"), ""),
        ("order.placed", {"test": True, "vip": True}, ("test-orders",), (), "rule test-orders suppresses it"),
        ("order.lost", {}, ("customers", "quiet"), ("users",), ""),
        ("third", {}, (), (), "no rule matches"),
        ("other", {}, ("everything-else",), ("alerts",), ""),
    ],
)  # fmt: skip
def test_every_rule_that_matches_adds_its_destinations_once_and_in_order(
    event_type: str, data: dict[str, Any], rules: Any, to: Any, reason: str
) -> None:
    decision = load(RULES, "prod").decide(event(event_type, data=data))
    assert decision == Decision(rules, tuple(f"topic:{name}" for name in to), reason)


def test_a_rule_knows_its_line_whatever_the_stage() -> None:
    assert [rule.line for rule in load(RULES, "local").rules] == [9, 13, 18, 23, 32, 36]


def test_a_rule_applies_to_its_stages_only() -> None:
    assert load(RULES, "local").decide(event()).rules == ("customers",)
    assert load(RULES, "dev").decide(event()).rules == ("customers", "prod-only")
    assert load(RULES, None).rules[4].stages == ("prod", "dev")


def test_what_matched_before_a_rule_that_suppresses_is_suppressed_too() -> None:
    first, last = RULES.split("[[rule]]", 1)
    suppress, rest = last.split("[[rule]]", 1)
    moved = load(f"{first}[[rule]]{rest}[[rule]]{suppress}", "prod")
    decision = moved.decide(event(data={"test": True}))
    assert decision.destinations == ()
    assert decision.rules == ("customers", "prod-only", "test-orders")


@pytest.mark.parametrize(
    ("data", "verdicts"),
    [
        (
            {"total": 499, "vip": False},
            {
                "test-orders": "data.test: wanted true, found nothing",
                "large": "data.total: wanted numeric >= 500, found 499",
                "vip": "data.vip: wanted true, found false",
                "customers": "matched",
                "prod-only": "matched",
                "quiet": 'type: wanted "order.lost", found "order.placed"',
                "everything-else": 'type: wanted "other", found "order.placed"',
            },
        ),
        (
            {"vip": True},
            {
                "large": "data.total: wanted numeric >= 500, found nothing",
                "vip": "matched",
                "customers": "after vip",
                "everything-else": "after vip",
            },
        ),
        ({"test": True}, {"test-orders": "matched", "large": "after test-orders"}),
    ],
)
def test_every_rule_says_why_it_did_not_match(
    data: dict[str, Any], verdicts: dict[str, str]
) -> None:
    routing = load(RULES, "prod")
    found = {
        v.rule.name: "matched"
        if v.matched
        else f"after {v.after_stop}"
        if v.after_stop
        else str(v.mismatch)
        for v in routing.explain(event(data=data))
    }
    assert found | verdicts == found
    matched = tuple(name for name, told in found.items() if told == "matched")
    assert matched == routing.decide(event(data=data)).rules


@pytest.mark.parametrize(
    ("event_type", "lane"),
    [
        ("order.placed", "promotions"),
        ("order.shipped", "orders"),
        ("order.late.shipped", "orders"),
        ("cart.abandoned", "alerts"),
    ],
)
def test_the_longest_name_that_fits_decides_on_the_lane(event_type: str, lane: str) -> None:
    assert load(RULES, "prod").lane(event_type) == lane


def test_a_type_that_no_lane_takes_is_refused() -> None:
    with pytest.raises(PermanentError) as refused:
        load(GOOD, "prod").lane("cart.abandoned")
    assert refused.value.reason == "no-lane"


# -- locales ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("topic", "recipient", "locale", "locales"),
    [
        # to a person: in that person's language, whatever the audience's
        ("users", "cus-1", "en", ("en",)),
        ("users", "cus-1", None, (None,)),
        # to an audience: in all of its languages, or in the one that the event names
        ("users", None, None, ("es", "en")),
        ("users", None, "en", ("en",)),
        ("company", None, None, ("es",)),
        ("company", None, "en", ("en",)),
        # about a person, to an audience: that person's language is not the audience's
        ("company", "cus-1", "en", ("es",)),
        ("company", "cus-1", None, ("es",)),
        # an audience that nothing is known of
        ("alerts", None, None, (None,)),
        ("alerts", None, "en", ("en",)),
        ("alerts", "cus-1", "en", (None,)),
    ],
)
def test_the_locales_in_which_an_event_goes_to_a_topic(
    topic: str, recipient: str | None, locale: str | None, locales: tuple[str | None, ...]
) -> None:
    found = load(RULES, "prod").locales(f"topic:{topic}", event(recipient=recipient, locale=locale))
    assert found == locales


def test_what_becomes_of_an_unknown_outcome_is_said_by_type() -> None:
    routing = load(GOOD + '[types."order.placed"]\non_unknown = "skip"\n', "prod")
    assert routing.types == {"order.placed": TypeSettings(on_unknown="skip")}


def test_a_lane_is_a_category_and_a_type_may_have_another() -> None:
    routing = load(
        GOOD.replace('["order.*"]', '{ types = ["order.*"], channels = { sms = false } }')
        + '[categories]\nnews = { commercial = true }\n[types."order.news"]\ncategory = "news"\n',
        "prod",
    )
    orders, news = (routing.category(t, "orders") for t in ("order.placed", "order.news"))
    assert (orders.name, orders.commercial, orders.channels) == ("orders", False, {"sms": False})
    assert (news.name, news.commercial, news.channels) == ("news", True, {})


def test_an_audience_is_a_topic_s_or_the_company_s() -> None:
    routing = load(
        GOOD.replace("alerts = { locales", "alerts = { audience = 'duty', locales"), None
    )
    asked = ("topic:users", "topic:alerts", "recipient:sms", "person:a", "person:a:sms")
    assert [routing.audience(to) for to in asked] == ["", "duty", "", "company", "company"]


def test_the_reason_in_the_ledger_shows_no_text_of_the_event() -> None:
    event = {"type": "update.announced", "data": {"audience": "secreto"}}
    rules = load(
        "[lanes]\nalerts = ['update.*']\n[topics]\nusers = {}\n[[rule]]\nname = 'vip'\n"
        "pattern.type = ['update.announced']\npattern.data.audience = ['users']\nto = ['topic:users']",
        "local",
    )
    why = rules.why_nobody(parse(event))
    assert why == 'vip: data.audience: wanted "users", found another'
