"""Who is signed in: a cookie that names a key by its hash, is signed, and is good for a working day.

The key itself is in no cookie. Whoever is let in by one is asked for nothing else, so what the key may do is
looked up with every request: where it was revoked, the session has ended.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from typing import Final

SECONDS: Final = 8 * 3600
COOKIE: Final = "heraldo"
LANGUAGE_COOKIE: Final = "heraldo-language"
# Not what signs the links in mails: neither can be taken for the other.
_PURPOSE: Final = b"heraldo console session"
_FORMS: Final = b"heraldo console form"
_HASH_CHARACTERS: Final = 64


def sign(keys: Sequence[bytes], key_hash: str, now: float) -> str:
    """The cookie of a session that begins `now` (seconds since 1970)."""
    said = f"{key_hash}.{int(now) + SECONDS}"
    return f"{said}.{_signature(keys[0], said)}"


def read(keys: Sequence[bytes], cookie: str, now: float) -> str:
    """The hash of the key of a session; empty where there is none, or it is over."""
    said, _, signature = cookie.rpartition(".")
    key_hash, _, until = said.partition(".")
    if len(key_hash) != _HASH_CHARACTERS or not until.isdecimal() or not cookie.isascii():
        return ""
    if not any(hmac.compare_digest(_signature(key, said), signature) for key in keys):
        return ""
    return key_hash if now < int(until) else ""


def form_token(keys: Sequence[bytes], cookie: str) -> str:
    """What a form of this session sends along, and one of another site cannot know."""
    return _text(hmac.digest(_derived(keys[0], _FORMS), cookie.encode(), hashlib.sha256)[:18])


def is_form_token(keys: Sequence[bytes], cookie: str, token: str) -> bool:
    return token.isascii() and any(
        hmac.compare_digest(form_token([key], cookie), token) for key in keys
    )


def _derived(key: bytes, purpose: bytes) -> bytes:
    return hmac.digest(key, purpose, hashlib.sha256)


def _signature(key: bytes, said: str) -> str:
    return _text(hmac.digest(_derived(key, _PURPOSE), said.encode(), hashlib.sha256))


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
