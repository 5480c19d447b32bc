"""What people got on the local stack: by the topics, which one queue hears, and by themselves, from the
lists that the local AWS keeps of e-mails and text messages. A file keeps it all, and a table, for the console.
"""

from __future__ import annotations

import datetime
import json
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NotRequired, TypedDict

from chalicelib import names
from cli.stack.emulator import REGION

LOOKED: Final = "inbox.looked"
"""The file that says, by its time, when people's own messages were last looked for."""
QUEUE: Final = "heraldo-local-inbox"
_ATTRIBUTES: Final = ("event_type", "locale", "recipient", "category")
_LONG_POLL: Final = 10


class Delivery(TypedDict):
    """One message as a subscriber, or a person, got it: `topic` is theirs, or `to` whom it went to, and
    `sender` whom a mail is from."""

    channel: str
    topic: NotRequired[str]
    to: NotRequired[str]
    html: NotRequired[str]
    sender: NotRequired[str]
    subject: str
    message: str
    attributes: dict[str, str]
    message_id: str
    received_at: str


def heard(topics: Mapping[str, str]) -> dict[str, str]:
    """Of the stage's topics, those that the inbox hears: what `./heraldo verify` sends is for itself."""
    return {name: arn for name, arn in topics.items() if name != names.VERIFY}


def subscribe(sqs: Any, sns: Any, topics: Mapping[str, str]) -> str:
    """Make the inbox's queue, subscribe it to these topics and return its URL."""
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
) -> list[Delivery]:
    """Move what is in the inbox's queue to `file`, in order, and give it; waits up to `wait` seconds for it."""
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=wait).get(
        "Messages", []
    )
    if not messages:
        return []
    found = [_delivery(message["Body"]) for message in messages]
    keep(file, found, show)
    # Only now: who finds the queue empty may count on finding everything in the file.
    sqs.delete_message_batch(
        QueueUrl=url,
        Entries=[
            {"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]}
            for n, message in enumerate(messages)
        ],
    )
    return found


def keep(file: Path, deliveries: Sequence[Delivery], show: Callable[[Delivery], None]) -> None:
    """Add deliveries to the file, and show them. Threads may do so at once: a write is one call."""
    lines = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in deliveries)
    with file.open("ab", buffering=0) as inbox:
        inbox.write(lines.encode())
    for entry in deliveries:
        show(entry)


def line(entry: Delivery) -> str:
    """A delivery in one readable line."""
    at = datetime.datetime.fromisoformat(entry["received_at"]).astimezone()
    attributes = entry["attributes"]
    about = [attributes.get("event_type", ""), attributes.get("locale", "")]
    if entry["channel"] == "topic" and not about[0]:
        about = ["ready-made"]
    if recipient := attributes.get("recipient"):
        about.append(f"→ {recipient}")
    where = entry.get("topic") or f"{entry['channel']} {entry.get('to', '')}"
    first = entry["subject"] or entry["message"].strip().partition("\n")[0]
    words = " ".join(part for part in about if part)
    return f"{at:%H:%M:%S}  {where:<8} {words:<32}  {first[:100]}"


def _delivery(body: str) -> Delivery:
    envelope = json.loads(body)
    attributes = {
        name: str(attribute["Value"])
        for name, attribute in envelope.get("MessageAttributes", {}).items()
    }
    return Delivery(
        channel="topic",
        topic=envelope["TopicArn"].rsplit(":", 1)[1].removeprefix("heraldo-local-"),
        subject=envelope.get("Subject") or "",
        message=envelope["Message"],
        attributes={name: attributes[name] for name in _ATTRIBUTES if name in attributes},
        message_id=envelope["MessageId"],
        received_at=_now(),
    )


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


class Persons:
    """The e-mails and text messages that the local AWS has taken, each told once.

    It keeps no list of what goes to an app's endpoint.
    """

    def __init__(self, endpoint_url: str) -> None:
        self._endpoint_url = endpoint_url
        self._told: set[str] = set()

    def new(self) -> list[Delivery]:
        """What came since it was asked last, in order.

        Raises
        ------
        OSError, ValueError : the local AWS does not answer, or something else.
        """
        found = [(m["Timestamp"], _mail(m)) for m in self._messages("ses/messages", "messages")]
        found += [
            (0.0, _sms(m))
            for m in self._messages("sns/sms-messages?region=" + REGION, "sms_messages")
        ]
        fresh = [
            d for _, d in sorted(found, key=lambda one: one[0]) if d["message_id"] not in self._told
        ]
        self._told |= {delivery["message_id"] for delivery in fresh}
        return fresh

    def _messages(self, path: str, name: str) -> list[dict[str, Any]]:
        url = f"{self._endpoint_url}/_ministack/{path}"
        with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310
            listed = json.load(answer).get(name)
        if listed is None:
            raise ValueError(f"the local AWS has no {name} at {url}")
        return [message for messages in listed.values() for message in messages]


def _mail(message: Mapping[str, Any]) -> Delivery:
    delivery = Delivery(
        channel="email",
        to=", ".join(message["To"]),
        subject=message["Subject"],
        message=message["BodyText"],
        attributes={},
        message_id=message["MessageId"],
        received_at=_now(),
    )
    if message.get("Source"):
        delivery["sender"] = message["Source"]
    if message.get("BodyHtml"):
        delivery["html"] = message["BodyHtml"]
    return delivery


def _sms(message: Mapping[str, Any]) -> Delivery:
    return Delivery(
        channel="sms",
        to=message["PhoneNumber"],
        subject="",
        message=message["Message"],
        attributes={},
        message_id=message["MessageId"],
        received_at=_now(),
    )
