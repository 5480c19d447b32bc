"""The queue that hears every topic of the local stack, and the file that keeps what it got."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypedDict

QUEUE: Final = "heraldo-local-inbox"
_ATTRIBUTES: Final = ("event_type", "locale", "recipient", "category")
_LONG_POLL: Final = 10


class Delivery(TypedDict):
    """One message as a subscriber got it."""

    topic: str
    subject: str
    message: str
    attributes: dict[str, str]
    message_id: str
    received_at: str


def subscribe(sqs: Any, sns: Any, topics: dict[str, str]) -> str:
    """Make the inbox's queue, subscribe it to every topic and return its URL."""
    url = str(sqs.create_queue(QueueName=QUEUE)["QueueUrl"])
    got = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    arn = got["Attributes"]["QueueArn"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": list(topics.values())}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    for topic in topics.values():
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return url


def unsubscribe(sns: Any, topics: list[str]) -> None:
    """Let the inbox's queue no longer hear these topics."""
    for topic in topics:
        for found in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]:
            if found["Endpoint"].endswith(f":{QUEUE}"):
                sns.unsubscribe(SubscriptionArn=found["SubscriptionArn"])


def receive(
    sqs: Any, url: str, file: Path, show: Callable[[Delivery], None], wait: int = _LONG_POLL
) -> None:
    """Move what is in the inbox's queue to `file`, in order; waits up to `wait` seconds for it."""
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=wait).get(
        "Messages", []
    )
    if not messages:
        return
    deliveries = [_delivery(message["Body"]) for message in messages]
    with file.open("a", encoding="utf-8") as inbox:
        inbox.writelines(json.dumps(entry, ensure_ascii=False) + "\n" for entry in deliveries)
    for entry in deliveries:
        show(entry)
    # Only now: who finds the queue empty may count on finding everything in the file.
    sqs.delete_message_batch(
        QueueUrl=url,
        Entries=[
            {"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]}
            for n, message in enumerate(messages)
        ],
    )


def line(entry: Delivery) -> str:
    """A delivery in one readable line."""
    at = datetime.datetime.fromisoformat(entry["received_at"]).astimezone()
    attributes = entry["attributes"]
    about = [attributes.get("event_type", "ready-made"), attributes.get("locale", "")]
    if recipient := attributes.get("recipient"):
        about.append(f"→ {recipient}")
    first = entry["subject"] or entry["message"].strip().partition("\n")[0]
    words = " ".join(part for part in about if part)
    return f"{at:%H:%M:%S}  {entry['topic']:<8} {words:<32}  {first[:100]}"


def _delivery(body: str) -> Delivery:
    envelope = json.loads(body)
    attributes = {
        name: str(attribute["Value"])
        for name, attribute in envelope.get("MessageAttributes", {}).items()
    }
    return Delivery(
        topic=envelope["TopicArn"].rsplit(":", 1)[1].removeprefix("heraldo-local-"),
        subject=envelope.get("Subject") or "",
        message=envelope["Message"],
        attributes={name: attributes[name] for name in _ATTRIBUTES if name in attributes},
        message_id=envelope["MessageId"],
        received_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds"),
    )
