"""chalicelib/relay/webhooks.py: what becomes of a post, by its answer and its age."""

from __future__ import annotations

import pytest

from chalicelib.relay.posting import Answer
from chalicelib.relay.webhooks import GIVE_UP_SECONDS, LONGEST_WAIT, Fate, fate
from chalicelib.store import statuses

YOUNG, OLD = 60.0, float(GIVE_UP_SECONDS)
DAY = 24 * 3600.0


def waiting(seconds: float, detail: str) -> Fate:
    return Fate(statuses.DELAYED, detail, wait=seconds)


def dead(reason: str, detail: str) -> Fate:
    return Fate(statuses.REJECTED, detail, reason=reason)


@pytest.mark.parametrize(
    ("answer", "age", "found"),
    [
        (Answer(200), YOUNG, Fate(statuses.DELIVERED, "200")),
        (Answer(204), OLD, Fate(statuses.DELIVERED, "204")),
        (Answer(299), YOUNG, Fate(statuses.DELIVERED, "299")),
        # Nothing else is a yes: what is refused now may be mended in three days.
        *((Answer(status), YOUNG, waiting(60, str(status))) for status in (
            101, 300, 301, 302, 307, 400, 401, 403, 404, 409, 413, 422, 429, 500, 502, 503, 504
        )),
        *((Answer(why=why), YOUNG, waiting(60, why)) for why in (
            "timeout", "refused", "certificate", "no-such-host", "not-public", "no-secret"
        )),
        (Answer(410), 0.0, dead("receiver-gone", "410")),
        (Answer(410), OLD, dead("receiver-gone", "410")),
        # As long again as it has waited, within bounds.
        (Answer(500), 0.0, waiting(5, "500")),
        (Answer(500), 4.0, waiting(5, "500")),
        (Answer(500), 3600.0, waiting(3600, "500")),
        (Answer(500), DAY, waiting(LONGEST_WAIT, "500")),
        (Answer(500), OLD - 1, waiting(LONGEST_WAIT, "500")),
        (Answer(500), OLD, dead("gave-up", "500")),
        (Answer(why="timeout"), OLD, dead("gave-up", "timeout")),
        # Who says when to come again is heard, within the same bounds.
        (Answer(429, retry_after=120), YOUNG, waiting(120, "429")),
        (Answer(503, retry_after=1), YOUNG, waiting(5, "503")),
        (Answer(503, retry_after=30), DAY, waiting(30, "503")),
        (Answer(503, retry_after=10 * DAY), YOUNG, waiting(LONGEST_WAIT, "503")),
        (Answer(500, retry_after=120), YOUNG, waiting(60, "500")),
        (Answer(503, retry_after=120), OLD, dead("gave-up", "503")),
    ],
)  # fmt: skip
def test_what_becomes_of_a_post(answer: Answer, age: float, found: Fate) -> None:
    assert fate(answer, age) == found


def test_a_receiver_that_is_gone_is_asked_over_three_days_and_more_and_more_rarely() -> None:
    """SQS keeps a message 14 days, and hands it out a thousand times: this is well within both."""
    age, waits = 0.0, []
    while (found := fate(Answer(why="refused"), age)).wait is not None:
        waits.append(found.wait)
        age += found.wait
    assert waits == sorted(waits)
    assert 18 <= len(waits) <= 24
    assert GIVE_UP_SECONDS <= age <= GIVE_UP_SECONDS + LONGEST_WAIT
