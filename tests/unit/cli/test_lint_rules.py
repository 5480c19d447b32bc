"""Lint on routing.toml: rules that load, and yet do not do what was meant."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.lint.finding import Finding
from cli.lint.findings import lint
from cli.paths import ROOT, ROUTING

SAMPLES = {
    "order.placed": {
        "order": {"id": "A-1", "total": 119.85, "lines": [{"sku": "x", "quantity": 2}]},
        "name": "Lucía",
    },
    "offer.published": {"offer": {"title": "Manta", "price": 44.9}},
}
TEMPLATES = {
    "order.placed": "{{ name }} {{ order.id }} {{ order.total }} {{ note|default }}",
    "offer.published": "{{ offer.title }}",
}
HEAD = """\
[lanes]
orders = ["order.*"]
promotions = ["offer.*"]
[topics]
users = { personal = true, locales = ["es"] }
company = { locales = ["es"] }
[[rule]]
name = "first"
pattern.type = [{ prefix = "o" }]
to = ["topic:users", "topic:company"]
"""
TOP = len(HEAD.splitlines())


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for event_type, data in SAMPLES.items():
        folder = tmp_path / "templates" / event_type
        folder.mkdir(parents=True)
        text = "{% block subject %}x{% endblock %}{% block body %}" + TEMPLATES[event_type]
        for locale in ("es", "en"):
            (folder / f"{locale}.j2").write_text(text + "{% endblock %}", encoding="utf-8")
        sample = {"type": event_type, "subject": "x", "data": data}
        (folder / "sample.json").write_text(json.dumps(sample), encoding="utf-8")
    (tmp_path / ".chalice").mkdir()
    (tmp_path / "stages.toml").write_text("[local]\n[dev]\n[prod]\n")
    (tmp_path / "chalicelib").mkdir()
    return tmp_path


def rule(*lines: str, name: str = "second", to: str = 'to = ["topic:users"]') -> str:
    return "\n".join([HEAD + "[[rule]]", f'name = "{name}"', *lines, to, ""])


def stop(*lines: str) -> str:
    """HEAD with a rule in front of its own that stops, or suppresses."""
    return HEAD.replace("[[rule]]", "\n".join(["[[rule]]", 'name = "zero"', *lines, "[[rule]]"]))


BY_TYPE = 'pattern.type = ["order.placed"]'
OVER_100 = "pattern.data.order.total = [{ numeric = ['>', 100] }]"


def lint_routing(root: Path) -> list[Finding]:
    return [finding for finding in lint(root) if finding.file == ROUTING]


MISTAKES = {
    "an event type that no lane takes": (
        HEAD.replace("offer.*", "other.*"), 1, "no-lane", "offer.published", "[lanes]",
    ),
    "hours on nobody's clock": (
        HEAD.replace('["offer.*"]', '{ types = ["offer.*"], quiet = "22:00-08:00" }'), 3, "hours-on-utc",
        "UTC's for whoever says no time zone", "time_zone",
    ),
    "a lane entry that fits nothing": (
        HEAD.replace('["offer.*"]', '["offer.*", "ofer.*"]'), 3, "unused-lane-entry", "'ofer.*'", "",
    ),
    "a lane entry with a slip of the pen": (
        HEAD.replace('["offer.*"]', '["offer.*", "offer.publised"]'), 3, "unused-lane-entry",
        "'offer.publised'", "offer.published",
    ),
    "settings of an unknown type": (
        HEAD.replace("[[rule]]", '[types]\n"order.place" = { on_unknown = "skip" }\n[[rule]]'), 8,
        "unknown-type", "order.place", "order.placed",
    ),
    "a topic that no rule uses": (
        HEAD.replace("[[rule]]", 'press = { locales = ["es"] }\n[[rule]]'), 7, "unused-topic",
        "press", "",
    ),
    "a locale that a type of the topic is not written in": (
        HEAD.replace('company = { locales = ["es"]', 'company = { locales = ["es", "fr"]'), 6,
        "topic-locale", "fr, in which offer.published, order.placed are not", "fr.j2",
    ),
    "an event type that no rule sends anywhere": (
        HEAD.replace('{ prefix = "o" }', '"order.placed"'), 0, "no-rule", "offer.published", "rule",
    ),
    "an event type whose only rule stops": (
        HEAD.replace('{ prefix = "o" }', '"order.placed"')
        + '[[rule]]\nname = "quiet"\npattern.type = ["offer.published"]\nstop = true\n', 0,
        "no-rule", "quiet only stops", "destination",
    ),
    "a rule for a type that there is not": (
        rule('pattern.type = ["order.paced"]'), TOP + 3, "dead-rule", "second", "order.placed",
    ),
    "a rule for a prefix that no type has": (
        rule('pattern.type = [{ prefix = "oder." }]'), TOP + 3, "dead-rule", "second", "mend",
    ),
    "a rule that wants no type at all": (
        rule("pattern.type = [{ exists = false }]"), TOP + 3, "dead-rule", "second", "mend",
    ),
    "a digest of a type whose words know of none": (
        rule(BY_TYPE, 'digest = { window = "30m" }'), TOP + 4, "unlisted-digest",
        "rule second gathers order.placed, whose words name no digest", "for one in digest",
    ),
    "a digest by what nothing has": (
        rule(BY_TYPE, 'digest = { window = "30m", key = "data.order.di" }'), TOP + 4, "digest-key",
        "gathers by data.order.di, which no sample", "data.order.id",
    ),
    "a digest that settles what nothing has": (
        rule(BY_TYPE, 'digest = { window = "30m", resolved = { type = ["a"] }, same = "data.order.di" }'),
        TOP + 4, "digest-key", "gathers by data.order.di, which no sample", "data.order.id",
    ),
    "a rule behind a stop": (
        stop('pattern.type = [{ prefix = "o" }]', 'to = ["topic:users"]', "stop = true"), 12,
        "hidden-rule", "first is never reached: all that it matches ends at zero (line 7)",
        "before zero",
    ),
    "a rule behind a rule that suppresses everything": (
        stop("suppress = true"), 9 + 1, "hidden-rule", "first", "before zero",
    ),
    "a rule behind a stop with one of its conditions": (
        stop(OVER_100, "stop = true", 'to = ["topic:users"]')
        + f'[[rule]]\nname = "second"\n{BY_TYPE}\n{OVER_100}\nto = ["topic:users"]\n', 16,
        "hidden-rule", "second", "before zero",
    ),
    "a rule behind a stop with a wider range": (
        stop(OVER_100, "stop = true", 'to = ["topic:users"]')
        + "[[rule]]\nname = 'second'\npattern.data.order.total = [{ numeric = ['>=', 500] }, 700]\n"
        + 'to = ["topic:users"]\n', 16, "hidden-rule", "second", "before zero",
    ),
    "a rule behind a stop with a shorter prefix": (
        stop('pattern.data.order.id = [{ prefix = "A" }]', "suppress = true")
        + '[[rule]]\nname = "second"\npattern.data.order.id = [{ prefix = "A-" }, "A7"]\n'
        + 'to = ["topic:users"]\n', 15, "hidden-rule", "second", "before zero",
    ),
    "rules that take turns in stopping everything": (
        stop('pattern.type = ["order.placed"]', "suppress = true", "[[rule]]", 'name = "zero-b"',
             'pattern.type = ["offer.published"]', "suppress = true"), 15,
        "hidden-rule", "ends at zero-b (line 11), zero (line 7)", "before",
    ),
    "a field with a slip of the pen": (
        rule(BY_TYPE, "pattern.data.order.totl = [{ numeric = ['>', 5] }]"), TOP + 4,
        "unknown-field", "data.order.totl, which no template or sample of order.placed has",
        "data.order.total",
    ),
    "a field at another place": (
        rule(BY_TYPE, "pattern.data.total = [{ numeric = ['>', 5] }]"), TOP + 4,
        "unknown-field", "data.total", "data.order.total",
    ),
    "a field of another type": (
        rule(BY_TYPE, "pattern.data.offer.price = [{ numeric = ['>', 5] }]"), TOP + 4,
        "unknown-field", "data.offer.price", "",
    ),
    "the absence of a field that is never there": (
        rule(BY_TYPE, "pattern.data.order.gift = [{ exists = false }]"), TOP + 4, "unknown-field",
        "and so always holds", "",
    ),
    "EventBridge's name for data": (
        rule(BY_TYPE, "pattern.detail.order.total = [{ numeric = ['>', 5] }]"), TOP + 4,
        "unknown-field", "detail.order.total", "did you mean data?",
    ),
    "a field of the data without data": (
        rule(BY_TYPE, "pattern.order.total = [{ numeric = ['>', 5] }]"), TOP + 4,
        "unknown-field", "order.total", "did you mean data.order.total?",
    ),
    "an attribute with a slip of the pen": (
        rule(BY_TYPE, 'pattern.recipent = ["cus-1"]'), TOP + 4, "unknown-field", "recipent",
        "did you mean recipient?",
    ),
    "an attribute taken for an object": (
        rule(BY_TYPE, 'pattern.subject.id = ["A-1"]'), TOP + 4, "unknown-field", "is no object", "",
    ),
    "a number in quotes": (
        rule(BY_TYPE, 'pattern.data.order.total = ["119.85"]'), TOP + 4, "wrong-kind",
        "wants a text at data.order.total", "quotes",
    ),
    "a range over a text": (
        rule(BY_TYPE, "pattern.data.order.id = [{ numeric = ['>', 5] }]"), TOP + 4, "wrong-kind",
        "wants a number at data.order.id", "text in quotes",
    ),
    "ranges that exclude each other, inside and outside of $or": (
        rule(BY_TYPE, "pattern.data.order.total = [{ numeric = ['>', 500] }]",
             "pattern.'$or' = [{ data.order.total = [{ numeric = ['<', 100] }] },"
             " { data.order.id = ['A-1'] }]"), TOP + 4,
        "replaced-condition", "numeric > 500, which counts for nothing where $or asks it for"
        " numeric < 100", "once",
    ),
    "a stage that there is not": (
        rule(BY_TYPE, 'stages = ["pord"]'), TOP + 4, "unknown-stage", "no stage pord", "prod",
    ),
    "a webhook for a stage that there is not": (
        rule(BY_TYPE).replace('to = ["topic:users"]', 'to = ["topic:users", "webhook:erp"]')
        + "[webhooks]\nerp = { pord = 'https://erp.example/in' }\n", TOP + 6,
        "unknown-stage", "webhook erp: there is no stage pord", "prod",
    ),
    "a webhook that nothing goes to": (
        HEAD + "[webhooks]\nerp = { prod = 'https://erp.example/in' }\n", TOP + 2,
        "unused-topic", "no rule sends to webhook erp", 'name "webhook:erp"',
    ),
    "a file that does not load": (
        HEAD.replace("prefix", "prefx"), 9, "routing", "rule first: pattern.type", "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_found_at_its_line_with_a_remedy(tree: Path, mistake: str) -> None:
    text, line, code, message, remedy = MISTAKES[mistake]
    (tree / ROUTING).write_text(text, encoding="utf-8")
    found = [f for f in lint_routing(tree) if f.code == code]
    assert found, lint_routing(tree)
    assert found[0].line == line
    assert message in found[0].message
    assert remedy in found[0].remedy


GOOD = {
    "nothing but what is needed": HEAD,
    "a field that only a template has": rule(BY_TYPE, 'pattern.data.note = [{ exists = true }]'),
    "a field inside an array": rule(BY_TYPE, "pattern.data.order.lines.quantity = [2]"),
    "a stop that catches only a part": stop(OVER_100, "stop = true", 'to = ["topic:users"]'),
    "a stop in one stage only": stop("stop = true", "suppress = true", 'stages = ["dev"]'),
    "a rule for a range outside of the stop's": stop(OVER_100, "suppress = true")
    + "[[rule]]\nname = 'second'\npattern.data.order.total = [{ numeric = ['>=', 100] }]\n"
    + 'to = ["topic:users"]\n',
    "an extension": rule(BY_TYPE, 'pattern.traceparent = [{ exists = true }]'),
    "a text or a number": rule(BY_TYPE, 'pattern.data.order.total = ["119.85", 119.85]'),
    "a region's locale of a language": HEAD.replace('["es"] }\ncompany', '["es-AR"] }\ncompany'),
}  # fmt: skip


@pytest.mark.parametrize("case", GOOD)
def test_what_is_right_is_left_alone(tree: Path, case: str) -> None:
    (tree / ROUTING).write_text(GOOD[case], encoding="utf-8")
    assert lint_routing(tree) == []


def test_the_shipped_rules_are_clean() -> None:
    assert lint_routing(ROOT) == []
