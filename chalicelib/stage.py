"""A stage of Heraldo, as code that talks to AWS has it in hand: passed in, never looked up.

The Lambda process's own comes from `aws.stage()`, a command's from `cli.target.Target.handle()`.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from chalicelib import names
from chalicelib.names import Place

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient


class Stage:
    """A stage's name, its clients and the addresses of what it has.

    `client` makes the client of a service; it is asked once for each, when that is first needed.
    `place` spares AWS the question where the stage is, for those who know.
    """

    def __init__(self, name: str, client: Callable[[str], Any], place: Place | None = None) -> None:
        self.name = name
        self._make = client
        self._clients: dict[str, Any] = {}
        self._making = threading.Lock()
        self._place = place
        self._queues = ""
        self._topics: dict[str, str] = {}

    def at(self, place: Place) -> Stage:
        """The same stage, by somebody who knows where it is."""
        return Stage(self.name, self._make, place)

    def client(self, service: str) -> Any:
        """A service's client, made by one thread: botocore's sessions know of no other."""
        with self._making:
            if service not in self._clients:
                self._clients[service] = self._make(service)
            return self._clients[service]

    @functools.cached_property
    def sqs(self) -> SQSClient:
        found: SQSClient = self.client("sqs")
        return found

    @functools.cached_property
    def sns(self) -> SNSClient:
        found: SNSClient = self.client("sns")
        return found

    @functools.cached_property
    def ses(self) -> SESV2Client:
        found: SESV2Client = self.client("sesv2")
        return found

    @functools.cached_property
    def dynamodb(self) -> DynamoDBClient:
        found: DynamoDBClient = self.client("dynamodb")
        return found

    @property
    def place(self) -> Place:
        """Where the stage is; asked of AWS once where nobody said.

        Raises
        ------
        BotoCoreError, ClientError : AWS does not say.
        """
        if self._place is None:
            arn = self.client("sts").get_caller_identity()["Arn"]
            meta = self.sqs.meta
            self._place = Place(meta.partition, meta.region_name, Place.of_arn(arn).account)
        return self._place

    def table(self, name: str) -> str:
        return names.table(self.name, name)

    def topic_arn(self, name: str) -> str:
        found = self._topics.get(name)
        if found is None:
            found = self._topics[name] = self.place.topic_arn(names.topic(self.name, name))
        return found

    def queue_url(self, lane: str) -> str:
        """The URL of a lane's queue. All of a stage's differ in the name alone, so AWS is asked for
        the first one only, and not at all where the place is known.

        Raises
        ------
        BotoCoreError, ClientError : AWS does not say.
        """
        return self._queue_url(names.queue(self.name, lane))

    def dead_queue_url(self, lane: str) -> str:
        """The URL of a lane's dead-letter queue; see `queue_url`."""
        return self._queue_url(names.dead_queue(self.name, lane))

    def _queue_url(self, name: str) -> str:
        if not self._queues:
            if self._place is not None:
                self._queues = f"{self.sqs.meta.endpoint_url}/{self._place.account}/"
            else:
                asked = self.sqs.get_queue_url(QueueName=name)["QueueUrl"]
                self._queues = asked.removesuffix(name)
        return self._queues + name
