"""The interpreter of journeys against Step Functions: the same definitions send the same, in the same order."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chalicelib.journeys.states import State
from chalicelib.rules.journeys import journey_key
from chalicelib.rules.reading import routing
from cli.journeys import definition, trial
from cli.journeys.definition import Definition
from cli.journeys.walk import Sent, walk
from cli.paths import ROOT
from cli.stack.emulator import Emulator, free_port
from cli.words.samples import sample

SECONDS = 2
DAY = "< 86400000"
# Between the third and the fourth wait, so that a run that is slow by a second does the same.
A_SHORT_DAY = f"< {SECONDS * 3500}"
STARTED_BY = {
    "abandoned-cart": "cart.abandoned",
    "unpaid-order": "payment.failed",
    "critical-alert": "critical.alert",
}
ROLE = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "states.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
MAY_SEND = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}],
}


def hurried(journey: Definition) -> Definition:
    """The same journey with waits of seconds."""
    raw = json.loads(json.dumps(dict(journey.raw)).replace(DAY, A_SHORT_DAY))
    for state in raw["States"].values():
        if state["Type"] == "Wait":
            state["Seconds"] = SECONDS
    states = {name: State(name, fields) for name, fields in raw["States"].items()}
    return replace(journey, raw=raw, states=states)


class World:
    """A queue for each lane, and a role that may send to them."""

    def __init__(self, emulator: Emulator) -> None:
        self.sqs, self.states = emulator.client("sqs"), emulator.client("stepfunctions")
        self.queues = {
            lane: self.sqs.create_queue(QueueName=f"{lane}.fifo", Attributes={"FifoQueue": "true"})[
                "QueueUrl"
            ]
            for lane in routing().lanes
        }
        iam = emulator.client("iam")
        made = iam.create_role(RoleName="journeys", AssumeRolePolicyDocument=json.dumps(ROLE))
        self.role = made["Role"]["Arn"]
        iam.put_role_policy(
            RoleName="journeys", PolicyName="send", PolicyDocument=json.dumps(MAY_SEND)
        )

    def start(self, journey: Definition, given: dict[str, Any]) -> str:
        text = json.dumps(dict(journey.raw))
        for lane, url in self.queues.items():
            text = text.replace(f"${{{lane}}}", url)
        machine = self.states.create_state_machine(
            name=journey.name, definition=text, roleArn=self.role, type="STANDARD"
        )
        started = self.states.start_execution(
            stateMachineArn=machine["stateMachineArn"], name=given["run"], input=json.dumps(given)
        )
        return str(started["executionArn"])

    def sent(self, execution: str, lane: str) -> list[dict[str, Any]]:
        """What comes into a lane until the execution has ended."""
        found: list[dict[str, Any]] = []
        while True:
            status = self.states.describe_execution(executionArn=execution)["status"]
            answer = self.sqs.receive_message(
                QueueUrl=self.queues[lane],
                WaitTimeSeconds=1,
                MaxNumberOfMessages=10,
                AttributeNames=["All"],
            )
            messages = answer.get("Messages", [])
            for message in messages:
                self.sqs.delete_message(
                    QueueUrl=self.queues[lane], ReceiptHandle=message["ReceiptHandle"]
                )
            found += messages
            if not messages and status != "RUNNING":
                return found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = tmp_path_factory.mktemp("aws")
    with Emulator(folder, free_port()) as emulator:
        yield World(emulator)


@pytest.mark.parametrize("name", sorted(STARTED_BY))
def test_step_functions_sends_what_the_interpreter_does(name: str, world: World) -> None:
    journey = hurried(definition.read(ROOT, name))
    event = sample(ROOT, STARTED_BY[name])
    key = journey_key(routing().journeys[name].key, event)
    assert key
    now = datetime.now(UTC)
    given = trial.run_input(name, key, f"{name.replace('-', ''):0<32}"[:32], event, now)
    foreseen = [step for step in walk(journey, given, now) if isinstance(step, Sent)]
    assert len(foreseen) > 2
    lane = routing().lane(foreseen[0].body["send"])
    execution = world.start(journey, given)
    came = world.sent(execution, lane)
    assert [shape(json.loads(m["Body"])) for m in came] == [shape(s.body) for s in foreseen]
    for message in came:
        body, attributes = json.loads(message["Body"]), message["Attributes"]
        assert attributes["MessageGroupId"] == event.ordering_key
        expected = f"{given['run']}.{body['step']}.{body['at']}"
        assert attributes["MessageDeduplicationId"] == expected


def shape(body: Any) -> Any:
    """A message without its time, which differs."""
    return {**body, "at": ""}


def test_every_journey_that_ships_is_compared() -> None:
    assert set(definition.names(ROOT)) == set(STARTED_BY)
