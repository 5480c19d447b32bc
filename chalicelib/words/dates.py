"""The filters for dates and times, and what they take for one.

A moment that came in UTC is written on the shop's own clock, where the shop has one (`time_zone` in
templates/_layouts/shop.j2); one that came with another offset keeps its own.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import re
from typing import Final

import jinja2
from jinja2.runtime import Context

from chalicelib.events.event import timestamp
from chalicelib.regex import regex
from chalicelib.words.asks import asks
from chalicelib.words.language import defined, locale_of, parsed, plain_spaces, tag_of
from chalicelib.words.text import WordsError

_STYLES: Final = ("short", "medium", "long", "full")
# From 1990 up to 2200. In between, seconds and milliseconds are no match for each other, nor for a date
# that was written as a number: 20261203, 202612031830, 20261203183000. And 0 is no date but a blank.
FIRST_SECOND: Final = 631_152_000
LAST_SECOND: Final = 7_258_118_400
_DAY: Final = regex(r"\d{4}-\d\d-\d\d", re.ASCII)
_CLOCK: Final = regex(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?", re.ASCII)
_NEAR_DAYS: Final = {
    "es": {-1: "ayer", 0: "hoy", 1: "mañana"},
    "en": {-1: "yesterday", 0: "today", 1: "tomorrow"},
}


@asks("date", style="text")
@jinja2.pass_context
def date(context: Context, value: object, style: str = "long") -> str:
    """A date, or the date of a date and time.

    `style` is short, medium, long ("3 de diciembre de 2026"), full, or day, which names the day of
    the week and leaves out the year: "jueves 3 de diciembre".
    """
    return _written_day(_day(_moment(context, "date", value)), style, tag_of(context, "date"))


# One shop's events speak of the same few days, and Babel takes longer to write one than the rest of a
# message takes to render.
@functools.lru_cache(maxsize=256)
def _written_day(day: dt.date, style: str, tag: str) -> str:
    locale = parsed(tag)
    from babel.dates import format_date

    if style == "day":
        skeletons = locale.datetime_skeletons
        pattern = str(skeletons.get("MMMMEd") or skeletons["MMMEd"])
        style = re.sub("E+", "EEEE", re.sub("MMM+", "MMMM", pattern))
        if locale.language == "es":  # within a sentence, "el jueves 3 de diciembre" reads better
            style = style.replace(",", "")
    elif style not in _STYLES:
        raise WordsError(f"date expects a style of {', '.join(_STYLES)} or day")
    return plain_spaces(format_date(day, style, locale=locale))


@asks("datetime", style="text")
@jinja2.pass_context
def datetime(context: Context, value: object, style: str = "long") -> str:
    """A date and time, to the minute.

    A sender's offset is taken for the reader's, and not named; UTC, which is on no wall, is.
    """
    moment = _moment(context, "datetime", value)
    if not isinstance(moment, dt.datetime):
        expected = "a date with a time, such as 2026-12-03T18:30:00+01:00"
        raise WordsError(f"datetime expects {expected}", value)
    locale = locale_of(context, "datetime")
    if style not in _STYLES:
        raise WordsError(f"datetime expects a style of {', '.join(_STYLES)}")
    from babel.dates import format_date, format_time, get_datetime_format

    pattern = str(get_datetime_format(style, locale=locale)).replace("'", "")  # type: ignore[arg-type]  # checked above
    clock = format_time(moment.replace(tzinfo=None), "short", locale=locale)
    day = format_date(moment, style, locale=locale)
    zone = " UTC" if moment.tzinfo is dt.UTC else ""
    return plain_spaces(pattern.replace("{0}", clock).replace("{1}", day)) + zone


@asks("date")
@jinja2.pass_context
def relative(context: Context, value: object) -> str:
    """How many days a date is from the event's `time`, or else from today.

    "hoy", "mañana", "dentro de 3 días", "hace 2 días". Counts calendar days, not spans of 24 hours.
    """
    target = _moment(context, "relative", value)
    days = (_day(target) - _reference_day(context, target)).days
    return _days_away(days, tag_of(context, "relative"))


@functools.lru_cache(maxsize=256)
def _days_away(days: int, tag: str) -> str:
    locale = parsed(tag)
    near = _NEAR_DAYS.get(locale.language, {}).get(days)
    if near is not None:
        return near
    from babel.dates import format_timedelta

    exact = 10**9  # never rounded up to weeks or months: six days are not "one week"
    span = dt.timedelta(days=days)
    return plain_spaces(
        format_timedelta(span, "day", threshold=exact, add_direction=True, locale=locale)
    )


def _reference_day(context: Context, target: dt.date | dt.datetime) -> dt.date:
    """The day from which `target` is counted, on the clock of `target` where that is known."""
    time = context.environment.getattr(context.get("event"), "time")
    now = _moment(context, "relative", time if isinstance(time, str) else _now())
    zone = target.tzinfo if isinstance(target, dt.datetime) else _zone(context)
    if zone and isinstance(now, dt.datetime) and now.tzinfo:
        now = _on_clock(now, zone)
    return _day(now)


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat()


def _zone(context: Context) -> dt.tzinfo | None:
    """The shop's own time zone."""
    zone: dt.tzinfo | None = getattr(context.environment, "time_zone", None)
    return zone


def _on_clock(moment: dt.datetime, zone: dt.tzinfo) -> dt.datetime:
    with contextlib.suppress(OverflowError):  # the first and the last day that Python knows
        return moment.astimezone(zone)
    return moment


def _day(moment: dt.date | dt.datetime) -> dt.date:
    return moment.date() if isinstance(moment, dt.datetime) else moment


def _moment(context: Context, name: str, value: object) -> dt.date | dt.datetime:
    defined(value)
    found: dt.date | dt.datetime | None = None
    if isinstance(value, str):
        found = moment(value)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        found = _since_1970(value)
    if found is None:
        expected = "an ISO 8601 date such as 2026-12-03 or 2026-12-03T18:30:00+01:00"
        raise WordsError(f"{name} expects {expected}, or seconds since 1970", value)
    if isinstance(found, dt.datetime) and found.utcoffset() == dt.timedelta(0):
        return _on_clock(found, _zone(context) or dt.UTC)
    return found


def moment(text: str) -> dt.date | dt.datetime | None:
    """A date, or an RFC 3339 date and time; seconds and offset may be left out. None for neither."""
    try:
        if _DAY.fullmatch(text):
            return dt.date.fromisoformat(text)
        if _CLOCK.fullmatch(text):
            return dt.datetime.fromisoformat(text)
    except ValueError:
        pass
    try:
        return timestamp(text)  # a leap second, and other forms that Python does not read
    except ValueError:
        return None


def _since_1970(number: float) -> dt.datetime | None:
    """A moment that came as seconds, or as milliseconds; None for what is neither for certain."""
    for unit in (1, 1000):
        if FIRST_SECOND * unit <= number < LAST_SECOND * unit:
            return dt.datetime.fromtimestamp(number / unit, dt.UTC)
    return None
