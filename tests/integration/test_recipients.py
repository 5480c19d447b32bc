"""`/recipients/{id}` through app.py, on moto: what is kept of people, and who may see it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from chalice.test import Client, HTTPResponse

from chalicelib import aws
from chalicelib.patience import Patience
from chalicelib.store import people, register, secrets
from chalicelib.store.people import Person, Stop
from tests.integration.aws_fixture import Stage
from tests.integration.test_api import add_key

KEY, SENDER = "hk_people-key-of-the-integration-tests", "hk_send-key-of-the-integration-tests"
ANA = {
    "locale": "es-AR",
    "time_zone": "America/Buenos_Aires",
    "email": "Ana@Example.COM",
    "phone": "+5491123456789",
    "preferences": {"promotions": {"sms": False}},
    "consent": {"promotions": {"at": "2026-11-22T10:00:00Z", "how": "checkout"}},
}


@pytest.fixture
def door(stage: Stage) -> Iterator[Client]:
    import app

    add_key(stage, KEY, "crm", "people")
    add_key(stage, SENDER, "shop", "send read")
    with Client(app.app, stage_name="local") as client:
        yield client


def call(
    door: Client, method: str, path: str, body: Any = None, secret: str = KEY, **more: str
) -> HTTPResponse:
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json", **more}
    given = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body)
    return door.http.request(method, f"/recipients/{path}", headers=headers, body=given)


def test_a_recipient_is_kept_in_normal_form_and_given_back_whole(door: Client) -> None:
    kept = {
        "id": "c 1",
        **ANA,
        "time_zone": "America/Argentina/Buenos_Aires",
        "email": "Ana@example.com",
    }
    first = call(door, "PUT", "c%201", ANA)
    assert (first.status_code, first.json_body) == (201, kept)
    assert call(door, "GET", "c%201").json_body == kept
    assert call(door, "PUT", "c%201", ANA).status_code == 200


def test_put_replaces_all_but_what_they_chose_themselves(door: Client) -> None:
    call(door, "PUT", "c-1", ANA)
    answer = call(door, "PUT", "c-1", {"email": "b@example.com"})
    assert answer.json_body == {
        "id": "c-1",
        "email": "b@example.com",
        "preferences": ANA["preferences"],
        "consent": ANA["consent"],
    }
    named = call(door, "PUT", "c-1", {"preferences": {"orders": {"sms": False}}, "consent": None})
    assert named.json_body == {"id": "c-1", "preferences": {"orders": {"sms": False}}}


def test_patch_changes_what_is_named_and_null_takes_away(door: Client) -> None:
    call(door, "PUT", "c-1", ANA)
    patch = {"phone": None, "preferences": {"promotions": {"sms": None, "email": False}}}
    answer = call(door, "PATCH", "c-1", patch, **{"Content-Type": "application/merge-patch+json"})
    found = answer.json_body
    assert "phone" not in found
    assert found["preferences"] == {"promotions": {"email": False}}
    assert found["email"] == "Ana@example.com"


def test_nobody_is_made_by_a_patch(door: Client) -> None:
    assert call(door, "PATCH", "nobody", {"locale": "es"}).status_code == 404


WRONG: dict[str, tuple[Any, str, str]] = {
    "no address": ({"email": "ana"}, "email", "ana@example.com"),
    "a name around it": ({"email": "Ana <ana@example.com>"}, "email", "characters"),
    "a header in it": ({"email": "a@example.com\r\nBcc: b@example.com"}, "email", "characters"),
    "a national number": ({"phone": "600 111 222"}, "phone", "+34600111222"),
    "an unknown zone": ({"time_zone": "Europe/Madird"}, "time_zone", "Europe/Madrid"),
    "no zone at all": ({"time_zone": 3}, "time_zone", "must be a string"),
    "a locale": ({"locale": "español"}, "locale", "language tag"),
    "a topic as endpoint": ({"push": ["arn:aws:sns:eu-west-1:1:users"]}, "push[0]", "endpoint"),
    "one endpoint": ({"push": "arn"}, "push", "list"),
    "an unknown category": (
        {"preferences": {"promotion": {"sms": False}}},
        "preferences.promotion",
        "did you mean promotions?",
    ),
    "an unknown channel": (
        {"preferences": {"orders": {"fax": False}}},
        "preferences.orders.fax",
        "email, sms, push",
    ),
    "a text for a boolean": (
        {"preferences": {"orders": {"sms": "no"}}},
        "preferences.orders.sms",
        "true or false",
    ),
    "what is critical": (
        {"preferences": {"alerts": {"email": False}}},
        "preferences.alerts.email",
        "cannot be switched off",
    ),
    "consent without when": ({"consent": {"orders": {"how": "x"}}}, "consent.orders", '"at"'),
    "consent on no day": (
        {"consent": {"orders": {"at": "2026-02-30T10:00:00Z", "how": "x"}}},
        "consent.orders.at",
        "RFC 3339",
    ),
    "an unknown field": ({"mail": "a@example.com"}, "mail", "did you mean email"),
    "another id": ({"id": "c-2"}, "id", "another"),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_what_is_wrong_is_named_with_its_remedy_and_nothing_changes(
    door: Client, name: str, method: str
) -> None:
    body, field, said = WRONG[name]
    call(door, "PUT", "c-1", ANA)
    before = call(door, "GET", "c-1").json_body
    answer = call(door, method, "c-1", body)
    assert answer.status_code == 422
    [error] = answer.json_body["errors"]
    assert error["field"] == field
    assert said in error["problem"]
    assert call(door, "GET", "c-1").json_body == before


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("a%2Fb", {}, 400),
        ("a%25b", {}, 400),
        ("a%0Ab", {}, 400),
        ("x" * 257, {}, 400),
        ("c-1", [], 422),
        ("c-1", b"{", 400),
        ("c-1", b"\xff", 400),
        ("c-1", {"push": ["x" * 40_000]}, 413),
    ],
)
def test_what_cannot_be_read_is_refused(door: Client, path: str, body: Any, status: int) -> None:
    assert call(door, "PUT", path, body).status_code == status


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_a_key_without_the_scope_sees_and_changes_nobody(door: Client, method: str) -> None:
    call(door, "PUT", "c-1", ANA)
    refused = call(door, method, "c-1", {}, SENDER)
    assert (refused.status_code, refused.json_body["type"]) == (403, "urn:heraldo:problem:scope")
    assert call(door, method, "c-1", {}, "hk_nobodys-key-of-the-tests").status_code == 401
    assert call(door, "GET", "c-1").status_code == 200


def test_who_is_erased_is_gone_and_only_that_it_was_done_is_kept(
    door: Client, stage: Stage
) -> None:
    call(door, "PUT", "c-1", ANA)
    assert call(door, "DELETE", "c-1").status_code == 204
    assert "was erased on 20" in call(door, "GET", "c-1").json_body["detail"]
    assert call(door, "DELETE", "c-1").status_code == 404
    kept = json.dumps(stage.dynamodb.scan(TableName="heraldo-local-people")["Items"])
    for personal in ("c-1", "Ana", "example.com", "5491123456789", "checkout"):
        assert personal not in kept
    assert call(door, "PUT", "c-1", {}).status_code == 201


def test_of_twenty_changes_at_once_none_is_lost(door: Client) -> None:
    call(door, "PUT", "c-1", {})
    stage = aws.stage()

    def opt_out(number: int) -> None:
        category = {f"k{number}": {"email": False}}

        def by(person: Person, _: bool) -> bool:
            person.preferences |= category
            return True

        register.change(stage, "person:c-1", by, Patience(30))

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(opt_out, range(20)))
    assert len(call(door, "GET", "c-1").json_body["preferences"]) == 20


def test_a_stop_goes_with_its_address_to_whoever_has_it(door: Client) -> None:
    stage = aws.stage()
    keyed = secrets.of(stage).hash_of("lost@example.com")

    def stop(address: Person, _: bool) -> bool:
        address.stopped["email"] = Stop(keyed, "bounced", "2026-11-22T10:00:00Z", "General")
        address.preferences["promotions"] = {"email": False}
        return True

    register.change(stage, people.ADDRESS + keyed, stop, Patience(30))
    found = call(door, "PUT", "c-1", {"email": "lost@example.com"}).json_body
    assert found["stopped"]["email"]["reason"] == "bounced"
    assert found["preferences"] == {"promotions": {"email": False}}
    moved = call(door, "PATCH", "c-1", {"email": "new@example.com"}).json_body
    assert "stopped" not in moved


def test_an_address_in_the_ledger_is_a_keyed_hash_and_another_one_another_event(
    door: Client, stage: Stage
) -> None:
    event = {"type": "order.placed", "id": "e-1", "recipient": "c-1"}
    from tests.factories import sample

    event |= {"data": sample("order.placed")["data"], "email": "ana@example.com"}

    def post(body: Any) -> HTTPResponse:
        headers = {"Authorization": f"Bearer {SENDER}", "Content-Type": "application/json"}
        return door.http.post("/events", headers=headers, body=json.dumps(body))

    assert post(event).status_code == 202
    assert post(event).status_code == 200
    other = post(event | {"email": "anna@example.com"})
    assert (other.status_code, other.json_body["errors"][0]["field"]) == (409, "email")
    assert "example" not in json.dumps(
        stage.dynamodb.scan(TableName="heraldo-local-ledger"), default=str
    )
