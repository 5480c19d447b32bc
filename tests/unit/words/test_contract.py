"""What an event type needs, read from templates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jinja2
import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.words import contract
from chalicelib.words.contract import Field, Reader, merge, to_json_schema
from chalicelib.words.environment import WordsError, make_environment
from chalicelib.words.wording import WRONG
from cli.lint.unknown import every_node, unknown_names
from tests.templates_at_random import ANY_TEMPLATE, MACROS, VALUES, places, put

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
    # a digest has events of its own type
    "{{ digest_count }}{% for one in digest %}{{ one.id }}{{ one.data.a }}{% endfor %}": "(a?:s)",
    "{{ a }}{% for one in digest[:5] %}{{ one.time|date }}{{ one.data.a }}{% endfor %}": "(a!:s)",
    "{{ digest|map(attribute='data.a')|join }}": "(a?:s)",
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
    "{{ a }}{% if a is defined %}{{ b }}{% endif %}": "(a!:s b?:s)",
    # being undefined is an error in a plain if, so that makes nothing optional but what it guards
    "{% if a %}{{ a }}{% endif %}": "(a!:s)",
    "{% if a %}{{ b }}{% endif %}": "(a! b?:s)",
    "{% if a.b %}{{ c }}{% endif %}": "(a!(b!) c?:s)",
    "{% if a == 'x' %}{{ b }}{% endif %}": "(a! b?:s)",
    "{{ 'x' if a else b }}": "(a! b?:s)",
    "{{ a or b }}": "(a!:s b?:s)",
    "{{ a and b }}": "(a!:s b?:s)",
    "{% if a is none %}-{% else %}{{ a }}{% endif %}": "(a?:s)",
    "{% if a == none %}-{% else %}{{ a.b }}{% endif %}": "(a!(b!:s))",
    # what every branch needs is not looked for: rendering tells
    "{% if a %}{{ b }}{% else %}{{ b }}{% endif %}": "(a! b?:s)",
    "{% if a %}{{ b }}{% elif c %}{{ b }}{% else %}{{ b }}{% endif %}": "(a! b?:s c?)",
    "{% if a %}{{ b }}{% elif c %}{{ b }}{% endif %}": "(a! b?:s c?)",
    "{{ b.x if a else b.y }}": "(a! b?(x?:s y?:s))",
    # loops
    "{% for i in a %}{{ i }}{% endfor %}": "(a![:s])",
    "{% for i in a.items %}{{ i.name }}{% endfor %}": "(a!(items![(name!:s)]))",
    "{% for i in a %}{{ i.b|default('') }}{% endfor %}": "(a![(b?:s)])",
    "{% for i in a %}{% for j in i.b %}{{ j.c }}{% endfor %}{% endfor %}": "(a![(b![(c!:s)])])",
    # an empty list needs nothing of what its loop says beside the items
    "{% for i in a %}{{ loop.index }}{{ b }}{% endfor %}": "(a![] b?:s)",
    "{% for i in a if i.ok %}{{ i.b }}{% endfor %}": "(a![(b?:s ok!)])",
    "{% for i in a %}{{ i }}{% else %}{{ b }}{% endfor %}": "(a![:s] b?:s)",
    "{% for i in a|default([]) %}{{ i.b }}{% endfor %}": "(a?[(b!:s)])",
    "{% if a %}{% for i in a %}{{ i.b }}{% endfor %}{% endif %}": "(a![(b!:s)])",
    "{% for k, v in a.items() %}{{ k }}{% endfor %}": "(a!)",
    "{% for k, v in a|dictsort %}{{ v }}{% endfor %}": "(a!)",
    "{% for x in [a, b.c] %}{{ x }}{% endfor %}": "(a!:s b!(c!:s))",
    "{% for i in range(3) %}{{ a }}{% endfor %}": "(a?:s)",
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
    "{% for i in a|sort(attribute='b') %}{{ i.c }}{% endfor %}": "(a![(b? c!:s)])",
    "{% for i in a|sort(attribute='b,d') %}{{ i.c }}{% endfor %}": "(a![(b? c!:s d?)])",
    "{{ a|join(', ', 'b') }}": "(a![(b!:s)])",
    "{{ a|map(attribute='b', default='-')|join }}": "(a![(b?)])",
    "{{ a|rejectattr('b', 'none')|map(attribute='b')|join }}": "(a![(b?:s)])",
    "{% set x = a|map(attribute='b') %}": "(a?)",
    "{% if a|select %}{{ b }}{% endif %}": "(a? b!:s)",
    "{% for i in a[:3] %}{{ i.b }}{% endfor %}": "(a![(b!:s)])",
    "{% for g in a|groupby('b') %}{{ g.grouper }}{% for i in g.list %}{{ i.c }}{% endfor %}"
    "{% endfor %}": "(a![(b? c!:s)])",
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
    "{% if a is string %}{{ a }}{% else %}{{ a.b }}{% endif %}": "(a?(b?:s))",
    "{{ a[:8] }}{{ b[0] }}": "(a![] b![:s])",
    "{% if a.count('x') %}{% endif %}": "(a![])",
    "{% for k in a %}{{ a[k] }}{% endfor %}": "(a![])",
    "{% autoescape true %}{{ a }}{% endautoescape %}": "(a!:s)",
    # names that are no fields
    "{{ locale }}{{ event.type }}": "",
    "{% set x = 1 %}{{ x }}": "",
    "{% set x %}{{ a }}{% endset %}{{ x }}": "(a!:s)",
    "{% set x = a %}{{ x.b }}": "(a!(b!:s))",
    "{% with x = a %}{{ x }}{% endwith %}": "(a!:s)",
    "{% set x = b if a else c %}{{ x }}": "(a! b?:s c?:s)",
    "{% if a %}{% set x = b %}{% else %}{% set x = c %}{% endif %}{{ x }}": "(a! b?:s c?:s)",
    "{% set n = namespace(t=0) %}{% for i in a %}{% set n.t = n.t + i.p %}{% endfor %}{{ n.t }}": (
        "(a![(p!:n)])"
    ),
    "{% filter upper %}{{ a }}{% endfilter %}": "(a!:s)",
    "{{ cycler('x', 'y').next() }}{{ dict(a=b) }}": "(b?)",
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
    "{% call(i) m(a) %}{{ i.b }}{{ c }}{% endcall %}": "(a![(b!:s)] c?:s)",
    "{% macro m(p) %}{{ p.n }}{% if p.k is defined %}{{ m(p.k) }}{% endif %}{% endmacro %}"
    "{{ m(a) }}": "(a!(k?(k? n!:s) n!:s))",
    # other files
    "{% from 'lines' import line %}{% for i in a %}{{ line(i) }}{% endfor %}": "(a![(name!:s)])",
    "{% import 'lines' as l %}{{ l.line(a, b) }}{{ l.footer() }}": "(a!(name!:s) b?:s legal!:s)",
    "{% for item in a %}{% include 'part' %}{% endfor %}": "(a![(inc!:s)] inner?:s)",
    "{% include 'gone' ignore missing %}{{ a }}": "(a!:s)",
    "{% include ['gone', 'part'] %}": "(inner!:s item!(inc!:s))",
    "{% extends 'layout' %}{% block body %}{{ a }}{% endblock %}": "(a!:s shop!:s)",
    "{% extends 'layout' %}{% block body %}{{ super() }}{% endblock %}": "(shop!:s unseen!:s)",
    "{% extends 'layout' %}{{ lost }}": "(shop!:s unseen!:s)",
    "{% extends 'sets' %}{% block subject %}{{ brand }}{{ url }}{% endblock %}": "(base!:s)",
    "{% extends 'la' ~ 'yout' %}": "(shop!:s unseen!:s)",
    "{% set x = a %}{% block subject %}{{ x }}{% endblock %}": "(a!:s)",
    "{% block subject %}{{ a }}{% endblock %}{% block sms %}{{ b }}{% endblock %}": "(a!:s b!:s)",
    # without a layout a block is said on its own as well, where no loop gives it an item
    "{% for i in a %}{% block body scoped %}{{ i.b }}{% endblock %}{% endfor %}": (
        "(a![(b!:s)] i!(b!:s))"
    ),
    "{% block aside %}{{ a }}{% endblock %}{% extends 'keeps' %}": "(kept!:s)",
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
        Reader(ENVIRONMENT, files.__getitem__).needs("t/es.j2")
    assert (caught.value.name, caught.value.lineno) == ("broken", 2)


def test_macros_and_files_that_call_themselves_end() -> None:
    assert told(read("{% macro m(p) %}{{ p }}{{ m(p) }}{% endmacro %}{{ m(a) }}").data) == "(a!:s)"
    assert told(read("{{ a }}{% include 'a.type/es.j2' %}").data) == "(a!:s)"


# -- the schema ------------------------------------------------------------------------------------

NOTHING = [None, False, 0, "", [], {}]


@pytest.mark.parametrize(
    ("source", "good", "bad"),
    [
        ("{{ x }}", ["", "a", 7, 1.5], [None, True, [], {}]),
        ("{{ x|date }}", ["2026-12-03", "2026-12-03 18:30", 1763820786], ["3/12/2026", "", None]),
        ("{{ x|datetime }}", ["2026-12-03T18:30:00+01:00", "2026-12-03t18:30:00z"], ["2026-12-03"]),
        ("{{ x|link }}", ["https://abedul.example/p?x=1"], ["abedul.example", "javascript:a", 7]),
        ("{{ 1|money(x) }}", ["EUR", "XYZ"], ["eur", "EURO", "€", 978]),
        ("{{ x|money }}", [19.9, "19.90", "0.30000000000000004"], [10**15, "1e3", "", True, None]),
        ("{{ x - 1 }}", [1, 0.5, True], ["2", None]),
        ("{{ x * 2 }}", [1, "2", [1]], []),  # a text can be doubled
        ("{% for i in x %}{{ i.n }}{% endfor %}", [[], [{"n": 1}], "", {}], [None, 3, "a", [{}], {"a": 1}]),
        ("{% for i in x %}{{ i }}{% endfor %}", [["a"], "abc", {"a": 1}], [3, [None]]),
        ("{% if x %}{{ x.n }}{% endif %}", [*NOTHING, {"n": 1}], [{"m": 1}, "a", 7]),
        ("{% if x %}{{ x|date }}{% endif %}", [*NOTHING, "2026-12-03"], ["ayer", [1]]),
        ("{% if x is defined %}{{ x.n }}{% endif %}", [{"n": 1}], [None, {}]),
        ("{{ x.n|default('') }}", [None, {}, {"n": "a"}, "a"], [{"n": None}]),
        ("{% if y == 1 %}{{ x|date }}{% endif %}", ["ayer", None, 7], []),  # in a branch not taken
        ("{{ x[:8] }}", ["abc"], [None, 7]),
        ("{{ [x]|select|join }}", [*NOTHING, "a"], [["a"]]),
    ],
)  # fmt: skip
def test_the_schema_lets_through_what_renders(
    source: str, good: list[object], bad: list[object]
) -> None:
    schema = jsonschema_rs.validator_for(to_json_schema(read(source).data))
    assert [value for value in good if not schema.is_valid({"x": value, "y": 0})] == []
    assert [value for value in bad if schema.is_valid({"x": value, "y": 0})] == []


def test_what_is_asked_in_some_branch_only_is_described() -> None:
    source = "{% if y %}{{ x|money }}{% endif %}{% if x2.count('a') %}{{ z|link }}{% endif %}"
    properties = to_json_schema(read(source).data)["properties"]
    assert properties["x"] == {"description": "a number, where it is used"}
    assert properties["z"] == {"description": "a text, where it is used"}


# -- locales ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("es", "en", "expected", "disagreements"),
    [
        ("{{ a }}", "{{ a }}", "(a!:s)", []),
        # An event may go out in one locale alone.
        ("{{ a.b }}", "{{ a.b }}{{ a.url }}", "(a!(b!:s url?:s))", [
            "en.j2 needs a.url, es.j2 does not"]),
        ("{{ a }}", "{{ a|default('') }}", "(a?:s)", [
            "es.j2 needs a, en.j2 does without it where it is not given"]),
        ("{{ a }}", "{{ a }}{{ b|default('') }}", "(a!:s b?:s)", [
            "en.j2 can show b, es.j2 does not"]),
        ("{{ a|money }}", "{{ a }}", "(a!:n)", []),
        ("{{ a|money }}", "{{ a|join }}", "(a![:s])", [
            "a is used by es.j2 as a number, by en.j2 as a list"]),
        ("{% for i in a %}{{ i.b }}{% endfor %}", "{% for i in a %}{{ i.c }}{% endfor %}",
         "(a![(b?:s c?:s)])", ["es.j2 needs a[].b, en.j2 does not",
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


def _example(field: Field) -> Any:
    """A value that goes with all that a contract names."""
    if field.children or field.kind == "object":
        return {"more": 1} | {name: _example(child) for name, child in field.children.items()}
    if field.kind == "array":
        return [_example(field.item)] if field.item else []
    if "date" in field.sure or "datetime" in field.sure:
        return "2026-12-03T18:30:00Z"
    of_its_own = {"link": "https://a.example", "currency": "EUR"}
    return next((v for d, v in of_its_own.items() if d in field.sure), 3)


def _renders(source: str, data: dict[str, Any]) -> bool:
    try:
        ENVIRONMENT.from_string(source).render({**data, "locale": "es"})
    except (WordsError, jinja2.TemplateError, *WRONG):
        return False
    return True


PROPERTY = settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))


@PROPERTY
@given(ANY_TEMPLATE, st.data())
def test_whatever_renders_is_accepted_by_the_schema(source: str, draw: st.DataObject) -> None:
    source = MACROS + source
    field = read(source).data
    schema = jsonschema_rs.validator_for(to_json_schema(field))
    data: Any = _example(field)
    for _ in range(draw.draw(st.integers(0, 3))):
        there = list(places(data))
        if there:
            value = draw.draw(st.one_of(st.just(...), VALUES))
            data = put(data, draw.draw(st.sampled_from(there)), value)
    if _renders(source, data):
        assert schema.is_valid(data), (source.removeprefix(MACROS), data, schema)


def _required(field: Field, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    for name, child in field.children.items():
        if child.required:
            yield (*path, name)
        yield from _required(child, (*path, name))
    if field.item:
        yield from _required(field.item, (*path, 0))


@PROPERTY
@given(ANY_TEMPLATE)
def test_what_is_required_is_needed(source: str) -> None:
    source = MACROS + source
    field = read(source).data
    data = _example(field)
    if _renders(source, data):
        for path in _required(field):
            assert not _renders(source, put(data, path, ...))


def test_an_audience_s_own_words_require_nothing_of_everybody() -> None:
    ours = Field("", children={"a": Field("a", required=True), "b": Field("b")})
    theirs = Field("", children={"b": Field("b", required=True), "c": Field("c", required=True)})
    merged, disagreements = merge({"es": ours, "en": ours, "company.es": theirs})
    assert {name: child.required for name, child in merged.children.items()} == {
        "a": True,
        "b": False,
        "c": False,
    }
    assert disagreements == []
