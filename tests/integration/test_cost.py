"""./heraldo cost: the calls that it counts are those that are made, from the door to the end of the lane."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from chalice.test import Client

from chalicelib.door import intake
from chalicelib.plan.compose import compose
from chalicelib.plan.reach import ANYBODY
from chalicelib.rules.reading import routing
from chalicelib.words.render import templates
from cli.cost.calls import Calls, calls_of
from tests.factories import sample
from tests.integration.aws_fixture import Stage
from tests.integration.test_api import SECRET, add_key, post
from tests.integration.test_held import HOUR, event, wake
from tests.integration.test_held import later as later  # the fixture

# What a worker asks once, and not for each event: who calls, where its queues are, by what it hashes.
ONCE = ("GetItem", "UpdateItem", "GetQueueUrl", "GetCallerIdentity")


@pytest.fixture
def door(stage: Stage) -> Iterator[Client]:
    import app

    add_key(stage, SECRET, "shop", "send read")
    with Client(app.app, stage_name="local") as client:
        yield client


def counted(raw: dict[str, object], held: bool = False) -> Calls:
    rules = routing("local")
    checked = intake.check(raw, rules, default_source="shop")
    known = replace(ANYBODY, links=None)
    composed = compose(checked.event, checked.lane, rules, templates(), str, known)
    return calls_of(checked.event, composed, held=held)


def made(stage: Stage) -> Counter[str]:
    found = Counter(name for name in stage.calls if name not in ONCE)
    stage.calls.clear()
    return found


@pytest.mark.parametrize(
    "event_type",
    [
        "order.shipped",  # what its customer gets, which a topic gets here
        "order.placed",  # and it ends what waits for a cart
        "offer.published",  # a topic
        "cart.abandoned",  # and a journey
        "critical.alert",
    ],
)
def test_an_event_makes_the_calls_that_are_counted(
    door: Client, stage: Stage, monkeypatch: pytest.MonkeyPatch, event_type: str
) -> None:
    monkeypatch.setenv("HERALDO_SENDER", "Abedul <hola@abedul.example>")
    raw = {**sample(event_type), "id": "c-1", "source": "shop"}
    found = counted(raw)
    lane = routing("local").lane(event_type)
    post(
        door, {**raw, "id": "c-0", "recipient": "somebody-else"}
    )  # a worker's first has more to ask
    stage.handle(lane)
    stage.calls.clear()
    assert post(door, raw).status_code == 202
    assert made(stage) == Counter(found.door)
    stage.handle(lane)
    assert made(stage) == Counter(found.lane)
    assert stage.ledger("c-1")["status"] == "published"


def test_so_does_one_that_is_held_until_its_time(
    door: Client, stage: Stage, later: Callable[[timedelta], None]
) -> None:
    raw = event("h-1", source="shop")
    found = counted(raw, held=True)
    post(door, event("h-0", recipient="somebody-else"))
    stage.calls.clear()
    assert post(door, raw).status_code == 202
    assert made(stage) == Counter(found.door)
    later(HOUR)
    wake(stage, "h-1")
    stage.calls.clear()
    stage.handle("orders")
    assert made(stage) == Counter(found.lane)
