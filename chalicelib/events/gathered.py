"""A digest: what a rule gathered, as the event carries it that stands for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from chalicelib.errors import PermanentError
from chalicelib.values import dataclass

if TYPE_CHECKING:
    from chalicelib.events.event import Event

DIGEST: Final = "digest"
"""Its name where an event is JSON, which is nobody's to give; and why an event waits for one."""
# So many of a digest are listed, and so much: the event itself may have 256 KiB beside that, and what is
# held has room for 400 KB in all.
LISTED: Final = 100
LISTED_BYTES: Final = 128 * 1024


@dataclass(frozen=True, slots=True)
class Gathered:
    """What was gathered for a `rule`: how many there are, and the first of them, oldest first, each with its
    `id`, `type`, `time` and `data`. Of one alone nothing is listed: it reads like any event.
    """

    rule: str
    count: int
    events: Sequence[Mapping[str, Any]] = ()

    @classmethod
    def read(cls, raw: Any) -> Gathered:
        """From its JSON.

        Raises
        ------
        PermanentError : it is none.
        """
        try:
            found = cls(str(raw["rule"]), int(raw["count"]), tuple(raw["events"]))
        except (KeyError, TypeError, ValueError):
            raise PermanentError("not-a-digest", "what it has as its digest is none") from None
        if not all(isinstance(one, Mapping) for one in found.events):
            raise PermanentError("not-a-digest", "what it has as its digest is none")
        return found

    @classmethod
    def alike(cls, event: Event, rule: str, count: int) -> Gathered:
        """So many events like this one: what it would read like among others."""
        time = event.time or "2026-12-03T08:00:00.000Z"
        one = {"id": event.id, "type": event.type, "time": time, "data": event.data}
        return cls(rule, count, (one,) * count)

    def to_raw(self) -> dict[str, Any]:
        return {"rule": self.rule, "count": self.count, "events": list(self.events)}
