"""What a template is found to use: fields, and the notes and guards from which their nature follows.

A use happens under conditions (the branches that lead to it). One that asks for no more than the field's
parent being there does not count: what is used then is required within its parent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from typing import Final, Literal

from chalicelib.values import dataclass
from chalicelib.words.asks import Demand

Kind = Literal["object", "array", "number", "string", "any"]

MAX_DEPTH: Final = 12


@dataclass(slots=True)
class Field:
    """One piece of data that a template uses, with what it uses inside of it.

    `kind` is what it is used as, in some place or other; `sure` is what rendering asks of it wherever it
    is there. `required` is meant within its parent. `nullable`: what is sure is so only where the field
    is neither null nor false nor empty. `where` is the first file and line that use it.
    """

    name: str
    required: bool = False
    kind: Kind = "any"
    children: dict[str, Field] = field(default_factory=dict)
    item: Field | None = None
    sure: frozenset[Demand] = frozenset()
    nullable: bool = False
    where: tuple[str, int] | None = None

    def loosened(self) -> Field:
        """The same, with nothing required or sure."""
        return replace(
            self,
            required=False,
            sure=frozenset(),
            children={name: child.loosened() for name, child in self.children.items()},
            item=self.item.loosened() if self.item is not None else None,
        )


@dataclass(frozen=True, slots=True)
class Needs:
    """What one template file needs: fields of `data`, and event attributes (``event.recipient``).

    `files` are all the files that take part, `blocks` the blocks by name with the files that define
    them, `unresolved` the places (file, line, problem) where the reading cannot follow.
    """

    data: Field
    attributes: tuple[str, ...]
    files: tuple[str, ...]
    blocks: Mapping[str, tuple[str, ...]]
    placed: frozenset[str]
    unresolved: tuple[tuple[str, int, str], ...]


# -- notes on a field ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class When:
    """When something happens: where all `facts` hold, which are fields known to be there.

    `opaque`: it depends on more than that, so nothing is certain. `dead`: never.
    """

    facts: frozenset[tuple[Note, str]] = frozenset()
    opaque: bool = False
    dead: bool = False

    @property
    def certain(self) -> bool:
        return not (self.facts or self.opaque or self.dead)


ALWAYS: Final = When()
NEVER: Final = When(dead=True)
PERHAPS: Final = When(opaque=True)


@dataclass(frozen=True, slots=True)
class _Use:
    """`sure`: rendering fails where the value is not what is asked; else it is a description."""

    demand: Demand
    when: When
    sure: bool


class Note:
    """A field while the templates are read: where it was used, under which guards, as what."""

    __slots__ = ("children", "item", "name", "parent", "uses", "where")

    def __init__(self, name: str, parent: Note | None, where: tuple[str, int] | None) -> None:
        self.name = name
        self.parent = parent
        self.where = where
        self.children: dict[str, Note] = {}
        self.item: Note | None = None
        self.uses: list[_Use] = []

    def use(self, demand: Demand, when: When, sure: bool = True) -> None:
        """The field is read, in a way that fails where it is missing."""
        if when.dead:
            return
        self.uses.append(_Use(demand, when, sure))
        if self.parent is not None and self.name:
            # A part is there in an object alone, unless lists and texts have a method of that name.
            self.parent.uses.append(_Use("object", when, not _is_method(self.name)))

    def child(self, name: str, where: tuple[str, int]) -> Note:
        found = self.children.get(name)
        if found is None:
            found = self.children[name] = Note(name, self, where)
        return found

    def element(self) -> Note:
        if self.item is None:
            self.item = Note("", self, self.where)
        return self.item

    def within(self, ancestor: Note) -> bool:
        note: Note | None = self
        while note is not None:
            if note is ancestor:
                return True
            note = note.parent
        return False

    def _happens(self, use: _Use, *more: tuple[Note, str]) -> bool:
        """Whether a use happens wherever the parent is there, and `more` holds."""
        return not use.when.opaque and all(
            fact in more or (self.parent is not None and self.parent.within(fact[0]))
            for fact in use.when.facts
        )

    @property
    def required(self) -> bool:
        return any(self._happens(use) for use in self.uses)

    def field(self) -> Field:
        uses = [use for use in self.uses if (self, "shape") not in use.when.facts]
        there, filled = (self, "defined"), (self, "truthy")
        sure = [use for use in uses if use.sure and use.demand != "any"]
        # What is asked of a field that is not empty says nothing of one that may be.
        always = [use for use in sure if self._happens(use, there)]
        asked = always or [use for use in sure if self._happens(use, there, filled)]
        return Field(
            name=self.name,
            required=self.required,
            kind="object" if self.parent is None else kind_of({use.demand for use in uses}),
            children={name: child.field() for name, child in self.children.items()},
            item=self.item.field() if self.item is not None else None,
            sure=frozenset(use.demand for use in asked),
            nullable=self.parent is not None and not always,
            where=self.where,
        )


def kind_of(demands: Iterable[Demand]) -> Kind:
    """What a field is, going by all that it is used as."""
    asked = set(demands)
    if "object" in asked and "list" in asked:
        return "any"
    for kind, among in _KINDS:
        if not asked.isdisjoint(among):
            return kind
    return "any"


_KINDS: Final[tuple[tuple[Kind, frozenset[Demand]], ...]] = (
    ("object", frozenset(("object",))),
    ("array", frozenset(("list", "texts"))),
    ("number", frozenset(("number", "amount"))),
    ("string", frozenset(("text", "currency", "date", "datetime", "link"))),
    ("array", frozenset(("sized",))),
)


def _is_method(name: str) -> bool:
    return any(hasattr(type_, name) for type_ in (str, list, int, float))
