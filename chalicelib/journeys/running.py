"""The runs of journeys that are under way, as Step Functions tell of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from chalicelib import names
from chalicelib.journeys.states import States, states_of
from chalicelib.stage import Stage
from chalicelib.values import dataclass

# https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListExecutions.html
PAGE: Final = 1000
# Who has more of them than this does not count them one by one.
MOST: Final = 20_000
# What a state does between being entered and left: a task is tried ten times, with three events each.
_LATEST: Final = 40
_ENTERED: Final = "StateEntered"


@dataclass(frozen=True, slots=True)
class Running:
    """A run that is under way: `started` is when the event was accepted that began it."""

    run: str
    key: str
    started: str
    event: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stop:
    """A state that a run came to, and the event that it sent from there, by its id."""

    at: datetime
    state: str
    sent: str = ""


def machine_arn(stage: Stage, journey: str) -> str:
    return stage.place.state_machine_arn(names.state_machine(stage.name, journey))


def number(stage: Stage, journey: str, tell: Callable[[int], None]) -> int:
    """How many runs of a journey are under way, `MOST` where there are more; `tell` hears how far it is.

    Raises
    ------
    ClientError : Step Functions do not say.
    """
    found = 0
    for _ in _executions(stage, journey):
        found += 1
        if found % PAGE == 0:
            tell(found)
        if found == MOST:
            break
    return found


def newest(stage: Stage, journey: str, most: int) -> Iterator[Running]:
    """The runs that are under way, the newest first.

    Raises
    ------
    ClientError : Step Functions do not say.
    """
    for execution in _executions(stage, journey):
        if not most:
            return
        most -= 1
        yield begun(stage, execution["executionArn"])


def page(stage: Stage, journey: str) -> tuple[list[str], bool]:
    """The ARNs of the newest `PAGE` runs that are under way, in one call, and whether those are all.

    Raises
    ------
    ClientError : Step Functions do not say.
    """
    answer = stage.client("stepfunctions").list_executions(
        stateMachineArn=machine_arn(stage, journey), statusFilter="RUNNING", maxResults=PAGE
    )
    return [one["executionArn"] for one in answer["executions"]], not answer.get("nextToken")


def begun(stage: Stage, arn: str) -> Running:
    """By what an execution began.

    Raises
    ------
    ClientError : Step Functions know no such run.
    """
    told = json.loads(stage.client("stepfunctions").describe_execution(executionArn=arn)["input"])
    return Running(told["run"], told["key"], told["started"], told["event"])


def stands(stage: Stage, arn: str) -> Stop | None:
    """The state that an execution last came to, in one call; None where it is at its very beginning.

    Raises
    ------
    ClientError : Step Functions know no such run.
    """
    answer = stage.client("stepfunctions").get_execution_history(
        executionArn=arn, reverseOrder=True, maxResults=_LATEST
    )
    for event in answer["events"]:
        if event["type"].endswith(_ENTERED):
            at = event["timestamp"].astimezone(UTC)
            return Stop(at, event["stateEnteredEventDetails"]["name"])
    return None


def defined(stage: Stage, journey: str) -> States:
    """A journey as it is deployed.

    Raises
    ------
    ClientError : it is not.
    """
    arn = machine_arn(stage, journey)
    answer = stage.client("stepfunctions").describe_state_machine(stateMachineArn=arn)
    return states_of(journey, json.loads(answer["definition"]))


def way(stage: Stage, journey: str, run: str) -> tuple[str, list[Stop]]:
    """How it is with a run (`RUNNING`, `ABORTED`, …), and the states that it came to, in order.

    Raises
    ------
    ClientError : Step Functions know no such run, for example 90 days after its end.
    """
    states = stage.client("stepfunctions")
    arn = stage.place.execution_arn(names.state_machine(stage.name, journey), run)
    status = str(states.describe_execution(executionArn=arn)["status"])
    stops: list[Stop] = []
    for page in states.get_paginator("get_execution_history").paginate(executionArn=arn):
        for event in page["events"]:
            if event["type"].endswith(_ENTERED):
                at = event["timestamp"].astimezone(UTC)
                stops.append(Stop(at, event["stateEnteredEventDetails"]["name"]))
            elif event["type"] == "TaskScheduled" and stops:
                parameters = json.loads(event["taskScheduledEventDetails"]["parameters"])
                sent = _id(journey, run, parameters.get("MessageBody"))
                stops[-1] = Stop(stops[-1].at, stops[-1].state, sent)
    return status, stops


def waits_until(fields: Mapping[str, Any], stop: Stop) -> datetime | None:
    """Until when a run waits in the state that it last came to, where its definition says so in seconds."""
    seconds = fields.get("Seconds")
    if fields.get("Type") != "Wait" or not isinstance(seconds, int):
        return None
    return stop.at + timedelta(seconds=seconds)


def _executions(stage: Stage, journey: str) -> Iterator[Any]:
    pages = stage.client("stepfunctions").get_paginator("list_executions")
    for page in pages.paginate(
        stateMachineArn=machine_arn(stage, journey),
        statusFilter="RUNNING",
        PaginationConfig={"PageSize": PAGE},
    ):
        yield from page["executions"]


def _id(journey: str, run: str, body: Any) -> str:
    """The id of the event that a state sent; chalicelib/events/step.py makes it."""
    said = json.loads(body) if isinstance(body, str) else body
    if not isinstance(said, dict) or "step" not in said or "at" not in said:
        return ""
    return f"{journey}.{run}.{said['step']}.{said['at']}"
