"""The HTTP API, one function per call. Knows no Chalice: takes a Request, gives an Answer."""

from __future__ import annotations

from typing import Any

from chalicelib import http, intake, keys, ledger
from chalicelib.errors import FieldError, InvalidEvent, TransientError
from chalicelib.http import Answer, Problem, Request
from chalicelib.intake import Accepted, Conflict
from chalicelib.keys import Key
from chalicelib.ledger import Record
from chalicelib.render import templates
from chalicelib.routing import routing

EVENT_TYPES = ("application/json", "application/cloudevents+json")
_RETRY = {"Retry-After": "2"}


def post_event(request: Request) -> Answer:
    """`POST /events`: one event; 202 accepted, 200 duplicate."""
    key = keys.require(request, "send")
    raw = _read_event(request)
    checked = _check(raw, key)
    [result] = intake.accept([checked])
    if isinstance(result, Conflict):
        problem = "differs from the event that was taken under this id"
        errors = [FieldError(name, problem) for name in result.fields]
        raise Problem(409, "conflict", "Use a new id, or send the same event.", errors)
    if isinstance(result, TransientError):
        detail = "The event was not taken. Send it again as it is."
        raise Problem(503, "unavailable", detail, headers=_RETRY)
    return Answer(200 if result.status == "duplicate" else 202, _accepted(result))


def get_event(request: Request, event_id: str) -> Answer:
    """`GET /events/{id}`: what became of an event."""
    key = keys.require(request, "read")
    try:
        found = ledger.find(event_id)
    except TransientError:
        detail = "The ledger cannot be read right now."
        raise Problem(503, "unavailable", detail, headers=_RETRY) from None
    wanted = request.query.get("source")
    seen = [r for r in found if key.may_type(r.type) and wanted in (None, r.source)]
    if not seen:
        raise Problem(404, "no-such-event", "No event has this id, or this key may not see it.")
    seen.sort(key=lambda record: record.source != key.name)  # one's own first
    return Answer(200, life(seen[0]))


def get_event_types(request: Request) -> Answer:
    """`GET /event-types`: every type with its lane and locales."""
    key = keys.require(request, "read")
    known = templates()
    types = [_event_type(name) for name in known.types if key.may_type(name)]
    return Answer(200, {"event_types": types})


def get_health() -> Answer:
    """`GET /health`: this worker is up, its templates and rules are loaded."""
    return Answer(200, {"status": "ok", "event_types": len(templates().types)})


def life(record: Record) -> dict[str, Any]:
    """An event's record as it is shown: no words, no person."""
    timeline = [line.split(" ", 1) for line in record.timeline]
    found: dict[str, Any] = {
        "id": record.id,
        "source": record.source,
        "type": record.type or None,
        "status": record.status,
        "lane": record.lane,
        "timeline": [{"at": at, "status": status} for at, status in timeline],
        "rules": list(record.rules),
        "messages": record.sent,
        "template": record.template or None,
        "attempts": record.attempts,
    }
    if record.reason:
        found["reason"] = record.reason
        found["detail"] = record.detail
    if record.test:
        found["test"] = True
    return found


def _event_type(name: str) -> dict[str, Any]:
    known = templates()
    return {"type": name, "lane": routing().lane(name), "locales": list(known.locales(name))}


def _read_event(request: Request) -> Any:
    media = http.content_type(request)
    if media not in EVENT_TYPES:
        taken = " or ".join(EVENT_TYPES)
        raise Problem(415, "content-type", f"Send the event as {taken}.")
    return http.read_json(request.body, most_bytes=http.EVENT_BYTES)


def _check(raw: Any, key: Key) -> intake.Checked:
    if not isinstance(raw, dict):
        raise Problem(400, "not-an-event", "The body must be one JSON object: the event.")
    errors = http.bounds(raw)
    if errors:
        raise Problem(422, "invalid-event", "The event is out of bounds.", errors)
    try:
        checked = intake.check(raw, default_source=key.name, test=key.test)
    except InvalidEvent as error:
        detail = "Nothing was queued. Mend the fields below and send it again."
        raise Problem(422, error.reason, detail, error.errors) from None
    if not key.may_type(checked.event.type):
        raise Problem(403, "event-type", f"The key {key.name} is not for this event type.")
    return checked


def _accepted(result: Accepted) -> dict[str, Any]:
    return {"id": result.id, "status": result.status, "lane": result.lane}
