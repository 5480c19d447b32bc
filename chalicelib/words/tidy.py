"""From what a template says to what a channel carries: spaces, line breaks, what nobody sees."""

from __future__ import annotations

import unicodedata
from typing import Final

from chalicelib.regex import regex
from chalicelib.words import limits

_SPACE: Final = regex(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# What makes text run the other way: https://www.unicode.org/reports/tr9/#Explicit_Directional_Embeddings
_TURNS: Final = regex("[\u202a-\u202e\u2066-\u2069]")
# https://www.unicode.org/reports/tr14/#BK and what Python's splitlines knows beside it.
_LINE_BREAK: Final = regex("\r\n|[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_CONTROL: Final = regex(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_BLANK_LINES: Final = regex(r"\n(?:[ \t]*\n){2,}")
# Marks that have no width and no meaning to a reader: soft hyphens, direction marks, joiners of words.
_INVISIBLE: Final = regex(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0]"
)
# What typographers write, and the GSM-7 characters that people take for it. The last three join what
# stands beside them (emoji, Persian letters), which is for nothing where all the rest is GSM-7.
_SIBLINGS: Final = str.maketrans(
    dict.fromkeys("‘’‚‛′ʼ´`‹›", "'")
    | dict.fromkeys("“”„‟″«»", '"')
    | dict.fromkeys("‐‑‒–—―−", "-")
    | dict.fromkeys("\u200c\u200d\ufe0f", "")
    | dict.fromkeys("\u00a0\u202f", " ")
    | {"…": "...", "•": "-", "·": ".", "×": "x", "º": "o", "ª": "a"}
)


def one_line(text: str) -> str:
    """Runs of spaces and line breaks become one space, and nothing turns what follows around."""
    if text.isprintable():  # no control characters, and no space but the plain one
        return " ".join(text.split())
    return _SPACE.sub(" ", _TURNS.sub("", text)).strip()


def body(text: str) -> str:
    """Every line break of Unicode is a line feed; no control characters, no runs of blank lines."""
    lines = _CONTROL.sub("", _LINE_BREAK.sub("\n", text))
    return _BLANK_LINES.sub("\n\n", lines).strip()


def sms(text: str) -> str:
    """One line, letters composed, without what nobody sees; typography gives way where it costs a part."""
    return one_line(text) if text.isascii() else _cheaper(one_line(_composed(text)))


def whole_sms(text: str) -> str:
    """The same for a body that goes out as an SMS: it keeps its lines."""
    return text if text.isascii() else _cheaper(_composed(text))


def affordable(text: str, parts: int) -> str:
    """An SMS that may cost so many parts (0: any): what makes it UCS-2 gives way where it costs more."""
    if not parts or limits.sms(text).parts <= parts:
        return text
    plain = in_gsm(text)
    return plain if limits.sms(plain).parts <= parts else text


def in_gsm(text: str) -> str:
    """A text as far as SMS can say it in GSM-7: "envío…" is "envio...". An emoji stays one."""
    return "".join(c if limits.is_gsm(c) else _letter(c) for c in text.translate(_SIBLINGS))


def _letter(character: str) -> str:
    """A letter without its accent, where only that is not in GSM-7."""
    apart = unicodedata.normalize("NFKD", character)
    letter, marks = apart[0], apart[1:]
    only_marks = bool(marks) and all(map(unicodedata.combining, marks))
    return letter if only_marks and limits.is_gsm(letter) else character


def _composed(text: str) -> str:
    return _INVISIBLE.sub("", unicodedata.normalize("NFC", text))


def _cheaper(text: str) -> str:
    plain = text.translate(_SIBLINGS)
    if plain != text and limits.sms(plain).parts < limits.sms(text).parts:
        return plain
    return text
