"""What filters ask of their values: one registration a filter, which rendering and the contract read.

A filter of our own stands in `filters.py` under `@asks(…)`; what Jinja's ask stands in `jinja_filters.py`.
Nothing else needs to know of a filter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any, Final, Literal, TypeVar

from chalicelib.values import dataclass

Demand = Literal[
    "any",  # to be there
    "text",  # a text or a number; rendering refuses anything else before the filter is called
    "texts",  # a list of them
    "list",  # something to loop over
    "sized",  # something that has a length
    "object",
    "number",
    "amount",  # a number, or its text: "19.90"
    "currency",
    "date",
    "datetime",
    "link",
]


@dataclass(frozen=True, slots=True)
class Asks:
    """What a filter asks of its value, and of its arguments by their names."""

    value: Demand = "any"
    arguments: Mapping[str, Demand] = field(default_factory=dict)


_Function = TypeVar("_Function", bound=Callable[..., Any])

FILTERS: Final[dict[str, Callable[..., Any]]] = {}
"""The filters of our own, by name."""
ASKED: Final[dict[str, Asks]] = {}
"""What every filter asks, Jinja's included; one that is not here asks its value to be there."""


def asks(value: Demand = "any", **arguments: Demand) -> Callable[[_Function], _Function]:
    """Make a function a filter under its own name, and say what it asks."""

    def register(function: _Function) -> _Function:
        FILTERS[function.__name__] = function
        ASKED[function.__name__] = Asks(value, arguments)
        return function

    return register
