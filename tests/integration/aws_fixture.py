"""A stage on moto: queues, topics, tables, and a subscriber on every topic."""

from __future__ import annotations

import functools
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from moto import mock_aws
from moto.dynamodb.models import DynamoDBBackend
from moto.sqs.models import SQSBackend

from chalicelib import aws, names
from chalicelib.door import keys
from chalicelib.lanes import invocation
from chalicelib.lanes.dispatch import dispatch
from chalicelib.rules.reading import routing
from chalicelib.store import secrets, webhooks
from chalicelib.words.render import Templates, templates
from cli.journeys import definition
from cli.paths import ROOT
from tests.factories import ACCOUNT, REGION

TOPICS = ("users", "company", "alerts")


@dataclass
class Stage:
    """Clients and addresses of the stage `local` on moto."""

    sqs: Any
    sns: Any
    dynamodb: Any
    scheduler: Any
    states: Any
    calls: list[str] = field(default_factory=list)

    def record(self, model: Any, **_: Any) -> None:
        self.calls.append(model.name)

    def queue_url(self, name: str) -> str:
        return str(self.sqs.get_queue_url(QueueName=name)["QueueUrl"])

    def send(
        self,
        body: Any,
        *,
        lane: str = "orders",
        group: str = "g",
        dedup: str,
        attributes: dict[str, str] | None = None,
    ) -> str:
        sent = self.sqs.send_message(
            QueueUrl=self.queue_url(names.queue("local", lane)),
            MessageBody=body if isinstance(body, str) else json.dumps(body, ensure_ascii=False),
            MessageGroupId=group,
            MessageDeduplicationId=dedup,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value}
                for name, value in (attributes or {}).items()
            },
        )
        return str(sent["MessageId"])

    def receive(self, lane: str = "orders") -> list[dict[str, Any]]:
        """A batch as Lambda would hand it over."""
        return self.receive_from(names.queue("local", lane))

    def receive_from(self, name: str) -> list[dict[str, Any]]:
        """A batch of any queue, by its name."""
        got = self.sqs.receive_message(
            QueueUrl=self.queue_url(name),
            MaxNumberOfMessages=10,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        ).get("Messages", [])
        return [
            {
                "messageId": m["MessageId"],
                "receiptHandle": m["ReceiptHandle"],
                "body": m["Body"],
                "attributes": m["Attributes"],
                "messageAttributes": {
                    k: {"stringValue": v["StringValue"], "dataType": v["DataType"]}
                    for k, v in m.get("MessageAttributes", {}).items()
                },
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}",
                "awsRegion": REGION,
            }
            for m in got
        ]

    def handle(self, lane: str = "orders", records: list[dict[str, Any]] | None = None) -> None:
        """One invocation as the event source mapping does it: deletes the batch unless it raises."""
        records = self.receive(lane) if records is None else records
        dispatch(aws.stage(), records, lane, lambda: 30_000)
        for record in records:
            url = self.queue_url(names.queue("local", lane))
            self.sqs.delete_message(QueueUrl=url, ReceiptHandle=record["receiptHandle"])

    def delivered(self, topic: str) -> list[dict[str, Any]]:
        """What a subscriber of a topic received, and takes it away."""
        url = self.queue_url(f"inbox-{topic}")
        found: list[dict[str, Any]] = []
        while got := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in got:
                found.append(json.loads(message["Body"]))
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return found

    def dead(self, lane: str = "orders") -> list[dict[str, Any]]:
        got = self.sqs.receive_message(
            QueueUrl=self.queue_url(names.dead_queue("local", lane)),
            MaxNumberOfMessages=10,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        found: list[dict[str, Any]] = got.get("Messages", [])
        return found

    def waiting(self, lane: str = "orders") -> int:
        """Messages that are still the lane's to deal with, in flight or not."""
        got = self.sqs.get_queue_attributes(
            QueueUrl=self.queue_url(names.queue("local", lane)), AttributeNames=["All"]
        )["Attributes"]
        return sum(
            int(got[name])
            for name in (
                "ApproximateNumberOfMessages",
                "ApproximateNumberOfMessagesNotVisible",
                "ApproximateNumberOfMessagesDelayed",
            )
        )

    def ledger(self, event_id: str) -> dict[str, Any]:
        from chalicelib.door import api
        from chalicelib.store import ledger

        [record] = ledger.find(aws.stage(), event_id)
        return api.life(record)

    def topic_arn(self, topic: str) -> str:
        return f"arn:aws:sns:{REGION}:{ACCOUNT}:{names.topic('local', topic)}"


def forget() -> None:
    """Drop what a worker has learnt of its stage. Its clients stay: they take long to make."""
    for cached in (routing, templates, aws.stage, aws.hurried_stage):
        cached.cache_clear()  # type: ignore[attr-defined]
    keys._cache.clear()
    secrets._cache.clear()
    webhooks._cache.clear()


@functools.cache
def client(service: str) -> Any:
    return boto3.client(
        service, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test"
    )


def stage(monkeypatch: Any) -> Iterator[Stage]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "HERALDO_STAGE": "local",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    _one_write_at_a_time(monkeypatch)
    forget()
    with mock_aws():
        services = ("sqs", "sns", "dynamodb", "scheduler", "stepfunctions")
        found = Stage(*(client(service) for service in services))
        _build(found)
        own_clients = [aws.client(s) for s in services]
        own_clients += [aws.client(s, hurried=True) for s in services]
        for own in own_clients:
            own.meta.events.register("before-call", found.record, unique_id="calls")
        yield found
        for own in own_clients:
            own.meta.events.unregister("before-call", unique_id="calls")
    forget()


def _one_write_at_a_time(monkeypatch: Any) -> None:
    """As in AWS: in moto, two threads can both see a table, or a queue, as it was before either."""
    lock = threading.RLock()

    def locked(function: Any) -> Any:
        @functools.wraps(function)
        def alone(*args: Any, **kwargs: Any) -> Any:
            with lock:
                return function(*args, **kwargs)

        return alone

    for backend, writes in (
        (DynamoDBBackend, ("put_item", "update_item", "delete_item", "transact_write_items")),
        (SQSBackend, ("send_message", "send_message_batch")),
    ):
        for name in writes:
            monkeypatch.setattr(backend, name, locked(getattr(backend, name)))


def _build(found: Stage) -> None:
    fifo = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    for lane in routing().lanes:
        for name in (names.queue("local", lane), names.dead_queue("local", lane)):
            found.sqs.create_queue(QueueName=name, Attributes=fifo)
    for inlet in names.INLETS:
        for name in (names.queue("local", inlet), names.dead_queue("local", inlet)):
            found.sqs.create_queue(QueueName=name)
    for topic in TOPICS:
        arn = found.sns.create_topic(Name=names.topic("local", topic))["TopicArn"]
        found.sqs.create_queue(QueueName=f"inbox-{topic}")
        queue_arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:inbox-{topic}"
        found.sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue_arn)
    _build_tables(found)
    found.scheduler.create_schedule_group(Name=names.schedules("local"))
    for journey in routing().journeys:  # they begin here, and nothing walks them
        found.states.create_state_machine(
            name=names.state_machine("local", journey),
            definition=json.dumps(dict(definition.read(ROOT, journey).raw)),
            roleArn=f"arn:aws:iam::{ACCOUNT}:role/{names.journeys('local')}",
        )


def _build_tables(found: Stage) -> None:
    """The tables with their indexes, as `infra/` has them."""
    wanted = yaml.safe_load((ROOT / "infra" / "resources.yaml").read_text("utf-8"))["Resources"]
    asked = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
    for resource in wanted.values():
        if resource["Type"] == "AWS::DynamoDB::Table":
            properties = resource["Properties"]
            name = properties["TableName"].replace("${Stage}", "local")
            settings = {key: properties[key] for key in asked if key in properties}
            found.dynamodb.create_table(TableName=name, **settings)


def lanes_at(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    """Make it `moment` in the lanes, where time goes on as it does otherwise."""

    class At:
        monotonic = staticmethod(time.monotonic)
        time = staticmethod(moment.timestamp)

    monkeypatch.setattr(invocation, "time", At)


def needing_nothing(monkeypatch: pytest.MonkeyPatch, folder: Path, *modules: str) -> None:
    """Make order.shipped need nothing, as an author does who mends a template: in `modules` too."""
    home = folder / "templates" / "order.shipped"
    home.mkdir(parents=True)
    for locale in ("es", "en"):
        text = "{% block subject %}Va{% endblock %}{% block body %}{{ event.id }}{% endblock %}"
        (home / f"{locale}.j2").write_text(text, "utf-8")
    found = Templates(folder / "templates")
    for module in ("chalicelib.lanes.invocation", "chalicelib.words.render", *modules):
        monkeypatch.setattr(f"{module}.templates", lambda: found)
