"""The language that filters write in: the locale of a template's context, as Babel knows it.

Babel is imported where it is used, so a template without amounts and dates does not pay for it.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

import jinja2
from jinja2.runtime import Context

from chalicelib.regex import regex
from chalicelib.words.text import WordsError

if TYPE_CHECKING:
    from babel import Locale

_SPECIAL_SPACE: Final = regex("[\u00a0\u202f]")


def tag_of(context: Context, name: str) -> str:
    """The locale that the filter `name` writes in."""
    tag = context.get("locale")
    if not isinstance(tag, str):
        raise WordsError(f"{name} needs the locale: import the file it stands in `with context`")
    return tag


def locale_of(context: Context, name: str) -> Locale:
    return parsed(tag_of(context, name))


@functools.lru_cache(maxsize=32)
def parsed(tag: str) -> Locale:
    from babel import Locale, UnknownLocaleError

    try:
        return Locale.parse(tag.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        problem = "there is no such locale: name the template's file es.j2, en.j2, …"
        raise WordsError(problem) from None


def plain_spaces(text: str) -> str:
    """Babel's non-breaking spaces are not in the GSM alphabet, and would halve what an SMS part holds."""
    return _SPECIAL_SPACE.sub(" ", text)


def defined(value: object) -> None:
    """Let a missing variable fail under its own name, not as a value of the wrong kind."""
    if isinstance(value, jinja2.Undefined):
        str(value)
