"""EventBridge as a door, on moto: good events are queued, bad ones are kept with their reason."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib import aws, names, patience
from chalicelib.door import bus
from tests.factories import sample
from tests.integration.aws_fixture import Stage

ID = "7bf73129-1428-4cd3-a780-95db273d1602"


def on_the_bus(detail: Any, source: str = "com.abedul.shop", event_id: str = ID) -> dict[str, Any]:
    return {
        "version": "0",
        "id": event_id,
        "detail-type": bus.DETAIL_TYPE,
        "source": source,
        "account": "123456789012",
        "time": "2026-12-03T08:12:41Z",
        "region": "eu-west-1",
        "resources": [],
        "detail": detail,
    }


def alarm(**changes: Any) -> dict[str, Any]:
    """An alarm's change of state, as CloudWatch puts it on the bus."""
    detail = {
        "alarmName": "heraldo-prod-orders-dead-letters",
        "state": {
            "value": "ALARM",
            "reason": "Threshold Crossed: 1 datapoint [1.0] was greater than the threshold (0.0).",
            "timestamp": "2026-12-03T08:12:41.985+0000",
        },
        "previousState": {"value": "OK", "timestamp": "2026-12-03T07:12:41.985+0000"},
        "configuration": {"description": "An event was given up on", "metrics": []},
        **changes,
    }
    return {
        **on_the_bus(detail, "aws.cloudwatch"),
        "detail-type": "CloudWatch Alarm State Change",
    }


def queued(stage: Stage, lane: str) -> list[dict[str, Any]]:
    return [json.loads(record["body"]) for record in stage.receive(lane)]


def letters(stage: Stage, lane: str) -> list[tuple[Any, dict[str, str]]]:
    return [
        (
            json.loads(letter["Body"]),
            {n: a["StringValue"] for n, a in letter["MessageAttributes"].items()},
        )
        for letter in stage.dead(lane)
    ]


def shipped(**changes: Any) -> dict[str, Any]:
    return {"type": "order.shipped", "data": sample("order.shipped")["data"], **changes}


def test_an_event_is_queued_under_the_id_and_source_of_the_bus(stage: Stage) -> None:
    bus.take_event(aws.stage(), on_the_bus(shipped()))
    [event] = queued(stage, "orders")
    assert (event["id"], event["source"]) == (ID, "eventbridge:com.abedul.shop")


@pytest.mark.parametrize("absent", [{}, {"id": None, "source": None}])
def test_delivered_twice_it_is_taken_once(stage: Stage, absent: dict[str, None]) -> None:
    for _ in range(2):
        bus.take_event(aws.stage(), on_the_bus(shipped(**absent)))
    assert len(queued(stage, "orders")) == 1


@pytest.mark.parametrize(
    ("source", "taken"),
    [
        ("/shop", "eventbridge:com.abedul.shop//shop"),
        ("shop", "eventbridge:com.abedul.shop/shop"),
        ("eventbridge:com.abedul", "eventbridge:com.abedul.shop/eventbridge:com.abedul"),
        ("eventbridge:com.abedul.shop", "eventbridge:com.abedul.shop"),
        ("eventbridge:com.abedul.shop/returns", "eventbridge:com.abedul.shop/returns"),
    ],
)
def test_a_source_of_the_events_own_lies_beneath_that_of_the_bus(
    stage: Stage, source: str, taken: str
) -> None:
    bus.take_event(aws.stage(), on_the_bus(shipped(id="a-1", source=source)))
    [event] = queued(stage, "orders")
    assert (event["id"], event["source"]) == ("a-1", taken)
    assert stage.ledger("a-1")["key"] == "eventbridge:com.abedul.shop"


def test_a_source_of_the_bus_that_is_no_uri_is_made_one(stage: Stage) -> None:
    bus.take_event(aws.stage(), on_the_bus(shipped(), source="mi tienda"))
    [event] = queued(stage, "orders")
    assert event["source"] == "eventbridge:mi%20tienda"


@pytest.mark.parametrize(
    ("detail", "lane", "reason", "said"),
    [
        ({}, "alerts", "invalid-event", "type: is required"),
        ("text", "alerts", "invalid-event", "type: is required"),
        ({"type": "order.lost", "data": {}}, "orders", "unknown-type", "order.shipped"),
        ({"type": "nobody.knows", "data": {}}, "alerts", "unknown-type", "type: is not a known"),
        ({"type": "order.shipped", "data": {}}, "orders", "missing-data", "data.tracking"),
        ({"type": ["order.shipped"], "data": {}}, "alerts", "invalid-event", "type: is required"),
        (shipped(subject="a\nb"), "orders", "invalid-event", "subject: has line breaks"),
        (shipped(recipient="\ud800"), "orders", "invalid-event", "half a surrogate pair"),
        (shipped(id="\x00\uffff"), "orders", "invalid-event", "id: has line breaks"),
        (shipped(id=["x"]), "orders", "invalid-event", "id: must be a non-empty string"),
    ],
)
def test_an_event_that_cannot_be_taken_is_kept_with_its_reason(
    stage: Stage, detail: Any, lane: str, reason: str, said: str
) -> None:
    bus.take_event(aws.stage(), on_the_bus(detail))
    [(body, attributes)] = letters(stage, lane)
    assert attributes["reason"] == reason
    assert said in attributes["detail"]
    if isinstance(detail, dict):
        assert body == {"id": ID, "source": "eventbridge:com.abedul.shop", **detail}
    assert stage.waiting(lane) == 0


def test_another_event_under_an_id_that_is_taken_is_kept_with_its_reason(stage: Stage) -> None:
    bus.take_event(aws.stage(), on_the_bus(shipped(id="a-1")))
    bus.take_event(aws.stage(), on_the_bus(shipped(id="a-1", recipient="other"), event_id="second"))
    [(_, attributes)] = letters(stage, "orders")
    assert attributes["reason"] == "conflict"


def test_what_cannot_be_queued_now_is_kept_and_not_forgotten(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "_PAUSE", 0.0)
    stage.sqs.delete_queue(QueueUrl=stage.queue_url(names.queue("local", "orders")))
    bus.take_event(aws.stage(), on_the_bus(shipped()))
    [(_, attributes)] = letters(stage, "orders")
    assert attributes["reason"] == "unavailable"


def test_an_alarm_becomes_a_readable_notification(stage: Stage) -> None:
    from chalicelib.lanes.dispatch import dispatch

    bus.take_alarm(aws.stage(), alarm())
    dispatch(aws.stage(), stage.receive("alerts"), "alerts", lambda: 30_000)
    [delivery] = stage.delivered("alerts")
    assert delivery["Subject"] == "[ALARMA] heraldo-prod-orders-dead-letters"
    assert "Ha saltado la alarma" in delivery["Message"]
    assert "An event was given up on" in delivery["Message"]


@pytest.mark.parametrize(
    "changes",
    [
        {"state": {"value": "OK", "reason": "r", "timestamp": "2026-12-03T08:12:41.985+0000"}},
        {"previousState": None},
        {"configuration": None},
        {"state": {"value": "INSUFFICIENT_DATA", "reason": "r"}},
        {"alarmName": "á" * 255},
    ],
)
def test_whatever_cloudwatch_leaves_out_the_alarm_is_told(
    stage: Stage, changes: dict[str, Any]
) -> None:
    bus.take_alarm(aws.stage(), alarm(**changes))
    assert letters(stage, "alerts") == []
    assert len(queued(stage, "alerts")) == 1
