"""What a template is found to use: fields, and the notes and guards from which their nature follows.

A field is required if some use of it happens whatever the data. A use happens under guards (the
branches that lead to it); a guard is settled, and does not count, if it asks for no more than the
field's parent being there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

Kind = Literal["object", "array", "number", "string", "any"]
Format = Literal["currency", "date", "datetime", "link"]

FORMATS: Final[tuple[Format, ...]] = get_args(Format)

MAX_DEPTH: Final = 12


@dataclass(slots=True)
class Field:
    """One piece of data that a template uses, with what it uses inside of it.

    `required` is meant within its parent. `kind` "string" is whatever prints as text: a text or a
    number. `nullable`: null, false and empty pass too, because the template asks first.
    `numeric_text`: a number may come as its text, "19.90". `formats` are what a text must be because
    filters take it for that: a date, a link, … `where` is the first file and line that use it.
    """

    name: str
    required: bool = False
    kind: Kind = "any"
    children: dict[str, Field] = field(default_factory=dict)
    item: Field | None = None
    nullable: bool = False
    numeric_text: bool = False
    formats: tuple[Format, ...] = ()
    where: tuple[str, int] | None = None


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

# What is asked of a value; "sized" and "amount" end as array or string, and as number.
Demand = Literal["any", "sized", "string", "amount", "number", "array", "object"] | Format


@dataclass(frozen=True, slots=True, eq=False)
class Guard:
    """One branch of one decision. `facts` are the fields known to be there when it is taken.

    `opaque` guards depend on more than facts, so nothing is certain inside them.
    """

    decision: int
    branch: int
    facts: frozenset[tuple[Note, str]]
    opaque: bool

    @property
    def key(self) -> tuple[int, int]:
        return self.decision, self.branch


Path = tuple[Guard, ...]


class Note:
    """A field while the templates are read: where it was used, under which guards, as what."""

    __slots__ = ("children", "demands", "item", "name", "parent", "required", "where")

    def __init__(self, name: str, parent: Note | None, where: tuple[str, int] | None) -> None:
        self.name = name
        self.parent = parent
        self.where = where
        self.children: dict[str, Note] = {}
        self.item: Note | None = None
        self.demands: list[tuple[Demand, Path]] = []
        self.required = False

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

    def _settled(self, fact: tuple[Note, str]) -> bool:
        """Whether a fact holds wherever the parent is there."""
        known, what = fact
        if self.parent is None or self.parent.within(known):
            return True
        if what != "defined":
            return False
        note = known
        while not self.parent.within(note):
            if not note.required or note.parent is None:
                return False
            note = note.parent
        return True

    def _open(self, path: Path) -> frozenset[tuple[int, int]]:
        """The guards of a use that are open, though the parent is there."""
        return frozenset(
            guard.key
            for guard in path
            if guard.opaque or not all(self._settled(fact) for fact in guard.facts)
        )

    def settle(self) -> bool:
        """Find out about `required`, here and below; True if that brought anything new.

        One required field can settle the condition of another, so this goes on until it does not.
        """
        new = False
        if not self.required:
            self.required = _certain({self._open(path) for _, path in self.demands})
            new = self.required
        for note in (*self.children.values(), *([self.item] if self.item else ())):
            new = note.settle() or new
        return new

    def field(self) -> Field:
        asked = [
            (demand, path)
            for demand, path in self.demands
            if not any(
                known is self and fact == "shape" for guard in path for known, fact in guard.facts
            )
        ]
        demands = {demand for demand, _ in asked}
        kind, numeric_text = kind_of(demands)
        # Whatever else a use depends on, null is only safe where the field itself was asked first.
        strict = any(
            demand != "any" and not any((self, "truthy") in guard.facts for guard in path)
            for demand, path in asked
        )
        return Field(
            name=self.name,
            required=self.required,
            kind="object" if self.parent is None else kind,
            children={name: child.field() for name, child in self.children.items()},
            item=self.item.field() if self.item is not None else None,
            nullable=self.parent is not None and not strict,
            numeric_text=numeric_text,
            formats=formats_of(kind, demands),
            where=self.where,
        )


def kind_of(demands: set[Demand]) -> tuple[Kind, bool]:
    if "object" in demands and "array" in demands:
        return "any", False
    if "object" in demands:
        return "object", False
    if "array" in demands:
        return "array", False
    if "number" in demands:
        return "number", False
    if "amount" in demands:
        return "number", True
    if "string" in demands or not demands.isdisjoint(FORMATS):
        return "string", False
    return ("array" if "sized" in demands else "any"), False


def formats_of(kind: Kind, asked: Collection[str]) -> tuple[Format, ...]:
    """The formats among what is asked of a field of this kind; a date and time is a date as well."""
    if kind != "string":
        return ()
    return tuple(f for f in FORMATS if f in asked and not (f == "date" and "datetime" in asked))


def _certain(uses: set[frozenset[tuple[int, int]]]) -> bool:
    """Whether some use happens whatever the decisions: two uses in both branches are one in none."""
    for _ in range(MAX_DEPTH):
        if frozenset() in uses:
            return True
        found = set()
        for use in uses:
            for decision, branch in use:
                rest = use - {(decision, branch)}
                other = rest | {(decision, 1 - branch)}
                if any(candidate <= other for candidate in uses):
                    found.add(rest)
        if found <= uses or len(uses) > 500:
            return False
        uses = uses | found
    return False
