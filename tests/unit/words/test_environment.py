"""What rendering refuses, and how it names it."""

from __future__ import annotations

import time
from typing import Any

import jinja2
import pytest
from jinja2.exceptions import SecurityError

from chalicelib.words.environment import MissingField, RenderTooLarge, make_environment

ENVIRONMENT = make_environment(
    jinja2.DictLoader({"shared": "{% macro price(x) %}{{ x|money }} {{ who }}{% endmacro %}"})
)


def render(source: str, **data: Any) -> str:
    return ENVIRONMENT.from_string(source).render(data)


@pytest.mark.parametrize(
    ("source", "data", "field"),
    [
        ("{{ a }}", {}, "a"),
        ("{{ order.total }}", {"order": {}}, "order.total"),
        ("{{ order.total.net }}", {"order": {}}, "order.total"),
        ("{{ order['total'] }}", {"order": {}}, "order.total"),
        ("{{ order.items }}", {"order": {}}, "order.items"),
        ("{{ order.lines[1] }}", {"order": {"lines": [0]}}, "order.lines[1]"),
        ("{% for line in lines %}{{ line.name }}{% endfor %}", {"lines": [{}]}, "line.name"),
        ("{% if order.note %}{% endif %}", {"order": {}}, "order.note"),
        ("{{ order.total|money }}", {"order": {}, "locale": "es"}, "order.total"),
        ("{{ order.note }}", {"order": {"note": None}}, "order.note"),
        ("{{ order.note|default('') }}", {"order": {"note": None}}, "order.note"),
    ],
)
def test_what_is_missing_or_null_is_named_by_its_path(
    source: str, data: dict[str, Any], field: str
) -> None:
    with pytest.raises(MissingField) as caught:
        render(source, **data)
    assert caught.value.field == field


def test_keys_of_data_win_over_methods_and_methods_can_still_be_called() -> None:
    order = {"items": ["x"], "keys": 2}
    assert render("{{ order.items[0] }}{{ order.keys }}", order=order) == "x2"
    assert render("{% for k, v in order.items() %}{{ k }} {% endfor %}", order=order) == (
        "items keys "
    )
    assert render("{{ 'yes' if order.values is defined else 'no' }}", order=order) == "no"


def test_imported_macros_see_the_event_and_its_locale() -> None:
    source = "{% from 'shared' import price %}{{ price(1.5) }}"
    assert render(source, locale="es", who="Ana") == "1,50 € Ana"


ENDLESS = [
    "{% for i in range(10**9) %}x{% endfor %}",
    "{% for i in range(9999) %}{% for j in range(9999) %}x{% endfor %}{% endfor %}",
    "{% for i in range(9999) %}{% for j in range(9999) %}{% if j %}{% endif %}{% endfor %}"
    "{% endfor %}",
    "{% for i in range(9999) %}" + "y" * 9999 + "{% endfor %}",
    "{% for i in range(9999) %}{{ 'x' * 9999 }}{% endfor %}",
    "{% for i in range(9999) recursive %}{{ loop(range(9999)) }}{% endfor %}",
    "{{ 'x' * 10**9 }}",
    "{{ [0] * 10**9 }}",
    "{{ 10**(10**10) }}",
    "{{ 'x'|center(10**9) }}",
    "{{ 'x'.center(10**9) }}",
    "{{ 'x'.ljust(width) }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ '%1000000000d'|format(1) }}",
    "{{ '%*d' % (10**9, 1) }}",
    "{{ '{:>1000000000}'.format(1) }}",
    "{{ '{:>{w}}'.format(1, w=10**9) }}",
    "{{ ('x' * 99999).replace('x', 'y' * 99999) }}",
    "{{ ('x' * 99999)|replace('x', 'y' * 99999) }}",
    "{{ range(9999)|join('y' * 9999) }}",
    "{{ range(9999)|map('center', 99999)|join }}",
    "{{ [1]|batch(10**9, 'x')|list }}",
    "{{ [1]|slice(10**9)|list }}",
    "{{ 5|round(-10**9) }}",
    "{{ {'a': 1}|tojson(10**9) }}",
    "{{ 'a\nb'|indent(10**8) }}",
    "{{ ('a' * 99999)|wordwrap(1, wrapstring='b' * 9999) }}",
    "{% filter center(10**9) %}x{% endfilter %}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}",
    "{% set n = namespace(x='x') %}{% for i in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
    "{% set n = namespace(x='x') %}{% for i in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}",
    "{% set n = namespace(x=[1]) %}{% for i in range(99) %}{% set n.x = [n.x, n.x] %}{% endfor %}",
    "{% set n = namespace(x=3) %}{% for i in range(99) %}{% set n.x = n.x * n.x %}{% endfor %}",
    "{% set n = namespace(x='x') %}{% for i in range(99) %}{% set n.x %}{{ n.x }}{{ n.x }}"
    "{% endset %}{% endfor %}",
    "{% set n = namespace(x=[1]) %}{% for i in range(99) %}{% for b in [n.x]|batch(999, n.x) %}"
    "{% set n.x = b %}{% endfor %}{% endfor %}{{ n.x }}",
]


@pytest.mark.parametrize("source", ENDLESS)
def test_an_endless_loop_or_gigantic_result_is_stopped_at_once_and_named(source: str) -> None:
    started = time.thread_time()
    with pytest.raises(RenderTooLarge) as caught:
        render(source, width=10**9)
    assert str(caught.value)
    assert time.thread_time() - started < 1


def test_a_context_of_its_own_has_a_budget_too() -> None:
    source = "{% for i in range(9999) %}{% for j in range(99) %}x{% endfor %}{% endfor %}"
    template = ENVIRONMENT.from_string(source)
    with pytest.raises(RenderTooLarge):
        "".join(template.root_render_func(template.new_context({})))


def test_every_render_has_the_whole_budget() -> None:
    template = ENVIRONMENT.from_string("{% for i in range(9000) %}x{% endfor %}")
    for _ in range(15):
        assert len(template.render()) == 9000


def test_a_large_order_is_far_from_the_limits() -> None:
    source = "{% for i in items %}{{ i.n|plural('a', 'b') }} {{ i.p|money }}\n{% endfor %}"
    items = [{"n": i, "p": i * 1.5} for i in range(1000)]
    assert render(source, items=items, locale="es").count("\n") == 1000


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__ }}",
        "{{ x.__init__.__globals__ }}",
        "{{ (5).to_bytes(10, 'big') }}",
        "{{ x.append(1) }}",
        "{{ ''['__class__'] }}",
    ],
)
def test_the_sandbox_holds(source: str) -> None:
    with pytest.raises((SecurityError, jinja2.UndefinedError)):
        render(source, x=[])


def test_data_is_never_run_as_a_template() -> None:
    assert render("{{ a }}", a="{{ 7 * 7 }}{% for %}") == "{{ 7 * 7 }}{% for %}"
