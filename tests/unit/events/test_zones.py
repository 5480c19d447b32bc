"""chalicelib/events/zones.py: time zones by the names that they have today."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from chalicelib.events import zones


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("America/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ("Europe/Madrid", "Europe/Madrid"),
        ("Pacific/Apia", "Pacific/Apia"),
        ("UTC", "Etc/UTC"),
        ("europe/madrid", None),
        ("../etc/passwd", None),
        ("", None),
    ],
)
def test_a_zone_has_one_name(given: str, found: str | None) -> None:
    assert zones.canonical(given) == found


def test_every_name_leads_to_a_zone_that_there_is() -> None:
    for name, zone in zones._names().items():
        assert zones.canonical(zone) == zone, name
        assert ZoneInfo(zone)


def test_what_was_meant_is_offered() -> None:
    assert zones.zone_problem("Europe/Madird") == "is no time zone; did you mean Europe/Madrid?"
    assert zones.zone_problem("x") == "is no time zone, such as Europe/Madrid"
