"""Lint on journeys: what AWS would refuse, or take and then fail with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.lint.finding import Finding
from cli.lint.findings import lint
from cli.paths import ROOT, ROUTING

ASL = "journeys/cart.asl.json"
RULES = """\
[lanes]
orders = ["order.*"]
reminders = ["cart.*"]
[topics]
users = { personal = true, locales = ["es"] }
[journeys.cart]
key = "recipient"
[[rule]]
name = "all"
pattern.type = ["cart.left", "cart.reminder", "order.placed"]
to = ["topic:users"]
[[rule]]
name = "left"
pattern.type = ["cart.left"]
start = "cart"
[[rule]]
name = "ordered"
pattern.type = ["order.placed"]
stop = "cart"
"""
EXAMPLES = """\
[[example]]
name = "one reminder"
events = [{ at = "0", type = "cart.left" }]
sends = [{ at = "1h", type = "cart.reminder" }]
"""
RUN = "$states.context.Execution.Input"
SENDS: dict[str, Any] = json.loads((ROOT / "journeys" / "abandoned-cart.asl.json").read_text())[
    "States"
]["Offer"]
TEMPLATES = {
    "cart.left": "{{ name }} {{ cart.url }}",
    "cart.reminder": "{{ name }}",
    "order.placed": "{{ order.id }}",
}
SAMPLES = {
    "cart.left": {"name": "Lucía", "cart": {"url": "https://a.example"}},
    "cart.reminder": {"name": "Lucía"},
    "order.placed": {"order": {"id": "A-1"}},
}


def journey() -> dict[str, Any]:
    sends = json.loads(json.dumps(SENDS).replace("cart.offer", "cart.reminder"))
    return {
        "QueryLanguage": "JSONata",
        "StartAt": "Hour",
        "States": {"Hour": {"Type": "Wait", "Seconds": 3600, "Next": "Remind"}, "Remind": sends},
    }


def write_tree(root: Path) -> None:
    for event_type, text in TEMPLATES.items():
        folder = root / "templates" / event_type
        folder.mkdir(parents=True)
        blocks = f"{{% block subject %}}x{{% endblock %}}{{% block body %}}{text}{{% endblock %}}"
        for locale in ("es", "en"):
            (folder / f"{locale}.j2").write_text(blocks, "utf-8")
        sample = {"type": event_type, "recipient": "cus-1", "data": SAMPLES[event_type]}
        (folder / "sample.json").write_text(json.dumps(sample), "utf-8")
    (root / "journeys").mkdir()
    (root / "chalicelib").mkdir()
    (root / "stages.toml").write_text("[local]\n[prod]\n")
    (root / ROUTING).write_text(RULES)
    (root / ASL).write_text(json.dumps(journey(), indent=1))
    (root / "journeys/cart.examples.toml").write_text(EXAMPLES)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    write_tree(tmp_path)
    return tmp_path


Change = Callable[[Path], None]


def asl(change: Callable[[dict[str, Any]], Any]) -> Change:
    def apply(root: Path) -> None:
        changed = journey()
        change(changed)
        (root / ASL).write_text(json.dumps(changed, indent=1, ensure_ascii=False), "utf-8")

    return apply


def state(name: str, **fields: Any) -> Change:
    """A state's fields, set or (None) taken out."""

    def change(journey: dict[str, Any]) -> None:
        there = journey["States"].setdefault(name, {})
        for field, value in fields.items():
            there[field] = value
            if value is None:
                del there[field]

    return asl(change)


def arguments(**fields: Any) -> Change:
    return asl(lambda j: j["States"]["Remind"]["Arguments"].update(fields))


def body(**fields: Any) -> Change:
    return asl(lambda j: j["States"]["Remind"]["Arguments"]["MessageBody"].update(fields))


def text(file: str, old: str, new: str) -> Change:
    def apply(root: Path) -> None:
        there = (root / file).read_text("utf-8")
        assert old in there
        (root / file).write_text(there.replace(old, new), "utf-8")

    return apply


CHOICE = {
    "Type": "Choice",
    "Choices": [{"Condition": "{% true %}", "Next": "Remind"}],
    "Default": "Hour",
}

# name: (what is changed, file, line (0: any), code, what is said)
MISTAKES: dict[str, tuple[Change, str, int, str, str]] = {
    "no JSON": (text(ASL, '"States": {', '"States": {,'), ASL, 4, "journey-json", "is not JSON"),
    "a state twice": (text(ASL, '"Remind": {', '"Hour": {'), ASL, 10, "journey-json", "'Hour' is there twice"),
    "no states": (asl(lambda j: j.update(States={})), ASL, 4, "journey-json", "must have States"),
    "no start": (asl(lambda j: j.pop("StartAt")), ASL, 1, "journey-json", "must have StartAt"),
    "a state that is a text": (asl(lambda j: j["States"].update(Hour="x")), ASL, 5, "journey-json", "state Hour must be an object"),
    "a list": (lambda root: (root / ASL).write_text("[]") and None, ASL, 1, "journey-json", "must be a JSON object"),
    "not UTF-8": (lambda root: (root / ASL).write_bytes(b'{\n"a": "\xf1"}') and None, ASL, 2, "journey-json", "is not UTF-8"),
    "no JSONata": (asl(lambda j: j.pop("QueryLanguage")), ASL, 1, "journey-state", "is not written with JSONata"),
    "a field at the top": (asl(lambda j: j.update(Coment="x")), ASL, 0, "journey-state", "did you mean Comment?"),
    "an unknown type of state": (state("Hour", Type="Wiat"), ASL, 6, "journey-state", "Hour is of the type Wiat did you mean Wait?"),
    "a type that is not for journeys": (state("Hour", Type="Parallel"), ASL, 6, "journey-state", "journeys have Pass, Wait"),
    "an unknown field": (state("Hour", Secnds=1), ASL, 9, "journey-state", "did you mean Seconds?"),
    "a catch": (state("Remind", Catch=[]), ASL, 0, "journey-state", "has Catch, which has no place here"),
    "a choice without choices": (state("Hour", **{**CHOICE, "Choices": None, "Seconds": None, "Next": None}), ASL, 0, "journey-state", "has no Choices"),
    "a choice without a default": (state("Which", **{**CHOICE, "Default": None}), ASL, 0, "journey-state", "has no Default"),
    "a choice without a condition": (state("Which", **{**CHOICE, "Choices": [{"Next": "Remind"}]}), ASL, 0, "journey-state", "without Condition"),
    "a choice in the old language": (state("Which", **{**CHOICE, "Choices": [{"Condition": "{% true %}", "Next": "Remind", "Variable": "$.x"}]}), ASL, 0, "journey-state", "has Variable in a choice"),
    "a start that there is not": (asl(lambda j: j.update(StartAt="Huor")), ASL, 3, "journey-next", "did you mean Hour?"),
    "a next that there is not": (state("Hour", Next="Remnd"), ASL, 8, "journey-next", "Hour leads to Remnd, which there is not did you mean Remind?"),
    "no next and no end": (state("Hour", Next=None), ASL, 5, "journey-next", "leads nowhere, and is no end"),
    "a next and an end": (state("Hour", End=True), ASL, 9, "journey-next", "ends and leads on"),
    "a choice without next": (state("Which", **{**CHOICE, "Choices": [{"Condition": "{% true %}"}]}), ASL, 0, "journey-next", "has a choice without Next"),
    "a state that is never reached": (state("Alone", Type="Succeed"), ASL, 0, "journey-unreached", "Alone is never reached"),
    "a circle without a wait": (state("Remind", End=None, Next="Remind"), ASL, 10, "journey-circle", "Remind comes round to itself without a Wait (Remind → Remind)"),
    "no time to wait": (state("Hour", Seconds=0), ASL, 7, "journey-wait", "waits 0 seconds"),
    "a wait for yesterday": (state("Hour", Seconds=-5), ASL, 7, "journey-wait", "waits -5 seconds"),
    "a wait of more than a year": (state("Hour", Seconds=40_000_000), ASL, 7, "journey-wait", "over a year"),
    "seconds in quotes": (state("Hour", Seconds="60"), ASL, 7, "journey-wait", "a whole number, without quotes"),
    "a wait without an end": (state("Hour", Seconds=None), ASL, 5, "journey-wait", "does not say how long"),
    "a wait with two": (state("Hour", Timestamp="2026-12-24T20:00:00Z"), ASL, 5, "journey-wait", "says twice"),
    "a time that is none": (state("Hour", Seconds=None, Timestamp="tomorrow"), ASL, 8, "journey-wait", "waits until 'tomorrow'"),
    "no JSONata in an expression": (state("Hour", Seconds="{% 3600 * %}"), ASL, 7, "journey-expression", "is no JSONata: "),
    "half an expression": (state("Hour", Output="a {% 1 %}"), ASL, 9, "journey-expression", "the whole text"),
    "chance": (state("Hour", Seconds="{% $floor($random() * 60) %}"), ASL, 7, "journey-expression", "$random has no place"),
    "another service": (state("Remind", Resource="arn:aws:states:::sns:publish"), ASL, 0, "journey-send", "has the Resource"),
    "no arguments": (state("Remind", Arguments=None), ASL, 10, "journey-send", "has no Arguments"),
    "a URL": (arguments(QueueUrl="https://sqs.example/x"), ASL, 14, "journey-send", "does not say to which lane"),
    "a lane that there is not": (arguments(QueueUrl="${remnders}"), ASL, 14, "journey-send", "did you mean reminders?"),
    "another type's lane": (arguments(QueueUrl="${orders}"), ASL, 14, "journey-send", "sends cart.reminder into the lane orders, and it belongs to reminders"),
    "another group": (arguments(MessageGroupId="x"), ASL, 15, "journey-send", "has another MessageGroupId"),
    "no deduplication": (asl(lambda j: j["States"]["Remind"]["Arguments"].pop("MessageDeduplicationId")), ASL, 13, "journey-send", "lacks MessageDeduplicationId"),
    "more arguments": (arguments(DelaySeconds=5), ASL, 0, "journey-send", "has 'DelaySeconds', which no lane reads"),
    "a type that there is not": (body(send="cart.remider"), ASL, 18, "journey-send", "did you mean cart.reminder?"),
    "no type": (body(send="{% 'cart.reminder' %}"), ASL, 18, "journey-send", "does not say which event type"),
    "people in the body": (body(email="{% $states.input.email %}"), ASL, 0, "journey-send", "has 'email', which no lane reads"),
    "another step": (body(step="Remind"), ASL, 19, "journey-send", "has another step"),
    "no body": (arguments(MessageBody="x"), ASL, 17, "journey-send", "has no MessageBody"),
    "no retry": (state("Remind", Retry=None), ASL, 10, "journey-send", "gives up at the first error"),
    "SQS's answer handed on": (state("Remind", Output=None), ASL, 10, "journey-send", "hands on something else"),
    "a name with spaces": (text(ASL, "Remind\"", "Remind them\""), ASL, 0, "journey-send", "cannot stand in the id"),
    "words that need more": (text("templates/cart.reminder/es.j2", "{{ name }}", "{{ name }} {{ basket.url }}"), ASL, 18, "journey-words", "which in es does not render with the data of cart.left"),
    "words that may need more": (text("templates/cart.left/es.j2", "{{ name }}", "{{ name|default }}"), ASL, 18, "journey-data", "needs data.name, and cart.left may come without"),
    "a journey without its lines": (text(ROUTING, "[journeys.cart]\nkey = \"recipient\"\n", "[journeys.crat]\nkey = \"recipient\"\n"), ASL, 0, "journey-undeclared", "is not declared"),
    "a journey without its file": (lambda root: (root / ASL).unlink(), ROUTING, 6, "journey-undeclared", "journey cart has no journeys/cart.asl.json"),
    "a journey that nothing starts": (text(ROUTING, 'start = "cart"', 'stop = "cart"'), ROUTING, 6, "journey-unstarted", "no rule starts journey cart"),
    "a start without the key": (text(ROUTING, 'key = "recipient"', 'key = "data.cart.id"'), ROUTING, 15, "journey-key", "rule left starts cart by data.cart.id, which cart.left has not"),
    "a key with a slip of the pen": (text(ROUTING, 'key = "recipient"', 'key = "recipent"'), ROUTING, 15, "journey-key", "did you mean recipient?"),
    "a stop without the key": (text(ROUTING, 'key = "recipient"', 'key = "data.cart.url"'), ROUTING, 19, "journey-key", "rule ordered stops cart by data.cart.url, which order.placed has not"),
    "no examples": (lambda root: (root / "journeys/cart.examples.toml").unlink(), "journeys/cart.examples.toml", 0, "journey-examples", "there is no cart.examples.toml"),
    "an example of no type": (text("journeys/cart.examples.toml", "cart.left", "cart.lft"), "journeys/cart.examples.toml", 3, "journey-examples", "did you mean cart.left?"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_lint_finds(tree: Path, mistake: str) -> None:
    change, file, line, code, said = MISTAKES[mistake]
    if mistake == "a journey without its lines":
        text(ROUTING, '"cart"', '"crat"')(tree)
    change(tree)
    findings = lint(tree)
    assert [
        f
        for f in findings
        if (f.file, f.code) == (file, code)
        and (f.line == line or not line)
        and said in f"{f.message} {f.remedy}"
    ], "\n".join(map(str, findings))


def found(root: Path) -> list[Finding]:
    return [f for f in lint(root) if f.code.startswith("journey") or f.file == ROUTING]


def test_a_good_journey_is_good(tree: Path) -> None:
    assert found(tree) == []


@pytest.mark.parametrize(
    "change",
    [
        state("Hour", Seconds=None, Timestamp="2026-12-24T20:00:00Z"),
        state("Hour", Seconds="{% 60 * 60 %}", Comment="{% not code"),
        asl(
            lambda j: (
                j["States"]["Hour"].update(Next="Which"),
                j["States"].update(Which={**CHOICE, "Comment": "round, with a Wait"}),
            )
        ),
        arguments(MessageGroupId="{%" + RUN + ".group%}"),
    ],
    ids=["a time", "an expression", "a circle with a wait", "other spaces"],
)  # fmt: skip
def test_what_only_looks_like_a_mistake_is_none(tree: Path, change: Change) -> None:
    change(tree)
    assert found(tree) == []
