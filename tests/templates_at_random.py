"""Templates and data at random, for what holds of any."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

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


_OF_ONE = (
    "{{ ① }}", "{{ ①|default('d') }}", "{{ ①|default('d', true) }}", "{{ ①|upper }}",
    "{{ '-' ~ ① }}", "{{ ① if ① is defined else 'n' }}", "{{ ① if ① }}", "{{ ① or 'n' }}",
    "{% set v = ① %}{{ v|default('d') }}", "{{ show(①) }}", "{{ maybe(①) }}",
    "{% if ① %}{{ ① }}{% endif %}", "{% if ① %}{{ ①.w }}{% endif %}", "{{ ①.w|default('d') }}",
    "{% if ①|default(none) %}{{ ①.w }}{% endif %}", "{% if ① is not none %}{{ ① }}{% endif %}",
    "{{ ①|money }}", "{{ 1|money(①) }}", "{{ ①|date }}", "{{ ①|datetime }}", "{{ ①|link }}",
    "{{ ①|plural('x', 'y') }}", "{{ ①|truncate(3) }}", "{{ ①|length }}", "{{ ①[:2] }}",
    "{{ ①[0] }}", "{{ ①.upper() }}", "{{ ①.get('w', '-') }}", "{{ ①|tojson }}", "{{ ①|int }}",
    "{{ ① + 1 }}", "{{ ① - 1 }}", "{{ ① * 2 }}", "{{ -① }}", "{{ '%s' % ① }}", "{{ '%s'|format(①) }}",
    "{{ '{}'.format(①) }}", "{% if ① > 1 %}x{% endif %}", "{% if ① == 'x' %}x{% endif %}",
    "{% if ① is string %}{{ ① }}{% endif %}", "{% if ① is gt(1) %}x{% endif %}", "{{ ①|round }}",
    "{{ ①|abs }}", "{{ ①|urlencode }}", "{{ 'x'|replace('x', ①) }}", "{{ {'k': ①}.k }}",
    "{% if ①.count('x') %}x{% endif %}", "{% if 'x' in ① %}x{% endif %}", "{{ dict(k=①)|length }}",
)  # fmt: skip
_OF_LIST = (
    "{{ ①|map(attribute='n')|join }}", "{{ ①|map(attribute='n', default='-')|join }}",
    "{{ ①|selectattr('k', 'defined')|map(attribute='k')|join }}", "{{ ①|select|join }}",
    "{{ ①|rejectattr('n', 'none')|map(attribute='n')|join }}", "{{ ①|selectattr('n')|list|length }}",
    "{{ ①|join(', ', 'n') }}", "{{ ①|listed }}", "{{ ①|join(', ') }}", "{{ ①|sum(attribute='n') }}",
    "{{ (①|first).n }}", "{{ ①[0].n }}", "{{ ①|sort(attribute='n,k')|map(attribute='n')|join }}",
    "{{ ①|map('upper')|join }}", "{% if ①|select %}x{% endif %}", "{{ ①|length }}",
    "{% for g, i in ①|groupby('n') %}{{ g }}{% endfor %}", "{% for k in ① %}{{ k }}{% endfor %}",
    "{% for k, v in ①|items %}{{ k }}{{ v }}{% endfor %}", "{% for k, v in ① %}{{ v }}{% endfor %}",
    "{% for k, v in ①.items() %}{{ v }}{% endfor %}", "{% for i in ①[:2] %}{{ i.n }}{% endfor %}",
    "{% for i in ①|unique %}{{ i }}{% endfor %}", "{% for r in ①|batch(2) %}{{ r|length }}{% endfor %}",
    "{% for k, v in ①|dictsort %}{{ v }}{% endfor %}", "{{ ①|max }}", "{{ (① or [])|length }}",
)  # fmt: skip
_OF_TWO = (
    "{{ ①|default(②) }}", "{{ ② if ① is defined else 'n' }}", "{{ ① or ② }}", "{{ ① and ② }}",
    "{{ ① if ① is defined else ② }}", "{% set v = ① %}{{ v|default(②) }}", "{{ ① + ② }}",
    "{{ [①, ②]|join }}", "{{ [①, ②]|select|join }}", "{% if ① > ② %}x{% endif %}",
    "{{ ①|replace(①, ②) }}", "{{ (① or ②).w }}",
)  # fmt: skip
_SIMPLE = (
    "①", "① is defined", "①|default(false)", "① == 't'", "①|length > 3", "① is not defined",
    "① is none", "① is mapping",
)  # fmt: skip

EXPRESSIONS = st.one_of(
    [_filled(p, PATHS) for p in _OF_ONE]
    + [_filled(p, LISTS) for p in _OF_LIST]
    + [_filled(p, PATHS, PATHS) for p in _OF_TWO]
)
CONDITIONS = st.recursive(
    st.one_of([_filled(p, PATHS) for p in _SIMPLE]),
    lambda c: st.one_of([_filled(p, c, c) for p in ("(① and ②)", "(① or ②)", "not (①)")]),
    max_leaves=3,
)
ANY_TEMPLATE = st.recursive(
    EXPRESSIONS,
    lambda c: st.one_of(
        [
            st.lists(c, min_size=1, max_size=3).map("".join),
            _filled("{% if ① %}②{% endif %}", CONDITIONS, c),
            _filled("{% if ① %}②{% else %}③{% endif %}", CONDITIONS, c, c),
            _filled("{% for i in ① %}{{ i.n }}②{% endfor %}", LISTS, c),
            _filled("{% for i in ①|default([]) %}{{ i.o }}②{% endfor %}", LISTS, c),
            _filled(
                "{% for i in ① %}{% if i.k is defined %}{{ i.k }}{% endif %}②{% endfor %}", LISTS, c
            ),
            _filled("{% set v = ① %}②{% if v is defined %}{{ v }}{% endif %}", PATHS, c),
        ]
    ),
    max_leaves=6,
)
_SCALARS = (
    *(
        None,
        True,
        False,
        0,
        2,
        -1.5,
        10**16,
        "",
        "t",
        "19.9",
        "2026-12-03",
        "2026-12-03 18:30",
        "EUR",
    ),
    *("https://a.example/x", 1763820786, [], {}, ["t"], [None], {"w": "t"}, [{"n": 1}], [["t", 2]]),
)
_NAMES = st.sampled_from(["x", "y", "z", "l", "w", "n", "k", "o"])
VALUES = st.recursive(
    st.sampled_from(_SCALARS),
    lambda v: st.one_of(st.lists(v, max_size=2), st.dictionaries(_NAMES, v, max_size=3)),
    max_leaves=4,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    parts = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for name, part in parts:
        yield (*path, name)
        yield from places(part, (*path, name))


def put(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    """The data with another value in one place; without any for `...`."""
    data = copy.deepcopy(data)
    inner = data
    for part in path[:-1]:
        inner = inner[part]
    if value is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return data
