"""Finds the patterns that match an event without trying them all.

Every pattern is filed under one field whose value it cannot do without: an exact value, a prefix or a
suffix, the rarest that it has. An event is walked once, the patterns filed under what it holds are
looked up, and only those are matched. benchmarks/routing.py measures what it saves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Final

from chalicelib.rules.patterns import Alternative, Field, Pattern
from chalicelib.rules.patterns.conditions import key

# A prefix lets through more values than an exact one, so it counts as if more patterns shared it.
_LOOSE: Final = 4


class _Branch:
    """What is filed under one field, and the fields below it."""

    __slots__ = ("below", "exact", "prefixes", "suffixes")

    def __init__(self) -> None:
        self.below: dict[str, _Branch] = {}
        self.exact: dict[Hashable, list[int]] = {}
        # By length, so that one look-up a length finds what a value begins or ends with.
        self.prefixes: dict[int, dict[str, list[int]]] = {}
        self.suffixes: dict[int, dict[str, list[int]]] = {}

    def file(self, kind: str, wanted: Any, number: int) -> None:
        if kind == "is":
            numbers = self.exact.setdefault(wanted, [])
        else:
            lengths = self.prefixes if kind == "prefix" else self.suffixes
            numbers = lengths.setdefault(len(wanted), {}).setdefault(wanted, [])
        if not numbers or numbers[-1] != number:
            numbers.append(number)

    def look_up(self, value: Any, found: set[int]) -> None:
        numbers = self.exact.get(key(value))
        if numbers is not None:
            found.update(numbers)
        if not isinstance(value, str):
            return
        for length, texts in self.prefixes.items():
            numbers = texts.get(value[:length])
            if numbers is not None:
                found.update(numbers)
        for length, texts in self.suffixes.items():
            numbers = texts.get(value[-length:])
            if numbers is not None:
                found.update(numbers)


class RuleIndex:
    """The patterns of a rule file, by what they ask for."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._patterns = tuple(patterns)
        self._root = _Branch()
        self._always: list[int] = []
        shared = Counter(
            (field.path, entry.anchor)
            for pattern in self._patterns
            for alternative in pattern.alternatives
            for field in alternative
            for entry in field.entries
        )
        for number, pattern in enumerate(self._patterns):
            rarest = [_rarest(alternative, shared) for alternative in pattern.alternatives]
            if None in rarest:
                self._always.append(number)
                continue
            for field in rarest:
                if field is not None:
                    self._file(field, number)

    def match(self, event: Mapping[str, Any]) -> list[int]:
        """The numbers of the patterns that match, ascending."""
        patterns = self._patterns
        return [
            number for number in sorted(self.candidates(event)) if patterns[number].matches(event)
        ]

    def candidates(self, event: Mapping[str, Any]) -> set[int]:
        """The numbers of the patterns that can match; of all others it is sure that they do not."""
        found = set(self._always)
        pending: list[tuple[Any, _Branch]] = [(event, self._root)]
        while pending:
            node, branch = pending.pop()
            if isinstance(node, list):
                pending += [(item, branch) for item in node]
            elif isinstance(node, Mapping):
                below = branch.below
                for name, value in node.items():
                    child = below.get(name)
                    if child is None and "." in name:
                        child = _descend(branch, name)
                    if child is None:
                        continue
                    if value.__class__ is dict or value.__class__ is list:
                        pending.append((value, child))
                    else:
                        child.look_up(value, found)
            else:
                branch.look_up(node, found)
        return found

    def _file(self, field: Field, number: int) -> None:
        branch = self._root
        for name in field.keys:
            branch = branch.below.setdefault(name, _Branch())
        for entry in field.entries:
            if entry.anchor is not None:
                branch.file(*entry.anchor, number)


def _rarest(alternative: Alternative, shared: Mapping[Any, int]) -> Field | None:
    """The field whose anchors the fewest patterns share; None where no field has only anchors."""
    rarest, fewest = None, 0
    for field in alternative:
        if field.absent or any(entry.anchor is None for entry in field.entries):
            continue
        count = sum(
            shared[field.path, entry.anchor] * (1 if entry.anchor[0] == "is" else _LOOSE)
            for entry in field.entries
            if entry.anchor is not None
        )
        if rarest is None or count < fewest:
            rarest, fewest = field, count
    return rarest


def _descend(branch: _Branch, dotted: str) -> _Branch | None:
    """A key with dots in it is the nested path that it spells."""
    below: _Branch | None = branch
    for name in dotted.split("."):
        if below is None:
            return None
        below = below.below.get(name)
    return below
