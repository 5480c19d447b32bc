"""Journeys tried and drawn: the interpreter, the examples and the command."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from chalicelib.events.event import Event
from chalicelib.journeys import drawing, spans
from chalicelib.journeys.states import State
from cli.commands.journeys import command
from cli.journeys import definition, places, trial
from cli.journeys.definition import Definition, DefinitionError
from cli.journeys.examples import ExamplesError
from cli.journeys.expressions import ExpressionError, evaluate
from cli.journeys.walk import Ended, Sent, WalkError, walk
from cli.paths import ROOT, ROUTING
from tests.unit.cli.test_lint_journeys import ASL, journey, write_tree

NAMES = definition.names(ROOT)
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def defined(start: str = "A", **states: dict[str, Any]) -> Definition:
    return Definition("x", start, {n: State(n, f) for n, f in states.items()}, {}, {})


def walked(journey: Definition, **given: Any) -> list[tuple[str, str]]:
    """When and where a run sends and ends."""
    return [
        (spans.write(step.at - NOON), step.state)
        for step in walk(journey, {"run": "r", **given}, NOON)
    ]


WAIT = {"Type": "Wait", "Seconds": 60}
SEND = {"Type": "Task", "Arguments": {"at": "{% $states.context.State.EnteredTime %}"}, "End": True}
END = {"Type": "Succeed"}


# -- the shipped journeys --------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_journey_sends_what_its_examples_say(name: str) -> None:
    faults = {o.example.name: o.faults for o in trial.run(ROOT, name) if o.faults}
    assert faults == {}


@pytest.mark.parametrize("name", NAMES)
def test_the_picture_of_a_journey_is_current(name: str) -> None:
    committed = ROOT / "docs" / "images" / f"{name}.svg"
    assert committed.read_text("utf-8") == drawing.svg(definition.read(ROOT, name)), (
        "run `./heraldo journeys draw --to docs/images`, and commit it"
    )


def test_no_picture_is_left_of_a_journey_that_is_gone() -> None:
    assert {file.stem for file in (ROOT / "docs" / "images").glob("*.svg")} == {*NAMES}


@pytest.mark.parametrize(
    ("name", "transitions"), [("abandoned-cart", 7), ("unpaid-order", 7), ("critical-alert", 149)]
)
def test_what_a_run_to_the_end_takes_is_what_the_guide_says(name: str, transitions: int) -> None:
    given = trial.run_input(name, "k", "r", Event("1", "/s", "t", {}), NOON)
    *_, last = walk(definition.read(ROOT, name), given, NOON)
    assert isinstance(last, Ended)
    assert last.transitions == transitions


# -- the interpreter -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("journey", "steps"),
    [
        (defined(A={**WAIT, "Next": "B"}, B=SEND), [("1m", "B"), ("1m", "B")]),
        (defined(A={"Type": "Pass", "Next": "B"}, B=END), [("0", "B")]),
        (defined(A={"Type": "Pass", "End": True}), [("0", "A")]),
        (
            defined(A={"Type": "Wait", "Timestamp": "2026-01-05T14:30:00+01:00", "Next": "B"}, B=END),
            [("1h 30m", "B")],
        ),
        # A time that is past is not waited for.
        (defined(A={"Type": "Wait", "Timestamp": "2020-01-01T00:00:00Z", "Next": "B"}, B=END), [("0", "B")]),
        (defined(A={"Type": "Wait", "Seconds": "{% $states.input.n * 2 %}", "End": True}), [("10s", "A")]),
        (
            defined(A={"Type": "Wait", "Timestamp": "{% $fromMillis($millis() + 60000) %}", "Next": "B"}, B=END),
            [("1m", "B")],
        ),
        # What a state hands on is what the next one gets.
        (
            defined(
                A={"Type": "Pass", "Output": {"n": "{% $states.input.n + 1 %}"}, "Next": "B"},
                B={"Type": "Wait", "Seconds": "{% $states.input.n %}", "End": True},
            ),
            [("6s", "B")],
        ),
        # Without an Output, a state that sends hands on what SQS said.
        (
            defined(
                A={**SEND, "End": False, "Next": "B"},
                B={"Type": "Choice", "Choices": [{"Condition": "{% $exists($states.input.MessageId) %}", "Next": "C"}], "Default": "A"},
                C=END,
            ),
            [("0", "A"), ("0", "C")],
        ),
    ],
)  # fmt: skip
def test_a_run_goes_from_state_to_state(journey: Definition, steps: list[tuple[str, str]]) -> None:
    assert walked(journey, n=5) == steps


@pytest.mark.parametrize(
    ("n", "end"), [(1, "One"), (2, "Two"), (3, "Other")], ids=["first", "second", "otherwise"]
)
def test_a_choice_takes_the_first_that_is_met(n: int, end: str) -> None:
    choices = [
        {"Condition": "{% $states.input.n = 1 %}", "Next": "One"},
        {"Condition": "{% $states.input.n <= 2 %}", "Next": "Two"},
    ]
    choice = {"Type": "Choice", "Choices": choices, "Default": "Other"}
    assert walked(defined(A=choice, One=END, Two=END, Other=END), n=n) == [("0", end)]


def test_a_run_that_fails_says_as_what() -> None:
    [end] = walk(defined(A={"Type": "Fail", "Error": "Nobody"}), {}, NOON)
    assert end == Ended(NOON, "A", 2, "Nobody")


def test_what_is_sent_knows_its_state_and_time() -> None:
    sent, _ = walk(defined(A={**WAIT, "Next": "B"}, B=SEND), {}, NOON)
    assert sent == Sent(NOON + timedelta(minutes=1), "B", {"at": "2026-01-05T12:01:00.000Z"})


CHOOSE = {"Type": "Choice", "Choices": [{"Condition": "{% 5 %}", "Next": "A"}], "Default": "A"}


@pytest.mark.parametrize(
    ("state", "problem"),
    [
        ({"Type": "Parallel"}, "Parallel cannot be walked"),
        ({}, "a state without a type cannot be walked"),
        ({"Type": "Pass", "Next": "B"}, "there is no such state"),
        ({**WAIT, "Next": "A"}, "comes round for ever"),
        ({"Type": "Wait", "Seconds": "{% 'x' %}"}, "'x' is no number of seconds"),
        ({"Type": "Wait", "Timestamp": "{% 'x' %}"}, "'x' is no time"),
        ({"Type": "Pass", "Output": "{% $states.input.nothing %}"}, "comes to nothing"),
        ({"Type": "Pass", "Output": "{% $number('x') %}"}, "could not convert"),
        (CHOOSE, "a Condition came to 5"),
        ({**CHOOSE, "Choices": [{"Condition": "{% false %}", "Next": "A"}], "Default": "B"}, "no such"),
    ],
)  # fmt: skip
def test_what_would_fail_on_aws_fails(state: dict[str, Any], problem: str) -> None:
    with pytest.raises(WalkError, match=problem):
        list(walk(defined(A=state), {}, NOON))


def test_a_choice_without_a_way_fails() -> None:
    choice = {"Type": "Choice", "Choices": [{"Condition": "{% false %}", "Next": "A"}]}
    with pytest.raises(WalkError, match="no Condition is met"):
        list(walk(defined(A=choice), {}, NOON))


def test_expressions_are_worked_out_wherever_they_stand() -> None:
    states = {"input": {"n": 2}}
    value = {"a": ["{% $states.input.n + 1 %}", "text"], "b": {"c": "{% $now() %}"}, "d": 4}
    assert evaluate(value, states, NOON) == {
        "a": [3, "text"],
        "b": {"c": "2026-01-05T12:00:00.000Z"},
        "d": 4,
    }
    with pytest.raises(ExpressionError, match="is no JSONata"):
        evaluate("{% 1 + %}", states, NOON)


# -- reading ---------------------------------------------------------------------------------------


def test_every_key_of_a_file_has_its_line() -> None:
    text = '{\n"a": {"b": [1,\n {"c": "}]{\\"" , "d": []\n}], "e": 1},\n"a b": null}'
    found = places.places(text)
    assert found[("a",)] == found[("a", "b")] == found[("a", "b", 0)] == 2
    assert found[("a", "b", 1, "c")] == found[("a", "b", 1, "d")] == 3
    assert found[("a", "e")] == 4
    assert found[("a b",)] == 5
    assert places.line_of(found, "a", "b", 1, "nothing", 7) == 3
    assert places.line_of(found, "nothing") == 1


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("45s", 45), ("90m", 5400), ("1d 2h", 93600), ("2d1h3m4s", 176584), (0, 0)],
)  # fmt: skip
def test_a_span_is_read(text: object, seconds: int) -> None:
    assert spans.read(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "1", "h", "1w", "2h 1d", "-1h", "1.5h", 5, None, True, False])
def test_what_is_no_span_is_none(text: object) -> None:
    assert spans.read(text) is None


@pytest.mark.parametrize("text", ["0", "45s", "1h 30m", "1d 2h", "365d"])
def test_a_span_is_written_as_it_is_read(text: str) -> None:
    span = spans.read(text)
    assert span is not None
    assert spans.write(span) == text


# -- examples --------------------------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    write_tree(tmp_path)
    return tmp_path


EXAMPLES = "journeys/cart.examples.toml"


def example(root: Path, *lines: str) -> None:
    text = "\n".join(["[[example]]", 'name = "x"', *lines, ""])
    (root / EXAMPLES).write_text(text, "utf-8")


LEFT = "events = [{ at = '0', type = 'cart.left' }]"


@pytest.mark.parametrize(
    ("lines", "line", "problem"),
    [
        ([LEFT], 2, "expects nothing: say sends, which may be []"),
        (["sends = []"], 1, "events must be a list of what comes in"),
        (["events = ['x']", "sends = []"], 3, "events must be a list of tables"),
        ([LEFT, "sends = []", "unitl = '1d'"], 5, "unknown key 'unitl'; did you mean until?"),
        ([LEFT, "sends = []", "until = 'noon'"], 5, "until must be a span such as '1d 2h'"),
        ([LEFT, "sends = []", "stage = 1"], 5, "stage must be the name of a stage"),
        (["events = [", "{ at = '0', type = 'cart.left' },", "{ at = 'x', type = 'cart.left' } ]", "sends = []"], 5, "at must be a span"),
        (["events = [{ at = '0', tpye = 'cart.left' }]", "sends = []"], 3, "unknown key 'tpye'; did you mean type?"),
        (["events = [{ at = '0', type = 'cart.lft' }]", "sends = []"], 3, "did you mean cart.left?"),
        (["events = [{ at = '0', ack = 1 }]", "sends = []"], 3, "ack has the id of the event"),
        (["events = [{ at = '0', type = 'cart.left', with.locale = '??' }]", "sends = []"], 3, "locale must be a language tag"),
        ([LEFT, "sends = [{ at = '1h', type = 'cart.remindr' }]"], 4, "did you mean cart.reminder"),
        ([LEFT, "sends = [{ at = '1h', type = 'cart.reminder', to = 'topic:users' }]"], 4, "to must be a list"),
        ([LEFT, "sends = [{ at = '1h', type = 'cart.reminder', to = ['topic:user'] }]"], 4, "no rule sends to 'topic:user'; did you mean topic:users?"),
    ],
)  # fmt: skip
def test_a_mistake_in_an_example_is_told_with_its_line(
    tree: Path, lines: list[str], line: int, problem: str
) -> None:
    example(tree, *lines)
    with pytest.raises(ExamplesError) as refused:
        trial.run(tree, "cart")
    assert [p.line for p in refused.value.problems if problem in p.problem] == [line]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x = 1\n", "unknown key 'x'"),
        ("example = 1\n", "write each example under an"),
        ("example = [\n", "is not valid TOML"),
        ("", "has no [[example]]"),
        ("[[example]]\nevents = []\nsends = []\n", "needs a name"),
    ],
)
def test_a_file_without_examples_is_told(tree: Path, text: str, problem: str) -> None:
    (tree / EXAMPLES).write_text(text)
    with pytest.raises(ExamplesError) as refused:
        trial.run(tree, "cart")
    assert problem in str(refused.value)


def outcome(tree: Path, *lines: str) -> trial.Outcome:
    example(tree, *lines)
    [found] = trial.run(tree, "cart")
    return found


def sent(outcome: trial.Outcome) -> list[str]:
    return [f"{spans.write(came.at)} {came.type}" for came in outcome.came]


def test_a_key_has_one_run_at_a_time_and_another_after_its_end(tree: Path) -> None:
    events = ", ".join(
        f"{{ at = '{at}', type = 'cart.left', with.id = '{at}' }}" for at in ("0", "59m", "61m")
    )
    found = outcome(tree, f"events = [{events}]", "sends = []")
    assert sent(found) == ["1h cart.reminder", "2h 1m cart.reminder"]
    assert found.transitions == 6


def test_each_key_has_a_run_of_its_own(tree: Path) -> None:
    events = (
        "{ at = '1m', type = 'cart.left', with.recipient = 'b' }, { at = '0', type = 'cart.left' }"
    )
    assert sent(outcome(tree, f"events = [{events}]", "sends = []")) == [
        "1h cart.reminder",
        "1h 1m cart.reminder",
    ]


def test_an_event_without_the_key_starts_nothing(tree: Path) -> None:
    lines = "events = [{ at = '0', type = 'cart.left', without = ['recipient'] }]"
    assert sent(outcome(tree, lines, "sends = []")) == []


def test_rules_of_the_example_s_stage_decide(tree: Path) -> None:
    rules = tree / ROUTING
    rules.write_text(
        rules.read_text().replace('name = "left"', 'name = "left"\nstages = ["local"]')
    )
    assert sent(outcome(tree, LEFT, "sends = []")) == []
    assert sent(outcome(tree, LEFT, "sends = []", "stage = 'local'")) == ["1h cart.reminder"]


def test_what_is_sent_may_stop_the_journey_itself(tree: Path) -> None:
    rules = tree / ROUTING
    rules.write_text(rules.read_text().replace('["order.placed"]\nstop', '["cart.reminder"]\nstop'))
    changed = journey()
    changed["States"]["Remind"] |= {"Next": "Hour"}
    del changed["States"]["Remind"]["End"]
    (tree / ASL).write_text(json.dumps(changed))
    assert sent(outcome(tree, LEFT, "sends = []")) == ["1h cart.reminder"]


def test_what_differs_is_shown_as_a_diff(tree: Path) -> None:
    sends = [
        "{ at = '1h', type = 'cart.reminder', to = ['topic:users/en'] }",
        "{ at = '2h', type = 'cart.reminder' }",
    ]
    found = outcome(tree, LEFT, f"sends = [{', '.join(sends)}]")
    assert found.faults == (
        "expected (-) and sent (+):",
        "  - 1h        cart.reminder  → topic:users/en",
        "  + 1h        cart.reminder  → topic:users/es",
        "  - 2h        cart.reminder",
    )


def test_words_that_do_not_render_are_a_fault(tree: Path) -> None:
    words = tree / "templates/cart.reminder/es.j2"
    words.write_text(words.read_text().replace("{{ name }}", "{{ basket }}"))
    [fault] = outcome(tree, LEFT, "sends = [{ at = '1h', type = 'cart.reminder' }]").faults
    assert "1h  cart.reminder does not render" in fault


def test_a_run_that_fails_is_a_fault(tree: Path) -> None:
    changed = journey()
    changed["States"]["Hour"]["Seconds"] = "{% $states.input.nothing %}"
    (tree / ASL).write_text(json.dumps(changed))
    [fault] = outcome(tree, LEFT, "sends = []").faults
    assert fault.startswith("cart fails in Hour: ")


# -- the command -----------------------------------------------------------------------------------


def journeys(root: Path, *arguments: str) -> Result:
    return CliRunner().invoke(command, [*arguments, "--root", str(root)])


def test_the_command_says_what_was_sent(tree: Path) -> None:
    result = journeys(tree, "test")
    assert result.exit_code == 0
    assert result.stdout.startswith(
        "cart\n✓ one reminder\n    1h cart.reminder\n1 of 1 examples hold ("
    )


def test_the_command_fails_with_the_place_and_the_difference(tree: Path) -> None:
    example(tree, LEFT, "sends = []")
    result = journeys(tree, "test", "cart")
    assert result.exit_code == 1
    assert "✗ x  journeys/cart.examples.toml:1\n" in result.stdout
    assert "      + 1h        cart.reminder  → topic:users\n" in result.stdout
    assert "0 of 1 examples hold" in result.stdout


def test_json_has_what_was_sent_and_what_it_takes(tree: Path) -> None:
    [found] = json.loads(journeys(tree, "test", "--json").stdout)["journeys"]["cart"]
    assert found == {
        "name": "one reminder",
        "line": 1,
        "passed": True,
        "sent": [{"at": "1h", "type": "cart.reminder", "to": ["topic:users/es"]}],
        "transitions": 3,
        "faults": [],
    }


@pytest.mark.parametrize(
    ("file", "told"),
    [
        (ASL, f"{ASL}:1: is not JSON"),
        (EXAMPLES, f"{EXAMPLES}:1: is not valid TOML"),
        (ROUTING, f"{ROUTING}:1: is not valid TOML"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(tree: Path, file: str, told: str) -> None:
    (tree / file).write_text("?")
    result = journeys(tree, "test")
    assert result.exit_code == 1
    assert told in result.stderr
    [problem] = json.loads(journeys(tree, "test", "--json").stdout)["problems"]
    assert problem["file"] == file


def test_a_journey_that_there_is_not_is_told(tree: Path) -> None:
    result = journeys(tree, "test", "crat")
    assert result.exit_code == 2
    assert "there is no journey 'crat'; did you mean cart?" in result.stderr


def test_a_picture_goes_to_the_terminal_or_into_a_folder(tree: Path, tmp_path: Path) -> None:
    one = journeys(tree, "draw", "cart").stdout
    assert journeys(tree, "draw").stdout == one
    folder = tmp_path / "pictures"
    assert journeys(tree, "draw", "--to", str(folder)).exit_code == 0
    assert (folder / "cart.svg").read_text("utf-8") == one
    shutil.copy(tree / ASL, tree / "journeys" / "other.asl.json")
    result = journeys(tree, "draw")
    assert result.exit_code == 2
    assert "Say which (cart, other), or --to FOLDER" in result.stderr
    (tree / ASL).write_text("?")
    assert journeys(tree, "draw", "cart").exit_code == 1


# -- pictures --------------------------------------------------------------------------------------


def test_a_picture_has_every_state_and_every_way() -> None:
    states = {
        "Wait": {"Type": "Wait", "Timestamp": "{% $states.input.a & '<b>' %}", "Next": "Which"},
        "Which": {
            "Type": "Choice",
            "Choices": [{"Next": "Wait"}, {"Next": "Fine"}],
            "Default": "Bad",
        },
        "Send": {"Type": "Task", "Arguments": {"MessageBody": {"send": "a.b"}}, "End": True},
        "Fine": {"Type": "Pass", "Next": "Send"},
        "Bad": {"Type": "Fail", "Cause": "Too <late>"},
        "Alone": {"Type": "Succeed"},
    }
    picture = ElementTree.fromstring(drawing.svg(defined("Wait", **states)))
    tag = "{http://www.w3.org/2000/svg}"
    texts = [text.text for text in picture.iter(f"{tag}text")]
    assert [text for text in texts if text in states] == [
        "Wait", "Which", "Fine", "Send", "Bad", "Alone",
    ]  # fmt: skip
    assert {"waits $states.input.a & '<b>'", "sends a.b", "Too <late>", "otherwise"} <= {*texts}
    ways = [path for path in picture.iter(f"{tag}path") if path.get("marker-end")]
    assert len(ways) == 5


def test_a_definition_that_is_gone_is_told(tree: Path) -> None:
    with pytest.raises(DefinitionError, match="there is no such file"):
        definition.read(tree, "gone")


# -- the guide -------------------------------------------------------------------------------------

GUIDE = (ROOT / "docs" / "journeys.md").read_text("utf-8")


def test_the_state_of_the_guide_is_the_shipped_one() -> None:
    shown = json.loads("{" + GUIDE.partition("```json\n")[2].partition("```")[0] + "}")
    assert shown["Remind"] == definition.read(ROOT, "abandoned-cart").states["Remind"].fields


def test_the_example_of_the_guide_is_a_shipped_one() -> None:
    shown = GUIDE.partition("[[example]]")[2].partition("```")[0]
    assert shown.strip() in (ROOT / "journeys" / "abandoned-cart.examples.toml").read_text("utf-8")


def test_the_guide_has_every_journey_and_its_picture() -> None:
    assert all(f"`{name}`" in GUIDE and f"images/{name}.svg" in GUIDE for name in NAMES)
