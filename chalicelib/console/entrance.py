"""Signing in with a key of the API."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Final

from chalicelib.console import session
from chalicelib.console.visit import Page, Redirect
from chalicelib.door import keys
from chalicelib.patience import Patience
from chalicelib.regex import regex
from chalicelib.stage import Stage
from chalicelib.values import dataclass

_KEY: Final = regex(r"[A-Za-z0-9_-]{16,128}\Z")


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody at the entrance, who wants to go on to a page; `signing` are the keys that sign sessions."""

    stage: Stage
    patience: Patience
    signing: Sequence[bytes]
    onward: str


def page(asked: Asked, *, ended: bool = False, problem: str = "") -> Page:
    shown = {"ended": ended, "problem": problem, "local": asked.stage.name == "local"}
    return Page("sign-in", {**shown, "onward": asked.onward}, 422 if problem else 200)


def sign_in(asked: Asked, form: Mapping[str, str]) -> Page | Redirect:
    secret = form.get("key", "").strip()
    if not _KEY.match(secret):
        return page(asked, problem="key_shape")
    key_hash = keys.hash_of(secret)
    if keys.find(asked.stage, asked.patience, key_hash) is None:
        return page(asked, problem="key_unknown")
    cookie = session.sign(asked.signing, key_hash, time.time())
    return Redirect(asked.onward, f"{session.COOKIE}={cookie}; Max-Age={session.SECONDS}")
