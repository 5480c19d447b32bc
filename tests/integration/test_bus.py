"""EventBridge as a door, on moto: good events are queued, bad ones are kept with their reason."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from chalicelib import aws, names, patience
from chalicelib.door import bus, envelope, inlet
from chalicelib.lanes.dispatch import Redeliver, dispatch
from tests.factories import sample
from tests.integration.aws_fixture import Stage

ID: Final = "7bf73129-1428-4cd3-a780-95db273d1602"


def on_the_bus(detail: Any, source: str = "com.abedul.shop", event_id: str = ID) -> dict[str, Any]:
    return {
        "version": "0",
        "id": event_id,
        "detail-type": envelope.DETAIL_TYPE,
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
        "detail-type": envelope.ALARM_DETAIL_TYPE,
    }


def put(stage: Stage, *envelopes: Any) -> None:
    """Put into the bus's queue what EventBridge would."""
    for found in envelopes:
        text = found if isinstance(found, str) else json.dumps(found)
        url = stage.queue_url(names.queue("local", names.BUS))
        stage.sqs.send_message(QueueUrl=url, MessageBody=text)


def drain(stage: Stage, milliseconds: int = 30_000, receives: int | None = None) -> None:
    """Let the function deal with what is in the bus's queue."""
    records = stage.receive(names.BUS)
    for record in records if receives else ():
        record["attributes"]["ApproximateReceiveCount"] = str(receives)
    bus.drain(aws.stage(), records, lambda: milliseconds)


def take(stage: Stage, *envelopes: Any) -> None:
    """Have envelopes handed over, and dealt with to the last."""
    put(stage, *envelopes)
    drain(stage)
    assert stage.waiting(names.BUS) == 0


def queued(stage: Stage, lane: str) -> list[dict[str, Any]]:
    return [json.loads(record["body"]) for record in stage.receive(lane)]


def letters(stage: Stage, lane: str) -> list[tuple[str, dict[str, str]]]:
    return [
        (
            letter["Body"],
            {n: a["StringValue"] for n, a in letter.get("MessageAttributes", {}).items()},
        )
        for letter in stage.dead(lane)
    ]


def shipped(**changes: Any) -> dict[str, Any]:
    return {"type": "order.shipped", "data": sample("order.shipped")["data"], **changes}


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept comes again without a wait."""
    monkeypatch.setattr(inlet, "wait_seconds", lambda _: 0)
    monkeypatch.setattr(patience, "_PAUSE", 0.0)


def test_an_event_is_queued_under_the_id_and_source_of_the_bus(stage: Stage) -> None:
    take(stage, on_the_bus(shipped()))
    [event] = queued(stage, "orders")
    assert (event["id"], event["source"]) == (ID, "eventbridge:com.abedul.shop")


@pytest.mark.parametrize("absent", [{}, {"id": None, "source": None}])
def test_delivered_twice_it_is_taken_once(stage: Stage, absent: dict[str, None]) -> None:
    take(stage, *[on_the_bus(shipped(**absent))] * 2)
    take(stage, on_the_bus(shipped(**absent)))
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
    take(stage, on_the_bus(shipped(id="a-1", source=source)))
    [event] = queued(stage, "orders")
    assert (event["id"], event["source"]) == ("a-1", taken)
    assert stage.ledger("a-1")["key"] == "eventbridge:com.abedul.shop"


def test_a_source_of_the_bus_that_is_no_uri_is_made_one(stage: Stage) -> None:
    take(stage, on_the_bus(shipped(), source="mi tienda"))
    [event] = queued(stage, "orders")
    assert event["source"] == "eventbridge:mi%20tienda"


def test_the_time_of_the_bus_is_that_of_an_event_that_has_none(stage: Stage) -> None:
    own = shipped(id="a-1", time="2026-11-20T10:00:00Z")
    take(stage, on_the_bus(shipped()), on_the_bus(own, event_id="second"))
    times = {event["id"]: event["time"] for event in queued(stage, "orders")}
    assert times == {ID: "2026-12-03T08:12:41Z", "a-1": "2026-11-20T10:00:00Z"}


def test_the_time_of_the_bus_is_no_part_of_what_an_event_says(stage: Stage) -> None:
    first = on_the_bus(shipped(id="a-1"))
    take(stage, first, {**first, "id": "second", "time": "2026-12-03T09:00:00Z"})
    assert len(queued(stage, "orders")) == 1
    assert letters(stage, "orders") == []


BUS: Final = names.BUS


@pytest.mark.parametrize(
    ("detail", "lane", "reason", "said"),
    [
        ({}, BUS, "invalid-event", "type: is required"),
        ("text", BUS, "invalid-event", "type: is required"),
        ({"type": "order.lost", "data": {}}, "orders", "unknown-type", "order.shipped"),
        ({"type": "nobody.knows", "data": {}}, BUS, "unknown-type", "type: is not a known"),
        ({"type": "order.shipped", "data": {}}, "orders", "missing-data", "data.tracking"),
        ({"type": ["order.shipped"], "data": {}}, BUS, "invalid-event", "type: is required"),
        (shipped(subject="a\nb"), "orders", "invalid-event", "subject: has line breaks"),
        (shipped(recipient="\ud800"), "orders", "invalid-event", "half a surrogate pair"),
        (shipped(id="\x00\uffff"), "orders", "invalid-event", "id: has line breaks"),
        (shipped(id=["x"]), "orders", "invalid-event", "id: must be a non-empty string"),
        (shipped(stage="prod"), BUS, "wrong-stage", "this is local"),
        (shipped(stage=["local", "dev"]), BUS, "wrong-stage", "an event is meant for one"),
    ],
)
def test_an_event_that_cannot_be_taken_is_kept_with_its_reason(
    stage: Stage, detail: Any, lane: str, reason: str, said: str
) -> None:
    take(stage, on_the_bus(detail))
    [(body, attributes)] = letters(stage, lane)
    assert attributes["reason"] == reason
    assert said in attributes["detail"]
    found = json.loads(body)
    if lane == BUS:  # as it came, so that it can go back where it came from
        assert found == on_the_bus(detail)
    else:
        assert found == {"id": ID, "source": "eventbridge:com.abedul.shop", **detail}
    assert stage.waiting("orders") == 0


@pytest.mark.parametrize("body", ["no JSON", "[" * 100_000, "[]", "{}", '{"id": 7}'])
def test_what_eventbridge_never_hands_over_is_kept_as_well(stage: Stage, body: str) -> None:
    take(stage, body)
    [(kept, attributes)] = letters(stage, BUS)
    assert (kept, attributes["reason"]) == (body, "not-an-event")


@pytest.mark.parametrize("named", ["local", "", None])
def test_the_stage_that_an_event_is_meant_for_is_no_part_of_it(
    stage: Stage, named: str | None
) -> None:
    take(stage, on_the_bus(shipped(stage=named)))
    [event] = queued(stage, "orders")
    assert "stage" not in event


def test_another_event_under_an_id_that_is_taken_is_kept_with_its_reason(stage: Stage) -> None:
    other = on_the_bus(shipped(id="a-1", recipient="other"), event_id="second")
    take(stage, on_the_bus(shipped(id="a-1")))
    take(stage, other)
    [(_, attributes)] = letters(stage, "orders")
    assert attributes["reason"] == "conflict"


@pytest.mark.usefixtures("at_once")
def test_of_a_batch_only_that_stays_which_cannot_be_taken_now(stage: Stage) -> None:
    queue = names.queue("local", "orders")
    fifo = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    stage.sqs.delete_queue(QueueUrl=stage.queue_url(queue))
    alert = {"type": "critical.alert", "data": sample("critical.alert")["data"]}
    put(
        stage,
        on_the_bus(shipped()),
        on_the_bus(alert, event_id="alert"),
        on_the_bus({"type": "nobody.knows", "data": {}}, event_id="bad"),
    )
    with pytest.raises(Redeliver, match="1 of 3 messages are kept for redelivery"):
        drain(stage)
    assert stage.waiting(BUS) == 1
    assert [event["id"] for event in queued(stage, "alerts")] == ["alert"]
    assert len(letters(stage, BUS)) == 1

    stage.sqs.create_queue(QueueName=queue, Attributes=fifo)
    drain(stage)
    assert [event["id"] for event in queued(stage, "orders")] == [ID]
    assert stage.waiting(BUS) == 0


@pytest.mark.usefixtures("at_once")
def test_an_event_waits_for_the_ledger_and_does_not_die_of_it(stage: Stage) -> None:
    table = names.table("local", "ledger")
    shape = stage.dynamodb.describe_table(TableName=table)["Table"]
    stage.dynamodb.delete_table(TableName=table)
    put(stage, on_the_bus(shipped()))
    for receives in range(1, 6):
        with pytest.raises(Exception, match=r"kept|not found"):
            drain(stage, receives=receives)
        assert stage.waiting(BUS) == 1
    assert letters(stage, "orders") == letters(stage, BUS) == []

    keys = [
        {"AttributeName": key["AttributeName"], "AttributeType": "S"} for key in shape["KeySchema"]
    ]
    again = {"KeySchema": shape["KeySchema"], "AttributeDefinitions": keys}
    stage.dynamodb.create_table(TableName=table, BillingMode="PAY_PER_REQUEST", **again)
    drain(stage)
    assert [event["id"] for event in queued(stage, "orders")] == [ID]


@pytest.mark.usefixtures("at_once")
def test_an_event_whose_dead_letter_is_not_safe_stays(stage: Stage) -> None:
    stage.sqs.delete_queue(QueueUrl=stage.queue_url(names.dead_queue("local", "orders")))
    put(stage, on_the_bus({"type": "order.shipped", "data": {}}))
    with pytest.raises(Redeliver):
        drain(stage)
    assert stage.waiting(BUS) == 1


def test_what_comes_again_and_again_is_handled_alone_and_last(stage: Stage) -> None:
    put(stage, on_the_bus(shipped()), *(on_the_bus(shipped(), event_id=f"e-{n}") for n in range(3)))
    records = stage.receive(BUS)
    records[0]["attributes"]["ApproximateReceiveCount"] = "4"
    with pytest.raises(Redeliver, match="1 of 4"):
        bus.drain(aws.stage(), records, lambda: 0)  # no time for another round
    assert stage.waiting("orders") == 3
    assert stage.waiting(BUS) == 1

    bus.drain(aws.stage(), records[:1], lambda: 0)  # the first round is always tried
    assert stage.waiting("orders") == 4


def test_an_alarm_becomes_a_readable_notification(stage: Stage) -> None:
    take(stage, alarm())
    dispatch(aws.stage(), stage.receive("alerts"), "alerts", lambda: 30_000)
    [delivery] = stage.delivered("alerts")
    assert delivery["Subject"] == "[ALARMA] heraldo-prod-orders-dead-letters"
    assert "Ha saltado la alarma" in delivery["Message"]
    assert "An event was given up on" in delivery["Message"]


@pytest.mark.parametrize(
    "changes",
    [
        {"state": {"value": "OK", "reason": "r", "timestamp": "2026-12-03T08:12:41.985+0000"}},
        {"state": {"value": "ALARM", "reason": None, "timestamp": "2026-12-03T08:12:41.985+0000"}},
        {"previousState": None},
        {"configuration": None},
        {"configuration": {"description": None}},
        {"state": {"value": "INSUFFICIENT_DATA", "reason": "r"}},
        {"alarmName": "á" * 255},
    ],
)
def test_whatever_cloudwatch_leaves_out_the_alarm_is_told(
    stage: Stage, changes: dict[str, Any]
) -> None:
    take(stage, alarm(**changes))
    assert letters(stage, "alerts") == []
    dispatch(aws.stage(), stage.receive("alerts"), "alerts", lambda: 30_000)
    [delivery] = stage.delivered("alerts")
    assert "None" not in delivery["Message"]


def test_an_alarm_without_a_reason_is_told_without_one(stage: Stage) -> None:
    take(stage, alarm(state={"value": "ALARM", "reason": None}))
    dispatch(aws.stage(), stage.receive("alerts"), "alerts", lambda: 30_000)
    [delivery] = stage.delivered("alerts")
    assert "Motivo" not in delivery["Message"]


NEW: Final = {"value": "INSUFFICIENT_DATA", "reason": "Unchecked: Initial alarm creation"}
GAP: Final = {"value": "INSUFFICIENT_DATA", "reason": "Insufficient Data: 1 datapoint was unknown."}


@pytest.mark.parametrize(
    ("state", "previous", "told"),
    [
        ("OK", NEW, False),
        ("ALARM", NEW, True),
        ("OK", GAP, True),
        ("OK", {"value": "ALARM", "reason": "Threshold Crossed"}, True),
    ],
)
def test_a_new_alarm_that_finds_all_in_order_is_no_news(
    stage: Stage, state: str, previous: dict[str, str], told: bool
) -> None:
    take(stage, alarm(state={"value": state, "reason": "r"}, previousState=previous))
    dispatch(aws.stage(), stage.receive("alerts"), "alerts", lambda: 30_000)
    assert bool(stage.delivered("alerts")) is told
    life = stage.ledger(ID)
    assert life["status"] == ("published" if told else "suppressed")
    assert life["rules"] == ["alarms" if told else "new-alarms"]


def test_what_suppresses_a_composite_alarm_is_a_field_of_its_event(stage: Stage) -> None:
    state = {"value": "ALARM", "reason": "r", "actionsSuppressedBy": "WaitPeriod"}
    take(stage, alarm(state=state))
    [event] = queued(stage, "alerts")
    assert event["data"]["actionsSuppressedBy"] == "WaitPeriod"
    take(stage, alarm(alarmName="another") | {"id": "second"})
    [event] = queued(stage, "alerts")
    assert "actionsSuppressedBy" not in event["data"]
