"""chalicelib/rules/hours.py: when a category may be sent, whatever clocks do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.rules.hours import DAYS, QUIET_HOURS, SEND_WINDOW, Hours, read

ZONES = (
    "America/Argentina/Buenos_Aires",  # clocks do not change
    "America/Santiago",  # they change at midnight
    "Europe/Madrid",
    "Pacific/Apia",  # 30 December 2011 was left out
    "Australia/Lord_Howe",  # by half an hour
)
NIGHT = "22:00-08:00"


def hours(quiet: object = (), window: object = ()) -> Hours:
    found = read(quiet, window)
    assert found is not None
    return found


def moment(text: str, zone: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


@pytest.mark.parametrize(
    ("quiet", "window", "now", "why", "opens"),
    [
        (NIGHT, (), "2026-03-02T21:59", "", "2026-03-02T21:59"),
        (NIGHT, (), "2026-03-02T22:00", QUIET_HOURS, "2026-03-03T08:00"),
        (NIGHT, (), "2026-03-03T03:00", QUIET_HOURS, "2026-03-03T08:00"),
        (NIGHT, (), "2026-03-03T08:00", "", "2026-03-03T08:00"),
        ((), "mon-fri 09:00-20:00", "2026-03-06T20:00", SEND_WINDOW, "2026-03-09T09:00"),
        ((), ["mon-fri 09:00-20:00", "sat 10:00-14:00"], "2026-03-06T20:00", SEND_WINDOW, "2026-03-07T10:00"),
        ("13:00-15:00", "mon-fri 09:00-20:00", "2026-03-06T13:30", QUIET_HOURS, "2026-03-06T15:00"),
        ("08:00-10:00", "mon-fri 09:00-20:00", "2026-03-06T07:00", SEND_WINDOW, "2026-03-06T10:00"),
        ((), "fri-mon 22:00-02:00", "2026-03-03T02:00", SEND_WINDOW, "2026-03-06T22:00"),
        ((), "fri-mon 22:00-02:00", "2026-03-03T01:59", "", "2026-03-03T01:59"),
        ("sun 00:00-24:00", (), "2026-03-08T12:00", QUIET_HOURS, "2026-03-09T00:00"),
        ("sat,sun 00:00-24:00", (), "2026-03-07T12:00", QUIET_HOURS, "2026-03-09T00:00"),
    ],
)  # fmt: skip
def test_what_comes_at_a_bad_time_waits_for_the_next_good_one(
    quiet: object, window: object, now: str, why: str, opens: str
) -> None:
    found, zone = hours(quiet, window), ZoneInfo("Europe/Madrid")
    at = moment(now, "Europe/Madrid")
    assert found.closed_by(at, zone) == why
    assert found.opens(at, zone) == moment(opens, "Europe/Madrid")


@pytest.mark.parametrize(
    ("zone", "span", "now", "opens"),
    [
        # Midnight is left out, and the day begins at one.
        ("America/Santiago", "22:00-00:00", "2026-09-06T02:30+00:00", "2026-09-06T04:00+00:00"),
        # An hour comes twice, and is quiet twice.
        ("America/Santiago", "23:00-00:00", "2026-04-05T02:30+00:00", "2026-04-05T04:00+00:00"),
        ("Europe/Madrid", "01:00-02:30", "2026-10-25T00:10+00:00", "2026-10-25T00:30+00:00"),
        ("Europe/Madrid", "01:00-02:30", "2026-10-25T01:10+00:00", "2026-10-25T01:30+00:00"),
        # The time at which it ends is left out.
        ("Europe/Madrid", "22:00-02:30", "2026-03-28T23:00+00:00", "2026-03-29T01:00+00:00"),
        # So is the day on which it ends.
        ("Pacific/Apia", "22:00-08:00", "2011-12-30T09:00+00:00", "2011-12-30T18:00+00:00"),
    ],
)
def test_clocks_that_change_are_read_as_they_hang_on_the_wall(
    zone: str, span: str, now: str, opens: str
) -> None:
    found = hours(span).opens(datetime.fromisoformat(now), ZoneInfo(zone))
    assert found == datetime.fromisoformat(opens)


TIMES = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.sampled_from((0, 15, 30, 45, 59)))
SPANS = st.builds("{}-{}".format, TIMES, TIMES)
WEEKLY = st.builds("{}-{} {}".format, st.sampled_from(DAYS), st.sampled_from(DAYS), SPANS)
# The days around a change of clocks, and any others.
CHANGES = st.sampled_from(
    ("2025-09-06", "2026-04-04", "2026-03-28", "2026-10-24", "2011-12-29", "2026-10-03")
).map(datetime.fromisoformat)
MOMENTS = st.one_of(
    st.datetimes(datetime(2010, 1, 1), datetime(2037, 1, 1)),
    st.builds(lambda day, ahead: day + ahead, CHANGES, st.timedeltas(timedelta(0), timedelta(3))),
)


@settings(max_examples=300, deadline=None)
@given(
    quiet=st.lists(SPANS, max_size=2),
    window=st.lists(WEEKLY, max_size=2),
    now=MOMENTS,
    zone=st.sampled_from(ZONES),
)
def test_it_opens_at_the_first_minute_that_is_open_on_the_wall(
    quiet: list[str], window: list[str], now: datetime, zone: str
) -> None:
    try:
        found = read(quiet, window)
    except ValueError:
        return  # spans of no length, or no time left
    if found is None:
        return
    clock, now = ZoneInfo(zone), now.replace(tzinfo=UTC)
    opens = found.opens(now, clock)
    assert opens >= now
    assert not found.closed_by(opens, clock)
    while now < opens:
        assert found.closed_by(now, clock), now
        now = (now + timedelta(minutes=1)).replace(second=0, microsecond=0)
