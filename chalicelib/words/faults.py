"""What keeps an event from becoming words, told by the event's fields.

A template calls a field by many names (``item.name`` in a loop, a macro's parameter). `Reading` watches
where values come from, so that what is wrong with one can be told as ``data.order.items[1].name``.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, ItemsView, Iterable, Iterator, Mapping
from dataclasses import field, replace
from functools import lru_cache
from itertools import islice
from typing import Any, Final, NamedTuple

from jinja2 import Template
from jinja2.utils import missing

from chalicelib.values import dataclass
from chalicelib.words.text import MissingField, WordsError
from chalicelib.words.wording import in_words

_REMEMBERED: Final = 100
_PARTS: Final = 10

Where = tuple[str | None, str | None]
"""A field of the event, and the path by which the template reads it; None: unknown."""
_NOWHERE: Final[Where] = (None, None)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, said of `field` where there is one: "is missing", "is null", …

    `field` is the event's (``data.order.id``, ``recipient``), `path` what the template calls it there,
    `template` and `line` where (0: nowhere in particular). `missing`: it is not there, or null.
    """

    problem: str
    template: str
    line: int = 0
    field: str | None = None
    path: str | None = None
    missing: bool = False

    @property
    def place(self) -> str:
        """`order.shipped/es.j2:12`, or the file alone where no line is known."""
        return f"{self.template}:{self.line}" if self.line else self.template

    def __str__(self) -> str:
        name = self.field or self.path
        if not name:
            return self.problem
        return f"{name}{' ' if self.problem.startswith(('is ', 'must ')) else ': '}{self.problem}"


def place_of_error(error: BaseException | None) -> tuple[str, int] | None:
    """The innermost template line that an error, or else what caused it, came from."""
    found = None
    while error is not None and found is None:
        trace = error.__traceback__
        while trace is not None:
            found = _line(trace.tb_frame.f_globals, trace.tb_lineno) or found
            trace = trace.tb_next
        error = error.__cause__ or error.__context__
    return found


def _rendered_now() -> tuple[str, int] | None:
    """The template line that is being rendered."""
    frame = sys._getframe(1)
    while frame is not None:
        found = _line(frame.f_globals, frame.f_lineno)
        if found is not None:
            return found
        frame = frame.f_back  # type: ignore[assignment]
    return None


def _line(of: Mapping[str, Any], line: int) -> tuple[str, int] | None:
    template = of.get("__jinja_template__")
    if isinstance(template, Template) and template.name:
        return template.name, _line_of(template, line)
    return None


@lru_cache(maxsize=4096)
def _line_of(template: Template, line: int) -> int:
    # Jinja reads the whole table of a template's lines for each answer.
    return template.get_corresponding_lineno(line)


class _Read(NamedTuple):
    value: Any
    where: Where


def _last_read() -> deque[_Read]:
    return deque(maxlen=_REMEMBERED)


@dataclass(slots=True)
class Reading:
    """One event read by one template: where its values stand, what was read, what is wrong."""

    attributes: Mapping[str, Any]
    taken: int = 0
    faults: dict[Any, Fault] = field(default_factory=dict)
    gaps: dict[str, Fault] = field(default_factory=dict)
    _places: dict[int, str] = field(default_factory=dict)
    _read: deque[_Read] = field(default_factory=_last_read)
    _views: dict[int, tuple[Any, str]] = field(default_factory=dict)
    _lacking: dict[Any, dict[str, None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        todo: list[tuple[str, Any]] = [("", self.attributes)]
        while todo:
            place, value = todo.pop()
            self._places.setdefault(id(value), place)
            if isinstance(value, Mapping):
                parts: Iterable[Any] = (
                    (f"{place}.{n}" if place else n, v) for n, v in value.items()
                )
            else:
                parts = ((f"{place}[{n}]", v) for n, v in enumerate(value))
            todo += [(at, part) for at, part in parts if isinstance(part, (Mapping, list))]

    # -- where values stand ------------------------------------------------------------------------

    def remember(self, value: Any, place: str | None, path: str | None = None) -> None:
        """A value is read."""
        self.taken += 1
        self._read.append(_Read(value, (place, path)))

    def part_of(self, owner: Any, part: object) -> str | None:
        """The place of a part of an object or list, if that has one itself."""
        place = self._places.get(id(owner)) if isinstance(owner, (Mapping, list)) else None
        if place is None:
            return None
        name = f"[{part}]" if isinstance(owner, list) else f".{part}"
        return f"{place}{name}" if place else str(part)

    def view(self, made: Any, owner: Any) -> None:
        """`made` has the items or values of an object: what is taken from it stands in that."""
        if id(owner) in self._places:
            self._views[id(made)] = (made, self._places[id(owner)])

    def items_of(self, value: Any) -> Iterable[Any]:
        """What a loop over a value takes, each remembered where it stands."""
        if id(value) in self._views:
            place = self._views[id(value)][1]
            if isinstance(value, (list, ItemsView)):
                return self._each(value, lambda _, pair: (pair[1], f"{place}.{pair[0]}"))
            return self._each(value, lambda _, item: (item, place))
        if isinstance(value, list) and id(value) in self._places:
            return self._each(value, lambda n, item: (item, self.part_of(value, n)))
        return value  # type: ignore[no-any-return]

    def _each(
        self, items: Iterable[Any], of: Callable[[int, Any], tuple[Any, str | None]]
    ) -> Iterator[Any]:
        for number, item in enumerate(items):
            value, place = of(number, item)
            self.remember(value, place)
            for at, part in enumerate(value[:_PARTS] if isinstance(value, list) else ()):
                self.remember(part, f"{place}[{at}]")
            yield item

    def where(self, value: Any) -> Where:
        """Where a value came from, as far as that is known."""
        read: _Read  # which mypy does not see in a reversed deque
        for read in reversed(self._read):
            if read.value is value:
                return read.where
        return self._places.get(id(value)), None

    def _latest(self, error: BaseException, since: int) -> Where:
        """Where the value came from that was read last, of a kind that Python's message names."""
        message = str(error)
        unpacks = "to unpack" in message
        read: _Read
        for read in islice(reversed(self._read), self.taken - since):
            named = f"'{type(read.value).__name__}'" in message
            if isinstance(read.value, list) if unpacks else named:
                return read.where
        return _NOWHERE

    # -- what is wrong -----------------------------------------------------------------------------

    def note(
        self, error: BaseException, since: int = 0, within: Any = None, path: str | None = None
    ) -> None:
        """Write down what an error says, with the field of the value that it is about.

        `since` is `taken` from before what failed, `within` a list that may have the value, `path` the
        expression that was printed.
        """
        value = getattr(error, "value", missing)
        where = self._at_fault(error, value, since, within)
        if where[0] is None and path is not None:
            known = (read.where for read in reversed(self._read) if read.where[1] == path)
            where = next(known, (None, where[1] or path))
        problem = in_words(error)
        name = where[1] or path
        if value is None and any(where):
            problem = "is null"
        elif isinstance(error, WordsError) and any((*where, name)):
            for subject in (name, "what is printed here"):
                if problem.startswith(f"{subject} is "):
                    problem = problem.removeprefix(f"{subject} ")
        self.add(problem, (where[0], name), value is None, error)

    def _at_fault(self, error: BaseException, value: Any, since: int, within: Any) -> Where:
        if not isinstance(error, (WordsError, MissingField)):  # Python's own
            return self._latest(error, since)
        if value is missing:
            return _NOWHERE
        if isinstance(within, list):
            at = next((n for n, item in enumerate(within) if item is value), None)
            if at is not None and self.part_of(within, at):
                return self.part_of(within, at), None
        if isinstance(value, (list, Iterator)) and error.__context__ is not None:
            where = self._latest(error.__context__, since)  # one of what it gave
            if any(where):
                return where
        return self.where(value)

    def add(
        self, problem: str, where: Where, is_missing: bool, error: BaseException | None = None
    ) -> None:
        """Write down what is wrong; a field is told of once."""
        key: Any = where[0] or where[1]
        if key in self.faults:  # looking for the line is what costs
            return
        template, line = place_of_error(error) or _rendered_now() or ("", 0)
        key = key or (template, line, problem)
        self.faults.setdefault(key, Fault(problem, template, line, *where, is_missing))

    def gap(self, value: str, path: str | None) -> None:
        """A field is printed that is empty; what a template sets itself may well be."""
        place = self.where(value)[0]
        if place is not None and place not in self.gaps:
            template, line = _rendered_now() or ("", 0)
            self.gaps[place] = Fault("is empty", template, line, place, path)

    def lack(self, where: Where, part: str) -> None:
        """Something is needed that would stand within a field that is missing."""
        self._lacking.setdefault(where[0] or where[1], {})[part] = None

    def told(self) -> list[Fault]:
        """Everything that is wrong, in the order in which it was met."""
        found = []
        for key, fault in self.faults.items():
            parts = ", ".join(self._lacking.get(key, ()))
            found.append(replace(fault, problem=f"{fault.problem}: {parts}") if parts else fault)
        return found
