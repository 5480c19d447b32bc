"""chalicelib/store/stops.py: when nothing is sent to an address any more."""

from __future__ import annotations

import pytest

from chalicelib.store import stops
from chalicelib.store.people import ADDRESS, Person

SOFT, HARD, COMPLAINT, DELIVERY = (
    stops.SOFT_BOUNCE,
    stops.HARD_BOUNCE,
    stops.COMPLAINT,
    stops.DELIVERY,
)


@pytest.mark.parametrize(
    ("effects", "reason", "count"),
    [
        ([DELIVERY], "", 0),
        ([HARD], "hard-bounce", 0),
        ([COMPLAINT], "complaint", 0),
        ([SOFT] * 4, "", 4),
        ([SOFT] * 5, "soft-bounces", 0),
        ([SOFT] * 4 + [DELIVERY] + [SOFT] * 4, "", 4),
        ([SOFT] * 4 + [DELIVERY] + [SOFT] * 5, "soft-bounces", 0),
        ([HARD, DELIVERY], "hard-bounce", 0),
        ([HARD, COMPLAINT], "complaint", 0),
        ([COMPLAINT, HARD], "complaint", 0),
        ([SOFT] * 5 + [HARD], "hard-bounce", 0),
    ],
)
def test_an_address_is_stopped_for_the_gravest_that_happened(
    effects: list[str], reason: str, count: int
) -> None:
    known = Person("1f", ADDRESS)
    for effect in effects:
        known = stops.after(known, "1f", effect, "2026-11-22T10:00:00Z", "General")
    stop = known.stopped.get("email")
    assert (stop.reason if stop else "", known.soft.get("email", 0)) == (reason, count)


def test_what_is_lifted_counts_from_the_beginning() -> None:
    known = Person("1f", ADDRESS, soft={"email": 4})
    assert stops.lift(known, "email")
    assert not stops.lift(known, "email")
    after = stops.after(known, "1f", SOFT, "2026-11-22T10:00:00Z", "")
    assert not after.stopped
