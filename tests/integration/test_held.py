"""What has a time to come, through app.py and a lane, on moto: kept, woken, cancelled, erased."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from chalice.test import Client, HTTPResponse

from chalicelib import aws, names
from chalicelib.door import cancelling
from chalicelib.lanes import invocation, sweeping
from chalicelib.lanes.dispatch import Redeliver, dispatch
from chalicelib.plan.compose import event_tag
from chalicelib.store import holds, ledger
from tests.factories import sample
from tests.integration.aws_fixture import Stage
from tests.integration.test_api import add_key, post

KEY, OTHER = "hk_held-key-of-the-integration-tests", "hk_other-key-of-the-integration-tests"
HOUR = timedelta(hours=1)


@pytest.fixture
def door(stage: Stage) -> Iterator[Client]:
    import app

    add_key(stage, KEY, "shop", "send read people")
    add_key(stage, OTHER, "blog", "send read", source={"S": "blog"})
    with Client(app.app, stage_name="local") as client:
        yield client


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """What time it is in the lanes."""

    def put_on(by: timedelta) -> None:
        class Clock:
            monotonic = staticmethod(time.monotonic)

            @staticmethod
            def time() -> float:
                return time.time() + by.total_seconds()

        monkeypatch.setattr(invocation, "time", Clock)

    return put_on


def at(ahead: timedelta) -> str:
    return (datetime.now(UTC) + ahead).isoformat(timespec="milliseconds")


def event(name: str, ahead: timedelta = HOUR, **more: Any) -> dict[str, Any]:
    found = {"type": "order.placed", "id": name, "recipient": "c-1", "deliverat": at(ahead)}
    data = json.loads(json.dumps(sample("order.placed")["data"]))
    data["order"]["id"] = name
    return {**found, "data": data, **more}


def send(door: Client, raw: dict[str, Any]) -> HTTPResponse:
    return post(door, raw, secret=KEY)


def call(door: Client, method: str, path: str, secret: str = KEY) -> HTTPResponse:
    return door.http.request(method, path, headers={"Authorization": f"Bearer {secret}"}, body=b"")


def wake(stage: Stage, name: str, copy: str = "") -> None:
    """What the scheduler puts into the lane."""
    body = holds.wake_body(event_tag(name, "shop"))
    stage.send(body, group="c-1", dedup=f"wake-{name}{copy}")


def schedules(stage: Stage) -> list[str]:
    found = stage.scheduler.list_schedules(GroupName=names.schedules("local"))["Schedules"]
    return [schedule["Name"] for schedule in found]


def test_what_has_a_time_is_held_and_its_lane_is_woken_then(
    door: Client, stage: Stage, later: Callable[[timedelta], None]
) -> None:
    raw = event("h-1")
    answer = send(door, raw)
    assert answer.status_code == 202
    assert answer.json_body["held_until"][:19] == raw["deliverat"][:19]
    assert stage.receive() == []
    found = call(door, "GET", "/events/h-1").json_body
    assert (found["status"], found["held"]["why"]) == ("held", "deliverat")
    [name] = schedules(stage)
    assert name.startswith(f"event-{event_tag('h-1', 'shop')}-")
    made = stage.scheduler.get_schedule(GroupName=names.schedules("local"), Name=name)
    assert made["ScheduleExpressionTimezone"] == "UTC"
    assert made["Target"]["SqsParameters"] == {"MessageGroupId": "c-1"}
    assert json.loads(made["Target"]["Input"]) == {"wake": event_tag("h-1", "shop")}
    later(HOUR + timedelta(seconds=2))
    wake(stage, "h-1")
    stage.handle()
    assert stage.ledger("h-1")["status"] == "published"
    assert len(stage.delivered("users")) == 1


def test_held_twice_is_held_once(door: Client, stage: Stage) -> None:
    raw = event("h-1")
    assert [send(door, raw).status_code for _ in range(3)] == [202, 200, 200]
    assert len(schedules(stage)) == 1
    other = send(door, {**raw, "deliverat": at(2 * HOUR)})
    assert (other.status_code, other.json_body["errors"][0]["field"]) == (409, "deliverat")


def test_a_schedule_that_cannot_be_made_fails_the_request_and_the_next_try_makes_it(
    door: Client, stage: Stage
) -> None:
    def refuse(**_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://no")

    emitter = aws.hurried_stage().client("scheduler").meta.events
    emitter.register("before-send.scheduler.CreateSchedule", refuse)
    raw = event("h-1")
    try:
        assert send(door, raw).status_code == 503
    finally:
        emitter.unregister("before-send.scheduler.CreateSchedule", refuse)
    assert schedules(stage) == []
    assert send(door, raw).status_code == 200
    assert len(schedules(stage)) == 1


def test_a_wake_takes_all_of_its_key_that_is_due_by_time_and_then_by_acceptance(
    door: Client, stage: Stage, later: Callable[[timedelta], None]
) -> None:
    same = at(2 * HOUR)
    for name, ahead in (("h-1", 3 * HOUR), ("h-2", HOUR), ("h-5", 9 * HOUR)):
        send(door, event(name, ahead))
    send(door, event("h-3", deliverat=same))
    send(door, event("h-4", deliverat=same))
    later(4 * HOUR)
    wake(stage, "h-3")
    stage.handle()
    subjects = [found["Subject"] for found in stage.delivered("users")]
    assert [subject.rsplit(" ", 1)[-1] for subject in subjects] == ["h-2", "h-3", "h-4", "h-1"]
    assert stage.ledger("h-5")["status"] == "held"
    wake(stage, "h-2")
    stage.handle()
    assert stage.delivered("users") == []


def test_a_wake_that_comes_twice_and_a_worker_that_dies_send_nothing_twice(
    door: Client, stage: Stage, later: Callable[[timedelta], None]
) -> None:
    send(door, event("h-1"))
    send(door, event("h-2"))
    later(2 * HOUR)
    wake(stage, "h-1")
    records = stage.receive()

    def die(**_: Any) -> None:
        raise KeyboardInterrupt

    emitter = aws.stage().sns.meta.events
    emitter.register("before-send.sns.PublishBatch", die)
    with pytest.raises(KeyboardInterrupt):
        dispatch(aws.stage(), records, "orders", lambda: 30_000)
    emitter.unregister("before-send.sns.PublishBatch", die)
    for _ in range(2):
        dispatch(aws.stage(), records, "orders", lambda: 30_000)
    wake(stage, "h-2")
    stage.handle()
    assert len(stage.delivered("users")) == 2
    assert {stage.ledger(e)["status"] for e in ("h-1", "h-2")} == {"published"}


def test_a_wake_long_before_its_time_keeps_nothing_of_its_key_waiting(
    door: Client, stage: Stage
) -> None:
    send(door, event("h-1"))
    wake(stage, "h-1")
    stage.handle()
    assert stage.waiting() == 0
    assert stage.ledger("h-1")["status"] == "held"


def test_a_wake_shortly_before_its_time_waits_in_the_queue(door: Client, stage: Stage) -> None:
    send(door, event("h-1", timedelta(seconds=40)))
    wake(stage, "h-1")
    with pytest.raises(Redeliver):
        stage.handle()
    assert stage.waiting() == 1
    assert stage.ledger("h-1")["status"] == "held"


def test_a_wake_for_nothing_is_gone_after_it(door: Client, stage: Stage) -> None:
    wake(stage, "nobody")
    stage.handle()
    stage.send('{"wake": 3}', dedup="no-wake")
    stage.handle()
    assert [json.loads(letter["Body"])["wake"] for letter in stage.dead()] == [3]


def test_what_is_held_can_be_cancelled_until_it_goes_out(
    door: Client, stage: Stage, later: Callable[[timedelta], None]
) -> None:
    send(door, event("h-1", email="ana@example.com"))
    assert call(door, "DELETE", "/events/h-1", OTHER).status_code == 404
    answer = call(door, "DELETE", "/events/h-1")
    assert (answer.status_code, answer.json_body["status"]) == (200, "cancelled")
    assert answer.json_body["reason"] == "cancelled"
    assert call(door, "DELETE", "/events/h-1").status_code == 200
    assert schedules(stage) == []
    kept = stage.dynamodb.scan(TableName="heraldo-local-holds")["Items"]
    # That there was an order ends a cart's journey, whatever becomes of its mail.
    assert [item["id"]["S"] for item in kept if "who" not in item] == ["run\nabandoned-cart\nc-1"]
    [put_down] = [item for item in kept if "who" in item]
    assert (put_down["what"]["S"], put_down["subject"]["S"]) == ("cancel", "h-1")
    later(2 * HOUR)
    wake(stage, "h-1")
    stage.handle()
    assert stage.delivered("users") == []
    assert send(door, event("h-1")).status_code == 409


def test_what_went_out_cannot_be_cancelled(
    door: Client, stage: Stage, later: Callable[[timedelta], None]
) -> None:
    send(door, event("h-1"))
    later(2 * HOUR)
    wake(stage, "h-1")
    stage.handle()
    answer = call(door, "DELETE", "/events/h-1")
    assert (answer.status_code, answer.json_body["type"]) == (409, "urn:heraldo:problem:not-held")
    assert answer.json_body["title"] == "That event is not held any more"
    assert call(door, "DELETE", "/events/nothing").status_code == 404


def test_a_cancellation_while_the_wake_is_handled_wins_or_loses_whole(
    door: Client, stage: Stage, later: Callable[[timedelta], None]
) -> None:
    """Between what the lane reads and what it releases, one of two is cancelled."""
    send(door, event("h-1"))
    send(door, event("h-2"))
    later(2 * HOUR)
    wake(stage, "h-1")
    once: list[int] = []

    def cancel(**_: Any) -> None:
        if not once:
            once.append(1)
            [record] = ledger.find(aws.hurried_stage(), "h-1")
            assert cancelling.cancel(aws.hurried_stage(), record, "x").status == "cancelled"

    emitter = aws.stage().dynamodb.meta.events
    emitter.register("before-call.dynamodb.TransactWriteItems", cancel)
    try:
        stage.handle()
    finally:
        emitter.unregister("before-call.dynamodb.TransactWriteItems", cancel)
    assert [stage.ledger(e)["status"] for e in ("h-1", "h-2")] == ["cancelled", "published"]
    assert len(stage.delivered("users")) == 1


def all_that_is_kept(stage: Stage) -> list[Any]:
    """All in the table of holds; whom it is of is in none of it."""
    kept = stage.dynamodb.scan(TableName="heraldo-local-holds")["Items"]
    assert "c-1" not in str(kept)
    return list(kept)


def test_what_is_on_its_way_is_said_to_be(
    door: Client, stage: Stage, later: Callable[[timedelta], None]
) -> None:
    send(door, event("h-1"))
    later(2 * HOUR)
    wake(stage, "h-1")
    answers: list[HTTPResponse] = []

    def cancel(**_: Any) -> None:
        answers.append(call(door, "DELETE", "/events/h-1"))

    emitter = aws.stage().sns.meta.events
    emitter.register("before-call.sns.PublishBatch", cancel)
    try:
        stage.handle()
    finally:
        emitter.unregister("before-call.sns.PublishBatch", cancel)
    [answer] = answers
    assert answer.status_code == 409
    assert "on its way" in answer.json_body["detail"]


def test_who_is_erased_gets_nothing_that_waited_for_them(
    door: Client, stage: Stage, later: Callable[[timedelta], None]
) -> None:
    for name in ("h-1", "h-2"):
        send(door, event(name))
    assert call(door, "DELETE", "/recipients/c-1").status_code == 204
    assert {stage.ledger(e)["reason"] for e in ("h-1", "h-2")} == {"erased"}
    assert [item["what"]["S"] for item in all_that_is_kept(stage)] == ["person-erase"]
    later(2 * HOUR)
    wake(stage, "h-1")
    stage.handle()
    assert stage.delivered("users") == []


def test_what_went_out_is_forgotten_with_whom_it_was_for(
    door: Client, stage: Stage, later: Callable[[timedelta], None]
) -> None:
    send(door, event("h-1"))
    later(2 * HOUR)
    wake(stage, "h-1")
    stage.handle()
    call(door, "DELETE", "/recipients/c-1")
    assert [item["what"]["S"] for item in all_that_is_kept(stage)] == ["person-erase"]
    assert stage.ledger("h-1")["status"] == "published"


def test_what_is_overdue_is_found_and_woken(
    door: Client, stage: Stage, later: Callable[[timedelta], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    send(door, event("h-1"))
    send(door, event("h-2", 5 * HOUR))
    assert sweeping.sweep(aws.stage()) == 0
    monkeypatch.setattr(sweeping, "LATE", -2 * HOUR)  # as if it were two hours later
    assert [sweeping.sweep(aws.stage()) for _ in range(2)] == [1, 1]
    later(2 * HOUR)
    stage.handle()
    assert stage.ledger("h-1")["status"] == "published"
    assert len(stage.delivered("users")) == 1
    assert sweeping.sweep(aws.stage()) == 0


def test_words_that_no_longer_render_are_a_dead_letter_with_the_event_in_it(
    door: Client, stage: Stage, later: Callable[[timedelta], None]
) -> None:
    send(door, event("h-1"))
    [hold] = [holds.find(aws.stage(), event_tag("h-1", "shop"))]
    assert hold is not None
    raw = json.loads(hold.event)
    del raw["data"]["order"]["id"]  # what the words ask for by now
    stage.dynamodb.update_item(
        TableName="heraldo-local-holds",
        Key=hold.key,
        UpdateExpression="SET #event = :event",
        ExpressionAttributeNames={"#event": "event"},
        ExpressionAttributeValues={":event": {"S": json.dumps(raw)}},
    )
    later(2 * HOUR)
    wake(stage, "h-1")
    stage.handle()
    [letter] = stage.dead()
    assert json.loads(letter["Body"])["id"] == "h-1"
    assert stage.ledger("h-1")["status"] == "failed"


def test_a_batch_of_500_is_held_in_few_calls(door: Client, stage: Stage) -> None:
    events = [event(f"b-{n}", recipient=f"c-{n}") for n in range(40)]
    answer = post(door, events, "/events/batch", KEY)
    assert {one["status"] for one in answer.json_body} == {"accepted"}
    assert all(one["held_until"] for one in answer.json_body)
    assert stage.calls.count("CreateSchedule") == 40
    assert stage.calls.count("TransactWriteItems") == 2


def test_an_event_straight_into_a_lane_that_is_not_due_is_held_by_it(
    stage: Stage, later: Callable[[timedelta], None]
) -> None:
    stage.send({**event("h-1"), "source": "shop"}, group="c-1", dedup="1")
    stage.handle()
    assert stage.ledger("h-1")["status"] == "held"
    assert len(schedules(stage)) == 1
    later(HOUR + timedelta(seconds=2))
    wake(stage, "h-1")
    stage.handle()
    assert stage.ledger("h-1")["status"] == "published"
    assert stage.calls.count("Publish") + stage.calls.count("SendBulkEmail") <= 1
