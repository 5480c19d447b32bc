"""What an event type needs, read from templates."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

import jinja2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.words import contract
from chalicelib.words.contract import Field, Reader, merge, missing, to_json_schema
from chalicelib.words.environment import MissingField, WordsError, make_environment
from cli.lint.unknown import every_node, unknown_names

ENVIRONMENT = make_environment(None)
FILES = {
    "layout": "Hi {{ shop }}\n{% block body %}{{ unseen }}{% endblock %}",
    "keeps": "{% block body %}{{ kept }}{% endblock %}",
    "sets": "{% set brand = 'Abedul' %}{% set url = base ~ '/x' %}{% block body %}{% endblock %}",
    "lines": "{% macro line(i, note) %}{{ i.name }}{% if note is defined %}{{ note }}{% endif %}"
    "{% endmacro %}{% macro footer() %}{{ legal }}{% endmacro %}",
    "part": "{{ inner }} {{ item.inc }}",
    "only_es": "{% if locale == 'es' %}{{ dni }}{% else %}{{ passport }}{% endif %}",
}


def read(source: str, name: str = "a.type/es.j2") -> contract.Needs:
    return Reader(ENVIRONMENT, lambda file: {**FILES, name: source}[file]).needs(name)


def told(field: Field) -> str:
    """A contract in short: `name!` required, `name?` optional, then kind and what is inside."""
    parts = [
        f"{name}{'!' if child.required else '?'}{_kind(child)}{told(child)}"
        for name, child in field.children.items()
    ]
    return "(" + " ".join(sorted(parts)) + ")" if parts else ""


def _kind(field: Field) -> str:
    shown = {"any": "", "string": ":s", "number": ":n", "object": "", "array": ""}[field.kind]
    if field.item is not None:
        shown += f"[{_kind(field.item)}{told(field.item)}]"
    elif field.kind == "array":
        shown += "[]"
    return shown


TEMPLATES = {
    # what is printed is required, with all that it stands in
    "{{ a }}": "(a!:s)",
    "{{ a.b.c }}": "(a!(b!(c!:s)))",
    "{{ a['b'] }}": "(a!(b!:s))",
    "{{ a.b }}{{ a.c }}": "(a!(b!:s c!:s))",
    "{{ 'x' ~ a ~ b }}": "(a!:s b!:s)",
    "{{ event.data.a }}": "(a!:s)",
    "{{ event.data['a'].b }}": "(a!(b!:s))",
    "{# {{ a }} #}{% raw %}{{ a }}{% endraw %}": "",
    # what is asked for first is optional
    "{% if a is defined %}{{ a }}{% endif %}": "(a?:s)",
    "{% if a is not defined %}-{% else %}{{ a }}{% endif %}": "(a?:s)",
    "{% if a is undefined %}-{% else %}{{ a }}{% endif %}": "(a?:s)",
    "{% if not a is defined %}-{% else %}{{ a }}{% endif %}": "(a?:s)",
    "{{ a|default('x') }}": "(a?:s)",
    "{{ a|d('x')|upper }}": "(a?:s)",
    "{{ a.b|default('x') }}": "(a!(b?:s))",
    "{{ a|default(b) }}": "(a?:s b?:s)",
    "{{ a|default(b) }}{{ b }}": "(a?:s b!:s)",
    "{{ a|default(b)|default(c) }}": "(a?:s b?:s c?:s)",
    "{{ a if a is defined else 'x' }}": "(a?:s)",
    "{{ a if a is defined else b }}": "(a?:s b?:s)",
    "{% if a.b is defined %}{{ a.b }}{% endif %}": "(a!(b?:s))",
    "{% if a is defined and a.b %}{{ a.b }}{% endif %}": "(a?(b!:s))",
    "{% if a is defined and a.b is defined %}{{ a.b }}{% endif %}": "(a?(b?:s))",
    "{% if a is not defined or not a.b %}-{% else %}{{ a.b }}{% endif %}": "(a?(b!:s))",
    "{% if a|default(false) %}{{ a.b }}{% endif %}": "(a?(b!:s))",
    "{{ (a|default({})).b|default('') }}": "(a?(b?:s))",
    "{% set x = a %}{% if x is defined %}{{ x }}{% endif %}": "(a?:s)",
    # relative to the parent: where there is one, it has this
    "{% if a is defined %}{{ a.b }}{% endif %}": "(a?(b!:s))",
    "{% if a is defined %}{{ b }}{% endif %}": "(a? b?:s)",
    "{{ a }}{% if a is defined %}{{ b }}{% endif %}": "(a!:s b!:s)",
    # being undefined is an error in a plain if, so that makes nothing optional but what it guards
    "{% if a %}{{ a }}{% endif %}": "(a!:s)",
    "{% if a %}{{ b }}{% endif %}": "(a! b?:s)",
    "{% if a.b %}{{ c }}{% endif %}": "(a!(b!) c?:s)",
    "{% if a == 'x' %}{{ b }}{% endif %}": "(a! b?:s)",
    "{{ 'x' if a else b }}": "(a! b?:s)",
    "{{ a or b }}": "(a!:s b?:s)",
    "{{ a and b }}": "(a!:s b?:s)",
    "{% if a is none %}-{% else %}{{ a }}{% endif %}": "(a!:s)",
    "{% if a == none %}-{% else %}{{ a.b }}{% endif %}": "(a!(b!:s))",
    # in every branch is unconditional
    "{% if a %}{{ b }}{% else %}{{ b }}{% endif %}": "(a! b!:s)",
    "{% if a %}{{ b }}{% elif c %}{{ b }}{% else %}{{ b }}{% endif %}": "(a! b!:s c?)",
    "{% if a %}{{ b }}{% elif c %}{{ b }}{% endif %}": "(a! b?:s c?)",
    "{{ b.x if a else b.y }}": "(a! b!(x?:s y?:s))",
    # loops
    "{% for i in a %}{{ i }}{% endfor %}": "(a![:s])",
    "{% for i in a.items %}{{ i.name }}{% endfor %}": "(a!(items![(name!:s)]))",
    "{% for i in a %}{{ i.b|default('') }}{% endfor %}": "(a![(b?:s)])",
    "{% for i in a %}{% for j in i.b %}{{ j.c }}{% endfor %}{% endfor %}": "(a![(b![(c!:s)])])",
    "{% for i in a %}{{ loop.index }}{{ b }}{% endfor %}": "(a![] b!:s)",
    "{% for i in a if i.ok %}{{ i.b }}{% endfor %}": "(a![(b?:s ok!)])",
    "{% for i in a %}{{ i }}{% else %}{{ b }}{% endfor %}": "(a![:s] b?:s)",
    "{% for i in a|default([]) %}{{ i.b }}{% endfor %}": "(a?[(b!:s)])",
    "{% if a %}{% for i in a %}{{ i.b }}{% endfor %}{% endif %}": "(a![(b!:s)])",
    "{% for k, v in a.items() %}{{ k }}{% endfor %}": "(a!)",
    "{% for k, v in a|dictsort %}{{ v }}{% endfor %}": "(a!)",
    "{% for x in [a, b.c] %}{{ x }}{% endfor %}": "(a!:s b!(c!:s))",
    "{% for i in range(3) %}{{ a }}{% endfor %}": "(a!:s)",
    "{% for i in a recursive %}{{ i.n }}{% if i.k is defined %}{{ loop(i.k) }}{% endif %}"
    "{% endfor %}": "(a![(k?[(k? n!:s)] n!:s)])",
    # lists by way of filters
    "{{ a|join(', ') }}": "(a![:s])",
    "{{ a|listed }}": "(a![:s])",
    "{{ a|length }}": "(a![])",
    "{{ a|map(attribute='b')|join }}": "(a![(b!:s)])",
    "{{ a|map(attribute='b.c')|listed }}": "(a![(b!(c!:s))])",
    "{{ a|sum(attribute='b') }}": "(a![(b!:n)])",
    "{{ (a|first).b }}": "(a![(b!:s)])",
    "{{ a[0].b }}": "(a![(b!:s)])",
    "{% for i in a|sort(attribute='b') %}{{ i.c }}{% endfor %}": "(a![(b! c!:s)])",
    "{% for i in a[:3] %}{{ i.b }}{% endfor %}": "(a![(b!:s)])",
    "{% for g in a|groupby('b') %}{{ g.grouper }}{% for i in g.list %}{{ i.c }}{% endfor %}"
    "{% endfor %}": "(a![(b! c!:s)])",
    "{{ a|selectattr('b', 'defined')|map(attribute='b')|join }}": "(a![(b?:s)])",
    # kinds
    "{{ a|money }}": "(a!:n)",
    "{{ a|money(b.c) }}": "(a!:n b!(c!:s))",
    "{{ a|plural('x', 'y') }}": "(a!:n)",
    "{{ a|default(0)|money }}": "(a?:n)",
    "{{ a * 2 + b }}": "(a!:n b!:n)",
    "{% if a > 3 %}-{% endif %}": "(a!:n)",
    "{{ a }}{{ a|money }}": "(a!:n)",
    "{{ a|date }}{{ b|link }}": "(a!:s b!:s)",
    "{{ a.upper() }}": "(a!:s)",
    "{% if a is string %}{{ a }}{% else %}{{ a.b }}{% endif %}": "(a!(b?:s))",
    # names that are no fields
    "{{ locale }}{{ event.type }}": "",
    "{% set x = 1 %}{{ x }}": "",
    "{% set x %}{{ a }}{% endset %}{{ x }}": "(a!:s)",
    "{% set x = a %}{{ x.b }}": "(a!(b!:s))",
    "{% with x = a %}{{ x }}{% endwith %}": "(a!:s)",
    "{% set x = b if a else c %}{{ x }}": "(a! b?:s c?:s)",
    "{% if a %}{% set x = b %}{% else %}{% set x = c %}{% endif %}{{ x }}": "(a! b?:s c?:s)",
    "{% set n = namespace(t=0) %}{% for i in a %}{% set n.t = n.t + i.p %}{% endfor %}{{ n.t }}": (
        "(a![(p!)])"
    ),
    "{% filter upper %}{{ a }}{% endfilter %}": "(a!:s)",
    "{{ cycler('x', 'y').next() }}{{ dict(a=b) }}": "(b!)",
    # macros: what they are called with counts, and only if they are called
    "{% macro m(p) %}{{ p.b }}{{ c }}{% endmacro %}": "",
    "{% macro m(p) %}{{ p.b }}{{ c }}{% endmacro %}{{ m(a) }}": "(a!(b!:s) c!:s)",
    "{% macro m(p, q='x') %}{{ p }}{{ q }}{% endmacro %}{{ m(a) }}{{ m(q=b, p=c) }}": (
        "(a!:s b!:s c!:s)"
    ),
    "{% macro m(p, q) %}{% if q is defined %}{{ q.b }}{% endif %}{% endmacro %}{{ m(1) }}": "",
    "{% macro m(p, q) %}{% if q is defined %}{{ q.b }}{% endif %}{% endmacro %}{{ m(1, a) }}": (
        "(a?(b!:s))"
    ),
    "{% macro m(l) %}{% for i in l %}{{ caller(i) }}{% endfor %}{% endmacro %}"
    "{% call(i) m(a) %}{{ i.b }}{{ c }}{% endcall %}": "(a![(b!:s)] c!:s)",
    "{% macro m(p) %}{{ p.n }}{% if p.k is defined %}{{ m(p.k) }}{% endif %}{% endmacro %}"
    "{{ m(a) }}": "(a!(k?(k? n!:s) n!:s))",
    # other files
    "{% from 'lines' import line %}{% for i in a %}{{ line(i) }}{% endfor %}": "(a![(name!:s)])",
    "{% import 'lines' as l %}{{ l.line(a, b) }}{{ l.footer() }}": "(a!(name!:s) b?:s legal!:s)",
    "{% for item in a %}{% include 'part' %}{% endfor %}": "(a![(inc!:s)] inner!:s)",
    "{% include 'gone' ignore missing %}{{ a }}": "(a!:s)",
    "{% include ['gone', 'part'] %}": "(inner!:s item!(inc!:s))",
    "{% extends 'layout' %}{% block body %}{{ a }}{% endblock %}": "(a!:s shop!:s)",
    "{% extends 'layout' %}{% block body %}{{ super() }}{% endblock %}": "(shop!:s unseen!:s)",
    "{% extends 'layout' %}{{ lost }}": "(shop!:s unseen!:s)",
    "{% extends 'sets' %}{% block subject %}{{ brand }}{{ url }}{% endblock %}": "(base!:s)",
    "{% extends 'la' ~ 'yout' %}": "(shop!:s unseen!:s)",
    "{% set x = a %}{% block subject %}{{ x }}{% endblock %}": "(a!:s)",
    "{% block subject %}{{ a }}{% endblock %}{% block sms %}{{ b }}{% endblock %}": "(a!:s b!:s)",
    "{% for i in a %}{% block body scoped %}{{ i.b }}{% endblock %}{% endfor %}": "(a![(b!:s)])",
    "{% include 'only_es' %}": "(dni!:s)",
}


@pytest.mark.parametrize(("source", "expected"), TEMPLATES.items())
def test_the_contract_of_a_template_is(source: str, expected: str) -> None:
    assert told(read(source).data) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ event.recipient }}", ("recipient",)),
        ("{{ event.subject }}{{ event['shopid'] }}", ("shopid", "subject")),
        ("{% if event.recipient is defined %}{{ event.recipient }}{% endif %}", ()),
        ("{{ event.time|default('') }}", ()),
        ("{{ event.data.a }}", ()),
        ("{% set e = event %}{{ e.recipient }}", ("recipient",)),
    ],
)
def test_event_attributes_are_told_apart_from_data(source: str, expected: tuple[str, ...]) -> None:
    assert read(source).attributes == expected
    assert (
        contract.attributes_of(ENVIRONMENT, {"t/es.j2": source}.__getitem__, "t/es.j2") == expected
    )


def test_the_locale_of_a_file_decides_what_its_layout_asks_for() -> None:
    source = "{% include 'only_es' %}"
    assert told(read(source, "a.type/en.j2").data) == "(passport!:s)"


def test_fields_know_the_file_and_line_that_first_use_them() -> None:
    data = read("{% extends 'layout' %}\n\n{% block body %}\n{{ a.b }}{% endblock %}").data
    assert data.children["a"].children["b"].where == ("a.type/es.j2", 4)
    assert data.children["shop"].where == ("layout", 1)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{% extends 'gone' %}", "there is no file templates/gone"),
        (
            "{% from 'lines' import lin %}",
            "templates/lines has no macro 'lin'; did you mean 'line'?",
        ),
        ("{% include a %}", "the name of a file is worked out while rendering"),
    ],
)
def test_what_cannot_be_followed_is_told(source: str, problem: str) -> None:
    assert read(source).unresolved == (("a.type/es.j2", 1, problem),)


def test_a_syntax_error_in_a_layout_names_the_layout() -> None:
    files = {"t/es.j2": "{% extends 'broken' %}", "broken": "\n{% if %}"}
    with pytest.raises(jinja2.TemplateSyntaxError) as caught:
        contract.fields_of(ENVIRONMENT, files.__getitem__, "t/es.j2")
    assert (caught.value.name, caught.value.lineno) == ("broken", 2)


def test_macros_and_files_that_call_themselves_end() -> None:
    assert told(read("{% macro m(p) %}{{ p }}{{ m(p) }}{% endmacro %}{{ m(a) }}").data) == "(a!:s)"
    assert told(read("{{ a }}{% include 'a.type/es.j2' %}").data) == "(a!:s)"


# -- checking data ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "data", "problems"),
    [
        ("{{ a.b }}", {}, [("a", "is missing: b")]),
        ("{{ a.b }}{{ a.c }}", {"a": {}}, [("a.b", "is missing"), ("a.c", "is missing")]),
        ("{{ a.b }}", {"a": "x"}, [("a", "must be an object, not a text")]),
        ("{{ a }}", {"a": None}, [("a", "is null")]),
        ("{{ a }}", {"a": [1]}, [("a", "must be a text, not a list")]),
        ("{{ a }}", {"a": True}, [("a", "must be a text, not true or false")]),
        ("{{ a }}", {"a": 12}, []),
        ("{{ a|money }}", {"a": "mucho"}, [("a", "must be a number, not a text")]),
        ("{{ a|money }}", {"a": "12.50"}, []),
        ("{{ a * 2 }}", {"a": "12.50"}, [("a", "must be a number, not a text")]),
        (
            "{% for i in a %}{{ i.n }}{% endfor %}",
            {"a": {}},
            [("a", "must be a list, not an object")],
        ),
        (
            "{% for i in a %}{{ i.n }}{% endfor %}",
            {"a": [{"n": 1}, {}, 3]},
            [("a[1].n", "is missing"), ("a[2]", "must be an object, not a number")],
        ),
        (
            "{% for i in a.b %}{% for j in i.c %}{{ j.d }}{% endfor %}{% endfor %}",
            {"a": {"b": [{"c": [{"d": 1}, {"e": 2}]}]}},
            [("a.b[0].c[1].d", "is missing")],
        ),
        ("{% for i in a %}{{ i.n }}{% endfor %}", {"a": []}, []),
        ("{% if a is defined %}{{ a.b }}{% endif %}", {}, []),
        ("{% if a is defined %}{{ a.b }}{% endif %}", {"a": {}}, [("a.b", "is missing")]),
        ("{% if a is defined %}{{ a.b }}{% endif %}", {"a": None}, [("a", "is null")]),
        ("{% if a %}{{ a.b }}{% endif %}", {"a": None}, []),
        ("{% if a %}{{ a.b }}{% endif %}", {"a": {}}, []),
        ("{% if a %}{{ a.b }}{% endif %}", {"a": {"x": 1}}, [("a.b", "is missing")]),
        ("{% if a is not none %}{{ a.b }}{% endif %}", {"a": None}, []),
        ("{% if a %}x{% endif %}", {"a": False}, []),
        ("{{ a }}", [], [("data", "must be an object, not a list")]),
        ("", {"anything": "goes"}, []),
    ],
)
def test_data_is_held_against_the_contract(
    source: str, data: Any, problems: list[tuple[str, str]]
) -> None:
    assert missing(read(source).data, data) == problems


def test_problems_never_show_the_value() -> None:
    found = missing(read("{{ a|money }}{{ b.c }}").data, {"a": "secret", "b": "secret"})
    assert len(found) == 2
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    ("expression", "good", "bad"),
    [
        ("x|date", ["2026-12-03", "2026-12-03T18:30:00Z"], ["3/12/2026", "2026-02-30", "", 7]),
        ("x|relative", ["2026-12-03"], ["mañana"]),
        ("x|datetime", ["2026-12-03T18:30:00+01:00"], ["2026-12-03"]),
        ("x|link", ["https://abedul.example/p?x=1"], ["abedul.example", "javascript:alert(1)"]),
        ("1|money(x)", ["EUR", "XYZ"], ["eur", "EURO", "€", 978]),
        ("x|money", [19.9, "19.90", -1], [10**15, "1e3", "", True]),
        ("x * 2", [1, 0.5], [10**11, "2"]),
        ("x", ["", "a", 7], [None, True, [], {}]),
    ],
)
def test_a_filter_says_what_form_a_value_must_have(
    expression: str, good: list[object], bad: list[object]
) -> None:
    data = read("{{ " + expression + " }}").data
    assert [value for value in good if missing(data, {"x": value})] == []
    assert [value for value in bad if not missing(data, {"x": value})] == []


def test_the_json_schema_says_the_same() -> None:
    data = read("{% for i in a.b %}{{ i.n|money }}{% endfor %}{{ c|default('') }}").data
    schema = to_json_schema(data)
    assert schema == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "a": {
                "type": "object",
                "properties": {
                    "b": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {
                                "n": {
                                    "type": ["number", "string"],
                                    "pattern": r"^-?[0-9]{1,15}(\.[0-9]{1,15})?$",
                                    "exclusiveMinimum": -(10**15),
                                    "exclusiveMaximum": 10**15,
                                }
                            },
                            "required": ["n"],
                        },
                    }
                },
                "required": ["b"],
            },
            "c": {"type": ["string", "number"], "maxLength": 10_000},
        },
        "required": ["a"],
    }


# -- locales ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("es", "en", "expected", "disagreements"),
    [
        ("{{ a }}", "{{ a }}", "(a!:s)", []),
        ("{{ a.b }}", "{{ a.b }}{{ a.url }}", "(a!(b!:s url!:s))", [
            "en.j2 needs a.url, es.j2 does not"]),
        ("{{ a }}", "{{ a|default('') }}", "(a!:s)", [
            "es.j2 needs a, en.j2 does without it where it is not given"]),
        ("{{ a }}", "{{ a }}{{ b|default('') }}", "(a!:s b?:s)", [
            "en.j2 can show b, es.j2 does not"]),
        ("{{ a|money }}", "{{ a }}", "(a!:n)", []),
        ("{{ a|money }}", "{{ a|join }}", "(a![:s])", [
            "a is used by es.j2 as a number, by en.j2 as a list"]),
        ("{% for i in a %}{{ i.b }}{% endfor %}", "{% for i in a %}{{ i.c }}{% endfor %}",
         "(a![(b!:s c!:s)])", ["es.j2 needs a[].b, en.j2 does not",
                               "en.j2 needs a[].c, es.j2 does not"]),
    ],
)  # fmt: skip
def test_locales_share_one_contract_and_their_disagreements_are_told(
    es: str, en: str, expected: str, disagreements: list[str]
) -> None:
    merged, found = merge({"es": read(es).data, "en": read(en).data})
    assert told(merged) == expected
    assert found == disagreements


# -- unknown names ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ a|mony }}", [("filter", "mony", 1, "money")]),
        ("\n{{ a|uper|trm }}", [("filter", "trm", 2, "trim"), ("filter", "uper", 2, "upper")]),
        ("{% if a is defind %}{% endif %}", [("test", "defind", 1, "defined")]),
        ("{{ rnge(3) }}", [("function", "rnge", 1, "range")]),
        ("{% macro line() %}{% endmacro %}{{ lin() }}", [("function", "lin", 1, "line")]),
        ("{{ a|map('uper')|join }}", [("filter", "uper", 1, "upper")]),
        ("{{ a|selectattr('b', 'defnd')|list }}", [("test", "defnd", 1, "defined")]),
        ("{{ a|xyzzy }}", [("filter", "xyzzy", 1, None)]),
        ("{% filter uper %}{% endfilter %}", [("filter", "uper", 1, "upper")]),
        ("{% set f = a %}{{ f() }}{{ super() }}{% from 'x' import y as z %}{{ z() }}", []),
    ],
)
def test_unknown_names_are_told_with_the_nearest(source: str, expected: list[Any]) -> None:
    every = every_node(ENVIRONMENT.parse(source))
    found = unknown_names(ENVIRONMENT, every, "es.j2")
    assert sorted((u.what, u.name, u.line, u.nearest) for u in found) == expected


# -- what holds for any template -------------------------------------------------------------------

PATHS = st.sampled_from(["a", "b", "c", "a.x", "a.y", "b.x", "b.x.z", "c.y"])
LISTS = st.sampled_from(["l", "a.l", "m"])
MACROS = (
    "{% macro show(p) %}{{ p }}{% endmacro %}"
    "{% macro maybe(p, q) %}{% if p is defined %}{{ p }}{% endif %}"
    "{% if q is defined %}{{ q.never }}{% endif %}{% endmacro %}"
)


def _filled(pattern: str, *parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """`pattern` with ① ② ③ replaced by what the strategies give."""

    def fill(values: tuple[str, ...]) -> str:
        text = pattern
        for mark, value in zip("①②③", values, strict=False):
            text = text.replace(mark, value)
        return text

    return st.tuples(*parts).map(fill)


def _expressions(conditional: bool) -> st.SearchStrategy[str]:
    one = [
        "{{ ① }}", "{{ ①|default('d') }}", "{{ ①|upper }}", "{{ '-' ~ ① }}",
        "{{ ① if ① is defined else 'n' }}", "{% set v = ① %}{{ v|default('d') }}",
        "{{ show(①) }}", "{{ maybe(①) }}", "{% if ① %}{{ ① }}{% endif %}",
        "{% if ①|default(none) %}{{ ①.w }}{% endif %}",
    ]  # fmt: skip
    lists = [
        "{{ ①|map(attribute='n')|join }}",
        "{{ ①|selectattr('k', 'defined')|map(attribute='k')|join }}",
    ]
    two = [
        "{{ ①|default(②) }}", "{{ ② if ① is defined else 'n' }}", "{{ ① or ② }}",
        "{{ ① if ① is defined else ② }}", "{% set v = ① %}{{ v|default(②) }}", "{{ ① and ② }}",
    ]  # fmt: skip
    return st.one_of(
        [_filled(p, PATHS) for p in one]
        + [_filled(p, LISTS) for p in lists]
        + ([_filled(p, PATHS, PATHS) for p in two] if conditional else [])
    )


def _conditions(conditional: bool) -> st.SearchStrategy[str]:
    simple = ["① is defined"]
    if conditional:
        simple += ["①|default(false)", "①", "① == 't'", "①|length > 3", "① is not defined"]
        simple += ["① is none"]
    joins = ["(① and ②)"] + (["(① or ②)", "not (①)"] if conditional else [])
    return st.recursive(
        st.one_of([_filled(p, PATHS) for p in simple]),
        lambda c: st.one_of([_filled(p, c, c) for p in joins]),
        max_leaves=3,
    )


def _templates(conditional: bool) -> st.SearchStrategy[str]:
    condition = _conditions(conditional)
    return st.recursive(
        _expressions(conditional),
        lambda c: st.one_of(
            [
                st.lists(c, min_size=1, max_size=3).map("".join),
                _filled("{% if ① %}②{% endif %}", condition, c),
                _filled(
                    "{% for i in ① %}{{ i.n }}{% if i.k is defined %}{{ i.k }}{% endif %}②"
                    "{% endfor %}",
                    LISTS,
                    c,
                ),
                _filled("{% for i in ①|default([]) %}{{ i.o }}②{% endfor %}", LISTS, c),
                _filled("{% set v = ① %}②{% if v is defined %}{{ v }}{% endif %}", PATHS, c),
            ]
            + (
                [_filled("{% if ① %}②{% else %}③{% endif %}", condition, c, c)]
                if conditional
                else []
            )
        ),
        max_leaves=8,
    )


def _data(field: Field, everything: bool) -> Any:
    """Data that satisfies a contract: all that it names, or only what it requires."""
    if field.children or field.kind == "object":
        wanted = {n: c for n, c in field.children.items() if everything or c.required}
        return {"more": 1, **{n: _data(c, everything) for n, c in wanted.items()}}
    if field.kind == "array":
        return [_data(field.item, everything)] if field.item else []
    return 3 if field.kind == "number" else "t"


def _contradictory(field: Field) -> bool:
    """A field that a template uses as two kinds at once, which no data can satisfy."""
    if field.children and (field.item or field.kind not in ("object", "any")):
        return True
    inside = [*field.children.values(), *([field.item] if field.item else [])]
    return any(map(_contradictory, inside))


def _required(field: Field, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    for name, child in field.children.items():
        if child.required:
            yield (*path, name)
        yield from _required(child, (*path, name))
    if field.item:
        yield from _required(field.item, (*path, 0))


def _without(data: Any, path: tuple[Any, ...]) -> Any:
    data = copy.deepcopy(data)
    inner = data
    for part in path[:-1]:
        inner = inner[part]
    del inner[path[-1]]
    return data


def _is_optional(field: Field, path: str) -> bool:
    for part in re.findall(r"[^.\[\]]+", path):
        inner = field.children.get(part)
        if inner is None or not inner.required:
            return True
        field = inner
    return False


PROPERTY = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))


@PROPERTY
@given(_templates(conditional=True))
def test_data_that_satisfies_the_contract_renders_but_for_conditional_fields(source: str) -> None:
    data = read(MACROS + source).data
    if _contradictory(data):
        return
    template = ENVIRONMENT.from_string(MACROS + source)
    everything, least = _data(data, True), _data(data, False)
    assert missing(data, everything) == []
    assert missing(data, least) == []
    try:
        template.render(everything)
        template.render(least)
    except MissingField as error:
        assert _is_optional(data, error.field)
    except (TypeError, WordsError):  # the template prints a list, or the like
        return
    for path in _required(data):
        assert missing(data, _without(everything, path))


@PROPERTY
@given(_templates(conditional=False))
def test_without_other_conditions_required_is_exactly_what_rendering_needs(source: str) -> None:
    data = read(MACROS + source).data
    if _contradictory(data):
        return
    template = ENVIRONMENT.from_string(MACROS + source)
    everything = _data(data, True)
    try:
        template.render(everything)
        template.render(_data(data, False))
        for path in _required(data):
            with pytest.raises(MissingField):
                template.render(_without(everything, path))
    except (TypeError, WordsError):
        return
