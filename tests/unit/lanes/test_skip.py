"""Types with `on_unknown = skip`: nothing goes out twice, and nothing is skipped that is known to be unsent."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib import aws
from chalicelib.lanes import dispatch
from chalicelib.stage import Stage
from chalicelib.store import statuses
from tests.unit.aws_model import ANNOUNCE, LANE, PUBLISH, Cloud, Fault
from tests.unit.lanes.story import Story, told

USERS, COMPANY = "topic:users/es", ["topic:company/es", "topic:company/en"]


def item(story: Story, event: str = "e00") -> dict[str, Any]:
    return story.cloud.ledger[story.keys[event]]


def status(story: Story) -> str:
    return str(item(story)["status"]["S"])


def sent(story: Story) -> list[str]:
    found = item(story)
    return sorted(json.loads(found["sent"]["S"])) if "sent" in found else []


def unknown(story: Story) -> list[str]:
    found = item(story)
    return found["unknown"]["S"].split() if "unknown" in found else []


def topics(story: Story) -> list[str]:
    return [acceptance.topic for acceptance in story.cloud.accepted]


LOST = ["reset-after", "timeout-after", "500-after", "garbled-after", "timeout-before"]
UNSENT = [
    Fault("throttled-400"),
    Fault("no-connection"),
    Fault("partial", mask=3),
    Fault("partial-throttled", mask=3),
    Fault("refused", code="NotFound", status=404),
    Fault("refused", code="AuthorizationError", status=403),
]


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize("unsent", UNSENT, ids=lambda fault: fault.code or fault.name)
def test_where_one_answer_is_lost_the_other_topic_is_told_all_the_same(
    lane: Callable[[Cloud], None], lost: str, unsent: Fault, capsys: pytest.CaptureFixture[str]
) -> None:
    story = told(lane, ["order.both-once"], PublishBatch=[Fault(lost), unsent])
    assert (status(story), unknown(story), sent(story)) == ("unknown", [USERS], sorted(COMPANY))
    assert topics(story).count("users") == ("after" in lost)
    assert topics(story).count("company") == 2
    assert story.cloud.dead == []
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert {"message": "outcome unknown", "event": "e00", "publications": [USERS]}.items() <= next(
        line for line in lines if line["message"] == "outcome unknown"
    ).items()


def test_what_sns_refuses_is_dead_lettered_and_the_unknown_not_sent_again(
    lane: Callable[[Cloud], None],
) -> None:
    refused = Fault("partial-refused", mask=3)
    story = told(lane, ["order.both-once"], PublishBatch=[Fault("reset-after"), refused])
    [letter] = story.cloud.dead
    assert letter.attributes["reason"] == "sns-refused"
    assert letter.attributes["detail"] == "InvalidParameter (topic:company/es, topic:company/en)"
    assert (status(story), unknown(story), sent(story)) == ("failed", [USERS], [])
    # Redriven, it goes where it is known not to have gone.
    story.cloud.dead.clear()
    story.send("a", "order.both-once", "e00")
    story.drive([])
    assert topics(story) == ["users", "company", "company"]
    assert (status(story), unknown(story)) == ("unknown", [USERS])


def test_while_it_waits_the_ledger_says_that_it_is_tried_again(
    lane: Callable[[Cloud], None],
) -> None:
    story = Story(Cloud({PUBLISH: [Fault("reset-after"), Fault("throttled-400")]}))
    lane(story.cloud)
    story.send("a", "order.both-once")
    story.drive([], most=1, rest=False)
    assert (status(story), unknown(story)) == ("retrying", [USERS])


@pytest.mark.parametrize(
    "plan",
    [{PUBLISH: [Fault("killed-before")]}, {ANNOUNCE: [Fault(), Fault("killed-before")]}],
    ids=["before the answers", "before they are recorded"],
)
def test_a_worker_that_ends_before_it_recorded_the_answers_leaves_them_unknown(
    lane: Callable[[Cloud], None], plan: dict[str, list[Fault]]
) -> None:
    story = told(lane, ["order.both-once", "order.one"], **plan)
    assert status(story) == "unknown"
    assert sorted(unknown(story)) == sorted([USERS, *COMPANY])
    assert item(story, "e01")["status"]["S"] == "published"


def test_what_an_earlier_version_announced_without_names_counts_as_unknown(
    lane: Callable[[Cloud], None],
) -> None:
    story = Story(Cloud({}))
    lane(story.cloud)
    story.send("a", "order.once")
    story.cloud.ledger[story.keys["e00"]] = {
        "id": {"S": "e00"},
        "source": {"S": "/t"},
        "status": {"S": statuses.PUBLISHING},
        "type": {"S": "order.once"},
        "timeline": {"S": "2020-01-01T00:00:00.000Z publishing"},
    }
    story.drive([])
    assert (status(story), story.cloud.accepted) == ("unknown", [])


# -- two workers with the same message -------------------------------------------------------------


def both_at_once(lane: Callable[[Cloud], None], kind: str, moment: str) -> tuple[Story, list[str]]:
    """The queue's visibility timeout ran over: a second worker handles the message from beginning to
    end when the first is about to make the call `moment`."""
    story = Story(Cloud({}))
    lane(story.cloud)
    story.send("a", kind)
    ends: list[str] = []

    def work(records: list[dict[str, Any]]) -> None:
        try:
            dispatch.dispatch(Stage("local", aws.client), records, LANE, lambda: 30_000)
            ends.append("done")
        except dispatch.Redeliver:
            ends.append("kept")

    [records] = [story.cloud.receive(10)]
    story.cloud.start()
    story.cloud.meanwhile[moment] = lambda: work(records)
    work(records)
    return story, ends


def test_a_second_worker_leaves_alone_what_is_being_published(
    lane: Callable[[Cloud], None],
) -> None:
    story, ends = both_at_once(lane, "order.once", PUBLISH)
    assert ends == ["kept", "done"]
    assert topics(story) == ["users"]
    assert (status(story), unknown(story)) == ("published", [])


def test_of_two_workers_that_read_the_same_the_first_to_announce_publishes(
    lane: Callable[[Cloud], None],
) -> None:
    story, ends = both_at_once(lane, "order.once", ANNOUNCE)
    assert ends == ["done", "kept"]
    assert topics(story) == ["users"]
    assert (status(story), unknown(story)) == ("published", [])


def test_the_worker_that_came_too_late_does_not_undo_what_the_other_wrote(
    lane: Callable[[Cloud], None],
) -> None:
    story, _ = both_at_once(lane, "order.both-once", ANNOUNCE)
    assert sent(story) == sorted([USERS, *COMPANY])
    assert len(story.cloud.accepted) == 3


def test_what_was_announced_long_ago_is_not_waited_for(lane: Callable[[Cloud], None]) -> None:
    story = Story(Cloud({PUBLISH: [Fault("killed-before")]}))
    lane(story.cloud)
    story.send("a", "order.once")
    story.drive([])
    # The first worker died, the second found its announcement three minutes later and was done.
    assert len(story.cloud.invocations) == 2


# -- announcing ------------------------------------------------------------------------------------


def test_one_whose_turn_is_taken_does_not_stop_the_others_of_its_wave(
    lane: Callable[[Cloud], None],
) -> None:
    story = Story(Cloud({}))
    lane(story.cloud)
    for group in "abc":
        story.send(group, "order.once")
    key = story.keys["e01"]

    def somebody_else() -> None:
        story.cloud.ledger[key] = {
            "id": {"S": key[0]},
            "source": {"S": key[1]},
            "status": {"S": statuses.PUBLISHED},
            "type": {"S": "order.once"},
            "turn": {"S": "somebody else's"},
        }

    story.cloud.meanwhile[ANNOUNCE] = somebody_else
    story.drive([])
    assert [a.text for a in story.cloud.accepted] == ["e00", "e02"]
    assert story.cloud.queue == []
    assert item(story, "e01")["turn"]["S"] == "somebody else's"


@pytest.mark.parametrize("fault", ["timeout-before", "throttled-400", "500-before", "partial"])
def test_what_cannot_be_announced_is_not_published(
    lane: Callable[[Cloud], None], fault: str
) -> None:
    story = Story(Cloud({ANNOUNCE: [Fault(fault, mask=1)] * 60}))
    lane(story.cloud)
    story.send("a", "order.once")
    story.send("b", "order.one")
    story.drive([], most=1, rest=False)
    assert [a.text for a in story.cloud.accepted] == ["e01"]
    assert story.keys["e00"] not in story.cloud.ledger
    story.drive([])
    story.check()
    assert [a.text for a in story.cloud.accepted] == ["e01", "e00"]
