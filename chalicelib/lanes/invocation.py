"""One invocation of a lane: where it runs, by which rules, and how much of its time is left."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from chalicelib.plan.fate import Fates
from chalicelib.plan.reach import Known
from chalicelib.rules.reading import routing
from chalicelib.stage import Stage
from chalicelib.store.record import text_of
from chalicelib.store.run import Run, RunKey
from chalicelib.words.render import templates

# A channel is asked only with this much time left, and with three times what asking took at the slowest
# so far: what cannot be published and recorded in time is handed back rather than cut off.
RESERVE_SECONDS: Final = 2.5


class Invocation:
    """`remaining` tells the milliseconds that are left, as Lambda's context does."""

    def __init__(self, stage: Stage, lane: str, remaining: Callable[[], int]) -> None:
        self.stage = stage
        self.lane = lane
        self._remaining = remaining
        self.now = self.clock()
        self.at = text_of(self.now)
        self.fates = Fates(routing(stage.name), templates(), stage.topic_arn)
        self.known = Known()
        self.runs: dict[RunKey, Run] = {}
        # No other worker of this lane can be about its work for longer.
        self.longest = self.left()
        self._asked_at, self._slowest = self.longest, 0.0

    def clock(self) -> datetime:
        """What time it is by now; `now` is when it began."""
        return datetime.fromtimestamp(time.time(), UTC)

    def left(self) -> float:
        """Seconds until it is cut off."""
        return self._remaining() / 1000

    def left_for_ledger(self) -> float:
        """Seconds for reading and writing the ledger, with one to spare."""
        return self.left() - 1

    def begin_asking(self) -> None:
        """From here on, what asking a channel takes is watched."""
        self._asked_at, self._slowest = self.left(), 0.0

    def in_time(self) -> bool:
        """Whether a channel can be asked once more, by how long that took each time since the first."""
        now = self.left()
        self._slowest = max(self._slowest, self._asked_at - now)
        self._asked_at = now
        return now >= RESERVE_SECONDS + 3 * self._slowest
