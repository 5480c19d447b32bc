"""HTTP at the door: what a request may hold, and the one shape in which failures are answered.

Nothing of a request but the names of its fields ever reaches an answer or a log.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from chalicelib.errors import FieldError, HeraldoError

EVENT_BYTES: Final = 256 * 1024
BATCH_BYTES: Final = 1024 * 1024
BATCH_EVENTS: Final = 500
DEPTH: Final = 20
KEYS: Final = 5_000
STRING_CHARACTERS: Final = 10_000
FIELD_CHARACTERS: Final = 256
# What a double can hold, and so any JSON reader: https://www.rfc-editor.org/rfc/rfc8259#section-6
DIGITS: Final = 308

METHODS: Final = frozenset(("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"))

SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=63072000",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

TITLES: Final = {
    400: "The request cannot be read",
    401: "Who are you?",
    403: "This key may not do that",
    404: "There is nothing there",
    405: "That method is not for this address",
    409: "That id stands for another event",
    413: "The request is too large",
    415: "That content type is not taken",
    422: "The event cannot be accepted",
    429: "Too many requests",
    500: "Something is wrong on our side",
    503: "Try again in a moment",
}


@dataclass(frozen=True, slots=True)
class Request:
    """A request as the routes see it: header names in lower case, every value of a query parameter."""

    headers: Mapping[str, str]
    body: bytes
    query: Mapping[str, Sequence[str]] = field(default_factory=dict)
    caller_arn: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: `body` is JSON-ready, or text where `content_type` says so."""

    status: int
    body: Any
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


class Problem(HeraldoError):  # noqa: N818 - the word of RFC 9457
    """A failure to be answered as problem details (RFC 9457)."""

    def __init__(
        self,
        status: int,
        slug: str,
        detail: str,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.slug = slug
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "type": f"urn:heraldo:problem:{self.slug}",
            "title": TITLES.get(self.status, "The request failed"),
            "status": self.status,
            "detail": self.detail,
        }
        if self.errors:
            found["errors"] = [{"field": e.field, "problem": e.problem} for e in self.errors]
        return found

    def answer(self) -> Answer:
        return Answer(self.status, self.body(), "application/problem+json", self.headers)


def content_type(request: Request) -> str:
    """The media type of a request's body, in lower case and without parameters.

    Raises
    ------
    Problem : 415 where a charset is named that is not UTF-8.
    """
    value = request.headers.get("content-type") or "application/json"
    media, _, parameters = value.partition(";")
    charset = _CHARSET.search(parameters)
    if charset and charset[1].lower() not in ("utf-8", "utf8", "us-ascii"):
        raise Problem(415, "content-type", "Send JSON as UTF-8.")
    return media.strip().lower()


_CHARSET: Final = re.compile(r"""charset\s*=\s*["']?([^\s"';]*)""", re.IGNORECASE)


def query(request: Request, *names: str) -> dict[str, str]:
    """The query parameters of a request, which may have only these.

    A parameter that is not known is refused and not passed over: `?dryrun=true` would send for real.

    Raises
    ------
    Problem : 400 with every parameter at fault.
    """
    errors = []
    for name, values in request.query.items():
        if name not in names:
            shown = name if _PARAMETER.match(name) else "(parameter)"
            known = " and ".join(names)
            problem = f"is not known here; there is {known}" if known else "nothing is taken here"
            errors.append(FieldError(shown, problem))
        elif len(values) > 1:
            errors.append(FieldError(name, "is given more than once"))
    if errors:
        raise Problem(400, "query", "The query cannot be read.", errors)
    return {name: values[0] for name, values in request.query.items() if values}


_PARAMETER: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")


def read_json(body: bytes, *, most_bytes: int) -> Any:
    """Decode a JSON body. What is odd in one place only (a field that is there twice, a number that
    is none) is left for `bounds` to name, so that in a batch it costs one event and not all.

    Raises
    ------
    Problem : 413 where it is too large, 400 where it is no JSON.
    """
    if len(body) > most_bytes:
        raise Problem(413, "too-large", f"The body has more than {most_bytes // 1024} KiB.")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise Problem(400, "not-json", "The body is not UTF-8.") from None
    try:
        return _decoder.decode(text)
    except RecursionError:
        raise Problem(400, "not-json", "The body is nested too deep.") from None
    except ValueError as error:
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise Problem(400, "not-json", f"The body is not JSON{where}.") from None


@dataclass(frozen=True, slots=True)
class _Odd:
    """Stands in decoded JSON for what cannot be used."""

    problem: str


_TWICE: Final = _Odd("is there twice")
_NO_NUMBER: Final = _Odd("is NaN or Infinity, which JSON does not have")
_TOO_LARGE: Final = _Odd(f"is a number of more than {DIGITS} digits")


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


_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def bounds(value: Any) -> list[FieldError]:
    """The first thing in a decoded JSON value that is out of bounds (empty: all is well)."""
    left = KEYS
    stack: list[tuple[Any, str, int]] = [(value, "", 0)]
    while stack:
        found, path, depth = stack.pop()
        if isinstance(found, str):
            if len(found) > STRING_CHARACTERS:
                return [FieldError(path, f"has more than {STRING_CHARACTERS:,} characters")]
            if not found.isascii() and _SURROGATE.search(found):
                return [FieldError(path, "has half a surrogate pair, which is no character")]
        elif isinstance(found, (dict, list)):
            if depth >= DEPTH:
                return [FieldError(path, f"is nested more than {DEPTH} levels deep")]
            left -= len(found)
            if left < 0:
                return [FieldError(path or "event", f"has more than {KEYS:,} fields and items")]
            if isinstance(found, dict):
                for key, item in found.items():
                    if len(key) > FIELD_CHARACTERS:
                        problem = f"has a field name of more than {FIELD_CHARACTERS} characters"
                        return [FieldError(path or "event", problem)]
                    if not key.isascii() and _SURROGATE.search(key):
                        problem = "has a field name with half a surrogate pair"
                        return [FieldError(path or "event", problem)]
                    stack.append((item, f"{path}.{key}" if path else key, depth + 1))
            else:
                stack.extend((item, f"{path}[{n}]", depth + 1) for n, item in enumerate(found))
        elif isinstance(found, _Odd):
            return [FieldError(path, found.problem)]
        elif isinstance(found, float) and not math.isfinite(found):
            return [FieldError(path, _TOO_LARGE.problem)]
    return []
