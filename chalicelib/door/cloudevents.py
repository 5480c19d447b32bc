"""How an event travels in HTTP: structured, batched or binary.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import unquote

from chalicelib.door import http
from chalicelib.door.http import Problem, Request
from chalicelib.errors import FieldError
from chalicelib.events import event
from chalicelib.events.trace import TRACEPARENT, trace_of
from chalicelib.regex import regex

IDEMPOTENCY_KEY: Final = "^[!-~]{1,256}$"
STRUCTURED: Final = "application/cloudevents+json"
BATCHED: Final = "application/cloudevents-batch+json"
PLAIN: Final = "application/json"
_QUOTED: Final = regex(r'"((?:[^"\\]|\\.)*)"\Z')
_ESCAPE: Final = regex(r"\\(.)")
_KEY: Final = regex(IDEMPOTENCY_KEY.removesuffix("$") + r"\Z")


def read_event(request: Request) -> Any:
    """The one event of a request, still unchecked; the `Idempotency-Key` header stands for its id.

    Raises
    ------
    Problem : 415 for another content type, 413 and 400 for a body that cannot be read.
    """
    media = http.content_type(request)
    if media == BATCHED:
        raise Problem(415, "content-type", "Send several events to POST /events/batch.")
    if media == STRUCTURED:
        raw = http.read_json(request.body, most_bytes=http.EVENT_BYTES)
    elif _is_binary(request):
        raw = _binary(request, media)
    elif media == PLAIN:
        raw = http.read_json(request.body, most_bytes=http.EVENT_BYTES)
    else:
        raise Problem(415, "content-type", f"Send the event as {PLAIN} or {STRUCTURED}.")
    if not isinstance(raw, dict):
        raise Problem(400, "not-an-event", "The body must be one JSON object: the event.")
    raw = _with_idempotency_key(raw, request.headers.get("idempotency-key"))
    return _with_trace(raw, request)


def read_batch(request: Request) -> list[Any]:
    """The events of a batch, each still unchecked.

    Raises
    ------
    Problem : 415, 413 or 400, as for one event; 400 too for the header `Idempotency-Key`, of which
        whoever sends it would believe that it makes the batch safe to repeat.
    """
    if "idempotency-key" in request.headers:
        problem = FieldError("Idempotency-Key", "is for one event; give each of a batch its own id")
        raise Problem(400, "header", "A header cannot be used here.", [problem])
    if http.content_type(request) not in (PLAIN, BATCHED):
        raise Problem(415, "content-type", f"Send the events as {PLAIN} or {BATCHED}.")
    raw = http.read_json(request.body, most_bytes=http.BATCH_BYTES)
    if not isinstance(raw, list):
        raise Problem(400, "not-a-batch", "The body must be a JSON array of events.")
    if len(raw) > http.BATCH_EVENTS:
        raise Problem(422, "too-many", f"A batch has {http.BATCH_EVENTS} events at the most.")
    return [_with_trace(each, request) for each in raw]


def _is_binary(request: Request) -> bool:
    return "ce-specversion" in request.headers or "ce-type" in request.headers


def _binary(request: Request, media: str) -> dict[str, Any]:
    """Attributes from `ce-` headers, the data and its type from the body."""
    if not event.is_json(media):
        raise Problem(415, "content-type", f"Send the event's data as {PLAIN}.")
    if "ce-specversion" not in request.headers:
        problem = FieldError("specversion", 'send the header ce-specversion: "1.0"')
        raise Problem(422, "invalid-event", "A binary event names its specversion.", [problem])
    raw: dict[str, Any] = {}
    for name, value in request.headers.items():
        if name.startswith("ce-"):
            try:
                raw[name[3:]] = _unescaped(value)
            except UnicodeDecodeError:
                problem = FieldError(name, "is not percent-encoded UTF-8")
                raise Problem(400, "header", "A header cannot be read.", [problem]) from None
    if "data" in raw:
        problem = FieldError("data", "belongs in the body, not in a header")
        raise Problem(422, "invalid-event", "The event cannot be accepted.", [problem])
    if "content-type" in request.headers:
        raw["datacontenttype"] = request.headers["content-type"]
    raw["data"] = http.read_json(request.body, most_bytes=http.EVENT_BYTES)
    return raw


def _unescaped(value: str) -> str:
    """A header's value as section 3.1.3.2 reads it: out of its quotes, then percent-decoded once.

    Raises
    ------
    UnicodeDecodeError : what was percent-encoded is not UTF-8.
    """
    quoted = _QUOTED.match(value)
    text = _ESCAPE.sub(r"\1", quoted[1]) if quoted else value
    return unquote(text, errors="strict")


def _with_trace(raw: Any, request: Request) -> Any:
    """An event is part of the request's trace, unless it names its own."""
    traceparent = request.headers.get(TRACEPARENT)
    if not trace_of(traceparent) or not isinstance(raw, dict):
        return raw
    return raw if raw.get(TRACEPARENT) is not None else {**raw, TRACEPARENT: traceparent}


def _with_idempotency_key(raw: dict[str, Any], key: str | None) -> dict[str, Any]:
    """The header is for events without an id; an event's own id says the same thing and wins."""
    if key is None:
        return raw
    if not _KEY.match(key):
        problem = FieldError("Idempotency-Key", "must be 1 to 256 visible ASCII characters")
        raise Problem(400, "header", "A header cannot be read.", [problem])
    return raw if raw.get("id") is not None else {**raw, "id": key}
