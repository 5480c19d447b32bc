"""One visit to a page: who comes, what they ask for; and what a page gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any
from urllib.parse import quote, urlencode

from chalicelib.console.words import WORDS
from chalicelib.door.keys import Key
from chalicelib.patience import Patience
from chalicelib.stage import Stage
from chalicelib.values import dataclass


@dataclass(frozen=True, slots=True)
class Visit:
    """A page that is asked for, by `path` below /console, or a form that is sent to it.

    Of every field of the query and of the form there is one value, the last. `form_token` is what this
    session's forms send along.
    """

    method: str
    path: str
    stage: Stage
    patience: Patience
    key: Key
    language: str
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    form_token: str = ""

    def say(self, word: str, **filled: object) -> str:
        return say(self.language, word, **filled)


@dataclass(frozen=True, slots=True)
class Page:
    """A page to be rendered from the template of this name, with what it shows."""

    name: str
    shown: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200


@dataclass(frozen=True, slots=True)
class Document:
    """Somebody else's HTML, such as a mail's: shown in a frame that can do nothing."""

    html: str


@dataclass(frozen=True, slots=True)
class Redirect:
    """Another page to go to, by its path below /console; `cookie` is set on the way."""

    to: str
    cookie: str = ""


class Sorry(Exception):
    """There is nothing to show: `why` is `gone` (or `gone_topic`, …), `nopage`, `noscope`, `later`, `stale` or `wrong`."""

    def __init__(self, status: int, why: str, scope: str = "") -> None:
        super().__init__(why)
        self.status = status
        self.why = why
        self.scope = scope


def say(language: str, word: str, **filled: object) -> str:
    """A word in a language, its places filled. What fills them is text: pages escape it."""
    text = WORDS[language][word]
    for name, value in filled.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text


def link(path: str, **query: str) -> str:
    """The address of a page from every other: all stand side by side. What is empty is left out."""
    given = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(given, quote_via=quote)}" if given else path
