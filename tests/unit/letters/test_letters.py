"""chalicelib/letters/letters.py: thousands of letters in a queue that answers slowly."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from chalicelib.letters import letters
from chalicelib.letters.letters import DeadQueue, Sought, look
from chalicelib.names import Place
from chalicelib.stage import Stage
from cli.terminal import Progress
from tests.unit.aws_model import Clock

PLACE = Place("aws", "us-east-1", "123456789012")


class SlowQueue:
    """A FIFO queue on a clock: a receive takes `seconds`, and what is received is invisible for as long
    as was asked. A key of which a letter is invisible shows no other."""

    meta = type("Meta", (), {"endpoint_url": "https://sqs"})

    def __init__(self, clock: Clock, groups: list[str], seconds: float) -> None:
        self.clock, self.seconds = clock, seconds
        self.groups = groups
        self.there = dict.fromkeys(range(len(groups)))
        self.visible_at = dict.fromkeys(range(len(groups)), 0.0)
        self.receives = 0
        self.received: Counter[int] = Counter()
        # Receives that are this many times slower, from a number on.
        self.slower: dict[int, float] = {}

    def get_queue_attributes(self, **_: Any) -> Any:
        found = {"ApproximateNumberOfMessages": str(len(self.there))}
        return {"Attributes": {**found, "ApproximateNumberOfMessagesNotVisible": "0"}}

    def receive_message(self, *, VisibilityTimeout: int, **_: Any) -> Any:  # noqa: N803
        assert 0 < VisibilityTimeout <= 12 * 3600
        self.receives += 1
        for number, factor in self.slower.items():
            if self.receives >= number:
                self.seconds *= factor
        self.slower = {n: f for n, f in self.slower.items() if self.receives < n}
        self.clock.sleep(self.seconds)
        now = self.clock.now
        hidden = {self.groups[n] for n in self.there if self.visible_at[n] > now}
        got = [n for n in self.there if self.groups[n] not in hidden][:10]
        for number in got:
            self.visible_at[number] = now + VisibilityTimeout
            self.received[number] += 1
        return {"Messages": [self._message(number) for number in got]}

    def change_message_visibility_batch(self, *, Entries: Any, **_: Any) -> Any:  # noqa: N803
        for entry in Entries:
            self.visible_at[int(entry["ReceiptHandle"])] = (
                self.clock.now + entry["VisibilityTimeout"]
            )
        return {"Successful": Entries}

    def delete_message_batch(self, *, Entries: Any, **_: Any) -> Any:  # noqa: N803
        for entry in Entries:
            del self.there[int(entry["ReceiptHandle"])]
        return {"Successful": Entries}

    def _message(self, number: int) -> dict[str, Any]:
        return {
            "MessageId": f"m-{number}",
            "ReceiptHandle": str(number),
            "Body": json.dumps(
                {"type": "order.x", "id": f"e-{number}", "source": "/s", "data": {}}
            ),
            "Attributes": {"MessageGroupId": self.groups[number], "SentTimestamp": "1"},
        }


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(letters, "time", found)
    return found


def stage(queue: SlowQueue) -> Stage:
    return Stage("local", lambda _: queue, PLACE)


def ids(found: list[Any]) -> list[str]:
    return [letter.id for each in found for letter in each.letters]


def seen(queue: SlowQueue, *sought: str) -> list[str]:
    return ids(look(stage(queue), ["orders"], Sought(sought), Progress().show))


@pytest.mark.parametrize(("count", "seconds"), [(6_000, 0.25), (20_000, 0.06), (3_000, 2.0)])
def test_each_of_thousands_of_letters_is_looked_at_once(
    clock: Clock, count: int, seconds: float
) -> None:
    queue = SlowQueue(clock, [f"k{n}" for n in range(count)], seconds)
    assert sorted(seen(queue)) == sorted(f"e-{n}" for n in range(count))
    assert set(queue.received.values()) == {1}
    assert queue.receives <= count / 10 + 1
    assert all(moment <= clock.now for moment in queue.visible_at.values())


@pytest.mark.parametrize("factor", [3, 30])
def test_a_look_that_takes_longer_than_anybody_thought_ends_all_the_same(
    clock: Clock, factor: float
) -> None:
    queue = SlowQueue(clock, [f"k{n}" for n in range(2_000)], 0.25)
    queue.slower = {20: factor}
    found = seen(queue)
    assert len(found) == len(set(found)) == 2_000
    assert queue.receives < 500


def test_a_queue_whose_letters_are_never_hidden_is_looked_at_once(clock: Clock) -> None:
    queue = SlowQueue(clock, [f"k{n}" for n in range(300)], 0.1)
    hide = queue.receive_message

    def forget(**asked: Any) -> Any:
        answer = hide(**asked)
        # The ten that were received first go to the end of the queue, as visible as before.
        for message in answer["Messages"]:
            number = int(message["ReceiptHandle"])
            queue.visible_at[number] = 0.0
            del queue.there[number]
            queue.there[number] = None
        return answer

    queue.receive_message = forget  # type: ignore[method-assign]
    found = seen(queue)
    assert sorted(found) == sorted(f"e-{n}" for n in range(300))
    assert queue.receives < 100


def test_what_is_sought_ends_the_look_when_it_is_found(clock: Clock) -> None:
    queue = SlowQueue(clock, [f"k{n}" for n in range(6_000)], 0.25)
    assert "e-25" in seen(queue, "e-25")
    assert queue.receives == 3
    queue = SlowQueue(clock, [f"k{n}" for n in range(6_000)], 0.25)
    assert {"e-5", "e-17"} <= set(seen(queue, "e-17", "e-5"))
    assert queue.receives == 2


def test_keys_that_were_cut_off_in_an_answer_are_shown_whole(clock: Clock) -> None:
    groups = [f"k{n // 7}" for n in range(700)]
    queue = SlowQueue(clock, groups, 0.05)
    found = seen(queue)
    assert sorted(found) == sorted(f"e-{n}" for n in range(700))
    assert len(found) == len(set(found))


def test_what_is_in_other_hands_is_not_waited_for_key_by_key(clock: Clock) -> None:
    queue = SlowQueue(clock, [f"k{n}" for n in range(2_000)], 0.25)
    for number in range(50):  # somebody else looks at them
        queue.visible_at[number] = clock.now + 100_000
    [found] = look(stage(queue), ["orders"], Sought(), Progress().show)
    assert (len(found.letters), found.unseen) == (1_950, 50)
    assert queue.receives < 2_000 / 10 + 40


def test_the_time_that_a_caller_takes_counts_as_well(clock: Clock) -> None:
    """A redrive at one letter a second holds what it leaves behind for hours, not for minutes."""
    queue = SlowQueue(clock, [f"k{n}" for n in range(1_000)], 0.05)
    with DeadQueue(stage(queue), "orders") as dead:
        for _ in dead.batches():
            clock.sleep(10)
    assert set(queue.received.values()) == {1}


def test_progress_is_shown_while_it_looks(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr(Progress, "show", lambda _, text: shown.append(text))
    seen(SlowQueue(clock, [f"k{n}" for n in range(45)], 0.05))
    assert shown[0] == "10 of 45 dead letters looked at"
    assert shown[-1] == "45 of 45 dead letters looked at"


def test_a_look_for_which_somebody_waits_ends_in_time_lets_go_of_all_and_says_what_is_left(
    clock: Clock,
) -> None:
    queue = SlowQueue(clock, [f"k{n}" for n in range(2_000)], 0.25)
    began = clock.now
    [found] = look(stage(queue), ["orders"], Sought(), seconds=5)
    assert clock.now - began < 6
    assert (len(found.letters), found.unseen, found.whole) == (200, 1_800, False)
    assert all(moment <= clock.now for moment in queue.visible_at.values())


def test_who_waits_does_not_wait_for_a_queue_that_counts_nothing(clock: Clock) -> None:
    queue = SlowQueue(clock, [], 1.0)
    assert look(stage(queue), ["orders"], Sought(), seconds=5)[0].whole
    assert queue.receives == 0
    look(stage(queue), ["orders"], Sought(["e-1"]), seconds=5)
    assert queue.receives == 1, "one that is looked for may have died just now"
