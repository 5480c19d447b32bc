"""A lane's batch logic through every mix of outcomes: nothing lost, nothing out of order, duplicates
only where nobody could know better, what can be mended is mended, and a ledger that agrees."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.store import statuses
from tests.unit.aws_model import FAULTS, Cloud, Fault
from tests.unit.lanes.story import KINDS, ORDINARY, Story, texts, told


def faults(operation: str) -> st.SearchStrategy[list[Fault]]:
    names = FAULTS[operation]
    masks, seconds = st.integers(1, 1023), st.sampled_from((0.5, 4.0, 11.0))
    fault = st.one_of(
        st.just(Fault()),
        st.builds(Fault, st.sampled_from(names), mask=masks, seconds=seconds),
    )
    if partial := [name for name in names if "partial" in name]:
        fault |= st.builds(Fault, st.sampled_from(partial), mask=masks)
    return st.lists(fault, max_size=4)


PLANS = st.fixed_dictionaries({operation: faults(operation) for operation in FAULTS})
# Few keys, so that events wait for each other; a fifth of them say the same as an earlier one.
EVENTS = st.lists(
    st.tuples(st.sampled_from("aab"), st.sampled_from((*ORDINARY, *KINDS)), st.integers(0, 4)),
    min_size=1,
    max_size=12,
)
PROFILE = settings(
    max_examples=int(os.environ.get("HERALDO_EXAMPLES", "300")),
    derandomize="HERALDO_EXAMPLES" not in os.environ,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@PROFILE
@given(events=EVENTS, plan=PLANS, batches=st.lists(st.integers(1, 10), max_size=4))
def test_whatever_goes_wrong_nothing_is_lost_repeated_or_out_of_order(
    lane: Callable[[Cloud], None],
    events: list[tuple[str, str, int]],
    plan: dict[str, list[Fault]],
    batches: list[int],
) -> None:
    story = Story(Cloud(plan))
    lane(story.cloud)
    for group, kind, again in events:
        if again == 4 and story.sent and story.sent[-1][2].startswith("order."):
            event, group, kind = story.sent[-1]
            story.send(group, kind, event)
        else:
            story.send(group, kind)
    story.drive(batches)
    story.check()


def test_an_event_that_the_dead_letter_queue_did_not_take_is_not_overtaken(
    lane: Callable[[Cloud], None],
) -> None:
    refused, failed = Fault("partial-refused", mask=1), Fault("partial", mask=1)
    story = told(
        lane, ["order.one", "order.one"], PublishBatch=[refused], SendMessageBatch=[failed]
    )
    assert texts(story) == ["e00", "e01"]
    assert story.cloud.dead == []


@pytest.mark.parametrize("kinds", [["not-json"] * 3, ["not-json", "order.one", "foreign"]])
@pytest.mark.parametrize("mask", [1, 2, 3])
def test_dead_letters_of_one_key_lie_in_order_whichever_of_them_sqs_refuses(
    lane: Callable[[Cloud], None], kinds: list[str], mask: int
) -> None:
    story = told(
        lane, kinds, SendMessageBatch=[Fault("partial", mask=mask), Fault(), Fault("reset-before")]
    )
    dead = [n for n, kind in enumerate(kinds) if kind != "order.one"]
    assert [next(n for n in dead if f"e{n:02}" in m.body) for m in story.cloud.dead] == dead


@pytest.mark.parametrize("answer", ["502-not-aws", "garbled-after"])
def test_an_answer_that_is_not_xml_leaves_the_rest_of_the_batch_recorded(
    lane: Callable[[Cloud], None], answer: str
) -> None:
    story = told(lane, ["order.one", "order.once"], PublishBatch=[Fault(), Fault(answer)])
    assert texts(story).count("e00") == 1
    assert story.cloud.ledger[("e01", "/t")]["status"]["S"] == statuses.UNKNOWN


def test_an_event_that_was_never_handed_to_sns_is_not_skipped_as_unknown(
    lane: Callable[[Cloud], None],
) -> None:
    # Each attempt to announce it is written, and for half the invocation no answer comes back.
    story = told(lane, ["order.once"], TransactWriteItems=[Fault("timeout-after")] * 9)
    assert texts(story) == ["e00"]


@pytest.mark.parametrize("seconds", [0.5, 2.0, 3.5, 5.0, 6.5])
def test_a_published_event_that_cannot_be_recorded_is_acknowledged_all_the_same(
    lane: Callable[[Cloud], None], capsys: pytest.CaptureFixture[str], seconds: float
) -> None:
    story = told(
        lane,
        ["order.one"],
        PublishBatch=[Fault("slow", seconds=seconds)],
        BatchWriteItem=[Fault("timeout-before")] * 60,
    )
    assert texts(story) == ["e00"]
    assert "not recorded" in capsys.readouterr().err


def test_a_wave_that_cannot_be_recorded_in_time_is_not_begun(
    lane: Callable[[Cloud], None],
) -> None:
    story = told(lane, ["order.one"] * 6, PublishBatch=[Fault("slow", seconds=4.0)] * 6)
    assert texts(story) == [f"e{n:02}" for n in range(6)]
    assert not any(invocation.killed for invocation in story.cloud.invocations)
