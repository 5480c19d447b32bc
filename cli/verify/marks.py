"""What verify sends, and how it knows it again: a line of the words names the run and the event."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from chalicelib import names
from chalicelib.store.record import text_of

# So long a run may take, and so long what it made is left alone by others. Its key and its events end then.
LIFE: Final = timedelta(minutes=30)
_RUN: Final = r"(\d{8}t\d{6})-[0-9a-f]{6}"
_LINE: Final = re.compile(rf"^({_RUN}) ([a-z-]+) ([a-z0-9-]+) (\d+)$", re.MULTILINE)


def run_name(now: datetime) -> str:
    """A new run's name, which says when (aware, UTC) it began."""
    return f"{now:%Y%m%dt%H%M%S}-{secrets.token_hex(3)}"


def begun(text: str, start: str = "") -> datetime | None:
    """When the run of this name began; None for what is no run's name. `start` stands before it."""
    found = re.fullmatch(re.escape(start) + _RUN, text)
    try:
        return datetime.strptime(f"{found[1]}+0000", "%Y%m%dt%H%M%S%z") if found else None
    except ValueError:
        return None


def is_over(began: datetime | None, now: datetime) -> bool:
    """Whether what a run made is nobody's any more."""
    return began is not None and now - began > LIFE


@dataclass(frozen=True, slots=True)
class Mark:
    """One event of a run: the `part` of the run, its ordering key there, and which of the key it is."""

    part: str
    key: str
    number: int

    def id(self, run: str) -> str:
        return f"{run}-{self.part}-{self.key}-{self.number}"

    def event(self, run: str) -> dict[str, Any]:
        """The whole event, which is over when its run must be."""
        ends = (begun(run) or datetime.now(UTC)) + LIFE
        return {
            "specversion": "1.0",
            "type": names.VERIFY_TYPE,
            "id": self.id(run),
            "partitionkey": f"{run}-{self.part}-{self.key}",
            "expirytime": text_of(ends),
            "data": {"run": run, "part": self.part, "key": self.key, "number": self.number},
        }


def read(text: str) -> tuple[str, Mark] | None:
    """The run and the mark that a message has in its words; None where there are none."""
    found = _LINE.search(text)
    return (found[1], Mark(found[3], found[4], int(found[5]))) if found else None
