"""What stands behind the links at the foot of a mail: who may switch what off, signed, for a while.

A token is what it says in base64url, and a signature. Whoever has it may do what it says and no more; it
holds no address. The newest key signs, and those before it are still believed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Any, Final

from chalicelib.errors import HeraldoError
from chalicelib.values import dataclass

_DAY: Final = 86_400
# Mails are kept, and who looks through old ones must still get rid of new ones.
DAYS: Final = 400
# What stands in a header has 995 characters at the most, and the address of the page before it:
# https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_MessageHeader.html
CHARACTERS: Final = 800
_SIGNATURE_BYTES: Final = 16
# What is signed for acknowledging begins so; a grant is JSON, and does not.
_ACKS: Final = b"ack\n"
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class TokenError(HeraldoError):
    """A token that is none; `is_old`: it was one once, in a mail that was written in `locale`."""

    def __init__(self, is_old: bool, locale: str = "") -> None:
        super().__init__("the token is too old" if is_old else "this is no token")
        self.is_old = is_old
        self.locale = locale


@dataclass(frozen=True, slots=True)
class Grant:
    """What somebody may switch: `who` is their item (`person:<id>`, `address:<hash>`), and the mail in which
    the token stands was of `category`, went by `channel` and was written in `locale`."""

    who: str
    category: str
    channel: str
    locale: str


@dataclass(frozen=True, slots=True)
class Ack:
    """What somebody may acknowledge: an event, from a message that was written in `locale`."""

    event_id: str
    source: str
    locale: str


def sign_ack(keys: Sequence[bytes], ack: Ack, now: float) -> str:
    """As `sign`."""
    until = int(now) // _DAY + DAYS
    said = _ENCODER.encode([ack.event_id, ack.source, ack.locale, until]).encode()
    token = _text(said) + "." + _text(_signature(keys[0], _ACKS + said))
    return token if len(token) <= CHARACTERS else ""


def read_ack(keys: Sequence[bytes], token: str, now: float) -> Ack:
    """As `read`."""
    event_id, source, locale, until = _said(keys, token, _ACKS)
    if int(now) // _DAY > until:
        raise TokenError(is_old=True, locale=locale)
    return Ack(event_id, source, locale)


def sign(keys: Sequence[bytes], grant: Grant, now: float) -> str:
    """A token that is good for `DAYS` from `now` (seconds since 1970); empty where it would be too long."""
    until = int(now) // _DAY + DAYS
    said = _ENCODER.encode([grant.who, grant.category, grant.channel, grant.locale, until]).encode()
    token = _text(said) + "." + _text(_signature(keys[0], said))
    return token if len(token) <= CHARACTERS else ""


def read(keys: Sequence[bytes], token: str, now: float) -> Grant:
    """What a token allows.

    Raises
    ------
    TokenError : nothing; it was altered, or is too old.
    """
    *allowed, until = _said(keys, token)
    grant = Grant(*allowed)
    if int(now) // _DAY > until:
        raise TokenError(is_old=True, locale=grant.locale)
    return grant


def _said(keys: Sequence[bytes], token: str, domain: bytes = b"") -> list[Any]:
    """What a token says that was signed for a domain: one of another is none here."""
    said, signature = (_bytes(part) for part in _parts(token))
    if not any(hmac.compare_digest(_signature(key, domain + said), signature) for key in keys):
        raise TokenError(is_old=False)
    found: list[Any] = json.loads(said)
    return found


def _signature(key: bytes, said: bytes) -> bytes:
    return hmac.digest(key, said, hashlib.sha256)[:_SIGNATURE_BYTES]


def _parts(token: str) -> tuple[str, str]:
    said, dot, signature = token.partition(".")
    if not dot or len(token) > CHARACTERS:
        raise TokenError(is_old=False)
    return said, signature


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    try:
        found = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise TokenError(is_old=False) from None
    if _text(found) != text:  # there is one way to write it
        raise TokenError(is_old=False)
    return found
