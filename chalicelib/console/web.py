"""The console's pages by their addresses: who may see them, and how they become HTML.

A request comes from the API's handler, which passes it on as it is (`door.console`) and knows nothing of it.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

import jinja2

from chalicelib import aws, log, names
from chalicelib.console import (
    activity,
    acts,
    audit,
    entrance,
    event_types,
    figures,
    inbox,
    letters,
    life,
    people,
    profiles,
    redriving,
    rulebook,
    send,
    session,
    subscribers,
    times,
    underway,
)
from chalicelib.console.visit import Document, Page, Redirect, Sorry, Visit, link, say
from chalicelib.console.words import WORDS
from chalicelib.door import http, keys
from chalicelib.door.keys import Key
from chalicelib.errors import TransientError
from chalicelib.patience import Patience
from chalicelib.regex import regex
from chalicelib.rules.destinations import parse, topic_of
from chalicelib.stage import Stage
from chalicelib.store import secrets
from chalicelib.words import locales
from chalicelib.words.compiled import of_pages

FOLDER: Final = Path(__file__).parent / "pages"
HOME: Final = "activity"
# What API Gateway leaves a page, less what the API's own handler takes.
SECONDS: Final = 15.0

Show = Callable[[Visit], Page | Redirect | Document]
# Every page: the scope that its key must have, and what it does.
PAGES: Final[Mapping[tuple[str, str], tuple[str, Show]]] = {
    ("GET", "activity"): ("read", activity.show),
    ("POST", "find"): ("read", activity.find),
    ("GET", "event"): ("read", life.show),
    ("POST", "cancel"): ("send", acts.cancel),
    ("POST", "acknowledge"): ("send", acts.acknowledge),
    ("GET", "figures"): ("read", figures.show),
    ("GET", "send"): ("send", send.show),
    ("POST", "send"): ("send", send.send),
    ("POST", "send-preview"): ("send", send.preview),
    ("POST", "mail"): ("send", send.mail),
    ("GET", "letters"): ("read", letters.show),
    ("GET", "letter"): ("read", letters.one),
    ("GET", "group"): ("read", letters.dry_run),
    ("POST", "redrive"): ("send", redriving.step),
    ("GET", "redriven"): ("read", redriving.show),
    ("GET", "types"): ("read", event_types.show_all),
    ("GET", "type"): ("read", event_types.show),
    ("GET", "type-mail"): ("read", event_types.mail),
    ("GET", "rules"): ("read", rulebook.show),
    ("GET", "journeys"): ("read", underway.journeys),
    ("GET", "journey"): ("read", underway.journey),
    ("GET", "held"): ("read", underway.held),
    ("GET", "topics"): ("read", subscribers.topics),
    ("GET", "topic"): ("read", subscribers.topic),
    ("POST", "subscribe"): (subscribers.ADMIN, subscribers.subscribe),
    ("POST", "unsubscribe"): (subscribers.ADMIN, subscribers.unsubscribe),
    ("GET", "people"): ("people", people.show),
    ("POST", "people"): ("people", people.find),
    ("GET", "person"): ("people", people.person),
    ("POST", "person-lift"): ("people", people.lift),
    ("GET", "person-edit"): ("people", profiles.edit),
    ("POST", "person-edit"): ("people", profiles.save),
    ("GET", "person-erase"): ("people", profiles.ask),
    ("POST", "person-erase"): ("people", profiles.erase),
    ("GET", "audit"): ("admin", audit.show),
    ("GET", "inbox"): ("read", inbox.show),
    ("GET", "message"): ("read", inbox.message),
    ("GET", "message-frame"): ("read", inbox.frame),
}
# What stands in the menu, for whom.
MENU: Final = (
    ("activity", "read"),
    ("send", "send"),
    ("letters", "read"),
    ("figures", "read"),
    ("types", "read"),
    ("journeys", "read"),
    ("topics", "read"),
    ("people", "people"),
    ("audit", "admin"),
    ("inbox", "read"),
)
# Pages that there are on the local stack alone.
LOCAL_ONLY: Final = frozenset({"inbox", "message", "message-frame"})
# A mail has styles of its own. It runs nothing, loads nothing, and is of no origin.
_FRAMED: Final = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:;"
    " frame-ancestors 'self'",
    "X-Frame-Options": "SAMEORIGIN",
}
# Where somebody wanted to go before they signed in: a page of ours, and no other address.
_ONWARD: Final = regex(r"[a-z-]{1,40}(\?[^#\\\s]{0,2000})?\Z")


def handle(event: Mapping[str, Any], stage: Stage) -> dict[str, Any]:
    """What to answer to a request; see `door.console.asked` and `Answer` for both shapes."""
    method = "GET" if event["method"] == "HEAD" else event["method"]
    language = _language(event)
    try:
        return _answer(event, method, language, stage)
    except Sorry as sorry:
        page = Page("sorry", {"why": sorry.why, "scope": sorry.scope}, sorry.status)
    except (http.Problem, TransientError, *aws.BREAKS):
        page = Page("sorry", {"why": "later", "scope": ""}, 503)
    except Exception as error:
        log.error("unexpected", **log.origin(error))
        page = Page("sorry", {"why": "wrong", "scope": ""}, 500)
    return _html(page, event, language, None, "")


def _answer(event: Mapping[str, Any], method: str, language: str, stage: Stage) -> dict[str, Any]:
    path, query = event["path"], dict(event["query"])
    if not path:  # every page stands below it
        return _to(Redirect(HOME if event["slash"] else f"console/{HOME}"))
    if method == "GET" and query.get("language") in WORDS:
        chosen = query.pop("language")
        cookie = f"{session.LANGUAGE_COOKIE}={chosen}; Max-Age=31536000"
        return _to(Redirect(link(path, **query), cookie))
    patience = Patience(SECONDS)
    signing = patience.ask(lambda: secrets.of(stage)).tokens
    form = dict(parse_qsl(event["body"], keep_blank_values=True)) if method == "POST" else {}
    if method == "POST" and event["site"] not in ("", "same-origin", "none"):
        raise Sorry(403, "stale")
    if path == "sign-in":
        onward = _ONWARD.match(query.get("to", ""))
        asked = entrance.Asked(stage, patience, signing, onward[0] if onward else HOME)
        if method == "POST":
            found = entrance.sign_in(asked, form)
        else:
            found = entrance.page(asked, ended="ended" in query)
        return (
            _to(found) if isinstance(found, Redirect) else _html(found, event, language, None, "")
        )
    cookie = _cookies(event["cookie"]).get(session.COOKIE, "")
    key_hash = session.read(signing, cookie, time.time())
    key = keys.find(stage, patience, key_hash) if key_hash else None
    if key is None:
        ended = "1" if cookie else ""
        back = link(path, **query) if method == "GET" else ""
        return _to(Redirect(link("sign-in", to=back, ended=ended)))
    if method == "POST" and not session.is_form_token(signing, cookie, form.get("token", "")):
        raise Sorry(403, "stale")
    if (method, path) == ("POST", "sign-out"):
        return _to(Redirect("sign-in", f"{session.COOKIE}=; Max-Age=0"))
    token = session.form_token(signing, cookie)
    visit = Visit(method, path, stage, patience, key, language, query, form, token)
    page = _page(visit)
    if isinstance(page, Document):
        return {"status": 200, "headers": dict(_FRAMED), "body": page.html}
    return _to(page) if isinstance(page, Redirect) else _html(page, event, language, key, token)


def _page(visit: Visit) -> Page | Redirect | Document:
    scope, show = PAGES.get((visit.method, visit.path), ("", None))
    if show is None or not _is_there(visit.path):
        return Page("sorry", {"why": "nopage", "scope": ""}, 404)
    if not visit.key.may(scope):
        return Page("sorry", {"why": "noscope", "scope": scope}, 403)
    try:
        return show(visit)
    except Sorry as sorry:
        return Page("sorry", {"why": sorry.why, "scope": sorry.scope}, sorry.status)
    except (http.Problem, TransientError, *aws.BREAKS):
        return Page("sorry", {"why": "later", "scope": ""}, 503)


def _language(event: Mapping[str, Any]) -> str:
    """The language that somebody chose here, or else the first that their browser asks for."""
    chosen = _cookies(event["cookie"]).get(session.LANGUAGE_COOKIE)
    if chosen in WORDS:
        return str(chosen)
    for part in event["language"].split(","):
        found = locales.nearest(part.partition(";")[0].strip(), tuple(WORDS)) if part else None
        if found:
            return found
    return next(iter(WORDS))


def _cookies(header: str) -> dict[str, str]:
    pairs = (part.strip().partition("=") for part in header.split(";"))
    return {name: value for name, _, value in pairs if name}


def _to(redirect: Redirect) -> dict[str, Any]:
    headers = {"Location": redirect.to}
    if redirect.cookie:
        # Without a path it is the folder's of this address: the console's, below whatever API this is.
        headers["Set-Cookie"] = f"{redirect.cookie}; HttpOnly; Secure; SameSite=Lax"
    return {"status": 303, "headers": headers, "body": ""}


def _html(
    page: Page, event: Mapping[str, Any], language: str, key: Key | None, token: str
) -> dict[str, Any]:
    path = event["path"]
    rendered = (
        environment()
        .get_template(f"{page.name}.html.j2")
        .render(
            **page.shown,
            word=functools.partial(say, language),
            reason=functools.partial(life.why_word, language),
            language=language,
            key=key,
            form_token=token,
            path=path,
            menu=[
                name
                for name, scope in MENU
                if key is not None and key.may(scope) and _is_there(name)
            ],
            here=link(path, **{**event["query"], "language": WORDS[language]["other_code"]})
            if event["method"] != "POST"
            else "",
            style=_file("console.css")[0],
            script=_file("console.js")[0],
            status=page.status,
        )
    )
    policy = (
        f"default-src 'none'; style-src 'sha256-{_file('console.css')[1]}';"
        f" script-src 'sha256-{_file('console.js')[1]}'; connect-src 'self'; frame-src 'self';"
        " form-action 'self';"
        " base-uri 'none'; frame-ancestors 'none'"
    )
    headers = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policy}
    return {"status": page.status, "headers": headers, "body": rendered}


def _is_there(path: str) -> bool:
    return path not in LOCAL_ONLY or names.stage() == "local"


@functools.cache
def environment() -> jinja2.Environment:
    """What pages are made in."""
    made = of_pages(FOLDER)
    made.globals |= {
        "link": link,
        "clock": times.clock,
        "zone": times.zone_name,
        "topic_of": topic_of,
        "parse": parse,
    }
    return made


@functools.cache
def _file(name: str) -> tuple[str, str]:
    """A file that stands in every page, and its hash for the policy."""
    text = (FOLDER / name).read_text("utf-8")
    return text, base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
