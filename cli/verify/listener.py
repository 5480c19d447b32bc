"""The queue of a run's own, which hears the topic `verify` for as long as the run takes."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import aws, names
from chalicelib.lanes.waves import BATCH_ENTRIES
from chalicelib.stage import Stage
from cli.verify import marks
from cli.verify.marks import Mark

# So many ask at once: one alone would measure itself.
_RECEIVERS: Final = 4
_LONG_POLL: Final = 2
_LOOK_AGAIN: Final = 0.2
_RETENTION: Final = int(marks.LIFE.total_seconds())


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message as it came: SNS's id of it, when SNS says that it was told (in seconds since 1970), when SQS
    took it, and how many came before."""

    mark: Mark
    message_id: str
    told: float
    came: float
    place: int


def queue_prefix(stage: str) -> str:
    return names.topic(stage, f"{names.VERIFY}-")


class Listener:
    """Hears what a run sends, from `open` to `close`. What other runs sent is let go."""

    def __init__(self, stage: Stage, run: str) -> None:
        self._stage = stage
        self._run = run
        self._sqs: Any = stage.sqs
        self._topic = stage.topic_arn(names.VERIFY)
        self.queue = queue_prefix(stage.name) + run
        self._arn = stage.place.queue_arn(self.queue)
        self._url = ""
        self._arrived: list[Arrival] = []
        self._change = threading.Condition()
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []

    def open(self) -> None:
        """Make the queue, have it hear the topic, and listen.

        Raises
        ------
        BotoCoreError, ClientError : AWS lets nobody do so.
        """
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": self._arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": self._topic}},
        }
        attributes = {
            "Policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
            "MessageRetentionPeriod": str(_RETENTION),
            "SqsManagedSseEnabled": "true",
        }
        made = self._sqs.create_queue(QueueName=self.queue, Attributes=attributes)
        self._url = made["QueueUrl"]
        self._stage.sns.subscribe(TopicArn=self._topic, Protocol="sqs", Endpoint=self._arn)
        for number in range(_RECEIVERS):
            thread = threading.Thread(target=self._listen, name=f"verify-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def close(self) -> None:
        """Take queue and subscription away, as far as they were made.

        Raises
        ------
        BotoCoreError, ClientError : something is still there.
        """
        self._over.set()
        for thread in self._threads:
            thread.join(_LONG_POLL + 1)
        remove(self._stage, self.queue)

    @property
    def arrived(self) -> list[Arrival]:
        """All that came so far, as it came."""
        with self._change:
            return list(self._arrived)

    def wait(
        self,
        enough: Callable[[Sequence[Arrival]], bool],
        seconds: float,
        show: Callable[[int], None] = lambda _: None,
    ) -> bool:
        """Wait until it is `enough`, and say whether it is; gives up once nothing has come for so many seconds.

        `show` is told how many have come.
        """
        last, since = -1, time.monotonic()
        while True:
            with self._change:
                arrived = list(self._arrived)
                if not (done := enough(arrived)) and len(arrived) == last:
                    self._change.wait(_LOOK_AGAIN)
            show(len(arrived))
            if done:
                return True
            if len(arrived) != last:
                last, since = len(arrived), time.monotonic()
            elif time.monotonic() - since > seconds:
                return False

    def _listen(self) -> None:
        while not self._over.is_set():
            try:
                got = self._sqs.receive_message(
                    QueueUrl=self._url,
                    MaxNumberOfMessages=BATCH_ENTRIES,
                    WaitTimeSeconds=_LONG_POLL,
                    AttributeNames=["SentTimestamp"],
                )
                if messages := got.get("Messages", []):
                    self._take(messages)
            except (BotoCoreError, ClientError):  # what stays away is told where it is waited for
                self._over.wait(1)

    def _take(self, messages: Sequence[Any]) -> None:
        entries: list[Any] = [
            {"Id": str(n), "ReceiptHandle": one["ReceiptHandle"]} for n, one in enumerate(messages)
        ]
        with self._change:
            for message in messages:
                if found := self._arrival(message):
                    self._arrived.append(found)
            self._change.notify_all()
        self._sqs.delete_message_batch(QueueUrl=self._url, Entries=entries)

    def _arrival(self, message: Any) -> Arrival | None:
        """What came, if it is this run's."""
        envelope = json.loads(message["Body"])
        known = marks.read(envelope.get("Message", ""))
        if known is None or known[0] != self._run:
            return None
        return Arrival(
            known[1],
            envelope["MessageId"],
            datetime.fromisoformat(envelope["Timestamp"]).timestamp(),
            int(message["Attributes"]["SentTimestamp"]) / 1000,
            len(self._arrived),
        )


def others(stage: Stage) -> list[str]:
    """Who else hears the topic: nobody is to.

    Raises
    ------
    BotoCoreError, ClientError : SNS does not say.
    """
    prefix = stage.place.queue_arn(queue_prefix(stage.name))
    return [
        one["Endpoint"] for one in _subscriptions(stage) if not one["Endpoint"].startswith(prefix)
    ]


def remove(stage: Stage, queue: str) -> None:
    """Take a run's queue and its subscription away, whichever of them there is.

    Raises
    ------
    BotoCoreError, ClientError : something is still there.
    """
    arn = stage.place.queue_arn(queue)
    for one in _subscriptions(stage):
        if one["Endpoint"] == arn and one["SubscriptionArn"].startswith("arn:"):
            stage.sns.unsubscribe(SubscriptionArn=one["SubscriptionArn"])
    try:
        url = stage.sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        stage.sqs.delete_queue(QueueUrl=url)
    except ClientError as error:
        if aws.code_of(error) not in _NO_QUEUE:
            raise


def left_behind(stage: Stage, now: datetime) -> list[str]:
    """Queues of runs that were killed: they are nobody's any more, or their subscriptions are still there.

    Raises
    ------
    BotoCoreError, ClientError : AWS does not say.
    """
    prefix = queue_prefix(stage.name)
    pages = stage.sqs.get_paginator("list_queues").paginate(QueueNamePrefix=prefix)
    found = {url.rsplit("/", 1)[-1] for page in pages for url in page.get("QueueUrls", [])}
    found |= {one["Endpoint"].rsplit(":", 1)[-1] for one in _subscriptions(stage)}
    return sorted(name for name in found if marks.is_over(marks.begun(name, prefix), now))


def _subscriptions(stage: Stage) -> list[Any]:
    pager = stage.sns.get_paginator("list_subscriptions_by_topic")
    try:
        pages = list(pager.paginate(TopicArn=stage.topic_arn(names.VERIFY)))
    except stage.sns.exceptions.NotFoundException:
        return []
    return [one for page in pages for one in page["Subscriptions"]]


_NO_QUEUE: Final = frozenset(("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"))
