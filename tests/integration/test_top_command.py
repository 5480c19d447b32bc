"""./heraldo top on moto: what it tells of each lane, and of what fails."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from click.testing import CliRunner, Result

from chalicelib import aws
from chalicelib.lanes.dispatch import Redeliver
from cli import target as targets
from cli.commands.top import command
from tests.factories import REGION, shipped
from tests.integration.aws_fixture import Stage
from tests.integration.test_dispatch import run


@pytest.fixture(autouse=True)
def here(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    target = targets.Target("local", "", "", region=REGION)
    monkeypatch.setattr("cli.commands.top.account", lambda _: target)


@pytest.fixture
def broken() -> Iterator[None]:
    """SNS does not answer."""

    def fail(**_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://sns")

    events = aws.stage().sns.meta.events
    events.register("before-call.sns", fail)
    yield
    events.unregister("before-call.sns", fail)


def top(*arguments: str) -> Result:
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    return result


def lane(name: str = "orders") -> dict[str, Any]:
    found: list[dict[str, Any]] = json.loads(top("--json").stdout)["lanes"]
    return next(one for one in found if one["lane"] == name)


def test_what_waits_in_a_lane_is_counted_with_how_long(stage: Stage) -> None:
    for number in range(3):
        stage.send(shipped(number), group=f"c-{number}", dedup=str(number))
    found = lane()
    assert (found["waiting"], found["in_hand"], found["dead"]) == (3, 0, 0)
    assert lane("alerts")["waiting"] == 0


def test_what_went_out_in_the_last_minute_is_counted_with_how_long_it_took(stage: Stage) -> None:
    for number in range(3):
        stage.send(shipped(number), group=f"c-{number}", dedup=str(number))
    run(stage)
    assert lane()["sent_last_minute"] == 3
    assert lane("alerts")["sent_last_minute"] == 0


def test_a_dead_letter_is_counted(stage: Stage) -> None:
    stage.send({**shipped(1), "data": {}}, dedup="1")
    run(stage)
    assert lane()["dead"] == 1


@pytest.mark.usefixtures("broken")
def test_an_event_that_fails_is_named_with_its_reason_and_what_waits_behind_it_is_not(
    stage: Stage,
) -> None:
    for number in range(2):
        stage.send(shipped(number, recipient="c"), group="c", dedup=str(number))
    records = stage.receive()
    for record in records:
        record["attributes"]["ApproximateReceiveCount"] = "2"
    with pytest.raises(Redeliver):
        stage.handle("orders", records)
    found = json.loads(top("--json").stdout)
    [failing] = found["failing"]
    assert (failing["id"], failing["reason"]) == ("e-0", "retrying")
    assert next(one for one in found["lanes"] if one["lane"] == "orders")["oldest_seconds"] >= 0
    shown = top().stdout
    assert "EndpointConnectionError" in shown
    assert "./heraldo status ID" in shown
    assert "\x1b" not in shown, "no colour in a pipe"


def test_a_pipe_gets_it_once_and_every_lane_a_row() -> None:
    shown = top().stdout
    assert re.findall(r"^(\w+)  ", shown, re.MULTILINE)[1:] == [
        "LANE",
        "orders",
        "promotions",
        "reminders",
        "alerts",
    ]
