"""chalicelib/rules/routing.py: what routing.toml may say, and what follows from it."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.errors import PermanentError
from chalicelib.events.event import Event, parse
from chalicelib.rules.routing import Decision, Lines, RoutingError, load

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
END = len(GOOD.splitlines())


def with_rule(*lines: str) -> str:
    return "\n".join([GOOD + "[[rule]]", *lines, ""])


def instead(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


# name: (the file, the line, the rule, what is said)
MISTAKES: dict[str, tuple[str, int, str, str]] = {
    "no TOML": (instead('["order.*"]', "[order.*]"), 2, "", "is not valid TOML"),
    "TOML that ends too early": ("[lanes]\norders = [", 2, "", "is not valid TOML"),
    "a key twice": (instead("alerts = [", "orders = ["), 3, "", "is not valid TOML"),
    "an unknown part": (GOOD + "[topic]\n", 12, "", "unknown key 'topic'; did you mean topics"),
    "a misspelt header": (GOOD.replace("[[rule]]", "[[rules]]"), END - 2, "", "unknown key 'rules'; did you mean rule"),
    "an unknown lane": (instead("orders =", "order ="), 2, "", "unknown lane 'order'; did you mean orders"),
    "a pattern that is a name": (
        with_rule('name = "x"', 'pattern = "order.placed"', 'to = ["topic:users"]'),
        END + 3, "rule x", "pattern is a table, such as",
    ),
    "a pattern in JSON that AWS refuses": (
        with_rule('name = "x"', "pattern = '{\"type\": []}'", 'to = ["topic:users"]'),
        END + 3, "rule x", "pattern.type: an empty list",
    ),
    "a lane that is no list": (instead('["order.*"]', '"order.*"'), 2, "", "lane orders must be a list"),
    "a lane of numbers": (instead('["order.*"]', "[1]"), 2, "", "lane orders must be a list"),
    "a type in two lanes": (instead("order.*", "critical.alert"), 3, "", "is in two lanes, orders and alerts"),
    "a star in the middle": (instead("order.*", "*.placed"), 2, "", "'*.placed' never fits"),
    "lanes that are no table": ("lanes = []\n" + GOOD.partition("\n\n")[2], 1, "", "lanes must be a table"),
    "a topic's name in capitals": (instead("users =", "Users ="), 6, "", "topic 'Users': use lower-case"),
    "a topic that is no table": (instead('{ locales = ["es"] }', "true"), 7, "", "topic alerts must be a table"),
    "an unknown setting of a topic": (instead("{ locales", "{ local"), 7, "topic alerts", "unknown key 'local'; did you mean locales"),
    "a locale that is none": (instead('{ locales = ["es"] }', '{ locales = ["español"] }'), 7, "", "topic alerts: locales must be"),
    "locales that are no list": (instead('{ locales = ["es"] }', '{ locales = "es" }'), 7, "", "topic alerts: locales must be"),
    "personal that is no yes or no": (instead("personal = true", 'personal = "yes"'), 6, "", "topic users: personal must be true or false"),
    "topics that are no table": ("topics = 1\n", 1, "", "topics must be a table"),
    "an unknown on_unknown": (GOOD + '[types."order.placed"]\non_unknown = "ignore"\n', 13, "", "type order.placed: on_unknown must be one of resend, skip"),
    "an unknown setting of a type": (GOOD + '[types]\n"order.placed" = { on_unknow = "skip" }\n', 13, "type order.placed", "unknown key 'on_unknow'; did you mean on_unknown"),
    "a type that is no table": (GOOD + '[types]\n"order.placed" = "skip"\n', 13, "", "types.order.placed must be a table"),
    "one [rule] in place of [[rule]]": (instead("[[rule]]", "[rule]"), 9, "", "under a [[rule]] header"),
    "rules that are no tables": ("rule = [1]\n" + GOOD.partition("[[rule]]")[0], 1, "", "under a [[rule]] header"),
    "a rule without a name": (with_rule('to = ["topic:users"]'), 12, "rule number 2", "needs a name"),
    "a name that is none": (with_rule('name = "My rule"', 'to = ["topic:users"]'), 13, "rule My rule", "needs a name of lower-case"),
    "a name twice": (with_rule('name = "all"', 'to = ["topic:users"]'), 13, "rule all", "has the name of an earlier rule"),
    "an unknown key": (with_rule('name = "x"', 'too = ["topic:users"]', "stop = true"), 14, "rule x", "unknown key 'too'; did you mean to"),
    "an unknown topic": (with_rule('name = "x"', 'to = ["topic:user"]'), 14, "rule x", "unknown destination 'topic:user'; did you mean topic:users"),
    "a topic without topic:": (with_rule('name = "x"', 'to = ["users"]'), 14, "rule x", "unknown destination 'users'; did you mean topic:users"),
    "destinations that are no list": (with_rule('name = "x"', 'to = "topic:users"'), 14, "rule x", "to must be a list"),
    "a rule that does nothing": (with_rule('name = "x"'), 12, "rule x", "does nothing"),
    "a rule with no destination in its list": (with_rule('name = "x"', "to = []"), 12, "rule x", "does nothing"),
    "suppress with a destination": (with_rule('name = "x"', 'to = ["topic:users"]', "suppress = true"), 14, "rule x", "suppresses has no destinations"),
    "stop that is no yes or no": (with_rule('name = "x"', 'to = ["topic:users"]', "stop = 1"), 15, "rule x", "stop must be true or false"),
    "suppress that is no yes or no": (with_rule('name = "x"', 'suppress = "yes"'), 14, "rule x", "suppress must be true or false"),
    "an owner that is no text": (with_rule('name = "x"', 'to = ["topic:users"]', "owner = 1"), 15, "rule x", "owner must be a string"),
    "a note that is no text": (with_rule('name = "x"', 'to = ["topic:users"]', "note = []"), 15, "rule x", "note must be a string"),
    "stages that are no list": (with_rule('name = "x"', 'to = ["topic:users"]', 'stages = "prod"'), 15, "rule x", "stages must be a list"),
    "a rule for no stage": (with_rule('name = "x"', 'to = ["topic:users"]', "stages = []"), 15, "rule x", "stages must be a list"),
    "a pattern that is no table": (with_rule('name = "x"', 'to = ["topic:users"]', "pattern = 1"), 15, "rule x", "pattern: a pattern is an object"),
    "an empty pattern": (with_rule('name = "x"', 'to = ["topic:users"]', "pattern = {}"), 15, "rule x", "an empty object"),
    "a field without a list": (with_rule('name = "x"', 'to = ["topic:users"]', 'pattern.type = "order.placed"'), 15, "rule x", 'pattern.type: must be a list or an object: write ["order.placed"]'),
    "an unknown operator": (with_rule('name = "x"', 'to = ["topic:users"]', 'pattern.type = [{ prefx = "order." }]'), 15, "rule x", "pattern.type: unknown operator 'prefx'; did you mean 'prefix'"),
    "an operator's wrong value": (with_rule('name = "x"', 'to = ["topic:users"]', 'pattern.type = ["a"]', "pattern.data.n = [{ numeric = ['>'] }]"), 16, "rule x", "pattern.data.n: numeric takes a list"),
    "a range upside down": (with_rule('name = "x"', 'to = ["topic:users"]', "pattern.data.n = [{ numeric = ['>', 9, '<', 1] }]"), 15, "rule x", "a lower bound below its upper bound"),
    "a pattern in tables of its own": (with_rule('name = "x"', 'to = ["topic:users"]', "[rule.pattern.data]", "n = [{ numeric = ['>'] }]"), 16, "rule x", "pattern.data.n"),
    "a date without quotes": (with_rule('name = "x"', 'to = ["topic:users"]', "pattern.data.day = [2026-11-22]"), 15, "rule x", "put dates in quotes"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_refused_with_its_line_and_rule(mistake: str) -> None:
    text, line, rule, said = MISTAKES[mistake]
    with pytest.raises(RoutingError) as refused:
        load(text, "prod")
    problem = next(p for p in refused.value.problems if said in p.problem)
    assert (problem.line, problem.rule) == (line, rule)
    assert f"routing.toml: line {line}: " in str(refused.value)


def test_all_mistakes_are_told_at_once_in_the_order_of_their_lines() -> None:
    text = with_rule('name = "x"', 'to = ["topic:user"]', "stop = 1").replace("order.*", "o*r*")
    with pytest.raises(RoutingError) as refused:
        load(text, "prod")
    assert [p.line for p in refused.value.problems] == [2, 14, 15]


def test_a_mistake_in_a_rule_of_another_stage_is_told_too() -> None:
    with pytest.raises(RoutingError, match="line 14: rule x: unknown destination"):
        load(with_rule('name = "x"', 'to = ["topic:user"]', 'stages = ["dev"]'), "prod")


def test_a_pattern_may_be_json_for_toml_has_no_null() -> None:
    rule = """name = "json"\npattern = '{"data": {"note": [null]}}'\nto = ["topic:alerts"]"""
    routing = load(with_rule(*rule.splitlines()), "prod")
    event = {"type": "order.placed", "id": "1", "source": "s"}
    decided = [
        [v.matched for v in routing.explain(parse({**event, "data": data}))]
        for data in ({"note": None}, {"note": ""}, {})
    ]
    assert decided == [[True, True], [True, False], [True, False]]


def test_the_good_file_is_good() -> None:
    assert [rule.name for rule in load(GOOD, "prod").rules] == ["all"]


def test_the_line_of_a_key_is_found_however_it_is_written() -> None:
    lines = Lines(
        """\
top = 1
[a]
x = { y = 2 }
"q.r" = 3
b.c . d = 4
[[e]]
f = 5
  [e.g]
  h = 6
[[ e ]]
'f' = 7
# [[e]]
[e.g.i]
"""
    )
    for keys, line in (
        (("top",), 1),
        (("a",), 2),
        (("a", "x"), 3),
        (("a", "x", "y"), 3),
        (("a", "q.r"), 4),
        (("a", "b", "c", "d"), 5),
        (("a", "b"), 5),
        (("e[0]",), 6),
        (("e[0]", "f"), 7),
        (("e[0]", "g", "h"), 9),
        (("e[1]", "f"), 11),
        (("e[1]", "g", "i", "j"), 13),
        (("nowhere",), 0),
    ):
        assert lines.of(*keys) == line, keys


# -- decide, explain -------------------------------------------------------------------------------

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
    assert routing.on_unknown == {"order.placed": "skip"}


def test_the_reason_in_the_ledger_shows_no_text_of_the_event() -> None:
    event = {"type": "update.announced", "data": {"audience": "secreto"}}
    rules = load(
        "[lanes]\nalerts = ['update.*']\n[topics]\nusers = {}\n[[rule]]\nname = 'vip'\n"
        "pattern.type = ['update.announced']\npattern.data.audience = ['users']\nto = ['topic:users']",
        "local",
    )
    why = rules.why_nobody(parse(event))
    assert why == 'vip: data.audience: wanted "users", found another'
