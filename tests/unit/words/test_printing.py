"""Rendering prints texts and numbers, and refuses what else there is, in an author's words."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import jinja2
import pytest

from chalicelib.words.environment import MissingField, WordsError, make_environment

ENVIRONMENT = make_environment(jinja2.DictLoader({"m": "{% macro f() %}x{% endmacro %}"}))
DATA: dict[str, Any] = {
    "none": None,
    "no": None,
    "yes": True,
    "text": "Ana",
    "number": 7,
    "list": ["a", None],
    "texts": ["a", 2, 0.5],
    "rows": [{"v": "a"}, {"v": None}],
    "object": {"a": 1},
    "nan": float("nan"),
    "inf": float("inf"),
    "locale": "es",
}


def render(source: str) -> str:
    return ENVIRONMENT.from_string(source).render(DATA)


REFUSED = {
    # null, by whatever way it would be printed
    "{{ none }}": "is null",
    "{{ no }}": "'no' is null",
    "{{ object.get('b') }}": "'object.b' is null",
    "{{ no|upper }}": "upper expects a text, not null",
    "{{ no|string }}": "not null",
    "{{ no|trim }}": "not null",
    "{{ no|e }}": "not null",
    "{{ no|safe }}": "not null",
    "{{ no|title }}": "not null",
    "{{ no|truncate(3) }}": "not null",
    "{{ no|wordcount }}": "not null",
    "{{ no|urlencode }}": "not null",
    "{{ no|indent }}": "not null",
    "{{ no|center(9) }}": "not null",
    "{{ no|replace('a', 'b') }}": "not null",
    "{{ 'a'|replace('a', no) }}": "replace expects a text, not null",
    "{{ 'a' ~ no }}": "~ joins texts and numbers, and one is null",
    "{{ none ~ 'a' }}": "one is null",
    "{{ ('a' ~ none)|upper }}": "one is null",
    "{{ [none]|join }}": "join expects a list of texts, and one is null",
    "{{ list|join(', ') }}": "one is null",
    "{{ texts|join(no) }}": "not null",
    "{{ rows|join(', ', 'v') }}": "one is null",
    "{{ rows|map(attribute='v')|join }}": "one is null",
    "{{ list|map('upper')|join }}": "not null",
    "{{ list|listed }}": "listed expects a list of texts, and one is null",
    "{{ '%s'|format(no) }}": "format expects texts and numbers, and one is null",
    "{{ '%s' % no }}": "one is null",
    "{{ '%s %s' % (text, no) }}": "one is null",
    "{{ '%(a)s' % {'a': no} }}": "one is null",
    "{{ '%(a)s'|format(a=no) }}": "one is null",
    "{{ '{}'.format(no) }}": "one is null",
    "{{ '{a}'.format(a=no) }}": "one is null",
    "{{ '{0[b]}'.format({'b': no}) }}": "one is null",
    "{{ '{!r}'.format(no) }}": "one is null",
    "{{ '{a}'.format_map({'a': no}) }}": "one is null",
    "{{ {'q': no}|urlencode }}": "one is null",
    "{{ rows|last|attr('v') }}": "",
    "{% set x = no %}{{ x }}": "'x' is null",
    "{% macro f(x) %}{{ x }}{% endmacro %}{{ f(no) }}": "'x' is null",
    # true and false
    "{{ true }}": "true or false",
    "{{ yes }}": "yes is true or false: write {{",
    "{{ not yes }}": "true or false",
    "{{ 1 == 2 }}": "true or false",
    "{{ 'a' in texts }}": "true or false",
    "{{ yes|string }}": "string expects a text, not true or false",
    "{{ yes|lower }}": "not true or false",
    "{{ 'a' ~ yes }}": "one is true or false",
    "{{ [yes]|join }}": "one is true or false",
    "{{ '%s'|format(yes) }}": "one is true or false",
    "{% for x in [1] %}{{ loop.first }}{% endfor %}": "loop.first is true or false",
    # lists and objects
    "{{ object }}": "object is an object: print one of its fields",
    "{{ list }}": "list is a list: write |listed",
    "{{ (1, 2) }}": "a list",
    "{{ range(3) }}": "a list",
    "{{ [object]|join }}": "one is an object",
    "{{ object|upper }}": "not an object",
    "{{ 'a' ~ list }}": "one is a list",
    "{{ '%s' % [list] }}": "one is a list",
    "{{ '%s' % object }}": "one is an object",
    "{{ '{}'.format(list) }}": "one is a list",
    "{{ texts|sort }}": "",
    "{{ texts|list }}": "a list",
    "{{ object|dictsort }}": "a list",
    "{{ event }}": "",
    # what gives its items one by one
    "{{ rows|map(attribute='v') }}": "rows is a list: write |listed or |join",
    "{{ texts|select }}": "a list",
    "{{ texts|reject }}": "a list",
    "{{ texts|batch(2) }}": "a list",
    "{{ texts|slice(2) }}": "a list",
    "{{ texts|unique }}": "a list",
    "{{ texts|reverse }}": "a list",
    "{{ object|items }}": "a list",
    "{{ object.keys() }}": "a list",
    "{{ object.values() }}": "a list",
    # what is to be called
    "{{ dict }}": "dict is a function: call it",
    "{{ range }}": "a function",
    "{{ text.upper }}": "text.upper is a function: call it",
    "{{ texts.count }}": "a function",
    "{{ cycler('a', 'b') }}": "a function",
    "{{ joiner }}": "a function",
    "{% macro f() %}x{% endmacro %}{{ f }}": "f is a macro: call it",
    "{% macro f() %}{{ caller }}{% endmacro %}{% call f() %}x{% endcall %}": "caller is a macro",
    "{% import 'm' as m %}{{ m }}": "m is an imported file",
    "{% import 'm' as m %}{{ m.f }}": "m.f is a macro",
    "{% block body %}{% endblock %}{{ self }}": "self is a block",
    "{% block body %}{% endblock %}{{ self.body }}": "self.body is a block",
    "{% for x in [1] %}{{ loop }}{% endfor %}": "loop is the loop itself",
    "{{ namespace() }}": "a namespace",
    # what is no number
    "{{ nan }}": "nan is no finite number",
    "{{ inf }}": "no finite number",
    "{{ 1e999 }}": "no finite number",
    "{{ 1e308 * 10 }}": "no finite number",
    "{{ 'x' ~ inf }}": "no finite number",
    # what is not there
    "{{ gone }}": "'gone' is undefined",
    "{{ gone|upper }}": "'gone' is undefined",
    "{{ 'a' ~ gone }}": "'gone' is undefined",
    "{{ [gone]|join }}": "'gone' is undefined",
    "{{ object.keys }}": "'object.keys' is undefined",
    "{{ texts[5] }}": "'texts[5]' is undefined",
}  # fmt: skip


@pytest.mark.parametrize("source", REFUSED)
def test_what_is_no_text_is_refused(source: str) -> None:
    with pytest.raises((WordsError, MissingField, jinja2.UndefinedError)) as caught:
        render(source)
    assert REFUSED[source] in str(caught.value)


PRINTED = {
    "{{ text }} {{ number }} {{ '' }}": "Ana 7 ",
    "{{ text if yes }}{{ text if no }}": "Ana",
    "{{ ('a' if no)|upper }}{{ ('a' if no) ~ 'b' }}": "b",
    "{{ texts|join('-') }} {{ texts|listed }}": "a-2-0.5 a, 2 y 0.5",
    "{{ rows|map(attribute='v')|select|join }}": "a",
    "{{ rows|rejectattr('v', 'none')|join('', 'v') }}": "a",
    "{{ [text, no]|select|join(', ') }}": "Ana",
    "{{ no|default('-', true) }} {{ no or '-' }} {{ gone|default('-') }}": "- - -",
    "{{ 5|upper }} {{ 1.5|replace('.', ',') }} {{ 'a'|center(3) }}.": "5 1,5  a .",
    "{{ '%s: %d, %.2f'|format(text, number, 1.5) }}": "Ana: 7, 1.50",
    "{{ '%s' % text }} {{ '%(a)s' % {'a': 1, 'b': no} }}": "Ana 1",
    "{{ '{} {:.1f} {a}'.format(text, 2.25, a='z') }}": "Ana 2.2 z",
    "{{ no|tojson }} {{ yes|tojson }} {{ rows|tojson }}": 'null true [{"v": "a"}, {"v": null}]',
    "{{ no|int }} {{ yes|int }}": "0 1",
    "{{ {'a': 1, 'b': text}|urlencode }} {{ 'a b'|urlencode }}": "a=1&b=Ana a%20b",
    "{{ {'a': 1, 'b': none}|xmlattr }}": ' a="1"',
    "{{ texts|length }} {{ texts|first }} {{ object.a }} {{ object['a'] }}": "3 a 1 1",
    "{% for k in object %}{{ k }}{{ object[k] }}{% endfor %}": "a1",
    "{% for k, v in object|items %}{{ k }}{{ v }}{% endfor %}": "a1",
    "{% for x in texts %}{{ loop.index }}{{ loop.cycle('x', 'y') }}{% endfor %}": "1x2y3x",
    "{{ text[:2] }} {{ text[0] }} {{ texts.count('a') }} {{ text.upper() }}": "An A 1 ANA",
    "{% import 'm' as m %}{{ m.f() }}": "x",
    "{% set j = joiner(', ') %}{% for x in texts %}{{ j() }}{{ x }}{% endfor %}": "a, 2, 0.5",
    "{% set n = namespace(t=0) %}{% for x in [1, 2] %}{% set n.t = n.t + x %}{% endfor %}"
    "{{ n.t }}": "3",
    "{% filter upper %}{{ text }}{% endfilter %}": "ANA",
    "{% autoescape true %}{{ '<' ~ text }}{{ '<b>'|safe }}{% endautoescape %}<": "&lt;Ana<b><",
    "{% if yes and not no and texts and object %}x{% endif %}": "x",
    # numbers as people write them
    "{{ 0.1 + 0.2 }} {{ 1.1 * 3 }} {{ 19.99 * 3 }}": "0.3 3.3 59.97",
    "{{ 1e22 }} {{ 1e-7 }} {{ 2.0 }} {{ 119.85 }}": "10000000000000000000000 0.0000001 2.0 119.85",
    "{{ 'x' ~ (0.1 + 0.2) }} {{ [1e22]|join }}": "x0.3 10000000000000000000000",
}  # fmt: skip


@pytest.mark.parametrize("source", PRINTED)
def test_what_is_text_is_printed_as_it_is(source: str) -> None:
    assert render(source) == PRINTED[source]


def test_a_decimal_is_printed_without_an_exponent() -> None:
    source = ENVIRONMENT.from_string("{{ x }}")
    assert source.render(x=Decimal("1E+5")) == "100000"


MISUSED = {
    "{{ 1|plural }}": "plural needs one and many: write plural(one, many)",
    "{{ 1|plural('a') }}": "plural needs many: write plural(one, many)",
    "{{ 1|plural('a', 'b', 'c', 'd') }}": "plural is given too much: write plural(one, many, zero, two, few, other)",
    "{{ 1|money(curency='EUR') }}": "money has no option 'curency'; did you mean currency?",
    "{{ 1|money('EUR', currency='USD') }}": "money is given currency twice",
    "{{ text|link(1) }}": "link is given too much: it takes nothing in brackets",
    "{{ text|truncate('a') }}": "truncate: a text and a number cannot be added",
    "{{ text|center('a') }}": "center: a whole number is needed, not a text",
    "{{ text|round }}": "round: a number is needed, and here is a text",
    "{{ text|abs }}": "abs: a number is needed, and here is a text",
    "{{ number|length }}": "length: a number has no length",
    "{{ number|first }}": "first: a list is needed, and here is a number",
    "{{ [1, 'a']|sort|join }}": "sort: a text and a number cannot be sorted or compared",
    "{{ texts|sum }}": "sum: a number and a text cannot be computed with",
    "{{ number|date('short', 1) }}": "date is given too much: write date(style)",
    "{{ text + 1 }}": "a text and a number cannot be added: join texts with ~",
    "{{ 1 + text }}": "a number and a text cannot be added: join texts with ~",
    "{{ 1 + no }}": "a number and null cannot be added",
    "{{ text - 1 }}": "a text and a number cannot be subtracted",
    "{{ text / 2 }}": "a text and a number cannot be divided",
    "{{ object * 2 }}": "an object and a number cannot be multiplied",
    "{{ -text }}": "- expects a number, not a text",
    "{{ 1 / 0 }}": "divides by zero",
    "{{ 1 // 0 }}": "divides by zero",
    "{{ 1 % 0 }}": "divides by zero",
    "{{ '%d' % text }}": "the pattern writes a",
    "{{ '%s %s' % text }}": "the pattern has more places than values",
    "{{ '%s' % (1, 2) }}": "the pattern has fewer places than values",
    "{{ '%y' % 1 }}": "the pattern is not one of Python's",
    "{{ '{} {}'.format(1) }}": "the pattern has more places than values",
    "{{ '{a}'.format(1) }}": "the pattern names a value that it is not given",
    "{{ ', '.join(texts) }}": "join() takes texts alone, and one is a number",
    "{{ range('a')|join }}": "range: a whole number is needed, not a text",
    "{{ range()|join }}": "range expected at least 1 argument",
    "{{ number() }}": "a number is neither a macro nor a function",
    "{% macro f(a, b) %}{{ a }}{% endmacro %}{{ f(1, 2, 3) }}": "f is given too much: write f(a, b)",
    "{% macro f(a, b) %}{{ a }}{% endmacro %}{{ f(1, c=2) }}": "f has no option 'c': write f(a, b)",
    "{% macro f(a, b) %}{{ a }}{{ b }}{% endmacro %}{{ f(1) }}": "parameter 'b' was not provided",
    "{% macro f(a) %}{{ a|money }}{% endmacro %}{{ f('x') }}": "money expects a number",
    "{{ texts|map('upper', 1)|join }}": "upper is given too much: it takes nothing in brackets",
}  # fmt: skip


@pytest.mark.parametrize("source", MISUSED)
def test_a_wrong_call_or_operation_is_told_in_an_authors_words(source: str) -> None:
    with pytest.raises((WordsError, jinja2.TemplateRuntimeError)) as caught:
        render(source)
    said = str(caught.value)
    assert MISUSED[source] in said
    for python in ("argument", "NoneType", "str", "int", "object", "positional", "Error", "dict"):
        if python not in MISUSED[source]:
            assert python not in said.replace("an object", "")
