"""Quiet hours in a lane, on moto: what comes at night is held and goes out in the morning, in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from botocore.exceptions import EndpointConnectionError

from chalicelib import aws, names
from chalicelib.lanes import invocation
from chalicelib.lanes.dispatch import Redeliver, dispatch
from chalicelib.plan.compose import event_tag
from chalicelib.rules import hours, reading
from chalicelib.store import holds
from tests.factories import sample
from tests.integration.aws_fixture import Stage, lanes_at

SANTIAGO = ZoneInfo("America/Santiago")


def _night() -> datetime:
    """The next night on which clocks go forward there, at midnight: what ends at eight ends an hour sooner."""
    day = datetime.now(SANTIAGO).replace(hour=23, minute=30, second=0, microsecond=0)
    while (day + timedelta(days=1)).utcoffset() == day.utcoffset() or day.month < 8:
        day += timedelta(days=1)
    return day


NIGHT = _night()
MORNING = (NIGHT + timedelta(days=1)).replace(hour=8, minute=0)

Clock = Callable[[datetime], None]


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lane's rules, with quiet hours in its category."""
    found = reading.routing("local")
    category = replace(found.categories["orders"], hours=hours.read("22:00-08:00", ()))
    found = replace(found, categories={**found.categories, "orders": category})
    monkeypatch.setattr(invocation, "routing", lambda stage: found)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """What time it is in the lanes."""

    def put_on(moment: datetime) -> None:
        lanes_at(monkeypatch, moment)

    return put_on


def send(stage: Stage, name: str, **more: Any) -> None:
    found = {**sample("order.placed"), "id": name, "source": "shop", "recipient": "c-1", **more}
    stage.send(found, group="c-1", dedup=name)


def wake(stage: Stage, name: str) -> None:
    stage.send(holds.wake_body(event_tag(name, "shop")), group="c-1", dedup=f"wake-{name}")


def status(stage: Stage, name: str) -> str:
    return str(stage.ledger(name)["status"])


def when(stage: Stage) -> list[str]:
    group = names.schedules("local")
    found = stage.scheduler.list_schedules(GroupName=group)["Schedules"]
    return sorted(
        stage.scheduler.get_schedule(GroupName=group, Name=one["Name"])["ScheduleExpression"]
        for one in found
    )


def live_in_santiago(stage: Stage) -> None:
    person = {
        "id": {"S": "person:c-1"},
        "time_zone": {"S": "America/Santiago"},
        "email": {"S": "ana@example.com"},
    }
    stage.dynamodb.put_item(TableName=names.table("local", "people"), Item=person)


def test_a_night_on_which_clocks_change_ends_on_the_recipients_clock(
    stage: Stage, clock: Clock
) -> None:
    live_in_santiago(stage)
    clock(NIGHT)
    send(stage, "h-1")
    stage.handle()
    found = stage.ledger("h-1")
    assert (found["status"], found["held"]["why"]) == ("held", "quiet-hours")
    assert datetime.fromisoformat(found["held"]["until"]) == MORNING
    assert when(stage) == [f"at({MORNING.astimezone(UTC):%Y-%m-%dT%H:%M:%S})"]
    assert timedelta(hours=8, minutes=30) == MORNING - NIGHT  # on the wall
    assert MORNING.astimezone(UTC) - NIGHT.astimezone(UTC) == timedelta(hours=7, minutes=30)
    clock(MORNING + timedelta(seconds=20))
    wake(stage, "h-1")
    stage.handle()
    assert status(stage, "h-1") == "published"


def test_it_costs_three_calls_more_than_one_that_goes_out_at_once(
    stage: Stage, clock: Clock
) -> None:
    clock(MORNING + timedelta(hours=5))
    send(stage, "h-0")
    stage.handle()
    # That an order ends a cart's journey is written once, at its first time.
    at_once = len([call for call in stage.calls if call != "TransactWriteItems"])
    stage.calls.clear()
    clock(NIGHT)
    send(stage, "h-1")
    stage.handle()
    held = list(stage.calls)
    assert (held.count("TransactWriteItems"), held.count("CreateSchedule")) == (2, 1)
    stage.calls.clear()
    wake(stage, "h-1")
    clock(MORNING + timedelta(days=1))
    stage.handle()
    assert stage.calls.count("Query") == stage.calls.count("TransactWriteItems") == 1
    # What is read of the ledger and people, and deleted, at each of its two times is shared by a batch.
    assert len(stage.calls) == at_once + 2


def test_what_comes_as_the_morning_begins_does_not_overtake_what_waited(
    stage: Stage, clock: Clock
) -> None:
    live_in_santiago(stage)
    clock(NIGHT)
    for number in range(3):
        send(stage, f"h-{number}")
    for _ in range(3):
        stage.handle()
    clock(MORNING + timedelta(seconds=10))
    send(stage, "h-3")
    stage.handle()
    assert status(stage, "h-3") == "held"
    clock(MORNING + timedelta(seconds=30))
    wake(stage, "h-0")
    stage.handle()
    assert {status(stage, f"h-{number}") for number in range(4)} == {"published"}
    # By their time and then by their acceptance.
    tags = [event_tag(f"h-{number}", "shop") for number in range(4)]
    kept = stage.dynamodb.scan(TableName=names.table("local", "holds"))["Items"]
    order = sorted(item["at"]["S"] for item in kept if "event" in item)
    assert [at.rpartition("/")[2] for at in order] == tags


def test_what_loses_its_point_before_the_morning_is_expired_at_once(
    stage: Stage, clock: Clock
) -> None:
    live_in_santiago(stage)
    clock(NIGHT)
    send(stage, "h-1", expirytime=(MORNING - timedelta(minutes=30)).isoformat())
    stage.handle()
    assert status(stage, "h-1") == "expired"
    assert "quiet-hours" in stage.ledger("h-1")["detail"]
    assert when(stage) == []


@pytest.mark.parametrize("operation", ["transact_write_items", "create_schedule"])
def test_what_cannot_be_held_comes_again_and_nothing_is_lost(
    stage: Stage, clock: Clock, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    clock(NIGHT)
    send(stage, "h-1")
    own = aws.stage()
    client = own.client("scheduler") if operation == "create_schedule" else own.dynamodb

    def unreachable(**_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://aws")

    with monkeypatch.context() as patched:
        patched.setattr(client, operation, unreachable)
        with pytest.raises(Redeliver):
            stage.handle()
    assert stage.dead() == []
    [back] = await_message(stage)
    dispatch(aws.stage(), [back], "orders", lambda: 30_000)
    assert status(stage, "h-1") == "held"
    assert len(when(stage)) == 1


def await_message(stage: Stage) -> list[dict[str, Any]]:
    """What was handed back, once its wait is over."""
    return next(filter(None, iter(stage.receive, None)))


def test_a_hundred_events_that_ten_wakes_stand_for_are_held_again(
    stage: Stage, clock: Clock
) -> None:
    """They have a time of their own in the middle of the night."""
    clock(NIGHT - timedelta(hours=12))
    at = NIGHT.isoformat()
    for key in range(10):
        for number in range(10):
            raw = {
                **sample("order.placed"),
                "id": f"h-{key}-{number}",
                "source": "shop",
                "deliverat": at,
            }
            stage.send(
                {**raw, "recipient": f"c-{key}"}, group=f"c-{key}", dedup=f"h-{key}-{number}"
            )
    while batch := stage.receive():
        stage.handle(records=batch)
    clock(NIGHT + timedelta(minutes=1))
    for key in range(10):
        body = holds.wake_body(event_tag(f"h-{key}-0", "shop"))
        stage.send(body, group=f"c-{key}", dedup=f"wake-{key}")
    batch = stage.receive()
    assert len(batch) == 10
    stage.handle(records=batch)
    kept = stage.ledger("h-9-9")
    assert (kept["status"], kept["held"]["why"]) == ("held", "quiet-hours")
    stage.calls.clear()
    clock(MORNING + timedelta(days=1))
    for key in range(10):
        body = holds.wake_body(event_tag(f"h-{key}-0", "shop"))
        stage.send(body, group=f"c-{key}", dedup=f"morning-{key}")
    stage.handle()
    assert {status(stage, f"h-{k}-{n}") for k in range(10) for n in range(10)} == {"published"}
