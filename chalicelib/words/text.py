"""What is text, and what a template's author and a producer read where something else is.

Texts and numbers are printed. Everything else is refused rather than printed as Python's own notation:
``None``, ``True``, ``{'id': 7}``, ``<generator object …>``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from jinja2.environment import TemplateModule
from jinja2.exceptions import UndefinedError
from jinja2.runtime import BlockReference, LoopContext, Macro, TemplateReference, Undefined
from jinja2.utils import Namespace, missing


class WordsError(ValueError):
    """A template does with a value what cannot be done with it.

    The message is in the words of whoever writes templates and never shows the value; `value` is the
    one at fault, for finding out which field it came from (`missing`: none is).
    """

    def __init__(self, problem: str, value: object = missing) -> None:
        super().__init__(problem)
        self.value = value


class MissingField(UndefinedError):
    """A template needs a value that is not there; `field` is its path as the template writes it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.value = None


_REMEDIES: Final[tuple[tuple[type | tuple[type, ...], str, str], ...]] = (
    (bool, "true or false", 'write {{ "…" if … else "…" }}'),
    (Mapping, "an object", "print one of its fields"),
    (
        (list, tuple, set, frozenset, range),
        "a list",
        "write |listed, or loop over it with {% for %}",
    ),
    (Macro, "a macro", "call it, with () behind its name"),
    ((BlockReference, TemplateReference), "a block", "call it, with () behind its name"),
    (LoopContext, "the loop itself", "print loop.index, say"),
    (Namespace, "a namespace", "print one of its fields"),
    (TemplateModule, "an imported file", "print or call what it holds"),
    ((float, Decimal), "no finite number", "mend what computes it"),
    (Iterable, "a list", 'write |listed or |join(", ") behind it'),
)


def as_text(value: Any) -> str | None:
    """A value as it is printed; None for what is no text.

    A missing value fails under its own name, and ``"…" if x`` without else is nothing, as in Jinja.
    """
    kind = type(value)
    if kind is str:
        return value  # type: ignore[no-any-return]
    if kind is int:
        return str(value)
    if kind is bool:
        return None
    if isinstance(value, str):  # Markup stays what it is
        return value
    if isinstance(value, float):
        return _decimal(value)
    if isinstance(value, Decimal):
        return f"{value:f}" if value.is_finite() else None
    if isinstance(value, (int, Undefined)):
        return str(value)
    return None


def _decimal(value: float) -> str | None:
    """Never an exponent, nor more digits than a double holds: 0.1 + 0.2 is 0.3."""
    if not math.isfinite(value):
        return None
    text = repr(value)
    if "e" not in text and (len(text) < 17 or text.endswith(".0")):
        return text
    return f"{Decimal(text if 'e+' in text else f'{value:.15g}'):f}"


def kind(value: object) -> str:
    """What a value is, in words: "null", "a text", "an object", …"""
    if value is None:
        return "null"
    if isinstance(value, str):
        return "a text"
    if isinstance(value, (int, float, Decimal)) and as_text(value) is not None:
        return "a number"
    return _described(value)[0]


def _described(value: object) -> tuple[str, str]:
    """What a value that is no text is, and what to do about it."""
    for types, words, remedy in _REMEDIES:
        if isinstance(value, types):
            return words, remedy
    return "a function", "call it, with () behind its name"


def texts(name: str, items: Iterable[Any]) -> Iterator[str]:
    """The items of a list as they are printed."""
    for item in items:
        text = as_text(item)
        if text is None:
            raise WordsError(f"{name} expects a list of texts, and one is {kind(item)}", item)
        yield text


def not_text(path: str | None, value: object) -> Exception:
    """The error for a value that is printed and is no text."""
    if value is None:
        what = f"{path!r} is null" if path else "a value is null"
        return MissingField(path or "", f"{what}, and would be printed as 'None'")
    words, remedy = _described(value)
    return WordsError(f"{path or 'what is printed here'} is {words}: {remedy}", value)
