"""`./heraldo rules`, and the examples beside the shipped rules."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from chalicelib.rules.reading import load
from cli.commands.rules import command
from cli.lint import examples
from cli.paths import ROOT, ROUTING

OUTCOMES = examples.run(ROOT)


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: outcome.example.name)
def test_the_rules_do_what_their_example_says(outcome: examples.Outcome) -> None:
    assert not outcome.faults, "\n".join(outcome.faults)


def test_every_shipped_rule_has_an_example() -> None:
    text = (ROOT / ROUTING).read_text(encoding="utf-8")
    assert examples.untried(OUTCOMES, load(text, None)) == []


RULES = """\
[lanes]
orders = ["order.*", "payment.*"]
promotions = ["offer.*"]
alerts = ["aws.*"]
[topics]
users = { personal = true, locales = ["es"] }
company = { locales = ["es"] }
alerts = { locales = ["es"] }
[[rule]]
name = "customers"
pattern.type = [{ prefix = "order." }, { prefix = "payment." }]
to = ["topic:users"]
[[rule]]
name = "large-orders"
note = "Worth a phone call."
pattern.type = ["order.placed"]
pattern.data.order.total = [{ numeric = [">=", 500] }]
to = ["topic:company"]
[[rule]]
name = "failed-payments"
pattern.type = ["payment.failed"]
to = ["topic:company"]
[[rule]]
name = "offers"
pattern.type = [{ prefix = "offer." }]
to = ["topic:users"]
[[rule]]
name = "alarms"
pattern.type = ["aws.alarm"]
to = ["topic:alerts"]
"""
EXAMPLES = """\
[[example]]
name = "a large order is told to the company, too"
type = "order.placed"
with.locale = "en"
with.data.order.total = 500
rules = ["customers", "large-orders"]
to = ["topic:users/en", "topic:company/es"]
[[example]]
name = "a payment that failed"
type = "payment.failed"
to = ["topic:users", "topic:company"]
[[example]]
name = "an offer"
type = "offer.published"
rules = ["offers"]
[[example]]
name = "an alarm"
type = "aws.alarm"
rules = ["alarms"]
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Rules, examples that hold, and templates."""
    shutil.copytree(ROOT / "templates", tmp_path / "templates")
    (tmp_path / "chalicelib").mkdir()
    (tmp_path / ROUTING).write_text(RULES, encoding="utf-8")
    (tmp_path / examples.EXAMPLES).write_text(EXAMPLES, encoding="utf-8")
    return tmp_path


def rules(tree: Path, *arguments: str) -> Result:
    return CliRunner().invoke(command, [*arguments, "--root", str(tree)])


def only(tree: Path, *lines: str) -> None:
    text = "\n".join(["[[example]]", 'name = "it"', *lines])
    (tree / examples.EXAMPLES).write_text(text, encoding="utf-8")


def test_examples_that_hold_are_listed(tree: Path) -> None:
    done = rules(tree, "test")
    assert done.exit_code == 0
    assert done.output.startswith("✓ a large order is told to the company, too\n")
    assert done.output.endswith("4 of 4 examples hold.\n")


def test_a_rule_that_changes_fails_its_example_with_the_value_that_it_met(tree: Path) -> None:
    file = tree / ROUTING
    file.write_text(file.read_text().replace('[">=", 500]', '[">", 500]'))
    done = rules(tree, "test")
    assert done.exit_code == 1
    failure = done.output[done.output.index("✗") :].partition("✓")[0]
    assert "a large order is told to the company" in failure
    assert "expected rules customers, large-orders; matched customers\n" in failure
    assert (
        "rule large-orders (chalicelib/routing.toml:13): data.order.total: wanted numeric > 500, found 500\n"
        in failure
    )
    assert "expected to go to topic:users/en, topic:company/es; goes to topic:users/en\n" in failure


def test_a_webhook_is_somewhere_that_an_example_may_say(tree: Path) -> None:
    file = tree / ROUTING
    webhook = '[webhooks]\nerp = { prod = "https://erp.example/in" }\n'
    file.write_text(
        file.read_text().replace('to = ["topic:alerts"]', 'to = ["webhook:erp"]') + webhook
    )
    only(tree, 'type = "aws.alarm"', 'to = ["webhook:erp"]')
    assert rules(tree, "test").exit_code == 0
    only(tree, 'type = "aws.alarm"', "to = []")
    assert "expected to go to none; goes to webhook:erp\n" in rules(tree, "test").output


FAULTS = {
    "a rule that matches as well": (
        ('type = "payment.failed"', 'rules = ["customers"]'),
        "rule failed-payments (chalicelib/routing.toml:19) matches as well",
    ),
    "a destination too many": (
        ('type = "payment.failed"', 'to = ["topic:users"]'),
        "topic:company/es comes of rule failed-payments",
    ),
    "a destination too few": (
        ('type = "order.placed"', 'to = ["topic:users", "topic:company"]'),
        "rule large-orders (chalicelib/routing.toml:13): data.order.total: wanted numeric >= 500, found 119.85",
    ),
    "another locale": (
        ('type = "order.placed"', 'with.locale = "en"', 'to = ["topic:users/es"]'),
        "expected to go to topic:users/es; goes to topic:users/en",
    ),
    "nowhere": (
        ('type = "aws.alarm"', "to = []"),
        "expected to go to none; goes to topic:alerts/es",
    ),
    "a rule behind a stop": (
        ('type = "offer.published"', 'rules = ["offers"]'),
        "rule offers (chalicelib/routing.toml:27) is not reached: rule quiet stops here",
    ),
    "a rule of another stage": (
        ('type = "aws.alarm"', 'rules = ["alarms", "loud"]', 'stage = "dev"'),
        "rule loud does not apply to stage dev",
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_failure_says_what_was_expected_what_came_and_why(tree: Path, case: str) -> None:
    lines, told = FAULTS[case]
    file = tree / ROUTING
    text = file.read_text()
    if case == "a rule behind a stop":
        quiet = '[[rule]]\nname = "quiet"\npattern.type = ["offer.published"]\nsuppress = true\n'
        text = text.replace("[[rule]]", quiet + "[[rule]]", 1)
    text += '[[rule]]\nname = "loud"\npattern.type = ["aws.alarm"]\nto = ["topic:alerts"]\nstages = ["prod"]\n'
    if case == "nowhere":
        text = text.partition('[[rule]]\nname = "loud"')[0]
    file.write_text(text)
    only(tree, *lines)
    done = rules(tree, "test")
    assert done.exit_code == 1
    assert told in done.output


MISTAKES = {
    "no name": (['type = "aws.alarm"', "to = []"], 1, "needs a name"),
    "a typo in a key": (['name = "x"', 'type = "aws.alarm"', 'wiht.locale = "en"', "to = []"], 4, "did you mean with"),
    "an unknown type": (['name = "x"', 'type = "aws.alrm"', "to = []"], 3, "did you mean aws.alarm"),
    "an unknown rule": (['name = "x"', 'type = "aws.alarm"', 'rules = ["alarm"]'], 4, "did you mean alarms"),
    "an unknown topic": (['name = "x"', 'type = "aws.alarm"', 'to = ["topic:alert"]'], 4, "did you mean topic:alerts"),
    "nothing expected": (['name = "x"', 'type = "aws.alarm"'], 2, "expects nothing"),
    "to that is no list": (['name = "x"', 'type = "aws.alarm"', 'to = "topic:alerts"'], 4, "must be a list"),
    "taking out what is not there": (
        ['name = "x"', 'type = "aws.alarm"', 'without = ["data.nme"]', "to = []"], 4, "no data.nme to take out",
    ),
    "an attribute that cannot be": (
        ['name = "x"', 'type = "aws.alarm"', "with.locale = 3", "to = []"], 4, "locale must be a non-empty string",
    ),
    "another type in with": (
        ['name = "x"', 'type = "aws.alarm"', 'with.type = "x"', "to = []"], 4, "with sets attributes and data",
    ),
    "a stage that is none": (['name = "x"', 'type = "aws.alarm"', "to = []", "stage = 1"], 5, "name of a stage"),
}  # fmt: skip


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_in_the_examples_is_told_with_its_line(tree: Path, case: str) -> None:
    lines, line, problem = MISTAKES[case]
    (tree / examples.EXAMPLES).write_text("\n".join(["[[example]]", *lines]), encoding="utf-8")
    done = rules(tree, "test")
    assert done.exit_code == 1
    assert f"{examples.EXAMPLES}:{line}: " in done.stderr
    assert problem in done.stderr


def test_two_examples_of_one_name_are_told(tree: Path) -> None:
    one = '[[example]]\nname = "x"\ntype = "aws.alarm"\nto = []\n'
    (tree / examples.EXAMPLES).write_text(one + "\n" + one, encoding="utf-8")
    done = rules(tree, "test")
    assert done.exit_code == 1
    told = f"{examples.EXAMPLES}:7: example 'x': has the name of the example in line 2\n"
    assert done.stderr == told


@pytest.mark.parametrize("name", ["test", "list"])
def test_rules_that_are_gone_are_told(tree: Path, name: str) -> None:
    (tree / ROUTING).unlink()
    done = rules(tree, name)
    assert done.exit_code == 1
    assert done.stderr.startswith("chalicelib/routing.toml: there is no routing.toml")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[[examples]]\nname = 'x'", "[[example]]"),
        ("example = 1", "[[example]]"),
        ("x =", "TOML"),
        ("a = 1\n>>>>>>> b", ":2: >>>>>>> is left of a merge"),
    ],
)
def test_a_file_that_is_no_table_of_examples_is_refused(
    tree: Path, text: str, problem: str
) -> None:
    (tree / examples.EXAMPLES).write_text(text)
    assert problem in rules(tree, "test").stderr


def test_broken_rules_are_told_before_any_example(tree: Path) -> None:
    file = tree / ROUTING
    file.write_text(file.read_text().replace("prefix", "prefx", 1))
    for name in ("test", "list"):
        done = rules(tree, name)
        assert done.exit_code == 1
        assert (
            "chalicelib/routing.toml:11: rule customers: pattern.type: unknown operator"
            in done.stderr
        )


def test_a_rule_without_an_example_is_named(tree: Path) -> None:
    only(tree, 'type = "aws.alarm"', 'rules = ["alarms"]')
    done = rules(tree, "test")
    assert done.exit_code == 0
    assert "! no example matches rule customers, large-orders, " in done.output


def test_the_list_says_each_rule_in_words(tree: Path) -> None:
    file = tree / ROUTING
    file.write_text(
        file.read_text()
        + """\
[[rule]]
name = "night"
owner = "Ana"
note = "Nobody is to be woken."
stages = ["prod"]
pattern.type = [{ prefix = "update." }, { suffix = ".late" }, "x"]
pattern.data.audience = [{ anything-but = "company" }, { exists = false }]
pattern.data.n = [{ numeric = [">", 0, "<=", 5] }]
suppress = true
"""
    )
    shown = rules(tree, "list").output
    assert shown.endswith(
        """\
night → nobody, and no later rule is asked (suppress)  chalicelib/routing.toml:31
    when type starts with "update." or ends with ".late" or is "x", and data.audience is anything but "company" or is not there, and data.n is > 0 and <= 5
    only in prod
    owner: Ana
    Nobody is to be woken.

"""
    )
    assert "night" not in rules(tree, "list", "--stage", "dev").output


def test_json_has_the_rules_and_the_outcomes(tree: Path) -> None:
    listed = json.loads(rules(tree, "list", "--json").stdout)
    assert listed[1] == {
        "name": "large-orders",
        "when": 'type is "order.placed" and data.order.total is >= 500',
        "to": ["topic:company"],
        "digest": False,
        "starts": [],
        "stops": [],
        "stop": False,
        "suppress": False,
        "stages": [],
        "owner": "",
        "note": "Worth a phone call.",
        "file": "chalicelib/routing.toml",
        "line": 13,
    }
    tried = json.loads(rules(tree, "test", "--json").stdout)
    assert all(example["passed"] for example in tried["examples"])
    assert tried["untried_rules"] == []
