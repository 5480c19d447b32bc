"""The filters that templates have beyond Jinja's own: amounts, dates, lists and links in words.

Each writes in the `locale` of the template's context. Babel is imported where it is used, so a
template without amounts and dates does not pay for it. Spaces are plain ones: Babel's non-breaking
spaces are not in the GSM alphabet and would more than halve what fits in an SMS part.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import jinja2
from jinja2.runtime import Context

if TYPE_CHECKING:
    from babel import Locale

_STYLES: Final = ("short", "medium", "long", "full")
_NUMBER: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")
_LARGEST: Final = Decimal(10) ** 15
_SPECIAL_SPACE: Final = re.compile("[\u00a0\u202f]")
_NOT_IN_A_LINK: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f<>\"]")
# Where Spanish says "e" for "y": before the sound i, but not before a diphthong such as hielo's.
_SOUNDS_LIKE_I: Final = re.compile(r"[ií]|hí|hi(?![aeou])", re.IGNORECASE)
_NEAR_DAYS: Final = {
    "es": {-1: "ayer", 0: "hoy", 1: "mañana"},
    "en": {-1: "yesterday", 0: "today", 1: "tomorrow"},
}


class FilterError(ValueError):
    """A filter met a value that it cannot write. Says what it expects, never shows the value."""

    heraldo = True  # the message may be shown to whoever sent the event


@jinja2.pass_context
def money(context: Context, value: object, currency: object = "EUR") -> str:
    """`19.9|money` is "19,90 €"; `value` is a number or its text, `currency` an ISO 4217 code."""
    amount = _number("money", value)
    _defined(currency)
    locale = _locale(context, "money")
    from babel.numbers import format_currency, get_currency_precision, is_currency

    if not isinstance(currency, str) or not currency.isupper() or not is_currency(currency):
        raise FilterError("money expects a currency by its ISO 4217 code, such as EUR")
    # Babel would round 0.125 to 0.12, and print a rounded-off -0.001 as -0.00; "+ 0" drops the sign.
    cent = Decimal(1).scaleb(-get_currency_precision(currency))
    amount = amount.quantize(cent, ROUND_HALF_UP) + 0
    return _plain_spaces(format_currency(amount, currency, locale=locale))


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


@jinja2.pass_context
def datetime(context: Context, value: object, style: str = "long") -> str:
    """An ISO 8601 date and time on the clock of its own offset, to the minute.

    A sender's offset is taken for the reader's, and not named; UTC, which is on no wall, is.
    """
    moment = _moment("datetime", value)
    if not isinstance(moment, dt.datetime):
        raise FilterError("datetime expects a date with a time, such as 2026-12-03T18:30:00+01:00")
    locale = _locale(context, "datetime")
    if style not in _STYLES:
        raise FilterError(f"datetime expects a style of {', '.join(_STYLES)}")
    from babel.dates import format_date, format_time, get_datetime_format

    pattern = str(get_datetime_format(style, locale=locale)).replace("'", "")  # type: ignore[arg-type]  # checked above
    clock = format_time(moment.replace(tzinfo=None), "short", locale=locale)
    day = format_date(moment, style, locale=locale)
    zone = " UTC" if moment.utcoffset() == dt.timedelta(0) else ""
    return _plain_spaces(pattern.replace("{0}", clock).replace("{1}", day)) + zone


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


@jinja2.pass_context
def listed(context: Context, value: object) -> str:
    """`["pan", "aceite", "sal"]|listed` is "pan, aceite y sal". Nothing for an empty list."""
    _defined(value)
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise FilterError(f"listed expects a list, not {_kind(value)}")
    words = []
    for item in value:
        _defined(item)
        if isinstance(item, bool) or not isinstance(item, str | int | float | Decimal):
            raise FilterError(f"listed expects a list of texts, and one is {_kind(item)}")
        words.append(str(item))
    locale = _locale(context, "listed")
    if locale.language == "es" and len(words) > 1:
        joint = " e " if _SOUNDS_LIKE_I.match(words[-1]) else " y "
        return ", ".join(words[:-1]) + joint + words[-1]
    from babel.lists import format_list

    return format_list(words, locale=locale)


@jinja2.pass_context
def plural(context: Context, value: object, one: str, many: str) -> str:
    """`3|plural("artículo", "artículos")` is "3 artículos": the number and the word that goes with it."""
    number = _number("plural", value)
    locale = _locale(context, "plural")
    from babel.numbers import format_decimal

    word = one if locale.plural_form(number) == "one" else many
    return f"{_plain_spaces(format_decimal(number, locale=locale))} {word}"


def link(value: object) -> str:
    """An http or https URL, as it is. Anything else is refused rather than sent as a dead link."""
    _defined(value)
    expected = "link expects a URL that starts with https:// or http://"
    if not isinstance(value, str):
        raise FilterError(f"{expected}, not {_kind(value)}")
    if _NOT_IN_A_LINK.search(value):
        raise FilterError(f"{expected} and has no spaces, quotes or line breaks in it")
    try:
        parts = urlsplit(value)
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:  # such as an unclosed bracket in the host
        good = False
    if not good:
        raise FilterError(expected)
    return value


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "money": money,
    "date": date,
    "datetime": datetime,
    "relative": relative,
    "listed": listed,
    "plural": plural,
    "link": link,
}


def _defined(value: object) -> None:
    """Let a missing variable fail under its own name, not as a value of the wrong kind."""
    if isinstance(value, jinja2.Undefined):
        str(value)


def _kind(value: object) -> str:
    """What JSON calls a value of this kind."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, str):
        return "a text"
    if isinstance(value, int | float | Decimal):
        return "a number"
    return "an object" if isinstance(value, Mapping) else "a list"


def _number(name: str, value: object) -> Decimal:
    _defined(value)
    expected = f"{name} expects a number such as 19.9"
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise FilterError(f"{expected}, not {_kind(value)}")
    if isinstance(value, str):
        # Decimal itself would also take "1e999999", "1_000" and NaN.
        if not _NUMBER.fullmatch(value):
            raise FilterError(f'{expected}, or a text such as "19.90" with nothing else in it')
        return Decimal(value)
    # By way of its text, a float keeps the digits that were sent: 0.1 and not 0.1000000000000000055.
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if not number.is_finite() or abs(number) >= _LARGEST:
        raise FilterError(f"{expected}, below 10^15")
    return number


def _moment(name: str, value: object) -> dt.date | dt.datetime:
    _defined(value)
    if isinstance(value, str):
        try:
            return (
                dt.date.fromisoformat(value)
                if len(value) <= 10
                else dt.datetime.fromisoformat(value)
            )
        except ValueError:
            pass
    expected = "an ISO 8601 date such as 2026-12-03 or 2026-12-03T18:30:00+01:00"
    raise FilterError(f"{name} expects {expected}") from None


def _day(moment: dt.date | dt.datetime) -> dt.date:
    return moment.date() if isinstance(moment, dt.datetime) else moment


def _reference_day(context: Context, target: dt.date | dt.datetime) -> dt.date:
    """The day from which `target` is counted, on the clock of `target` where that is known."""
    time = context.environment.getattr(context.get("event"), "time")
    now = _moment("relative", time) if isinstance(time, str) else dt.datetime.now(dt.UTC)
    zone = target.tzinfo if isinstance(target, dt.datetime) else None
    if zone and isinstance(now, dt.datetime) and now.tzinfo:
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
