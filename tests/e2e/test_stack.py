"""The packaged stack as it would be deployed: one event's way through all of it."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path

import botocore.session
import pytest
from botocore.exceptions import ClientError

from chalicelib import names
from cli.deploy import policies
from tests.e2e.conftest import ROOT, Stack, is_to, to
from tests.patience import PATIENCE


def sample(event_type: str) -> dict[str, object]:
    file = Path(ROOT, "templates", event_type, "sample.json")
    content: dict[str, object] = json.loads(file.read_text("utf-8"))
    return content


def test_the_api_answers_without_a_key_only_where_it_may(stack: Stack) -> None:
    assert stack.call("GET", "/health", key="")[0] == 200
    assert stack.call("GET", "/event-types", key="")[0] == 401
    assert stack.call("POST", "/events", sample("order.shipped"), key="hk_" + "x" * 32)[0] == 401


def test_the_package_knows_every_zone_of_the_world(stack: Stack, unique: str) -> None:
    path = f"/recipients/{unique}"
    status, found = stack.call("PUT", path, {"time_zone": "America/Buenos_Aires"})
    assert (status, found["time_zone"]) == (201, "America/Argentina/Buenos_Aires")
    status, found = stack.call("PATCH", path, {"time_zone": "Mars/Olympus"})
    assert (status, found["errors"][0]["field"]) == (422, "time_zone")


def test_an_accepted_event_reaches_its_recipient_in_spanish(stack: Stack, unique: str) -> None:
    status, answer = stack.call(
        "POST", "/events", {**sample("order.shipped"), "id": unique, **to(unique)}
    )

    assert (status, answer) == (202, {"id": unique, "status": "accepted", "lane": "orders"})
    [delivery] = stack.received(is_to(unique))
    assert delivery["channel"] == "email"
    assert "va de camino" in delivery["subject"]
    assert "¡" in delivery["message"] or "ú" in delivery["message"]
    assert "Lucía" in delivery["html"]
    assert "<!doctype html>" in delivery["html"].lower()


def test_the_ledger_tells_what_became_of_an_event(stack: Stack, unique: str) -> None:
    stack.call("POST", "/events", {**sample("order.placed"), "id": unique, **to(unique)})
    stack.received(is_to(unique))

    # The record follows the publication, so it may be a moment behind what was delivered.
    deadline = time.monotonic() + PATIENCE
    while (found := stack.call("GET", f"/events/{unique}"))[1]["status"] != "published":
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def test_an_event_without_an_id_is_taken_once(stack: Stack, unique: str) -> None:
    event = {**sample("order.placed"), **to(unique)}
    status, first = stack.call("POST", "/events", event)
    assert status == 202
    status, second = stack.call("POST", "/events", event)
    assert (status, second["id"]) == (200, first["id"])


def test_an_event_put_on_the_bus_is_delivered(stack: Stack, unique: str) -> None:
    event = {**sample("order.placed"), **to(unique)}
    put = stack.client("events").put_events(
        Entries=[
            {"Source": "shop", "DetailType": "Heraldo Event", "Detail": json.dumps(event)},
        ]
    )
    assert put["FailedEntryCount"] == 0
    [delivery] = stack.received(is_to(unique))
    assert "pedido" in delivery["subject"]


def test_an_event_that_was_taken_is_not_delivered_again(stack: Stack, unique: str) -> None:
    event = {**sample("order.delivered"), "id": unique, **to(unique)}
    assert stack.call("POST", "/events", event)[0] == 202
    assert stack.call("POST", "/events", event)[1]["status"] == "duplicate"

    last = {**event, "id": f"{unique}-last", "subject": "last"}
    assert stack.call("POST", "/events", last)[0] == 202
    stack.received(is_to(unique), count=2)
    assert sum(map(is_to(unique), stack.deliveries)) == 2


def test_a_ready_made_message_of_a_plain_script_arrives_byte_for_byte(
    stack: Stack, unique: str
) -> None:
    text = f"¿Cómo estás, Íñigo?\nSegunda línea\r\n\tñ 🧺 {unique}\n"
    message = {
        "sns_topic": stack.local["topics"]["company"],
        "subject": "Aviso",
        "message": text,
    }
    body = json.dumps(message)
    stack.client("sqs").send_message(
        QueueUrl=stack.local["queues"]["orders"],
        MessageBody=body,
        MessageGroupId=unique,
        MessageDeduplicationId=hashlib.md5(body.encode()).hexdigest(),
    )

    [delivery] = stack.received(lambda d: unique in d["message"])
    assert (delivery["topic"], delivery["subject"]) == ("company", "Aviso")
    assert delivery["message"] == text


def test_a_message_for_a_foreign_topic_is_dead_lettered(stack: Stack, unique: str) -> None:
    sqs = stack.client("sqs")
    foreign = "arn:aws:sns:us-east-1:999999999999:heraldo-local-users"
    sqs.send_message(
        QueueUrl=stack.local["queues"]["reminders"],
        MessageBody=json.dumps({"sns_topic": foreign, "subject": "x", "message": unique}),
        MessageGroupId=unique,
        MessageDeduplicationId=unique,
    )

    dead = sqs.get_queue_url(QueueName="heraldo-local-reminders-dead.fifo")["QueueUrl"]
    got = sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=20, MaxNumberOfMessages=10)
    assert [unique in message["Body"] for message in got["Messages"]] == [True]


def test_every_event_type_is_delivered_from_its_sample(stack: Stack, unique: str) -> None:
    _, answer = stack.call("GET", "/event-types")
    types = sorted(path.parent.name for path in Path(ROOT, "templates").glob("*/sample.json"))
    types.remove(names.VERIFY_TYPE)  # which reaches nobody
    assert len(types) >= 12
    assert all(event_type in json.dumps(answer) for event_type in types)
    for number, event_type in enumerate(types):
        event = {**sample(event_type), "id": f"{unique}-{number}"}
        if "email" in event:
            event |= to(f"{unique}-{number}")
        status, refusal = stack.call("POST", "/events", event)
        assert status == 202, (event_type, refusal)

    for number, event_type in enumerate(types):
        is_mail, phone = is_to(f"{unique}-{number}"), sample(event_type).get("phone", "no phone")
        stack.received(
            lambda d, wanted=event_type, mail=is_mail, phone=phone: (  # type: ignore[misc]
                mail(d) or d.get("to") == phone or d["attributes"].get("event_type") == wanted
            )
        )


def test_a_lane_may_read_its_own_queue_and_no_other(stack: Stack, unique: str) -> None:
    iam = stack.client("iam")
    iam.create_user(UserName=unique)
    document = json.dumps(policies.policy("local", "orders", tuple(stack.local["queues"])))
    iam.put_user_policy(UserName=unique, PolicyName="orders", PolicyDocument=document)
    key = iam.create_access_key(UserName=unique)["AccessKey"]
    sqs = botocore.session.get_session().create_client(
        "sqs",
        region_name="us-east-1",
        endpoint_url=stack.emulator.endpoint_url,
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )

    sqs.receive_message(QueueUrl=stack.local["queues"]["orders"], VisibilityTimeout=0)
    with pytest.raises(ClientError, match="AccessDenied"):
        sqs.receive_message(QueueUrl=stack.local["queues"]["alerts"])
    with pytest.raises(ClientError, match="AccessDenied"):
        sqs.send_message(
            QueueUrl=stack.local["queues"]["orders"], MessageBody="x", MessageGroupId="g"
        )


def test_the_deployed_api_has_no_stage_but_its_own(stack: Stack) -> None:
    gateway = stack.client("apigateway")
    [api] = gateway.get_rest_apis()["items"]
    stages = gateway.get_stages(restApiId=api["id"])["item"]
    assert [stage["stageName"] for stage in stages] == ["api"]
