"""The same for many, at once: calls that wait for AWS wait together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_T = TypeVar("_T")
_U = TypeVar("_U")


def side_by_side(do: Callable[[_T], _U], these: Iterable[_T], most: int) -> list[_U]:
    """Do something for each, at most `most` at once; what came of each, in their order. What one raises is raised."""
    with ThreadPoolExecutor(most) as pool:
        return list(pool.map(do, these))
