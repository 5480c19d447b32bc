"""Where the fields of a pattern are in an event, and whether they hold together.

This is the thorough walk: through arrays, objects within arrays, and keys with dots in them. It is
taken where an event has such things at a pattern's fields; `patterns` has the quick one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from chalicelib.rules.patterns.conditions import Condition, Test
from chalicelib.values import dataclass


class _Missing:
    """Where an event has nothing at a field."""

    def __repr__(self) -> str:
        return "nothing"


MISSING: Final = _Missing()


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """What a pattern asks of one field: any of `entries`."""

    path: str
    keys: tuple[str, ...]
    entries: tuple[Condition, ...]
    test: Test
    absent: bool

    @property
    def condition(self) -> str:
        return " or ".join(entry.text for entry in self.entries)


# An array element that a value lies in: (where the array is, index). A value within arrays within
# arrays lies in several, from the outside in.
_Element = tuple[tuple[str | int, ...], int]
_Leaf = tuple[Any, tuple[_Element, ...]]


def leaves(event: Mapping[str, Any], keys: tuple[str, ...]) -> Iterator[_Leaf]:
    """Every value of a field, with the array elements that it lies in.

    A key with dots in it is the nested path that it spells, as it is in the pattern.
    """
    pending: list[tuple[Any, int, tuple[str | int, ...], tuple[_Element, ...]]]
    pending = [(event, 0, (), ())]
    while pending:
        node, depth, trail, elements = pending.pop()
        if isinstance(node, dict):
            for end in range(len(keys), depth, -1):
                name = keys[depth] if end == depth + 1 else ".".join(keys[depth:end])
                if name in node:
                    pending.append((node[name], end, (*trail, name), elements))
        elif isinstance(node, list):
            for index in range(len(node) - 1, -1, -1):
                item = node[index]
                within = elements
                if isinstance(item, (dict, list)):
                    within = (*elements, (trail, index))
                pending.append((item, depth, (*trail, index), within))
        elif depth == len(keys):
            yield node, elements


def consistent(fields: Iterable[Field], event: Mapping[str, Any]) -> bool:
    """Whether all fields hold at once, no two of them in different elements of one array.

    Fields are taken in AWS's order, which matters where one of them must be absent. Only elements
    that a later field still asks about are remembered, so the work grows with the event's size and
    not with the product of its arrays.
    """
    ordered = sorted(fields, key=lambda field: field.path)
    values_of = [list(leaves(event, field.keys)) for field in ordered]
    later: list[set[tuple[str | int, ...]]] = [set()]
    for values in reversed(values_of[1:]):
        later.append(later[-1] | {array for _, elements in values for array, _ in elements})
    later.reverse()
    states: set[frozenset[_Element]] = {frozenset()}
    for field, values, wanted in zip(ordered, values_of, later, strict=True):
        passing = _by_element(elements for value, elements in values if field.test(value))
        present = _by_element(elements for _, elements in values) if field.absent else None
        reached: set[frozenset[_Element]] = set()
        for state in states:
            if reached and not wanted:
                break
            chosen = dict(state)
            if present is not None and next(_compatible(present, chosen), None) is None:
                reached.add(frozenset(e for e in state if e[0] in wanted))
            for elements in _compatible(passing, chosen):
                reached.add(frozenset(e for e in (*state, *elements) if e[0] in wanted))
        if not reached:
            return False
        states = reached
    return True


class _Node:
    """Elements by array and index, so that those within a chosen element are found at once."""

    __slots__ = ("arrays", "ends")

    def __init__(self) -> None:
        self.ends: tuple[_Element, ...] | None = None
        self.arrays: dict[tuple[str | int, ...], dict[int, _Node]] = {}


def _by_element(chains: Iterable[tuple[_Element, ...]]) -> _Node:
    root = _Node()
    for chain in chains:
        node = root
        for array, index in chain:
            node = node.arrays.setdefault(array, {}).setdefault(index, _Node())
        node.ends = chain
    return root


def _compatible(
    root: _Node, chosen: Mapping[tuple[str | int, ...], int]
) -> Iterator[tuple[_Element, ...]]:
    pending = [root]
    while pending:
        node = pending.pop()
        if node.ends is not None:
            yield node.ends
        for array, children in node.arrays.items():
            index = chosen.get(array)
            if index is None:
                pending += children.values()
            elif index in children:
                pending.append(children[index])


def found(event: Mapping[str, Any], keys: tuple[str, ...]) -> object:
    """What a person is shown that the event has at a field."""
    values = [value for value, _ in leaves(event, keys)]
    if values:
        return values[0] if len(values) == 1 else values
    node: Any = event
    for key in keys:
        node = node.get(key, MISSING) if isinstance(node, dict) else MISSING
    return node


def dotted_keys(keys: tuple[str, ...]) -> tuple[frozenset[str], ...]:
    """By depth, the keys with dots in them that spell several of `keys` at once."""
    depths = range(len(keys) - 1)
    return tuple(
        frozenset(".".join(keys[start:end]) for end in range(start + 2, len(keys) + 1))
        for start in depths
    )


def has_dotted_key(event: Any, keys: tuple[str, ...], dotted: tuple[frozenset[str], ...]) -> bool:
    """Whether the event spells a part of the path as one key, which the quick walk does not see."""
    node = event
    for key, names in zip(keys, dotted, strict=False):
        if not isinstance(node, dict):
            return False
        if not node.keys().isdisjoint(names):
            return True
        node = node.get(key)
    return False
