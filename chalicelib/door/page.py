"""The pages that a link in a message leads to: for people, without a key. What they show is kept elsewhere.

GET shows and changes nothing, because programs that look for dangers follow every link of a mail; POST does.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import jinja2

from chalicelib.door.http import RETRY, Answer, Request
from chalicelib.door.page_words import WORDS
from chalicelib.store import secrets
from chalicelib.store.tokens import TokenError
from chalicelib.words import locales
from chalicelib.words.compiled import of_pages
from chalicelib.words.render import templates

FOLDER: Final = Path(__file__).parent / "pages"
_HTML: Final = "text/html; charset=utf-8"
Said = TypeVar("Said")


def by_token(request: Request, read: Callable[[Sequence[bytes]], Said]) -> Said:
    """What `read` finds in a token, given the keys that sign.

    Raises
    ------
    TokenError : it is none.
    TransientError : the keys cannot be read right now.
    """
    keys = request.patience.ask(lambda: secrets.of(request.stage)).tokens
    try:
        return read(keys)
    except TokenError as error:
        if error.is_old:
            raise
        # Signed, maybe, with a key that this worker does not know of yet.
        newer = request.patience.ask(lambda: secrets.fresh(request.stage)).tokens
        if newer == keys:
            raise
        return read(newer)


def asked_locale(request: Request) -> str:
    """The first language that a browser asks for and that there is."""
    for part in request.headers.get("accept-language", "").split(","):
        found = locales.nearest(part.partition(";")[0].strip(), tuple(WORDS)) if part else None
        if found:
            return found
    return next(iter(WORDS))


def sorry(locale: str, status: int) -> Answer:
    headers = RETRY if status == 503 else {}
    return page("sorry", locale, status=status, headers=headers)


def page(
    name: str,
    locale: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **shown: Any,
) -> Answer:
    language = locales.nearest(locale, tuple(WORDS)) or next(iter(WORDS))
    shop = templates().environment.shop
    html = (
        environment()
        .get_template(f"{name}.html.j2")
        .render(
            words=WORDS[language],
            language=language,
            shop=shop,
            style=_style()[0],
            status=status,
            **shown,
        )
    )
    policy = (
        f"default-src 'none'; style-src 'sha256-{_style()[1]}'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    )
    found = {"Content-Security-Policy": policy, "X-Robots-Tag": "noindex", **(headers or {})}
    return Answer(status, html, _HTML, found)


@functools.cache
def environment() -> jinja2.Environment:
    """What pages are made in."""
    return of_pages(FOLDER)


@functools.cache
def _style() -> tuple[str, str]:
    """The style sheet of all pages, and its hash for the policy."""
    text = (FOLDER / "pages.css").read_text("utf-8")
    return text, base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
