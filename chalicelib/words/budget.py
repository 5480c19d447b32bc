"""What one render may cost: loops, macro calls, filters and text all draw on one budget.

An endless loop or a gigantic result ends in `RenderTooLarge` within a fraction of a second. Without a
budget (a filter called by itself) nothing is counted, and single values are bounded all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice
from typing import Any, Final

from jinja2.exceptions import TemplateRuntimeError

from chalicelib.regex import regex

MAX_TEXT: Final = 1_000_000
"""Characters that any one text may have while rendering: four times what SNS takes."""
MAX_STEPS: Final = 100_000
"""Units of work a render may do; a message about an order of 100 items needs about 1,000."""
MAX_ELEMENTS: Final = 200_000
"""Elements, nested ones included, of a list or object that a template handles as a whole."""
MAX_DIGITS: Final = 4_000
"""Digits of a number; Python itself refuses to print more than 4,300."""
MAX_RANGE: Final = 10_000
"""Numbers that one ``range()`` may produce."""


class RenderTooLarge(TemplateRuntimeError):
    """A template would loop too long or make too large a text; the message says which."""


class _Budget:
    __slots__ = ("gaps", "left")

    def __init__(self) -> None:
        self.left = MAX_STEPS
        self.gaps = False


_budget: ContextVar[_Budget | None] = ContextVar("heraldo_render_budget", default=None)
_bounded: ContextVar[bool] = ContextVar("heraldo_render_bounded", default=False)


@contextmanager
def bounded() -> Iterator[None]:
    """Give what is rendered inside a fresh budget.

    Raises `RenderTooLarge` when it is spent, and also for macros that call each other without end
    and for numbers too large to compute.
    """
    token = _budget.set(_Budget())
    outer = _bounded.set(True)
    try:
        yield
    except RecursionError:
        raise RenderTooLarge("macros, includes or loops call themselves without end") from None
    except (MemoryError, OverflowError):
        raise RenderTooLarge("a value is too large to compute") from None
    finally:
        _bounded.reset(outer)
        _budget.reset(token)


def renew() -> None:
    """Give a context that is made outside of `bounded` a budget of its own."""
    if not _bounded.get():
        _budget.set(_Budget())


def spend(units: int) -> None:
    budget = _budget.get()
    if budget is None:  # a filter called by itself, or by the compiler on a constant
        return
    budget.left -= units
    if budget.left < 0:
        raise RenderTooLarge(
            f"the template does too much work: over {MAX_STEPS:,} loop turns, macro calls and filters"
        )


def gap() -> None:
    """A field was printed, and there was nothing in it."""
    budget = _budget.get()
    if budget is not None:
        budget.gaps = True


def has_gaps() -> bool:
    """Whether anything was printed so far that was empty."""
    budget = _budget.get()
    return budget is not None and budget.gaps


def too_long(size: int) -> RenderTooLarge:
    return RenderTooLarge(
        f"the template makes a text of {size:,} characters; {MAX_TEXT:,} is the most"
    )


def _weigh(value: Any) -> int:
    """Characters and elements of a value as it would be printed, counted no further than the limit.

    Lists that share their parts (``[a, a]`` of ``[b, b]`` of …) print exponentially; walking with a
    limit finds that out before Python's own ``str`` fills the memory.
    """
    kind = type(value)
    if kind is str:
        return len(value)
    if kind is int:
        return value.bit_length() // 3 + 1  # type: ignore[no-any-return]
    if kind not in (list, tuple, dict, set, frozenset):
        return 1
    weight = elements = 0
    todo = [value]
    while todo:
        value = todo.pop()
        kind = type(value)
        if kind is str:
            weight += len(value)
        elif kind is dict:
            todo.extend(value.keys())
            todo.extend(value.values())
        elif kind in (list, tuple, set, frozenset):
            todo.extend(value)
        weight += 1
        elements += 1
        if weight > MAX_TEXT or elements + len(todo) > MAX_ELEMENTS:
            raise RenderTooLarge(
                f"the template handles a value of over {MAX_ELEMENTS:,} elements"
                f" or {MAX_TEXT:,} characters"
            )
    return weight


def charge(value: Any) -> int:
    """Pay for handling `value`, and give its weight."""
    weight = len(value) if type(value) is str else _weigh(value)
    if weight > MAX_TEXT:
        raise too_long(weight)
    spend(1 + (weight >> 8))
    return weight


def concat(parts: Iterable[str]) -> str:
    """Join what a template yields, giving up as soon as it is too long rather than at the end."""
    kept: list[str] = []
    size = 0
    more = iter(parts)
    while some := list(islice(more, 64)):
        size += sum(map(len, some))
        if size > MAX_TEXT:
            raise too_long(size)
        kept += some
    return "".join(kept)


_NUMBERS: Final = regex(r"\d+")


def check_widths(pattern: str, arguments: Iterable[Any] = ()) -> None:
    """Refuse a format string whose paddings and precisions add up to too long a text."""
    size = sum(int(number[:12]) for number in _NUMBERS.findall(pattern))
    if "*" in pattern:
        size += sum(abs(value) for value in arguments if isinstance(value, int))
    if size > MAX_TEXT:
        raise too_long(size)


def check_growth(size: int, factor: Any) -> None:
    if isinstance(factor, int) and abs(factor) * max(1, size) > MAX_TEXT:
        raise too_long(abs(factor) * max(1, size))


def check_digits(digits: int) -> None:
    if digits > MAX_DIGITS:
        raise RenderTooLarge(f"the template computes a number of over {MAX_DIGITS:,} digits")


def range_(*args: int) -> range:
    """The `range` of templates."""
    numbers = range(*args)
    if len(numbers) > MAX_RANGE:
        raise RenderTooLarge(
            f"range() of {len(numbers):,} numbers; {MAX_RANGE:,} is the most"
            if len(numbers) < 10**12
            else f"range() of too many numbers; {MAX_RANGE:,} is the most"
        )
    return numbers


range_.__name__ = "range"  # as an error names it
