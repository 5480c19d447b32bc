"""People, whatever goes wrong: once by each channel, by one alone of a first-of form, and in order."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.lanes.settle import BUSY_WAIT, LAST_SECONDS, LONGEST_WAIT
from chalicelib.store import statuses
from tests.unit.aws_model import (
    ANNOUNCE,
    CONTACTS,
    ENDPOINT,
    FORGET,
    MAIL,
    READ,
    SMS,
    WRITE,
    Cloud,
    Fault,
)
from tests.unit.lanes.story import Story, texts
from tests.unit.lanes.test_batch_properties import PROFILE, faults

HOUR = 3600.0
# The kinds of events that people get, and by which channels at the most.
CHANNELS = {
    "order.mailed": {"email"},
    "order.mailed-once": {"email"},
    "order.texted": {"sms"},
    "order.first": {"push", "sms", "email"},
    "order.first-once": {"push", "sms", "email"},
}


@pytest.fixture
def story(lane: Callable[[Cloud], None]) -> Story:
    found = Story(Cloud({}))
    lane(found.cloud)
    return found


def contacts(email: bool = True, phone: bool = True, push: tuple[str, ...] = ()) -> dict[str, str]:
    """What is kept of somebody who can be reached by these."""
    has = {"email": email, "phone": phone}
    found = {name: value for name, value in CONTACTS.items() if has[name]}
    if push:
        found["push"] = json.dumps([ENDPOINT + name for name in push], separators=(",", ":"))
    return found


def ways(story: Story, event: str) -> list[str]:
    """By which channels, and which device of theirs, somebody got an event."""
    return [a.topic for a in story.cloud.accepted if a.text == event]


def item(story: Story, event: str) -> dict[str, Any]:
    return story.cloud.ledger.get(story.keys[event], {})


def status(story: Story, event: str = "e00") -> str:
    return str(item(story, event).get("status", {}).get("S", ""))


def reasons(story: Story) -> list[str]:
    return [letter.attributes["reason"] for letter in story.cloud.dead]


# -- whatever goes wrong ---------------------------------------------------------------------------

DEVICES = st.sampled_from(((), ("one",), ("two",), ("one", "two")))
PEOPLE = st.builds(contacts, st.booleans(), st.booleans(), DEVICES)
PLANS = st.fixed_dictionaries(
    {operation: faults(operation) for operation in (READ, MAIL, SMS, FORGET, WRITE, ANNOUNCE)}
)
EVENTS = st.lists(
    st.tuples(st.sampled_from("aab"), st.sampled_from(sorted(CHANNELS))), min_size=1, max_size=8
)


@PROFILE
@given(
    events=EVENTS,
    plan=PLANS,
    people=st.lists(PEOPLE, min_size=1, max_size=4),
    gone=st.sets(st.sampled_from(("one", "two"))),
)
def test_whoever_can_be_reached_is_told_once_and_by_one_channel_of_a_first_of_form(
    lane: Callable[[Cloud], None],
    events: list[tuple[str, str]],
    plan: dict[str, list[Fault]],
    people: list[dict[str, str]],
    gone: set[str],
) -> None:
    """`people` are what is kept of them at first, and what it is changed to between two tries."""
    story = Story(Cloud(plan))
    lane(story.cloud)
    story.cloud.gone = {ENDPOINT + name for name in gone}
    for group, kind in events:
        story.send(group, kind)
    for found in people:
        story.cloud.contacts = dict(found)
        story.drive([], most=1, rest=False)
    story.drive([])
    assert story.cloud.violations == []
    story.check_duplicates()
    story.check_order()
    for event, _, kind in story.sent:
        check(story, event, kind, people, gone)


def check(
    story: Story, event: str, kind: str, people: list[dict[str, str]], gone: set[str]
) -> None:
    got = {way.partition(" ")[0] for way in ways(story, event)}
    assert len(got) <= 1, f"{event} by {got}"
    assert got <= CHANNELS[kind]
    letters = [m.attributes["reason"] for m in story.cloud.dead if event in m.body]
    if letters:
        for reason in letters:
            if reason == "kills-its-worker":
                assert sum(i.killed for i in story.cloud.invocations) >= 5
            else:
                assert reason == "ses-refused" and event in story.cloud.refused, reason
        return
    ended = status(story, event)
    unwritten = any(i.write_failed or i.killed for i in story.cloud.invocations)
    if ended == statuses.PUBLISHED:
        real = {a.message_id for a in story.cloud.accepted if a.text == event}
        sent = json.loads(item(story, event)["sent"]["S"])
        assert sent and set(sent.values()) <= real
    elif ended == statuses.UNKNOWN:
        assert kind.endswith("-once")
        assert story.is_doubtful(event)
    elif ended == statuses.SUPPRESSED:
        last = people[-1]
        reached = {"email": "email" in last, "sms": "phone" in last, "push": "push" in last}
        nobody = not any(reached[channel] for channel in CHANNELS[kind])
        assert nobody or len(people) > 1 or gone, f"{event} for nobody, who could be reached"
        assert not got or story.is_doubtful(event)
    else:
        assert unwritten, f"{event} ended as {ended!r}"


# -- choices ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["killed-before", "killed-after", "reset-after", "throttled-400"])
def test_a_first_of_form_keeps_its_choice_though_somebody_can_be_reached_better_meanwhile(
    story: Story, fault: str, lane: Callable[[Cloud], None]
) -> None:
    story = Story(Cloud({SMS: [Fault(fault)]}))
    lane(story.cloud)
    story.send("a", "order.first")
    story.drive([], most=1, rest=False)
    story.cloud.contacts = contacts(push=("one",))
    story.drive([])
    assert set(ways(story, "e00")) == {"sms"}
    assert json.loads(item(story, "e00")["chosen"]["S"]) == {"recipient:push|sms|email": "sms"}


def test_a_choice_that_cannot_be_written_down_is_not_used(
    lane: Callable[[Cloud], None],
) -> None:
    story = Story(Cloud({WRITE: [Fault("throttled-400")] * 60}))
    lane(story.cloud)
    story.send("a", "order.first")
    story.drive([], most=1, rest=False)
    assert story.cloud.accepted == []
    story.cloud.contacts = contacts(push=("one",))
    story.drive([])
    assert ways(story, "e00") == ["push one"]


def test_where_one_of_two_devices_is_gone_the_other_is_enough(story: Story) -> None:
    story.cloud.contacts = contacts(push=("one", "two"))
    story.cloud.gone = {f"{ENDPOINT}one"}
    story.send("a", "order.first")
    story.drive([], most=1, rest=False)
    story.cloud.contacts = contacts()  # and then that one is taken off, too
    story.drive([])
    assert ways(story, "e00") == ["push two"]
    assert status(story) == statuses.PUBLISHED


def test_where_both_devices_are_gone_the_next_channel_is_taken(story: Story) -> None:
    story.cloud.contacts = contacts(push=("one", "two"))
    story.cloud.gone = {f"{ENDPOINT}one", f"{ENDPOINT}two"}
    story.send("a", "order.first")
    story.drive([])
    assert ways(story, "e00") == ["sms"]
    assert "push" not in story.cloud.contacts


def test_a_device_that_cannot_be_taken_off_in_time_keeps_nothing_from_being_recorded(
    story: Story,
) -> None:
    """Ten people's devices are gone, and the table of people does not answer."""
    story.cloud.contacts = contacts(push=("one",))
    story.cloud.gone = {f"{ENDPOINT}one"}
    story.cloud.down[FORGET] = (story.cloud.clock.now + HOUR, Fault("timeout-before"))
    for number in range(10):
        story.send(f"key-{number}", "order.first")
    story.drive([])
    assert not any(invocation.killed for invocation in story.cloud.invocations)
    assert sorted(texts(story)) == sorted(event for event, _, _ in story.sent)


# -- what is done is done --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plan", "first", "then"),
    [
        ({MAIL: [Fault("partial-refused", mask=1)]}, ["sms", "users"], ["email"]),
        ({SMS: [Fault("refused", code="InvalidParameter", status=400)]}, ["email", "users"], ["sms"]),
    ],
)  # fmt: skip
def test_a_redrive_sends_by_the_channel_that_failed_and_by_no_other(
    lane: Callable[[Cloud], None], plan: dict[str, list[Fault]], first: list[str], then: list[str]
) -> None:
    story = Story(Cloud(plan))
    lane(story.cloud)
    story.send("a", "order.every-way")
    story.drive([])
    assert sorted(ways(story, "e00")) == first
    assert reasons(story) in (["ses-refused"], ["sns-refused"])
    story.cloud.dead.clear()
    story.send("a", "order.every-way", "e00")
    story.drive([])
    assert ways(story, "e00")[len(first) :] == then
    assert status(story) == statuses.PUBLISHED


@pytest.mark.parametrize("fault", ["killed-after", "reset-after", "timeout-after", "garbled-after"])
def test_mails_in_doubt_go_out_once_more_or_not_at_all_as_their_type_says(
    lane: Callable[[Cloud], None], fault: str
) -> None:
    """A worker that ends in the middle of a call for ten, or hears no answer to it."""
    story = Story(Cloud({MAIL: [Fault(fault)]}))
    lane(story.cloud)
    for number in range(10):
        story.send(f"key-{number}", "order.mailed-once" if number % 2 else "order.mailed")
    story.drive([])
    for number in range(10):
        once = bool(number % 2)
        assert len(ways(story, f"e{number:02}")) == (1 if once else 2)
        ended = status(story, f"e{number:02}")
        assert ended == (statuses.UNKNOWN if once else statuses.PUBLISHED)


# -- what waits ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("operation", "kind"), [(MAIL, "order.mailed"), (SMS, "order.texted")])
@pytest.mark.parametrize("fault", [Fault("throttled-429"), Fault("500-before")])
def test_while_nothing_can_be_sent_to_people_they_wait_and_are_told_in_order(
    story: Story, operation: str, kind: str, fault: Fault
) -> None:
    until = story.cloud.clock.now + 23 * HOUR
    story.cloud.down[operation] = (until, fault)
    for _ in range(4):
        story.send("a", kind)
    story.drive([], most=4000)
    assert story.cloud.dead == []
    assert texts(story) == [event for event, _, _ in story.sent]


@pytest.mark.parametrize(
    "fault", [Fault("throttled-429"), Fault("partial-throttled", mask=1023)], ids=str
)
def test_mails_that_ses_has_no_quota_for_wait_for_days_in_order_and_are_not_given_up(
    story: Story, fault: Fault
) -> None:
    days = 5 * 24 * HOUR
    until = story.cloud.clock.now + days
    story.cloud.down[MAIL] = (until, fault)
    for _ in range(3):
        story.send("a", "order.mailed")
    while story.cloud.clock.now < until - BUSY_WAIT:
        story.drive([], most=1, rest=False)
        assert story.cloud.dead == []
    assert status(story) == "retrying"
    # What else goes wrong with it then is the first time that it fails.
    story.cloud.down[MAIL] = (until, Fault("500-before"))
    story.drive([])
    assert texts(story) == ["e00", "e01", "e02"]
    assert story.cloud.dead == []
    assert story.cloud.clock.now - until < BUSY_WAIT + LONGEST_WAIT


def test_after_a_week_without_a_quota_a_mail_is_a_dead_letter_and_not_forgotten(
    story: Story,
) -> None:
    story.cloud.down[MAIL] = (story.cloud.clock.now + 2 * LAST_SECONDS, Fault("throttled-429"))
    story.send("a", "order.mailed")
    story.drive([], most=4000)
    assert reasons(story) == ["gave-up"]
