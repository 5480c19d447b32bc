"""chalicelib/rules/lines.py: on which line of a TOML file a key stands."""

from __future__ import annotations

from chalicelib.rules.lines import Lines


def test_the_line_of_a_key_is_found_however_it_is_written() -> None:
    lines = Lines(
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
"""
    )
    for keys, line in (
        (("top",), 1),
        (("a",), 2),
        (("a", "x"), 3),
        (("a", "x", "y"), 3),
        (("a", "q.r"), 4),
        (("a", "b", "c", "d"), 5),
        (("a", "b"), 5),
        (("e[0]",), 6),
        (("e[0]", "f"), 7),
        (("e[0]", "g", "h"), 9),
        (("e[1]", "f"), 11),
        (("e[1]", "g", "i", "j"), 13),
        (("nowhere",), 0),
    ):
        assert lines.of(*keys) == line, keys
