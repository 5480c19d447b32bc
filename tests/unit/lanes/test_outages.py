"""A service that is down makes events wait, not die; and a message that kills its workers dies alone."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from chalicelib.lanes.settle import (
    GIVE_UP_SECONDS,
    LONGEST_WAIT,
    MAX_ATTEMPTS,
    gives_up,
    wait_seconds,
)
from tests.unit.aws_model import DEAD, PUBLISH, READ, VISIBILITY, WRITE, Cloud, Fault
from tests.unit.lanes.story import Story, texts

HOUR = 3600.0


@pytest.fixture
def story(lane: Callable[[Cloud], None]) -> Story:
    found = Story(Cloud({}))
    lane(found.cloud)
    return found


def down(story: Story, operation: str, seconds: float, fault: Fault) -> float:
    """A service is down from now on; returns when it will be back."""
    until = story.cloud.clock.now + seconds
    story.cloud.down[operation] = (until, fault)
    return until


def status(story: Story, event: str) -> str:
    return str(story.cloud.ledger[story.keys[event]]["status"]["S"])


OUTAGES = [
    Fault("500-before"),
    Fault("502-not-aws"),
    Fault("throttled-400"),
    Fault("throttled-429"),
    Fault("timeout-before"),
    Fault("reset-before"),
    Fault("no-connection"),
    Fault("partial", mask=1023),
    Fault("partial-throttled", mask=1023),
    Fault("refused", code="AuthorizationError", status=403),
    Fault("refused", code="InvalidClientTokenId", status=403),
    Fault("refused", code="SignatureDoesNotMatch", status=403),
    Fault("refused", code="RequestExpired", status=400),
    Fault("refused", code="NotFound", status=404),
    Fault("refused", code="KMSDisabled", status=400),
]


@pytest.mark.parametrize("fault", OUTAGES, ids=lambda fault: fault.code or fault.name)
def test_while_sns_is_down_ten_events_of_a_key_wait_and_then_go_out_in_order(
    story: Story, fault: Fault
) -> None:
    until = down(story, PUBLISH, 23 * HOUR, fault)
    for _ in range(10):
        story.send("a", "order.one")
    while story.cloud.clock.now < until - LONGEST_WAIT:
        story.drive([], most=1, rest=False)
    assert story.cloud.dead == []
    assert {status(story, event) for event, _, _ in story.sent} == {"retrying"}
    story.drive([])
    story.check()
    assert story.cloud.dead == []
    assert texts(story) == [event for event, _, _ in story.sent]
    # Two minutes after the end of the outage all is as it was.
    assert story.cloud.clock.now - until < LONGEST_WAIT + 30


@pytest.mark.parametrize("operation", [READ, WRITE])
@pytest.mark.parametrize(
    "fault", [Fault("throttled-400"), Fault("timeout-before"), Fault("500-before")]
)
def test_while_the_ledger_is_down_nothing_dies(story: Story, operation: str, fault: Fault) -> None:
    until = down(story, operation, 23 * HOUR, fault)
    for kind in ("order.one", "order.one", "not-json", "order.one"):
        story.send("a", kind)
    story.send("b", "order.both")
    while story.cloud.queue and story.cloud.clock.now < until - LONGEST_WAIT:
        story.drive([], most=1, rest=False)
    if operation == READ:
        assert story.cloud.dead == []
        assert story.cloud.accepted == []
    story.drive([], most=1000)
    assert [m.attributes["reason"] for m in story.cloud.dead] == ["not-json"]
    assert [t for t in texts(story) if t != "e04"] == ["e00", "e01", "e03"]
    assert story.cloud.violations == []


def test_while_the_dead_letter_queue_refuses_a_poisoned_key_waits_and_others_go_on(
    story: Story,
) -> None:
    until = down(story, DEAD, 23 * HOUR, Fault("refused", code="AccessDenied", status=403))
    for kind in ("not-json", "order.one", "order.one", "order.one", "order.one"):
        story.send("a", kind)
    story.send("b", "order.one")
    while story.cloud.clock.now < until - LONGEST_WAIT:
        story.drive([], most=1, rest=False)
    assert texts(story) == ["e05"]
    assert story.cloud.dead == []
    assert status(story, "e00") == "retrying"
    story.drive([])
    story.check()
    assert texts(story) == ["e05", "e01", "e02", "e03", "e04"]
    assert [m.attributes["reason"] for m in story.cloud.dead] == ["not-json"]
    assert story.cloud.clock.now - until < LONGEST_WAIT + 30


def test_an_event_is_given_up_after_a_day_and_those_behind_it_have_attempts_of_their_own(
    story: Story,
) -> None:
    began = story.cloud.clock.now
    story.send("a", "order.one")
    story.send("a", "order.one")
    # Down until the first has been given up, and for a little while more.
    story.cloud.down[PUBLISH] = (began + GIVE_UP_SECONDS + 200, Fault("500-before"))
    story.drive([], most=2000)
    assert [json.loads(m.body)["id"] for m in story.cloud.dead] == ["e00"]
    assert story.cloud.dead[0].attributes["reason"] == "gave-up"
    assert story.cloud.dead[0].attributes["detail"] == "InternalError (topic:users/es)"
    assert texts(story) == ["e01"]


@pytest.mark.parametrize(
    ("attempts", "hours", "over"),
    [
        (1, 0, False),
        (1000, 23.9, False),
        (MAX_ATTEMPTS - 1, 24, False),
        (MAX_ATTEMPTS, 24, True),
        (1, 24 * 7 - 1, False),
        (1, 24 * 7, True),
    ],
)
def test_an_event_is_given_up_by_its_age_and_its_own_attempts(
    attempts: int, hours: float, over: bool
) -> None:
    assert gives_up(attempts, hours * HOUR) is over


def test_waits_grow_and_stay_short_enough_to_notice_the_end_of_an_outage() -> None:
    assert [wait_seconds(n) for n in range(10)] == [1, 1, 2, 4, 8, 16, 32, 64, 120, 120]
    assert wait_seconds(10**9) == 120


# -- what kills its workers ------------------------------------------------------------------------


def test_a_message_that_kills_its_workers_is_told_from_those_beside_it_and_dies_alone(
    story: Story,
) -> None:
    began = story.cloud.clock.now
    killer = story.send("a", "order.one")
    followers = [story.send("a", "order.one") for _ in range(3)]
    others = [story.send(group, "order.one") for group in "bcdefg"]
    story.cloud.killers.add(killer)
    story.drive([])
    story.check()
    [letter] = story.cloud.dead
    assert json.loads(letter.body)["id"] == killer
    assert letter.attributes["reason"] == "kills-its-worker"
    assert status(story, killer) == "failed"
    assert [t for t in texts(story) if t in followers] == followers
    assert sorted(t for t in texts(story) if t in others) == others
    assert sum(i.killed for i in story.cloud.invocations) == 5
    # Each death costs the queue's visibility timeout.
    assert story.cloud.clock.now - began < 5 * VISIBILITY + 60


def test_two_that_kill_are_both_found(story: Story) -> None:
    killers = [story.send("a", "order.one"), story.send("b", "order.both")]
    others = [story.send(group, "order.one") for group in "cdefab"]
    story.cloud.killers.update(killers)
    story.drive([])
    story.check()
    assert sorted(json.loads(m.body)["id"] for m in story.cloud.dead) == killers
    assert sorted(texts(story)) == others


@pytest.mark.parametrize("receives", [3, 4, 50, 900])
def test_a_message_that_came_often_for_other_reasons_goes_out(story: Story, receives: int) -> None:
    """Lambda was throttled, or the ledger could not be read: no handler ended in order with it."""
    for group in "abc":
        for _ in range(2):
            story.send(group, "order.both")
    for message in story.cloud.queue:
        message.receives = receives
    story.drive([])
    story.check()
    assert story.cloud.dead == []
    assert not any(i.killed for i in story.cloud.invocations)


def test_a_message_that_waited_long_behind_another_is_not_suspected(story: Story) -> None:
    down(story, PUBLISH, HOUR, Fault("500-before"))
    for _ in range(3):
        story.send("a", "order.one")
    story.drive([])
    assert not any("alone" in item for item in story.cloud.ledger.values())
    # One call for each try of the first alone: nobody was tried by itself.
    assert story.cloud.calls.count(WRITE) == story.cloud.calls.count(READ)


def test_a_message_is_not_tried_alone_where_that_cannot_be_written_down(story: Story) -> None:
    """Or nobody would know which death was its own."""
    story.send("a", "order.one")
    story.cloud.queue[0].receives = 5
    until = down(story, WRITE, 600, Fault("throttled-400"))
    while story.cloud.clock.now < until - 2 * LONGEST_WAIT:
        story.drive([], most=1, rest=False)
    assert story.cloud.accepted == []
    story.drive([])
    story.check()
    assert texts(story) == ["e00"]
