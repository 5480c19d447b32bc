"""What a rule gathers, through app.py and a lane, on moto: one message of many, whatever happens on the way."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from chalice.test import Client

from chalicelib import aws, names
from chalicelib.lanes import sweeping
from chalicelib.lanes.dispatch import Redeliver, dispatch
from chalicelib.plan import gathering
from chalicelib.rules import reading
from chalicelib.store import holds
from chalicelib.store.record import text_of
from tests.factories import sample
from tests.integration.aws_fixture import Stage, lanes_at
from tests.integration.test_api import add_key, post
from tests.integration.test_held import call

KEY = "hk_digest-key-of-the-integration-tests"
NOW = datetime.now(UTC).replace(microsecond=0)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
STORM = 'digest = { window = "30m", key = "type" }'
LANES = """alerts = ["critical.*"]
orders = ["order.*"]"""
Clock = Callable[[timedelta], None]
Rules = Callable[..., None]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """How long after NOW it is in the lanes; NOW is when the test begins, for all tests take longer than a window."""
    monkeypatch.setattr(f"{__name__}.NOW", datetime.now(UTC).replace(microsecond=0))

    def put_on(after: timedelta) -> None:
        lanes_at(monkeypatch, NOW + after)

    put_on(timedelta(0))
    return put_on


@pytest.fixture
def rules(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Rules:
    """The rules of a stage: one that gathers alerts, as `digest` says, and what else is given."""

    def write(digest: str = STORM, more: str = "", lane: str = LANES) -> None:
        file = tmp_path / "digests.toml"
        file.write_text(
            f"""
            [lanes]
            {lane}
            [topics]
            alerts = {{}}
            company = {{}}
            users = {{}}
            [[rule]]
            name = "storm"
            pattern.type = ["critical.alert"]
            to = ["topic:alerts"]
            {digest}
            {more}
            """,
            "utf-8",
        )
        monkeypatch.setattr(reading, "FILE", file)
        reading.routing.cache_clear()

    write()
    return write


@pytest.fixture(autouse=True)
def ready(rules: Rules, clock: Clock) -> None:
    """Every test has the rules, and a clock that stands."""


@pytest.fixture
def door(stage: Stage) -> Iterator[Client]:
    import app

    add_key(stage, KEY, "shop", "send read people")
    with Client(app.app, stage_name="local") as client:
        yield client


def alert(name: str, **more: Any) -> dict[str, Any]:
    data = {**sample("critical.alert")["data"], "summary": name, **more.pop("data", {})}
    return {"type": "critical.alert", "id": name, "source": "shop", "data": data, **more}


def send(stage: Stage, *events: dict[str, Any], lane: str = "alerts") -> None:
    """Put events into their lane, and have it deal with them, ten at a time."""
    for begin in range(0, len(events), 10):
        for event in events[begin : begin + 10]:
            stage.send(event, lane=lane, group="g", dedup=event["id"])
        stage.handle(lane)


def schedules(stage: Stage) -> list[dict[str, Any]]:
    """The schedules of windows."""
    group = names.schedules("local")
    listed = stage.scheduler.list_schedules(GroupName=group)["Schedules"]
    found = [stage.scheduler.get_schedule(GroupName=group, Name=one["Name"]) for one in listed]
    return [one for one in found if "digest" in json.loads(one["Target"]["Input"])]


def wake(stage: Stage, lane: str = "alerts") -> None:
    """What the scheduler puts into the lane, of all schedules that there are, which are gone then."""
    for one in schedules(stage):
        send_wake(stage, one, lane=lane)


def send_wake(stage: Stage, one: dict[str, Any], copy: int = 0, lane: str = "alerts") -> None:
    target, group = one["Target"], names.schedules("local")
    key = target["SqsParameters"]["MessageGroupId"]
    stage.send(target["Input"], lane=lane, group=key, dedup=f"{one['Name']}{copy or ''}")
    if not copy:
        stage.scheduler.delete_schedule(GroupName=group, Name=one["Name"])


def said(stage: Stage, topic: str = "alerts") -> list[str]:
    """What a topic's subscribers read."""
    return [found["Message"] for found in stage.delivered(topic)]


def life(door: Client, name: str) -> Any:
    return call(door, "GET", f"/events/{name}", KEY).json_body


def handle(stage: Stage, lane: str = "alerts") -> None:
    """Have a lane deal with all that is in its queue."""
    while stage.waiting(lane):
        stage.handle(lane)


def test_what_falls_into_a_window_goes_out_as_one_and_each_event_tells_why(
    door: Client, stage: Stage, clock: Clock
) -> None:
    names_ = [f"a-{n}" for n in range(5)]
    send(stage, *(alert(name) for name in names_))
    assert said(stage) == []
    until = text_of(NOW + 30 * MINUTE)
    for name in names_:
        found = life(door, name)
        assert found["status"] == "gathered"
        assert found["held"] == {"until": until, "why": "digest"}
        assert found["digests"] == [{"rule": "storm", "status": "held", "until": until}]
    [schedule] = schedules(stage)
    assert schedule["ScheduleExpression"] == f"at({NOW + 30 * MINUTE:%Y-%m-%dT%H:%M:%S})"
    clock(30 * MINUTE + SECOND)
    wake(stage)
    handle(stage)
    [message] = said(stage)
    assert [line[2:] for line in message.splitlines() if line.startswith("- ")] == [
        f"3 dic 2026, 9:12, checkout: {name}" for name in names_
    ]
    ids = set()
    for name in names_:
        found = life(door, name)
        [digest] = found["digests"]
        assert (digest["rule"], digest["status"]) == ("storm", "published")
        assert (found["status"], "held" in found) == ("gathered", False)
        ids.add(digest["id"])
    [digest_id] = ids
    found = life(door, digest_id)
    assert (found["status"], found["rules"]) == ("published", ["storm"])
    assert list(found["messages"]) == ["topic:alerts/es"]


def test_one_event_alone_reads_like_one_event(stage: Stage, rules: Rules, clock: Clock) -> None:
    send(stage, alert("alone"))
    clock(31 * MINUTE)
    wake(stage)
    handle(stage)
    [gathered] = stage.delivered("alerts")
    rules("")
    send(stage, alert("again", data={"summary": "alone"}))
    [plain] = stage.delivered("alerts")
    assert gathered["Message"] == plain["Message"]
    assert gathered["Subject"] == plain["Subject"]


def test_what_joins_a_window_costs_one_call_more_and_moves_it_not(
    stage: Stage, clock: Clock
) -> None:
    send(stage, alert("a-1"))
    assert stage.calls.count("CreateSchedule") == 1
    assert stage.calls.count("UpdateItem") == 1
    clock(20 * MINUTE)
    stage.calls.clear()
    send(stage, *(alert(f"a-{n}") for n in range(2, 9)))
    calls = ["BatchGetItem", "TransactWriteItems", "BatchWriteItem"]
    assert [c for c in stage.calls if "Item" in c or "Schedule" in c] == calls
    [schedule] = schedules(stage)
    assert schedule["ScheduleExpression"] == f"at({NOW + 30 * MINUTE:%Y-%m-%dT%H:%M:%S})"


def test_an_event_that_no_rule_gathers_costs_nothing_more(stage: Stage, rules: Rules) -> None:
    """And the same that goes out at once costs what it costs without."""
    rules(more='[[rule]]\nname = "plain"\npattern.type = ["order.placed"]\nto = ["topic:users"]')
    send(stage, {**sample("order.placed"), "id": "o-1", "source": "shop"}, lane="orders")
    assert [c for c in stage.calls if "Item" in c or "Schedule" in c or "Publish" in c] == [
        "BatchGetItem",
        "PublishBatch",
        "BatchWriteItem",
    ]


def test_a_storm_of_alerts_is_few_messages_with_the_right_count(
    door: Client, stage: Stage, rules: Rules, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "LISTED", 10)
    monkeypatch.setattr(holds, "RELEASED_AT_ONCE", 7)
    rules('digest = { window = "1m", every = "15m", key = "type" }')
    told = []
    for minute in (0, 1, 14, 16):
        clock(minute * MINUTE)
        wakes_due(stage, NOW + minute * MINUTE)
        handle(stage)
        told += said(stage)
        if minute < 2:
            send(stage, *(alert(f"s-{minute}-{n}") for n in range(30)))
    assert [int(message.split(" ", 1)[0]) for message in told] == [30, 30]
    for message in told:
        assert message.count("\n- ") == 10
        assert "… y 20 más." in message
    assert life(door, "s-1-29")["digests"][0]["status"] == "published"


def wakes_due(stage: Stage, now: datetime) -> None:
    """The wakes of the schedules that are due by now."""
    for one in schedules(stage):
        if one["ScheduleExpression"] <= f"at({now:%Y-%m-%dT%H:%M:%S})":
            send_wake(stage, one)


def test_the_next_window_ends_no_sooner_than_every_after_the_last(
    stage: Stage, rules: Rules, clock: Clock
) -> None:
    rules('digest = { window = "1m", every = "15m", key = "type" }')
    send(stage, alert("a-1"))
    for minute, ends in ((2, 16), (40, 41)):
        clock(minute * MINUTE)
        wake(stage)
        handle(stage)
        send(stage, alert(f"a-{minute}"))
        [schedule] = schedules(stage)
        assert schedule["ScheduleExpression"] == f"at({NOW + ends * MINUTE:%Y-%m-%dT%H:%M:%S})"


def test_what_is_written_while_the_wake_is_handled_comes_with_the_next_look(
    door: Client, stage: Stage, clock: Clock
) -> None:
    """The lane has read the window as open, and writes into it after the wake has read."""
    send(stage, alert("a-1"))
    clock(30 * MINUTE - SECOND)
    stage.send(alert("late"), lane="alerts", group="other", dedup="late")
    late = stage.receive("alerts")
    wake(stage)
    once: list[int] = []

    def handle_wake(**_: Any) -> None:
        if not once:
            once.append(1)
            clock(30 * MINUTE)
            stage.handle("alerts", stage.receive("alerts"))

    emitter = aws.stage().dynamodb.meta.events
    emitter.register("before-call.dynamodb.TransactWriteItems", handle_wake)
    try:
        stage.handle("alerts", late)
    finally:
        emitter.unregister("before-call.dynamodb.TransactWriteItems", handle_wake)
    [first] = said(stage)
    assert "a-1" in first
    assert "late" not in first
    assert life(door, "late")["status"] == "gathered"
    [again] = schedules(stage)
    assert again["ScheduleExpression"] == f"at({NOW + 30 * MINUTE + 5 * SECOND:%Y-%m-%dT%H:%M:%S})"
    clock(31 * MINUTE)
    wake(stage)
    handle(stage)
    [second] = said(stage)
    assert "late" in second
    assert life(door, "late")["digests"][0]["id"] != life(door, "a-1")["digests"][0]["id"]


class Killed(BaseException):
    """The worker is gone."""


class Killer:
    """Ends the worker before its n-th call of AWS; `made` has the calls before that."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.made: list[str] = []

    def __call__(self, model: Any, **_: Any) -> None:
        if len(self.made) == self.at:
            raise Killed
        self.made.append(model.name)


def killed(records: list[dict[str, Any]], at: int) -> list[str] | None:
    """Have a worker that is killed before its n-th call deal with a batch; gives the calls that it made, or None
    where it came to its end before."""
    killer = Killer(at)
    clients = [aws.stage().client(name) for name in ("dynamodb", "sns", "sqs", "scheduler")]
    for client in clients:
        client.meta.events.register("before-call", killer)
    try:
        dispatch(aws.stage(), records, "alerts", lambda: 30_000)
    except Killed:
        return killer.made
    finally:
        for client in clients:
            client.meta.events.unregister("before-call", killer)
    return None


@pytest.mark.parametrize("die_at_the", ["gathering", "wake"])
def test_five_events_are_one_digest_wherever_the_worker_dies(
    door: Client, stage: Stage, rules: Rules, clock: Clock, die_at_the: str
) -> None:
    """Once before each call that it makes. Only between SNS's yes and the ledger's record it is told twice."""
    rules('digest = { window = "30m", key = "data.service" }')
    died: list[str] = []
    for number in range(40):
        names_ = [f"k-{number}-{n}" for n in range(5)]
        clock(number * 2 * HOUR)
        for name in names_:
            event = alert(name, data={"service": f"s-{number}"})
            stage.send(event, lane="alerts", group="g", dedup=name)
        records = stage.receive("alerts")
        made = killed(records, number) if die_at_the == "gathering" else None
        stage.handle("alerts", records)
        clock(number * 2 * HOUR + 31 * MINUTE)
        wake(stage)
        records = stage.receive("alerts")
        if die_at_the == "wake":
            made = killed(records, number)
        stage.handle("alerts", records)
        messages = said(stage)
        assert len(messages) == 1 + ("PublishBatch" in (made or ()))
        for message in messages:
            assert message.count("\n- ") == 5
        assert {life(door, name)["digests"][0]["status"] for name in names_} == {"published"}
        assert stage.waiting("alerts") == 0
        if made is None:
            break
        died += made[-1:]
    assert made is None
    assert len(set(died)) >= 3


def test_a_wake_that_comes_twice_sends_nothing_twice(stage: Stage, clock: Clock) -> None:
    send(stage, alert("a-1"), alert("a-2"))
    [schedule] = schedules(stage)
    clock(31 * MINUTE)
    for copy in range(2):
        send_wake(stage, schedule, copy)
        handle(stage)
    assert len(said(stage)) == 1


def test_a_wake_shortly_before_its_time_waits_and_one_long_before_comes_to_nothing(
    stage: Stage, clock: Clock
) -> None:
    send(stage, alert("a-1"))
    [schedule] = schedules(stage)
    send_wake(stage, schedule)
    stage.handle("alerts")
    assert stage.waiting("alerts") == 0
    clock(30 * MINUTE - 20 * SECOND)
    send_wake(stage, schedule, 2)
    with pytest.raises(Redeliver):
        stage.handle("alerts")
    assert stage.waiting("alerts") == 1
    assert said(stage) == []


def test_an_event_that_comes_twice_is_in_one_digest_once(
    door: Client, stage: Stage, rules: Rules, clock: Clock
) -> None:
    """Also where another rule sends it at once, and its window has ended by the time it comes again."""
    rules(more='[[rule]]\nname = "now"\npattern.type = ["critical.alert"]\nto = ["topic:company"]')
    stage.send(alert("a-1"), lane="alerts", group="g", dedup="a-1")
    records = stage.receive("alerts")
    made = killed(records, 5)
    assert made is not None
    assert made[-1] == "PublishBatch"
    clock(31 * MINUTE)
    wake(stage)
    stage.handle("alerts", [*records, *stage.receive("alerts")])
    clock(2 * HOUR)
    wake(stage)
    handle(stage)
    assert len(said(stage)) == 1
    found = life(door, "a-1")
    assert (found["status"], found["digests"][0]["status"]) == ("published", "published")


def test_what_cannot_be_gathered_comes_again_and_nothing_of_it_is_sent(
    stage: Stage, rules: Rules
) -> None:
    rules(more='[[rule]]\nname = "now"\npattern.type = ["critical.alert"]\nto = ["topic:company"]')

    def refuse(**_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://no")

    emitter = aws.stage().client("scheduler").meta.events
    emitter.register("before-send.scheduler.CreateSchedule", refuse)
    stage.send(alert("a-1"), lane="alerts", group="g", dedup="a-1")
    records = stage.receive("alerts")
    try:
        with pytest.raises(Redeliver):
            dispatch(aws.stage(), records, "alerts", lambda: 30_000)
    finally:
        emitter.unregister("before-send.scheduler.CreateSchedule", refuse)
    assert said(stage, "company") == []
    stage.handle("alerts", records)
    assert len(said(stage, "company")) == 1
    assert len(schedules(stage)) == 1


def test_what_is_resolved_before_the_window_ends_is_not_sent_and_says_so(
    door: Client, stage: Stage, rules: Rules, clock: Clock
) -> None:
    rules(
        'digest = { window = "1m", key = "type", resolved = { data.severity = ["over"] },'
        ' same = "data.service" }'
    )
    over = {"severity": "over"}
    send(stage, alert("web", data={"service": "web"}), alert("db", data={"service": "db"}))
    clock(10 * SECOND)
    send(stage, alert("web-over", data={"service": "web", **over}))
    send(stage, alert("old-over", data={"service": "old", **over}))
    clock(2 * MINUTE)
    wake(stage)
    handle(stage)
    [message] = said(stage)
    assert [line.rsplit(": ")[-1] for line in message.splitlines() if line[:2] == "- "] == [
        "db",
        "old-over",
    ]
    for name in ("web", "web-over"):
        found = life(door, name)
        assert (found["status"], found["reason"]) == ("suppressed", "resolved")
        assert found["digests"][0]["reason"] == "resolved"
    send(stage, alert("x", data={"service": "x"}), alert("x-over", data={"service": "x", **over}))
    clock(9 * MINUTE)
    wake(stage)
    handle(stage)
    assert said(stage) == []


def test_what_expires_before_its_digest_goes_out_is_left_out(
    door: Client, stage: Stage, clock: Clock
) -> None:
    send(stage, alert("a-1", expirytime=text_of(NOW + 10 * MINUTE)))
    found = life(door, "a-1")
    assert (found["status"], found["reason"]) == ("expired", "expired")
    assert "before its digest" in found["detail"]
    send(stage, alert("a-2"), alert("a-3", expirytime=text_of(NOW + 40 * MINUTE)))
    clock(50 * MINUTE)  # the lane was late
    wake(stage)
    handle(stage)
    [message] = said(stage)
    assert "a-2" in message
    assert "a-3" not in message
    assert life(door, "a-3")["status"] == "expired"


def test_what_waits_can_be_cancelled_and_is_not_in_the_digest(
    door: Client, stage: Stage, clock: Clock
) -> None:
    send(stage, alert("a-1"), alert("a-2"))
    answer = call(door, "DELETE", "/events/a-1", KEY)
    assert (answer.status_code, answer.json_body["status"]) == (200, "cancelled")
    clock(31 * MINUTE)
    wake(stage)
    handle(stage)
    [message] = said(stage)
    assert "a-1" not in message
    assert call(door, "DELETE", "/events/a-2", KEY).status_code == 409
    assert life(door, "a-1")["status"] == "cancelled"


def test_who_is_erased_is_in_no_digest(door: Client, stage: Stage, clock: Clock) -> None:
    send(stage, alert("a-1", recipient="c-1"), alert("a-2", recipient="c-2"))
    assert call(door, "DELETE", "/recipients/c-1", KEY).status_code == 204
    assert life(door, "a-1")["reason"] == "erased"
    clock(31 * MINUTE)
    wake(stage)
    handle(stage)
    [message] = said(stage)
    assert "a-1" not in message


def test_a_cancellation_while_the_wake_is_handled_wins_or_loses_whole(
    door: Client, stage: Stage, clock: Clock
) -> None:
    send(stage, alert("a-1"), alert("a-2"))
    clock(31 * MINUTE)
    wake(stage)
    once: list[int] = []

    def cancel(**_: Any) -> None:
        if not once:
            once.append(1)
            assert call(door, "DELETE", "/events/a-1", KEY).status_code == 200

    emitter = aws.stage().dynamodb.meta.events
    emitter.register("before-call.dynamodb.TransactWriteItems", cancel)
    try:
        handle(stage)
    finally:
        emitter.unregister("before-call.dynamodb.TransactWriteItems", cancel)
    [message] = said(stage)
    assert "a-1" not in message


def test_a_window_that_nobody_woke_the_lane_for_is_found_by_the_sweep(
    stage: Stage, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(stage, *(alert(f"a-{n}") for n in range(5)))
    monkeypatch.setattr(sweeping, "LATE", -HOUR)  # as if it were an hour later
    assert [sweeping.sweep(aws.stage()) for _ in range(2)] == [5, 5]
    assert stage.waiting("alerts") == 1  # one wake for all
    clock(31 * MINUTE)
    handle(stage)
    assert len(said(stage)) == 1
    assert sweeping.sweep(aws.stage()) == 0


def test_what_is_more_than_one_look_takes_is_taken_by_the_next(
    stage: Stage, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holds, "GATHERED", 3)
    send(stage, *(alert(f"a-{n}") for n in range(5)))
    clock(31 * MINUTE)
    wake(stage)
    handle(stage)
    clock(32 * MINUTE)
    wake(stage)
    handle(stage)
    assert [message.split(" ", 1)[0] for message in said(stage)] == ["3", "2"]


def test_a_digest_that_cannot_be_rendered_is_a_dead_letter_that_can_be_redriven(
    door: Client, stage: Stage, clock: Clock
) -> None:
    send(stage, alert("a-1"), alert("a-2"))
    for item in stage.dynamodb.scan(TableName="heraldo-local-holds")["Items"]:
        if "event" in item:
            raw = json.loads(item["event"]["S"])
            del raw["data"]["action"]  # what the words ask for by now
            item["event"] = {"S": json.dumps(raw)}
            stage.dynamodb.put_item(TableName="heraldo-local-holds", Item=item)
    clock(31 * MINUTE)
    wake(stage)
    handle(stage)
    [letter] = stage.dead("alerts")
    body = json.loads(letter["Body"])
    assert (body["digest"]["rule"], body["digest"]["count"]) == ("storm", 2)
    assert life(door, "a-1")["digests"][0]["status"] == "failed"
    for one in (body, *body["digest"]["events"]):
        one["data"]["action"] = "Mira."
    stage.send(body, lane="alerts", group="g", dedup="redriven")
    handle(stage)
    assert len(said(stage)) == 1
    assert life(door, "a-1")["digests"][0]["status"] == "published"


def test_each_recipient_has_a_digest_of_their_own_whatever_the_key(
    stage: Stage, rules: Rules, clock: Clock
) -> None:
    rules("", more=FOR_CUSTOMERS)
    for person, number in (("c-1", "+34600111221"), ("c-2", "+34600111222")):
        item = {"id": {"S": f"person:{person}"}, "phone": {"S": number}}
        stage.dynamodb.put_item(TableName=names.table("local", "people"), Item=item)
        send(stage, order(f"o-{person}", person), order(f"p-{person}", person), lane="orders")
    send(stage, order("q", None, phone="+34600111223"), lane="orders")
    assert len(schedules(stage)) == 3
    clock(31 * MINUTE)
    wake(stage, "orders")
    handle(stage, "orders")
    ends = {name: stage.ledger(name) for name in ids_of_digests(stage)}
    assert len(ends) == 3
    assert {one["status"] for one in ends.values()} == {"published"}


FOR_CUSTOMERS = """
[[rule]]
name = "orders"
pattern.type = ["order.placed"]
to = ["recipient:sms"]
digest = { window = "30m", key = "type" }
"""


def order(name: str, recipient: str | None, **more: Any) -> dict[str, Any]:
    raw = {**sample("order.placed"), "id": name, "source": "shop", **more}
    raw.pop("recipient", None)
    return raw if recipient is None else {**raw, "recipient": recipient}


def ids_of_digests(stage: Stage) -> list[str]:
    items = stage.dynamodb.scan(TableName=names.table("local", "ledger"))["Items"]
    return [i["id"]["S"] for i in items if i["id"]["S"].startswith("digest-")]


def test_a_digest_counts_once_in_a_cap_and_waits_for_room(
    stage: Stage, rules: Rules, clock: Clock
) -> None:
    lane = 'orders = { types = ["order.*"], cap = "1 per 2 hours", over_cap = "defer" }'
    rules("", more=FOR_CUSTOMERS, lane="alerts = ['critical.*']\n" + lane)
    item = {"id": {"S": "person:c-1"}, "phone": {"S": "+34600111221"}}
    stage.dynamodb.put_item(TableName=names.table("local", "people"), Item=item)
    for hour in (0, 1):
        clock(hour * HOUR)
        send(stage, *(order(f"o-{hour}-{n}", "c-1") for n in range(3)), lane="orders")
        clock(hour * HOUR + 31 * MINUTE)
        wake(stage, "orders")
        handle(stage, "orders")
    ends = sorted(stage.ledger(name)["status"] for name in ids_of_digests(stage))
    assert ends == ["held", "published"]
    [held] = [name for name in ids_of_digests(stage) if stage.ledger(name)["status"] == "held"]
    clock(3 * HOUR)
    group = names.schedules("local")
    for one in stage.scheduler.list_schedules(GroupName=group)["Schedules"]:
        send_wake(
            stage, stage.scheduler.get_schedule(GroupName=group, Name=one["Name"]), lane="orders"
        )
    handle(stage, "orders")
    assert stage.ledger(held)["status"] == "published"


def test_the_night_is_one_digest(stage: Stage, rules: Rules, clock: Clock) -> None:
    """What would end in quiet hours ends with them."""
    quiet = f"{NOW:%H:%M}-{NOW + 8 * HOUR:%H:%M}"
    rules(lane=f'alerts = {{ types = ["critical.*"], quiet = "{quiet}" }}')
    for minute in range(0, 240, 60):
        clock(minute * MINUTE)
        send(stage, alert(f"a-{minute}"))
    assert len(schedules(stage)) == 1


def test_a_dry_run_says_until_when_and_why(
    door: Client, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def planned() -> Any:
        return post(door, alert("a-9"), "/events?dry_run=true", KEY).json_body

    [first] = planned()["digests"]
    assert (first["rule"], first["to"]) == ("storm", ["topic:alerts"])
    assert first["why"] == "it is the first of its digest"
    send(stage, alert("a-1"))
    [second] = planned()["digests"]
    assert second["why"] == "it joins a digest that others wait for"
    assert second["until"] == text_of(NOW + 30 * MINUTE)
    assert planned()["suppressed"] is None


def test_nobody_brings_a_digest_of_their_own(door: Client, stage: Stage) -> None:
    answer = post(
        door, alert("a-1", digest={"rule": "storm", "count": 9, "events": []}), secret=KEY
    )
    assert answer.status_code == 422
    assert answer.json_body["errors"][0]["field"] == "digest"
    stage.send(alert("a-2", digest={"rule": 3}), lane="alerts", group="g", dedup="1")
    stage.handle("alerts")
    [letter] = stage.dead("alerts")
    assert letter["MessageAttributes"]["reason"]["StringValue"] == "not-a-digest"
