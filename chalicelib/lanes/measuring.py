"""What a lane tells of a batch: how many went out or did not, how long they took, and the traces that they are
part of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from chalicelib import log, metrics
from chalicelib.events.event import Event
from chalicelib.events.trace import trace_of
from chalicelib.lanes.invocation import Invocation
from chalicelib.lanes.item import DEAD, DONE, Item
from chalicelib.store import statuses
from chalicelib.words.render import templates

# What has a reason that is worth a figure of its own.
_OF_REASON: Final = frozenset((statuses.SUPPRESSED, statuses.FAILED))
_OTHER: Final = "other"


def tell(run: Invocation, items: Sequence[Item], sent: datetime) -> None:
    """Count what became of these; `sent` is when the last of them went out (aware)."""
    tally, known_types = metrics.Tally(run.stage.name), templates().types
    for item in items:
        record = item.record
        if record.test or item.outcome not in (DONE, DEAD):
            continue
        known = item.twin is not None or not (item.changed or item.hold is not None)
        status = metrics.DUPLICATE if known else record.status
        reason = record.reason if status in _OF_REASON else ""
        latency = _latency(item, sent) if status == statuses.PUBLISHED else None
        # Into a queue anybody may write any type, and CloudWatch is paid for by type.
        event_type = record.type if record.type in known_types else _OTHER
        tally.add(status, run.lane, event_type, reason, latency)
        if isinstance(item.content, Event) and (trace := trace_of(item.content.traceparent)):
            log.info(status, lane=run.lane, event=record.id, type=event_type, trace=trace)
    tally.tell()


def _latency(item: Item, sent: datetime) -> float:
    """Milliseconds from being accepted to being sent; of what was held, from when it was due."""
    record, began = item.record, item.message.sent_at
    if record.began:  # a redriven message was sent later
        began = min(began, datetime.fromisoformat(record.began).timestamp())
    if record.until:
        began = max(began, datetime.fromisoformat(record.until).timestamp())
    return (sent.timestamp() - began) * 1000
