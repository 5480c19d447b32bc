"""The HTTP API, one function per call. Knows no Chalice: takes a Request, gives an Answer."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from botocore.exceptions import ClientError

from chalicelib.door import (
    acknowledging,
    bounded,
    cancelling,
    cloudevents,
    digested,
    http,
    intake,
    keys,
    openapi,
)
from chalicelib.door.digested import Digested
from chalicelib.door.http import Answer, Problem, Request
from chalicelib.door.intake import Accepted, Checked, Conflict
from chalicelib.door.keys import Key
from chalicelib.errors import FieldError, InvalidEvent, TransientError
from chalicelib.events.event import is_id
from chalicelib.events.step import run_of
from chalicelib.lanes import persons
from chalicelib.patience import Patience
from chalicelib.plan import catalog
from chalicelib.plan.compose import compose, destination_tag, event_tag
from chalicelib.plan.plan import plan
from chalicelib.rules.destinations import webhook_of
from chalicelib.rules.reading import routing
from chalicelib.stage import Stage
from chalicelib.store import audit, ledger, receipts, statuses
from chalicelib.store.receipts import Receipt
from chalicelib.store.record import EventKey, Record
from chalicelib.words.render import templates

# Of a batch that is full of mistakes, each of them is looked for: so long, and what was read by then goes its way.
_READ_SECONDS: Final = http.ANSWER_SECONDS / 2
_TOO_SLOW: Final = "The batch took too long to read up to here. Send it again, in smaller batches."


def post_event(request: Request) -> Answer:
    """`POST /events`: one event; 202 accepted, 200 duplicate, or its plan where it is a dry run."""
    key = keys.require(request, "send")
    dry_run = _flag(http.query(request, "dry_run"), "dry_run")
    checked = check(cloudevents.read_event(request), key, request.stage)
    if dry_run:
        return Answer(200, bounded.plan(planned(request.stage, request.patience, checked)))
    [result] = intake.accept(request.stage, [checked], key.name, request.patience)
    if not isinstance(result, Accepted):
        raise _refusal(result)
    return Answer(200 if result.status == "duplicate" else 202, _accepted(result, checked))


def planned(stage: Stage, patience: Patience, checked: Checked) -> dict[str, Any]:
    """The plan of an event, for its persons as they are known.

    Raises
    ------
    Problem : 503 where people cannot be read right now.
    """
    event, lane = checked.event, checked.lane
    rules = routing(stage.name)
    try:
        known = patience.ask(lambda: persons.read(stage, rules, lane, [event], patience.left()))
    except (TransientError, ClientError):
        detail = "People cannot be read right now."
        raise Problem(503, "unavailable", detail, headers=http.RETRY) from None
    composed = compose(event, lane, rules, templates(), str, known)
    composed = replace(composed, gaps=checked.composed.gaps)
    shop = templates().environment.time_zone
    return plan(event, lane, composed, rules, known=known, shop=shop, test=checked.test)


def post_batch(request: Request) -> Answer:
    """`POST /events/batch`: one result per event, in order; a bad event never blocks a good one."""
    key = keys.require(request, "send")
    http.query(request)
    results: list[dict[str, Any]] = []
    good: list[tuple[int, Checked]] = []
    began = request.patience.left()
    for position, raw in enumerate(cloudevents.read_batch(request)):
        try:
            if began - request.patience.left() > _READ_SECONDS:
                raise Problem(503, "unavailable", _TOO_SLOW, headers=http.RETRY)
            if not isinstance(raw, dict):
                raise Problem(400, "not-an-event", "An event must be a JSON object.")
            good.append((position, check(raw, key, request.stage)))
            results.append({})
        except Problem as problem:
            results.append(_rejected(raw, problem))
    events = [checked for _, checked in good]
    taken = intake.accept(request.stage, events, key.name, request.patience)
    for (position, checked), result in zip(good, taken, strict=True):
        if isinstance(result, Accepted):
            results[position] = _accepted(result, checked)
        else:
            results[position] = _rejected({"id": checked.event.id}, _refusal(result))
    return Answer(200, bounded.results(results))


def get_event(request: Request, event_id: str) -> Answer:
    """`GET /events/{id}`: what became of an event."""
    key = keys.require(request, "read")
    wanted = http.query(request, "source").get("source")
    try:
        found = _find(request, event_id, key, wanted)
    except (TransientError, ClientError):
        detail = "The ledger cannot be read right now."
        raise Problem(503, "unavailable", detail, headers=http.RETRY) from None
    if found is None:
        raise Problem(404, "no-such-event", "No event has this id, or this key may not see it.")
    try:
        told = _receipts(request, found)
        at = acknowledging.since(request.stage, request.patience, found)
        waits = _digests(request, found)
    except (TransientError, ClientError):
        detail = "What became of it cannot be read right now."
        raise Problem(503, "unavailable", detail, headers=http.RETRY) from None
    acknowledged = {"acknowledged": at} if at else {}
    return Answer(200, {**life(found, told, waits), **acknowledged})


def acknowledge_event(request: Request, event_id: str) -> Answer:
    """`POST /events/{id}/ack`: somebody is on it, and its journey sends nothing more."""
    key = keys.require(request, "send")
    wanted = http.query(request, "source").get("source")
    try:
        found = _find(request, event_id, key, wanted)
        # A step's id cannot be guessed: who knows it was told of it.
        if found is None or not (key.may_source(found.source) or run_of(found.id, found.source)):
            raise Problem(404, "no-such-event", "No event has this id, or this key may not see it.")
        if not acknowledging.can_be(found):
            detail = "The event began no journey, so that nothing waits for somebody."
            raise Problem(409, "nothing-waits", detail)
        _put_down(request, key, "acknowledge", found)
        at = acknowledging.acknowledge(request.stage, request.patience, found)
    except (TransientError, ClientError):
        detail = "The event cannot be acknowledged right now. Send it again as it is."
        raise Problem(503, "unavailable", detail, headers=http.RETRY) from None
    return Answer(200, {**life(found), "acknowledged": at})


def delete_event(request: Request, event_id: str) -> Answer:
    """`DELETE /events/{id}`: have what is held never go out."""
    key = keys.require(request, "send")
    wanted = http.query(request, "source").get("source")
    try:
        found = _find(request, event_id, key, wanted)
        if found is not None and key.may_source(found.source) and cancelling.can_be(found):
            _put_down(request, key, "cancel", found)
            found = cancelling.cancel(request.stage, found, f"cancelled by {key.name}")
    except (TransientError, ClientError):
        detail = "The event cannot be cancelled right now. Send it again as it is."
        raise Problem(503, "unavailable", detail, headers=http.RETRY) from None
    if found is None or not key.may_source(found.source):
        raise Problem(404, "no-such-event", "No event has this id, or this key may not see it.")
    if found.status != statuses.CANCELLED:
        # What the ledger still calls held has been released: its lane is about it.
        now = "on its way" if found.status == statuses.HELD else found.status
        detail = f"The event is {now}: only what is held can be cancelled."
        raise Problem(409, "not-held", detail)
    return Answer(200, life(found))


def _put_down(request: Request, key: Key, what: str, record: Record) -> None:
    """Have the audit log say so."""
    request.patience.ask(lambda: audit.write(request.stage, key.name, what, record.id))


def _receipts(request: Request, record: Record) -> list[Receipt]:
    """What is known afterwards of what was sent; asked for only where a mail or a post may have gone out."""
    if not any(has_receipts(name) for name in (*record.sent, *record.unknown)):
        return []
    stage, tag = request.stage, event_tag(record.id, record.source)
    return request.patience.ask(lambda: receipts.of_event(stage, tag))


def _digests(request: Request, record: Record) -> list[Digested]:
    """What became of what rules gathered of an event; asked for only where they did."""
    if not record.digests or record.status == statuses.CANCELLED:
        return []
    return request.patience.ask(lambda: digested.of_event(request.stage, record))


def _find(request: Request, event_id: str, key: Key, wanted: str | None) -> Record | None:
    """The event of an id that a key may see: of the source that is wanted, or else its own first.

    A gateway hands a path on as it was sent or decoded, an id with a slash only gets through some of
    them encoded twice, and an id may itself have a percent sign; so what came is looked for first.
    """
    stage, patience = request.stage, request.patience
    once = unquote(event_id)
    ids = [i for i in dict.fromkeys((event_id, once, unquote(once))) if is_id(i)]
    source = key.source if wanted is None else wanted
    known: dict[EventKey, Record] = {}
    if ids and is_id(source):
        of_source = [(i, source) for i in ids]
        known = patience.ask(lambda: ledger.read(stage, of_source, patience.left()))
    found = [known[i, source] for i in ids if (i, source) in known]
    if wanted is None and not found:
        for event_id in ids:
            found += patience.ask(lambda i=event_id: ledger.find(stage, i))  # type: ignore[misc]
    return next((record for record in found if key.may_type(record.type)), None)


def get_event_types(request: Request) -> Answer:
    """`GET /event-types`: every type, or the one asked for, with what its data must hold."""
    key = keys.require(request, "read")
    wanted = http.query(request, "type").get("type")
    names = [name for name in templates().types if key.may_type(name) and wanted in (None, name)]
    types = [catalog.event_type(name) for name in names]
    return Answer(200, {"event_types": bounded.event_types(types)})


def get_health(request: Request) -> Answer:
    """`GET /health`: this worker is up, its templates and rules are loaded."""
    http.query(request)
    return Answer(200, {"status": "ok", "event_types": len(templates().types)})


def get_openapi(request: Request) -> Answer:
    """`GET /openapi.json`: what this deployment accepts and answers."""
    http.query(request)
    called = request.url.rstrip("/").removesuffix("/openapi.json")
    document = openapi.document(os.environ.get("HERALDO_API_URL") or called or ".")
    # A page from anywhere, such as a viewer of documents, may read it: it holds no secret.
    return Answer(200, document, headers={"Access-Control-Allow-Origin": "*"})


def get_welcome() -> Answer:
    """`GET /`: a page that tells a person what this is."""
    page = (Path(__file__).parent / "welcome.html").read_text(encoding="utf-8")
    return Answer(200, page, "text/html; charset=utf-8")


def refuse_method(method: str, allowed: Sequence[str]) -> Answer:
    """A method that an address does not have: 405, or for OPTIONS which it has."""
    headers = {"Allow": ", ".join((*allowed, "OPTIONS"))}
    if method == "OPTIONS":
        return Answer(204, "", headers=headers)
    detail = f"This address takes {' and '.join(allowed)}."
    raise Problem(405, "method", detail, headers=headers)


def life(
    record: Record, told: Sequence[Receipt] = (), gathered: Sequence[Digested] = ()
) -> dict[str, Any]:
    """An event's record as it is shown, with its receipts and its digests: no words, no person."""
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
    if record.status == statuses.HELD:
        found["held"] = {"until": record.until, "why": record.reason}
    if gathered:
        found["digests"] = [one.shown() for one in gathered]
        dues = [one.until for one in gathered if one.waits]
        if record.status == statuses.GATHERED and len(dues) == len(gathered):
            found["held"] = {"until": min(dues), "why": record.reason}
    if record.sent:
        found["outcomes"] = {name: outcome(name, told) for name in record.sent}
    if told:
        found["receipts"] = [
            {"destination": _named(receipt, record), "status": receipt.kind, "at": receipt.at}
            | ({"detail": receipt.detail} if receipt.detail else {})
            for receipt in told
        ]
    if record.withheld:
        found["withheld"] = dict(record.withheld)
    if record.unknown:
        found["unknown"] = list(record.unknown)
    if record.reason and record.status != statuses.HELD:
        found["reason"] = record.reason
        found["detail"] = record.detail
    if record.sender:
        found["key"] = record.sender
    if record.test:
        found["test"] = True
    return found


def outcome(name: str, told: Sequence[Receipt]) -> str:
    """What became of what was sent to a destination: the gravest word of a mail's receipts, the last of a post's,
    which can be redriven."""
    if not has_receipts(name):
        return statuses.NONE
    kinds = [receipt.kind for receipt in told if receipt.destination == destination_tag(name)]
    if webhook_of(name):
        return kinds[-1] if kinds else statuses.AWAITED
    order = list(statuses.RECEIPTS)
    return max(kinds, key=order.index, default=statuses.AWAITED)


def has_receipts(name: str) -> bool:
    """Whether anything is told afterwards of what went to a destination."""
    return name.endswith(":email") or bool(webhook_of(name))


def _named(receipt: Receipt, record: Record) -> str:
    """The destination of a receipt as the ledger calls it; as its tag does, where that is not known yet."""
    names = {destination_tag(name): name for name in (*record.sent, *record.unknown)}
    return names.get(receipt.destination, receipt.destination)


def check(raw: dict[str, Any], key: Key, stage: Stage) -> Checked:
    """An event that this key may send, and that can be delivered.

    Raises
    ------
    Problem : 403, 413, 422, with the fields at fault.
    """
    event_type = raw.get("type")
    if isinstance(event_type, str) and not key.may_type(event_type):
        raise Problem(403, "event-type", f"The key {key.name} is not for this event type.")
    source = raw.get("source")
    if isinstance(source, str) and source and not key.may_source(source):
        may = " or ".join(key.sources)
        detail = f"The key {key.name} speaks for {may} and what lies beneath; leave source out for {key.source}."
        raise Problem(403, "source", detail)
    try:
        return intake.check(raw, routing(stage.name), default_source=key.source, test=key.test)
    except InvalidEvent as error:
        status = 413 if error.reason == "too-large" else 422
        detail = "Nothing was queued. Mend the fields below and send it again."
        raise Problem(status, error.reason, detail, error.errors) from None


def _refusal(result: Conflict | TransientError) -> Problem:
    if isinstance(result, Conflict):
        problem = "differs from the event that was taken under this id"
        errors = [FieldError(name, problem) for name in result.fields]
        return Problem(409, "conflict", "Use a new id, or send the same event.", errors)
    detail = "The event was not taken. Send it again as it is."
    return Problem(503, "unavailable", detail, headers=http.RETRY)


def _rejected(raw: Any, problem: Problem) -> dict[str, Any]:
    """The result of one event of a batch that was not taken; only a well-formed id is repeated."""
    given = raw.get("id") if isinstance(raw, dict) else None
    event_id = given if is_id(given) else None
    status = "unavailable" if problem.status >= 500 else "rejected"
    return {"id": event_id, "status": status, "problem": problem.body()}


def _flag(query: Mapping[str, str], name: str) -> bool:
    value = query.get(name, "false")
    if value not in ("true", "false"):
        errors = [FieldError(name, "must be true or false")]
        raise Problem(400, "query", "The query cannot be read.", errors)
    return value == "true"


def _accepted(result: Accepted, checked: Checked) -> dict[str, Any]:
    answer: dict[str, Any] = {"id": result.id, "status": result.status, "lane": result.lane}
    if result.held_until:
        answer["held_until"] = result.held_until
    warnings = intake.warnings(checked)
    if warnings:
        answer["warnings"] = [{"field": w.field, "problem": w.problem} for w in warnings]
    return answer
