"""What functions tell CloudWatch, and what their log has of an event's trace, from the door through its lane."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from chalice.test import Client

from chalicelib import aws
from chalicelib.door import bus
from chalicelib.door.envelope import DETAIL_TYPE
from tests.factories import sample, shipped
from tests.integration.aws_fixture import Stage
from tests.integration.test_api import SECRET, add_key, get, post

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
TEST = "hk_test-key-that-sends-nothing-to-anybody"
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def door(stage: Stage) -> Iterator[Client]:
    import app

    add_key(stage, SECRET, "shop", "send read people")
    add_key(stage, TEST, "shop-test", "send read", test={"BOOL": True})
    with Client(app.app, stage_name="local") as client:
        yield client


def figures(capsys: Capture) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What was counted since the last look, and what was logged."""
    said = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    counted = [line for line in said if line.pop("_aws", None)]
    return counted, [line for line in said if line not in counted]


def test_an_event_is_counted_as_it_is_accepted_and_as_it_is_sent(
    door: Client, stage: Stage, capsys: Capture
) -> None:
    post(door, shipped(1))
    post(door, shipped(1))
    about = {"stage": "local", "lane": "orders", "type": "order.shipped"}
    assert figures(capsys)[0] == [{**about, "accepted": 1}, {**about, "duplicate": 1}]
    stage.handle("orders")
    [line], _ = figures(capsys)
    [latency] = line.pop("latency")
    assert line == {**about, "published": 1}
    assert 0 <= latency < 60_000


def test_a_batch_is_a_line_for_each_type_at_the_door_and_in_the_lane(
    door: Client, stage: Stage, capsys: Capture
) -> None:
    placed = {**sample("order.placed"), "id": "p", "source": "/shop"}
    post(door, [shipped(1), placed, shipped(2)], path="/events/batch")
    counted, _ = figures(capsys)
    assert [(c["type"], c["accepted"]) for c in counted] == [
        ("order.shipped", 2),
        ("order.placed", 1),
    ]
    stage.handle("orders")
    counted, _ = figures(capsys)
    assert {c["type"]: c["published"] for c in counted} == {"order.shipped": 2, "order.placed": 1}


def test_what_is_not_sent_is_counted_by_its_reason(stage: Stage, capsys: Capture) -> None:
    stage.send({**shipped(1), "expirytime": "2020-01-01T00:00:00Z"}, dedup="1")
    stage.send({"type": "order.shipped", "source": "s", "id": "x", "data": {}}, dedup="2")
    stage.handle("orders")
    counted, _ = figures(capsys)
    assert [(c.get("expired"), c.get("failed"), c.get("reason")) for c in counted] == [
        (1, None, None),
        (None, 1, "missing-data"),
    ]


def test_what_comes_twice_is_a_duplicate_in_its_lane(stage: Stage, capsys: Capture) -> None:
    stage.send(shipped(1), dedup="1")
    stage.handle("orders")
    figures(capsys)
    stage.send(shipped(1), dedup="2")
    stage.handle("orders")
    [line], _ = figures(capsys)
    assert line["duplicate"] == 1
    assert "published" not in line


def test_a_type_that_there_is_not_makes_no_figure_of_its_own(stage: Stage, capsys: Capture) -> None:
    """Who may write into a queue may write any type, and CloudWatch is paid for by the figure."""
    for number in range(3):
        body = {"type": f"made.up.{number}", "source": "s", "id": f"x-{number}", "data": {}}
        stage.send(body, dedup=str(number), group=str(number))
    stage.handle("orders")
    [line], _ = figures(capsys)
    assert (line["type"], line["failed"], line["reason"]) == ("other", 3, "unknown-type")


def test_what_waits_is_counted_when_it_is_held_and_its_wait_is_no_latency(
    door: Client, stage: Stage, capsys: Capture
) -> None:
    stage.send({**shipped(1), "deliverat": "2027-01-01T10:00:00Z"}, dedup="1")
    stage.handle("orders")
    [line], _ = figures(capsys)
    assert line["held"] == 1
    assert "latency" not in line


def test_what_a_test_key_sends_is_nobody_s_figure(
    door: Client, stage: Stage, capsys: Capture
) -> None:
    post(door, shipped(1), secret=TEST)
    stage.handle("orders")
    assert figures(capsys)[0] == []


def test_what_comes_by_the_bus_is_counted_as_accepted(stage: Stage, capsys: Capture) -> None:
    event = {
        "id": "b-1",
        "source": "com.shop",
        "detail-type": DETAIL_TYPE,
        "account": "123456789012",
        "time": "2026-11-26T08:00:00Z",
        "detail": {"type": "order.shipped", "data": sample("order.shipped")["data"]},
    }
    record = {
        "messageId": "m-1",
        "receiptHandle": "r",
        "body": json.dumps(event),
        "attributes": {},
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:heraldo-local-bus",
    }
    bus._take(aws.stage(), [bus.Received.of(record)])
    [line], _ = figures(capsys)
    assert (line["accepted"], line["lane"]) == (1, "orders")


@pytest.mark.parametrize("how", ["header", "attribute", "batch"])
def test_a_trace_is_kept_from_the_request_to_the_log_of_the_lane(
    door: Client, stage: Stage, capsys: Capture, how: str
) -> None:
    if how == "attribute":
        post(door, {**shipped(1), "traceparent": TRACEPARENT})
    elif how == "header":
        post(door, shipped(1), traceparent=TRACEPARENT)
        [access] = figures(capsys)[1]
        assert access["trace"] == TRACE
    else:
        post(door, [shipped(1)], path="/events/batch", traceparent=TRACEPARENT)
    figures(capsys)
    stage.handle("orders")
    _, [line] = figures(capsys)
    assert line == {
        "level": "info",
        "message": "published",
        "lane": "orders",
        "event": "e-1",
        "type": "order.shipped",
        "trace": TRACE,
    }


def test_an_events_own_trace_wins_over_its_requests(
    door: Client, stage: Stage, capsys: Capture
) -> None:
    own = f"00-{'ab' * 16}-00f067aa0ba902b7-01"
    post(door, {**shipped(1), "traceparent": own}, traceparent=TRACEPARENT)
    stage.handle("orders")
    _, logged = figures(capsys)
    assert logged[-1]["trace"] == "ab" * 16


def test_a_header_that_is_no_trace_refuses_nothing_and_is_kept_nowhere(
    door: Client, stage: Stage, capsys: Capture
) -> None:
    assert post(door, shipped(1), traceparent="lucia@example.com").status_code == 202
    assert "traceparent" not in json.loads(stage.receive("orders")[0]["body"])
    assert "lucia" not in "".join(capsys.readouterr())


def test_the_access_log_has_who_called_what_and_nothing_of_a_customer(
    door: Client, capsys: Capture
) -> None:
    get(door, "/recipients/cus-lucia")
    get(door, "/u/some-token-of-somebody")
    get(door, "/events/e-1?source=/shop", secret="hk_this-key-there-is-not")
    out, err = capsys.readouterr()
    assert "lucia" not in out + err
    assert "token-of" not in out + err
    logged = [json.loads(line) for line in err.splitlines()]
    assert all(isinstance(line.pop("ms"), int) for line in logged)
    about = {"level": "info", "message": "request", "method": "GET"}
    assert logged == [
        {**about, "route": "/recipients/{recipient_id}", "status": 404, "key": "shop"},
        {**about, "route": "/u/{token}", "status": 404},
        {**about, "route": "/events/{event_id}", "status": 401},
    ]
