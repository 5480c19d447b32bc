"""`./heraldo plan`: what would happen to an event, now or at any other moment."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from chalicelib.rules import reading
from cli.commands.plan import command


@pytest.fixture(autouse=True)
def quiet_promotions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The shipped rules, with quiet hours for advertising, and alerts gathered until the morning."""
    text = reading.FILE.read_text("utf-8")
    assert "commercial = true }" in text
    alerts = 'to = ["topic:alerts", "topic:company"]'
    assert alerts in text
    text = text.replace(alerts, f'{alerts}\ndigest = {{ at = "08:00", key = "type" }}')
    file = tmp_path / "routing.toml"
    file.write_text(
        text.replace("commercial = true }", 'commercial = true, quiet = "21:00-09:00" }')
    )
    monkeypatch.setattr(reading, "FILE", file)
    reading.routing.cache_clear()


@pytest.fixture(autouse=True, scope="module")
def rules_of_others() -> Iterator[None]:
    yield
    reading.routing.cache_clear()


def run(*options: str) -> Result:
    return CliRunner().invoke(command, ["promotion.started", *options])


def test_it_says_until_when_an_event_of_the_night_waits_and_what_stops_it() -> None:
    result = run("--at", "2026-12-24T23:30-03:00", "--time-zone", "America/Santiago")
    assert result.exit_code == 0
    assert "held until 2026-12-25T12:00:00.000Z, 2026-12-25T09:00-03:00 there" in result.output
    assert "./heraldo cancel ID" in result.output


@pytest.mark.parametrize(
    ("at", "held"),
    [("2026-12-24T20:59", None), ("2026-12-24T21:00", "2026-12-25T08:00:00.000Z")],
)
def test_a_moment_without_a_zone_is_on_the_shops_clock(at: str, held: str | None) -> None:
    result = run("--at", at, "--json")
    assert json.loads(result.output).get("held", {}).get("until") == held


def test_it_says_until_when_a_rule_gathers_an_event_and_for_whom() -> None:
    result = CliRunner().invoke(command, ["critical.alert", "--at", "2026-12-24T23:30"])
    assert result.exit_code == 0
    told = "rule critical gathers it until 2026-12-25T07:00:00.000Z, 2026-12-25T08:00+01:00 there"
    assert told in result.output
    assert "for topic:alerts, topic:company: it is the first of its digest" in result.output
    assert "✓ critical → topic:alerts in a digest, topic:company in a digest" in result.output
    assert "Nobody" not in result.output


def test_what_expires_before_it_may_go_out_is_said_to() -> None:
    expiry = ("--at", "2026-12-24T23:30", "--expirytime", "2027-01-01T00:00:00Z")
    assert json.loads(run(*expiry, "--json").output)["suppressed"] is None
    expiry = ("--at", "2026-12-31T23:30", "--expirytime", "2027-01-01T00:00:00Z")
    assert json.loads(run(*expiry, "--json").output)["suppressed"] == "expired"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--at", "2026-02-30T10:00"), "write a date and time that exist"),
        (("--at", "tomorrow"), "write a date and time that exist"),
        (("--time-zone", "America/Santigo"), "did you mean America/Santiago?"),
    ],
)
def test_a_moment_or_a_zone_that_there_is_not_is_refused(
    options: tuple[str, str], said: str
) -> None:
    result = run(*options)
    assert result.exit_code == 2
    assert said in result.output
