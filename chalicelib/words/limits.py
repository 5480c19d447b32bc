"""What SNS refuses, known before SNS is asked.

Sources: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html (subject, size, 1,600 characters
of SMS), https://docs.aws.amazon.com/sns/latest/dg/sms_sending-overview.html (parts and alphabets).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from chalicelib.regex import regex
from chalicelib.values import dataclass

SUBJECT_CHARACTERS: Final = 99
MESSAGE_BYTES: Final = 256 * 1024
BATCH_ENTRIES: Final = 10
SMS_CHARACTERS: Final = 1600
# What Apple and Google take of a whole push message, its JSON included:
# https://developer.apple.com/documentation/usernotifications/generating-a-remote-notification
# https://firebase.google.com/docs/cloud-messaging/concept-options
PUSH_BYTES: Final = 4096
MAIL_CHARACTERS: Final = 262_144

_CONTROL: Final = regex(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# GSM 03.38: the default alphabet, and the characters that cost two because they are escaped.
_GSM: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_ESCAPED: Final = frozenset("\f^{}\\[~]|€")


@dataclass(frozen=True, slots=True)
class Sms:
    """How an SMS travels: `encoding` GSM-7 or UCS-2, `parts` billed, and what forced UCS-2."""

    encoding: str
    characters: int
    parts: int
    forcing: tuple[str, ...]


def is_gsm(text: str) -> bool:
    """Whether an SMS can say this without becoming UCS-2."""
    return all(c in _GSM or c in _GSM_ESCAPED for c in text)


def sms(text: str) -> Sms:
    """Count the parts of an SMS: 160 characters alone or 153 a part in GSM-7, 70 or 67 in UCS-2.

    What takes two units (an escaped character, an emoji) is never torn across the border of a part.
    """
    forcing = tuple(dict.fromkeys(c for c in text if c not in _GSM and c not in _GSM_ESCAPED))
    if forcing:
        units = [2 if ord(c) > 0xFFFF else 1 for c in text]
        return Sms("UCS-2", len(text), _parts(units, 70, 67), forcing)
    units = [2 if c in _GSM_ESCAPED else 1 for c in text]
    return Sms("GSM-7", len(text), _parts(units, 160, 153), ())


def _parts(units: Sequence[int], alone: int, each: int) -> int:
    if sum(units) <= alone:
        return 1
    parts, left = 1, each
    for unit in units:
        if unit > left:
            parts, left = parts + 1, each
        left -= unit
    return parts


def push_problem(payload: str) -> str | None:
    """Why Apple and Google would refuse this push message, or None."""
    size = _utf8(payload)
    if size > PUSH_BYTES:
        return f"has {size:,} bytes; Apple and Google take {PUSH_BYTES:,}"
    return None


def subject_problem(subject: str) -> str | None:
    """Why SNS would refuse this subject, or None."""
    if not subject:
        return "is empty"
    if len(subject) > SUBJECT_CHARACTERS:
        return f"has {len(subject)} characters; SNS takes {SUBJECT_CHARACTERS} at the most"
    if _CONTROL.search(subject):
        return "has line breaks or other control characters, which SNS refuses"
    return None


def mail_problem(subject: str, text: str, html: str, room: int = 0) -> str | None:
    """Why SES would refuse this mail, or None; `room` is what it must leave for what is not in it yet.

    The three travel as the JSON of a template's data:
    https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_Template.html
    """
    if 6 * (len(subject) + len(text) + len(html)) + room < MAIL_CHARACTERS:  # however it is escaped
        return None
    size = len(json.dumps({"s": subject, "t": text, "h": html}, ensure_ascii=False)) + room
    if size > MAIL_CHARACTERS:
        return f"has {size:,} characters with its HTML; SES takes {MAIL_CHARACTERS:,}"
    return None


def size(subject: str | None, message: str, attributes: Mapping[str, str]) -> int:
    """Bytes that SNS counts for one publication: body, subject, attribute names, types and values."""
    texts = "".join((subject or "", *attributes, *attributes.values()))
    return _utf8(message) + _utf8(texts) + len("String") * len(attributes)


def _utf8(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
