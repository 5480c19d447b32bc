"""The HTTP API through app.py, on moto: the door and what it answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from chalice.test import Client, HTTPResponse

from chalicelib import aws
from chalicelib.door import intake, keys
from chalicelib.door.intake import Accepted
from chalicelib.events.event import is_id
from chalicelib.patience import Patience
from chalicelib.rules.reading import routing
from chalicelib.store import fingerprint, ledger, record
from tests.factories import sample, shipped
from tests.integration.aws_fixture import Stage

SECRET = "hk_test-key-of-the-integration-tests"


def add_key(stage: Stage, secret: str, name: str, scope: str, **more: Any) -> None:
    item = {"hash": {"S": keys.hash_of(secret)}, "name": {"S": name}, "scope": {"S": scope}, **more}
    stage.dynamodb.put_item(TableName="heraldo-local-keys", Item=item)


@pytest.fixture
def door(stage: Stage) -> Iterator[Client]:
    import app

    add_key(stage, SECRET, "shop", "send read")
    with Client(app.app, stage_name="local") as client:
        yield client


def post(
    door: Client, body: Any, path: str = "/events", secret: str = SECRET, **headers: str
) -> HTTPResponse:
    return door.http.post(
        path,
        headers={
            "Content-Type": "application/json",
            "Authorization": f"Bearer {secret}",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        },
        body=body if isinstance(body, (str, bytes)) else json.dumps(body),
    )


def get(door: Client, path: str, secret: str = SECRET) -> HTTPResponse:
    return door.http.get(path, headers={"Authorization": f"Bearer {secret}"})


def queued(stage: Stage, lane: str = "orders") -> list[dict[str, Any]]:
    return [json.loads(record["body"]) for record in stage.receive(lane)]


def test_an_event_is_accepted_into_its_lane(door: Client, stage: Stage) -> None:
    answer = post(door, shipped(1))
    assert (answer.status_code, answer.json_body) == (
        202,
        {"id": "e-1", "status": "accepted", "lane": "orders"},
    )
    [event] = queued(stage)
    assert event["id"] == "e-1"


def test_an_empty_field_that_the_words_print_is_told_and_not_refused(door: Client) -> None:
    event = shipped(1)
    event["data"] = {**event["data"], "order": {"id": ""}}
    warnings = [{"field": "data.order.id", "problem": "is empty (templates/order.shipped/es.j2:6)"}]
    assert post(door, event).json_body == {
        "id": "e-1",
        "status": "accepted",
        "lane": "orders",
        "warnings": warnings,
    }
    [result] = post(door, [event], path="/events/batch").json_body
    assert (result["status"], result["warnings"]) == ("duplicate", warnings)


def test_type_and_data_are_enough_and_the_key_is_the_source(door: Client, stage: Stage) -> None:
    answer = post(door, {"type": "order.shipped", "data": sample("order.shipped")["data"]})
    assert answer.status_code == 202
    [event] = queued(stage)
    assert (event["id"], event["source"]) == (answer.json_body["id"], "shop")


def test_the_same_id_again_is_a_duplicate_with_the_same_answer(door: Client, stage: Stage) -> None:
    first, second = post(door, shipped(1)), post(door, shipped(1))
    assert (second.status_code, second.json_body["status"]) == (200, "duplicate")
    assert {**second.json_body, "status": "accepted"} == first.json_body
    assert len(queued(stage)) == 1


def test_the_same_id_with_other_content_is_a_conflict_that_names_the_fields(
    door: Client,
) -> None:
    post(door, shipped(1))
    other = shipped(1, recipient="somebody-else")
    other["data"] = {**other["data"], "name": "Otra"}
    answer = post(door, other)
    assert answer.status_code == 409
    assert [e["field"] for e in answer.json_body["errors"]] == ["data.name", "recipient"]
    assert b"Otra" not in answer.body


def test_the_same_content_without_an_id_is_one_event_for_five_minutes(
    door: Client, stage: Stage
) -> None:
    event = {k: v for k, v in shipped(1).items() if k != "id"}
    first, second = post(door, event), post(door, event)
    assert (first.status_code, second.status_code) == (202, 200)
    assert second.json_body == {**first.json_body, "status": "duplicate"}
    assert len(queued(stage)) == 1


def test_of_fifty_at_once_one_is_accepted(stage: Stage) -> None:
    checked = intake.check(shipped(1), routing(), default_source="s")

    def send(_: int) -> str:
        [result] = intake.accept(aws.hurried_stage(), [checked], "shop", Patience(20))
        assert isinstance(result, Accepted)
        return result.status

    with ThreadPoolExecutor(50) as pool:
        results = sorted(pool.map(send, range(50)))
    assert results == ["accepted"] + ["duplicate"] * 49
    assert len(queued(stage)) == 1


def test_an_event_that_was_claimed_but_never_queued_is_queued_by_the_next_try(
    door: Client, stage: Stage
) -> None:
    queue = stage.queue_url("heraldo-local-orders.fifo")
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    stage.sqs.delete_queue(QueueUrl=queue)
    answer = post(door, shipped(1))
    assert answer.status_code == 503
    stage.sqs.create_queue(QueueName="heraldo-local-orders.fifo", Attributes=attributes)
    answer = post(door, shipped(1))
    assert (answer.status_code, answer.json_body["status"]) == (200, "duplicate")
    assert len(queued(stage)) == 1


def test_the_idempotency_key_stands_for_the_id_of_an_event_that_has_none(door: Client) -> None:
    event = {k: v for k, v in shipped(1).items() if k != "id"}
    assert post(door, event, Idempotency_Key="k-1").json_body["id"] == "k-1"
    assert post(door, event, Idempotency_Key="k-1").json_body["status"] == "duplicate"
    assert post(door, shipped(2), Idempotency_Key="k-2").json_body["id"] == "e-2"


def test_a_binary_event_has_its_attributes_in_headers(door: Client, stage: Stage) -> None:
    answer = post(
        door,
        sample("order.shipped")["data"],
        ce_specversion="1.0",
        ce_type="order.shipped",
        ce_id="b-1",
        ce_source="/shop",
        ce_subject="pedido%20%C3%B1",
        ce_campaign="verano",
    )
    assert answer.status_code == 202
    [event] = queued(stage)
    assert (event["id"], event["subject"], event["campaign"]) == ("b-1", "pedido ñ", "verano")


@pytest.mark.parametrize(
    ("header", "subject"),
    [
        ("pedido%20%C3%B1", "pedido ñ"),
        ('"pedido 7"', "pedido 7"),
        (r'"a \\"b\\" c\\\\d"'.replace("\\\\", "\\"), 'a "b" c\\d'),
        ('"50%25"', "50%"),
        ('a "b" c', 'a "b" c'),
        ('"a" "b"', '"a" "b"'),
        ('"', '"'),
        ("100%2525", "100%25"),
    ],
)
def test_a_header_of_a_binary_event_is_read_as_cloudevents_says(
    door: Client, stage: Stage, header: str, subject: str
) -> None:
    answer = post(
        door,
        sample("order.shipped")["data"],
        ce_specversion="1.0",
        ce_type="order.shipped",
        ce_id="b-1",
        ce_subject=header,
    )
    assert answer.status_code == 202
    [event] = queued(stage)
    assert event["subject"] == subject


def test_the_type_of_a_binary_events_body_is_its_datacontenttype(
    door: Client, stage: Stage
) -> None:
    event = {**shipped(1), "datacontenttype": "application/json"}
    answer = post(
        door,
        event["data"],
        Content_Type="application/json; charset=utf-8",
        ce_specversion="1.0",
        ce_type="order.shipped",
        ce_id="e-1",
        ce_source="/shop",
        ce_recipient="cus-1",
    )
    assert answer.status_code == 202
    assert post(door, event).json_body["status"] == "duplicate"
    assert queued(stage)[0]["datacontenttype"] == "application/json; charset=utf-8"


def test_an_id_never_meets_what_the_ledger_keeps_for_itself(door: Client, stage: Stage) -> None:
    unnamed = {k: v for k, v in shipped(1).items() if k != "id"}
    assert post(door, unnamed).status_code == 202
    items = stage.dynamodb.scan(TableName="heraldo-local-ledger")["Items"]
    [own] = [item["id"]["S"] for item in items if "status" not in item]
    assert not is_id(own)
    content = fingerprint.content(next(i["fields"]["S"] for i in items if "status" in i))
    for event_id in (content, f"content:{content}"):
        assert post(door, {**unnamed, "id": event_id}).status_code == 202
    assert len(queued(stage)) == 3


def test_a_dry_run_answers_with_the_plan_and_sends_nothing(door: Client, stage: Stage) -> None:
    answer = post(door, shipped(1), path="/events?dry_run=true")
    assert answer.status_code == 200
    assert answer.json_body["destinations"] == ["topic:users"]
    assert queued(stage) == []


def test_a_batch_has_a_result_per_event_and_a_bad_one_blocks_no_good_one(
    door: Client, stage: Stage
) -> None:
    batch = [
        shipped(1),
        {"type": "order.lost", "data": {}, "id": "x"},
        "no event",
        shipped(1),
        {**sample("critical.alert"), "id": "alert"},
        {"type": "order.shipped", "data": sample("order.shipped")["data"]},
    ]
    answer = post(door, batch, path="/events/batch")
    assert answer.status_code == 200
    statuses = [(r["id"], r["status"]) for r in answer.json_body]
    assert statuses[:5] == [
        ("e-1", "accepted"),
        ("x", "rejected"),
        (None, "rejected"),
        ("e-1", "duplicate"),
        ("alert", "accepted"),
    ]
    assert statuses[5][1] == "accepted"
    assert len(queued(stage)) == 2
    assert len(queued(stage, "alerts")) == 1


def test_a_batch_takes_a_claim_for_a_hundred_events_and_a_send_for_ten(
    door: Client, stage: Stage
) -> None:
    stage.calls.clear()
    answer = post(door, [shipped(n) for n in range(150)], path="/events/batch")
    assert {r["status"] for r in answer.json_body} == {"accepted"}
    assert stage.calls.count("TransactWriteItems") == 2
    assert stage.calls.count("SendMessageBatch") == 15


def test_where_one_lane_is_out_of_reach_the_others_events_are_taken(
    door: Client, stage: Stage
) -> None:
    queue = stage.queue_url("heraldo-local-orders.fifo")
    stage.sqs.delete_queue(QueueUrl=queue)
    batch = [shipped(1), {**sample("critical.alert"), "id": "alert"}, shipped(2), shipped(1)]
    answer = post(door, batch, path="/events/batch")
    assert [(r["id"], r["status"]) for r in answer.json_body] == [
        ("e-1", "unavailable"),
        ("alert", "accepted"),
        ("e-2", "unavailable"),
        ("e-1", "unavailable"),
    ]
    assert answer.json_body[0]["problem"]["status"] == 503
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    stage.sqs.create_queue(QueueName="heraldo-local-orders.fifo", Attributes=attributes)
    again = post(door, batch, path="/events/batch")
    assert {r["status"] for r in again.json_body} == {"duplicate"}
    assert len(queued(stage)) == 2


def test_a_single_event_takes_two_calls(door: Client, stage: Stage) -> None:
    post(door, shipped(1))
    stage.calls.clear()
    post(door, shipped(2))
    assert stage.calls == ["PutItem", "SendMessageBatch"]


def test_what_became_of_an_event_is_told(door: Client) -> None:
    post(door, shipped(1))
    answer = get(door, "/events/e-1")
    assert answer.json_body["status"] == "accepted"
    assert (answer.json_body["type"], answer.json_body["lane"]) == ("order.shipped", "orders")
    assert answer.json_body["timeline"][0]["status"] == "accepted"
    assert get(door, "/events/nobody").status_code == 404


def test_event_types_tell_what_data_they_need(door: Client) -> None:
    types = {t["type"]: t for t in get(door, "/event-types").json_body["event_types"]}
    assert "tracking.url" in types["order.shipped"]["required"]
    assert types["order.shipped"]["locales"] == ["en", "es"]
    assert types["order.shipped"]["sample"]["type"] == "order.shipped"


@pytest.mark.parametrize("path", ["/health", "/openapi.json", "/"])
def test_no_key_is_needed_to_look_around(door: Client, path: str) -> None:
    answer = door.http.get(path)
    assert answer.status_code == 200
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("context", "server"),
    [
        ({"domainName": "api.example", "path": "/v1/openapi.json"}, "https://api.example/v1"),
        ({"domainName": "api.example", "path": "/openapi.json/"}, "https://api.example"),
        ({"path": "/api/openapi.json"}, "."),
    ],
)
def test_the_document_says_where_the_api_is(
    door: Client, context: dict[str, str], server: str
) -> None:
    import app

    event = {
        "httpMethod": "GET",
        "headers": {},
        "multiValueHeaders": {},
        "multiValueQueryStringParameters": None,
        "pathParameters": {},
        "body": None,
        "isBase64Encoded": False,
        "stageVariables": {},
        "requestContext": {"httpMethod": "GET", "resourcePath": "/openapi.json", **context},
    }
    answer = app.app(event, None)
    assert json.loads(answer["body"])["servers"] == [{"url": server}]


@pytest.mark.parametrize(
    ("header", "status"),
    [("", 401), ("Bearer nope", 401), ("Bearer hk_unknown-unknown-unknown", 401), ("Basic x", 401)],
)
def test_without_a_key_the_door_stays_shut(door: Client, header: str, status: int) -> None:
    answer = door.http.post("/events", headers={"Authorization": header}, body="{}")
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_key_does_what_its_scope_says_and_no_more(door: Client, stage: Stage) -> None:
    add_key(stage, "hk_reader-reader-reader", "reader", "read")
    add_key(stage, "hk_sender-sender-sender", "sender", "send")
    add_key(stage, "hk_offers-offers-offers", "offers", "send read", types={"S": "offer.*"})
    assert post(door, shipped(1), secret="hk_reader-reader-reader").status_code == 403
    assert post(door, shipped(1), secret="hk_sender-sender-sender").status_code == 202
    assert get(door, "/events/e-1", secret="hk_sender-sender-sender").status_code == 403
    assert post(door, shipped(2), secret="hk_offers-offers-offers").status_code == 403
    assert get(door, "/events/e-1", secret="hk_offers-offers-offers").status_code == 404


SUCCESSOR = "hk_shop-2027-shop-2027"
REMINDERS = "hk_reminders-reminders"


@pytest.fixture
def others(stage: Stage) -> None:
    add_key(stage, SUCCESSOR, "shop-2027", "send read", source={"S": "shop"})
    add_key(stage, REMINDERS, "reminders", "send read", source={"S": "reminders"})


def test_a_rotated_key_sends_nothing_twice(door: Client, others: None) -> None:
    for event in (shipped(1, source=None), {**shipped(2, source=None), "id": None}):
        first = post(door, event)
        assert first.status_code == 202
        again = post(door, event, secret=SUCCESSOR)
        assert again.json_body == {**first.json_body, "status": "duplicate"}


@pytest.mark.parametrize("source", ["shop", "/shop", "reminders2", "reminders-2/x"])
def test_a_key_speaks_for_itself_only(door: Client, others: None, source: str) -> None:
    for path in ("/events", "/events?dry_run=true"):
        refused = post(door, shipped(1, source=source), path, REMINDERS)
        assert (refused.status_code, refused.json_body["type"]) == (
            403,
            "urn:heraldo:problem:source",
        )
        assert "reminders" in refused.json_body["detail"]
    [result] = post(door, [shipped(1, source=source)], "/events/batch", REMINDERS).json_body
    assert (result["status"], result["problem"]["status"]) == ("rejected", 403)
    # The owner's id is free.
    assert post(door, shipped(1, source=source)).status_code == 202


def test_a_key_may_use_what_lies_beneath_its_source(
    door: Client, stage: Stage, others: None
) -> None:
    answer = post(door, shipped(1, source="reminders/due"), secret=REMINDERS)
    assert answer.status_code == 202
    assert queued(stage)[0]["source"] == "reminders/due"


def test_which_fields_differ_is_told_to_the_sender_alone(
    door: Client, stage: Stage, others: None
) -> None:
    post(door, shipped(1, source=None))
    other = shipped(1, source=None, recipient="somebody-else")
    own, foreign = post(door, other), post(door, other, secret=SUCCESSOR)
    assert [e["field"] for e in own.json_body["errors"]] == ["recipient"]
    assert (foreign.status_code, foreign.json_body.get("errors")) == (409, None)


def test_the_ledger_keeps_who_sent_an_event(door: Client, stage: Stage, others: None) -> None:
    from chalicelib.lanes.dispatch import dispatch

    post(door, shipped(1, source=None), secret=SUCCESSOR)
    assert get(door, "/events/e-1").json_body["key"] == "shop-2027"
    dispatch(aws.stage(), stage.receive(), "orders", lambda: 30_000)
    found = get(door, "/events/e-1").json_body
    assert (found["status"], found["key"]) == ("published", "shop-2027")


def test_one_of_many_sources_of_an_id_can_be_asked_for_and_ones_own_comes_first(
    door: Client, stage: Stage, others: None
) -> None:
    for number in range(60):
        one = record.Record("popular", f"/{number:02}", status="accepted", type="order.shipped")
        item = record.to_item(one, record.expires_text())
        stage.dynamodb.put_item(TableName="heraldo-local-ledger", Item=item)
    assert get(door, "/events/popular?source=/59").json_body["source"] == "/59"
    assert get(door, "/events/popular?source=/60").status_code == 404
    assert get(door, "/events/popular?source=").status_code == 404
    assert get(door, "/events/popular").json_body["source"] == "/00"
    post(door, {**shipped(1, source=None), "id": "popular"})
    assert get(door, "/events/popular").json_body["source"] == "shop"
    assert get(door, "/events/popular", SUCCESSOR).json_body["source"] == "shop"


def test_the_samples_can_be_posted_by_any_key(door: Client, others: None) -> None:
    for entry in get(door, "/event-types", REMINDERS).json_body["event_types"]:
        assert post(door, entry["sample"], secret=REMINDERS).status_code == 202, entry["type"]


def test_a_test_key_marks_the_event_so_that_it_is_not_published(door: Client, stage: Stage) -> None:
    from chalicelib.lanes.dispatch import dispatch

    add_key(stage, "hk_trying-trying-trying", "trying", "send read", test={"BOOL": True})
    post(door, shipped(1), secret="hk_trying-trying-trying")
    dispatch(aws.stage(), stage.receive(), "orders", lambda: 30_000)
    assert stage.delivered("users") == []
    assert stage.ledger("e-1")["status"] == "test"


def test_what_a_test_key_sent_never_stands_for_what_a_live_key_sends(
    door: Client, stage: Stage
) -> None:
    add_key(stage, "hk_trying-trying-trying", "trying", "send", test={"BOOL": True})
    named = {**shipped(1), "source": "/shop"}
    unnamed = {k: v for k, v in named.items() if k != "id"}
    for event in (named, unnamed):
        assert post(door, event, secret="hk_trying-trying-trying").status_code == 202
        again = post(door, event, secret="hk_trying-trying-trying")
        assert again.json_body["status"] == "duplicate"
    refused = post(door, named)
    assert refused.status_code == 409
    assert [e["field"] for e in refused.json_body["errors"]] == ["test_key"]
    assert post(door, unnamed).status_code == 202


def test_long_names_of_fields_leave_the_record_small(door: Client) -> None:
    event = shipped(1)
    event["data"]["a" * 250] = {"b" * 250: {"c" * 250: {str(n): n for n in range(90)}}}
    assert post(door, event).status_code == 202
    # A hundred records are claimed in one transaction of 4 MiB at the most.
    [found] = ledger.find(aws.stage(), "e-1")
    assert len(found.fields.encode()) < 40_000
    event["data"]["name"] = "Eva"
    assert post(door, event).status_code == 409
