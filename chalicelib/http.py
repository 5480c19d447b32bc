"""HTTP at the door: what a request may hold, and the one shape in which failures are answered.

Nothing of a request but the names of its fields ever reaches an answer or a log.
"""

from __future__ import annotations

import json
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
STRING_CHARACTERS: Final = 100_000

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
    401: "A key is needed",
    403: "This key may not do that",
    404: "There is no such thing",
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
    """A request as the routes see it; header names in lower case."""

    headers: Mapping[str, str]
    body: bytes
    query: Mapping[str, str] = field(default_factory=dict)
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
    """The media type of a request's body, in lower case and without parameters."""
    value = request.headers.get("content-type") or "application/json"
    return value.split(";", 1)[0].strip().lower()


def read_json(body: bytes, *, most_bytes: int) -> Any:
    """Decode a JSON body within its bounds.

    Raises
    ------
    Problem : 413 where it is too large, 400 where it is no JSON or nested, long or odd beyond use.
    """
    if len(body) > most_bytes:
        raise Problem(413, "too-large", f"The body has more than {most_bytes // 1024} KiB.")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise Problem(400, "not-json", "The body is not UTF-8.") from None
    try:
        found = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise Problem(400, "not-json", f"The body is not JSON{where}.") from None
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(name)


_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def bounds(value: Any) -> list[FieldError]:
    """What in a decoded JSON value is nested too deep, too long or too many (empty: all is well)."""
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
                    if len(key) > 256 or _SURROGATE.search(key):
                        return [FieldError(path or "event", "has a field name too long to be one")]
                    stack.append((item, f"{path}.{key}" if path else key, depth + 1))
            else:
                stack.extend((item, f"{path}[{n}]", depth + 1) for n, item in enumerate(found))
        elif isinstance(found, int) and not isinstance(found, bool) and abs(found) >= 10**30:
            return [FieldError(path, "is a number of more than 30 digits")]
    return []
