"""chalicelib/store/record.py and statuses.py: what is kept of an event, and what its statuses mean."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from chalicelib.store.record import Record, from_item, text_of, to_item
from chalicelib.store.statuses import STATUSES
from cli.paths import ROOT


def test_the_guide_says_of_every_status_what_it_means() -> None:
    guide = (ROOT / "docs" / "api.md").read_text("utf-8")
    rows = "".join(f"| `{status}` | {about} |\n" for status, about in STATUSES.items())
    assert rows in guide


def test_a_record_is_read_as_it_was_written() -> None:
    record = Record(
        "i",
        "/s",
        "unknown",
        "order.once",
        "orders",
        timeline=["2026-01-01T00:00:00.000Z accepted", "2026-01-01T00:00:01.000Z unknown"],
        rules=("a", "b"),
        sent={"topic:users/es": "m"},
        unknown=("topic:company/es", "topic:company/en"),
        template="v1 v2",
        reason="outcome-unknown",
        detail="it may",
        attempts=3,
        receives=7,
        alone=1,
        turn="t",
        fields="f",
        test=True,
        sender="shop",
    )
    assert from_item(to_item(record, "1")) == record
    empty = Record("i", "/s", "accepted")
    assert from_item(to_item(empty, "1")) == empty
    assert to_item(empty, "17")["expires"] == {"N": "17"}


@pytest.mark.parametrize(
    ("entered", "kept"),
    [
        ("accepted published", "accepted0 published1"),
        ("accepted retrying retrying retrying", "accepted0 retrying1 retrying3"),
        ("retrying retrying retrying published", "retrying0 retrying2 published3"),
        ("failed failed failed", "failed0 failed1 failed2"),
        ("failed retrying failed retrying", "failed0 retrying1 failed2 retrying3"),
        (
            "accepted publishing retrying publishing retrying publishing retrying unknown",
            "accepted0 publishing1 publishing5 retrying6 unknown7",
        ),
        (
            "accepted retrying publishing retrying publishing",
            "accepted0 retrying1 retrying3 publishing4",
        ),
    ],
)
def test_a_timeline_keeps_the_beginning_and_the_latest_of_a_long_wait(
    entered: str, kept: str
) -> None:
    record = Record("i", "/s")
    for number, status in enumerate(entered.split()):
        record.enter(status, f"t{number}")
    found = [line.split(" ") for line in record.timeline]
    assert [f"{status}{at[1:]}" for at, status in found] == kept.split()
    assert record.status == entered.split()[-1]


def test_a_record_tells_since_when_it_has_its_status() -> None:
    record = Record("i", "/s")
    assert record.since() is None
    moment = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
    record.enter("retrying", text_of(moment))
    assert record.since() == moment
    assert text_of(moment) == "2026-01-02T03:04:05.678Z"
