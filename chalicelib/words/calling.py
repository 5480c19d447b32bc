"""Filters as templates call them: given what they ask for, paid for, and told of in words."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Final

from chalicelib.words import budget
from chalicelib.words.asks import Asks
from chalicelib.words.budget import MAX_TEXT, charge, spend
from chalicelib.words.text import WordsError, as_text, kind
from chalicelib.words.wording import WRONG, wrong_call

# What these filters return grows with a number that they are given, not only with their value.
_GROWS_BY_NUMBER: Final = frozenset({"batch", "center", "indent", "round", "slice", "tojson"})


def _is_small(value: Any) -> bool:
    """Whether `value` needs no weighing: nearly everything that a message is made of."""
    kind = type(value)
    return len(value) < 256 if kind is str else kind is int and value.bit_length() < 64


def budgeted(name: str, function: Callable[..., Any], asked: Asks) -> Callable[..., Any]:
    """A filter as templates call it: given what it asks for, paid for, and told of in words."""
    grows = name in _GROWS_BY_NUMBER
    formats = name == "format"
    plain = not grows and not formats
    # Filters marked with `pass_context` and the like get that first, then the value.
    value_at = 1 if hasattr(function, "jinja_pass_arg") else 0
    texts = _places_of_text(function, asked, value_at)
    text_options = {option for option, demand in asked.arguments.items() if demand == "text"}

    @wraps(function)
    def bounded(*args: Any, **kwargs: Any) -> Any:
        for at in texts:
            if at < len(args) and type(args[at]) is not str:
                args = (*args[:at], _text_for(name, args[at]), *args[at + 1 :])
        for option in kwargs.keys() & text_options:
            kwargs[option] = _text_for(name, kwargs[option])
        try:
            if plain and not kwargs and all(map(_is_small, args[value_at:])):
                spend(len(args))
                result = function(*args)
                if not _is_small(result) and type(result) in (str, list, int):
                    charge(result)
                return result
            _pay(args[value_at:], kwargs)
            result = function(*args, **kwargs)
        except WRONG as error:
            raise wrong_call(name, function, args, kwargs, error, value_at + 1) from None
        if type(result) in (str, list, int):
            charge(result)
        return result

    def _pay(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        value = args[0] if args else None
        weight = charge(value)
        options = (*args[1:], *kwargs.values())
        longest = 0
        for option in options:
            longest = max(longest, charge(option))
            if grows:
                lines = value.count("\n") + 1 if isinstance(value, str) else weight
                budget.check_growth(lines, option)
        if longest > 1 and (weight + 1) * longest > 64 * MAX_TEXT:
            raise budget.too_long((weight + 1) * longest)
        if formats and isinstance(value, str):
            budget.check_widths(value, options)

    return bounded


def _text_for(name: str, value: object) -> str:
    text = as_text(value)
    if text is None:
        raise WordsError(f"{name} expects a text, not {kind(value)}", value)
    return text


def _places_of_text(function: Callable[..., Any], asked: Asks, value_at: int) -> tuple[int, ...]:
    """Which of a filter's arguments, by position, must be texts."""
    places = [value_at] if asked.value == "text" else []
    if "text" in asked.arguments.values():
        names = [*inspect.signature(function).parameters]
        places += [names.index(n) for n, demand in asked.arguments.items() if demand == "text"]
    return tuple(places)
