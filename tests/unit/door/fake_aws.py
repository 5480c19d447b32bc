"""The door's AWS, in memory: tables, FIFO queues, a clock that nobody waits for, and what goes wrong.

It stands where the network would, below botocore, so the clients and their settings are the real ones.
"""

from __future__ import annotations

import functools
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from chalicelib import aws, patience
from chalicelib.door import keys
from chalicelib.door.http import Request
from chalicelib.stage import Stage
from chalicelib.store import table
from cli import bulk
from tests.factories import ACCOUNT, REGION
from tests.unit.aws_model import Clock

SECRET = "hk_test-key-of-the-unit-tests"
LATENCY = 0.01
SLOW = 1.9  # just below what the clients wait for DynamoDB

# What one call comes to: given its operation and its entries, the entries that fail (by position), or
# a fault of the whole call by name.
Trouble = Callable[[str, int], "str | set[int] | None"]


class FakeAws:
    """Answers as DynamoDB and SQS do, unless `trouble` has it otherwise."""

    def __init__(self, trouble: Trouble = lambda operation, entries: None) -> None:
        self.clock = Clock()
        self.trouble = trouble
        self.calls: list[str] = []
        self.items: dict[tuple[str, str], dict[str, Any]] = {}
        # It was used today already, whatever day that is.
        used = {"used": "9999-12-31"}
        self.keys = {keys.hash_of(SECRET): {"name": "shop", "scope": "send read", **used}}
        self.stopped: dict[str, str] = {}  # journeys, by their item, and when
        self.queued: list[tuple[str, str, dict[str, Any]]] = []  # lane, group, event
        self.deleted: set[str] = set()  # receipt handles
        self._known: set[str] = set()

    def request(self, body: Any = None, **more: Any) -> Request:
        headers = {"authorization": f"Bearer {SECRET}", "content-type": "application/json"}
        stage = Stage("local", functools.partial(aws.client, hurried=True))
        return Request(headers, json.dumps(body, ensure_ascii=False).encode(), stage, **more)

    # -- the wire ----------------------------------------------------------------------------------

    def answer(self, request: Any, event_name: str) -> AWSResponse:
        """botocore's `before-send`."""
        _, service, operation = event_name.split(".")
        given = json.loads(request.body)
        self.calls.append(operation)
        wrong = self.trouble(operation, len(given.get("Entries", given.get("TransactItems", ""))))
        config = aws.client(service, hurried=True).meta.config
        if wrong == "hangs":
            self.clock.sleep(config.read_timeout)
            raise ReadTimeoutError(endpoint_url=request.url)
        if wrong == "unreachable":
            self.clock.sleep(config.connect_timeout)
            raise ConnectTimeoutError(endpoint_url=request.url)
        self.clock.sleep(SLOW if wrong == "slow" else LATENCY)
        if wrong == "throttled":
            code = "ThrottlingException" if service == "sqs" else _THROTTLED
            return _response(request.url, 400, {"__type": code, "message": "no"})
        if wrong == "throttled in a transaction":
            reasons = [{"Code": "ThrottlingError"} for _ in given["TransactItems"]]
            return _cancelled(request.url, reasons)
        if wrong == "denied":
            return _response(request.url, 400, {"__type": "AccessDeniedException"})
        if wrong == "broken":
            return _response(request.url, 500, {"__type": "InternalServerError"})
        found = getattr(self, f"_{operation}")(given, wrong if isinstance(wrong, set) else set())
        answer: AWSResponse = found if isinstance(found, AWSResponse) else None
        if wrong == "answer lost":
            self.clock.sleep(config.read_timeout)
            raise ReadTimeoutError(endpoint_url=request.url)
        return answer or _response(request.url, 200, found)

    # -- DynamoDB ----------------------------------------------------------------------------------

    def _GetItem(self, given: Any, _: set[int]) -> Any:  # noqa: N802
        if "hash" not in given["Key"]:  # of the people: the secrets
            return {"Item": {**given["Key"], "addresses": {"S": "00" * 32}, "tokens": {"S": "11"}}}
        found = self.keys.get(given["Key"]["hash"]["S"])
        item = {name: {"S": value} for name, value in (found or {}).items()}
        return {"Item": {**item, "hash": given["Key"]["hash"]}} if found else {}

    def _BatchGetItem(self, given: Any, _: set[int]) -> Any:  # noqa: N802
        [(name, wanted)] = given["RequestItems"].items()
        found = [self.items.get(_key(key)) for key in wanted["Keys"]]
        return {"Responses": {name: [item for item in found if item]}, "UnprocessedKeys": {}}

    def _Query(self, given: Any, _: set[int]) -> Any:  # noqa: N802
        wanted = given["ExpressionAttributeValues"][":id"]["S"]
        found = [item for (event_id, _), item in sorted(self.items.items()) if event_id == wanted]
        return {"Items": found[: given["Limit"]]}

    def _PutItem(self, given: Any, _: set[int]) -> Any:  # noqa: N802
        before = self._there(given)
        if before:
            code = "ConditionalCheckFailedException"
            return _response("", 400, {"__type": code, "message": "no", "Item": before})
        self.items[_key(given["Item"])] = given["Item"]
        return {}

    def _TransactWriteItems(self, given: Any, _: set[int]) -> Any:  # noqa: N802
        puts = [write["Put"] for write in given["TransactItems"] if "Put" in write]
        stops = [write["Update"] for write in given["TransactItems"] if "Update" in write]
        assert len(given["TransactItems"]) <= 100
        assert len({_key(put["Item"]) for put in puts}) == len(puts)
        assert len({stop["Key"]["id"]["S"] for stop in stops}) == len(stops)
        before = [self._there(put) for put in puts]
        before += [{} if self._later(stop) else None for stop in stops]
        if any(b is not None for b in before):
            failed = {"Code": "ConditionalCheckFailed"}
            return _cancelled(
                "", [{"Code": "None"} if b is None else {**failed, "Item": b} for b in before]
            )
        for stop in stops:
            self.stopped[stop["Key"]["id"]["S"]] = stop["ExpressionAttributeValues"][":at"]["S"]
        self.items |= {_key(put["Item"]): put["Item"] for put in puts}
        return {}

    def _later(self, stop: Any) -> bool:
        """Whether a later event stopped the same."""
        at = stop["ExpressionAttributeValues"][":at"]["S"]
        return bool(self.stopped.get(stop["Key"]["id"]["S"], "") > at)

    def _there(self, put: Any) -> Any:
        item = self.items.get(_key(put["Item"]))
        before = put.get("ExpressionAttributeValues", {}).get(":before")
        stale = item and before and int(item["claimed"]["N"]) <= int(before["N"])
        return None if stale else item

    # -- SQS ---------------------------------------------------------------------------------------

    def _GetQueueUrl(self, given: Any, _: set[int]) -> Any:  # noqa: N802
        return {"QueueUrl": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{given['QueueName']}"}

    def _SendMessageBatch(self, given: Any, failing: set[int]) -> Any:  # noqa: N802
        lane = given["QueueUrl"].rsplit("-", 1)[1].removesuffix(".fifo")
        entries = given["Entries"]
        assert 1 <= len(entries) <= 10
        done, failed = [], []
        for position, entry in enumerate(entries):
            if position in failing:
                failed.append({"Id": entry["Id"], "Code": "InternalError", "SenderFault": False})
                continue
            done.append({"Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": ""})
            if entry["MessageDeduplicationId"] not in self._known:
                self._known.add(entry["MessageDeduplicationId"])
                event = json.loads(entry["MessageBody"])
                self.queued.append((lane, entry["MessageGroupId"], event))
        return {"Successful": done, "Failed": failed}

    def _DeleteMessageBatch(self, given: Any, _: set[int]) -> Any:  # noqa: N802
        self.deleted |= {entry["ReceiptHandle"] for entry in given["Entries"]}
        return {"Successful": [{"Id": entry["Id"]} for entry in given["Entries"]], "Failed": []}

    def _ChangeMessageVisibilityBatch(self, given: Any, _: set[int]) -> Any:  # noqa: N802
        return {"Successful": [{"Id": entry["Id"]} for entry in given["Entries"]], "Failed": []}


@contextmanager
def connected() -> Iterator[Callable[[FakeAws], None]]:
    """Puts a `FakeAws` where the hurried clients' network is, and its clock where they look at one."""
    current: list[FakeAws] = []

    def answer(request: Any, event_name: str, **_: Any) -> AWSResponse:
        return current[0].answer(request, event_name)

    def connect(fake: FakeAws) -> None:
        current[:] = [fake]
        keys._cache.clear()
        for module in (patience, table, keys, bulk):
            patch.setattr(module, "time", fake.clock)

    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "HERALDO_STAGE": "local",
        }.items():
            patch.setenv(name, value)
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        aws.client.cache_clear()
        aws._session.cache_clear()
        aws._session().register("before-send", answer)
        yield connect
    aws.client.cache_clear()
    aws._session.cache_clear()


_THROTTLED = "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"


def _key(item: Any) -> tuple[str, str]:
    return item["id"]["S"], item["source"]["S"]


class _Raw(io.BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def _response(url: str, status: int, body: Any) -> AWSResponse:
    return AWSResponse(url, status, {}, _Raw(json.dumps(body).encode()))


def _cancelled(url: str, reasons: list[dict[str, Any]]) -> AWSResponse:
    body = {"__type": "TransactionCanceledException", "CancellationReasons": reasons}
    return _response(url, 400, {**body, "message": "no"})
