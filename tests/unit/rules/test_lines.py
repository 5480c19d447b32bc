"""chalicelib/rules/lines.py: on which line of a TOML file a key stands."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.rules.lines import Lines

# what: (the text, {keys: line})
PLACES: dict[str, tuple[str, dict[tuple[str, ...], int]]] = {
    "however a key is written": (
        """\
top = 1
[a]
x = { y = 2 }
"q.r" = 3
b.c . d = 4
[[e]]
f = 5
  [e.g]
  h = 6
[[ e ]]
'f' = 7
# [[e]]
[e.g.i]
[ "j \\"k" . 'l' ]
""",
        {
            ("top",): 1, ("a",): 2, ("a", "x"): 3, ("a", "x", "y"): 3, ("a", "q.r"): 4,
            ("a", "b", "c", "d"): 5, ("a", "b"): 5, ("e[0]",): 6, ("e",): 6, ("e[0]", "f"): 7,
            ("e[0]", "g", "h"): 9, ("e[1]", "f"): 11, ("e[1]", "g", "i", "j"): 13,
            ('j "k', "l"): 14, ("nowhere",): 0,
        },
    ),
    "a note of several lines": (
        """\
[[rule]]
note = '''
[[rule]]
name = "not this" # ''
'''
name = "one"
[[rule]]
note = \"\"\"a \\\"""
[topics]
x = 1\"\"\"\"\"
name = "two"
""",
        {
            ("rule[0]",): 1, ("rule[0]", "note"): 2, ("rule[0]", "name"): 6, ("rule[1]",): 7,
            ("rule[1]", "note"): 8, ("rule[1]", "name"): 11, ("topics",): 0, ("rule[2]",): 0,
        },
    ),
    "lists and tables over several lines, and comments in them": (
        """\
to = [  # [[rule]] ' "
  "a]",  # x = 1
  # nothing = 1

  'b', [ 1,
  2 ],
  { c = 1.5, d.e = [
    1979-05-27 07:32:00 ] },
]
last = +inf # ]
""",
        {
            ("to",): 1, ("to[0]",): 2, ("to[1]",): 5, ("to[2]",): 5, ("to[2][1]",): 6,
            ("to[3]",): 7, ("to[3]", "c"): 7, ("to[3]", "d", "e[0]"): 8, ("last",): 10,
            ("nothing",): 0, ("x",): 0,
        },
    ),
    "tables in tables of a list": (
        "[[a.b]]\n[[a.b.c]]\nx = 1\n[[a.b.c]]\nx = 2\n[[a.b]]\n[[a.b.c]]\nx = 3\n",
        {
            ("a",): 1, ("a", "b[0]", "c[0]", "x"): 3, ("a", "b[0]", "c[1]", "x"): 5,
            ("a", "b[1]"): 6, ("a", "b[1]", "c[0]", "x"): 8,
        },
    ),
    "lines as Windows ends them, and what ends none": (
        'a = 1\r\n\r\nb = "\x85\u2028\x0c"\r\nc = 1\r\n'.replace("\x0c", "\\f"),
        {("a",): 1, ("b",): 3, ("c",): 4},
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", PLACES)
def test_the_line_of_a_key_is_found(what: str) -> None:
    text, places = PLACES[what]
    tomllib.loads(text)
    lines = Lines(text)
    assert {keys: lines.of(*keys) for keys in places} == places


def test_a_field_in_the_branches_of_or_is_found_as_patterns_name_it() -> None:
    lines = Lines(
        '[[rule]]\nname = "x"\n[rule.pattern]\n"$or" = [\n  { data.vip = [true] },\n'
        '  { data = { total = [1] }, locale = ["en"] },\n]\n'
    )
    found = [lines.of_rule(0, f"pattern.{path}") for path in ("data.vip", "data.total", "locale")]
    assert found == [5, 6, 6]


KEYS = st.one_of(
    st.sampled_from(("a", "b-c", "d_1", "1")),
    st.text(st.characters(exclude_characters=".[", codec="utf-8"), min_size=1, max_size=4),
)
TEXTS = st.text(st.sampled_from("ab '\"\\#[]{}=,.\n\té"), max_size=12)
VALUES = st.recursive(
    st.one_of(TEXTS, st.integers(), st.booleans(), st.floats(allow_nan=False, allow_infinity=False)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)
    ),
    max_leaves=8,
)  # fmt: skip


class Writer:
    """Writes TOML in many ways, noting on which line each key came to stand."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.text = ""
        self.places: dict[tuple[str, ...], int] = {}

    def some(self, *choices: str) -> str:
        return str(self.draw(st.sampled_from(choices)))

    def note(self, path: tuple[str, ...]) -> None:
        self.places.setdefault(path, self.text.count("\n") + 1)

    def key(self, key: str) -> None:
        bare = key.isascii() and key.replace("-", "").replace("_", "").isalnum()
        literal = "'" not in key and key.isprintable()
        ways = [json.dumps(key, ensure_ascii=False)] + [key] * bare + [f"'{key}'"] * literal
        self.text += self.some(*ways).replace("\x7f", "\\u007f")

    def value(self, path: tuple[str, ...], value: Any, *, inline: bool = False) -> None:
        if isinstance(value, dict):
            self.text += "{ "
            for n, (key, inner) in enumerate(value.items()):
                self.text += ", " if n else ""
                self.note((*path, key))
                self.key(key)
                self.text += " = "
                self.value((*path, key), inner, inline=True)
            self.text += " }"
        elif isinstance(value, list):
            self.text += "["
            for n, inner in enumerate(value):
                self.gap()
                element = (*path[:-1], f"{path[-1]}[{n}]")
                self.note(element)
                self.value(element, inner, inline=inline)
                self.gap()
                self.text += "," if n < len(value) - 1 else self.some("", ",")
            self.gap()
            self.text += "]"
        elif isinstance(value, str):
            told = json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
            literal = "'''" not in value and "\\" not in value and not value.endswith("'")
            several = '"""\n' + told[1:-1].replace("\\n", "\n") + '"""'
            self.text += self.some(told, several, *[f"'''\n{value}'''"] * literal)
        else:
            self.text += json.dumps(value)

    def gap(self) -> None:
        self.text += self.some("", "", " ", "\n", ' # a = [ "\n', "\r\n  ")

    def end(self) -> None:
        self.text += self.some("\n", "\r\n", "  # [[x]] '''\n", "\n\n# y = 1\n")


@given(st.data(), st.dictionaries(KEYS, VALUES, min_size=1, max_size=4))
def test_every_key_is_found_in_whatever_way_the_file_is_written(data: Any, wanted: Any) -> None:
    writer = Writer(data.draw)
    for key, value in wanted.items():
        writer.note((key,))
        writer.key(key)
        writer.text += writer.some("=", " = ", "\t=")
        writer.value((key,), value)
        writer.end()
    tables = data.draw(st.lists(st.dictionaries(KEYS, VALUES, max_size=3), max_size=3))
    for n, table in enumerate(tables):
        writer.note((f"the tables[{n}]",))
        writer.text += writer.some("[[ 'the tables' ]]", '[["the tables"]]')
        writer.end()
        for key, value in table.items():
            path = (f"the tables[{n}]", key)
            writer.note(path)
            writer.key(key)
            writer.text += " = "
            writer.value(path, value)
            writer.end()
    assert tomllib.loads(writer.text) == wanted | ({"the tables": tables} if tables else {})
    lines = Lines(writer.text)
    assert {path: lines.of(*path) for path in writer.places} == writer.places
