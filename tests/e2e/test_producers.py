"""Whoever sends events, on the deployed stack: the CloudEvents SDK, fifty at once, EventBridge."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.http import HTTPMessage, to_binary_event, to_structured_event
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from chalicelib import names
from chalicelib.door.envelope import DETAIL_TYPE
from tests.e2e.conftest import Stack, is_to, to
from tests.factories import sample
from tests.patience import PATIENCE


def cloud_event(unique: str, **attributes: Any) -> CloudEvent:
    """What somebody with the SDK makes of an order.shipped."""
    return CloudEvent(
        attributes={
            "type": "order.shipped",
            "source": "/shop",
            "id": unique,
            "datacontenttype": "application/json",
            **to(unique),
            **attributes,
        },
        data=sample("order.shipped")["data"],
    )


def post(stack: Stack, message: HTTPMessage, path: str = "/events") -> tuple[int, Any]:
    """Post what the SDK made, as it made it."""
    headers = {**message.headers, "Authorization": f"Bearer {stack.local['api_key']}"}
    request = urllib.request.Request(stack.local["api_url"] + path, message.body, headers)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refusal:
        return refusal.code, json.load(refusal)


def batched(events: list[BaseCloudEvent]) -> HTTPMessage:
    """The batch mode, which the SDK has no function for, from what it has for one event."""
    one_by_one = b",".join(JSONFormat().write(event) for event in events)
    return HTTPMessage(
        {"content-type": "application/cloudevents-batch+json; charset=utf-8"},
        b"[" + one_by_one + b"]",
    )


@pytest.mark.parametrize("mode", [to_structured_event, to_binary_event])
def test_an_event_of_the_cloudevents_sdk_arrives(stack: Stack, unique: str, mode: Any) -> None:
    event = cloud_event(unique, subject="pedido nº 7 ☕", locale="en", campaign="verano 50 %")
    assert post(stack, mode(event)) == (
        202,
        {"id": unique, "status": "accepted", "lane": "orders"},
    )
    [delivery] = stack.received(is_to(unique))
    assert "is on its way" in delivery["subject"]


def test_the_sdk_says_the_same_in_every_mode(stack: Stack, unique: str) -> None:
    event = cloud_event(unique, subject="pedido nº 7 ☕", partitionkey="a/b c%")
    assert post(stack, to_structured_event(event))[0] == 202
    assert post(stack, to_binary_event(event)) == (
        200,
        {"id": unique, "status": "duplicate", "lane": "orders"},
    )
    [result] = post(stack, batched([event]), "/events/batch")[1]
    assert result["status"] == "duplicate"


def test_a_batch_of_the_sdk_has_a_result_per_event(stack: Stack, unique: str) -> None:
    events: list[BaseCloudEvent] = [cloud_event(f"{unique}-{n}") for n in range(3)]
    events[1] = cloud_event(f"{unique}-1", type="order.lost")
    status, results = post(stack, batched(events), "/events/batch")
    assert status == 200
    assert [(r["id"], r["status"]) for r in results] == [
        (f"{unique}-0", "accepted"),
        (f"{unique}-1", "rejected"),
        (f"{unique}-2", "accepted"),
    ]


def test_of_fifty_requests_at_once_one_is_accepted_and_one_delivery_made(
    stack: Stack, unique: str
) -> None:
    event = {**sample("order.shipped"), "id": unique, **to(unique)}

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: stack.call("POST", "/events", event), range(50)))
    taken = [(status, answer["status"]) for status, answer in answers]
    # On a busy machine the first may have been told to send it again, and have been taken all the same.
    assert set(taken) <= {(200, "duplicate"), (202, "accepted")}
    assert taken.count((202, "accepted")) <= 1
    last = {**event, "id": f"{unique}-last"}
    assert stack.call("POST", "/events", last)[0] == 202
    stack.received(is_to(unique), count=2)
    assert sum(map(is_to(unique), stack.deliveries)) == 2


def put(stack: Stack, detail: dict[str, Any]) -> str:
    """Put an event on the bus with boto3 alone; its id there."""
    answer = stack.client("events").put_events(
        Entries=[
            {
                "Source": "com.abedul.shop",
                "DetailType": DETAIL_TYPE,
                "Detail": json.dumps(detail),
            }
        ]
    )
    assert answer["FailedEntryCount"] == 0
    return str(answer["Entries"][0]["EventId"])


def dead_letter(stack: Stack, lane: str, wanted: str, seconds: float = PATIENCE) -> dict[str, Any]:
    """The dead letter of a lane that has `wanted` in its body."""
    sqs = stack.client("sqs")
    url = sqs.get_queue_url(QueueName=names.dead_queue("local", lane))["QueueUrl"]
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = sqs.receive_message(
            QueueUrl=url,
            WaitTimeSeconds=2,
            MaxNumberOfMessages=10,
            VisibilityTimeout=1,
            MessageAttributeNames=["All"],
        )
        for letter in found.get("Messages", []):
            if wanted in letter["Body"]:
                return dict(letter)
    raise AssertionError("there is no such dead letter")


def test_an_event_put_on_the_bus_is_delivered(stack: Stack, unique: str) -> None:
    event = {**sample("order.shipped"), **to(unique)}
    del event["source"]
    event_id = put(stack, event)
    [delivery] = stack.received(is_to(unique))
    assert delivery["channel"] == "email"
    status, life = stack.call("GET", f"/events/{event_id}")
    assert (status, life["source"]) == (200, "eventbridge:com.abedul.shop")


def test_a_bad_event_on_the_bus_is_dead_lettered_with_its_reason(stack: Stack, unique: str) -> None:
    put(stack, {"type": "order.shipped", "id": unique, "data": {}})
    letter = dead_letter(stack, "orders", unique)
    attributes = {n: a["StringValue"] for n, a in letter["MessageAttributes"].items()}
    assert attributes["reason"] == "missing-data"
    assert "data.tracking" in attributes["detail"]
    assert attributes["event_id"] == unique


@pytest.mark.parametrize("path", ["/nothing-here", "/events/a%2Fb"])
def test_what_api_gateway_answers_by_itself_has_the_shape_of_our_refusals(
    stack: Stack, path: str
) -> None:
    request = urllib.request.Request(stack.local["api_url"] + path)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=PATIENCE)
    assert refused.value.code == 404
    assert refused.value.headers["Content-Type"] == "application/problem+json"
    assert refused.value.headers["X-Content-Type-Options"] == "nosniff"
    assert json.load(refused.value)["type"] == "urn:heraldo:problem:no-such-address"
