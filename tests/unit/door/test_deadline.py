"""Whatever DynamoDB and SQS do, the door answers before API Gateway gives up: a result per event."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib import aws, patience
from chalicelib.door import api, bus, http
from chalicelib.door.envelope import DETAIL_TYPE
from chalicelib.door.http import ANSWER_SECONDS, Answer, Problem
from chalicelib.errors import TransientError
from chalicelib.lanes.dispatch import Redeliver
from tests.factories import ACCOUNT, REGION, sample
from tests.unit.door.fake_aws import FakeAws, connected

Connect = Callable[[FakeAws], None]
GATEWAY_SECONDS = 29
COLD_START_SECONDS = 3
EVENT = {"type": "order.shipped", "recipient": "cus", "data": sample("order.shipped")["data"]}


@pytest.fixture(scope="module")
def connect() -> Iterator[Connect]:
    with connected() as connect:
        yield connect


def longest_call() -> float:
    """Seconds that one call of the API's clients may take."""
    configs = [aws.client(s, hurried=True).meta.config for s in ("dynamodb", "sqs")]
    assert all(config.retries["total_max_attempts"] == 1 for config in configs)
    return max(float(config.connect_timeout + config.read_timeout) for config in configs)


def batch(**more: Any) -> list[dict[str, Any]]:
    """Five hundred events, each with its own recipient, or as `more` has it."""
    return [{**EVENT, "recipient": f"r-{n}", **more} for n in range(500)]


def named(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**event, "id": f"e-{n}"} for n, event in enumerate(events)]


PATHS: dict[str, Callable[[FakeAws], Answer]] = {
    "one event": lambda f: api.post_event(f.request({**EVENT, "id": "e-1"})),
    "one event without an id": lambda f: api.post_event(f.request(EVENT)),
    "five hundred": lambda f: api.post_batch(f.request(named(batch()))),
    "five hundred without ids": lambda f: api.post_batch(f.request(batch())),
    "five hundred of one key": lambda f: api.post_batch(f.request(named(batch(recipient="r")))),
    "what became of an event": lambda f: api.get_event(f.request(), "a%2525b"),
    "the event types": lambda f: api.get_event_types(f.request()),
}
DYNAMODB = ("GetItem", "BatchGetItem", "Query", "PutItem", "TransactWriteItems")
SQS = (
    *("GetQueueUrl", "SendMessageBatch"),
    *("DeleteMessageBatch", "ChangeMessageVisibilityBatch"),
)
SERVICES = {
    "keys": ("GetItem",),
    "the ledger": DYNAMODB[1:],
    "SQS": SQS,
    "everything": (*DYNAMODB, *SQS),
}
# All calls of a service are like this.
FAULTS = ("hangs", "unreachable", "throttled", "throttled in a transaction", "broken", "denied")


def asked(fake: FakeAws, path: str) -> Answer:
    """Ask, and see that the answer is there in time and whole."""
    began = fake.clock.now
    try:
        answer = PATHS[path](fake)
    except Problem as problem:
        answer = problem.answer()
    assert fake.clock.now - began <= ANSWER_SECONDS + longest_call()
    assert answer.status in (200, 202, 404, 503)
    if answer.status == 503:
        assert answer.headers["Retry-After"]
    elif path.startswith("five hundred"):
        assert len(answer.body) == 500
        assert {r["status"] for r in answer.body} <= {"accepted", "duplicate", "unavailable"}
    return answer


def test_the_last_call_ends_before_the_gateway_gives_up(connect: Connect) -> None:
    assert COLD_START_SECONDS + ANSWER_SECONDS + longest_call() <= GATEWAY_SECONDS - 1


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_service_that_does_not_answer_is_asked_four_times_and_no_more(
    connect: Connect, fault: str, service: str, path: str
) -> None:
    operations = set(SERVICES[service])
    if fault == "throttled in a transaction":
        operations &= {"TransactWriteItems"}
    fake = FakeAws(lambda operation, _: fault if operation in operations else None)
    connect(fake)
    asked(fake, path)
    assert sum(operation in operations for operation in fake.calls) <= patience.FAILURES


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("service", SERVICES)
def test_a_service_that_is_slow_is_asked_as_long_as_there_is_time(
    connect: Connect, service: str, path: str
) -> None:
    operations = SERVICES[service]
    fake = FakeAws(lambda operation, _: "slow" if operation in operations else None)
    connect(fake)
    answer = asked(fake, path)
    if path == "five hundred" and service == "SQS":
        accepted = [result["status"] for result in answer.body].count("accepted")
        assert 0 < accepted < 500


@pytest.mark.parametrize("path", PATHS)
def test_what_answers_every_other_time_serves(connect: Connect, path: str) -> None:
    number = iter(range(10_000))
    fake = FakeAws(lambda operation, _: "broken" if next(number) % 4 == 1 else None)
    connect(fake)
    answer = asked(fake, path)
    assert answer.status in (200, 202, 404)


@pytest.mark.parametrize("every", [1, 2, 3, 4])
def test_of_a_throttled_ledger_no_more_is_asked_than_it_takes_and_four_calls(
    connect: Connect, every: int
) -> None:
    number = iter(range(10_000))
    fake = FakeAws(
        lambda operation, _: (
            "throttled" if operation == "TransactWriteItems" and next(number) % every == 0 else None
        )
    )
    connect(fake)
    answer = asked(fake, "five hundred")
    accepted = [result["status"] for result in answer.body].count("accepted")
    # A hundred claims to a call.
    assert fake.calls.count("TransactWriteItems") <= accepted / 100 + patience.FAILURES


def test_an_answer_that_was_lost_makes_no_second_event(connect: Connect) -> None:
    lost = iter(["answer lost", "answer lost"])
    fake = FakeAws(lambda operation, _: next(lost, None) if operation == "PutItem" else None)
    connect(fake)
    assert asked(fake, "one event").status in (200, 202)
    assert len(fake.queued) == len(fake.items) == 1


def test_a_transaction_whose_answer_was_lost_is_asked_for_under_one_token(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = []
    real = FakeAws._TransactWriteItems

    def seen(fake: FakeAws, given: Any, failing: set[int]) -> Any:
        tokens.append(given["ClientRequestToken"])
        # DynamoDB answers the second of two equal requests as it did the first.
        return {} if len(tokens) > 1 else real(fake, given, failing)

    monkeypatch.setattr(FakeAws, "_TransactWriteItems", seen)
    lost = iter(["answer lost"])
    fake = FakeAws(
        lambda operation, _: next(lost, None) if operation == "TransactWriteItems" else None
    )
    connect(fake)
    assert asked(fake, "one event without an id").status == 202
    assert len(tokens) == 2
    assert len(set(tokens)) == 1


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if "transaction" not in fault])
@pytest.mark.parametrize("service", ["the ledger", "SQS", "everything"])
def test_the_bus_comes_to_an_end_before_its_function_does(
    connect: Connect, service: str, fault: str
) -> None:
    fake = FakeAws(lambda operation, _: fault if operation in SERVICES[service] else None)
    connect(fake)
    began = fake.clock.now
    envelope = {"id": "b-1", "source": "shop", "detail": EVENT, "time": "2026-12-03T08:12:41Z"}
    bad = {**envelope, "id": "b-2", "detail": {**EVENT, "data": {}}}
    records = [on_the_bus({**e, "detail-type": DETAIL_TYPE}) for e in (envelope, bad)]
    with pytest.raises((Redeliver, TransientError, ClientError)):
        bus.drain(fake.request().stage, records, lambda: 30_000)
    assert fake.clock.now - began <= 30 - COLD_START_SECONDS
    # Deleted is what is safe, and nothing else.
    safe = {"r-b-1": "orders", "r-b-2": "dead"}
    queued = {lane for lane, *_ in fake.queued}
    assert all(safe[receipt] in queued for receipt in fake.deleted)
    assert service != "the ledger" or fake.deleted == {"r-b-2"}


def on_the_bus(envelope: Any) -> dict[str, Any]:
    """A record of the bus's queue."""
    name = envelope["id"]
    return {
        "messageId": name,
        "receiptHandle": f"r-{name}",
        "body": json.dumps(envelope),
        "attributes": {"ApproximateReceiveCount": "1"},
        "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:heraldo-local-bus",
    }


def test_a_request_has_its_time_from_its_beginning(connect: Connect) -> None:
    fake = FakeAws()
    connect(fake)
    request = fake.request(named(batch()))
    fake.clock.sleep(http.ANSWER_SECONDS)
    with pytest.raises(Problem) as refused:
        api.post_batch(request)
    assert (refused.value.status, fake.calls) == (503, [])


def test_a_batch_that_takes_long_to_read_is_taken_as_far_as_it_was_read(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeAws()
    connect(fake)
    check = api.check

    def slowly(*event: Any) -> Any:
        fake.clock.sleep(1)
        return check(*event)

    monkeypatch.setattr(api, "check", slowly)
    answer = api.post_batch(fake.request(named(batch())))
    statuses = [result["status"] for result in answer.body]
    assert statuses == ["accepted"] * 10 + ["unavailable"] * 490
    assert "smaller batches" in answer.body[-1]["problem"]["detail"]
    assert len(fake.queued) == 10
