"""Moments as pages show them: on the shop's own clock."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Final

from chalicelib.words.render import templates

_MONTHS: Final = {
    "es": ["ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sep", "oct", "nov", "dic"],
    "en": ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"],
}


def shop_zone() -> tzinfo:
    return templates().environment.time_zone or UTC


def zone_name() -> str:
    return str(shop_zone())


def clock(moment: str | datetime, language: str, now: datetime | None = None) -> str:
    """A moment (ISO, or aware): of today by the clock alone, of another day by its date as well."""
    at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    zone = shop_zone()
    at, today = at.astimezone(zone), (now or datetime.now(UTC)).astimezone(zone)
    if at.date() == today.date():
        return f"{at:%H:%M:%S}"
    if at.year == today.year:
        return f"{day(at, language)} {at:%H:%M}"
    return f"{day(at, language)} {at.year}"


def day(at: datetime, language: str) -> str:
    return f"{at.day} {_MONTHS[language][at.month - 1]}"


def lasted(seconds: float) -> str:
    """How long something took: 0.24 s, 3 min, 2 h, 4 d."""
    if seconds < 1:
        return f"{max(0.0, seconds) * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
