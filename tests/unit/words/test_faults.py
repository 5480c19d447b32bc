"""What is wrong with an event is told by its fields, all at once, whatever the template calls them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.events.event import parse
from chalicelib.words.render import RenderError, Templates
from tests.templates_at_random import ANY_TEMPLATE, MACROS, VALUES

BEGIN, END = "{% block subject %}S{% endblock %}\n{% block body %}", "{% endblock %}"


def faults(
    folder: Path, body: str, data: dict[str, Any], files: dict[str, str] | None = None
) -> list[str]:
    """What is told of an event, as `field problem (template:line)`."""
    for name, text in {"a.b/es.j2": BEGIN + body + END, **(files or {})}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    with pytest.raises(RenderError) as caught:
        Templates(folder).render(parse({"type": "a.b", "data": data}))
    return [f"{f.field} {f.problem} ({f.place})" for f in caught.value.faults]


TOLD: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "all that is missing, with what is missing inside of it": (
        "{{ a.b }}{{ a.c|money }}{{ d }}\n{{ e.f }}{{ a.g|default('') }}",
        {"e": {}},
        ["data.a is missing: b, c (a.b/es.j2:2)", "data.d is missing (a.b/es.j2:2)",
         "data.e.f is missing (a.b/es.j2:3)"],
    ),
    "what is null, under whatever filter": (
        "{{ a }}{{ b|upper }}{{ c|money }}{{ '-' ~ d }}{{ [e]|join }}{{ f.g }}",
        dict.fromkeys("abcdef"),
        [f"data.{n} is null (a.b/es.j2:2)" for n in "abcde"] + ["data.f is null (a.b/es.j2:2)"],
    ),
    "items of lists by their number, however they are got at": (
        "{% for i in l %}{{ i.n }}{% endfor %}{{ m|map(attribute='n')|join }}{{ t|join }}"
        "{% for k, v in p %}{{ v }}{% endfor %}",
        {"l": [{"n": 1}, {}], "m": [{"n": None}], "t": ["a", None], "p": [["a", None]]},
        ["data.l[1].n is missing (a.b/es.j2:2)", "data.m[0].n is null (a.b/es.j2:2)",
         "data.t[1] is null (a.b/es.j2:2)", "data.p[0][1] is null (a.b/es.j2:2)"],
    ),
    "a value by what it was before it was set, passed and looped over": (
        "{% macro m(x) %}{{ x }}{% endmacro %}{% set s = a.b %}{{ m(s) }}"
        "{% for k, v in a.items() %}{{ v if k == 'c' }}{% endfor %}",
        {"a": {"b": None, "c": []}},
        ["data.a.b is null (a.b/es.j2:2)",
         "data.a.c is a list: write |listed, or loop over it with {% for %} (a.b/es.j2:2)"],
    ),
    "what is missing in every turn of a loop": (
        "{% for i in l %}{{ i.n }}{{ gone }}{% endfor %}",
        {"l": [{}, {}]},
        ["data.l[0].n is missing (a.b/es.j2:2)", "data.gone is missing (a.b/es.j2:2)",
         "data.l[1].n is missing (a.b/es.j2:2)"],
    ),
    "a text where an object should be": (
        "{{ a.b }}", {"a": "x"}, ["data.a must be an object, not a text (a.b/es.j2:2)"],
    ),
    "an attribute of the event": (
        "{{ event.recipient }}", {}, ["recipient is missing (a.b/es.j2:2)"],
    ),
    "the template's own mistakes beside the data's": (
        "{{ 1|plural }}{{ a }}{{ 1 / 0 }}", {},
        ["None plural needs one and many: write plural(one, many) (a.b/es.j2:2)",
         "data.a is missing (a.b/es.j2:2)", "None divides by zero (a.b/es.j2:2)"],
    ),
    "nothing that hangs on what is missing already": (
        "{{ (a + 1)|money }}{{ a > 3 }}{% for x in a %}{{ x.y|date }}{% endfor %}{{ a.b.c[0]|join }}",
        {},
        ["data.a is missing: b (a.b/es.j2:2)"],
    ),
    "a field once, though every block uses it": (
        "{{ a }}{% endblock %}{% block sms %}{{ a|upper }}", {}, ["data.a is missing (a.b/es.j2:2)"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", TOLD)
def test_it_tells(tmp_path: Path, case: str) -> None:
    body, data, told = TOLD[case]
    assert faults(tmp_path, body, data) == told


def test_it_tells_the_file_and_line_within_layouts_includes_and_macros(tmp_path: Path) -> None:
    files = {
        "_layouts/l.j2": "{% import '_layouts/m.j2' as m %}\n{{ shop }}{% block body %}{% endblock %}",
        "_layouts/m.j2": "{% macro line(i) %}\n\n{{ i.name }}{% endmacro %}",
        "_layouts/i.j2": "\n{{ inner }}",
        "a.b/es.j2": "{% extends '_layouts/l.j2' %}{% block subject %}S{% endblock %}\n"
        "{% block body %}{{ m.line(item) }}\n{% include '_layouts/i.j2' %}{% endblock %}",
    }
    assert faults(tmp_path, "", {"item": {}}, files) == [
        "data.shop is missing (_layouts/l.j2:2)",
        "data.item.name is missing (_layouts/m.j2:3)",
        "data.inner is missing (_layouts/i.j2:2)",
    ]


def test_no_value_is_ever_told(tmp_path: Path) -> None:
    secret = "s3cr3t"
    body = (
        "{{ a|money }}{{ a + 1 }}{{ a|date }}{{ a|link }}{{ b }}{{ a.c }}{{ b|money }}{{ '%d' % a }}"
        "{{ a|round }}{{ a|int(a) + a }}{{ [a, 1]|sort|join }}{{ {}[a] }}{{ a|plural('x', 'y') }}"
    )
    told = faults(tmp_path, body, {"a": secret, "b": {secret: secret}})
    assert told
    assert secret not in "".join(told)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(ANY_TEMPLATE, st.dictionaries(st.sampled_from("abclm"), VALUES, max_size=5))
def test_whatever_does_not_render_is_told_with_its_place(
    tmp_path_factory: pytest.TempPathFactory, source: str, data: dict[str, Any]
) -> None:
    folder = tmp_path_factory.mktemp("t")
    (folder / "a.b").mkdir()
    (folder / "a.b" / "es.j2").write_text(f"{MACROS}{BEGIN}{source}{END}", "utf-8")
    try:
        Templates(folder).render(parse({"type": "a.b", "data": data}))
    except RenderError as error:
        for fault in error.faults:
            assert fault.template == "a.b/es.j2"
            assert fault.line
            assert fault.problem
            assert fault.field is None or re.match(r"data\b", fault.field)
            assert "value of the wrong kind here" not in fault.problem
            assert not re.search(
                r"NoneType|'(str|int|dict|list)'|object at|argument", fault.problem
            )
