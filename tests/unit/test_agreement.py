"""The door, plan, preview and lint say the same of every snippet: it renders, or what is at fault."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib.door import intake
from chalicelib.errors import InvalidEvent
from chalicelib.events.event import parse
from chalicelib.plan.plan import plan
from chalicelib.rules.reading import load
from chalicelib.rules.routing import Routing
from chalicelib.words.render import RenderError, Templates
from cli.lint.finding import Finding
from cli.lint.findings import lint
from cli.words import samples
from tests.snippets import SNIPPETS, Snippet

ROUTING = """
[lanes]
orders = ["snippet.*"]
[topics]
users = { locales = ["es"] }
[[rule]]
name = "all"
pattern.type = [{ prefix = "snippet." }]
to = ["topic:users"]
"""
NUMBERS = range(len(SNIPPETS))
NAMES = [f"{n}: {snippet.body}" for n, snippet in enumerate(SNIPPETS)]


def event_type(number: int) -> str:
    return f"snippet.n{number}"


def event(number: int) -> dict[str, Any]:
    return {
        "type": event_type(number),
        "id": "1",
        "source": "/test",
        "time": "2026-11-30T18:20:00Z",
        "data": SNIPPETS[number].data,
    }


def template(snippet: Snippet) -> str:
    return "{% block subject %}S{% endblock %}\n{% block body %}" + snippet.body + "{% endblock %}"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    (root / "chalicelib").mkdir()
    (root / "chalicelib" / "routing.toml").write_text(ROUTING, "utf-8")
    for number, snippet in enumerate(SNIPPETS):
        folder = root / "templates" / event_type(number)
        folder.mkdir(parents=True)
        for locale in ("es", "en"):
            (folder / f"{locale}.j2").write_text(template(snippet), "utf-8")
        (folder / "sample.json").write_text(json.dumps(event(number)), "utf-8")
    return root


@pytest.fixture(scope="module")
def templates(tree: Path) -> Templates:
    return Templates(tree / "templates")


@pytest.fixture(scope="module")
def findings(tree: Path) -> dict[str, list[Finding]]:
    """The errors of every type, from one run over the whole tree."""
    found = defaultdict(list)
    for finding in lint(tree):
        if finding.severity == "error" and finding.file.startswith("templates/snippet."):
            found[finding.file.split("/")[1]].append(finding)
    return found


@pytest.fixture
def rules() -> Iterator[Routing]:
    yield load(ROUTING, None)


@pytest.mark.parametrize("number", NUMBERS, ids=NAMES)
def test_rendering_gives_the_right_answer(templates: Templates, number: int) -> None:
    right = SNIPPETS[number].right
    try:
        said: object = templates.render(parse(event(number))).bodies["default"]
    except RenderError as error:
        said = frozenset(fault.field or "" for fault in error.faults)
        assert all(fault.template and fault.line == 2 for fault in error.faults)
    assert said == right


@pytest.mark.parametrize("number", NUMBERS, ids=NAMES)
def test_the_door_and_plan_say_the_same(
    monkeypatch: pytest.MonkeyPatch, templates: Templates, rules: Routing, number: int
) -> None:
    monkeypatch.setattr(intake, "templates", lambda: templates)
    right = SNIPPETS[number].right
    try:
        checked = intake.check(event(number), rules, default_source="/test")
    except InvalidEvent as error:
        assert {e.field for e in error.errors} == {field or "data" for field in right}
        assert all("templates/snippet." in e.problem for e in error.errors)
    else:
        [message] = plan(checked.event, checked.lane, checked.composed, rules)["messages"]
        assert message["bodies"]["default"] == right


@pytest.mark.parametrize("number", NUMBERS, ids=NAMES)
def test_preview_says_the_same(tree: Path, templates: Templates, number: int) -> None:
    found = samples.render(templates, samples.sample(tree, event_type(number)), "es")
    right = SNIPPETS[number].right
    if isinstance(right, str):
        assert (found.trouble, found.channels.get("body")) == (None, right)
    else:
        assert found.trouble is not None
        assert (found.trouble.file, found.trouble.line) == (
            f"templates/{event_type(number)}/es.j2",
            2,
        )


@pytest.mark.parametrize("number", NUMBERS, ids=NAMES)
def test_lint_says_the_same(findings: dict[str, list[Finding]], number: int) -> None:
    right = SNIPPETS[number].right
    errors = findings.get(event_type(number), [])
    if isinstance(right, str):
        assert errors == []
    else:
        assert errors
        assert {f.file.rpartition("/")[2] for f in errors} == {"es.j2", "en.j2"}
