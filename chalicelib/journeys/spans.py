"""Spans of time as people write them: `1d 2h`, `30m`, `0`."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from chalicelib.regex import regex

_SPAN: Final = regex(r"(?:(\d+)d)? ?(?:(\d+)h)? ?(?:(\d+)m)? ?(?:(\d+)s)?\Z")
SHAPE: Final = "a span such as '1d 2h', '30m' or '0'"


def read(text: object) -> timedelta | None:
    """The span that a text says, or None where it says none."""
    if text in ("0", 0) and not isinstance(text, bool):
        return timedelta()
    found = _SPAN.match(text) if isinstance(text, str) and text else None
    if found is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def write(span: timedelta) -> str:
    """A span in the same form."""
    seconds = round(span.total_seconds())
    parts = (
        (seconds // 86400, "d"),
        (seconds // 3600 % 24, "h"),
        (seconds // 60 % 60, "m"),
        (seconds % 60, "s"),
    )
    return " ".join(f"{count}{unit}" for count, unit in parts if count) or "0"
