"""Patterns as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from chalicelib.regex import regex
from chalicelib.rules.patterns import Pattern
from chalicelib.rules.patterns.fields import Field
from chalicelib.rules.reading import ALWAYS

# What a condition is called where it is told as a failure, and in a sentence.
_VERBS: Final = (
    (regex(r"prefix (.*)"), "starts with {}"),
    (regex(r"suffix (.*)"), "ends with {}"),
    (regex(r"wildcard (.*)"), "looks like {}"),
    (regex(r"numeric (.*)"), "is {}"),
    (regex(r"cidr (.*)"), "is an address in {}"),
    (regex(r"to exist"), "is there"),
    (regex(r"not to exist"), "is not there"),
    (regex(r"(.*)"), "is {}"),
)
ENGLISH: Final = {
    word: word for word in (*(words for _, words in _VERBS), "every event", "and", "or")
}
"""What it is told with; another language has other words for these."""


def in_words(pattern: Pattern, said: Mapping[str, str] = ENGLISH) -> str:
    """A pattern as a sentence: `type is "order.placed" and data.order.total is >= 500`."""
    if pattern is ALWAYS:
        return said["every event"]
    ways = []
    for fields in pattern.alternatives:
        parts = [_field(field, said) for field in fields]
        several = any(f" {said['or']} " in part for part in parts)
        ways.append((f", {said['and']} " if several else f" {said['and']} ").join(parts))
    return f"; {said['or']} ".join(ways)


def _field(field: Field, said: Mapping[str, str]) -> str:
    grouped: dict[str, list[str]] = {}
    for entry in field.entries:
        for shape, words in _VERBS:
            found = shape.fullmatch(entry.text)
            if found:
                grouped.setdefault(words, []).extend(found.groups())
                break
    either = f" {said['or']} "
    return f"{field.path} " + either.join(
        said[words].format(either.join(values)) for words, values in grouped.items()
    )
