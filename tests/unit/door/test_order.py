"""Order at the door: events of one key never overtake each other, whatever is refused on the way."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.door import api
from chalicelib.events.event import parse
from chalicelib.lanes.queues import group_id
from cli import bulk
from tests.factories import sample
from tests.unit.door.fake_aws import FakeAws, connected

Connect = Callable[[FakeAws], None]
# Of three lanes, so that a key may be in several.
TYPES = ("order.shipped", "critical.alert", "promotion.started")


@pytest.fixture(scope="module")
def connect() -> Iterator[Connect]:
    with connected() as connect:
        yield connect


def event(number: int, key: str, event_type: str = "order.shipped", **more: Any) -> dict[str, Any]:
    data = sample(event_type)["data"]
    about = {"recipient": "cus", "partitionkey": key}
    return {"type": event_type, "id": f"e-{number}", **about, "data": data, **more}


def statuses(fake: FakeAws, events: list[dict[str, Any]]) -> list[str]:
    answer = api.post_batch(fake.request(events))
    assert answer.status == 200
    return [result["status"] for result in answer.body]


def queued(fake: FakeAws) -> list[str]:
    return [found["id"] for _, _, found in fake.queued]


def once(operation: str, wrong: Any) -> Callable[[str, int], Any]:
    """Trouble with the first call of an operation, and with no other."""
    left = [wrong]
    return lambda called, entries: left.pop() if called == operation and left else None


def test_what_follows_an_event_that_was_not_queued_is_not_queued_either(connect: Connect) -> None:
    fake = FakeAws(once("SendMessageBatch", {0}))
    connect(fake)
    five = [event(n, "k") for n in range(5)]
    assert statuses(fake, five) == ["unavailable"] * 5
    assert queued(fake) == []
    assert statuses(fake, five) == ["duplicate"] * 5
    assert queued(fake) == ["e-0", "e-1", "e-2", "e-3", "e-4"]


def test_events_of_one_key_never_share_a_call(connect: Connect) -> None:
    fake = FakeAws()
    connect(fake)
    assert set(statuses(fake, [event(n, "k") for n in range(5)])) == {"accepted"}
    assert fake.calls.count("SendMessageBatch") == 5
    fake.calls.clear()
    events = [event(n, f"k-{n % 20}") for n in range(100, 140)]
    assert set(statuses(fake, events)) == {"accepted"}
    assert fake.calls.count("SendMessageBatch") == 4


def test_other_keys_do_not_wait(connect: Connect) -> None:
    fake = FakeAws(once("SendMessageBatch", {0}))
    connect(fake)
    events = [event(0, "a"), event(1, "b"), event(2, "a"), event(3, "b")]
    assert statuses(fake, events) == ["unavailable", "accepted", "unavailable", "accepted"]


def test_a_key_waits_in_every_lane(connect: Connect) -> None:
    first = once("SendMessageBatch", {0})
    # The lanes go side by side: e-0 is the one that goes alone.
    fake = FakeAws(lambda called, entries: first(called, entries) if entries == 1 else None)
    connect(fake)
    events = [event(0, "k"), event(1, "k", "critical.alert")]
    events += [event(n, f"o-{n}", "critical.alert") for n in (2, 3)]
    assert statuses(fake, events) == ["unavailable", "unavailable", "accepted", "accepted"]
    assert statuses(fake, events) == ["duplicate"] * 4
    assert queued(fake) == ["e-2", "e-3", "e-0", "e-1"]


def test_what_follows_an_event_that_was_not_claimed_is_not_queued_either(connect: Connect) -> None:
    fake = FakeAws(once("TransactWriteItems", "denied"))  # a hundred claims to a call
    connect(fake)
    events = [event(n, "k" if n % 2 else f"k-{n}") for n in range(110)]
    found = statuses(fake, events)
    assert found[:100] == ["unavailable"] * 100
    assert found[100:] == ["accepted", "unavailable"] * 5
    assert not any(found["partitionkey"] == "k" for _, _, found in fake.queued)


def test_an_event_that_is_refused_holds_nothing_up(connect: Connect) -> None:
    fake = FakeAws()
    connect(fake)
    events = [event(0, "k", data={}), event(1, "k"), event(1, "k", locale="en"), event(2, "k")]
    assert statuses(fake, events) == ["rejected", "accepted", "rejected", "accepted"]


FAULTS = st.sampled_from(["hangs", "throttled", "broken", "answer lost", "unreachable"])
EVENTS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(TYPES)), max_size=40)


class InProcess:
    """What `./heraldo send --from` talks to: the API itself."""

    def __init__(self, fake: FakeAws) -> None:
        self.fake = fake

    def call(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        assert (method, path) == ("POST", "/events/batch")
        try:
            answer = api.post_batch(self.fake.request(body))
        except api.Problem as problem:
            answer = problem.answer()
        return answer.status, json.loads(json.dumps(answer.body))


def test_a_line_behind_one_that_was_not_taken_is_not_sent(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "REQUEST_EVENTS", 1)
    refused = iter([{0}] * bulk._TRIES)
    fake = FakeAws(lambda called, _: next(refused, None) if called == "SendMessageBatch" else None)
    connect(fake)
    lines = [event(0, "a"), event(1, "a"), event(2, "b")]
    file = io.BytesIO("\n".join(json.dumps(line) for line in lines).encode())
    summary = bulk.Summary()
    target: Any = InProcess(fake)
    assert sum(bulk.send(target, file, summary)) == 3
    assert [line for line, _ in summary.refused] == [1, 2]
    assert "behind line 1" in summary.refused[1][1]
    assert queued(fake) == ["e-2"]


@settings(max_examples=150, deadline=None)
@given(
    events=EVENTS,
    send=st.lists(st.one_of(st.none(), FAULTS, st.sets(st.integers(0, 9))), max_size=30),
    claim=st.lists(st.one_of(st.none(), FAULTS), max_size=10),
    size=st.integers(1, 8),
)
def test_a_file_is_queued_in_order_whatever_goes_wrong(
    connect: Connect, events: list[tuple[str, str]], send: list[Any], claim: list[Any], size: int
) -> None:
    plans = {
        "SendMessageBatch": iter(send),
        "TransactWriteItems": iter(claim),
        "PutItem": iter(claim),
    }
    fake = FakeAws(lambda operation, _: next(plans.get(operation, iter(())), None))
    connect(fake)
    lines = [event(n, key, event_type) for n, (key, event_type) in enumerate(events)]
    text = "\n".join(json.dumps(line) for line in lines)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bulk, "REQUEST_EVENTS", size)
        for _ in range(20):  # "run the command again", until nothing is left to take
            summary = bulk.Summary()
            target: Any = InProcess(fake)
            for _ in bulk.send(target, io.BytesIO(text.encode()), summary):
                pass
            if not summary.refused:
                break
    assert summary.refused == []
    for key in "abc":
        wanted = [line["id"] for line in lines if line["partitionkey"] == key]
        assert [e["id"] for _, group, e in fake.queued if group == group_id(key)] == wanted
    assert all(group == group_id(parse(e).ordering_key) for _, group, e in fake.queued)


def test_what_is_refused_or_done_already_is_not_queued_again(connect: Connect) -> None:
    fake = FakeAws()
    connect(fake)
    assert statuses(fake, [event(0, "k"), event(1, "k")]) == ["accepted"] * 2
    fake.items["e-0", "shop"]["status"] = {"S": "published"}
    fake.calls.clear()
    other = event(1, "k", locale="en")
    assert statuses(fake, [event(0, "k"), other]) == ["duplicate", "rejected"]
    assert "SendMessageBatch" not in fake.calls


def test_an_event_without_an_id_that_is_there_twice_is_one(connect: Connect) -> None:
    fake = FakeAws()
    connect(fake)
    unnamed = {name: value for name, value in event(0, "k").items() if name != "id"}
    answer = api.post_batch(fake.request([unnamed, unnamed, event(1, "k")]))
    assert [result["status"] for result in answer.body] == ["accepted", "duplicate", "accepted"]
    assert answer.body[0]["id"] == answer.body[1]["id"]
    assert len(fake.queued) == 2


def test_what_is_queued_by_a_later_try_goes_where_it_was_claimed_for(connect: Connect) -> None:
    fake = FakeAws(once("SendMessageBatch", {0}))
    connect(fake)
    assert statuses(fake, [event(0, "k")]) == ["unavailable"]
    fake.items["e-0", "shop"]["lane"] = {"S": "reminders"}  # routing.toml was another then
    answer = api.post_batch(fake.request([event(0, "k")]))
    assert (answer.body[0]["status"], answer.body[0]["lane"]) == ("duplicate", "reminders")
    assert [lane for lane, *_ in fake.queued] == ["reminders"]


def test_what_was_claimed_for_a_lane_that_is_gone_goes_where_its_type_goes_now(
    connect: Connect,
) -> None:
    fake = FakeAws(once("SendMessageBatch", {0}))
    connect(fake)
    assert statuses(fake, [event(0, "k")]) == ["unavailable"]
    fake.items["e-0", "shop"]["lane"] = {"S": "returns"}  # which was taken out since
    answer = api.post_batch(fake.request([event(0, "k")]))
    assert (answer.body[0]["status"], answer.body[0]["lane"]) == ("duplicate", "orders")
    assert [lane for lane, *_ in fake.queued] == ["orders"]
