"""Journeys on moto, whose Step Functions begin a run and never walk it: the steps are sent by hand, as its
states would send them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from chalice.test import Client, HTTPResponse
from click.testing import CliRunner

from chalicelib import aws, names
from chalicelib.lanes import invocation
from chalicelib.lanes.dispatch import Redeliver
from chalicelib.letters import letters
from chalicelib.plan.compose import event_tag
from chalicelib.rules import hours, reading
from chalicelib.store import holds, runs, secrets, tokens
from chalicelib.store.run import Run
from chalicelib.store.tokens import Ack, Grant
from cli.commands import dead_letters
from tests.factories import ACCOUNT, REGION, sample, shipped
from tests.integration.aws_fixture import Stage, lanes_at
from tests.integration.test_api import add_key, post

KEY = "hk_journeys-key-of-the-integration-tests"
NOW = datetime(2026, 12, 4, 10, tzinfo=UTC)


@pytest.fixture
def door(stage: Stage) -> Iterator[Client]:
    import app

    add_key(stage, KEY, "shop", "send read people")
    with Client(app.app, stage_name="local") as found:
        yield found


def send(door: Client, event_type: str, name: str, **more: Any) -> HTTPResponse:
    raw = {**sample(event_type), "id": name, "source": "shop", "recipient": "c-1", **more}
    raw = {attribute: value for attribute, value in raw.items() if value is not None}
    return post(door, raw, secret=KEY)


def begin(door: Client, stage: Stage, name: str, **more: Any) -> dict[str, Any]:
    """Leave a cart; gives what its run was told."""
    assert send(door, "cart.abandoned", name, **more).status_code == 202
    stage.handle("reminders")
    return told(stage, "abandoned-cart", stage.ledger(name)["messages"]["start:abandoned-cart"])


def told(stage: Stage, journey: str, run: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(execution(stage, journey, run)["input"])
    return found


def execution(stage: Stage, journey: str, run: str) -> dict[str, Any]:
    machine = names.state_machine("local", journey)
    arn = PLACE.execution_arn(machine, run)
    found: dict[str, Any] = stage.states.describe_execution(executionArn=arn)
    return found


PLACE = names.Place("aws", REGION, ACCOUNT)


def step(
    stage: Stage, run: dict[str, Any], state: str = "Remind", send: str = "cart.reminder"
) -> str:
    """What a state of the run sends; gives the id of its event."""
    at = "2026-12-04T11:00:00.000Z"
    body = {"send": send, "step": state, "at": at, "run": run}
    stage.send(body, lane="reminders", group=run["group"], dedup=f"{run['run']}.{state}.{at}")
    return f"{run['journey']}.{run['run']}.{state}.{at}"


def reminded(stage: Stage, name: str) -> tuple[str, str]:
    found = stage.ledger(name)
    return found["status"], found.get("reason", "")


def test_an_event_begins_a_run_that_knows_ids_and_no_person(door: Client, stage: Stage) -> None:
    run = begin(door, stage, "cart-1", email="lucia@example.com", phone="+34600111222")
    assert run.pop("run") == stage.ledger("cart-1")["messages"]["start:abandoned-cart"]
    accepted = stage.ledger("cart-1")["timeline"][0]
    assert accepted["status"] == "accepted"
    assert run == {
        "journey": "abandoned-cart",
        "key": "c-1",
        "group": "c-1",
        "started": accepted["at"],
        "event": {"id": "cart-1", "source": "shop", "type": "cart.abandoned"},
    }


def test_a_step_sends_to_whom_the_cart_was_of_with_what_was_in_it(
    door: Client, stage: Stage
) -> None:
    run = begin(door, stage, "cart-1")
    stage.delivered("users")
    name = step(stage, run)
    stage.handle("reminders")
    found = stage.ledger(name)
    assert (found["status"], found["source"]) == ("published", "journey:abandoned-cart")
    [mail] = stage.delivered("users")
    assert mail["MessageAttributes"]["event_type"]["Value"] == "cart.reminder"
    assert mail["MessageAttributes"]["recipient"]["Value"] == "c-1"
    assert "3 artículos, por 88,90 €" in mail["Message"].replace("\xa0", " ")


def test_a_step_that_comes_twice_is_sent_once(door: Client, stage: Stage) -> None:
    run = begin(door, stage, "cart-1")
    stage.delivered("users")
    name = step(stage, run)
    records = stage.receive("reminders")
    stage.handle("reminders", records)
    stage.handle("reminders", records)
    assert reminded(stage, name) == ("published", "")
    assert len(stage.delivered("users")) == 1


def test_an_order_ends_the_run_and_what_it_still_sends_is_dropped(
    door: Client, stage: Stage
) -> None:
    run = begin(door, stage, "cart-1")
    send(door, "order.placed", "order-1")
    stage.handle("orders")
    assert execution(stage, "abandoned-cart", run["run"])["status"] == "ABORTED"
    stage.delivered("users")
    name = step(stage, run)
    stage.handle("reminders")
    assert reminded(stage, name) == ("suppressed", "journey-ended")
    assert stage.delivered("users") == []
    kept = stage.dynamodb.scan(TableName=names.table("local", "holds"))["Items"]
    assert "Manta" not in json.dumps(kept), "what it was about is forgotten"


def test_an_order_that_is_accepted_ends_it_before_any_lane_has_seen_it(
    door: Client, stage: Stage
) -> None:
    run = begin(door, stage, "cart-1")
    stage.delivered("users")
    name = step(stage, run)
    send(door, "order.placed", "order-1")  # its lane is slow: it never runs here
    stage.handle("reminders")
    assert reminded(stage, name) == ("suppressed", "journey-ended")
    assert stage.delivered("users") == []
    assert execution(stage, "abandoned-cart", run["run"])["status"] == "ABORTED"


def test_an_order_between_reading_and_sending_still_ends_it(door: Client, stage: Stage) -> None:
    run = begin(door, stage, "cart-1")
    stage.delivered("users")
    name = step(stage, run)
    seen: list[str] = []

    def order(**_: Any) -> None:
        seen.append("read")
        if (
            len(seen) == 3
        ):  # after the run, and after the ledger: as it is looked at for the last time
            send(door, "order.placed", "order-1")

    events = aws.stage().dynamodb.meta.events
    events.register("before-call.dynamodb.BatchGetItem", order)
    try:
        stage.handle("reminders")
    finally:
        events.unregister("before-call.dynamodb.BatchGetItem", order)
    assert len(seen) == 3
    assert reminded(stage, name) == ("suppressed", "journey-ended")
    assert stage.delivered("users") == []


def test_an_order_past_the_door_ends_it_before_its_own_mail_goes_out(
    door: Client, stage: Stage
) -> None:
    run = begin(door, stage, "cart-1")
    raw = {**sample("order.placed"), "id": "o", "source": "s", "recipient": "c-1"}
    stage.send(raw, group="c-1", dedup="o")
    stage.calls.clear()
    stage.handle("orders")
    assert stage.calls.index("TransactWriteItems") < stage.calls.index("PublishBatch")
    assert reminded(stage, step_and_handle(stage, run)) == ("suppressed", "journey-ended")


def step_and_handle(stage: Stage, run: dict[str, Any], **more: Any) -> str:
    name = step(stage, run, **more)
    stage.handle("reminders")
    return name


def test_somebody_elses_order_ends_nothing(door: Client, stage: Stage) -> None:
    run = begin(door, stage, "cart-1")
    send(door, "order.placed", "order-1", recipient="c-2")
    stage.handle("orders")
    assert reminded(stage, step_and_handle(stage, run)) == ("published", "")


def test_one_run_at_a_time_for_each_key(door: Client, stage: Stage) -> None:
    begin(door, stage, "cart-1")
    send(door, "cart.abandoned", "cart-2")
    stage.handle("reminders")
    second = stage.ledger("cart-2")
    assert (second["status"], second["withheld"]) == (
        "published",  # its own mail; the journey goes on with the first
        {"start:abandoned-cart": "already-running"},
    )
    assert "start:abandoned-cart" in begin_for(door, stage, "cart-3", "c-2")


def begin_for(door: Client, stage: Stage, name: str, recipient: str) -> dict[str, Any]:
    send(door, "cart.abandoned", name, recipient=recipient)
    stage.handle("reminders")
    found: dict[str, Any] = stage.ledger(name)["messages"]
    return found


@pytest.mark.parametrize("ending", ["it ends by itself", "it fails", "an order"])
def test_the_next_cart_of_the_same_customer_has_a_run_of_its_own(
    door: Client, stage: Stage, ending: str
) -> None:
    first = begin(door, stage, "cart-1")
    if ending == "an order":
        send(door, "order.placed", "order-1")
        stage.handle("orders")
    else:
        arn = execution(stage, "abandoned-cart", first["run"])["executionArn"]
        stage.states.stop_execution(executionArn=arn)  # moto has no other end
    time.sleep(0.002)  # the next is accepted in a later millisecond
    second = begin(door, stage, "cart-2")
    assert second["run"] != first["run"]
    stage.delivered("users")
    assert reminded(stage, step_and_handle(stage, second)) == ("published", "")
    assert reminded(stage, step_and_handle(stage, first, state="RemindAgain")) == (
        "suppressed",
        "journey-ended",
    )
    assert len(stage.delivered("users")) == 1


def test_a_cart_that_comes_late_past_its_order_begins_nothing(door: Client, stage: Stage) -> None:
    send(door, "cart.abandoned", "cart-1")
    time.sleep(0.002)
    send(door, "order.placed", "order-1")  # accepted later, and dealt with first
    stage.handle("orders")
    stage.handle("reminders")
    found = stage.ledger("cart-1")
    assert found["withheld"] == {"start:abandoned-cart": "journey-stopped"}


@pytest.mark.parametrize("call", ["TransactWriteItems", "StartExecution"])
def test_a_worker_that_dies_as_it_begins_a_run_begins_it_once(
    door: Client, stage: Stage, call: str
) -> None:
    send(door, "cart.abandoned", "cart-1")
    records = stage.receive("reminders")
    service = "dynamodb" if call == "TransactWriteItems" else "stepfunctions"

    def die(**_: Any) -> None:
        raise KeyboardInterrupt

    events = aws.stage().client(service).meta.events
    events.register(f"after-call.{_event_name(service)}.{call}", die)
    try:
        with pytest.raises(KeyboardInterrupt):
            stage.handle("reminders", records)
    finally:
        events.unregister(f"after-call.{_event_name(service)}.{call}", die)
    stage.handle("reminders", records)
    run = stage.ledger("cart-1")["messages"]["start:abandoned-cart"]
    arn = PLACE.state_machine_arn(names.state_machine("local", "abandoned-cart"))
    made = stage.states.list_executions(stateMachineArn=arn)["executions"]
    assert [one["name"] for one in made] == [run]


def _event_name(service: str) -> str:
    return {"stepfunctions": "sfn"}.get(service, service)


def test_where_step_functions_do_not_answer_the_event_waits(door: Client, stage: Stage) -> None:
    send(door, "cart.abandoned", "cart-1")
    records = stage.receive("reminders")

    def broken(**_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://states")

    events = aws.stage().client("stepfunctions").meta.events
    events.register("before-call.sfn.StartExecution", broken)
    try:
        with pytest.raises(Redeliver, match="start:abandoned-cart"):
            stage.handle("reminders", records)
    finally:
        events.unregister("before-call.sfn.StartExecution", broken)
    assert stage.ledger("cart-1")["status"] == "retrying"
    stage.handle("reminders", records)
    assert stage.ledger("cart-1")["status"] == "published"
    assert len(stage.delivered("users")) == 1, "its mail went out at the first time"


def test_what_cannot_stop_its_run_waits_and_the_others_do_not(stage: Stage) -> None:
    raw = {**sample("order.placed"), "id": "o", "source": "s", "recipient": "c-1"}
    stage.send(raw, group="c-1", dedup="o")
    stage.send({**shipped(1), "recipient": "c-1"}, group="c-1", dedup="behind")
    stage.send({**shipped(2), "recipient": "c-2"}, group="c-2", dedup="other")
    records = stage.receive()

    def broken(**_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://dynamodb")

    events = aws.stage().dynamodb.meta.events
    events.register("before-call.dynamodb.TransactWriteItems", broken)
    try:
        with pytest.raises(Redeliver, match="2 of 3"):
            stage.handle("orders", records)
    finally:
        events.unregister("before-call.dynamodb.TransactWriteItems", broken)
    [mail] = stage.delivered("users")
    assert mail["MessageAttributes"]["recipient"]["Value"] == "c-2"
    stage.handle("orders", [r for r in records if r["attributes"]["MessageGroupId"] == "c-1"])
    first, second = stage.delivered("users")
    assert first["MessageAttributes"]["event_type"]["Value"] == "order.placed", "in its order"
    assert second["MessageAttributes"]["event_type"]["Value"] == "order.shipped"


def test_the_stops_of_a_batch_are_one_call_whoever_was_stopped_later_already(stage: Stage) -> None:
    later = "2999-01-01T00:00:00.000Z"
    handle = aws.stage().at(PLACE)
    runs.stop(handle, {("abandoned-cart", "c-3"): later})
    for number in range(6):
        raw = {
            **sample("order.placed"),
            "id": f"o-{number}",
            "source": "s",
            "recipient": f"c-{number}",
        }
        stage.send(raw, group=f"c-{number}", dedup=f"o-{number}")
    stage.calls.clear()
    stage.handle("orders")
    assert stage.calls.count("TransactWriteItems") == 2, "and one without whom it was too late for"
    found = [runs.find(handle, "abandoned-cart", f"c-{number}") for number in range(6)]
    assert all(run is not None and run.stopped for run in found)
    assert found[3] is not None
    assert found[3].stopped == later


def test_a_step_waits_for_the_morning_and_looks_again_at_its_run(
    door: Client, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, other = begin(door, stage, "cart-1"), begin_other(door, stage)
    stage.delivered("users")
    night(monkeypatch, NOW.replace(hour=23))
    held = [step_and_handle(stage, one) for one in (run, other)]
    assert [stage.ledger(name)["held"]["why"] for name in held] == ["quiet-hours"] * 2
    assert "Manta" not in str([h.event for h in holds.of_person(aws.stage(), "c-1")]), (
        "a step that is held is still a step"
    )
    send(door, "order.placed", "order-1")
    night(monkeypatch, (NOW + timedelta(days=1)).replace(hour=8))
    for name, group in zip(held, ("c-1", "c-2"), strict=True):
        body = holds.wake_body(event_tag(name, "journey:abandoned-cart"))
        stage.send(body, lane="reminders", group=group, dedup=f"wake-{group}")
        stage.handle("reminders")
    assert [reminded(stage, name) for name in held] == [
        ("suppressed", "journey-ended"),
        ("published", ""),
    ]
    [mail] = stage.delivered("users")
    assert mail["MessageAttributes"]["recipient"]["Value"] == "c-2"


def begin_other(door: Client, stage: Stage) -> dict[str, Any]:
    run = begin_for(door, stage, "cart-2", "c-2")["start:abandoned-cart"]
    return told(stage, "abandoned-cart", run)


def night(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    """In the lanes it is `moment`, and reminders are quiet from ten to eight."""
    found = reading.routing("local")
    category = replace(found.categories["reminders"], hours=hours.read("22:00-08:00", ()))
    found = replace(found, categories={**found.categories, "reminders": category})
    monkeypatch.setattr(invocation, "routing", lambda stage: found)
    lanes_at(monkeypatch, moment)


def test_a_cart_left_at_night_begins_at_once(
    door: Client, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_starts(monkeypatch)
    night(monkeypatch, NOW.replace(hour=23))
    assert "start:abandoned-cart" in begin_for(door, stage, "cart-1", "c-1")


def only_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rules without what tells a customer of the cart at once."""
    text = reading.FILE.read_text("utf-8").replace('"cart.abandoned", "cart.reminder"', '"x.y"')
    reading.FILE.write_text(text, "utf-8")
    reading.routing.cache_clear()


def test_who_is_erased_hears_no_more_of_the_cart(door: Client, stage: Stage) -> None:
    run = begin(door, stage, "cart-1")
    headers = {"Authorization": f"Bearer {KEY}"}
    gone = door.http.request("DELETE", "/recipients/c-1", headers=headers, body=b"")
    assert gone.status_code == 204
    kept = stage.dynamodb.scan(TableName=names.table("local", "holds"))["Items"]
    assert [item["what"]["S"] for item in kept] == ["person-erase"]
    assert "c-1" not in str(kept)
    stage.delivered("users")
    assert reminded(stage, step_and_handle(stage, run)) == ("suppressed", "journey-ended")
    assert execution(stage, "abandoned-cart", run["run"])["status"] == "ABORTED"
    assert stage.delivered("users") == []


def test_a_run_for_nobody_is_not_that_of_whom_the_keys_last_one_was_for(stage: Stage) -> None:
    handle = aws.stage().at(PLACE)
    first = Run("unpaid-order", "o-1", "r-1", "2026-12-04T10:00:00.000Z", "{}", "t-1", "c-1")
    runs.begin(handle, first)
    runs.stop(handle, {("unpaid-order", "o-1"): "2026-12-04T11:00:00.000Z"})
    second = Run("unpaid-order", "o-1", "r-2", "2026-12-04T12:00:00.000Z", "{}", "t-2")
    runs.begin(handle, second)
    assert runs.of_person(handle, "c-1") == []
    found = runs.find(handle, "unpaid-order", "o-1")
    assert found is not None
    assert (found.run, found.recipient) == ("r-2", "")


def alert(door: Client, stage: Stage, name: str = "alert-1") -> dict[str, Any]:
    """Raise an alert; gives what its run was told."""
    assert send(door, "critical.alert", name, recipient=None).status_code == 202
    stage.handle("alerts")
    run = stage.ledger(name)["messages"]["start:critical-alert"]
    return told(stage, "critical-alert", run)


AT = "2026-12-04T10:05:00Z"


def ask_again(stage: Stage, run: dict[str, Any], state: str = "AskAgain") -> str:
    body = {"send": "critical.unacknowledged", "step": state, "at": AT}
    stage.send({**body, "run": run}, lane="alerts", group=run["group"], dedup=state)
    stage.handle("alerts")
    return f"critical-alert.{run['run']}.{state}.{AT}"


def call(door: Client, method: str, path: str, secret: str = KEY) -> HTTPResponse:
    headers = {"Authorization": f"Bearer {secret}"}
    return door.http.request(method, path, headers=headers, body=b"")


def test_what_is_acknowledged_sends_nothing_more(door: Client, stage: Stage) -> None:
    run = alert(door, stage)
    answer = call(door, "POST", "/events/alert-1/ack")
    assert answer.status_code == 200
    since = answer.json_body["acknowledged"]
    again = call(door, "POST", "/events/alert-1/ack").json_body
    assert again["acknowledged"] == since, "whoever was first is on it"
    assert call(door, "GET", "/events/alert-1").json_body["acknowledged"] == since
    stage.delivered("alerts")
    assert reminded(stage, ask_again(stage, run)) == ("suppressed", "journey-ended")
    assert stage.delivered("alerts") == []
    assert execution(stage, "critical-alert", run["run"])["status"] == "ABORTED"


def test_a_step_can_be_acknowledged_as_its_alert_can(door: Client, stage: Stage) -> None:
    run = alert(door, stage)
    asked = ask_again(stage, run)
    assert reminded(stage, asked) == ("published", "")
    assert call(door, "POST", f"/events/{asked}/ack").status_code == 200
    assert call(door, "GET", f"/events/{asked}").json_body["acknowledged"]
    assert reminded(stage, ask_again(stage, run, "Escalate")) == ("suppressed", "journey-ended")


def test_an_alert_acknowledged_before_its_lane_saw_it_begins_nothing(
    door: Client, stage: Stage
) -> None:
    assert send(door, "critical.alert", "alert-1", recipient=None).status_code == 202
    assert call(door, "POST", "/events/alert-1/ack").status_code == 200
    stage.handle("alerts")
    found = stage.ledger("alert-1")
    assert found["withheld"]["start:critical-alert"] == "journey-stopped"


def test_what_cannot_be_acknowledged_is_refused(door: Client, stage: Stage) -> None:
    add_key(stage, "hk_blog-key-of-the-journeys-tests", "blog", "send read", source={"S": "blog"})
    add_key(stage, "hk_read-key-of-the-journeys-tests", "eye", "read")
    alert(door, stage)
    send(door, "order.placed", "order-1")
    stage.handle("orders")
    refused = {
        ("/events/alert-1/ack", "hk_blog-key-of-the-journeys-tests"): 404,
        ("/events/alert-1/ack", "hk_read-key-of-the-journeys-tests"): 403,
        ("/events/alert-1/ack", "hk_no-such-key-of-the-tests"): 401,
        ("/events/nothing/ack", KEY): 404,
        ("/events/order-1/ack", KEY): 409,
    }
    found = {(path, key): call(door, "POST", path, key).status_code for path, key in refused}
    assert found == refused


def page(door: Client, method: str, path: str) -> HTTPResponse:
    headers = {"Accept-Language": "en", "Content-Type": "application/x-www-form-urlencoded"}
    return door.http.request(method, path, headers=headers, body=b"")


def test_the_link_in_an_alert_shows_and_then_acknowledges(
    door: Client, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HERALDO_API_URL", "https://shop.example/api")
    run = alert(door, stage)
    [mail] = [m for m in stage.delivered("alerts") if "encargas" in m["Message"]]
    link = re.search(r"https://shop\.example/api(/a/\S+)", mail["Message"])
    assert link is not None
    asked = page(door, "GET", link[1])
    assert asked.status_code == 200
    assert "¿Te encargas tú?" in asked.body.decode()
    assert "acknowledged" not in call(door, "GET", "/events/alert-1").json_body, "GET only shows"
    assert "Hecho: te encargas tú" in page(door, "POST", link[1]).body.decode()
    assert "Ya hay alguien en ello" in page(door, "GET", link[1]).body.decode()
    assert call(door, "GET", "/events/alert-1").json_body["acknowledged"]
    assert reminded(stage, ask_again(stage, run)) == ("suppressed", "journey-ended")


def test_a_step_has_a_link_of_its_own_and_no_other_message_has(
    door: Client, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HERALDO_API_URL", "https://shop.example")
    run = alert(door, stage)
    stage.delivered("alerts")
    asked = ask_again(stage, run)
    [mail] = stage.delivered("alerts")
    link = re.search(r"https://shop\.example(/a/\S+)", mail["Message"])
    assert link is not None
    assert page(door, "POST", link[1]).status_code == 200
    assert call(door, "GET", f"/events/{asked}").json_body["acknowledged"]


@pytest.mark.parametrize(("change", "status"), [("x", 404), ("", 404)])
def test_a_token_that_was_altered_acknowledges_nothing(
    door: Client, change: str, status: int
) -> None:
    keys = secrets.of(aws.stage()).tokens
    token = tokens.sign_ack(keys, Ack("alert-1", "shop", "es"), time.time())
    of_optout = tokens.sign(keys, Grant("person:x", "alerts", "email", "es"), time.time())
    altered = token + change if change else of_optout
    assert page(door, "POST", f"/a/{altered}").status_code == status
    assert page(door, "GET", f"/u/{token}").status_code == 404


def test_an_old_token_says_that_it_is_old(door: Client) -> None:
    keys = secrets.of(aws.stage()).tokens
    long_ago = time.time() - 402 * 86_400
    token = tokens.sign_ack(keys, Ack("alert-1", "shop", "en"), long_ago)
    gone = page(door, "POST", f"/a/{token}")
    assert (gone.status_code, "no longer works" in gone.body.decode()) == (410, True)


def test_a_start_without_its_key_is_refused_and_named(door: Client, stage: Stage) -> None:
    raw = {**sample("cart.abandoned"), "id": "cart-1", "source": "shop"}
    raw.pop("recipient")
    answer = post(door, raw, secret=KEY)
    assert answer.status_code == 422
    [error] = answer.json_body["errors"]
    assert error["field"] == "recipient"
    assert "abandoned-cart" in error["problem"]


def test_a_test_key_begins_and_ends_nothing(door: Client, stage: Stage) -> None:
    run = begin(door, stage, "cart-1")
    add_key(stage, "hk_test-key-of-the-journeys-tests", "try", "send read", test={"BOOL": True})
    raw = {**sample("order.placed"), "id": "o", "source": "s", "recipient": "c-1"}
    assert post(door, raw, secret="hk_test-key-of-the-journeys-tests").status_code == 202
    stage.handle("orders")
    assert reminded(stage, step_and_handle(stage, run)) == ("published", "")


@pytest.mark.parametrize(
    "body",
    [
        {"send": "cart.reminder", "run": {}},
        {"send": "cart.reminder", "step": "Remind", "at": "never", "run": {"journey": "x"}},
        {"send": 3, "step": "Remind", "at": "2026-12-04T11:00:00Z", "run": []},
    ],
)
def test_what_is_no_step_is_a_dead_letter(stage: Stage, body: dict[str, Any]) -> None:
    stage.send(body, lane="reminders", dedup="x")
    stage.handle("reminders")
    [letter] = stage.dead("reminders")
    assert letter["MessageAttributes"]["reason"]["StringValue"] == "not-a-step"


def test_a_run_of_a_journey_that_was_taken_away_sends_nothing(
    door: Client, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begin(door, stage, "cart-1")
    found = reading.routing("local")
    others = {name: j for name, j in found.journeys.items() if name != "abandoned-cart"}
    monkeypatch.setattr(invocation, "routing", lambda stage: replace(found, journeys=others))
    assert reminded(stage, step_and_handle(stage, run)) == ("suppressed", "journey-ended")


def test_a_step_whose_words_fail_is_a_dead_letter_and_put_back_it_looks_at_its_run_again(
    door: Client, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letters, "WAIT_SECONDS", 0)
    run = begin(door, stage, "cart-1")
    name = step(stage, run, send="order.placed")  # a cart has not what an order says
    stage.handle("reminders")
    found = stage.ledger(name)
    assert (found["status"], found["reason"]) == ("failed", "missing-data")

    def heraldo(*arguments: str) -> str:
        result = CliRunner().invoke(dead_letters.command, [*arguments, "--lane", "reminders"])
        assert result.exit_code in (0, 1), (result.output, result.exception)
        return result.output

    assert name in heraldo("list", "--all")
    send(door, "order.placed", "order-1")
    heraldo("redrive", "--force", "--yes")
    stage.handle("reminders")
    assert reminded(stage, name) == ("suppressed", "journey-ended")
