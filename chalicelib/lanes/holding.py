"""What a lane does not send yet: kept under its ordering key until its time, and the lane woken then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from chalicelib import aws, log
from chalicelib.events.event import Event
from chalicelib.lanes import wakes
from chalicelib.lanes.invocation import Invocation
from chalicelib.lanes.item import Item
from chalicelib.lanes.settle import again
from chalicelib.side_by_side import side_by_side
from chalicelib.store import holds
from chalicelib.store.holds import Hold

_THREADS: Final = 10


def hold_of(item: Item, lane: str, until: datetime, why: str) -> Hold:
    """What is kept of an event that goes out at `until` (aware) at the earliest."""
    event = item.content
    assert isinstance(event, Event)  # noqa: S101 - for the type checker
    found = wakes.hold_of(event, lane, item.message.group, until, item.accepted, why)
    # A journey's step must see again whether its run is still under way.
    return found if item.step is None else replace(found, event=item.message.body)


def hold(run: Invocation, items: Sequence[Item]) -> None:
    """Keep those of these that wait for their time: held first, schedule second, and only then deleted.

    What cannot be kept comes back, and is tried again.
    """
    waiting = [item for item in items if item.hold is not None]
    # Ten wakes of a batch may stand for a hundred events.
    for begin in range(0, len(waiting), holds.AT_ONCE):
        _hold(run, waiting[begin : begin + holds.AT_ONCE])


def _hold(run: Invocation, waiting: Sequence[Item]) -> None:
    try:
        holds.keep(run.stage, [(_of(item), item.record) for item in waiting])
    except aws.FAILURES as error:
        log.warning("not held", lane=run.lane, events=len(waiting), reason=aws.code_of(error))
        for item in waiting:
            again(item)
        return
    _ = run.stage.place  # asked for once
    made = side_by_side(lambda item: _schedule(run, _of(item)), waiting, _THREADS)
    for item, scheduled in zip(waiting, made, strict=True):
        item.changed = False  # the ledger says so already
        if not scheduled:
            again(item)


def _of(item: Item) -> Hold:
    assert item.hold is not None  # noqa: S101 - for the type checker
    return item.hold


def _schedule(run: Invocation, hold: Hold) -> bool:
    try:
        wakes.set_schedule(run.stage, hold)
    except aws.FAILURES as error:
        log.warning("no schedule", lane=run.lane, event=hold.tag, reason=aws.code_of(error))
        return False
    return True
