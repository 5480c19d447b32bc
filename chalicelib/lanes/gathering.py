"""What rules gather of events: each kept in the window of its group, and the lane woken at the window's end.

First the schedule, then the window, then what is in it: wherever a worker dies, what is in a window goes out. What
is written as the window ends may come too late for the wake, which takes what it reads; so whoever wrote it
has the window looked at once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from chalicelib import aws, log
from chalicelib.errors import TransientError
from chalicelib.events.event import Event
from chalicelib.events.gathered import DIGEST
from chalicelib.lanes import digests
from chalicelib.lanes.invocation import Invocation
from chalicelib.lanes.item import DONE, Item
from chalicelib.lanes.settle import again
from chalicelib.plan.gathering import (
    Share,
    ends,
    group_of,
    share_tag,
    window_of,
    window_parts,
)
from chalicelib.plan.reach import Known
from chalicelib.rules.routing import Routing, Rule
from chalicelib.store import holds, statuses, table, windows
from chalicelib.store.holds import Hold
from chalicelib.store.record import Record

# Clocks differ by less.
_CLOSE: Final = timedelta(seconds=5)


def wanted(
    routing: Routing, lane: str, gathered: Sequence[tuple[Event, Rule]], known: Known
) -> list[table.Item]:
    """The keys of the windows in which events of a lane may fall that rules gather; each once."""
    groups = dict.fromkeys(group_of(event, rule, routing, known) for event, rule in gathered)
    return [windows.key_of(lane, group) for group in groups]


def gather(run: Invocation, items: Sequence[Item]) -> None:
    """Keep what rules gather of these, before anything of them is sent or said to be done.

    With one of which that cannot be done, nothing is done; it comes again.
    """
    mine = [(item, share) for item in items if item.outcome in ("", DONE) for share in item.shares]
    if not mine:
        return
    try:
        kept = _kept(run, mine)
    except (*aws.FAILURES, TransientError) as error:
        log.warning("not gathered", lane=run.lane, events=len(mine), reason=_why(error))
        for item, _ in mine:
            again(item)
            item.hold = None
        return
    for (item, share), window in zip(mine, kept, strict=True):
        _note(item.record, share.rule.name, window)


def _kept(run: Invocation, mine: Sequence[tuple[Item, Share]]) -> list[str]:
    """The windows in which these are kept by now."""
    known = run.known.windows
    for item, share in mine:
        if share.opens and known.get(share.group) in (None, share.last):
            known[share.group] = _opened(run, item, share)
    wanted = [
        _hold_of(run, item, share, known[share.group], number)
        for number, (item, share) in enumerate(mine)
    ]
    before: dict[str, str] = {}
    for begin in range(0, len(wanted), holds.AT_ONCE):
        before |= holds.gather(run.stage, wanted[begin : begin + holds.AT_ONCE])
    found = [before.get(hold.tag, hold.group) for hold in wanted]
    for window in dict.fromkeys(found):
        _look_again(run, window)
    return found


def _opened(run: Invocation, item: Item, share: Share) -> datetime:
    """When the window of a group ends that is open after this."""
    event, routing, shop = item.content, run.fates.routing, run.fates.shop
    assert isinstance(event, Event) and share.rule.digest is not None  # noqa: S101
    category = routing.category(event.type, run.lane)
    # One that is opened by another meanwhile has a schedule of its own, and this one wakes nobody.
    digests.look_at(run.stage, run.lane, share.window, share.due)

    def ending(last: datetime | None) -> datetime:
        if last == share.last:
            return share.due
        due = ends(event, share.rule, routing, category, run.known, shop, run.now, last)
        digests.look_at(run.stage, run.lane, window_of(share.group, due), due)
        return due

    every = share.rule.digest.every
    return windows.open_window(run.stage, run.lane, share.group, share.last, run.now, ending, every)


def _hold_of(run: Invocation, item: Item, share: Share, due: datetime, number: int) -> Hold:
    event = item.content
    assert isinstance(event, Event)  # noqa: S101 - for the type checker
    return Hold(
        lane=run.lane,
        group=window_of(share.group, due),
        due=holds.due_text(due),
        # What was accepted in one millisecond stays in order.
        accepted=f"{item.accepted} {number:03}",
        tag=share_tag(event.id, event.source, share.rule.name),
        event_id=event.id,
        source=event.source,
        event=event.to_json(),
        recipient=event.recipient or "",
        why=DIGEST,
    )


def _look_again(run: Invocation, window: str) -> None:
    """Have a window looked at once more, into which something was just written, if that may have been too late."""
    parts, now = window_parts(window), run.clock()
    if parts is not None and now >= parts[2] - _CLOSE:
        digests.look_at(run.stage, run.lane, window, now + _CLOSE)


def _note(record: Record, rule: str, window: str) -> None:
    """Have an event's record know what is gathered of it."""
    parts = window_parts(window)
    assert parts is not None  # noqa: S101 - for the type checker
    record.digests[rule] = holds.due_text(parts[2])
    if record.status == statuses.GATHERED:
        record.until = min(record.digests.values())


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, TransientError) else aws.code_of(error)
