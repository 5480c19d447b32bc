"""Random event patterns and events that have a fair chance to meet."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

NAMES = st.sampled_from(("a", "b", "c"))
TEXTS = st.sampled_from(
    ("", "a", "ab", "Ab", "ba", "a*b", "b.png", "X.PNG", "10.0.0.1", "10.0.1.1", "ñ", "Ñ", "null")
)
NUMBERS = st.sampled_from((-1, 0, 1, 1.0, 1.5, 300, 3.0e2, 123456789012))
SCALARS = TEXTS | NUMBERS | st.sampled_from((True, False, None))
GLOBS = st.lists(st.sampled_from(("*", "a", "b", ".", r"\*")), max_size=4).map(
    lambda parts: "".join(parts).replace("**", "*").replace("**", "*")
)
SOME_TEXTS = TEXTS.filter(bool)


def _one(name: str, operand: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return operand.map(lambda value: {name: value})


def _one_or_more(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return values | st.lists(values, min_size=1, max_size=3)


_CASELESS = _one("equals-ignore-case", TEXTS)
_RANGES = st.sampled_from(
    (
        ["=", 1],
        ["<", 1],
        ["<=", 1.0],
        [">", 0],
        [">=", 300],
        [">", 0, "<=", 300],
        [">=", -1, "<", 1],
    )
)
_NEGATED = (
    _one_or_more(TEXTS)
    | _one_or_more(NUMBERS)
    | _one("prefix", _one_or_more(SOME_TEXTS))
    | _one("suffix", _one_or_more(SOME_TEXTS))
    | _one("equals-ignore-case", _one_or_more(TEXTS))
    | _one("wildcard", _one_or_more(GLOBS))
)
ENTRIES = (
    SCALARS
    | _one("prefix", TEXTS | _CASELESS)
    | _one("suffix", TEXTS | _CASELESS)
    | _CASELESS
    | _one("wildcard", GLOBS)
    | _one("anything-but", _NEGATED)
    | _one("numeric", _RANGES)
    | _one("exists", st.booleans())
    | _one("cidr", st.sampled_from(("10.0.0.0/24", "10.0.0.0/8", "2001:db8::/32")))
)
_LISTS = st.lists(ENTRIES, min_size=1, max_size=3)


_NESTED = _LISTS | st.dictionaries(NAMES, _LISTS, min_size=1, max_size=2)
_FIELDS = st.dictionaries(NAMES, _NESTED, min_size=1, max_size=2)


def _with_or(branch: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    branches = st.lists(branch, min_size=2, max_size=2)
    return st.tuples(st.dictionaries(NAMES, _NESTED, max_size=1), branches).map(
        lambda both: {**both[0], "$or": both[1]}
    )


# One $or, one within a field, one within another's branch; more would only multiply.
PATTERNS = (
    _FIELDS
    | _with_or(_FIELDS)
    | _one("a", _with_or(_FIELDS))
    | _with_or(_FIELDS | _with_or(_FIELDS))
)
VALUES = st.recursive(
    SCALARS,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(NAMES, below, max_size=3),
    max_leaves=8,
)
EVENTS = st.dictionaries(NAMES, VALUES, min_size=1, max_size=3)
# Without what not every matcher knows: objects within arrays, and nothing at all.
PLAIN_EVENTS = st.dictionaries(
    NAMES,
    SCALARS
    | st.lists(SCALARS, min_size=1, max_size=3)
    | st.dictionaries(NAMES, SCALARS, min_size=1, max_size=2),
    min_size=1,
    max_size=3,
)
