"""One message on its way through a batch, from its decoding to its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import UTC, datetime
from typing import Final

from chalicelib import log
from chalicelib.channels.publication import Publication
from chalicelib.errors import PermanentError
from chalicelib.events.event import Event
from chalicelib.events.step import Step
from chalicelib.lanes.decode import decode
from chalicelib.lanes.queues import Received
from chalicelib.plan.fate import Content
from chalicelib.plan.gathering import Share
from chalicelib.store.counts import Count
from chalicelib.store.holds import Hold
from chalicelib.store.record import Record, text_of
from chalicelib.store.run import RunKey
from chalicelib.values import dataclass

DONE: Final = "done"  # deleted: nothing more is to be done with it
DEAD: Final = "dead"  # deleted, once its dead letter is safe
KEPT: Final = "kept"  # made visible again: it comes back

# A message may be wrong in sixty thousand ways at once, and the ledger takes 400 KB an item.
DETAIL_CHARACTERS: Final = 1000


@dataclass(slots=True, eq=False)
class Item:
    """A message, what it says, and what is known of it. `outcome` is empty until it is known.

    `alone`: it is tried with nothing else at hand. `chooses`: it has chosen a channel that the ledger does
    not know of yet. `wait` is how many seconds its key stays away, where it was this event that failed; `twin` an
    earlier message of the batch with the same event, whose fate it shares; `hold` what is kept of it, where its
    time is yet to come; `count` what must be written of its recipient before it is published; `shares` what rules gather
    of it, which is kept before that. `step` is that of a journey which its event comes from, `stops` the runs that
    it ends.
    """

    message: Received
    content: Content
    record: Record
    outcome: str = ""
    changed: bool = False
    buried: bool = False
    alone: bool = False
    chooses: bool = False
    wait: int | None = None
    twin: Item | None = None
    hold: Hold | None = None
    count: Count | None = None
    shares: Sequence[Share] = ()
    publications: Mapping[str, Publication] = field(default_factory=dict)
    step: Step | None = None
    stops: tuple[RunKey, ...] = ()

    @classmethod
    def of(cls, message: Received, lane: str) -> Item:
        event_id, source = message.identity(lane)
        content: Content
        try:
            content = decode(message.body, default_id=event_id, default_source=source)
        except Exception as error:
            content = permanent(error)
        if isinstance(content, Event):
            record = Record(content.id, content.source, type=content.type, lane=lane)
        elif isinstance(content, Step):
            record = Record(content.id, content.source, type=content.send, lane=lane)
            return cls(message, content, record, step=content)
        else:
            record = Record(event_id, source, lane=lane)
        return cls(message, content, record)

    @property
    def accepted(self) -> str:
        """When the event was accepted (ISO, UTC), or else when its message was sent.

        A redriven message was sent later than the event was first seen.
        """
        sent = text_of(datetime.fromtimestamp(self.message.sent_at, UTC))
        began = self.record.began
        return min(began, sent) if began else sent

    def settle(
        self, outcome: str, status: str, at: str, reason: str = "", detail: str = ""
    ) -> None:
        self.outcome = outcome
        self._explain(reason, detail)
        self.record.enter(status, at)
        self.changed = True

    def die(self, reason: str, detail: str) -> None:
        """Give it up. What the ledger says of it depends on where its letter comes to lie."""
        self.outcome = DEAD
        self._explain(reason, detail)

    def _explain(self, reason: str, detail: str) -> None:
        self.record.reason, self.record.detail = reason, detail[:DETAIL_CHARACTERS]


def permanent(error: Exception) -> PermanentError:
    """What an event is dead-lettered for: its own fault, or one of ours that it brought to light.

    Ours must not take the rest of the batch with it; its place is logged, the event can be redriven.
    """
    if isinstance(error, PermanentError):
        return error
    log.error("unexpected", **log.origin(error))
    return PermanentError("unexpected", f"Heraldo stumbled over it ({type(error).__name__})")
