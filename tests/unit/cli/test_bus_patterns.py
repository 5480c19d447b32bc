"""Which stage's rules on EventBridge take an event: the one that it is meant for, and never two."""

from __future__ import annotations

import json
from typing import Any

import pytest
from moto.events.models import EventPattern

from chalicelib.door.envelope import ALARM_DETAIL_TYPE, DETAIL_TYPE
from chalicelib.rules.patterns import Pattern, compile_pattern
from cli.deploy import resources
from cli.paths import ROOT
from cli.stages import load, stages

# Stages of one account: `local` is on a machine of its own.
STAGES = load(
    """\
[local]
unnamed_events = true
[dev]
unnamed_events = true
alarm_prefixes = ["shop-test-"]
[dev2]
[prod]
alarm_prefixes = ["shop-live-", "checkout"]
"""
)
ACCOUNT = ("dev", "dev2", "prod")


def matches(pattern: dict[str, Any], event: dict[str, Any]) -> bool:
    """By our own matcher, and by moto's wherever that knows what is asked."""
    found = compile_pattern(pattern)
    assert isinstance(found, Pattern)
    ours = found.explain(event) is None
    theirs = EventPattern.load(json.dumps(pattern)).matches_event(event)
    assert ours == bool(theirs) or event.get("detail", {}).get("stage", "") is None
    return ours


def takers(event: dict[str, Any]) -> list[str]:
    return [
        name
        for name in ACCOUNT
        if matches(resources.events_pattern(STAGES[name], STAGES), event)
        or matches(resources.alarms_pattern(STAGES[name]), event)
    ]


def put(**detail: Any) -> dict[str, Any]:
    return {"source": "shop", "detail-type": DETAIL_TYPE, "detail": {"type": "x", **detail}}


def alarm(name: str, source: str = "aws.cloudwatch") -> dict[str, Any]:
    return {"source": source, "detail-type": ALARM_DETAIL_TYPE, "detail": {"alarmName": name}}


@pytest.mark.parametrize(
    ("event", "taken_by"),
    [
        (put(stage="dev"), ["dev"]),
        (put(stage="dev2"), ["dev2"]),
        (put(stage="prod"), ["prod"]),
        (put(stage="local"), []),
        (put(), ["dev"]),
        (put(stage=None), ["dev"]),
        (put(stage="prdo"), ["dev"]),  # which says that there is no such stage
        (put(stage="Prod"), ["dev"]),
        ({**put(stage="dev"), "detail-type": "Another Event"}, []),
        (alarm("heraldo-dev-orders-delayed"), ["dev"]),
        (alarm("heraldo-dev2-orders-delayed"), ["dev2"]),
        (alarm("heraldo-prod-errors"), ["prod"]),
        (alarm("shop-live-stock"), ["prod"]),
        (alarm("checkout"), ["prod"]),
        (alarm("shop-test-stock"), ["dev"]),
        (alarm("database-full"), []),
        (alarm("heraldo-prod-errors", source="shop"), []),
    ],
)
def test_an_event_is_taken_by_the_one_stage_that_it_is_meant_for(
    event: dict[str, Any], taken_by: list[str]
) -> None:
    assert takers(event) == taken_by


def test_the_template_has_the_patterns_of_its_stage() -> None:
    found = resources.infrastructure("local", ROOT)["Resources"]
    declared = stages()
    for rule, wanted in (
        ("EventsRule", resources.events_pattern(declared["local"], declared)),
        ("AlarmsRule", resources.alarms_pattern(declared["local"])),
    ):
        assert found[rule]["Properties"]["EventPattern"] == wanted
        [target] = found[rule]["Properties"]["Targets"]
        assert target["Arn"] == {"Fn::GetAtt": ["BusQueue", "Arn"]}
        assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["BusDeadQueue", "Arn"]}}
