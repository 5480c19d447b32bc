"""Regular expressions that wait until they are needed."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator

import pytest

from chalicelib.regex import regex
from cli.paths import ROOT

MODULES = sorted(
    ".".join(file.relative_to(ROOT).with_suffix("").parts)
    for file in (ROOT / "chalicelib").rglob("*.py")
    if file.name != "entry.py"
)


def kept(found: object) -> Iterator[re.Pattern[str]]:
    """Every expression in a module's value, however deep in tuples."""
    if isinstance(found, tuple):
        for part in found:
            yield from kept(part)
    elif isinstance(found, type(regex(""))):
        yield found


@pytest.mark.parametrize("module", MODULES)
def test_each_that_there_is_can_be_compiled(module: str) -> None:
    for value in vars(importlib.import_module(module)).values():
        for one in kept(value):
            assert re.compile(one.pattern, one.flags)


def test_it_is_what_re_makes_of_it() -> None:
    ours, theirs = regex("(a+)(b)?", re.IGNORECASE), re.compile("(a+)(b)?", re.IGNORECASE)
    for _ in range(2):
        assert ours.sub("x", "AAbaa") == theirs.sub("x", "AAbaa") == "xx"
        assert ours.findall("AAbaa") == theirs.findall("AAbaa")
        assert (ours.pattern, ours.flags, ours.groups) == (theirs.pattern, theirs.flags, 2)


def test_nothing_is_compiled_before_it_is_needed() -> None:
    broken = regex("(")
    with pytest.raises(re.error, match="unterminated subpattern"):
        broken.match("a")
