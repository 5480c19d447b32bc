"""Charts as SVG, drawn here: what a browser gets is a picture, and beside it the table that says the same.

Nothing of an event's own is in them: numbers, and labels that are times.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

from chalicelib.values import dataclass

WIDTH: Final = 720
HEIGHT: Final = 200
LEFT: Final = 56
_GAP: Final = 3


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a bar: `layer` is its number from below."""

    layer: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Chart:
    """What is drawn: lines of the scale with their labels, and bars' parts or paths."""

    scale: Sequence[tuple[float, str]]
    pieces: Sequence[Piece] = ()
    paths: Sequence[str] = ()
    dots: Sequence[Sequence[tuple[float, float]]] = ()
    is_empty: bool = False


def stacked(bars: Sequence[Sequence[int]]) -> Chart:
    """A bar for each, of its parts one above the other."""
    most = max((sum(bar) for bar in bars), default=0)
    top, step = rounded(most)
    width = (WIDTH - LEFT) / max(1, len(bars))
    pieces = []
    for number, bar in enumerate(bars):
        below = 0
        for layer, count in enumerate(bar):
            if not count:
                continue
            height = max(1.5, count / top * HEIGHT)
            y = HEIGHT - below / top * HEIGHT - height
            x = LEFT + number * width + _GAP / 2
            pieces.append(Piece(layer, _short(x), _short(y), _short(width - _GAP), _short(height)))
            below += count
    scale = [(_short(HEIGHT - at / top * HEIGHT), f"{at:,.0f}") for at in _steps(top, step)]
    return Chart(scale, pieces, is_empty=not most)


def lines(values: Sequence[Sequence[float | None]], told: Callable[[float], str]) -> Chart:
    """A line for each row of values; where there is none, it is broken."""
    known = [value for row in values for value in row if value is not None]
    top, step = rounded(max(known, default=0), whole=False)
    width = (WIDTH - LEFT) / max(1, len(values[0]) if values else 1)
    paths, dots = [], []
    for row in values:
        places = [
            (_short(LEFT + (n + 0.5) * width), _short(HEIGHT - value / top * HEIGHT))
            if value is not None
            else None
            for n, value in enumerate(row)
        ]
        path, broken = "", True
        for place in places:
            if place is not None:
                path += f"{'M' if broken else 'L'}{place[0]} {place[1]}"
            broken = place is None
        paths.append(path)
        dots.append([place for place in places if place is not None])
    scale = [(_short(HEIGHT - at / top * HEIGHT), told(at)) for at in _steps(top, step)]
    return Chart(scale, paths=paths, dots=dots, is_empty=not known)


def ticks(labels: Sequence[str], most: int = 6) -> list[tuple[float, str]]:
    """Labels below a chart: so many at the most, at equal distances, where their bars begin."""
    width = (WIDTH - LEFT) / max(1, len(labels))
    every = max(1, math.ceil(len(labels) / most))
    return [
        (_short(LEFT + number * width), label)
        for number, label in enumerate(labels)
        if number % every == 0
    ]


def rounded(most: float, whole: bool = True) -> tuple[float, float]:
    """The top of a scale that ends at or above this, and the step between its lines: 1, 2 or 5 times a ten."""
    if most <= 0:
        return 1.0, 1.0
    step = 10.0 ** math.floor(math.log10(most / 4))
    for times in (1, 2, 5, 10):
        if most / (step * times) <= 4:
            step *= times
            break
    step = max(step, 1.0) if whole else step
    return math.ceil(most / step - 1e-9) * step, step


def _steps(top: float, step: float) -> list[float]:
    return [step * number for number in range(round(top / step) + 1)]


def _short(number: float) -> float:
    return round(number, 1)
