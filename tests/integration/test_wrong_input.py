"""What is wrong with a request, and the exact problem that it gets: status, type, fields at fault.

No answer shows anything of the request but names of fields; the secrets below must never come back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from chalice.test import Client, HTTPResponse

from chalicelib.door.http import SECURITY_HEADERS
from tests.factories import sample, shipped
from tests.integration.aws_fixture import Stage
from tests.integration.test_api import SECRET, add_key, get, queued

VALUE = "s3cr3t-value"
READER = "hk_reader-reader-reader"
OFFERS = "hk_offers-offers-offers"


@pytest.fixture(scope="module")
def monkeypatch_module() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def stage(monkeypatch_module: pytest.MonkeyPatch) -> Iterator[Stage]:
    from tests.integration import aws_fixture

    yield from aws_fixture.stage(monkeypatch_module)


@pytest.fixture(scope="module")
def door(stage: Stage) -> Iterator[Client]:
    import app

    add_key(stage, SECRET, "shop", "send read")
    add_key(stage, READER, "reader", "read")
    add_key(stage, OFFERS, "offers", "send read", types={"S": "offer.*"})
    with Client(app.app, stage_name="local") as client:
        yield client


def event(**changes: Any) -> dict[str, Any]:
    """A good event with changes; a value of `...` takes the attribute away."""
    return {k: v for k, v in {**shipped(1), **changes}.items() if v is not ...}


def data(**changes: Any) -> dict[str, Any]:
    """A good event with changes to its data."""
    whole = {**sample("order.shipped")["data"], **changes}
    return event(data={k: v for k, v in whole.items() if v is not ...})


def text(body: Any) -> str:
    return body if isinstance(body, str) else json.dumps(body)


def raw(changed: str, into: str) -> str:
    """A good event's JSON with a change that no JSON writer would make."""
    body = json.dumps(event(marker="MARK"))
    return body.replace(f'"{changed}"', into, 1)


def nested(levels: int) -> Any:
    value: Any = VALUE
    for _ in range(levels):
        value = {"a": value}
    return value


def refusal(answer: HTTPResponse, status: int, slug: str, fields: list[str]) -> None:
    """Check the whole shape of a refusal, whatever it is about."""
    found: dict[str, Any] = json.loads(answer.body)
    assert answer.status_code == status == found["status"], found
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert found["type"] == f"urn:heraldo:problem:{slug}"
    assert found["title"]
    assert found["detail"]
    assert [e["field"] for e in found.get("errors", ())] == fields, found
    assert all(e["problem"] for e in found.get("errors", ()))
    assert {k: answer.headers[k] for k in SECURITY_HEADERS} == dict(SECURITY_HEADERS)
    said = answer.body.decode().lower()
    assert VALUE not in said
    assert "traceback" not in said
    assert ".py" not in said


EVENTS: dict[str, tuple[Any, int, str, list[str]]] = {
    # the body
    "nothing": ("", 400, "not-json", []),
    "not JSON": (f"{{{VALUE}", 400, "not-json", []),
    "a single quote": ("{'type': 1}", 400, "not-json", []),
    "a comma too many": ('{"type": "a",}', 400, "not-json", []),
    "two documents": ("{} {}", 400, "not-json", []),
    "a byte order mark": ("\ufeff{}", 400, "not-json", []),
    "not UTF-8": (b'{"type": "\xff"}', 400, "not-json", []),
    "UTF-16": ('{"type": "a"}'.encode("utf-16"), 400, "not-json", []),
    "Latin-1, as API Gateway hands it on, outside of a text": (
        b'{"type": \xef\xbf\xbd}',
        400,
        "not-json",
        [],
    ),
    "Latin-1, as API Gateway hands it on": (
        data(name=f"Luc\ufffda {VALUE}"),
        422,
        "invalid-event",
        ["data.name"],
    ),
    "Latin-1 in a field's name": (data(**{"a\ufffdo": 1}), 422, "invalid-event", ["data"]),
    "Latin-1 in an attribute": (event(recipient="Luc\ufffda"), 422, "invalid-event", ["recipient"]),
    "a hundred thousand brackets": ("[" * 100_000, 400, "not-json", []),
    "a list": ("[]", 400, "not-an-event", []),
    "a text": (json.dumps(VALUE), 400, "not-an-event", []),
    "a number": ("1", 400, "not-an-event", []),
    "null": ("null", 400, "not-an-event", []),
    "more than 256 KiB": (" " * (256 * 1024) + text(event()), 413, "too-large", []),
    # numbers, texts and depth
    "NaN": (raw("MARK", "NaN"), 422, "invalid-event", ["marker"]),
    "Infinity": (raw("MARK", "-Infinity"), 422, "invalid-event", ["marker"]),
    "a number beyond a double": (raw("MARK", "1e999"), 422, "invalid-event", ["marker"]),
    "an integer of 5,000 digits": (raw("MARK", "9" * 5000), 422, "invalid-event", ["marker"]),
    "a field that is there twice": (
        raw("marker", f'"type": "{VALUE}", "marker"'),
        422,
        "invalid-event",
        ["type"],
    ),
    "a field in data that is there twice": (
        '{"type": "order.shipped", "data": {"order": {"id": 1, "id": 2}}}',
        422,
        "invalid-event",
        ["data.order.id"],
    ),
    "half a surrogate pair": (raw("MARK", '"\\ud83d"'), 422, "invalid-event", ["marker"]),
    "half a surrogate pair in a name": (
        data(**{"\ud83d": 1}),
        422,
        "invalid-event",
        ["data"],
    ),
    "21 levels": (data(extra=nested(21)), 422, "invalid-event", ["data.extra" + ".a" * 18]),
    "too many fields": (
        data(extra=dict.fromkeys(map(str, range(5_001)), 1)),
        422,
        "invalid-event",
        ["data.extra"],
    ),
    "too many items": (data(extra=[1] * 5_001), 422, "invalid-event", ["data.extra"]),
    "a long text": (data(name="a" * 10_001), 422, "invalid-event", ["data.name"]),
    "a long field name": (data(**{"a" * 257: 1}), 422, "invalid-event", ["data"]),
    # type and data
    "an empty object": ({}, 422, "invalid-event", ["type", "data"]),
    "no type": (event(type=...), 422, "invalid-event", ["type"]),
    "an empty type": (event(type=""), 422, "invalid-event", ["type"]),
    "a type that is none": (event(type=7), 422, "invalid-event", ["type"]),
    "an unknown type": (event(type=VALUE), 422, "unknown-type", ["type"]),
    "a misspelt type": (event(type="order.shiped"), 422, "unknown-type", ["type"]),
    "a type that is a path": (event(type="../order.shipped"), 422, "unknown-type", ["type"]),
    "a type that is a folder of layouts": (event(type="_layouts"), 422, "unknown-type", ["type"]),
    "no data": (event(data=...), 422, "invalid-event", ["data"]),
    "null data": (event(data=None), 422, "invalid-event", ["data"]),
    "data that is a text": (event(data=VALUE), 422, "invalid-event", ["data"]),
    "data that is a list": (event(data=[]), 422, "invalid-event", ["data"]),
    "data in base64": (event(data_base64="e30="), 422, "invalid-event", ["data_base64"]),
    # attributes
    "another specversion": (event(specversion="0.3"), 422, "invalid-event", ["specversion"]),
    "a specversion that is a number": (
        event(specversion=1.0),
        422,
        "invalid-event",
        ["specversion"],
    ),
    "an empty id": (event(id=""), 422, "invalid-event", ["id"]),
    "an id that is a number": (event(id=1), 422, "invalid-event", ["id"]),
    "a long id": (event(id="a" * 257), 422, "invalid-event", ["id"]),
    "a line break in an id": (event(id=f"{VALUE}\n"), 422, "invalid-event", ["id"]),
    "a null character in an id": (event(id=f"{VALUE}\0"), 422, "invalid-event", ["id"]),
    "a source with a space": (event(source=f"{VALUE} x"), 422, "invalid-event", ["source"]),
    "a source with half an escape": (event(source="/shop%2"), 422, "invalid-event", ["source"]),
    "a long source": (event(source="/" * 257), 422, "invalid-event", ["source"]),
    "a dataschema that is no URI": (event(dataschema="x"), 422, "invalid-event", ["dataschema"]),
    "a datacontenttype with a line break": (
        event(datacontenttype="application/json\n"),
        422,
        "invalid-event",
        ["datacontenttype"],
    ),
    "another datacontenttype": (
        event(datacontenttype="text/xml"),
        422,
        "invalid-event",
        ["datacontenttype"],
    ),
    "a subject with a line break": (event(subject="a\r\nb"), 422, "invalid-event", ["subject"]),
    "a long recipient": (event(recipient="a" * 1025), 422, "invalid-event", ["recipient"]),
    "a recipient that is an object": (event(recipient={}), 422, "invalid-event", ["recipient"]),
    "a locale that is none": (event(locale=VALUE * 9), 422, "invalid-event", ["locale"]),
    "a locale that is a path": (event(locale="../es"), 422, "invalid-event", ["locale"]),
    "an empty partitionkey": (event(partitionkey=""), 422, "invalid-event", ["partitionkey"]),
    "a time without offset": (event(time="2026-11-22T10:00:00"), 422, "invalid-event", ["time"]),
    "a time without seconds": (event(time="2026-11-22T10:00Z"), 422, "invalid-event", ["time"]),
    "a time with a space": (event(time="2026-11-22 10:00:00Z"), 422, "invalid-event", ["time"]),
    "a time in weeks": (event(time="2026-W47-1T10:00:00Z"), 422, "invalid-event", ["time"]),
    "a compact time": (event(time="20261122T100000Z"), 422, "invalid-event", ["time"]),
    "a 25th hour": (event(time="2026-11-22T25:00:00Z"), 422, "invalid-event", ["time"]),
    "a 30th of February": (event(time="2026-02-30T10:00:00Z"), 422, "invalid-event", ["time"]),
    "a time that is a number": (event(time=1766000000), 422, "invalid-event", ["time"]),
    "an expirytime that is a date": (
        event(expirytime="2026-11-22"),
        422,
        "invalid-event",
        ["expirytime"],
    ),
    "a deliverat to come": (
        event(deliverat="2999-01-01T00:00:00Z"),
        422,
        "invalid-event",
        ["deliverat"],
    ),
    "an attribute in capitals": (event(Recipient="a"), 422, "invalid-event", ["Recipient"]),
    "an attribute with an underscore": (event(a_b=1), 422, "invalid-event", ["a_b"]),
    "an attribute with an odd name": (
        event(**{f"<{VALUE}>": 1}),
        422,
        "invalid-event",
        ["(attribute)"],
    ),
    "an extension that is a list": (event(campaign=[]), 422, "invalid-event", ["campaign"]),
    "an extension that is a fraction": (event(campaign=0.5), 422, "invalid-event", ["campaign"]),
    "an extension beyond 32 bits": (event(campaign=2**31), 422, "invalid-event", ["campaign"]),
    "several at once": (
        event(id="", source="a b", time="x", campaign={}),
        422,
        "invalid-event",
        ["campaign", "id", "source", "time"],
    ),
    # what the templates need
    "no name": (data(name=...), 422, "missing-data", ["data.name"]),
    "a null name": (data(name=None), 422, "missing-data", ["data.name"]),
    "a name that is an object": (data(name={"first": VALUE}), 422, "missing-data", ["data.name"]),
    "a name that is true": (data(name=True), 422, "missing-data", ["data.name"]),
    "no tracking at all": (
        data(tracking=...),
        422,
        "missing-data",
        ["data.tracking"],
    ),
    "an empty tracking": (
        data(tracking={}),
        422,
        "missing-data",
        ["data.tracking.carrier", "data.tracking.number", "data.tracking.url"],
    ),
    "a link that is none": (
        data(tracking={"carrier": "a", "number": "b", "url": f"javascript:{VALUE}"}),
        422,
        "missing-data",
        ["data.tracking.url"],
    ),
    "a date that is none": (
        data(delivery={"expected": VALUE}),
        422,
        "missing-data",
        ["data.delivery.expected"],
    ),
    "an amount with a comma": (
        {
            **sample("payment.failed"),
            "data": {
                **sample("payment.failed")["data"],
                "payment": {**sample("payment.failed")["data"]["payment"], "amount": "1,50"},
            },
        },
        422,
        "missing-data",
        ["data.payment.amount"],
    ),
    "a currency by its sign": (
        {
            **sample("payment.failed"),
            "data": {
                **sample("payment.failed")["data"],
                "payment": {**sample("payment.failed")["data"]["payment"], "currency": "€"},
            },
        },
        422,
        "missing-data",
        ["data.payment.currency"],
    ),
}


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_that_is_wrong_is_refused_with_what_is_wrong(door: Client, name: str) -> None:
    body, status, slug, fields = EVENTS[name]
    answer = send(door, body)
    refusal(answer, status, slug, fields)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{\n  "type": "order.shipped",\n  "data": {,}\n}', "line 3, column 12"),
        (b'{"type": "Luc\xeda"}', "UTF-8"),
        (b'{"type": \xef\xbf\xbd}', "UTF-8"),
        ("[" * 100_000, "too deep"),
    ],
)
def test_what_is_no_json_says_where_or_why(door: Client, body: Any, said: str) -> None:
    assert said in send(door, body).json_body["detail"]


def test_what_was_no_utf_8_says_so(door: Client) -> None:
    [error] = send(door, data(name="Luc\ufffda")).json_body["errors"]
    assert "send the body as UTF-8" in error["problem"]


def send(
    door: Client,
    body: Any,
    path: str = "/events",
    method: str = "POST",
    secret: str = SECRET,
    **headers: str,
) -> HTTPResponse:
    given = {"Content-Type": "application/json", "Authorization": f"Bearer {secret}"}
    given.update({name.replace("_", "-"): value for name, value in headers.items()})
    call = getattr(door.http, method.lower())
    answer: HTTPResponse = call(
        path, headers=given, body=body if isinstance(body, bytes) else text(body)
    )
    return answer


REQUESTS: dict[str, tuple[dict[str, Any], int, str, list[str]]] = {
    "another content type": ({"Content_Type": "text/plain"}, 415, "content-type", []),
    "a form": (
        {"Content_Type": "application/x-www-form-urlencoded"},
        415,
        "content-type",
        [],
    ),
    "another charset": (
        {"Content_Type": "application/json; charset=ISO-8859-1"},
        415,
        "content-type",
        [],
    ),
    "a content type that is none": ({"Content_Type": ";;"}, 415, "content-type", []),
    "a batch where one event goes": (
        {"Content_Type": "application/cloudevents-batch+json"},
        415,
        "content-type",
        [],
    ),
    "a batch of XML": (
        {"path": "/events/batch", "Content_Type": "application/xml"},
        415,
        "content-type",
        [],
    ),
    "one event where a batch goes": ({"path": "/events/batch"}, 400, "not-a-batch", []),
    "501 events": ({"path": "/events/batch", "body": [1] * 501}, 422, "too-many", []),
    "a batch of more than 1 MiB": (
        {"path": "/events/batch", "body": "[" + " " * 1024 * 1024 + "]"},
        413,
        "too-large",
        [],
    ),
    "a batch with an Idempotency-Key": (
        {"path": "/events/batch", "body": [], "Idempotency_Key": VALUE},
        400,
        "header",
        ["Idempotency-Key"],
    ),
    "a batch with a query": ({"path": "/events/batch?dry_run=true"}, 400, "query", ["dry_run"]),
    "dry_run as 1": ({"path": "/events?dry_run=1"}, 400, "query", ["dry_run"]),
    "dry_run in capitals": ({"path": "/events?dry_run=TRUE"}, 400, "query", ["dry_run"]),
    "an empty dry_run": ({"path": "/events?dry_run="}, 400, "query", ["dry_run"]),
    "a misspelt dry_run": ({"path": "/events?dryrun=true"}, 400, "query", ["dryrun"]),
    "an odd parameter": ({"path": f"/events?<{VALUE}>=1"}, 400, "query", ["(parameter)"]),
    "an empty Idempotency-Key": (
        {"body": event(id=...), "Idempotency_Key": ""},
        400,
        "header",
        ["Idempotency-Key"],
    ),
    "a long Idempotency-Key": (
        {"body": event(id=...), "Idempotency_Key": "a" * 257},
        400,
        "header",
        ["Idempotency-Key"],
    ),
    "an Idempotency-Key with a space": (
        {"body": event(id=...), "Idempotency_Key": f"{VALUE} 1"},
        400,
        "header",
        ["Idempotency-Key"],
    ),
    "an Idempotency-Key with a line break": (
        {"body": event(id=...), "Idempotency_Key": "a\r\nX-Injected: 1"},
        400,
        "header",
        ["Idempotency-Key"],
    ),
    "a binary event without specversion": (
        {"ce_type": "order.shipped", "ce_id": "1"},
        422,
        "invalid-event",
        ["specversion"],
    ),
    "a binary event of another specversion": (
        {"ce_specversion": "0.3", "ce_type": "order.shipped", "body": data()["data"]},
        422,
        "invalid-event",
        ["specversion"],
    ),
    "a binary event without a type": (
        {"ce_specversion": "1.0", "body": data()["data"]},
        422,
        "invalid-event",
        ["type"],
    ),
    "a binary event with data in a header": (
        {"ce_specversion": "1.0", "ce_type": "order.shipped", "ce_data": "1"},
        422,
        "invalid-event",
        ["data"],
    ),
    "a binary event whose data is a list": (
        {"ce_specversion": "1.0", "ce_type": "order.shipped", "body": []},
        422,
        "invalid-event",
        ["data"],
    ),
    "a binary event in XML": (
        {"ce_specversion": "1.0", "ce_type": "a", "Content_Type": "application/xml"},
        415,
        "content-type",
        [],
    ),
    "a header that is not UTF-8": (
        {"ce_specversion": "1.0", "ce_type": "order.shipped", "ce_subject": "%ff"},
        400,
        "header",
        ["ce-subject"],
    ),
    "a line break in a header of a binary event": (
        {
            "ce_specversion": "1.0",
            "ce_type": "order.shipped",
            "ce_subject": "a%0d%0aX-Injected: 1",
            "body": data()["data"],
        },
        422,
        "invalid-event",
        ["subject"],
    ),
    "a key that may only read": ({"secret": READER}, 403, "scope", []),
    "a key for other types": ({"secret": OFFERS}, 403, "event-type", []),
    "a key for other types on a dry run": (
        {"secret": OFFERS, "path": "/events?dry_run=true"},
        403,
        "event-type",
        [],
    ),
    "an unknown key": ({"secret": f"hk_{VALUE}-{VALUE}"}, 401, "unknown-key", []),
    "a short key": ({"secret": "hk_1"}, 401, "no-key", []),
    "another scheme": ({"Authorization": "Basic c2VjcmV0"}, 401, "no-key", []),
    "an Authorization of another form": ({"Authorization": SECRET}, 401, "no-key", []),
    "a key with a line break": ({"Authorization": f"Bearer {SECRET}\nx"}, 401, "no-key", []),
    "PUT": ({"method": "PUT"}, 405, "method", []),
    "PATCH": ({"method": "PATCH", "path": "/events/1"}, 405, "method", []),
    "POST to an event": ({"path": "/events/1"}, 405, "method", []),
    "GET of a batch": ({"method": "GET", "path": "/events/batch"}, 405, "method", []),
    "POST to health": ({"path": "/health"}, 405, "method", []),
    "PATCH of the welcome page": ({"method": "PATCH", "path": "/"}, 405, "method", []),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_that_is_wrong_is_refused_with_what_is_wrong(door: Client, name: str) -> None:
    request, status, slug, fields = REQUESTS[name]
    answer = send(door, **{"body": event(), **request})
    refusal(answer, status, slug, fields)
    if status == 405:
        assert "OPTIONS" in answer.headers["Allow"]
    if status == 401:
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


READS: dict[str, tuple[str, int, str, list[str]]] = {
    "an event that is not there": ("/events/nobody", 404, "no-such-event", []),
    "an id with an escaped slash": ("/events/a%2Fb", 404, "no-such-event", []),
    "an id with a lone percent sign": ("/events/100%", 404, "no-such-event", []),
    "an id with no UTF-8": ("/events/%ff", 404, "no-such-event", []),
    "a long id": ("/events/" + "a" * 5000, 404, "no-such-event", []),
    "an id of the ledger's own": ("/events/content:" + "0" * 64, 404, "no-such-event", []),
    "an unknown parameter": ("/events/1?verbose=1", 400, "query", ["verbose"]),
    "a parameter for the types": ("/event-types?x=1", 400, "query", ["x"]),
    "a parameter for the health": ("/health?x=1", 400, "query", ["x"]),
}


@pytest.mark.parametrize("name", READS)
def test_what_cannot_be_read_says_why(door: Client, name: str) -> None:
    path, status, slug, fields = READS[name]
    refusal(get(door, path), status, slug, fields)


BATCHED: dict[str, tuple[str, str, list[str]]] = {
    "a number": ("1", "not-an-event", []),
    "a field that is there twice": (raw("MARK", '1, "marker": 2'), "invalid-event", ["marker"]),
    "NaN": (raw("MARK", "NaN"), "invalid-event", ["marker"]),
    "an unknown type": (text(event(type=VALUE)), "unknown-type", ["type"]),
    "a bad id": (text(event(id=f"{VALUE}\n")), "invalid-event", ["id"]),
    "more than 256 KiB": (
        text(data(extra=["a" * 9_999] * 27)),
        "too-large",
        ["event"],
    ),
}


@pytest.mark.parametrize("name", BATCHED)
def test_in_a_batch_it_costs_the_one_event_only(door: Client, stage: Stage, name: str) -> None:
    wrong, slug, fields = BATCHED[name]
    queued(stage)
    answer = send(door, f"[{wrong}, {text(event(id=f'good {name}'))}]", "/events/batch")
    bad, good = answer.json_body
    assert (answer.status_code, bad["status"], good["status"]) == (200, "rejected", "accepted")
    assert bad["problem"]["type"] == f"urn:heraldo:problem:{slug}"
    assert [e["field"] for e in bad["problem"].get("errors", ())] == fields
    assert VALUE not in answer.body.decode()


def test_a_batch_of_a_key_for_other_types_is_refused_event_by_event(door: Client) -> None:
    offer = {**sample("offer.published"), "id": "offer"}
    answer = send(door, [event(), offer], "/events/batch", secret=OFFERS)
    assert [r["status"] for r in answer.json_body] == ["rejected", "accepted"]
    assert answer.json_body[0]["problem"]["status"] == 403


def test_an_empty_batch_has_no_results(door: Client) -> None:
    answer = send(door, [], "/events/batch")
    assert (answer.status_code, answer.json_body) == (200, [])


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/events", "POST, OPTIONS"),
        ("/events/1", "DELETE, GET, HEAD, OPTIONS"),
        ("/", "GET, HEAD, OPTIONS"),
    ],
)
def test_options_says_what_an_address_takes(door: Client, path: str, allowed: str) -> None:
    answer = door.http.options(path)
    assert (answer.status_code, answer.body, answer.headers["Allow"]) == (204, b"", allowed)


def test_head_is_a_get_without_the_body(door: Client) -> None:
    answer = door.http.head("/openapi.json")
    assert (answer.status_code, answer.body) == (200, b"")
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "event_id",
    ["a/b", "100%", "a%2Fb", "año 2026 ☕", "..", "a?b#c", "a+b", "a:b;c,d=e&f"],
)
def test_any_id_can_be_asked_for(door: Client, event_id: str) -> None:
    from urllib.parse import quote

    assert send(door, event(id=event_id)).status_code == 202
    # API Gateway hands on what was sent, or what was meant: both find the event.
    for path in {quote(event_id, safe=""), quote(quote(event_id, safe=""), safe="")}:
        assert get(door, f"/events/{path}").json_body["id"] == event_id


@pytest.mark.parametrize(
    "time",
    [
        "2026-11-22T10:00:00Z",
        "2026-11-22t10:00:00z",
        "2026-11-22T10:00:00.123456789+05:30",
        "2026-12-31T23:59:60Z",
        "2026-11-22T10:00:00-00:00",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-12:00",
    ],
)
def test_every_time_of_rfc_3339_is_taken(door: Client, time: str) -> None:
    assert send(door, event(id=f"at {time}", time=time)).status_code == 202


def test_what_goes_wrong_inside_is_told_without_a_trace(
    door: Client, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from chalicelib.door import intake

    def broken(*_: object) -> None:
        raise KeyError(VALUE)

    monkeypatch.setattr(intake, "accept", broken)
    refusal(send(door, event(name=...)), 500, "unexpected", [])
    said = capsys.readouterr()
    assert VALUE not in said.err + said.out
    assert '"error": "KeyError"' in said.err


def test_a_key_that_was_refused_and_then_created_works_after_a_moment(
    door: Client, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    from chalicelib.door import keys

    late = "hk_late-late-late-late"
    assert get(door, "/event-types", secret=late).status_code == 401
    add_key(stage, late, "late", "read")
    now = time.monotonic()
    monkeypatch.setattr(keys.time, "monotonic", lambda: now + keys.UNKNOWN_SECONDS + 1)
    assert get(door, "/event-types", secret=late).status_code == 200
