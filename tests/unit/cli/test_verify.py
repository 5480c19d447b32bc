"""./heraldo verify: what arrivals say, and what it refuses to begin with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chalicelib import names
from chalicelib.rules import reading
from cli.verify import figures, marks
from cli.verify.listener import Arrival
from cli.verify.marks import Mark
from cli.verify.report import Check, Report
from cli.verify.run import Run
from tests.factories import ACCOUNT
from tests.unit.cli.account import STAGE, Account

NOW = datetime(2026, 11, 26, 9, 15, tzinfo=UTC)


def arrival(number: int, told: float, came: float, message_id: str = "", key: str = "k") -> Arrival:
    return Arrival(Mark("burst", key, number), message_id or f"m{key}{number}", told, came, number)


@pytest.mark.parametrize(
    ("percent", "value"), [(50, 5.0), (95, 10.0), (99, 10.0), (1, 1.0), (10, 1.0), (11, 2.0)]
)
def test_a_percentile_is_a_value_that_was_measured(percent: int, value: float) -> None:
    assert figures.percentile([float(n) for n in range(10, 0, -1)], percent) == value


def test_percentiles_of_one_are_that_one() -> None:
    assert figures.percentiles([0.0215]) == {"p50": 22, "p95": 22, "p99": 22}


def test_order_is_that_in_which_sns_was_told() -> None:
    told_late = [arrival(1, 2.0, 5.0), arrival(2, 1.0, 6.0), arrival(1, 9.0, 1.0, key="other")]
    assert [mark.number for mark in figures.overtaken(told_late)] == [1]
    assert figures.swapped(told_late) == []
    handed_over_late = [arrival(1, 1.0, 6.0), arrival(2, 2.0, 5.0)]
    assert figures.overtaken(handed_over_late) == []
    assert [mark.number for mark in figures.swapped(handed_over_late)] == [1]


def test_of_what_sns_was_told_at_one_time_it_counts_when_sqs_had_it() -> None:
    """The local AWS knows whole seconds."""
    assert figures.overtaken([arrival(1, 1.0, 1.5), arrival(2, 1.0, 1.6)]) == []
    assert len(figures.overtaken([arrival(1, 1.0, 1.6), arrival(2, 1.0, 1.5)])) == 1


def test_twice_is_either_heraldo_or_sns() -> None:
    came = [arrival(1, 1, 1), arrival(1, 1, 1), arrival(2, 1, 1), arrival(2, 2, 2, "another")]
    found = figures.sort(came)
    assert {mark.number for mark in found.published_twice} == {2}
    # The very same message is one arrival; another object with its id came a second time.
    assert {mark.number for mark in found.delivered_twice} == {1}
    assert len(found.once) == 2


def test_an_event_is_known_again_by_its_words() -> None:
    run, mark = marks.run_name(NOW), Mark("burst", "k7", 42)
    words = f"Something was sent.\n\n{run} burst k7 42\n\nAbedul\nhttps://abedul.example\n"
    assert marks.read(words) == (run, mark)
    assert mark.event(run)["data"] == {"run": run, "part": "burst", "key": "k7", "number": 42}
    assert mark.event(run)["expirytime"] == "2026-11-26T09:45:00.000Z"
    assert mark.event(run) == mark.event(run), "sent again, it is the same"


@pytest.mark.parametrize("words", ["", "nothing", "20261126t091500-3f9a1c burst k7", "a b c 1"])
def test_other_words_are_nobodys(words: str) -> None:
    assert marks.read(words) is None


def test_a_run_says_when_it_began_and_is_over_half_an_hour_later() -> None:
    run = marks.run_name(NOW)
    assert marks.begun(f"heraldo-dev-verify-{run}", "heraldo-dev-verify-") == NOW
    assert not marks.is_over(marks.begun(run), NOW + timedelta(minutes=29))
    assert marks.is_over(marks.begun(run), NOW + timedelta(minutes=31))
    for name in ("heraldo-dev-verify-me", "20269926t091500-3f9a1c", ""):
        assert marks.begun(name, "heraldo-dev-verify-" if name else "") is None
        assert not marks.is_over(None, NOW)


class Door(Account):
    """A stage whose API has one answer."""

    def __init__(self, status: int, answer: Any, answers: Mapping[str, Any]) -> None:
        super().__init__(answers)
        self._said = status, answer
        self.asked: list[str] = []

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        del body
        self.asked.append(f"{method} {path}")
        return self._said


RUN = marks.run_name(NOW)
PLAN: dict[str, Any] = {
    "lane": "reminders",
    "destinations": ["topic:verify"],
    "rules": [{"name": "verify", "matched": True}],
    "messages": [{"bodies": {"default": f"Words.\n\n{RUN} delivery k 1\n"}}],
}
PROBLEM = {"errors": [{"field": "type", "problem": "is not a known event type"}]}


def first(
    status: int, answer: Any, subscriptions: list[Any] | None = None
) -> tuple[list[Check], Door]:
    listed = {"ListSubscriptionsByTopic": {"Subscriptions": subscriptions or []}}
    door = Door(status, answer, listed | {"DescribeAlarms": {"MetricAlarms": []}})
    rules = reading.read(reading.FILE, STAGE)
    target: Any = door
    run = Run(target, rules, RUN, 10, 1, lambda _: None)
    return list(run.checks()), door


@pytest.mark.parametrize(
    ("status", "answer", "said"),
    [
        (422, PROBLEM, "knows no heraldo.verify that can be sent (type is not a known event type)"),
        (403, {"detail": "The key is not for this type."}, "the door refuses heraldo.verify"),
        (200, PLAN | {"destinations": [], "rules": []}, "a rule with pattern.type"),
        (
            200,
            PLAN
            | {
                "destinations": ["topic:verify", "topic:company", "webhook:erp"],
                "rules": [*PLAN["rules"], {"name": "archive", "matched": True}],
            },
            "it would reach topic:company, webhook:erp, too (rules: archive). Nothing was sent",
        ),
        (200, PLAN | {"starts": ["abandoned-cart"]}, "it would reach abandoned-cart, too"),
        (
            200,
            PLAN | {"held": {"until": "2026-11-26T10:00:00Z", "why": "quiet-hours"}},
            'category = "alerts"',
        ),
        (200, PLAN | {"messages": [{"bodies": {"default": "Words."}}]}, "has lost the line"),
    ],
)
def test_where_it_would_touch_others_or_not_come_back_nothing_is_sent(
    status: int, answer: Any, said: str
) -> None:
    checks, door = first(status, answer)
    assert checks[0].passed is False
    assert said in checks[0].said
    assert {check.passed for check in checks[1:-1]} == {None}
    assert door.asked == ["POST /events?dry_run=true"]


def test_nobody_else_may_hear_the_topic_not_even_unconfirmed() -> None:
    heard = {
        "SubscriptionArn": "PendingConfirmation",
        "Protocol": "email",
        "Endpoint": "ana@x.example",
    }
    checks, door = first(200, PLAN, [heard])
    assert "ana@x.example hears the topic verify, too" in checks[0].said
    assert "--stage dev shows who" in checks[0].said
    assert door.asked == ["POST /events?dry_run=true"]


def test_the_queues_of_other_runs_may_hear_it() -> None:
    queue = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:heraldo-dev-verify-20261126t091500-3f9a1c"
    checks, _ = first(
        200, PLAN, [{"SubscriptionArn": "arn:x", "Protocol": "sqs", "Endpoint": queue}]
    )
    assert checks[0] == Check(
        "plan", True, "by lane reminders to topic verify, which nobody else hears"
    )
    assert checks[1].said == "the door did not take it: 200 no reason"


def test_a_report_is_kept_whole(tmp_path: Path) -> None:
    check = Check("latency", True, "p50 9 ms", {"p50": 9})
    report = Report("dev", ACCOUNT, "eu-west-1", RUN, "2026-11-26T09:15:00Z", 61.5, False, [check])
    kept = json.loads(report.keep(tmp_path / "verify").read_text("utf-8"))
    assert kept["passed"]
    assert kept["checks"] == [
        {"name": "latency", "passed": True, "said": "p50 9 ms", "figures": {"p50": 9}}
    ]
    untried = Check("poison", None, "not tried")
    assert not Report(*report_facts(report), [check, untried]).passed
    assert not Report(*report_facts(report)[:-1], True, [check]).passed


def report_facts(report: Report) -> list[Any]:
    return [
        *(report.stage, report.account, report.region, report.run),
        *(report.began, report.took_seconds, report.interrupted),
    ]


def test_its_type_reaches_its_topic_by_the_rules_that_ship() -> None:
    rules = reading.read(reading.FILE, STAGE)
    assert names.VERIFY in rules.topics
    assert rules.lane(names.VERIFY_TYPE) == "reminders"
