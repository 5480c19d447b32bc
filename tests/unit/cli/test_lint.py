"""Mistakes that people make, each found by lint where it was made."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cli.commands.lint import command
from cli.lint.finding import Check, Finding, table
from cli.lint.findings import lint
from cli.paths import ROOT
from tests.unit.cli.test_declared import CODES as DECLARED
from tests.unit.cli.test_lint_journeys import MISTAKES as MISTAKES_IN_JOURNEYS
from tests.unit.cli.test_lint_rules import MISTAKES as MISTAKES_IN_RULES

ES = """{% extends "_layouts/base.j2" %}
{% block subject %}Tu pedido {{ order.id|truncate(40) }}{% endblock %}
{% block body %}
Hola, {{ name }}: {% for line in order.items %}{{ line.name }} {{ line.price|money }}
{% endfor %}
{% if note is defined %}{{ note }}{% endif %}
{% endblock %}
{% block sms %}Pedido {{ order.id|truncate(40) }}{% endblock %}
"""
EN = ES.replace("Tu pedido", "Your order").replace("Hola, {{ name }}:", "Hi {{ name }},")
SAMPLE: dict[str, Any] = {
    "type": "order.placed",
    "source": "/shop",
    "data": {
        "name": "Ana",
        "order": {"id": "A-1", "items": [{"name": "Pan", "price": 2.5}]},
        "note": "Gracias",
    },
}
ROUTING = """
[lanes]
orders = ["order.*"]

[topics]
users = {}
company = {}
alerts = {}

[[rule]]
name = "customers"
pattern.type = [{ prefix = "order." }]
to = ["topic:users", "topic:company", "topic:alerts"]
"""

Tree = dict[str, str | bytes | None]


def tree(tmp_path: Path, changed: Tree | None = None) -> Path:
    """A tree with one event type and nothing wrong, but for what is changed."""
    files: Tree = {
        "templates/_layouts/base.j2": "{% block body %}{% endblock %}\nAbedul\n",
        "templates/order.placed/es.j2": ES,
        "templates/order.placed/en.j2": EN,
        "templates/order.placed/sample.json": json.dumps(SAMPLE),
        "chalicelib/routing.toml": ROUTING,
    } | (changed or {})
    for name, content in files.items():
        if content is not None:
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return tmp_path


def es(old: str, new: str) -> Tree:
    assert old in ES
    return {"templates/order.placed/es.j2": ES.replace(old, new)}


def both(old: str, new: str) -> Tree:
    return {
        "templates/order.placed/es.j2": ES.replace(old, new),
        "templates/order.placed/en.j2": EN.replace(old, new),
    }


def without_sms(greeting: str) -> Tree:
    block = "{% block sms %}Pedido {{ order.id|truncate(40) }}{% endblock %}"
    assert block in ES
    changed = (source.replace(block, "").replace("Hola", greeting) for source in (ES, EN))
    return dict(zip(both("", ""), changed, strict=True))


def sample(change: Callable[[dict[str, Any]], Any]) -> Tree:
    changed = json.loads(json.dumps(SAMPLE))
    change(changed)
    return {"templates/order.placed/sample.json": json.dumps(changed)}


def rules(old: str, new: str) -> Tree:
    assert old in ROUTING
    return {"chalicelib/routing.toml": ROUTING.replace(old, new)}


def test_a_tree_with_nothing_wrong_has_no_findings(tmp_path: Path) -> None:
    assert lint(tree(tmp_path)) == []


LAYOUT = "templates/_mail/layout.mjml"


def mjml(inside: str, rules: str = "") -> Tree:
    """A layout with something on its second line, or rules for tags from there on."""
    style = f'<mj-head><mj-style inline="inline">{rules}</mj-style></mj-head>' if rules else ""
    return {LAYOUT: f"<mjml>\n{style}<mj-body>{inside}</mj-body></mjml>"}


FEET = {
    f"templates/_mail/{locale}.j2": "{% set preferences = 'x' %}{% set unsubscribe = 'y' %}"
    for locale in ("es", "en")
}


def html(text: str) -> Tree:
    """Templates with this in a block html, which begins on line 9."""
    return {
        f"templates/order.placed/{locale}.j2": f"{words}{{% block html %}}{text}{{% endblock %}}\n"
        for locale, words in (("es", ES), ("en", EN))
    }


OF_ES = "templates/order.placed/es.j2"
FOOT = "templates/_mail/es.j2"
TO_PEOPLE = rules('"topic:alerts"]', '"topic:alerts", "recipient:sms|email"]')
ADVERTISING: Tree = {
    "chalicelib/routing.toml": str(TO_PEOPLE["chalicelib/routing.toml"]).replace(
        'orders = ["order.*"]', 'orders = { types = ["order.*"], commercial = true }'
    ),
    "stages.toml": "[local]\n[dev]\n",
}
OF_SAMPLE = "templates/order.placed/sample.json"
BASE = "templates/_layouts/base.j2"
ROUTES = "chalicelib/routing.toml"

# what was done wrong: the change, then severity, code, file, line and part of message or remedy
MISTAKES: dict[str, tuple[Tree, str, str, str, int, str]] = {
    # syntax
    "a print tag closed by one brace": (
        es("{{ name }}", "{{ name }"), "error", "syntax", OF_ES, 4, "close with }}"),
    "an if without its end": (
        es("{% endif %}", ""), "error", "syntax", OF_ES, 6, "close it with {% endif %}"),
    "a block without its end": (
        es("{{ order.id|truncate(40) }}{% endblock %}\n{% block body %}", "{{ order.id|truncate(40) }}\n{% block body %}"),
        "error", "syntax", OF_ES, 2, "close it with {% endblock %}"),
    "a misspelt tag": (
        es("{% endfor %}", "{% edfor %}"), "error", "syntax", OF_ES, 5, "did you mean 'endfor'?"),
    "tags closed in the wrong order": (
        es("{% endif %}\n{% endblock %}", "{% endblock %}\n{% endif %}"),
        "error", "syntax", OF_ES, 6, "not closed before {% endblock %} on line 6"),
    "= for ==": (
        es("{% if note is defined %}", "{% if name = 'x' %}"),
        "error", "syntax", OF_ES, 6, "compare with =="),
    "two values in one tag": (
        es("{{ name }}", "{{ name order }}"), "error", "syntax", OF_ES, 4, "join texts with ~"),
    "an empty print tag": (
        es("{{ name }}", "{{ }}"), "error", "syntax", OF_ES, 4, "between {{ and }}"),
    "a character that means nothing": (
        es("{{ name }}", "{{ name? }}"), "error", "syntax", OF_ES, 4, "unexpected char '?'"),
    "a comment that never ends": (
        es("{% block sms %}", "{# old {% block sms %}"), "error", "syntax", OF_ES, 8, "#}"),
    "a for without in": (
        es("for line in", "for line of"), "error", "syntax", OF_ES, 4, "got 'of'"),
    "a block that is there twice": (
        es("{% block sms %}", "{% block subject %}"), "error", "syntax", OF_ES, 8, "defined twice"),
    "a broken layout": (
        {BASE: "{% block body %}{% endblok %}"}, "error", "syntax", BASE, 1, "did you mean"),
    "a file that is not UTF-8": (
        {OF_ES: ES.replace("Tu", "Tú").encode("latin-1")},
        "error", "encoding", OF_ES, 2, "UTF-8"),
    "a byte order mark": (
        {OF_ES: b"\xef\xbb\xbf" + ES.encode()}, "error", "byte-order-mark", OF_ES, 1, "BOM"),
    "parentheses without end": (
        es("{{ name }}", "{{ " + "(" * 1000 + "name" + ")" * 1000 + " }}"),
        "error", "too-deep", OF_ES, 0, "nesting apart"),
    # names
    "a misspelt field": (
        es("{{ name }}", "{{ nmae }}"),
        "error", "unknown-variable", OF_ES, 4, "did you mean name?"),
    "a misspelt nested field": (
        es("pedido {{ order.id|truncate(40) }}", "pedido {{ order.ident }}"),
        "error", "unknown-variable", OF_ES, 2, "order.ident is not in sample.json"),
    "a misspelt field of a list's items": (
        both("line.price", "line.pirce"),
        "error", "unknown-variable", OF_ES, 4, "did you mean order.items[].price?"),
    "a misspelt field behind is defined": (
        es("note is defined %}{{ note }}", "nota is defined %}{{ nota }}"),
        "warning", "perhaps-misspelt", OF_ES, 6, "did you mean note?"),
    "a field that the layout needs": (
        {BASE: "{{ shop }}{% block body %}{% endblock %}"},
        "error", "unknown-variable", BASE, 1, "shop is not in sample.json"),
    "a misspelt filter": (
        es("|money", "|mony"), "error", "unknown-filter", OF_ES, 4, "did you mean 'money'?"),
    "a misspelt filter in a branch not taken": (
        es("{{ note }}", "{{ note|trunkate }}"),
        "error", "unknown-filter", OF_ES, 6, "did you mean 'truncate'?"),
    "a misspelt filter given by name": (
        es("{{ name }}", "{{ order.items|map('uper')|list|length }}"),
        "error", "unknown-filter", OF_ES, 4, "did you mean 'upper'?"),
    "a misspelt test": (
        es("is defined", "is defind"), "error", "unknown-test", OF_ES, 6, "'defined'"),
    "a misspelt function": (
        es("{{ name }}", "{{ rnge(3) }}"), "error", "unknown-function", OF_ES, 4, "'range'"),
    "a misspelt event attribute": (
        es("{{ name }}", "{{ event.recipent }}"),
        "error", "unknown-attribute", OF_ES, 0, "did you mean event.recipient?"),
    "an attribute that the sample lacks": (
        es("{{ name }}", "{{ event.recipient }}"),
        "error", "unknown-attribute", OF_ES, 0, "add 'recipient' to sample.json"),
    "a layout that is not there": (
        es("_layouts/base.j2", "_layouts/bass.j2"),
        "error", "unresolved", OF_ES, 1, "there is no file templates/_layouts/bass.j2"),
    "a macro that is not there": (
        {BASE: "{% macro line() %}{% endmacro %}{% block body %}{% endblock %}",
         **es("Hola,", "{% from '_layouts/base.j2' import lin %}Hola,")},
        "error", "unresolved", OF_ES, 4, "did you mean 'line'?"),
    "a layout chosen while rendering": (
        es('"_layouts/base.j2"', "name"), "warning", "worked-out-file", OF_ES, 1, "while rendering"),
    # blocks
    "no subject": (
        es("block subject", "block email"), "error", "missing-block", OF_ES, 0, "subject"),
    "no body": (es("block body", "block http"), "error", "missing-block", OF_ES, 0, "body"),
    "an empty body": (
        es(ES[ES.index("Hola"):ES.index("{% endblock %}\n{% block sms")], "")
        | {BASE: "{% block body %}{% endblock %}"},
        "error", "empty-body", OF_ES, 0, "empty"),
    "a block that is no channel": (
        es("block sms", "block smss"), "error", "unknown-block", OF_ES, 8, "did you mean 'sms'?"),
    "text outside of the blocks": (
        es("{% block sms %}", "Un saludo\n{% block sms %}"),
        "warning", "lost-text", OF_ES, 8, "never sent"),
    "a layout without a place for the body": (
        {BASE: "Abedul"}, "error", "layout-without-body", OF_ES, 1, "block body"),
    "a total that is added up in a loop": (
        es("Hola,", "{% set t = 0 %}{% for l in order.items %}{% set t = t + l.price %}"
           "{% endfor %}{{ t }}"),
        "warning", "lost-in-loop", OF_ES, 4, "namespace"),
    # files
    "no English": (
        {"templates/order.placed/en.j2": None},
        "error", "missing-locale", "templates/order.placed/en.j2", 0, "copy es.j2"),
    "no Spanish": ({OF_ES: None}, "error", "missing-locale", OF_ES, 0, "translate"),
    "no sample": ({OF_SAMPLE: None}, "error", "missing-sample", OF_SAMPLE, 0, "sample"),
    "a template with the wrong ending": (
        {"templates/order.placed/es.txt": "x"},
        "error", "unknown-file", "templates/order.placed/es.txt", 0, "es.j2"),
    "a template named after no locale": (
        {"templates/order.placed/Spanish.j2": ES},
        "error", "unknown-file", "templates/order.placed/Spanish.j2", 0, "never used"),
    "an event type with a space in it": (
        {f"templates/order placed/{name}": text for name, text in (
            ("es.j2", ES), ("en.j2", EN),
            ("sample.json", json.dumps({**SAMPLE, "type": "order placed"})))},
        "error", "event-type", "templates/order placed", 0, "order.shipped"),
    # the sample
    "a sample with a comma too few": (
        {OF_SAMPLE: '{\n  "type": "order.placed"\n  "data": {}}'}, "error", "sample-json", OF_SAMPLE, 3, "JSON"),
    "a sample of another type": (
        sample(lambda s: s.update(type="order.shipped")),
        "error", "sample-type", OF_SAMPLE, 0, '"type": "order.placed"'),
    "a sample without data": (
        sample(lambda s: s.pop("data")), "error", "sample-event", OF_SAMPLE, 0, "data"),
    "a sample with a bad time": (
        sample(lambda s: s.update(time="ayer")), "error", "sample-event", OF_SAMPLE, 0, "time"),
    "a sample that is a list": (
        {OF_SAMPLE: "[]"}, "error", "sample-event", OF_SAMPLE, 0, "JSON object"),
    "a sample that lacks a field": (
        sample(lambda s: s["data"].pop("name")), "error", "unknown-variable", OF_ES, 4, "name"),
    "a sample with a text for a number": (
        sample(lambda s: s["data"]["order"]["items"][0].update(price="mucho")),
        "error", "sample-render", OF_ES, 4, "data.order.items[0].price: money expects a number"),
    "a sample with a null": (
        sample(lambda s: s["data"].update(name=None)),
        "error", "sample-render", OF_ES, 4, "data.name is null"),
    "a sample that does not render": (
        es("{{ name }}", "{{ name|date }}"),
        "error", "sample-render", OF_ES, 4, "date expects"),
    "a field that only a branch needs": (
        es("{{ name }}", "{% if name == 'Ana' %}{{ surname }}{% endif %}"),
        "error", "sample-render", OF_ES, 4, "surname"),
    "a division by nothing": (
        es("{{ name }}", "{{ 1 / (order.items|length - 1) }}"),
        "error", "sample-render", OF_ES, 4, "divides by zero"),
    "an endless loop": (
        es("{{ name }}", "{% for i in range(10**9) %}x{% endfor %}"),
        "error", "too-large", OF_ES, 4, "10,000 is the most"),
    "an attribute set on what is no namespace": (
        es("{{ name }}", "{% set order.total = 3 %}"),
        "error", "sample-render", OF_ES, 4, "non-namespace"),
    "a macro that calls itself": (
        es("{{ name }}", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"),
        "error", "too-large", OF_ES, 4, "without end"),
    "what the sandbox forbids": (
        es("{{ name }}", "{{ name.__class__ }}"), "error", "sample-render", OF_ES, 4, "sandbox"),
    # locales
    "a field that only English has": (
        {"templates/order.placed/en.j2": EN.replace("{{ order.id|truncate(40) }}{% end", "{{ source }}{% end"),
         **sample(lambda s: s["data"].update(source="x"))},
        "warning", "locales-disagree", "templates/order.placed", 0,
        "en.j2 needs source, es.j2 does not"),
    "a field that only Spanish can do without": (
        es("{{ name }}", "{{ name|default('') }}"),
        "warning", "locales-disagree", "templates/order.placed", 0, "en.j2 needs name, es.j2"),
    # what SNS refuses
    "a subject of 100 characters": (
        es("Tu pedido", "x" * 97), "error", "subject", OF_ES, 2, "101 characters"),
    "a subject with nothing in it": (
        es("Tu pedido {{ order.id|truncate(40) }}", ""), "error", "subject", OF_ES, 2, "empty"),
    "a subject that long values make too long": (
        both("{{ order.id|truncate(40) }}{% endblock %}\n{% block body", "{{ name }} {{ note }} "
             + "x" * 70 + "{% endblock %}\n{% block body"),
        "warning", "subject-may-be-too-long", OF_ES, 2, "with data.note of 10,000 characters"),
    "an SMS in UCS-2 that costs two parts": (
        es("%}Pedido {{ order.id|truncate(40) }}", "%}" + "á" + "x" * 100),
        "warning", "sms-encoding", OF_ES, 8, "UCS-2, in 2 parts: á forces it"),
    "an SMS in UCS-2 whose words can be written otherwise": (
        es("%}Pedido {{ order.id|truncate(40) }}", "%}Tu envío está aquí… " + "x" * 100),
        "warning", "sms-encoding", OF_ES, 8, "í, á, … force it"),
    "an SMS that costs more than its type may": (
        es("%}Pedido {{ order.id|truncate(40) }}", "%}" + "x" * 200)
        | rules('[topics', '[types."order.placed"]\nsms_parts = 1\n\n[topics'),
        "error", "sms-too-costly", OF_ES, 8, "takes 2 parts in GSM-7, and its type may cost 1"),
    "an SMS without a block that costs more than its type may": (
        without_sms("Hola" * 50)
        | rules('[topics', '[types."order.placed"]\nsms_parts = 1\n\n[topics'),
        "error", "sms-too-costly", OF_ES, 0, "there is no block sms, and with the body the SMS takes 2 parts"),
    "an SMS that long values make cost more than its type may": (
        both("Pedido {{ order.id|truncate(40) }}", "Pedido {{ order.id|truncate(80) }} {{ name|truncate(90) }}")
        | rules('[topics', '[types."order.placed"]\nsms_parts = 1\n\n[topics'),
        "warning", "sms-may-be-too-costly", OF_ES, 8,
        "with all texts of 10,000 characters, which the door takes, the SMS takes 2 parts in GSM-7"),
    "an SMS of many parts": (
        es("%}Pedido {{ order.id|truncate(40) }}", "%}" + "x" * 500),
        "warning", "sms-parts", OF_ES, 8, "4 parts in GSM-7"),
    "an SMS of over 1,600 characters": (
        es("%}Pedido {{ order.id|truncate(40) }}", "%}" + "x" * 1601),
        "error", "sms-too-long", OF_ES, 0, "1600 characters"),
    "an empty SMS": (es("%}Pedido {{ order.id|truncate(40) }}", "%}"), "error", "sms-empty", OF_ES, 8, "empty"),
    "a body too long to fall back to for SMS": (
        es("{% block sms %}Pedido {{ order.id|truncate(40) }}{% endblock %}", "")
        | {BASE: "{% block body %}{% endblock %}" + "x" * 1700},
        "warning", "sms-falls-back", OF_ES, 0, "block sms"),
    "a message of over 256 KiB": (
        {BASE: "{% block body %}{% endblock %}" + "x" * 262_144},
        "error", "too-large", OF_ES, 0, "SNS takes 262,144"),
    # routing
    "an unknown key in a rule": (
        rules("pattern.type", "patern.type"), "error", "routing", ROUTES, 12, "patern"),
    "a pattern that AWS rejects": (
        rules('{ prefix = "order." }', "{ prefix = 3 }"), "error", "routing", ROUTES, 0, ""),
    "a topic that is not there": (
        rules("topic:users", "topic:user"), "error", "routing", ROUTES, 13, "user"),
    "a locale with an underscore": (
        {"templates/order.placed/es_AR.j2": ES},
        "error", "unknown-file", "templates/order.placed/es_AR.j2", 0, "rename it to es-AR.j2"),
    "a channel within the body": (
        es("{% endblock %}\n{% block sms %}Pedido {{ order.id|truncate(40) }}{% endblock %}",
           "{% block sms %}Pedido {{ order.id|truncate(40) }}{% endblock %}\n{% endblock %}"),
        "warning", "channel-in-body", OF_ES, 7, "out of block body"),
    "a channel in the layout": (
        {BASE: "{% block body %}{% endblock %}\n{% block sms %}{% endblock %}\nAbedul\n"},
        "warning", "channel-in-body", BASE, 2, "out of the layout"),
    "a file that includes itself": (
        es("Hola,", '{% include "order.placed/es.j2" %} Hola,'),
        "error", "circle", OF_ES, 4, "take that line out"),
    "a circle of two files": (
        es("Hola,", '{% include "_layouts/a.j2" %} Hola,')
        | {"templates/_layouts/a.j2": "\n{% include 'order.placed/es.j2' %}"},
        "error", "circle", "templates/_layouts/a.j2", 2, "take that line out"),
    "an object that is printed": (
        es("{{ name }}", "{{ order }}"), "error", "sample-render", OF_ES, 4, "one of its fields"),
    "a list that is printed": (
        es("{{ name }}", "{{ order.items }}"), "error", "sample-render", OF_ES, 4, "|listed"),
    "a macro that is not called": (
        es("{{ name }}", "{% macro m() %}{% endmacro %}{{ m }}"),
        "error", "sample-render", OF_ES, 4, "call it"),
    "one brace too few": (
        es("{{ name }}", "{ name }}"), "error", "literal-braces", OF_ES, 4, "write {{ name }}"),
    "another language's braces": (
        es("Hola, {{ name }}", "\nHola, ${name}"), "error", "literal-braces", OF_ES, 5, "{{ name }}"),
    "another language's and": (
        es("if note is defined", "if note && name"), "error", "syntax", OF_ES, 6, "write and"),
    "another language's elif": (
        es("{{ note }}", "{{ note }}{% elseif name %}"), "error", "syntax", OF_ES, 6, "write elif"),
    "else if": (
        es("{{ note }}", "{{ note }}{% else if name %}"), "error", "syntax", OF_ES, 6, "elif"),
    "a sample with a field twice": (
        {OF_SAMPLE: '{"type": "order.placed", "type": "order.placed", "data": {}}'},
        "error", "sample-event", OF_SAMPLE, 0, "is there twice"),
    "a sample with NaN": (
        {OF_SAMPLE: json.dumps(SAMPLE).replace("2.5", "NaN")},
        "error", "sample-event", OF_SAMPLE, 0, "NaN"),
    "a sample with half a character": (
        {OF_SAMPLE: json.dumps(SAMPLE).replace("Ana", "\\ud83d")},
        "error", "sample-event", OF_SAMPLE, 0, "surrogate"),
    "a sample that is nested without end": (
        {OF_SAMPLE: "[" * 100_000}, "error", "sample-json", OF_SAMPLE, 0, "nested too deeply"),
    "a sample with a BOM": (
        {OF_SAMPLE: "\ufeff" + json.dumps(SAMPLE)},
        "error", "sample-json", OF_SAMPLE, 1, "UTF-8 with BOM"),
    "a folder where a template should be": (
        {"templates/order.placed/ca.j2/es.j2": "x"},
        "error", "unknown-file", "templates/order.placed/ca.j2", 0, "rename or remove"),
    "TOML that does not parse": (rules("[lanes]", "[lanes"), "error", "routing", ROUTES, 2, "TOML"),
    "an event type without a lane": (
        rules("order.*", "other.*"), "error", "no-lane", ROUTES, 0, "no lane takes order.placed"),
    "data with the name of a layout's own": (
        {BASE: "{% set shop = 'Abedul' %}\n{% block body %}{% endblock %}\n{{ shop }}\n",
         **sample(lambda s: s["data"].update(shop={"name": "Otra"}))},
        "warning", "hidden-data", BASE, 1, "event.data.shop"),
    "data with the name of the locale": (
        es("Hola,", "{{ locale }} Hola,") | sample(lambda s: s["data"].update(locale="x")),
        "warning", "hidden-data", OF_ES, 4, "hides data.locale"),
    "an SMS that long values make too long": (
        both("Pedido {{ order.id|truncate(40) }}", "Pedido {{ order.id|truncate(40) }} {{ name }}"),
        "warning", "sms-may-be-too-long", OF_ES, 8,
        "with data.name of 10,000 characters, which the door takes, the SMS has more than 1600"),
    "a push message that is too large": (
        es("{% block sms %}", "{% block push %}" + "ñ" * 2100 + "{% endblock %}\n{% block sms %}"),
        "error", "push-too-large", OF_ES, 8, "bytes; Apple and Google take 4,096"),
    "a push message that long values make too large": (
        both("{% block sms %}", "{% block push %}{{ name }}{% endblock %}\n{% block sms %}"),
        "warning", "push-may-be-too-large", OF_ES, 8, "with data.name of 10,000 characters"),
    "an empty field": (
        sample(lambda s: s["data"].update(name="")),
        "warning", "empty-field", OF_ES, 4, "data.name is empty"),
    "a time zone that is none": (
        {"templates/_layouts/shop.j2": "\n{% set time_zone = 'Europe/Madird' %}"},
        "error", "time-zone", "templates/_layouts/shop.j2", 2, "such as Europe/Madrid"),
    "a body too large to fall back to for push": (
        {BASE: "{% block body %}{% endblock %}" + "x" * 4100},
        "warning", "push-falls-back", OF_ES, 0, "block push"),
    "an event type that no rule sends": (
        rules('"order."', '"offer."'), "warning", "no-rule", ROUTES, 0, "order.placed"),
    "a rule that matches nothing": (
        rules("[[rule]]", '[[rule]]\nname = "old"\npattern.type = ["x.y"]\nto = ["topic:alerts"]\n'
              "[[rule]]"),
        "warning", "dead-rule", ROUTES, 12, "old"),
    # what is left over, copied or moved
    "a template left of a merge": (
        es("Hola, ", "<<<<<<< HEAD\nHola, "), "error", "merge-conflict", OF_ES, 4, "keep one side"),
    "a sample left of a merge": (
        {OF_SAMPLE: '{\n>>>>>>> main\n"type": "order.placed"}'},
        "error", "merge-conflict", OF_SAMPLE, 2, ">>>>>>> is left of a merge"),
    "rules left of a merge": (
        rules("[topics]", "=======\n[topics]"), "error", "routing", ROUTES, 5, "left of a merge"),
    "a template beside the types' folders": (
        {"templates/order.j2": ES}, "error", "stray-file", "templates/order.j2", 0, "move it to"),
    "a folder without a template": (
        {"templates/order.old/notes.txt": "x"}, "error", "stray-file", "templates/order.old", 0, "no event type's"),
    "a type in a folder of its own": (
        {"templates/order/shipped/es.j2": ES},
        "error", "stray-file", "templates/order", 0, "move that to templates/order.shipped"),
    "a locale in small letters": (
        {"templates/order.placed/es-mx.j2": ES},
        "error", "unknown-file", "templates/order.placed/es-mx.j2", 0, "rename it to es-MX.j2"),
    "a locale that there is not": (
        {"templates/order.placed/qq.j2": ES},
        "error", "unknown-locale", "templates/order.placed/qq.j2", 0, "such as es or es-MX"),
    "a copy that was never translated": (
        {"templates/order.placed/en.j2": ES},
        "warning", "same-words", "templates/order.placed/en.j2", 2, "very words of es.j2"),
    "a layout of another language": (
        {"templates/_layouts/base.en.j2": "{% block body %}{% endblock %}\nAbedul\n"}
        | es("_layouts/base.j2", "_layouts/base.en.j2"),
        "warning", "other-language", OF_ES, 1, "write _layouts/base.es.j2"),
    "a forgotten layout": (
        es('{% extends "_layouts/base.j2" %}\n', ""),
        "warning", "no-layout", OF_ES, 1, 'begin with {% extends "_layouts/base.j2" %}'),
    "HTML in a text": (
        es("Hola, ", "<b>Hola</b>, "), "warning", "html-in-text", OF_ES, 4, "<b> stands in a text"),
    "an entity in a text": (
        es("Hola, ", "Hola,&nbsp;"), "warning", "html-in-text", OF_ES, 4, "&nbsp; stands in a text"),
    "a misspelt attribute in the sample": (
        sample(lambda event: event.update(recipent="cus-7")),
        "warning", "misspelt-attribute", OF_SAMPLE, 1, "did you mean recipient?"),
    "a forgotten loop": (
        es("{{ name }}", "{{ line.name }}"),
        "error", "unknown-variable", OF_ES, 4, "put it between {% for line in order.items %}"),
    "a flag set in an if in a loop": (
        es("Hola, ", "{% set new = false %}{% for each in order.items %}{% if each.price > 2 %}"
           "{% set new = true %}{% endif %}{% endfor %}{% if new %}Oferta{% endif %}Hola, "),
        "warning", "lost-in-loop", OF_ES, 4, "namespace(new=…)"),
    "two examples of one name": (
        {"chalicelib/routing.examples.toml":
            '[[example]]\nname = "a"\ntype = "order.placed"\nto = []\n' * 2},
        "error", "examples", "chalicelib/routing.examples.toml", 6, "line 2"),
    # mails
    "a tag that MJML does not have": (
        mjml("<mj-txt>x</mj-txt>"), "error", "mail-layout", LAYOUT, 2, "did you mean mj-text?"),
    "a tag in the head that MJML does not have there": (
        {LAYOUT: "<mjml>\n<mj-head>\n<div/></mj-head></mjml>"}, "error", "mail-layout", LAYOUT, 3, "is no MJML"),
    "a layout that is never closed": (
        {LAYOUT: "<mjml>"}, "error", "mail-layout", LAYOUT, 0, "is no MJML"),
    "a layout that is no UTF-8": (
        {LAYOUT: b"<mjml>\xff</mjml>"}, "error", "mail-layout", LAYOUT, 0, "save it as UTF-8"),
    "a rule for tags within tags": (
        mjml("", "p { margin: 0 }\n.letter p, td.x { color: red }"),
        "error", "mail-layout", LAYOUT, 3, "'.letter p' is no selector"),
    "a rule for a screen, to be written into tags": (
        mjml("", "@media (max-width: 9px) {\n p { margin: 0 } }"),
        "error", "mail-layout", LAYOUT, 2, "@media"),
    "a rule that would end the tag's style": (
        mjml("", 'p { font-family: "A" }'), "error", "mail-layout", LAYOUT, 2, "use '"),
    "a layout that prints what no shop says": (
        {LAYOUT: None, "templates/_mail/layout.j2": "<p>\n{{ shop.phone }}", **FEET},
        "error", "mail-layout", "templates/_mail/layout.j2", 2, "shop.phone"),
    "the same in MJML": (
        mjml("<mj-raw>\n{{ shop.phone }}</mj-raw>")
        | {"templates/_mail/layout.j2": "{{ shop.phone }}", **FEET},
        "error", "mail-layout", LAYOUT, 3, "shop.phone"),
    "a filter in a layout that there is not": (
        {"templates/_mail/layout.j2": "\n{{ content|stiled }}", **FEET},
        "error", "mail-layout", "templates/_mail/layout.j2", 2, "stiled"),
    "a mail that Gmail cuts off": (
        {"templates/_mail/layout.j2": f"{{{{ content }}}}{'x' * 105_000}", **FEET},
        "warning", "mail-clipped", OF_ES, 0, "Gmail cuts off after 104,448"),
    "a value with which Gmail cuts a mail off": (
        {**html("{{ name }}" * 12), "templates/_mail/layout.j2": "{{ content }}", **FEET},
        "warning", "mail-may-be-clipped", OF_ES, 9, "data.name of 10,000 characters"),
    "a foot that is not written in a language": (
        {"templates/_mail/layout.j2": "{{ content }}", "templates/_mail/es.j2": FEET["templates/_mail/es.j2"]},
        "warning", "mail-foot", "templates/_mail/en.j2", 0, "mails are written in en"),
    "a foot without the words for a link": (
        {"templates/_mail/es.j2": "{% set preferences = 'x' %}"},
        "warning", "mail-foot", "templates/_mail/es.j2", 0, "{% set unsubscribe"),
    "advertising that nobody can stop": (
        ADVERTISING, "warning", "mail-no-way-to-stop", "stages.toml", 2,
        "dev has no api_url, so that order.placed waits there"),
    "a category without a name": (
        {**TO_PEOPLE, FOOT: FEET[FOOT] + "\n{% set categories = {'x': 'X'} %}"},
        "warning", "mail-category", FOOT, 2, "the category orders is called"),
    "a language that names no category": (
        {**TO_PEOPLE, **FEET}, "warning", "mail-category", FOOT, 0, '"orders": "…"'),
    "block html in one language": (
        es("{% block sms %}", "{% block html %}<p>Hola</p>{% endblock %}{% block sms %}"),
        "warning", "html-in-one-language", "templates/order.placed/en.j2", 0, "es.j2 has one"),
    "a value that is not escaped": (
        html("\n{{ name|safe }}"), "warning", "html-unescaped", OF_ES, 10, "|safe"),
    "a part that is not escaped": (
        html("{% autoescape false %}{{ name }}{% endautoescape %}"),
        "warning", "html-unescaped", OF_ES, 9, "autoescape"),
    "a link to wherever the data says": (
        html('<p>\n<a href="{{ note }}">x</a></p>'), "warning", "html-link", OF_ES, 10, "|link"),
    "a picture from wherever the data says": (
        html('<img src="{{ note if name else shop }}">'), "warning", "html-link", OF_ES, 9, "|link"),
    "a tag that is not closed": (
        html("<p><b>{{ name }}</p>"), "warning", "html-unclosed", OF_ES, 9, "<b> is not closed"),
    "a tag that closes nothing": (
        html("{{ name }}</p>"), "warning", "html-unclosed", OF_ES, 9, "</p> closes nothing"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_lint_finds(tmp_path: Path, mistake: str) -> None:
    change, severity, code, file, line, said = MISTAKES[mistake]
    findings = lint(tree(tmp_path, change))
    assert [
        f
        for f in findings
        if (f.severity, f.code, f.file) == (severity, code, file)
        and (f.line == line or not line)
        and said in f"{f.message} {f.remedy}"
    ], "\n".join(map(str, findings))


@pytest.mark.parametrize(
    "change",
    [
        es("%}Pedido {{ order.id|truncate(40) }}", "%}Pedido de Andrés, ñ, é, ü, ¿qué?"),
        es("%}Pedido {{ order.id|truncate(40) }}", "%}Envío rápido"),  # one part in UCS-2 too
        es("{{ note }}", "{{ note|truncate(40)|upper }}"),
        es("{% if note is defined %}", "{% if note is defined and note %}"),
        {"templates/order.placed/es-AR.j2": ES},
        {"templates/order.placed/.es.j2.swp": b"\x00\xff"},
        {"templates/_drafts/x/es.j2": "{% extends 'gone' %}"},
        html(
            '<p><a href="{{ note|link if false else "https://a.example" }}">{{ name }}</a><br>'
            '<a href="mailto:{{ name }}">x</a></p>'
        ),
        {"templates/_mail/layout.j2": "{{ content }}", **FEET},
        {**ADVERTISING, "stages.toml": "[local]\n[dev]\napi_url = 'https://a.example'\n"},
        {**TO_PEOPLE, "stages.toml": "[local]\n[dev]\n"},
    ],
)
def test_what_is_right_is_not_found(tmp_path: Path, change: Tree) -> None:
    assert lint(tree(tmp_path, change)) == []


@pytest.mark.parametrize(
    ("change", "column"),
    [
        (es("{{ name }}", "{{ nmae }}"), 10),
        (es("{{ name }}", "{{ name|mony }}"), 15),
        (es("{{ name }}", "{{ name? }}"), 14),
        (es("{{ name }}", "{% edif %}"), 10),
    ],
)
def test_the_column_is_that_of_the_word_at_fault(tmp_path: Path, change: Tree, column: int) -> None:
    assert column in [f.column for f in lint(tree(tmp_path, change)) if f.severity == "error"]


def test_a_mistake_in_a_shared_file_is_told_once(tmp_path: Path) -> None:
    change = {BASE: "{{ 1|mony }}{% block body %}{% endblock %}"}
    assert [f.code for f in lint(tree(tmp_path, change))].count("unknown-filter") == 1


def test_one_broken_type_does_not_hide_the_mistakes_of_another(tmp_path: Path) -> None:
    other = {
        f"templates/order.shipped/{name}": content
        for name, content in (
            ("es.j2", ES.replace("|money", "|mony")),
            ("en.j2", EN),
            ("sample.json", json.dumps({**SAMPLE, "type": "order.shipped"})),
        )
    }
    found = {(f.file, f.code) for f in lint(tree(tmp_path, {**es("{{ name }}", "{{ }}"), **other}))}
    assert found == {
        (OF_ES, "syntax"),
        ("templates/order.shipped/es.j2", "unknown-filter"),
    }


def test_without_templates_and_rules_lint_says_so(tmp_path: Path) -> None:
    told = [(f.code, f.file) for f in lint(tmp_path)]
    assert told == [("routing", ROUTES), ("no-templates", "templates")]


@pytest.mark.parametrize(
    "changed",
    [
        both("Hola, ", "1 < 2, x<y y 3 > 2 & más, "),
        es("Hola, ", "======= Novedades =======\nHola, "),
        sample(lambda event: event.update(priority="high", channel="web")),
        {"templates/order.placed/es-MX.j2": ES},
        {"templates/README.md": "how we write", "templates/_parts/note.txt": "x"},
        es("Hola, ", "{% set ns = namespace(new=false) %}{% for each in order.items %}"
           "{% set ns.new = true %}{% endfor %}{% if ns.new %}{% endif %}Hola, "),
    ],
    ids=["no tags", "a line of =", "extensions", "a variant", "other files", "a namespace"],
)  # fmt: skip
def test_what_only_looks_like_a_mistake_is_none(tmp_path: Path, changed: Tree) -> None:
    assert lint(tree(tmp_path, changed)) == []


def test_nothing_is_wrong_with_this_tree() -> None:
    assert lint(ROOT) == []


def test_words_that_save_a_part_are_offered(tmp_path: Path) -> None:
    changed = es("%}Pedido {{ order.id|truncate(40) }}", "%}Tu envío está aquí… " + "x" * 100)
    [found] = [f for f in lint(tree(tmp_path, changed)) if f.code == "sms-encoding"]
    assert found.remedy == (
        "write 'envío' as 'envio', 'está' as 'esta', 'aquí…' as 'aqui...', "
        "and it goes out in GSM-7 with 1 part"
    )


# -- the table of checks ---------------------------------------------------------------------------


def test_the_table_of_the_docs_is_that_of_the_checks() -> None:
    page = (ROOT / "docs" / "lint.md").read_text("utf-8")
    rows = [row for row in page.splitlines() if row.startswith("| `")]
    checks = sorted(table().values(), key=lambda check: check.code)
    assert rows == [f"| `{c.code}` | {c.severity} | {c.about} |" for c in checks]


@pytest.mark.parametrize("check", table().values(), ids=lambda check: check.code)
def test_every_check_says_what_is_wrong_and_what_to_do(check: Check) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", check.code)
    assert re.fullmatch(r".+: .+\.", check.about)


def test_every_check_has_found_a_mistake_in_these_tests() -> None:
    tried = {code for _, _, code, *_ in MISTAKES.values()} | {"no-templates"}
    tried |= {code for _, _, code, *_ in MISTAKES_IN_RULES.values()} | {*DECLARED}
    tried |= {code for _, _, _, code, _ in MISTAKES_IN_JOURNEYS.values()}
    assert table().keys() - tried == set()


# -- the command -----------------------------------------------------------------------------------


def run(root: Path, *options: str) -> tuple[int, str]:
    result = CliRunner().invoke(command, ["--root", str(root), *options])
    return result.exit_code, result.output


def test_the_command_shows_the_line_with_a_caret_below_the_place(tmp_path: Path) -> None:
    code, output = run(tree(tmp_path, es("{{ name }}", "{{ nmae }}")))
    assert code == 1
    lines = output.splitlines()
    assert lines[0] == f"{OF_ES}:4:10: error: nmae is not in sample.json  [unknown-variable]"
    assert lines[1].startswith("    4 | Hola, {{ nmae }}: {% for line in")
    assert lines[2].index("^") == lines[1].index("nmae")
    assert "did you mean name?" in lines[3]
    assert "\x1b" not in output


def test_warnings_alone_do_not_fail(tmp_path: Path) -> None:
    code, output = run(tree(tmp_path, es("{{ name }}", "{{ name|default('') }}")))
    assert code == 0
    assert output.endswith("1 warning\n")


def test_nothing_wrong_is_said_so(tmp_path: Path) -> None:
    assert run(tree(tmp_path)) == (0, "Nothing is wrong.\n")


def test_json_has_every_part_of_a_finding(tmp_path: Path) -> None:
    code, output = run(tree(tmp_path, es("|money", "|mony")), "--json")
    assert code == 1
    assert json.loads(output)[0] == {
        "severity": "error",
        "file": OF_ES,
        "line": 4,
        "column": 78,
        "code": "unknown-filter",
        "message": "there is no filter 'mony'",
        "remedy": "did you mean 'money'?",
    }


def test_github_annotations_stand_on_one_line_each(tmp_path: Path) -> None:
    code, output = run(tree(tmp_path, es("|money", "|mony")), "--github")
    assert code == 1
    assert output == (
        f"::error file={OF_ES},line=4,title=unknown-filter,col=78::"
        "there is no filter 'mony'. did you mean 'money'?\n"
    )


def test_a_code_is_explained() -> None:
    done = CliRunner().invoke(command, ["--explain", "lost-text"])
    assert done.exit_code == 0
    assert done.output == (
        "lost-text (warning)\nText outside of the blocks is never sent: move it into a block.\n"
    )
    done = CliRunner().invoke(command, ["--explain", "lost-txt"])
    assert done.exit_code == 2
    assert "there is no 'lost-txt'; did you mean lost-text" in done.output


def test_a_finding_can_be_compared(tmp_path: Path) -> None:
    tree(tmp_path, es("|money", "|mony"))
    assert lint(tmp_path)[0] == Finding(
        "error", OF_ES, 4, 78, "unknown-filter", "there is no filter 'mony'",
        "did you mean 'money'?",
    )  # fmt: skip
