"""What the expressions of a template stand for while it is read, and what its tests come to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from jinja2 import nodes

from chalicelib.values import dataclass
from chalicelib.words.contract.needs import ALWAYS, Note, When


class Value:
    """What an expression is, as far as the tree tells."""


@dataclass(slots=True, eq=False)
class Ref(Value):
    """A field."""

    note: Note


UNKNOWN: Final = object()


@dataclass(slots=True, eq=False)
class Known(Value):
    """Something that is there: a constant, or the result of a filter, an operator, a call.

    `items` is what a loop over it yields, `truth_of` the field that is non-empty if this is true.
    """

    const: Any = UNKNOWN
    items: Value | None = None
    truth_of: Note | None = None
    parts: tuple[Value, ...] | None = None
    attributes: Mapping[str, Value] | None = None


@dataclass(slots=True, eq=False)
class Lazy(Value):
    """What a filter gives item by item (``map``, ``select``): until it is taken, nothing is read.

    `take` reads what it was made from, and gives the items with their case.
    """

    take: Callable[[], tuple[When, Value | None]]


class Absent(Value):
    """Undefined for certain: a macro's parameter that nobody passed."""


@dataclass(slots=True, eq=False)
class Choice(Value):
    """One of several values, each in its case; in the same case, all of them in turn."""

    options: list[tuple[When, Value]]


@dataclass(slots=True, eq=False)
class Macro(Value):
    node: nodes.Macro | nodes.CallBlock
    scope: Scope
    file: str


@dataclass(slots=True, eq=False)
class Module(Value):
    scope: Scope


@dataclass(slots=True, eq=False)
class Loop(Value):
    """The ``loop`` of a recursive loop, which can be called with another list."""

    node: nodes.For
    scope: Scope


class Scope:
    """Names that templates set, one frame of them; a name that no frame has is a field."""

    __slots__ = ("names", "parent")

    def __init__(self, parent: Scope | None) -> None:
        self.parent = parent
        self.names: dict[str, Value] = {}

    def find(self, name: str) -> Value | None:
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.parent
        return None


Outcomes = tuple[When, When]
"""When a test comes out true, and when false."""


def given(note: Note, *facts: str) -> When:
    return When(frozenset((note, fact) for fact in facts))


def both(one: When, other: When) -> When:
    return When(one.facts | other.facts, one.opaque or other.opaque, one.dead or other.dead)


def either(one: When, other: When) -> When:
    if one.dead or other.dead:
        return one if other.dead else other
    if one.certain or other.certain:
        return ALWAYS
    return When(one.facts & other.facts, opaque=True)


def cases(outcomes: Outcomes) -> tuple[When, When]:
    """When each branch of a decision is taken: always, where the other never is."""
    yes, no = outcomes
    return ALWAYS if no.dead else yes, ALWAYS if yes.dead else no


def choice(outcomes: Outcomes, values: tuple[Value, Value]) -> Choice:
    """One of two values, by what a test comes to."""
    options = zip(cases(outcomes), values, strict=True)
    return Choice([(when, value) for when, value in options if not when.dead])


def is_number(value: Value) -> bool:
    return (
        isinstance(value, Known)
        and isinstance(value.const, (int, float))
        and not isinstance(value.const, bool)
    )


def words(text: str) -> frozenset[str]:
    """The words of a text, as a set of names."""
    return frozenset(text.split())
