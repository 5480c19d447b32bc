"""A lane's batch logic through every mix of outcomes: nothing lost, nothing out of order, duplicates
only where nobody could know better, and a ledger that agrees with what happened."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import botocore.endpoint
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib import aws
from chalicelib.errors import TransientError
from chalicelib.lanes import dispatch, queues
from chalicelib.rules.reading import load
from chalicelib.stage import Stage
from chalicelib.store import ledger, table
from chalicelib.words.render import Templates
from tests.factories import ACCOUNT, REGION
from tests.unit.aws_model import (
    FAULTS,
    LANE,
    MAX_RECEIVES,
    Acceptance,
    Cloud,
    Fault,
    Killed,
)

ROUTING = """
[lanes]
orders = ["order.*"]

[topics]
users = { personal = true }
company = { locales = ["es", "en"] }

[types."order.once"]
on_unknown = "skip"

[types."order.both-once"]
on_unknown = "skip"

[[rule]]
name = "quiet"
pattern.type = ["order.quiet"]
suppress = true

[[rule]]
name = "customers"
to = ["topic:users"]

[[rule]]
name = "company"
pattern.type = [{ prefix = "order.both" }]
to = ["topic:company"]
"""

USERS = ("users", "es")
COMPANY = (("company", "es"), ("company", "en"))


@dataclass(frozen=True)
class Kind:
    """A kind of event: where it goes, and what else becomes of it."""

    to: tuple[tuple[str, str], ...] = ()
    status: str = ledger.PUBLISHED
    reason: str = ""
    skip: bool = False


KINDS: Mapping[str, Kind] = {
    "order.one": Kind((USERS,)),
    "order.both": Kind((USERS, *COMPANY)),
    "order.once": Kind((USERS,), skip=True),
    "order.both-once": Kind((USERS, *COMPANY), skip=True),
    "order.quiet": Kind(status=ledger.SUPPRESSED),
    "order.late": Kind(status=ledger.EXPIRED),
    "order.unheard-of": Kind(status=ledger.FAILED, reason="unknown-type"),
    "not-json": Kind(status=ledger.FAILED, reason="not-json"),
    "foreign": Kind(status=ledger.FAILED, reason="foreign-topic"),
    "ready-made": Kind((("company", ""),)),
    "large": Kind((("company", ""),)),
}
ORDINARY = ("order.one", "order.both", "order.once", "order.both-once")


@pytest.fixture(scope="module")
def lane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Cloud], None]]:
    """Puts a lane with the rules and templates of this file in front of a `Cloud`."""
    root = tmp_path_factory.mktemp("templates")
    for event_type in KINDS:
        if event_type.startswith("order.") and event_type != "order.unheard-of":
            (root / event_type).mkdir()
            for locale in ("es", "en"):
                text = (
                    "{% block subject %}s{% endblock %}{% block body %}{{ event.id }}{% endblock %}"
                )
                (root / event_type / f"{locale}.j2").write_text(text)
    known, rules = Templates(root), load(ROUTING, "local")
    current: list[Cloud] = []

    def connect(cloud: Cloud) -> None:
        current[:] = [cloud]
        aws.client.cache_clear()  # botocore's retries have a quota that outlives an example
        patch.setattr(ledger, "time", cloud.clock)
        patch.setattr(table, "time", cloud.clock)
        patch.setattr(botocore.endpoint, "time", cloud.clock)

    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "HERALDO_STAGE": "local",
        }.items():
            patch.setenv(name, value)
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        patch.setattr(dispatch, "templates", lambda: known)
        patch.setattr(dispatch, "routing", lambda stage: rules)
        aws._session.cache_clear()
        aws._session().register(
            "before-send",
            lambda request, event_name, **_: current[0].answer(request, event_name),
        )
        yield connect
    aws.client.cache_clear()
    aws._session.cache_clear()


@dataclass
class Story:
    """What was sent, in order, and what became of it."""

    cloud: Cloud
    sent: list[tuple[str, str, str]] = field(default_factory=list)  # event, group, kind

    def send(self, group: str, kind: str, event: str = "") -> str:
        name = event or f"e{len(self.sent):02}"
        message_id = self.cloud.send(_body(kind, name), group)
        self.sent.append((name, group, kind))
        self.keys.setdefault(
            name,
            (name, "/t") if kind.startswith("order.") else (message_id, f"queue:{LANE}"),
        )
        return name

    keys: dict[str, ledger.Key] = field(default_factory=dict)

    def drive(self, batches: list[int]) -> None:
        """Invoke the lane until its queue is empty."""
        sizes = iter(batches)
        for _ in range(400):
            records = self.cloud.receive(next(sizes, 10))
            if not records:
                return
            raised = True
            remaining = self.cloud.start()
            try:
                dispatch.dispatch(Stage("local", aws.client), records, LANE, remaining)
                raised = False
            except (dispatch.Redeliver, TransientError, Killed):
                pass
            self.cloud.finish(records, raised)
        raise AssertionError("the lane does not come to rest")

    # -- the promises ------------------------------------------------------------------------------

    def check(self) -> None:
        assert self.cloud.violations == []
        for event, _, kind in self.sent:
            self._check_not_lost(event, KINDS[kind])
        self._check_duplicates()
        self._check_order()
        self._check_letters()

    def _check_not_lost(self, event: str, kind: Kind) -> None:
        key = self.keys[event]
        item = self.cloud.ledger.get(key, {})
        status = item.get("status", {}).get("S", "")
        accepted = {(a.topic, a.locale) for a in self.cloud.accepted if a.text == event}
        dead = [m for m in self.cloud.dead if event in m.body or m.id == key[0]]
        assert accepted <= set(kind.to)
        unwritten = any(i.write_failed or i.killed for i in self.cloud.invocations)
        if dead:
            assert len(dead) <= sum(name == event for name, _, _ in self.sent)
            for letter in dead:
                if letter.attributes:
                    assert letter.attributes["reason"] == kind.reason or not kind.reason
                else:
                    assert letter.receives >= MAX_RECEIVES, (
                        "in the dead-letter queue without a reason"
                    )
            assert status in (ledger.FAILED, ledger.PUBLISHED, ledger.UNKNOWN) or unwritten
            return
        assert kind.status != ledger.FAILED, "should be dead-lettered"
        if status == ledger.UNKNOWN:
            assert kind.skip
            assert self._doubtful(event), "skipped although SNS's answer was known"
        elif kind.status == ledger.PUBLISHED:
            assert accepted == set(kind.to), f"{event} is lost ({status})"
            assert status == ledger.PUBLISHED or unwritten
        else:
            assert status == kind.status or unwritten
        if status == ledger.PUBLISHED and kind.to:
            real = {a.message_id for a in self.cloud.accepted if a.text == event}
            sent = json.loads(item["sent"]["S"])
            assert len(sent) == len(kind.to)
            assert set(sent.values()) <= real

    def _doubtful(self, event: str) -> bool:
        broken = any(i.killed or i.write_failed for i in self.cloud.invocations)
        return broken or event in self.cloud.doubtful

    def _check_duplicates(self) -> None:
        once = {event for event, _, kind in self.sent if KINDS[kind].skip}
        last: dict[tuple[str, str, str], Acceptance] = {}
        for acceptance in self.cloud.accepted:
            before = last.get(acceptance.publication)
            last[acceptance.publication] = acceptance
            if before is None:
                continue
            assert acceptance.text not in once, f"{acceptance.text} twice, which skip forbids"
            assert not acceptance.repeats_recorded, f"{acceptance.text}: the ledger knew"
            excused = before.withheld or before.invocation.killed or before.invocation.write_failed
            assert excused, f"{acceptance.text} twice without an excuse"

    def _check_order(self) -> None:
        first: dict[str, list[int]] = {}
        seen: set[tuple[str, str, str]] = set()
        for moment, acceptance in enumerate(self.cloud.accepted):
            if acceptance.publication not in seen:
                seen.add(acceptance.publication)
                first.setdefault(acceptance.text, []).append(moment)
        dead = {event for event, _, _ in self.sent for m in self.cloud.dead if event in m.body}
        latest: dict[str, tuple[int, str]] = {}
        for event, group, _ in dict.fromkeys(self.sent):
            if event in dead or event not in first:
                continue
            moment, before = latest.get(group, (-1, ""))
            if before != event:
                assert first[event][0] > moment, f"{event} overtook {before}"
            latest[group] = max((first[event][-1], event), (moment, before))

    def _check_letters(self) -> None:
        """Letters of one key lie in the dead-letter queue as they were sent, for a redrive."""
        sent = [event for event, _, _ in dict.fromkeys(self.sent)]
        for group in {group for _, group, _ in self.sent}:
            letters = [m for m in self.cloud.dead if m.group == group]
            # A second copy of an event that was not deleted in time may make a second letter.
            numbers = [n for m in letters for n, e in enumerate(sent) if e in m.body]
            numbers = list(dict.fromkeys(numbers))
            assert numbers == sorted(numbers), f"letters of {group} out of order"


def _body(kind: str, name: str) -> str:
    arn = f"arn:aws:sns:{REGION}:{ACCOUNT}:heraldo-local-company"
    if kind == "not-json":
        return f"{name} {{"
    if kind == "foreign":
        return json.dumps({"sns_topic": arn.replace("local", "prod"), "message": name})
    if kind == "ready-made":
        return json.dumps({"sns_topic": arn, "message": name})
    if kind == "large":
        return json.dumps({"sns_topic": arn, "message": f"{name} " + "x" * 120_000})
    event: dict[str, Any] = {"type": kind, "source": "/t", "id": name, "recipient": "r", "data": {}}
    if kind == "order.late":
        event["expirytime"] = "2020-01-01T00:00:00Z"
    return json.dumps(event)


def faults(operation: str) -> st.SearchStrategy[list[Fault]]:
    names = FAULTS[operation]
    masks, seconds = st.integers(1, 1023), st.sampled_from((0.5, 4.0, 11.0))
    fault = st.one_of(
        st.just(Fault()),
        st.builds(Fault, st.sampled_from(names), mask=masks, seconds=seconds),
        st.builds(Fault, st.sampled_from([n for n in names if "partial" in n]), mask=masks),
    )
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


def told(lane: Callable[[Cloud], None], kinds: list[str], **plan: list[Fault]) -> Story:
    """One key's events, what goes wrong on their way, and the end of it."""
    story = Story(Cloud(plan))
    lane(story.cloud)
    for kind in kinds:
        story.send("a", kind)
    story.drive([])
    story.check()
    return story


def texts(story: Story) -> list[str]:
    return [acceptance.text for acceptance in story.cloud.accepted]


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
    assert story.cloud.ledger[("e01", "/t")]["status"]["S"] == ledger.UNKNOWN


def test_an_event_that_was_never_handed_to_sns_is_not_skipped_as_unknown(
    lane: Callable[[Cloud], None],
) -> None:
    # Each attempt to announce it is written, and for half the invocation no answer comes back.
    story = told(lane, ["order.once"], BatchWriteItem=[Fault("timeout-after")] * 9)
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


def test_an_event_that_waited_behind_a_failing_one_still_has_all_its_own_attempts(
    lane: Callable[[Cloud], None],
) -> None:
    # The first is given up after twelve throttled calls; the second is throttled once after that.
    throttled = [Fault("throttled-400")] * (queues.MAX_ATTEMPTS + 1)
    story = told(lane, ["order.one", "order.one"], PublishBatch=throttled)
    assert texts(story) == ["e01"]
    assert [json.loads(letter.body)["id"] for letter in story.cloud.dead] == ["e00"]
