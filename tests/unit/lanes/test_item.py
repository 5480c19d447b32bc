"""chalicelib/lanes/item.py: when an event was accepted, whichever way it came."""

from __future__ import annotations

import pytest

from chalicelib.lanes.item import Item
from chalicelib.lanes.queues import Received

SENT = "2026-12-04T10:00:00.000Z"
EARLIER = "2026-12-04T09:00:00.000Z"
LATER = "2026-12-04T11:00:00.000Z"


@pytest.mark.parametrize(
    ("timeline", "accepted"),
    [
        ([], SENT),
        ([f"{EARLIER} accepted"], EARLIER),
        ([f"{LATER} retrying"], SENT),
        # Past the door, failed, and redriven since.
        ([f"{EARLIER} retrying", f"{EARLIER} failed"], EARLIER),
    ],
)
def test_an_event_was_accepted_when_it_was_first_heard_of(
    timeline: list[str], accepted: str
) -> None:
    body = '{"type": "order.shipped", "data": {}}'
    item = Item.of(Received("m", "r", body, "g", 1, {}, sent_at=1796378400.0), "orders")
    item.record.timeline = timeline
    assert item.accepted == accepted
