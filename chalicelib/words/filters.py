"""The filters that templates have beyond Jinja's own: amounts, lists and links in words.

Each writes in the `locale` of the template's context. A filter is a function under `@asks`, here or, for
dates, in dates.py; nothing else needs to know of it.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

import jinja2
from jinja2.runtime import Context

from chalicelib.regex import regex
from chalicelib.words import dates as _dates  # noqa: F401 - its filters register themselves
from chalicelib.words.asks import FILTERS as FILTERS
from chalicelib.words.asks import asks
from chalicelib.words.language import defined, locale_of, plain_spaces
from chalicelib.words.text import WordsError, as_text, kind, texts

# Written so that JSON Schema reads them as Python does: they stand in an event type's contract.
AMOUNT: Final = r"-?[0-9]{1,15}(\.[0-9]+)?"
AMOUNT_BELOW: Final = 10**15
CURRENCY: Final = "[A-Z]{3}"
_NOT_IN_A_LINK: Final = (
    r"\u0000-\u0020\u007f-\u00a0\u1680\u2000-\u200f\u2028-\u202f\u205f\u2060\u3000\ufeff<>\""
)
LINK: Final = rf"[Hh][Tt][Tt][Pp][Ss]?://[^{_NOT_IN_A_LINK}/?#@:\[\]\\]+(:[0-9]{{1,5}})?([/?#][^{_NOT_IN_A_LINK}]*)?"
LINK_CHARACTERS: Final = 1_000
_AMOUNT: Final = regex(AMOUNT)
_CURRENCY: Final = regex(CURRENCY)
_LINK: Final = regex(LINK)
# Where Spanish says "e" for "y": before the sound i, but not before a diphthong such as hielo's.
_SOUNDS_LIKE_I: Final = regex(r"[ií]|hí|hi(?![aeou])", re.IGNORECASE)

FilterError = WordsError


@asks("amount", currency="currency")
@jinja2.pass_context
def money(context: Context, value: object, currency: object = "EUR") -> str:
    """`19.9|money` is "19,90 €"; `value` is a number or its text, `currency` an ISO 4217 code.

    A code that is not known here (they come and go) is written as it is.
    """
    amount = _number("money", value)
    defined(currency)
    locale = locale_of(context, "money")
    if not isinstance(currency, str) or not is_currency(currency):
        raise FilterError("money expects a currency by its ISO 4217 code, such as EUR", currency)
    # Babel would round 0.125 to 0.12, and print a rounded-off -0.001 as -0.00; "+ 0" drops the sign.
    _, cent = _unit(currency, str(locale))
    return _amount(amount.quantize(cent, ROUND_HALF_UP) + 0, currency, str(locale))


# A mail says the same amounts as text and as HTML, and Babel takes 40 µs for one.
@functools.lru_cache(maxsize=256)
def _amount(amount: Decimal, currency: str, locale: str) -> str:
    from babel.numbers import format_currency

    symbol, _ = _unit(currency, locale)
    return _spaced(plain_spaces(format_currency(amount, currency, locale=locale)), symbol)


@functools.lru_cache(maxsize=64)
def _unit(currency: str, locale: str) -> tuple[str, Decimal]:
    """A currency as a locale writes it, and its smallest coin."""
    from babel.numbers import get_currency_precision, get_currency_symbol

    cent = Decimal(1).scaleb(-get_currency_precision(currency))
    return get_currency_symbol(currency, locale), cent


def _spaced(amount: str, symbol: str) -> str:
    """An amount with a space between its digits and a currency that is written in letters: ARS 5.

    Babel leaves it out: https://www.unicode.org/reports/tr35/tr35-numbers.html#Currencies
    """
    before, found, after = amount.partition(symbol)
    if not found:
        return amount
    if after[:1].isdigit() and unicodedata.category(symbol[-1])[0] not in "SZ":
        after = f" {after}"
    if before[-1:].isdigit() and unicodedata.category(symbol[0])[0] not in "SZ":
        before = f"{before} "
    return f"{before}{symbol}{after}"


@asks("texts")
@jinja2.pass_context
def listed(context: Context, value: object) -> str:
    """`["pan", "aceite", "sal"]|listed` is "pan, aceite y sal". Nothing for an empty list."""
    defined(value)
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise FilterError(f"listed expects a list, not {kind(value)}", value)
    words = list(texts("listed", value))
    locale = locale_of(context, "listed")
    if locale.language == "es" and len(words) > 1:
        joint = " e " if _SOUNDS_LIKE_I.match(words[-1]) else " y "
        return ", ".join(words[:-1]) + joint + words[-1]
    from babel.lists import format_list

    return format_list(words, locale=locale)


@asks("amount", one="text", many="text", zero="text", two="text", few="text", other="text")
@jinja2.pass_context
def plural(
    context: Context,
    value: object,
    one: str | None = None,
    many: str | None = None,
    *,
    zero: str | None = None,
    two: str | None = None,
    few: str | None = None,
    other: str | None = None,
) -> str:
    """`3|plural("artículo", "artículos")` is "3 artículos": the number and the word that goes with it.

    Languages with more forms than two name them by CLDR's categories, `plural("plik", few="pliki",
    many="plików", other="pliku")`; a form that is left out is that of `other`, or of `many`.
    https://www.unicode.org/cldr/charts/latest/supplemental/language_plural_rules.html
    """
    rest = many if other is None else other
    lacking = " and ".join(n for n, form in (("one", one), ("many", rest)) if form is None)
    if lacking:
        raise FilterError(f"plural needs {lacking}: write plural(one, many)")
    number = _number("plural", value)
    locale = locale_of(context, "plural")
    from babel.numbers import format_decimal

    forms = {"zero": zero, "one": one, "two": two, "few": few, "many": many}
    form = forms.get(locale.plural_form(number))
    return f"{plain_spaces(format_decimal(number, locale=locale))} {rest if form is None else form}"


@asks("link")
def link(value: object) -> str:
    """An http or https URL, as it is. Anything else is refused rather than sent as a dead link."""
    defined(value)
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


def _number(name: str, value: object) -> Decimal:
    defined(value)
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
