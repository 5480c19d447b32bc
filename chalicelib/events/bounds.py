"""How large, deep and odd the JSON of an event may be, wherever it comes in.

The bounds are far beyond what an event needs; they keep one request from costing what a thousand do.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final

from chalicelib.errors import FieldError
from chalicelib.regex import regex
from chalicelib.values import dataclass

DEPTH: Final = 20
FIELDS: Final = 5_000
FIELD_CHARACTERS: Final = 256
STRING_CHARACTERS: Final = 10_000
# What a double can hold, and so any JSON reader: https://www.rfc-editor.org/rfc/rfc8259#section-6
DIGITS: Final = 308


@dataclass(frozen=True, slots=True)
class _Odd:
    """Stands in decoded JSON for what cannot be used."""

    problem: str


_TWICE: Final = _Odd("is there twice")
_NO_NUMBER: Final = _Odd("is NaN or Infinity, which JSON does not have")
_TOO_LARGE: Final = _Odd(f"is a number of more than {DIGITS} digits")


def decode(text: str) -> Any:
    """Decode JSON. What is odd in one place only (a field that is there twice, a number that is
    none) is left for `problems` to name, so that in a batch it costs one event and not all.

    Raises
    ------
    ValueError : it is not JSON.
    RecursionError : it is nested deeper than Python reads.
    """
    return _decoder.decode(text)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                found[name] = _TWICE
            seen.add(name)
    return found


def _integer(digits: str) -> Any:
    return int(digits) if len(digits) <= DIGITS else _TOO_LARGE


_decoder: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_constant=lambda _: _NO_NUMBER
)
# U+FFFD is what a decoder, API Gateway's for one, puts where bytes were not UTF-8.
_NO_TEXT: Final = regex("[\ud800-\udfff\ufffd]")
_WHY_NO_TEXT: Final = {
    True: "U+FFFD, which stands for bytes that were not UTF-8: send the body as UTF-8",
    False: "half a surrogate pair, which is no character",
}


def problems(value: Any) -> list[FieldError]:
    """The first thing in a decoded JSON value that is out of bounds (empty: all is well)."""
    left = FIELDS
    stack: list[tuple[Any, str, int]] = [(value, "", 0)]
    while stack:
        found, path, depth = stack.pop()
        if isinstance(found, str):
            problem = _of_text(found)
            if problem:
                return [FieldError(path, problem)]
        elif isinstance(found, (dict, list)):
            if depth >= DEPTH:
                return [FieldError(path, f"is nested more than {DEPTH} levels deep")]
            left -= len(found)
            if left < 0:
                return [FieldError(path or "event", f"has more than {FIELDS:,} fields and items")]
            if isinstance(found, dict):
                for name, item in found.items():
                    problem = _of_name(name)
                    if problem:
                        return [FieldError(path or "event", problem)]
                    stack.append((item, f"{path}.{name}" if path else name, depth + 1))
            else:
                stack.extend((item, f"{path}[{n}]", depth + 1) for n, item in enumerate(found))
        elif isinstance(found, _Odd):
            return [FieldError(path, found.problem)]
        elif problem := number_problem(found):
            return [FieldError(path, problem)]
    return []


def number_problem(value: Any) -> str | None:
    """Why this is no number that anybody could hold, if it was meant as one."""
    if value is _NO_NUMBER or value is _TOO_LARGE:
        return value.problem
    if isinstance(value, float) and not math.isfinite(value):
        return _TOO_LARGE.problem
    return None


def _of_text(text: str) -> str | None:
    if len(text) > STRING_CHARACTERS:
        return f"has more than {STRING_CHARACTERS:,} characters"
    why = _why_no_text(text)
    return f"has {why}" if why else None


def _of_name(name: str) -> str | None:
    if len(name) > FIELD_CHARACTERS:
        return f"has a field name of more than {FIELD_CHARACTERS} characters"
    why = _why_no_text(name)
    return f"has a field name with {why}" if why else None


def _why_no_text(text: str) -> str | None:
    found = None if text.isascii() else _NO_TEXT.search(text)
    return _WHY_NO_TEXT[found[0] == "\ufffd"] if found else None
