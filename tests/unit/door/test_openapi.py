"""GET /openapi.json beside the routes that there are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

import app
from chalicelib.door import api, cloudevents, intake, openapi, schemas
from chalicelib.door.http import Problem, Request
from chalicelib.errors import FieldError
from chalicelib.events.event import parse
from chalicelib.plan import catalog
from chalicelib.plan.plan import plan
from chalicelib.rules.reading import routing
from chalicelib.stage import Stage
from chalicelib.store import statuses
from chalicelib.store.record import Record, now_text
from chalicelib.words.render import templates
from tests.factories import sample

NOWHERE = Stage("local", lambda service: None)

# For people: no part of the API.
PAGES = {"/", "/u/{token}", "/p/{token}", "/a/{token}", "/console", "/console/{proxy+}"}


def calls(paths: dict[str, list[str]]) -> set[tuple[str, str]]:
    """Path and method of every call; what a path's parameter is called is no difference."""
    return {
        (re.sub(r"{\w+}", "{}", path), method.upper())
        for path, methods in paths.items()
        for method in methods
    }


def test_the_document_has_every_route_and_no_other() -> None:
    # HEAD is a GET without the body, and what is `taken` by no route answers 405.
    routes = {path: sorted(m) for path, m in app.taken.items() if path not in PAGES}
    without_head = {path: [m for m in methods if m != "HEAD"] for path, methods in routes.items()}
    documented = {path: list(item) for path, item in openapi.document()["paths"].items()}
    assert calls(documented) == calls(without_head)


def test_the_document_has_every_status_of_the_ledger() -> None:
    life = openapi.document()["components"]["schemas"]["Life"]
    declared = {v for name, v in vars(statuses).items() if name.isupper() and isinstance(v, str)}
    assert life["properties"]["status"]["enum"] == list(statuses.STATUSES)
    assert life["properties"]["outcomes"]["additionalProperties"]["enum"] == list(statuses.RECEIPTS)
    assert declared == {*statuses.STATUSES, *statuses.RECEIPTS}


def test_the_names_of_schemas_can_be_names_of_classes() -> None:
    schemas_ = openapi.document()["components"]["schemas"]
    assert all(re.fullmatch("[A-Z][A-Za-z0-9]*", name) for name in schemas_)
    mapping = schemas_["Event"]["discriminator"]["mapping"]
    assert mapping["order.shipped"] == "#/components/schemas/OrderShippedEvent"


@pytest.mark.parametrize(
    ("types", "names"),
    [
        (["order.shipped"], ["OrderShipped"]),
        (["a.b", "a-b", "aB", "a.b2"], ["AB", "AB2", "AB3", "AB22"]),
        (["other"], ["Other2"]),
        (["ñ", "ü"], ["Type", "Type2"]),
        (["aws.alarm", "2fa.code"], ["AwsAlarm", "2faCode"]),
    ],
)
def test_no_two_types_are_called_the_same(types: list[str], names: list[str]) -> None:
    assert list(schemas._names(types).values()) == names
    assert len({name.lower() for name in names}) == len(names)


def refs(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (v for k, v in value.items() if k == "$ref")
        for item in value.values():
            yield from refs(item)
    elif isinstance(value, list):
        for item in value:
            yield from refs(item)


def test_everything_that_is_referred_to_is_there() -> None:
    document = openapi.document()
    for ref in set(refs(document)):
        found = document
        for part in ref.removeprefix("#/").split("/"):
            found = found[part]


def undocumented(value: Any, schema: Any, everything: Any, path: str = "") -> Iterator[str]:
    """Properties of an answer that its schema does not have, and required ones that are not there."""
    if "$ref" in schema:
        schema = everything[schema["$ref"].rsplit("/", 1)[1]]
    if isinstance(value, list):
        for item in value:
            yield from undocumented(item, schema["items"], everything, f"{path}[]")
    elif isinstance(value, dict) and "properties" in schema:
        yield from (f"{path}.{n}" for n in value if n not in schema["properties"])
        yield from (f"{path}.{n} is missing" for n in schema["required"] if n not in value)
        for name, item in value.items():
            yield from undocumented(
                item, schema["properties"].get(name, {}), everything, f"{path}.{name}"
            )


@pytest.mark.parametrize("event_type", templates().types)
def test_all_that_a_plan_holds_is_in_the_document(event_type: str) -> None:
    everything = openapi.document()["components"]["schemas"]
    rules = routing("local")
    for locale in ("es", "en-GB", "pt"):
        checked = intake.check(
            {**sample(event_type), "locale": locale}, rules, default_source="shop"
        )
        found = plan(checked.event, checked.lane, checked.composed, rules)
        assert list(undocumented(found, everything["Plan"], everything)) == []


def test_all_that_is_told_of_types_events_and_problems_is_in_the_document() -> None:
    everything = openapi.document()["components"]["schemas"]
    record = Record(
        "i", "s", "failed", "t", "orders", rules=("r",), sent={"topic:users/es": "m"}, test=True
    )
    record.enter("failed", now_text())
    record.unknown = ("topic:users/en",)
    record.reason, record.detail, record.sender, record.template = "r", "d", "shop", "v"
    problem = Problem(422, "x", "d", [FieldError("f", "p")]).body()
    found = {
        "EventType": catalog.event_type("order.placed"),
        "Life": api.life(record),
        "Problem": problem,
        "NotTaken": {"id": None, "status": "rejected", "problem": problem},
        "Health": {"status": "ok", "event_types": 3},
    }
    for name, value in found.items():
        assert list(undocumented(value, everything[name], everything)) == []


def test_whoever_is_told_to_come_back_is_told_when() -> None:
    responses = openapi.document()["components"]["responses"]
    assert {s for s, r in responses.items() if "Retry-After" in r.get("headers", {})} == {
        "429",
        "503",
    }


def test_binary_mode_is_in_the_document_and_does_what_it_says() -> None:
    components = openapi.document()["components"]
    body = components["requestBodies"]["BinaryEvent"]
    assert len(body["content"]["application/json"]["schema"]["anyOf"]) == len(templates().types)
    event = {**sample("order.placed"), "specversion": "1.0", "id": "b-1", "locale": "en"}
    headers = {name: event.get(name.removeprefix("ce-")) for name in components["parameters"]}
    required = {n for n, p in components["parameters"].items() if p["required"]}
    assert required == {"ce-specversion", "ce-type"}
    given = {name: quote(value) for name, value in headers.items() if value}
    request = Request(
        {**given, "content-type": "application/json"}, json.dumps(event["data"]).encode(), NOWHERE
    )
    read = json.loads(parse(cloudevents.read_event(request)).to_json())
    assert read == {**event, "datacontenttype": "application/json"}
    settable = set(parse({"type": "t", "data": {}}).__slots__) - {"data", "extensions", "digest"}
    assert {name.removeprefix("ce-") for name in components["parameters"]} == {
        *settable - {"datacontenttype"},
        "specversion",
    }


def test_a_page_from_anywhere_may_read_the_document() -> None:
    answer = api.get_openapi(Request({}, b"", NOWHERE))
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    response = openapi.document()["paths"]["/openapi.json"]["get"]["responses"]["200"]
    assert "Access-Control-Allow-Origin" in response["headers"]
