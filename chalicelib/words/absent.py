"""What stands for a missing value while a template is traced."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import Any, Final

import jinja2
from jinja2.exceptions import SecurityError
from jinja2.runtime import Undefined
from jinja2.utils import missing

from chalicelib.words.faults import Reading, Where
from chalicelib.words.wording import in_words

READING: Final[ContextVar[Reading]] = ContextVar("heraldo_reading")
"""What is being read just now."""


class Absent(Undefined):
    """A missing value: noted as soon as something is done with it, and nothing from then on.

    `where` it would stand, and the `problem` with it. A part of a missing value has that as its
    `root`, and `lacks` the name under which it stands there.
    """

    __slots__ = ("lacks", "problem", "root", "where")

    def __init__(
        self, hint: str | None = None, obj: Any = missing, name: str | None = None, exc: Any = None
    ) -> None:
        super().__init__(hint, obj, name, exc or jinja2.UndefinedError)
        self.problem = hint or "is missing"
        self.where: Where = (f"data.{name}", name) if hint is None else (None, None)
        self.root: Absent | None = None
        self.lacks: str | None = None
        if exc is SecurityError:
            self.problem = in_words(SecurityError())

    def use(self) -> None:
        if self.root is None:
            READING.get().add(self.problem, self.where, self._undefined_hint is None)
        elif self.lacks is not None:
            READING.get().lack(self.root.where, self.lacks)

    def part(self, name: str) -> Absent:
        """What a template takes from it."""
        self.use()
        found = Absent(name=name)
        found.root = self.root or self
        if found.root.problem == "is missing":
            found.lacks = self.lacks or name
        return found

    def _used(self, *_: Any, **__: Any) -> Any:
        self.use()
        return self

    def _no(self, *_: Any) -> bool:
        self.use()
        return False

    def _zero(self, *_: Any) -> int:
        self.use()
        return 0

    def __getattr__(self, name: str) -> Any:
        if name[:2] == "__":
            raise AttributeError(name)
        return self.part(name)

    def __str__(self) -> str:
        self.use()
        return "?"

    def __iter__(self) -> Iterator[Any]:
        self.use()
        return iter(())

    __bool__ = __contains__ = _no
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _used
    __hash__ = __len__ = __int__ = __index__ = _zero  # type: ignore[assignment]
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __neg__ = __pos__ = _used
    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = _used
    __pow__ = __rpow__ = __abs__ = __round__ = __call__ = __getitem__ = _used


def blank() -> Absent:
    """What stands for a value that was noted already."""
    found = Absent(name="")
    found.root = found
    return found


def used(values: Iterable[Any]) -> bool:
    """Whether any of these is missing; what is, is noted."""
    absent = [value for value in values if isinstance(value, Absent)]
    for value in absent:
        value.use()
    return bool(absent)
