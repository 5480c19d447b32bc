"""What docs/templates.md and docs/routing.md show is what happens."""

from __future__ import annotations

import re
import tomllib

import pytest

from chalicelib.rules.patterns import compile_pattern
from chalicelib.rules.reading import load
from chalicelib.words import filters
from chalicelib.words.render import Templates
from cli.lint import examples
from cli.paths import ROOT

TEMPLATES = (ROOT / "docs" / "templates.md").read_text(encoding="utf-8")
RULES = (ROOT / "docs" / "routing.md").read_text(encoding="utf-8")
FILTERS = re.findall(r'^\| `(\{\{ (?:\d|"|\[).*?\}\})` \| (.*?) \| (.*?) ?\|$', TEMPLATES, re.M)
PATTERNS = re.findall(r"^\| `(pattern\..*?)` \|", RULES, re.M)


@pytest.mark.parametrize(("template", "es", "en"), FILTERS, ids=[f[0] for f in FILTERS])
def test_a_filter_writes_what_the_guide_says(template: str, es: str, en: str) -> None:
    environment = Templates(ROOT / "templates").environment
    said = environment.from_string(template.replace("\\|", "|"))
    event = {"time": "2026-11-30T18:20:00+01:00"}
    assert said.render(locale="es", event=event) == es
    if en:
        assert said.render(locale="en", event=event) == en


def test_the_guide_has_every_filter() -> None:
    shown = " ".join(template for template, _, _ in FILTERS) + "|link"  # shown without a value
    assert {name for name in filters.FILTERS if f"|{name}" in shown} == {*filters.FILTERS}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_of_the_guide_is_one(pattern: str) -> None:
    compile_pattern(tomllib.loads(pattern)["pattern"])


def test_rules_and_topics_of_the_guide_load() -> None:
    blocks = [tomllib.loads(b) for b in re.findall(r"^```toml\n(.*?)^```", RULES, re.M | re.S)]
    assert {key for block in blocks for key in block} == {
        "rule",
        "example",
        "topics",
        "lanes",
        "categories",
        "types",
    }
    text = [b for b in re.findall(r"^```toml\n(.*?)^```", RULES, re.M | re.S) if "example" not in b]
    assert load("\n".join(sorted(text, key=lambda b: "[[rule]]" in b)), "prod").rules


def test_the_guide_names_where_the_examples_are() -> None:
    assert examples.EXAMPLES in RULES


def test_the_template_that_the_readme_shows_is_the_one_there_is() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    there = (ROOT / "templates" / "order.shipped" / "es.j2").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```jinja\n(.*?)^```", readme, re.M | re.S)
    pieces = [piece for line in shown.splitlines() for piece in line.split("…")]
    assert [piece for piece in pieces if piece not in there] == []
