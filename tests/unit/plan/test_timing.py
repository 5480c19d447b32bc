"""chalicelib/plan/timing.py: when an event goes out, by its own time, its category's hours and whose clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from chalicelib.events.event import Event, parse
from chalicelib.plan.reach import Known
from chalicelib.plan.timing import BEHIND, Wait, waits
from chalicelib.rules import hours
from chalicelib.rules.routing import Category
from chalicelib.store.people import Person

SHOP = ZoneInfo("Europe/Madrid")
NIGHTLY = Category("offers", hours=hours.read("22:00-08:00", ()))
LATE = datetime(2026, 3, 2, 23, 0, tzinfo=SHOP)
MORNING = datetime(2026, 3, 3, 8, 0, tzinfo=SHOP)


def event(**more: Any) -> Event:
    return parse({"id": "e-1", "source": "/s", "type": "offer.published", "data": {}, **more})


def known(time_zone: str) -> Known:
    return Known({"c-1": Person("c-1", time_zone=time_zone)})


def wait(found: Event, now: datetime = LATE, of: Known | None = None, **more: Any) -> Wait | None:
    return waits(found, more.pop("category", NIGHTLY), of or Known(), SHOP, now, **more)


def test_what_comes_at_night_waits_for_the_morning_on_the_shops_clock() -> None:
    assert wait(event()) == Wait(MORNING.astimezone(UTC), "quiet-hours")
    assert wait(event(), MORNING + timedelta(hours=1)) is None


def test_the_recipients_clock_comes_first() -> None:
    found = wait(event(recipient="c-1"), of=known("America/Santiago"))
    assert found is None  # it is seven in the evening there
    late = datetime(2026, 3, 2, 23, 30, tzinfo=ZoneInfo("America/Santiago"))
    found = wait(event(recipient="c-1"), late, known("America/Santiago"))
    assert found is not None
    assert found.until == datetime(2026, 3, 3, 11, tzinfo=UTC)


@pytest.mark.parametrize("time_zone", ["", "Europe/Madrid"])
def test_somebody_who_says_no_zone_has_the_shops(time_zone: str) -> None:
    assert wait(event(recipient="c-1"), of=known(time_zone)) is not None


def test_what_is_critical_waits_for_no_hours() -> None:
    critical = Category("alerts", critical=True, hours=NIGHTLY.hours)
    assert wait(event(), category=critical) is None


def test_its_own_time_comes_before_the_hours() -> None:
    found = wait(event(deliverat="2026-03-03T03:00:00+01:00"))
    assert found == Wait(datetime(2026, 3, 3, 2, tzinfo=UTC), "deliverat")
    found = wait(event(deliverat="2026-03-03T03:00:00+01:00"), datetime(2026, 3, 3, 2, tzinfo=UTC))
    assert found == Wait(MORNING.astimezone(UTC), "quiet-hours")


@pytest.mark.parametrize(
    ("expiry", "expires"), [("07:59", True), ("08:00", True), ("08:01", False)]
)
def test_what_has_no_point_any_more_by_then_is_told_at_once(expiry: str, expires: bool) -> None:
    found = wait(event(expirytime=f"2026-03-03T{expiry}:00+01:00"))
    assert found is not None
    assert found.expires is expires


def test_what_comes_as_the_hours_begin_goes_behind_what_waited_for_them() -> None:
    just = MORNING + timedelta(seconds=30)
    assert wait(event(), just) == Wait(MORNING.astimezone(UTC), "quiet-hours")
    assert wait(event(), MORNING + BEHIND) is None


def test_what_was_woken_does_not_wait_again() -> None:
    assert wait(event(), MORNING + timedelta(seconds=30), woken=True) is None
