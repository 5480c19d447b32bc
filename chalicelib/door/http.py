"""HTTP at the door: what a request may hold, and the one shape in which failures are answered.

Nothing of a request but the names of its fields ever reaches an answer or a log.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, Final

from chalicelib.errors import FieldError, HeraldoError
from chalicelib.events import bounds
from chalicelib.patience import Patience
from chalicelib.regex import regex
from chalicelib.stage import Stage
from chalicelib.values import dataclass

EVENT_BYTES: Final = 256 * 1024
BATCH_BYTES: Final = 1024 * 1024
BATCH_EVENTS: Final = 500

# Of what is wrong with a request, so much is told at once.
MOST_ERRORS: Final = 20
_FIELD_CHARACTERS: Final = 300
_PROBLEM_CHARACTERS: Final = 600

METHODS: Final = frozenset(("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"))

SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=63072000",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

RETRY: Final[Mapping[str, str]] = {"Retry-After": "2"}

# A request's last call of AWS begins within so many seconds. It may take what the clients wait for a
# connection and an answer (5), a cold start came before it (3), and API Gateway gives up after 29.
ANSWER_SECONDS: Final = 18.0

TITLES: Final = {
    400: "The request cannot be read",
    401: "Who are you?",
    403: "This key may not do that",
    404: "There is nothing there",
    405: "That method is not for this address",
    409: "That id stands for another event",
    413: "The request is too large",
    415: "That content type is not taken",
    422: "What was sent cannot be accepted",
    429: "Too many requests",
    500: "Something is wrong on our side",
    503: "Try again in a moment",
}
# Those that say more than their status: by the end of `type`.
_OF_SLUG: Final = {"not-held": "That event is not held any more"}


@dataclass(frozen=True, slots=True)
class Request:
    """A request as the routes see it: header names in lower case, every value of a query parameter,
    and the stage that it came to.

    `url` is the address that was called, where API Gateway tells it; `seen` what the access log will say
    of it, beside its route.
    """

    headers: Mapping[str, str]
    body: bytes
    stage: Stage
    query: Mapping[str, Sequence[str]] = field(default_factory=dict)
    caller_arn: str = ""
    url: str = ""
    patience: Patience = field(default_factory=lambda: Patience(ANSWER_SECONDS))
    seen: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: `body` is JSON-ready, or text where `content_type` says so."""

    status: int
    body: Any
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


class Problem(HeraldoError):
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
            "title": _OF_SLUG.get(self.slug) or TITLES.get(self.status, "The request failed"),
            "status": self.status,
            "detail": _short(self.detail, _PROBLEM_CHARACTERS),
        }
        if self.errors:
            found["errors"] = [
                {
                    "field": _short(e.field, _FIELD_CHARACTERS),
                    "problem": _short(e.problem, _PROBLEM_CHARACTERS),
                }
                for e in self.errors[:MOST_ERRORS]
            ]
        if len(self.errors) > MOST_ERRORS:
            more = len(self.errors) - MOST_ERRORS
            found["detail"] += f" The first {MOST_ERRORS} are named, and {more:,} more are wrong."
        return found

    def answer(self) -> Answer:
        return Answer(self.status, self.body(), "application/problem+json", self.headers)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


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


_CHARSET: Final = regex(r"""charset\s*=\s*["']?([^\s"';]*)""", re.IGNORECASE)


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


_PARAMETER: Final = regex(r"[A-Za-z0-9_.-]{1,64}\Z")


def read_json(body: bytes, *, most_bytes: int) -> Any:
    """Decode a JSON body, as `bounds.decode` does.

    Raises
    ------
    Problem : 413 where it is too large, 400 where it is no JSON.
    """
    if len(body) > most_bytes:
        raise Problem(413, "too-large", f"The body has more than {most_bytes // 1024} KiB.")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise Problem(400, "not-json", _NOT_UTF8) from None
    try:
        return bounds.decode(text)
    except RecursionError:
        raise Problem(400, "not-json", "The body is nested too deep.") from None
    except ValueError as error:
        if "\ufffd" in text:  # what API Gateway makes of bytes that are not UTF-8
            raise Problem(400, "not-json", _NOT_UTF8) from None
        where = ""
        if isinstance(error, json.JSONDecodeError):
            where = f": see line {error.lineno}, column {error.colno}"
        raise Problem(400, "not-json", f"The body is not JSON{where}.") from None


_NOT_UTF8: Final = "The body must be UTF-8, and is not."
