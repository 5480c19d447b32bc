"""What becomes of events is told on the bus by the deployed function, and nobody else's rule is needed for it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.plan.compose import destination_tag, event_tag
from tests.e2e.conftest import Stack, to
from tests.e2e.test_receipts import tell
from tests.factories import sample
from tests.mails import said
from tests.patience import PATIENCE


class Listener:
    """Somebody on the account's bus who hears what Heraldo tells."""

    def __init__(self, stack: Stack, name: str) -> None:
        self._sqs, self._events = stack.client("sqs"), stack.client("events")
        self._name = name
        self.url = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        got = self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])
        pattern = json.dumps({"source": ["heraldo.local"]})
        self._events.put_rule(Name=name, EventPattern=pattern)
        targets = [{"Id": "1", "Arn": got["Attributes"]["QueueArn"]}]
        self._events.put_targets(Rule=name, Targets=targets)
        self.heard: list[dict[str, Any]] = []

    def hears(self, count: int, subject: str, seconds: float = PATIENCE) -> list[dict[str, Any]]:
        """Wait until so many outcomes of one subject were told, and return them."""
        deadline = time.monotonic() + seconds
        while True:
            found = [one for one in self.heard if one["detail"]["subject"] == subject]
            if len(found) >= count or time.monotonic() > deadline:
                return found
            got = self._sqs.receive_message(
                QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=1
            )
            for message in got.get("Messages", []):
                self.heard.append(json.loads(message["Body"]))
                self._sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])

    def leave(self) -> None:
        self._events.remove_targets(Rule=self._name, Ids=["1"])
        self._events.delete_rule(Name=self._name)
        self._sqs.delete_queue(QueueUrl=self.url)


@pytest.fixture
def listener(stack: Stack, unique: str) -> Iterator[Listener]:
    there = Listener(stack, f"hears-{unique}")
    yield there
    there.leave()


def test_an_outcome_and_a_receipt_are_told_on_the_bus(
    stack: Stack, unique: str, listener: Listener
) -> None:
    event = {"type": "order.placed", "id": unique, "source": "/shop", **to(unique)}
    event["data"] = sample("order.placed")["data"]
    assert stack.call("POST", "/events", event)[0] == 202
    [told] = listener.hears(1, unique)
    assert (told["source"], told["detail-type"]) == ("heraldo.local", "heraldo.event.published")
    data = told["detail"]["data"]
    assert data["messages"].keys() >= {"recipient:email"}
    assert [step["status"] for step in data["timeline"]] == ["accepted", "published"]
    assert f"{unique}@example.com" not in json.dumps(told)

    tag = event_tag(unique, "/shop")
    message_id = data["messages"]["recipient:email"]
    delivery = said("Delivery", event["email"], event=tag, message_id=message_id)
    tell(stack, delivery)
    [heard] = listener.hears(1, message_id)
    assert heard["detail-type"] == "heraldo.mail.delivered"
    assert heard["detail"]["data"]["tag"] == data["tag"] == tag
    assert heard["detail"]["data"]["destination"] == destination_tag("recipient:email")
