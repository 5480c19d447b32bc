"""chalicelib/plan/preferences.py: the most specific word wins."""

from __future__ import annotations

import pytest

from chalicelib.plan.preferences import wants
from chalicelib.rules.routing import Category


@pytest.mark.parametrize(
    ("stage", "category", "own", "found"),
    [
        ({}, {}, {}, True),
        ({"sms": False}, {}, {}, False),
        ({"sms": False}, {"sms": True}, {}, True),
        ({"sms": True}, {"sms": False}, {}, False),
        ({}, {"sms": False}, {"offers": {"sms": True}}, True),
        ({}, {"sms": True}, {"offers": {"sms": False}}, False),
        ({}, {}, {"offers": {"email": False}}, True),
        ({}, {}, {"orders": {"sms": False}}, True),
    ],
)
def test_a_person_s_word_comes_before_the_category_s_and_that_before_the_stage_s(
    stage: dict[str, bool],
    category: dict[str, bool],
    own: dict[str, dict[str, bool]],
    found: bool,
) -> None:
    assert wants("sms", Category("offers", channels=category), stage, own) is found


def test_what_is_critical_cannot_be_switched_off() -> None:
    critical = Category("alerts", critical=True, channels={"sms": False})
    assert wants("sms", critical, {"sms": False}, {"alerts": {"sms": False}})
