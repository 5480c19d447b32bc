"""Journeys on the deployed package: begun by an event over HTTP, walked by Step Functions, ended in time."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib import names
from tests.e2e.conftest import Stack, is_to, to
from tests.factories import sample
from tests.patience import PATIENCE

SECONDS = 2


@pytest.fixture(scope="module")
def hurried(stack: Stack) -> Iterator[Stack]:
    """The same stack, whose journeys wait for seconds; what was deployed comes back afterwards."""
    states = stack.client("stepfunctions")
    before = {
        found["stateMachineArn"]: states.describe_state_machine(
            stateMachineArn=found["stateMachineArn"]
        )["definition"]
        for found in states.list_state_machines()["stateMachines"]
    }
    assert len(before) == 3
    for arn, definition in before.items():
        short = re.sub(r'"Seconds": \d+', f'"Seconds": {SECONDS}', definition)
        states.update_state_machine(stateMachineArn=arn, definition=short)
    yield stack
    for arn, definition in before.items():
        states.update_state_machine(stateMachineArn=arn, definition=definition)


def cart(name: str, event_id: str) -> dict[str, Any]:
    found = {**sample("cart.abandoned"), **to(name), "id": event_id}
    found.pop("source", None)
    return found


def order(name: str) -> dict[str, Any]:
    found = {**sample("order.placed"), **to(name), "id": f"order-{name}"}
    found.pop("source", None)
    return found


def life(stack: Stack, event_id: str) -> dict[str, Any]:
    code, found = stack.call("GET", f"/events/{event_id}")
    assert code == 200, found
    return dict(found)


def run_of(stack: Stack, event_id: str, journey: str) -> str:
    """The run that an event began, once it did."""
    until = time.monotonic() + PATIENCE
    while not (run := life(stack, event_id)["messages"].get(f"start:{journey}")):
        assert time.monotonic() < until
        time.sleep(0.1)
    return str(run)


def execution(stack: Stack, journey: str, run: str) -> dict[str, Any]:
    states = stack.client("stepfunctions")
    machine = names.state_machine("local", journey)
    [arn] = [
        found["stateMachineArn"]
        for found in states.list_state_machines()["stateMachines"]
        if found["name"] == machine
    ]
    arn = f"{arn.replace(':stateMachine:', ':execution:')}:{run}"
    return dict(states.describe_execution(executionArn=arn))


def ended(stack: Stack, journey: str, run: str) -> str:
    """How a run ended, once it did."""
    until = time.monotonic() + PATIENCE
    while (status := execution(stack, journey, run)["status"]) == "RUNNING":
        assert time.monotonic() < until
        time.sleep(0.2)
    return str(status)


def test_a_cart_that_is_left_is_reminded_of_until_its_end(hurried: Stack, unique: str) -> None:
    assert hurried.call("POST", "/events", cart(unique, f"cart-{unique}"))[0] == 202
    run = run_of(hurried, f"cart-{unique}", "abandoned-cart")
    assert ended(hurried, "abandoned-cart", run) == "SUCCEEDED"
    mails = hurried.received(is_to(unique), 3)
    assert len(mails) == 3, "of the cart, and two reminders; the offer is for phones"
    assert "@" not in execution(hurried, "abandoned-cart", run)["input"]
    # The customer's next cart has a run of its own.
    assert hurried.call("POST", "/events", cart(unique, f"next-{unique}"))[0] == 202
    assert run_of(hurried, f"next-{unique}", "abandoned-cart") != run


def test_an_order_ends_it_and_no_reminder_is_sent(hurried: Stack, unique: str) -> None:
    assert hurried.call("POST", "/events", cart(unique, f"cart-{unique}"))[0] == 202
    run = run_of(hurried, f"cart-{unique}", "abandoned-cart")
    assert hurried.call("POST", "/events", order(unique))[0] == 202
    assert ended(hurried, "abandoned-cart", run) == "ABORTED"
    mails = hurried.received(is_to(unique), 2)
    assert len(mails) == 2, "of the cart and of the order"


def test_an_alert_rings_until_somebody_says_so(hurried: Stack, unique: str) -> None:
    alert = {**sample("critical.alert"), "id": unique}
    alert.pop("source", None)
    alert["data"] = {**alert["data"], "summary": unique}
    assert hurried.call("POST", "/events", alert)[0] == 202
    run = run_of(hurried, unique, "critical-alert")

    def asks_again(delivery: Any) -> bool:
        return (
            unique in delivery.get("message", "") and "sigue sin que nadie" in delivery["message"]
        )

    mail = hurried.received(asks_again)[0]
    link = re.search(r"(http\S+)/a/(\S+)", mail["message"])
    assert link is not None
    request = urllib.request.Request(link[0], data=b"", method="POST")
    request.add_header("Content-Type", "application/x-www-form-urlencoded")
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        assert "Hecho" in answer.read().decode()
    assert ended(hurried, "critical-alert", run) == "ABORTED"
    code, found = hurried.call("POST", f"/events/{unique}/ack")
    assert (code, found["id"]) == (200, unique)


def test_a_deploy_brings_every_journey_with_its_lanes(stack: Stack) -> None:
    states = stack.client("stepfunctions")
    for found in states.list_state_machines()["stateMachines"]:
        described = states.describe_state_machine(stateMachineArn=found["stateMachineArn"])
        definition = json.loads(described["definition"])
        assert definition["TimeoutSeconds"] == 90 * 24 * 3600
        urls = re.findall(r'"QueueUrl": ?"([^"]+)"', described["definition"])
        assert urls
        assert all(url.startswith("http") and url.endswith(".fifo") for url in urls)
