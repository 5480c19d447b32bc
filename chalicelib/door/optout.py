"""The pages at the foot of a mail: stop this kind, and all that somebody hears about. For people, without a key.

GET shows and changes nothing, because programs that look for dangers follow every link of a mail; POST does.
https://www.rfc-editor.org/rfc/rfc8058
"""

from __future__ import annotations

import base64
import functools
import hashlib
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

import jinja2
from botocore.exceptions import ClientError

from chalicelib import names
from chalicelib.door.http import RETRY, Answer, Request
from chalicelib.door.optout_words import WORDS
from chalicelib.errors import TransientError
from chalicelib.plan.preferences import wants
from chalicelib.rules.destinations import CHANNELS, parse, topic_of
from chalicelib.rules.reading import routing
from chalicelib.rules.routing import Category, Routing
from chalicelib.store import register, secrets, tokens
from chalicelib.store.people import Person
from chalicelib.store.record import now_text
from chalicelib.store.tokens import Grant, TokenError
from chalicelib.words import locales
from chalicelib.words.render import templates

FOLDER: Final = Path(__file__).parent / "pages"
BODY_BYTES: Final = 16 * 1024
_HTML: Final = "text/html; charset=utf-8"
# How somebody agreed who did so on these pages.
_HOW: Final = "preferences page"
# What mail programs send who have a button of their own for it.
_ONE_CLICK: Final = ("List-Unsubscribe", "One-Click")


def unsubscribe(request: Request, token: str) -> Answer:
    """`GET /u/{token}`: whether to stop this kind."""
    return _with_grant(
        request, token, lambda grant: _kind_page(request, grant, _known(request, grant))
    )


def post_unsubscribe(request: Request, token: str) -> Answer:
    """`POST /u/{token}`: stop this kind, or get it again."""

    def do(grant: Grant) -> Answer:
        form = _form(request)
        again = form.get("do") == ["again"]
        if (
            not again
            and form.get("do") != ["stop"]
            and _ONE_CLICK[1] not in form.get(_ONE_CLICK[0], ())
        ):
            return _sorry(grant.locale, 400)
        category = _category(request, grant)
        if category.critical:
            return _sorry(grant.locale, 400)
        choice = {(grant.category, grant.channel): again}
        return _kind_page(request, grant, _choose(request, grant, choice), done=True)

    return _with_grant(request, token, do)


def preferences(request: Request, token: str) -> Answer:
    """`GET /p/{token}`: what somebody hears about, and by which channels."""
    return _with_grant(
        request, token, lambda grant: _choice_page(request, grant, _known(request, grant))
    )


def post_preferences(request: Request, token: str) -> Answer:
    """`POST /p/{token}`: what is ticked is wanted, of what was shown."""

    def do(grant: Grant) -> Answer:
        form = _form(request)
        rules = routing(request.stage.name)
        ticked = set(form.get("want", ()))
        shown = [
            (c.name, channel)
            for c in rules.categories.values()
            if not c.critical
            for channel in CHANNELS
        ]
        shown = [pair for pair in shown if ".".join(pair) in form.get("shown", ())]
        if not shown:
            return _sorry(grant.locale, 400)
        before = _known(request, grant)
        was = {pair: _wants(rules.categories[pair[0]], pair[1], before) for pair in shown}
        choice = {pair: ".".join(pair) in ticked for pair in shown}
        changed = {pair: on for pair, on in choice.items() if on is not was[pair]}
        person = _choose(request, grant, changed) if changed else before
        undo = [".".join(pair) for pair, on in was.items() if on] if changed else None
        return _choice_page(request, grant, person, done=True, undo=undo)

    return _with_grant(request, token, do)


# -- who and what ----------------------------------------------------------------------------------


def _with_grant(request: Request, token: str, do: Any) -> Answer:
    """What a page answers to whoever has this token; or that it is none."""
    try:
        return do(_grant(request, token))  # type: ignore[no-any-return]
    except TokenError as error:
        return _sorry(_asked_locale(request), 410 if error.is_old else 404)
    except (TransientError, ClientError):
        return _sorry(_asked_locale(request), 503)


def _grant(request: Request, token: str) -> Grant:
    now = time.time()
    keys = request.patience.ask(lambda: secrets.of(request.stage)).tokens
    try:
        return tokens.read(keys, token, now)
    except TokenError as error:
        if error.is_old:
            raise
        # Signed, maybe, with a key that this worker does not know of yet.
        newer = request.patience.ask(lambda: secrets.fresh(request.stage)).tokens
        if newer == keys:
            raise
        return tokens.read(newer, token, now)


def _known(request: Request, grant: Grant) -> Person:
    return register.change(request.stage, grant.who, lambda *_: False, request.patience)


def _choose(request: Request, grant: Grant, choice: Mapping[tuple[str, str], bool]) -> Person:
    """Keep what somebody wants and does not, by category and channel."""
    categories = routing(request.stage.name).categories

    def by(person: Person, _: bool) -> bool:
        for (name, channel), on in choice.items():
            person.preferences.setdefault(name, {})[channel] = on
            category = categories.get(name)
            if category is not None and category.commercial:
                _agree(person, category)
        return bool(choice)

    return register.change(request.stage, grant.who, by, request.patience)


def _agree(person: Person, category: Category) -> None:
    """Keep when and how somebody agreed to advertising, or that they no longer do."""
    if not any(person.preferences[category.name].values()):
        person.consent.pop(category.name, None)
    elif category.name not in person.consent:
        person.consent[category.name] = {"at": now_text(), "how": _HOW}


def _wants(category: Category, channel: str, person: Person) -> bool:
    return wants(channel, category, names.channels(), person.preferences)


def _category(request: Request, grant: Grant) -> Category:
    found = routing(request.stage.name).categories.get(grant.category)
    return found or Category(grant.category)


def _form(request: Request) -> Mapping[str, list[str]]:
    """The fields of a form, as browsers send it and mail programs do (also as multipart)."""
    body = request.body[: BODY_BYTES + 1]
    if len(body) > BODY_BYTES:
        return {}
    if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        name, value = (text.encode() for text in _ONE_CLICK)
        is_there = b'name="' + name + b'"' in body and value in body
        return {_ONE_CLICK[0]: [_ONE_CLICK[1]]} if is_there else {}
    try:
        return parse_qs(body.decode("ascii"), max_num_fields=200)
    except ValueError:
        return {}


# -- pages -----------------------------------------------------------------------------------------


def _kind_page(request: Request, grant: Grant, person: Person, *, done: bool = False) -> Answer:
    category = _category(request, grant)
    return _page(
        "unsubscribe",
        grant.locale,
        category=_named(category.name, grant.locale),
        channel=grant.channel,
        critical=category.critical,
        wanted=_wants(category, grant.channel, person),
        done=done,
    )


def _choice_page(
    request: Request,
    grant: Grant,
    person: Person,
    *,
    done: bool = False,
    undo: Iterable[str] | None = None,
) -> Answer:
    rules = routing(request.stage.name)
    channels = _channels(rules)
    rows = [
        {
            "id": category.name,
            "name": _named(category.name, grant.locale),
            "critical": category.critical,
            "wants": {channel: _wants(category, channel, person) for channel in channels},
        }
        for category in sorted(rules.categories.values(), key=lambda found: found.critical)
    ]
    return _page("preferences", grant.locale, rows=rows, channels=channels, done=done, undo=undo)


def _channels(rules: Routing) -> list[str]:
    """The channels by which any rule reaches people."""
    reached = {
        channel
        for rule in rules.rules
        for to in rule.to
        if not topic_of(to)
        for channel in parse(to).channels
    }
    return [channel for channel in CHANNELS if channel in reached]


def _named(category: str, locale: str) -> str:
    """What a category is called to people: the foot of mails says it, in their language."""
    said = templates().foot(locale).get("categories") or {}
    return str(said.get(category) or category.replace("-", " ").capitalize())


def _asked_locale(request: Request) -> str:
    """The first language that a browser asks for and that there is."""
    for part in request.headers.get("accept-language", "").split(","):
        found = locales.nearest(part.partition(";")[0].strip(), tuple(WORDS)) if part else None
        if found:
            return found
    return next(iter(WORDS))


def _sorry(locale: str, status: int) -> Answer:
    headers = RETRY if status == 503 else {}
    return _page("sorry", locale, status=status, headers=headers)


def _page(
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
        _environment()
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
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@functools.cache
def _style() -> tuple[str, str]:
    """The style sheet of all pages, and its hash for the policy."""
    text = (FOLDER / "pages.css").read_text("utf-8")
    return text, base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
