"""The names of locales: language tags as events, files and subscribers' filters write them."""

from __future__ import annotations

import re
from typing import Final

AUDIENCE: Final = re.compile(r"[a-z]{4,20}\Z")
LOCALES: Final = ("es", "en")
"""What every type is written in."""
_LOCALE: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*\Z")


def canonical(stem: str) -> str | None:
    """A file's name, without its ending, as the tag that it was meant to be: `es_mx` is `es-MX`.

    None if it is no tag. https://www.rfc-editor.org/rfc/rfc5646#section-2.1.1
    """
    tag = stem.replace("_", "-")
    if not _LOCALE.match(tag):
        return None
    first, *rest = tag.split("-")
    return "-".join([first.lower(), *map(_part, rest)])


def _part(part: str) -> str:
    if len(part) == 4 and part.isalpha():
        return part.title()
    return part.upper() if len(part) == 2 else part.lower()


def is_locale(stem: str) -> bool:
    """Whether a template's name, without its ending, is a locale as events name it."""
    return canonical(stem) == stem


def is_words(stem: str) -> bool:
    """Whether it is a locale, or one with an audience before it: `company.es`."""
    audience, _, locale = stem.rpartition(".")
    return is_locale(locale) and (not audience or AUDIENCE.match(audience) is not None)


def audience_of(stem: str) -> str:
    """Whose words a template's name says it has: empty for everybody's."""
    return stem.rpartition(".")[0]


def language(tag: str) -> str:
    return tag.rpartition(".")[2].split("-")[0]
