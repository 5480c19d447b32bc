"""An event is accepted if it becomes words in every locale in which it may go out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chalicelib.errors import InvalidEvent
from chalicelib.events.event import parse
from chalicelib.plan.compose import rehearse
from chalicelib.plan.plan import plan
from chalicelib.rules.reading import load
from chalicelib.words.render import RenderError, Templates

RULES_TEXT = """
[lanes]
orders = ["order.*"]
[topics]
users = { personal = true, locales = ["es"] }
company = { locales = ["es", "ca"] }
[[rule]]
name = "customers"
pattern.type = ["order.placed"]
pattern.data.to = ["users"]
to = ["topic:users"]
[[rule]]
name = "company"
pattern.type = ["order.placed"]
pattern.data.to = ["company"]
to = ["topic:company"]
"""
RULES = load(RULES_TEXT, None)
# Each locale prints a field of its own, so that what is missing tells which was rendered.
LOCALES = ("ca", "en", "es", "es-AR")


@pytest.fixture
def templates(tmp_path: Path) -> Templates:
    folder = tmp_path / "order.placed"
    folder.mkdir()
    for locale in LOCALES:
        name = locale.replace("-", "_")
        text = f"{{% block subject %}}S{{% endblock %}}{{% block body %}}{{{{ {name} }}}}{{% endblock %}}"
        (folder / f"{locale}.j2").write_text(text, "utf-8")
    return Templates(tmp_path)


@pytest.mark.parametrize(
    ("attributes", "to", "locales"),
    [
        # to its recipient, in the locale that it names, or in any: the lane will know which
        ({"recipient": "c"}, "users", LOCALES),
        ({"recipient": "c", "locale": "en"}, "users", ["en"]),
        ({"recipient": "c", "locale": "es-MX"}, "users", ["es"]),
        ({"recipient": "c", "locale": "fr"}, "users", ["es"]),
        # to an audience
        ({}, "users", ["es"]),
        ({"locale": "en"}, "users", ["en"]),
        ({}, "company", ["es", "ca"]),
        ({"locale": "en"}, "company", ["en"]),
        ({"recipient": "c"}, "company", ["es", "ca"]),
        ({"recipient": "c", "locale": "en"}, "company", ["es", "ca"]),
        # to nobody: it must be words all the same
        ({}, "nobody", ["es"]),
        ({"locale": "es-AR"}, "nobody", ["es-AR"]),
    ],
)
def test_it_is_rendered_for_every_audience(
    templates: Templates, attributes: dict[str, Any], to: str, locales: list[str]
) -> None:
    def rehearsed(data: dict[str, Any]) -> list[str]:
        raw = {"type": "order.placed", "id": "1", "source": "s", "data": {"to": to, **data}}
        try:
            rehearse(parse({**raw, **attributes}), "orders", RULES, templates)
        except RenderError as error:
            return sorted(str(fault.field) for fault in error.faults)
        return []

    fields = [locale.replace("-", "_") for locale in locales]
    assert rehearsed({}) == sorted(f"data.{name}" for name in fields)
    assert rehearsed(dict.fromkeys(fields, "x")) == []


def test_a_message_that_is_too_large_in_another_locale_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "order.placed"
    folder.mkdir()
    blocks = "{% block subject %}S{% endblock %}{% block body %}"
    (folder / "es.j2").write_text(blocks + "x{% endblock %}")
    (folder / "en.j2").write_text(blocks + "x" * 300_000 + "{% endblock %}")
    raw = {"type": "order.placed", "recipient": "c", "data": {"to": "users"}}
    with pytest.raises(Exception, match="larger than 256 KiB"):
        rehearse(parse(raw), "orders", RULES, Templates(tmp_path))


@pytest.mark.parametrize(
    ("body", "data", "gaps"),
    [
        ("Pedido {{ order.id }}", {"order": {"id": ""}}, ["data.order.id"]),
        ("Pedido {{ order.id|truncate(9) }}", {"order": {"id": " "}}, ["data.order.id"]),
        ("{% for i in items %}{{ i.name|upper }}{% endfor %}x", {"items": [{"name": ""}]}, ["data.items[0].name"]),
        ("{% set n = name %}{{ n }}x", {"name": ""}, ["data.name"]),
        ("{{ event.subject }}x{{ event.data.note }}", {"note": ""}, ["data.note"]),
        # what is meant to be empty
        ("{{ note|default('') }}x", {"note": ""}, []),
        ("{{ note or '' }}x", {"note": ""}, []),
        ("{% if note %}{{ note }}{% endif %}x", {"note": ""}, []),
        ("{{ ' ' ~ note }}x", {"note": ""}, []),
        ("{% set end = '' %}{{ end }}x", {}, []),
        ("{{ items|join(', ') }}x", {"items": []}, []),
        ("{{ name }}", {"name": "Ana"}, []),
    ],
)  # fmt: skip
def test_an_empty_field_that_is_printed_is_told_and_not_refused(
    tmp_path: Path, body: str, data: dict[str, Any], gaps: list[str]
) -> None:
    folder = tmp_path / "order.placed"
    folder.mkdir()
    text = "{% block subject %}S{% endblock %}\n{% block body %}" + body + "{% endblock %}"
    (folder / "es.j2").write_text(text, "utf-8")
    raw = {"type": "order.placed", "subject": "s", "data": {"to": "company", **data}}
    found = rehearse(parse(raw), "orders", RULES, Templates(tmp_path))
    assert [gap.field for gap in found.gaps] == gaps
    said = plan(parse(raw), "orders", found, RULES)["warnings"]
    assert [w for w in said if "is empty" in w] == [
        f"{gap} is empty where templates/order.placed/es.j2:2 prints it" for gap in gaps
    ]


GATHERED = RULES_TEXT + 'digest = { window = "30m" }\n'
LIST = "{% for one in digest %}{{ one.data.shown }}{% endfor %}{% if not digest %}{{ alone }}{% endif %}"


@pytest.mark.parametrize(
    ("data", "missing"),
    [
        ({"shown": "a", "alone": "b"}, set()),
        ({"shown": "a"}, {"alone"}),
        ({"alone": "b"}, {"shown"}),
        ({}, {"shown", "alone"}),
    ],
)
def test_what_a_rule_gathers_reads_alone_and_among_others(
    templates: Templates, data: dict[str, str], missing: set[str]
) -> None:
    for file in (templates.root / "order.placed").glob("*.j2"):
        text = f"{{% block subject %}}S{{% endblock %}}{{% block body %}}{LIST}{{% endblock %}}"
        file.write_text(text, "utf-8")
    raw = {"type": "order.placed", "id": "1", "source": "s", "data": {"to": ["company"], **data}}
    event, rules = parse(raw), load(GATHERED, None)
    if not missing:
        found = rehearse(event, "orders", rules, templates)
        assert [rule.name for rule in found.decision.digests] == ["company"]
        assert found.publications == {}
        return
    with pytest.raises(RenderError) as refused:
        rehearse(event, "orders", rules, templates)
    assert {fault.field for fault in refused.value.faults} == {f"data.{name}" for name in missing}


def test_what_is_for_its_recipient_in_a_digest_names_somebody(templates: Templates) -> None:
    rules = load(GATHERED.replace('to = ["topic:company"]', 'to = ["recipient:email"]'), None)
    data = {name.replace("-", "_"): "x" for name in LOCALES}
    raw = {"type": "order.placed", "id": "1", "source": "s", "data": {"to": ["company"], **data}}
    with pytest.raises(InvalidEvent) as refused:
        rehearse(parse(raw), "orders", rules, templates)
    assert [error.field for error in refused.value.errors] == ["recipient"]
