"""SES as a door, on moto: what it says of mails is kept once, shown, and stops addresses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from chalice.test import Client
from click.testing import CliRunner, Result

from chalicelib import aws, names, patience
from chalicelib.door import inlet, receipts
from chalicelib.lanes.dispatch import Redeliver, dispatch
from chalicelib.patience import Patience
from chalicelib.plan.compose import event_tag
from chalicelib.rules import reading
from chalicelib.store import ledger, people, register, secrets, statuses
from chalicelib.store.people import Person
from chalicelib.store.record import Record
from cli.main import main
from tests.factories import customers_hear_by, sample
from tests.integration.aws_fixture import Stage
from tests.integration.test_api import add_key, get
from tests.mails import enveloped, said

KEY = "hk_receipts-key-of-the-integration-tests"
TAG = event_tag("e-1", "/shop")
ANA = "ana@example.com"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept comes again without a wait."""
    monkeypatch.setattr(inlet, "wait_seconds", lambda _: 0)
    monkeypatch.setattr(patience, "_PAUSE", 0.0)


@pytest.fixture
def door(stage: Stage) -> Iterator[Client]:
    import app

    add_key(stage, KEY, "shop", "read people")
    with Client(app.app, stage_name="local") as client:
        yield client


def put(stage: Stage, *messages: Any) -> None:
    url = stage.queue_url(names.queue("local", names.RECEIPTS))
    for message in messages:
        body = message if isinstance(message, str) else json.dumps(message)
        stage.sqs.send_message(QueueUrl=url, MessageBody=body)


def drain(stage: Stage) -> None:
    receipts.drain(aws.stage(), stage.receive(names.RECEIPTS), lambda: 30_000)


def take(stage: Stage, *messages: Any) -> None:
    put(stage, *messages)
    drain(stage)
    assert stage.waiting(names.RECEIPTS) == 0


def published(event_id: str = "e-1") -> None:
    """What a lane records when a mail has gone out."""
    record = Record(event_id, "/shop", type="order.placed", lane="orders")
    record.sent = {"recipient:email": "m-1"}
    record.enter(statuses.PUBLISHED, "2026-11-22T09:59:59.000Z")
    assert not ledger.write(aws.stage(), [record], 5)


def told(door: Client) -> Any:
    found = get(door, "/events/e-1?source=/shop", KEY).json_body
    return found["outcomes"], [
        (one["destination"], one["status"]) for one in found.get("receipts", ())
    ]


def known(address: str = ANA) -> Person:
    stage = aws.stage()
    item_id = people.ADDRESS + secrets.of(stage).hash_of(address)
    return register.change(stage, item_id, lambda *_: False, Patience(5))


def heraldo(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["recipients", *arguments])


def test_a_mail_is_awaited_then_delivered(door: Client, stage: Stage) -> None:
    published()
    assert told(door) == ({"recipient:email": "awaited"}, [])
    take(stage, said("Delivery", event=TAG))
    assert told(door) == ({"recipient:email": "delivered"}, [("recipient:email", "delivered")])


def test_a_receipt_that_overtakes_its_record_waits_and_twice_is_once(
    door: Client, stage: Stage
) -> None:
    take(stage, said("Bounce", event=TAG))
    take(stage, enveloped(said("Bounce", event=TAG)), said("Bounce", event=TAG))
    published()
    assert told(door) == ({"recipient:email": "bounced"}, [("recipient:email", "bounced")])


def test_the_gravest_word_counts(door: Client, stage: Stage) -> None:
    published()
    take(stage, said("Complaint", event=TAG), said("Delivery", event=TAG))
    outcomes, receipts_of_it = told(door)
    assert outcomes == {"recipient:email": "complained"}
    assert len(receipts_of_it) == 2


@pytest.mark.parametrize(
    ("kind", "reason"), [("Bounce", "hard-bounce"), ("Complaint", "complaint")]
)
def test_a_hard_bounce_and_a_complaint_stop_the_address(
    stage: Stage, kind: str, reason: str
) -> None:
    heraldo("set", "c-1", "--email", ANA)
    take(stage, said(kind, event=TAG, person="c-1"))
    assert known().stopped["email"].reason == reason
    assert f"stopped email: reason {reason}" in heraldo("show", "c-1").output
    assert f"stopped email: reason {reason}" in heraldo("show", ANA).output


def test_who_has_another_address_by_now_is_not_stopped(stage: Stage) -> None:
    heraldo("set", "c-1", "--email", "new@example.com")
    take(stage, said("Bounce", event=TAG, person="c-1"))
    assert "stopped" not in heraldo("show", "c-1").output
    heraldo("set", "c-1", "--email", ANA)
    assert "stopped" in heraldo("show", "c-1").output


def soft(number: int) -> dict[str, Any]:
    return said("Bounce", event=TAG, message_id=f"m-{number}", person="c-1", bounceType="Transient")


def test_five_soft_bounces_in_a_row_stop_it_and_one_that_comes_twice_counts_once(
    stage: Stage,
) -> None:
    heraldo("set", "c-1", "--email", ANA)
    take(stage, *[soft(1)] * 5)
    assert known().soft == {"email": 1}
    take(stage, *map(soft, range(2, 5)))
    take(stage, said("Delivery", event=TAG, message_id="m-5", person="c-1"))
    assert known().soft == {}
    take(stage, *map(soft, range(6, 10)))
    assert not known().stopped
    take(stage, soft(10))
    assert known().stopped["email"].reason == "soft-bounces"
    assert "stopped email: reason soft-bounces" in heraldo("show", "c-1").output


def test_receipts_and_other_changes_at_once_lose_nothing(stage: Stage) -> None:
    heraldo("set", "c-1", "--email", ANA)

    def opt_out(number: int) -> None:
        def by(person: Person, _: bool) -> bool:
            person.preferences[f"k{number}"] = {"email": False}
            return True

        register.change(aws.stage(), "person:c-1", by, Patience(30))

    def bounce(number: int) -> None:
        found = receipts.notification.read(json.dumps(soft(number)), "local")
        assert found is not None
        assert not receipts.receipts.keep(aws.stage(), [found], Patience(30))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: (opt_out if n % 2 else bounce)(n), range(8)))
    person = register.find(aws.stage(), "c-1", Patience(5)).person
    assert person is not None
    assert (len(person.preferences), person.soft) == (4, {"email": 4})


def test_what_is_lifted_is_sent_to_again(stage: Stage) -> None:
    heraldo("set", "c-1", "--email", ANA)
    take(stage, said("Complaint", event=TAG, person="c-1"))
    assert heraldo("lift", "c-1").output == "Lifted: c-1 gets email again.\n"
    assert not known().stopped
    assert "stopped" not in heraldo("show", "c-1").output
    assert "Nothing was stopped" in heraldo("lift", "c-1").output
    assert heraldo("lift", "nobody").exit_code == 1


def test_a_lane_sends_nothing_to_a_stopped_address(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    file = tmp_path / "own.toml"
    shipped = reading.Path(reading.__file__).parents[1] / "routing.toml"
    file.write_text(customers_hear_by("recipient:email", shipped.read_text("utf-8")), "utf-8")
    monkeypatch.setattr(reading, "FILE", file)
    reading.routing.cache_clear()
    heraldo("set", "c-1", "--email", ANA)
    take(stage, said("Bounce", event=TAG, person="c-1"))
    event = {"type": "order.placed", "id": "e-2", "source": "/shop", "recipient": "c-1"}
    event["data"] = sample("order.placed")["data"]
    stage.send(event, dedup="1")
    stage.send({**event, "id": "e-3", "recipient": "c-2", "email": ANA}, dedup="2")
    dispatch(aws.stage(), stage.receive(), "orders", lambda: 30_000)
    for event_id in ("e-2", "e-3"):
        found = stage.ledger(event_id)
        assert (found["status"], found["reason"]) == ("suppressed", "address-stopped")


def test_what_is_no_receipt_is_a_dead_letter_with_its_reason(stage: Stage) -> None:
    take(stage, "x", said("Delivery", stage="prod"), said("Delivery", event=TAG))
    reasons = {
        letter["MessageAttributes"]["reason"]["StringValue"]
        for letter in stage.dead(names.RECEIPTS)
    }
    assert reasons == {"not-a-receipt", "wrong-stage"}


def test_a_receipt_that_was_given_up_on_can_be_put_back(stage: Stage) -> None:
    url = stage.queue_url(names.dead_queue("local", names.RECEIPTS))
    stage.sqs.send_message(QueueUrl=url, MessageBody=json.dumps(said("Delivery", event=TAG)))
    stage.sqs.send_message(QueueUrl=url, MessageBody="x")
    listed = CliRunner().invoke(main, ["dead-letters", "redrive", "--lane", "receipts", "--yes"])
    assert "1" in listed.output
    assert stage.waiting(names.RECEIPTS) == 1
    drain(stage)
    assert stage.waiting(names.RECEIPTS) == 0


@pytest.mark.parametrize("operation", ["TransactWriteItems", "BatchWriteItem", "BatchGetItem"])
def test_while_a_table_does_not_answer_receipts_wait(stage: Stage, operation: str) -> None:
    put(stage, said("Bounce", event=TAG), said("Reject", event=TAG))
    put(stage, said("Delivery", event=TAG, to="eva@example.com", message_id="m-2"))

    def refuse(**_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://no")

    emitter = aws.stage().dynamodb.meta.events
    emitter.register(f"before-send.dynamodb.{operation}", refuse)
    try:
        with pytest.raises(Redeliver):
            drain(stage)
    finally:
        emitter.unregister(f"before-send.dynamodb.{operation}", refuse)
    drain(stage)
    assert stage.waiting(names.RECEIPTS) == 0
    assert known().stopped["email"].reason == "hard-bounce"
