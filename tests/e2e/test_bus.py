"""Two stages in one account: an event on the bus reaches the one that it is meant for, once, and none is
lost on the way; under both ways to deploy."""

from __future__ import annotations

import json
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from chalicelib import names
from chalicelib.door.envelope import ALARM_DETAIL_TYPE, DETAIL_TYPE
from cli.deploy import deploy, package
from cli.stack import inbox
from cli.stack.emulator import Emulator, free_port
from tests.e2e.conftest import shell_environment
from tests.factories import sample
from tests.patience import PATIENCE

# The first is what `make run` brings up, which takes the events that name no stage.
STAGES = ("local", "dev")


@dataclass
class Account:
    """A local AWS with two stages, and all that the subscribers of each have received."""

    emulator: Emulator
    inboxes: dict[str, str] = field(default_factory=dict)
    folder: Path = Path()
    deliveries: dict[str, list[inbox.Delivery]] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        return self.emulator.client(service)

    def subscribe(self, stage: str) -> None:
        """Hear all topics of a stage."""
        sqs, sns = self.client("sqs"), self.client("sns")
        url = sqs.create_queue(QueueName=f"heard-{stage}")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        everybody = {"Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [everybody]})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        for topic in sns.list_topics()["Topics"]:
            if f":{names.topic(stage, '')}" in topic["TopicArn"]:
                sns.subscribe(
                    TopicArn=topic["TopicArn"],
                    Protocol="sqs",
                    Endpoint=arn["Attributes"]["QueueArn"],
                )
        self.inboxes[stage], self.deliveries[stage] = url, []

    def put(self, summary: str, **detail: Any) -> str:
        """Put a critical.alert on the bus, as a script does; gives its id there."""
        data = {**sample("critical.alert")["data"], "summary": summary}
        event = {"type": "critical.alert", "data": data, **detail}
        entry = {"Source": "shop", "DetailType": DETAIL_TYPE, "Detail": json.dumps(event)}
        answer = self.client("events").put_events(Entries=[entry])
        assert answer["FailedEntryCount"] == 0
        return str(answer["Entries"][0]["EventId"])

    def heard(self, words: str, seconds: float = PATIENCE) -> list[str]:
        """Wait for the first delivery about it, and for the one of its second topic; then say which
        stages were heard of it, a stage for each delivery."""
        deadline = time.monotonic() + seconds
        while True:
            for stage, url in self.inboxes.items():
                file, found = self.folder / "inbox.jsonl", self.deliveries[stage]
                inbox.receive(self.client("sqs"), url, file, found.append, wait=1)
            said = [
                stage
                for stage, found in self.deliveries.items()
                for delivery in found
                if words in delivery["subject"]
            ]
            if len(said) >= 2 or time.monotonic() > deadline:
                return said

    def waiting(self, queue: str) -> int:
        sqs = self.client("sqs")
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        wanted = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        got = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=wanted)["Attributes"]
        return sum(map(int, got.values()))

    def letters(self, queue: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait for dead letters, and leave them where they are."""
        sqs = self.client("sqs")
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        until(lambda: self.waiting(queue) >= count)
        got = sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            VisibilityTimeout=0,
            MessageAttributeNames=["All"],
        )
        return list(got["Messages"])


def until(true: Callable[[], bool], seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """Both stages, each as one packaged stack."""
    folder = tmp_path_factory.mktemp("account")
    with Emulator(folder, free_port()) as emulator:
        found = Account(emulator, folder=folder)
        for stage in STAGES:
            deploy.deploy(package.build(stage), emulator.client, say=lambda _: None)
            found.subscribe(stage)
        yield found


def unique(words: str) -> str:
    return f"{words} {uuid.uuid4().hex[:8]}"


@pytest.mark.parametrize(
    ("named", "taken_by"),
    [
        ({"stage": "dev"}, "dev"),
        ({"stage": "local"}, "local"),
        ({}, "local"),
        ({"stage": None}, "local"),
    ],
)
def test_an_event_is_published_once_by_the_stage_that_it_is_meant_for(
    account: Account, named: dict[str, Any], taken_by: str
) -> None:
    words, last = unique("Sin luz"), unique("Con luz")
    account.put(words, **named)
    assert account.heard(words) == [taken_by] * 2  # on its two topics
    # What comes later has been through both stages by the time: nothing of the first is still to come.
    for stage in STAGES:
        account.put(last, stage=stage, id=f"{last}-{stage}")
    until(lambda: sorted(account.heard(last, 1)) == ["dev", "dev", "local", "local"])
    assert account.heard(words, 0) == [taken_by] * 2


def test_a_stage_that_there_is_not_is_told_instead_of_lost(account: Account) -> None:
    words = unique("Sin gas")
    account.put(words, stage="prdo")
    [letter] = account.letters("heraldo-local-bus-dead")
    assert words in letter["Body"]
    assert letter["MessageAttributes"]["reason"]["StringValue"] == "wrong-stage"
    assert account.heard(words, 0) == []
    account.client("sqs").purge_queue(
        QueueUrl=account.client("sqs").get_queue_url(QueueName="heraldo-local-bus-dead")["QueueUrl"]
    )


def test_what_no_function_can_read_ends_where_it_is_listed(account: Account) -> None:
    """Put into the queue by hand: EventBridge would not."""
    sqs = account.client("sqs")
    url = sqs.get_queue_url(QueueName="heraldo-dev-bus")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="[" * 50_000)
    [letter] = account.letters("heraldo-dev-bus-dead")
    assert letter["MessageAttributes"]["reason"]["StringValue"] == "not-an-event"
    assert account.waiting("heraldo-dev-bus") == 0
    shown = subprocess.run(
        ["./heraldo", "dead-letters", "list", "--stage", "dev", "--json"],
        env=shell_environment(account.emulator),
        capture_output=True,
        text=True,
        check=True,
    )
    groups = json.loads(shown.stdout)["groups"]
    assert [(g["lane"], g["reason"], g["count"]) for g in groups] == [("bus", "not-an-event", 1)]


def test_an_event_outlives_an_outage_of_the_ledger(account: Account) -> None:
    dynamodb = account.client("dynamodb")
    shape = dynamodb.describe_table(TableName="heraldo-dev-ledger")["Table"]
    dynamodb.delete_table(TableName="heraldo-dev-ledger")
    words = unique("Sin agua")
    account.put(words, stage="dev")
    until(lambda: account.waiting("heraldo-dev-bus") == 1)
    url = account.client("sqs").get_queue_url(QueueName="heraldo-dev-bus")["QueueUrl"]

    def failures() -> int:
        logs = account.client("logs")
        events = logs.filter_log_events(logGroupName="/aws/lambda/heraldo-dev-bus")["events"]
        return sum("kept for redelivery" in e["message"] for e in events)

    until(lambda: failures() > 0 or account.waiting("heraldo-dev-bus") == 0)
    assert account.waiting("heraldo-dev-bus") == 1, url
    keys = {key["AttributeName"] for key in shape["KeySchema"]}
    dynamodb.create_table(
        TableName="heraldo-dev-ledger",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=shape["KeySchema"],
        AttributeDefinitions=[
            of for of in shape["AttributeDefinitions"] if of["AttributeName"] in keys
        ],
    )
    assert account.heard(words, 60) == ["dev"] * 2
    assert account.waiting("heraldo-dev-bus") == 0


def test_only_the_rules_of_a_stage_may_write_to_its_queue(account: Account) -> None:
    sqs = account.client("sqs")
    url = sqs.get_queue_url(QueueName="heraldo-dev-bus")["QueueUrl"]
    got = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]
    [statement] = json.loads(got["Policy"])["Statement"]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    rules = statement["Condition"]["ArnEquals"]["aws:SourceArn"]
    assert sorted(arn.rsplit("/", 1)[1] for arn in rules) == [
        "heraldo-dev-alarms",
        "heraldo-dev-events",
    ]


def test_the_alarms_of_a_stage_are_told_by_that_stage(account: Account) -> None:
    """The local CloudWatch puts nothing on the bus, and nobody else may as aws.cloudwatch: so what AWS
    documents is put where the rule says that it would be.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html
    """
    name = f"heraldo-dev-{uuid.uuid4().hex[:8]}"
    envelope = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": ALARM_DETAIL_TYPE,
        "source": "aws.cloudwatch",
        "account": "123456789012",
        "time": "2026-12-03T08:12:42Z",
        "region": "us-east-1",
        "resources": [],
        "detail": {
            "alarmName": name,
            "state": {"value": "ALARM", "reason": "probando"},
            "previousState": {"value": "OK"},
        },
    }
    events, sqs = account.client("events"), account.client("sqs")
    taken_by = {
        target["Arn"].rsplit(":", 1)[1]
        for rule in events.list_rules()["Rules"]
        if "EventPattern" in rule  # one goes by the clock
        and events.test_event_pattern(
            EventPattern=rule["EventPattern"], Event=json.dumps(envelope)
        )["Result"]
        for target in events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
    }
    assert taken_by == {"heraldo-dev-bus"}
    url = sqs.get_queue_url(QueueName="heraldo-dev-bus")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(envelope))
    until(lambda: account.heard(f"[ALARMA] {name}", 1) == ["dev"])
