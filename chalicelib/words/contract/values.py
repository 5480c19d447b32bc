"""What the expressions of a template stand for while it is read, and what its tests come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from jinja2 import nodes

from chalicelib.words.contract.needs import Note, Path


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


class Absent(Value):
    """Undefined for certain: a macro's parameter that nobody passed."""


@dataclass(slots=True, eq=False)
class Choice(Value):
    """One of several values, each under its guards; with no guards, all of them in turn."""

    options: list[tuple[Path, Value]]


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


@dataclass(frozen=True, slots=True)
class Outcome:
    """What holds when a test comes out one way. `dead`: it never does."""

    facts: frozenset[tuple[Note, str]] = frozenset()
    opaque: bool = False
    dead: bool = False

    @property
    def certain(self) -> bool:
        return not (self.facts or self.opaque or self.dead)


ALWAYS: Final = Outcome()
NEVER: Final = Outcome(dead=True)
PERHAPS: Final = Outcome(opaque=True)
Outcomes = tuple[Outcome, Outcome]


def given(note: Note, *facts: str) -> Outcome:
    return Outcome(frozenset((note, fact) for fact in facts))


def both(one: Outcome, other: Outcome) -> Outcome:
    return Outcome(one.facts | other.facts, one.opaque or other.opaque, one.dead or other.dead)


def either(one: Outcome, other: Outcome) -> Outcome:
    if one.dead or other.dead:
        return one if other.dead else other
    if one.certain or other.certain:
        return ALWAYS
    return Outcome(one.facts & other.facts, opaque=True)


def is_number(value: Value) -> bool:
    return (
        isinstance(value, Known)
        and isinstance(value.const, (int, float))
        and not isinstance(value.const, bool)
    )


def words(text: str) -> frozenset[str]:
    """The words of a text, as a set of names."""
    return frozenset(text.split())
