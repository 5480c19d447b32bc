"""chalicelib/rules/reading.py: what routing.toml may say, and which mistake is where."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from chalicelib.events.event import parse
from chalicelib.rules.reading import RoutingError, load, text_of

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
    "marks of a merge": (instead("[topics]", "<<<<<<< HEAD\n[topics]"), 5, "", "<<<<<<< is left of a merge"),
    "the middle of a merge": (instead('["order.*"]', '["order.*",\n=======\n]'), 3, "", "======= is left of a merge"),
    "the end of a merge": (GOOD + ">>>>>>> other", END + 1, "", ">>>>>>> is left of a merge"),
    "a byte order mark": ("\ufeff" + GOOD, 1, "", "starts with a byte order mark"),
    "a mistake after a note of several lines": (
        with_rule('name = "x"', "note = \'\'\'", "[[rule]]", 'too = 1', "\'\'\'", 'too = ["topic:users"]', "stop = true"),
        END + 7, "rule x", "unknown key 'too'",
    ),
    "a mistake after lists and tables of several lines": (
        with_rule('name = "x"', "to = [ # [[rule]]", '  "topic:users",', "]", 'pattern.type = [', "  { prefx = 'a' },", "]"),
        END + 6, "rule x", "unknown operator 'prefx'",
    ),
    "a mistake in a branch of $or": (
        with_rule('name = "x"', 'to = ["topic:users"]', 'pattern."$or" = [', "  { data.a = [1] },", "  { data.b = 1 },", "]"),
        END + 6, "rule x", "pattern.data.b: must be a list",
    ),
    "a digest that is no table": (
        with_rule('name = "x"', 'to = ["topic:users"]', 'digest = "30m"'),
        END + 4, "rule x", 'must be a table, such as { window = "30m" }',
    ),
    "a digest that goes nowhere": (
        with_rule('name = "x"', "stop = true", 'digest = { window = "30m" }'),
        END + 4, "rule x", "a digest goes somewhere",
    ),
    "a digest of what is suppressed": (
        with_rule('name = "x"', "suppress = true", 'digest = { window = "30m" }'),
        END + 4, "rule x", "a rule that suppresses gathers nothing",
    ),
    **{
        f"a digest: {digest}": (
            with_rule('name = "x"', 'to = ["topic:users"]', f"digest = {digest}"),
            END + 4, "rule x", said,
        )
        for digest, said in {
            '{ widow = "30m" }': "unknown key 'widow'; did you mean window",
            "{}": "needs a window or a time of day, not both",
            '{ window = "30m", at = "08:00" }': "needs a window or a time of day, not both",
            '{ window = "0m" }': "window has no length: leave out digest to send at once",
            '{ window = "366d" }': "window is of a year at the most",
            '{ window = "999999999d" }': "window is of a year at the most",
            '{ window = "half an hour" }': "window must be a number of s, m, h or d",
            "{ window = 30 }": "window must be a number of s, m, h or d",
            '{ window = "1m", every = "0s" }': "every has no length",
            '{ at = "8:00" }': "at must be a time of day of 00:00 to 23:59",
            '{ at = "24:00" }': "at must be a time of day of 00:00 to 23:59",
            '{ at = "08:60" }': "at must be a time of day of 00:00 to 23:59",
            '{ at = "08:00", every = "1h" }': "goes with a window",
            '{ window = "1m", key = "order.id" }': "did you mean 'data.order.id'",
            '{ window = "1m", key = "data" }': "name what of the data",
            '{ window = "1m", key = "" }': "key must be a path",
            '{ window = "1m", key = "email" }': "no rule sees email",
            '{ window = "1m", same = "type" }': "add resolved, or take it out",
            '{ window = "1m", resolved = "OK" }': "must be a pattern, such as",
            '{ window = "1m", resolved = { data.state = "OK" } }': "resolved.data.state: must be a list",
        }.items()
    },
    "a key twice": (instead("alerts = [", "orders = ["), 3, "", "is not valid TOML"),
    "a webhook with one URL for all": (
        GOOD + "[webhooks]\nerp = 'https://erp.example/in'\n", END + 2, "",
        "webhook erp names a URL for each stage",
    ),
    "a webhook without a URL": (GOOD + "[webhooks]\nerp = {}\n", END + 2, "", "webhook erp names a URL"),
    "a webhook's name with a capital": (
        GOOD + "[webhooks]\nErp = { prod = 'https://erp.example/in' }\n", END + 2, "",
        "webhook 'Erp': use lower-case letters",
    ),
    "a webhook over http": (
        GOOD + "[webhooks.erp]\nlocal = 'http://localhost:1'\nprod = 'http://erp.example/in'\n", END + 3, "",
        "webhook erp: prod must begin with https://",
    ),
    "a webhook in a network of its own": (
        GOOD + "[webhooks.erp]\nprod = 'https://10.0.0.1/in'\n", END + 2, "",
        "webhook erp: prod leads into a network of its own",
    ),
    "a webhook whose URL is none": (
        GOOD + "[webhooks.erp]\nprod = 1\n", END + 2, "", "webhook erp: prod must be a URL",
    ),
    "a webhook that there is not": (
        with_rule('name = "x"', 'to = ["webhook:erp"]'), END + 3, "rule x",
        "unknown destination 'webhook:erp': declare it under [webhooks]",
    ),
    "an unknown part": (GOOD + "[topic]\n", 12, "", "unknown key 'topic'; did you mean topics"),
    "a misspelt header": (GOOD.replace("[[rule]]", "[[rules]]"), END - 2, "", "unknown key 'rules'; did you mean rule"),
    "a lane's name with a hyphen": (instead("orders =", "new-orders ="), 2, "", "lane new-orders: use lower-case letters and digits"),
    "a lane's name with an underscore": (instead("orders =", "new_orders ="), 2, "", "lane new_orders: use lower-case letters and digits"),
    "a lane's name in capitals": (instead("orders =", "Orders ="), 2, "", "lane Orders: use lower-case letters and digits"),
    "a lane's name that AWS has no room for": (instead("orders =", f"{40 * 'o'} ="), 2, "", "39 at the most"),
    "a lane with a keyword's name": (instead("orders =", "import ="), 2, "", "lane import has the name of something in Python"),
    "a lane with a built-in's name": (instead("orders =", "print ="), 2, "", "lane print has the name of something in Python"),
    "a lane without types": (instead('["order.*"]', "[]"), 2, "", "lane orders has no types: name some, or take the lane out"),
    "a lane's table without types": (instead('["order.*"]', "{ commercial = true }"), 2, "", "lane orders has no types"),
    "an unknown setting of a lane": (instead('["order.*"]', "{ types = ['order.*'], comercial = true }"), 2, "lane orders", "unknown key 'comercial'; did you mean commercial"),
    "commercial that is no yes or no": (instead('["order.*"]', "{ types = ['order.*'], commercial = 'yes' }"), 2, "", "lane orders: commercial must be true or false"),
    "a type twice in a lane": (instead('["order.*"]', '["order.*", "order.*"]'), 2, "", "lane orders: 'order.*' is in it twice"),
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
    "a channel that is none": (with_rule('name = "x"', 'to = ["recipient:mail"]'), 14, "rule x", "unknown destination 'recipient:mail'; did you mean recipient:email"),
    "a misspelt recipient": (with_rule('name = "x"', 'to = ["recipent"]'), 14, "rule x", "unknown destination 'recipent'; did you mean recipient"),
    "a person without an id": (with_rule('name = "x"', 'to = ["person:"]'), 14, "rule x", "a person is named by an id"),
    "commercial and critical": (instead('["critical.alert"]', '{ types = ["critical.alert"], commercial = true, critical = true }'), 3, "", "lane alerts: what is critical cannot be switched off, what is commercial can: it is one"),
    "critical that is no yes or no": (instead('["critical.alert"]', '{ types = ["critical.alert"], critical = 1 }'), 3, "", "lane alerts: critical must be true or false"),
    "a channel of a lane that is none": (instead('["critical.alert"]', '{ types = ["critical.alert"], channels = { smss = false } }'), 3, "", "lane alerts: no channel 'smss'; did you mean sms"),
    "channels that are no table": (instead('["critical.alert"]', '{ types = ["critical.alert"], channels = ["sms"] }'), 3, "", "lane alerts: channels must be a table of on and off"),
    "a category that is a lane": (GOOD + '[categories]\norders = {}\n', 13, "", "category orders: a lane is a category already"),
    "a category that is no table": (GOOD + '[categories]\nnews = true\n', 13, "", "category news must be a table"),
    "an unknown setting of a category": (GOOD + '[categories]\nnews = { comercial = true }\n', 13, "category news", "unknown key 'comercial'; did you mean commercial"),
    "quiet hours that are none": (instead('["order.*"]', "{ types = ['order.*'], quiet = '22-8' }"), 2, "", """lane orders: quiet '22-8' is no span of time: write it as "22:00-08:00" or "mon-fri 09:00-20:00\""""),
    "quiet hours of no length": (instead('["order.*"]', "{ types = ['order.*'], quiet = '22:00-22:00' }"), 2, "", "lane orders: quiet '22:00-22:00' has no length; a whole day is 00:00-24:00"),
    "an hour that there is not": (instead('["order.*"]', "{ types = ['order.*'], quiet = '22:00-25:00' }"), 2, "", "lane orders: quiet '22:00-25:00': there is no 25:00"),
    "a day that there is not": (instead('["order.*"]', "{ types = ['order.*'], window = 'lun-fri 09:00-18:00' }"), 2, "", "lane orders: window 'lun-fri 09:00-18:00': 'lun' is no day; they are mon, tue"),
    "a window that is no text": (instead('["order.*"]', "{ types = ['order.*'], window = 9 }"), 2, "", "lane orders: window must be a span of time, such as"),
    "hours that leave no time": (GOOD + "[categories]\nnews = { window = 'sat 09:00-18:00', quiet = '08:00-18:00' }\n", 13, "", "category news: window leaves no time to send at all"),
    "quiet hours of what is critical": (GOOD + "[categories]\nnews = { critical = true, quiet = '22:00-08:00' }\n", 13, "", "category news: what is critical is sent at any time: take quiet out"),
    "a cap that is none": (instead('["order.*"]', "{ types = ['order.*'], cap = 'three a week' }"), 2, "", 'lane orders: cap must be a number and a time, such as "3 per 7 days"'),
    "a cap of nothing": (instead('["order.*"]', "{ types = ['order.*'], cap = '0 per 7 days' }"), 2, "", "lane orders: cap must be a number and a time"),
    "a cap of too many": (instead('["order.*"]', "{ types = ['order.*'], cap = '101 per 7 days' }"), 2, "", "lane orders: cap is of 100 at the most"),
    "a cap of too long": (instead('["order.*"]', "{ types = ['order.*'], cap = '3 per 5 weeks' }"), 2, "", "lane orders: cap is of 30 days at the most"),
    "what happens above no cap": (instead('["order.*"]', "{ types = ['order.*'], over_cap = 'defer' }"), 2, "", "lane orders: over_cap says what happens above a cap: add cap"),
    "what cannot happen above a cap": (instead('["order.*"]', "{ types = ['order.*'], cap = '3 per day', over_cap = 'wait' }"), 2, "", "lane orders: over_cap must be one of suppress, defer"),
    "a cap of what is critical": (GOOD + "[categories]\nnews = { critical = true, cap = '3 per day' }\n", 13, "", "category news: what is critical is sent however much it is: take cap out"),
    "a type of no category": (GOOD + '[types."order.placed"]\ncategory = "order"\n', 13, "", "type order.placed: there is no category 'order'; did you mean orders"),
    "a type of too many parts": (GOOD + '[types."order.placed"]\nsms_parts = 25\n', 13, "", "type order.placed: sms_parts must be a number of 1 to 24"),
    "an audience that looks like a language": (instead("locales = [\"es\"] }\nalerts", "audience = 'es' }\nalerts"), 6, "", "topic users: audience must be one word, such as 'company'"),
    "an unknown topic": (with_rule('name = "x"', 'to = ["topic:user"]'), 14, "rule x", "unknown destination 'topic:user'; did you mean topic:users"),
    "a topic without topic:": (with_rule('name = "x"', 'to = ["users"]'), 14, "rule x", "unknown destination 'users'; did you mean topic:users"),
    "destinations that are no list": (with_rule('name = "x"', 'to = "topic:users"'), 14, "rule x", "to must be a list"),
    "a rule that does nothing": (with_rule('name = "x"'), 12, "rule x", "does nothing"),
    "a rule with no destination in its list": (with_rule('name = "x"', "to = []"), 12, "rule x", "does nothing"),
    "suppress with a destination": (with_rule('name = "x"', 'to = ["topic:users"]', "suppress = true"), 14, "rule x", "suppresses has no destinations"),
    "stop that is no yes or no": (with_rule('name = "x"', 'to = ["topic:users"]', "stop = 1"), 15, "rule x", "stop must be true or false, or a journey's name or a list of such"),
    "suppress that is no yes or no": (with_rule('name = "x"', 'suppress = "yes"'), 14, "rule x", "suppress must be true or false"),
    "a journey's name in capitals": (GOOD + "[journeys.Cart]\nkey = 'id'\n", 12, "", "journey Cart: use lower-case letters, digits, -, 40 at the most"),
    "a journey's name that AWS has no room for": (GOOD + f"[journeys.{41 * 'a'}]\nkey = 'id'\n", 12, "", "40 at the most"),
    "a journey that is no table": (GOOD + "[journeys]\ncart = 'id'\n", 13, "", "journey cart must be a table: write [journeys.cart] with a key"),
    "a journey without a key": (GOOD + "[journeys.cart]\n", 12, "", "journey cart needs a key, of which one run is there at a time: 'recipient'"),
    "an unknown setting of a journey": (GOOD + "[journeys.cart]\nkey = 'id'\nkay = 1\n", 14, "", "journey cart: unknown key 'kay'; did you mean key"),
    "a key that is no text": (GOOD + "[journeys.cart]\nkey = 1\n", 13, "", "journey cart: key must be 'recipient', 'id' or a path"),
    "a key that is all the data": (GOOD + "[journeys.cart]\nkey = 'data'\n", 13, "", "journey cart: key must be"),
    "a key below what has no parts": (GOOD + "[journeys.cart]\nkey = 'recipient.id'\n", 13, "", "journey cart: key must be"),
    "a key that is an address": (GOOD + "[journeys.cart]\nkey = 'email'\n", 13, "", "journey cart: email is kept nowhere"),
    "journeys that are no table": ("journeys = 1\n" + GOOD, 1, "", "journeys must be a table"),
    "a start of no journey": (with_rule('name = "x"', 'start = "crat"', "[journeys.cart]", "key = 'id'"), 14, "rule x", "start: there is no [journeys.crat]; did you mean cart"),
    "a stop of no journey": (with_rule('name = "x"', 'stop = ["zzz"]', "[journeys.cart]", "key = 'id'"), 14, "rule x", "stop: there is no [journeys.zzz]; there are cart"),
    "a start where there is no journey": (with_rule('name = "x"', 'start = "cart"'), 14, "rule x", "start: there is no [journeys.cart]"),
    "a start that is no name": (with_rule('name = "x"', "start = true"), 14, "rule x", "start must be a journey's name or a list of such"),
    "suppress with a start": (with_rule('name = "x"', "suppress = true", "start = 'cart'", "[journeys.cart]", "key = 'id'"), 15, "rule x", "a rule that suppresses starts nothing: leave out start"),
    "a start that stops itself": (with_rule('name = "x"', "start = 'cart'", "stop = 'cart'", "[journeys.cart]", "key = 'id'"), 15, "rule x", "what starts cart would end it at once"),
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


def test_what_is_nested_too_deeply_is_refused() -> None:
    with pytest.raises(RoutingError, match="nested too deeply"):
        load("x = " + "[" * 5000 + "]" * 5000, None)


def test_a_file_that_is_gone_or_no_text_is_told(tmp_path: Path) -> None:
    file = tmp_path / "routing.toml"
    with pytest.raises(RoutingError, match=r"^routing.toml: there is no routing.toml"):
        text_of(file)
    file.write_bytes(b"[lanes]\norders = ['a\xf1o']\n")
    with pytest.raises(RoutingError, match=r"^routing.toml: line 2: is not UTF-8"):
        text_of(file)


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


def test_a_lane_is_a_list_of_types_or_a_table_with_settings() -> None:
    text = instead("alerts = [", "offers = { types = ['offer.*'], commercial = true }\nalerts = [")
    routing = load(text, "prod")
    assert [(lane.name, lane.types, lane.line) for lane in routing.lanes.values()] == [
        ("orders", ("order.*",), 2),
        ("offers", ("offer.*",), 3),
        ("alerts", ("critical.alert",), 4),
    ]
    assert [c.name for c in routing.categories.values() if c.commercial] == ["offers"]


def test_a_digest_says_how_a_rule_gathers() -> None:
    digest = (
        '{ window = "90s", every = "2h", key = "data.order.id", same = "subject",'
        ' resolved = { data.state = ["OK"] } }'
    )
    text = with_rule('name = "x"', 'to = ["topic:users"]', f"digest = {digest}")
    found = load(text, None).rules[-1].digest
    assert found is not None
    assert (found.window, found.every) == (timedelta(seconds=90), timedelta(hours=2))
    assert (found.key, found.same, found.at) == ("data.order.id", "subject", None)
    assert found.resolved is not None
    assert found.resolved.matches({"data": {"state": "OK"}})
    at = with_rule('name = "x"', 'to = ["topic:users"]', 'digest = { at = "08:30" }')
    found = load(at, None).rules[-1].digest
    assert found is not None
    assert found.at == 8 * 60 + 30
