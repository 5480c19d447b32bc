"""The pages at the foot of a mail: stop this kind, and all that somebody hears about. For people, without a key.

GET shows and changes nothing, because programs that look for dangers follow every link of a mail; POST does.
https://www.rfc-editor.org/rfc/rfc8058
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs

from botocore.exceptions import ClientError

from chalicelib import names
from chalicelib.door import page
from chalicelib.door.http import Answer, Request
from chalicelib.errors import TransientError
from chalicelib.plan.preferences import wants
from chalicelib.rules.destinations import CHANNELS, parse, topic_of
from chalicelib.rules.reading import routing
from chalicelib.rules.routing import Category, Routing
from chalicelib.store import people, register, tokens
from chalicelib.store.people import Person
from chalicelib.store.record import now_text
from chalicelib.store.tokens import Grant, TokenError
from chalicelib.words.render import templates

BODY_BYTES: Final = 16 * 1024
# How somebody said what they want, as it is kept.
_BY_BUTTON: Final = "one-click"
_BY_PAGE: Final = "unsubscribe page"
_BY_CHOICE: Final = "preferences page"
# What mail programs send who have a button of their own for it.
_ONE_CLICK: Final = ("List-Unsubscribe", "One-Click")


def unsubscribe(request: Request, token: str) -> Answer:
    """`GET /u/{token}`: whether to stop this kind."""
    return _with_grant(
        request, token, lambda grant: _kind_page(request, token, grant, **_known(request, grant))
    )


def post_unsubscribe(request: Request, token: str) -> Answer:
    """`POST /u/{token}`: stop this kind, or get it again."""

    def do(grant: Grant) -> Answer:
        form = _form(request)
        button = _ONE_CLICK[1] in form.get(_ONE_CLICK[0], ())
        asked = form.get("do")
        if _category(request, grant).critical or not (button or asked in (["stop"], ["again"])):
            return page.sorry(grant.locale, 400)
        choice = {(grant.category, grant.channel): not button and asked == ["again"]}
        how = _BY_BUTTON if button else _BY_PAGE
        person = _choose(request, grant, choice, how)
        return _kind_page(request, token, grant, person, done=True)

    return _with_grant(request, token, do)


def preferences(request: Request, token: str) -> Answer:
    """`GET /p/{token}`: what somebody hears about, and by which channels."""
    return _with_grant(
        request, token, lambda grant: _choice_page(request, grant, **_known(request, grant))
    )


def post_preferences(request: Request, token: str) -> Answer:
    """`POST /p/{token}`: what was ticked is wanted, what no longer is is not.

    What stands as the page showed it is left alone: it may have been changed elsewhere meanwhile.
    """

    def do(grant: Grant) -> Answer:
        form = _form(request)
        want, on, off = (set(form.get(name, ())) for name in ("want", "on", "off"))
        if not on | off:
            return page.sorry(grant.locale, 400)
        categories = routing(request.stage.name).categories.values()
        choice = {
            (category.name, channel): name in want
            for category in categories
            if not category.critical
            for channel in CHANNELS
            if (name := f"{category.name}.{channel}") in (off if name in want else on)
        }
        person = _choose(request, grant, choice, _BY_CHOICE)
        return _choice_page(request, grant, person, done=True, changed=choice)

    return _with_grant(request, token, do)


Choice = Mapping[tuple[str, str], bool]
"""What somebody wants, by category and channel."""


# -- who and what ----------------------------------------------------------------------------------


def _with_grant(request: Request, token: str, do: Any) -> Answer:
    """What a page answers to whoever has this token; or that it is none."""
    try:
        return do(_grant(request, token))  # type: ignore[no-any-return]
    except TokenError as error:
        return page.sorry(error.locale or page.asked_locale(request), 410 if error.is_old else 404)
    except (TransientError, ClientError):
        return page.sorry(page.asked_locale(request), 503)


def _grant(request: Request, token: str) -> Grant:
    return page.by_token(request, lambda keys: tokens.read(keys, token, time.time()))


def _known(request: Request, grant: Grant) -> dict[str, Any]:
    """What is kept of somebody, and whether all that was had to be erased."""
    nobody = people.of_item_id(grant.who)
    if nobody.kind == people.PERSON:
        found = register.find(request.stage, nobody.id, request.patience)
        erased = found.person is None and bool(found.erased)
        return {"person": found.person or nobody, "erased": erased}
    person = register.change(request.stage, grant.who, lambda *_: False, request.patience)
    return {"person": person}


def _choose(request: Request, grant: Grant, choice: Choice, how: str) -> Person:
    """Keep what somebody wants and does not, and how they said so."""
    said = {"at": now_text(), "how": how}
    categories = routing(request.stage.name).categories

    def by(person: Person, _: bool) -> bool:
        for (name, channel), on in choice.items():
            person.preferences.setdefault(name, {})[channel] = on
            if on:
                person.refused.get(name, {}).pop(channel, None)
            else:
                person.refused.setdefault(name, {}).setdefault(channel, said)
            category = categories.get(name)
            if category is not None and category.commercial:
                _agree(person, name, said)
        person.refused = {name: refused for name, refused in person.refused.items() if refused}
        return bool(choice)

    return register.change(request.stage, grant.who, by, request.patience)


def _agree(person: Person, category: str, said: dict[str, str]) -> None:
    """Keep when and how somebody agreed to advertising, or that they no longer do."""
    if not any(person.preferences[category].values()):
        person.consent.pop(category, None)
    else:
        person.consent.setdefault(category, said)


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
        return parse_qs(body.decode("ascii"))
    except ValueError:
        return {}


# -- pages -----------------------------------------------------------------------------------------


def _kind_page(
    request: Request,
    token: str,
    grant: Grant,
    person: Person,
    *,
    done: bool = False,
    erased: bool = False,
) -> Answer:
    category = _category(request, grant)
    return page.page(
        "unsubscribe",
        grant.locale,
        token=token,
        category=_named(category.name, grant.locale),
        channel=grant.channel,
        critical=category.critical,
        wanted=_wants(category, grant.channel, person),
        done=done,
        erased=erased,
    )


def _choice_page(
    request: Request,
    grant: Grant,
    person: Person,
    *,
    done: bool = False,
    changed: Choice | None = None,
    erased: bool = False,
) -> Answer:
    rules = routing(request.stage.name)
    channels = _channels(rules, grant)
    rows = [
        {
            "id": category.name,
            "name": _named(category.name, grant.locale),
            "critical": category.critical,
            "wants": {channel: _wants(category, channel, person) for channel in channels},
        }
        for category in sorted(rules.categories.values(), key=lambda found: found.critical)
    ]
    undo = [(".".join(pair), on) for pair, on in (changed or {}).items()]
    return page.page(
        "preferences",
        grant.locale,
        rows=rows,
        channels=channels,
        done=done,
        undo=undo,
        erased=erased,
    )


def _channels(rules: Routing, grant: Grant) -> list[str]:
    """The channels by which any rule reaches people, and that by which this one was."""
    reached = {grant.channel}
    for rule in rules.rules:
        for to in rule.to:
            reached.update(() if topic_of(to) else parse(to).channels)
    return [channel for channel in CHANNELS if channel in reached]


def _named(category: str, locale: str) -> str:
    """What a category is called to people: the foot of mails says it, in their language."""
    said = templates().foot(locale).get("categories") or {}
    return str(said.get(category) or category.replace("-", " ").capitalize())
