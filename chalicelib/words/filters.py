"""The filters that templates have beyond Jinja's own: amounts, dates, lists and links in words.

Each writes in the `locale` of the template's context. Babel is imported where it is used, so a
template without amounts and dates does not pay for it. Spaces are plain ones: Babel's non-breaking
spaces are not in the GSM alphabet and would more than halve what fits in an SMS part.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import re
from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Final

import jinja2
from jinja2.runtime import Context

from chalicelib.events.event import timestamp
from chalicelib.words.asks import FILTERS as FILTERS
from chalicelib.words.asks import asks
from chalicelib.words.text import WordsError, as_text, kind, texts

if TYPE_CHECKING:
    from babel import Locale

_STYLES: Final = ("short", "medium", "long", "full")
_SPECIAL_SPACE: Final = re.compile("[\u00a0\u202f]")
# Written so that JSON Schema reads them as Python does: they stand in an event type's contract.
AMOUNT: Final = r"-?[0-9]{1,15}(\.[0-9]+)?"
AMOUNT_BELOW: Final = 10**15
CURRENCY: Final = "[A-Z]{3}"
_NOT_IN_A_LINK: Final = (
    r"\u0000-\u0020\u007f-\u00a0\u1680\u2000-\u200f\u2028-\u202f\u205f\u2060\u3000\ufeff<>\""
)
LINK: Final = rf"[Hh][Tt][Tt][Pp][Ss]?://[^{_NOT_IN_A_LINK}/?#@:\[\]\\]+(:[0-9]{{1,5}})?([/?#][^{_NOT_IN_A_LINK}]*)?"
LINK_CHARACTERS: Final = 1_000
_AMOUNT: Final = re.compile(AMOUNT)
_CURRENCY: Final = re.compile(CURRENCY)
_LINK: Final = re.compile(LINK)
# From 1990 up to 2200. In between, seconds and milliseconds are no match for each other, nor for a date
# that was written as a number: 20261203, 202612031830, 20261203183000. And 0 is no date but a blank.
FIRST_SECOND: Final = 631_152_000
LAST_SECOND: Final = 7_258_118_400
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_CLOCK: Final = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?", re.ASCII
)
# Where Spanish says "e" for "y": before the sound i, but not before a diphthong such as hielo's.
_SOUNDS_LIKE_I: Final = re.compile(r"[ií]|hí|hi(?![aeou])", re.IGNORECASE)
_NEAR_DAYS: Final = {
    "es": {-1: "ayer", 0: "hoy", 1: "mañana"},
    "en": {-1: "yesterday", 0: "today", 1: "tomorrow"},
}


FilterError = WordsError


@asks("amount", currency="currency")
@jinja2.pass_context
def money(context: Context, value: object, currency: object = "EUR") -> str:
    """`19.9|money` is "19,90 €"; `value` is a number or its text, `currency` an ISO 4217 code.

    A code that is not known here (they come and go) is written as it is.
    """
    amount = _number("money", value)
    _defined(currency)
    locale = _locale(context, "money")
    from babel.numbers import format_currency, get_currency_precision

    if not isinstance(currency, str) or not is_currency(currency):
        raise FilterError("money expects a currency by its ISO 4217 code, such as EUR", currency)
    # Babel would round 0.125 to 0.12, and print a rounded-off -0.001 as -0.00; "+ 0" drops the sign.
    cent = Decimal(1).scaleb(-get_currency_precision(currency))
    amount = amount.quantize(cent, ROUND_HALF_UP) + 0
    return _plain_spaces(format_currency(amount, currency, locale=locale))


@asks("date", style="text")
@jinja2.pass_context
def date(context: Context, value: object, style: str = "long") -> str:
    """An ISO 8601 date, or the date of a date and time, as it is written there.

    `style` is short, medium, long ("3 de diciembre de 2026"), full, or day, which names the day of
    the week and leaves out the year: "jueves 3 de diciembre".
    """
    return _written_day(_day(_moment("date", value)), style, _tag(context, "date"))


# One shop's events speak of the same few days, and Babel takes longer to write one than the rest of a
# message takes to render.
@functools.lru_cache(maxsize=256)
def _written_day(day: dt.date, style: str, tag: str) -> str:
    locale = _parsed_locale(tag)
    from babel.dates import format_date

    if style == "day":
        skeletons = locale.datetime_skeletons
        pattern = str(skeletons.get("MMMMEd") or skeletons["MMMEd"])
        style = re.sub("E+", "EEEE", re.sub("MMM+", "MMMM", pattern))
        if locale.language == "es":  # within a sentence, "el jueves 3 de diciembre" reads better
            style = style.replace(",", "")
    elif style not in _STYLES:
        raise FilterError(f"date expects a style of {', '.join(_STYLES)} or day")
    return _plain_spaces(format_date(day, style, locale=locale))


@asks("datetime", style="text")
@jinja2.pass_context
def datetime(context: Context, value: object, style: str = "long") -> str:
    """An ISO 8601 date and time on the clock of its own offset, to the minute.

    A sender's offset is taken for the reader's, and not named; UTC, which is on no wall, is.
    """
    moment = _moment("datetime", value)
    if not isinstance(moment, dt.datetime):
        expected = "a date with a time, such as 2026-12-03T18:30:00+01:00"
        raise FilterError(f"datetime expects {expected}", value)
    locale = _locale(context, "datetime")
    if style not in _STYLES:
        raise FilterError(f"datetime expects a style of {', '.join(_STYLES)}")
    from babel.dates import format_date, format_time, get_datetime_format

    pattern = str(get_datetime_format(style, locale=locale)).replace("'", "")  # type: ignore[arg-type]  # checked above
    clock = format_time(moment.replace(tzinfo=None), "short", locale=locale)
    day = format_date(moment, style, locale=locale)
    zone = " UTC" if moment.utcoffset() == dt.timedelta(0) else ""
    return _plain_spaces(pattern.replace("{0}", clock).replace("{1}", day)) + zone


@asks("date")
@jinja2.pass_context
def relative(context: Context, value: object) -> str:
    """How many days an ISO 8601 date is from the event's `time`, or else from today in UTC.

    "hoy", "mañana", "dentro de 3 días", "hace 2 días". Counts calendar days, not spans of 24 hours.
    """
    target = _moment("relative", value)
    days = (_day(target) - _reference_day(context, target)).days
    return _days_away(days, _tag(context, "relative"))


@functools.lru_cache(maxsize=256)
def _days_away(days: int, tag: str) -> str:
    locale = _parsed_locale(tag)
    near = _NEAR_DAYS.get(locale.language, {}).get(days)
    if near is not None:
        return near
    from babel.dates import format_timedelta

    exact = 10**9  # never rounded up to weeks or months: six days are not "one week"
    span = dt.timedelta(days=days)
    return _plain_spaces(
        format_timedelta(span, "day", threshold=exact, add_direction=True, locale=locale)
    )


@asks("texts")
@jinja2.pass_context
def listed(context: Context, value: object) -> str:
    """`["pan", "aceite", "sal"]|listed` is "pan, aceite y sal". Nothing for an empty list."""
    _defined(value)
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise FilterError(f"listed expects a list, not {kind(value)}", value)
    words = list(texts("listed", value))
    locale = _locale(context, "listed")
    if locale.language == "es" and len(words) > 1:
        joint = " e " if _SOUNDS_LIKE_I.match(words[-1]) else " y "
        return ", ".join(words[:-1]) + joint + words[-1]
    from babel.lists import format_list

    return format_list(words, locale=locale)


@asks("amount", one="text", many="text")
@jinja2.pass_context
def plural(context: Context, value: object, one: str, many: str) -> str:
    """`3|plural("artículo", "artículos")` is "3 artículos": the number and the word that goes with it."""
    number = _number("plural", value)
    locale = _locale(context, "plural")
    from babel.numbers import format_decimal

    word = one if locale.plural_form(number) == "one" else many
    return f"{_plain_spaces(format_decimal(number, locale=locale))} {word}"


@asks("link")
def link(value: object) -> str:
    """An http or https URL, as it is. Anything else is refused rather than sent as a dead link."""
    _defined(value)
    expected = "link expects a URL that starts with https:// or http://"
    if not isinstance(value, str):
        raise FilterError(f"{expected}, not {kind(value)}", value)
    if not is_link(value):
        no = f"no spaces, quotes, user name or line breaks, and at most {LINK_CHARACTERS:,} characters"
        raise FilterError(f"{expected} and has {no}", value)
    return value


@asks("text")
def truncate(
    value: object, length: int = 255, killwords: bool = False, end: str = "...", leeway: int = 0
) -> str:
    """The start of a text, `length` characters at the most, `end` included; cut between words.

    Unlike Jinja's own it takes numbers and never goes beyond `length`, since what it is used for,
    subjects and SMS, has limits that are not its to stretch.
    """
    text = as_text(value)
    if text is None:
        raise FilterError(f"truncate expects a text, not {kind(value)}", value)
    if len(text) <= length + leeway:
        return text
    at = max(0, length - len(end))
    kept = text[:at]
    if not killwords and text[at] != " ":
        kept = kept.rsplit(" ", 1)[0]
    return (kept + end)[:length]


def is_currency(text: str) -> bool:
    """Whether a text has the form of an ISO 4217 code."""
    return _CURRENCY.fullmatch(text) is not None


def is_link(text: str) -> bool:
    return len(text) <= LINK_CHARACTERS and _LINK.fullmatch(text) is not None


def is_moment(text: str) -> bool:
    return moment(text) is not None


def is_datetime(text: str) -> bool:
    return isinstance(moment(text), dt.datetime)


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


def _defined(value: object) -> None:
    """Let a missing variable fail under its own name, not as a value of the wrong kind."""
    if isinstance(value, jinja2.Undefined):
        str(value)


def _number(name: str, value: object) -> Decimal:
    _defined(value)
    expected = f"{name} expects a number such as 19.9"
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise FilterError(f"{expected}, not {kind(value)}", value)
    if isinstance(value, str):
        # Decimal itself would also take "1e999999", "1_000" and NaN.
        if not _AMOUNT.fullmatch(value):
            other = 'or a text such as "19.90" with nothing else in it'
            raise FilterError(f"{expected}, {other}", value)
        return Decimal(value)
    # By way of its text, a float keeps the digits that were sent: 0.1 and not 0.1000000000000000055.
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if not number.is_finite() or abs(number) >= AMOUNT_BELOW:
        raise FilterError(f"{expected}, below 10^15", value)
    return number


def _moment(name: str, value: object) -> dt.date | dt.datetime:
    _defined(value)
    if isinstance(value, str):
        found = moment(value)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        found = _since_1970(value)
    else:
        found = None
    if found is not None:
        return found
    expected = "an ISO 8601 date such as 2026-12-03 or 2026-12-03T18:30:00+01:00"
    raise FilterError(f"{name} expects {expected}, or seconds since 1970", value)


def _since_1970(number: float) -> dt.datetime | None:
    """A moment that came as seconds, or as milliseconds; None for what is neither for certain."""
    for unit in (1, 1000):
        if FIRST_SECOND <= number / unit < LAST_SECOND:
            return dt.datetime.fromtimestamp(number / unit, dt.UTC)
    return None


def _day(moment: dt.date | dt.datetime) -> dt.date:
    return moment.date() if isinstance(moment, dt.datetime) else moment


def _reference_day(context: Context, target: dt.date | dt.datetime) -> dt.date:
    """The day from which `target` is counted, on the clock of `target` where that is known."""
    time = context.environment.getattr(context.get("event"), "time")
    now = _moment("relative", time) if isinstance(time, str) else dt.datetime.now(dt.UTC)
    zone = target.tzinfo if isinstance(target, dt.datetime) else None
    if zone and isinstance(now, dt.datetime) and now.tzinfo:
        with contextlib.suppress(OverflowError):  # the first and the last day that Python knows
            now = now.astimezone(zone)
    return _day(now)


def _locale(context: Context, name: str) -> Locale:
    return _parsed_locale(_tag(context, name))


def _tag(context: Context, name: str) -> str:
    tag = context.get("locale")
    if not isinstance(tag, str):
        raise FilterError(f"{name} needs the locale: import the file it stands in `with context`")
    return tag


@functools.lru_cache(maxsize=32)
def _parsed_locale(tag: str) -> Locale:
    from babel import Locale, UnknownLocaleError

    try:
        return Locale.parse(tag.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        raise FilterError(
            "there is no such locale: name the template's file es.j2, en.j2, …"
        ) from None


def _plain_spaces(text: str) -> str:
    return _SPECIAL_SPACE.sub(" ", text)
