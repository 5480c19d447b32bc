"""How much of a category one recipient gets in a time: `cap = "3 per 7 days"`. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from chalicelib.regex import regex
from chalicelib.values import dataclass

SHAPE: Final = '"3 per 7 days"'
OVER: Final = ("suppress", "defer")
# Who was sent what is remembered in one item, and as long as the ledger remembers events.
MOST: Final = 100
LONGEST: Final = timedelta(days=30)
_CAP: Final = regex(r"([1-9]\d{0,5}) per (?:([1-9]\d{0,5}) )?(minute|hour|day|week)s?\Z")
_UNITS: Final = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
}


@dataclass(frozen=True, slots=True)
class Cap:
    """At most so many in any stretch of `within`; what is above that is suppressed, or waits (`defer`)."""

    most: int
    within: timedelta
    defer: bool
    text: str


def read(cap: object, over: object) -> Cap | None:
    """The cap that a category has in routing.toml; None where it has none.

    Raises
    ------
    ValueError : `key`, and what is wrong with it, as its author may read it.
    """
    if cap is None:
        if over is not None:
            raise ValueError("over_cap", f"says what happens above a cap: add cap = {SHAPE}")
        return None
    match = _CAP.match(cap) if isinstance(cap, str) else None
    if match is None:
        raise ValueError("cap", f"must be a number and a time, such as {SHAPE}")
    most, within = int(match[1]), int(match[2] or 1) * _UNITS[match[3]]
    if most > MOST:
        raise ValueError("cap", f"is of {MOST} at the most")
    if within > LONGEST:
        raise ValueError("cap", f"is of {LONGEST.days} days at the most")
    if over is not None and over not in OVER:
        raise ValueError("over_cap", f"must be one of {', '.join(OVER)}")
    return Cap(most, within, over == "defer", match[0])
