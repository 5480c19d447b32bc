"""The steps of a lane, each by itself: time, suspicion, settling."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.channels.publication import BUSY as NO_QUOTA
from chalicelib.channels.publication import GONE, LATER, NOT_TRIED, PERSON, REFUSED, Result
from chalicelib.errors import PermanentError
from chalicelib.lanes import invocation
from chalicelib.lanes.invocation import RESERVE_SECONDS, Invocation
from chalicelib.lanes.item import Item
from chalicelib.lanes.queues import Received
from chalicelib.lanes.recall import SUSPICIOUS_RECEIVES, deaths_alone, suspect, suspicious
from chalicelib.lanes.settle import BUSY_WAIT, GIVE_UP_SECONDS, LONGEST_WAIT, OFTEN, settle
from chalicelib.names import Place
from chalicelib.stage import Stage
from chalicelib.store.record import Record, text_of
from tests.factories import record
from tests.unit.aws_model import Clock

AT = "2026-01-01T00:00:00.000Z"
STAGE = Stage("local", lambda _: None, Place("aws", "us-east-1", "123456789012"))


def run(left: list[float] | None = None, moment: datetime | None = None) -> Invocation:
    """An invocation that has so many seconds left, each time that somebody asks."""
    times: Iterator[float] = iter(left or [])
    last = [30.0]

    def remaining() -> int:
        last[0] = next(times, last[0])
        return int(last[0] * 1000)

    found = Invocation(STAGE, "orders", remaining)
    found.now = moment or found.now
    return found


def item(group: str = "g", receives: int = 1, **known: Any) -> Item:
    message = Received.of(record("{}", group=group, receives=receives))
    return Item(message, PermanentError("x", "x"), Record(message.message_id, "/s", **known))


# -- time ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "in_time"),
    [
        ([30, 30, RESERVE_SECONDS], False),  # the last call took 27.5 s
        ([RESERVE_SECONDS] * 3, True),
        ([RESERVE_SECONDS - 0.001] * 3, False),
        ([30, 12.5, 10], True),  # slowest 2.5: 2.5 + 7.5
        ([30, 12.4, 9.899], False),
        ([30, 30, 24], True),  # slowest 6: 2.5 + 18 = 20.5
        ([30, 30, 23], False),  # slowest 7: 23.5
    ],
)
def test_a_channel_is_asked_only_with_time_for_the_slowest_answer_and_a_reserve(
    left: list[float], in_time: bool
) -> None:
    found = run(left)
    found.begin_asking()
    assert found.in_time() is in_time


def test_the_slowest_answer_so_far_counts_not_the_last() -> None:
    found = run([30, 30, 24, 23.9, 20.49])
    found.begin_asking()
    assert [found.in_time() for _ in range(3)] == [True, True, False]


def test_the_ledger_is_left_a_second_less_than_there_is() -> None:
    found = run([30, 9.5])
    assert found.longest == 30
    assert found.left_for_ledger() == 8.5


def test_what_is_written_has_the_time_at_which_the_invocation_began(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(invocation, "time", Clock(1_800_000_000.5))
    found = run()
    assert found.now == datetime(2027, 1, 15, 8, 0, 0, 500_000, tzinfo=UTC)
    assert found.at == "2027-01-15T08:00:00.500Z"


# -- suspicion -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("receives", "accounted", "suspected"),
    [
        (1, 0, False),
        (SUSPICIOUS_RECEIVES, 0, False),
        (SUSPICIOUS_RECEIVES + 1, 0, True),
        (40, 39, False),
        (40, 37, False),
        (40, 36, True),
        (4, 4, False),  # the count of another copy of the message
        (40, 100, False),
    ],
)
def test_a_message_is_suspected_of_what_nobody_can_account_for(
    receives: int, accounted: int, suspected: bool
) -> None:
    found = item(receives=receives)
    found.record.receives = accounted
    assert suspicious(found) is suspected


def test_the_first_of_a_suspected_message_s_key_is_tried() -> None:
    first, second, third = item("a"), item("b", 9), item("a", 9)
    assert suspect([first, third, second]) is first
    assert suspect([first, second, third]) is second
    assert suspect([first]) is None
    assert suspect([]) is None


def test_what_is_settled_or_a_copy_is_not_suspected() -> None:
    done, copy = item("a", 9), item("b", 9)
    done.outcome, copy.twin = "done", done
    assert suspect([done, copy]) is None
    behind = item("a", 9)
    assert suspect([done, copy, behind]) is behind


@pytest.mark.parametrize(
    ("alone", "seconds", "deaths"),
    [
        (0, 0, 0),
        (1, 119.9, 0),
        (1, 120, 1),
        (1, 180, 1),
        (2, 10, 1),
        (2, 200, 2),
    ],
)
def test_an_end_in_order_that_could_not_be_written_is_no_death(
    alone: int, seconds: float, deaths: int
) -> None:
    """After a death the message stays away for six times as long as a worker lives."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    found = item()
    found.record.alone = alone
    found.record.enter("retrying", text_of(moment - timedelta(seconds=seconds)))
    assert deaths_alone(run(moment=moment), found) == deaths


# -- settling --------------------------------------------------------------------------------------

SENT = Result(message_id="m")
BUSY = Result(error="Throttled", fault=LATER)
LOST = Result(error="ReadTimeoutError", fault=LATER, unknown=True)
NO_TOPIC = Result(error="NotFound", fault=PERSON)
BAD = Result(error="InvalidParameter", fault=REFUSED)
DAY = GIVE_UP_SECONDS


@pytest.mark.parametrize(
    ("results", "skips", "outcome", "status", "reason", "detail"),
    [
        ([SENT, SENT], False, "done", "published", "", ""),
        ([SENT, BUSY], False, "kept", "retrying", "retrying", "Throttled (b)"),
        ([BUSY, BUSY], False, "kept", "retrying", "retrying", "Throttled (a, b)"),
        (
            [BUSY, NO_TOPIC],
            False,
            "kept",
            "retrying",
            "needs-mending",
            "Throttled (a); NotFound (b)",
        ),
        ([NO_TOPIC, NO_TOPIC], True, "kept", "retrying", "needs-mending", "NotFound (a, b)"),
        ([SENT, BAD], False, "dead", "", "sns-refused", "InvalidParameter (b)"),
        ([BAD, BUSY], False, "kept", "retrying", "retrying", "InvalidParameter (a); Throttled (b)"),
        ([LOST, SENT], False, "kept", "retrying", "retrying", "ReadTimeoutError (a)"),
        ([LOST, SENT], True, "done", "unknown", "outcome-unknown", "ReadTimeoutError (a)"),
        ([LOST, BUSY], True, "kept", "retrying", "retrying", "Throttled (b)"),
        ([LOST, BAD], True, "dead", "", "sns-refused", "InvalidParameter (b)"),
        ([LOST, LOST], True, "done", "unknown", "outcome-unknown", "ReadTimeoutError (a, b)"),
        ([NOT_TRIED, SENT], False, "kept", "retrying", "retrying", "NotTried (a)"),
    ],
)
def test_each_publication_has_its_own_fate(
    results: list[Result], skips: bool, outcome: str, status: str, reason: str, detail: str
) -> None:
    found = item(unknown=("earlier", "a", "b") if skips else ())
    settle(found, dict(zip("ab", results, strict=True)), DAY - 1, skips, AT)
    if skips and status == "published":
        status = "unknown"
    assert (found.outcome, found.record.status) == (outcome, status)
    assert (found.record.reason, found.record.detail) == (reason, detail)
    assert list(found.record.sent) == [n for n, r in zip("ab", results, strict=True) if r == SENT]
    lost = [n for n, r in zip("ab", results, strict=True) if r == LOST]
    assert list(found.record.unknown) == (["earlier", *lost] if skips else [])
    assert found.record.attempts == (outcome == "kept" and results[0] != NOT_TRIED) + (
        outcome == "dead"
    )
    assert (found.wait is not None) == (outcome == "kept")


def test_what_nobody_knows_from_before_makes_the_outcome_unknown() -> None:
    found = item(unknown=("earlier",))
    settle(found, {"a": SENT}, 0, True, AT)
    assert (found.outcome, found.record.status) == ("done", "unknown")


@pytest.mark.parametrize(
    ("attempts", "age", "outcome"),
    [(10, DAY, "kept"), (11, DAY, "dead"), (11, DAY - 1, "kept"), (100, DAY - 1, "kept")],
)
@pytest.mark.parametrize("result", [BUSY, NO_TOPIC, LOST])
def test_a_day_old_event_with_twelve_attempts_of_its_own_is_given_up(
    result: Result, attempts: int, age: float, outcome: str
) -> None:
    found = item(attempts=attempts)
    settle(found, {"a": result}, age, False, AT)
    assert found.outcome == outcome
    assert found.record.attempts == attempts + 1
    if outcome == "dead":
        assert found.record.reason == "gave-up"
        assert found.record.detail == f"{result.error} (a)"


def test_each_failure_waits_longer() -> None:
    found = item()
    waits = []
    for _ in range(9):
        settle(found, {"a": BUSY}, 0, False, AT)
        waits.append(found.wait)
    assert waits == [1, 2, 4, 8, 16, 32, 64, 120, 120]


def test_what_was_not_tried_for_want_of_time_is_no_attempt() -> None:
    found = item(attempts=3)
    settle(found, {"a": NOT_TRIED}, 0, False, AT)
    assert (found.record.attempts, found.wait) == (3, 4)


@pytest.mark.parametrize(
    ("receives", "wait"), [(1, 1), (3, 4), (OFTEN - 1, LONGEST_WAIT), (OFTEN, BUSY_WAIT)]
)
def test_that_there_is_no_quota_for_a_mail_is_nothing_against_it(receives: int, wait: int) -> None:
    found = item(receives=receives, attempts=11)
    settle(found, {"recipient:email": Result(error="TooMany", fault=NO_QUOTA)}, 6 * DAY, False, AT)
    assert (found.outcome, found.record.status) == ("kept", "retrying")
    assert (found.record.attempts, found.wait) == (11, wait)
    assert found.record.detail == "TooMany (recipient:email)"


def test_what_else_fails_beside_a_mail_without_a_quota_counts() -> None:
    found = item(attempts=11)
    both = {"recipient:email": Result(error="TooMany", fault=NO_QUOTA), "recipient:sms": BUSY}
    settle(found, both, DAY, False, AT)
    assert (found.outcome, found.record.reason) == ("dead", "gave-up")


# -- a device that is gone -------------------------------------------------------------------------

PUSH = "recipient:push/0a1b2c3d"
NO_DEVICE = Result(error="EndpointDisabled", fault=GONE)


def settled(results: dict[str, Result], **known: Any) -> Item:
    found = item(**known)
    settle(found, results, 1.0, False, AT)
    return found


def test_who_has_no_such_device_any_more_is_told_by_the_others() -> None:
    found = settled({PUSH: NO_DEVICE, "recipient:email": Result(message_id="m")})
    assert (found.outcome, found.record.status) == ("done", "published")
    assert found.record.withheld == {PUSH: "endpoint-gone"}
    assert found.record.sent == {"recipient:email": "m"}


def test_where_that_was_the_only_one_nobody_was_told() -> None:
    found = settled({PUSH: NO_DEVICE})
    assert (found.outcome, found.record.status) == ("done", "suppressed")
    assert found.record.reason == "endpoint-gone"


def test_a_first_of_form_that_chose_it_chooses_anew() -> None:
    text = "recipient:push|sms"
    found = settled({PUSH: NO_DEVICE}, chosen={text: "push", "recipient:sms|email": "sms"})
    assert (found.outcome, found.record.status) == ("kept", "retrying")
    assert found.record.chosen == {"recipient:sms|email": "sms"}
    assert found.record.withheld == {PUSH: "endpoint-gone"}


def test_a_mail_that_is_refused_is_so_by_ses_and_anything_else_by_sns() -> None:
    refused = Result(error="x", fault=REFUSED)
    assert settled({"recipient:email": refused}).record.reason == "ses-refused"
    assert settled({"person:a:email": refused}).record.reason == "ses-refused"
    assert settled({"recipient:sms": refused}).record.reason == "sns-refused"
    assert (
        settled({"recipient:sms": refused, "recipient:email": refused}).record.reason
        == "sns-refused"
    )
