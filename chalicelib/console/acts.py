"""What can still be done about an event: cancel it while it is held, say that somebody is on it, look at its dead letter."""

from __future__ import annotations

from chalicelib.console.visit import Redirect, Sorry, Visit, link
from chalicelib.door import acknowledging, cancelling
from chalicelib.events.event import is_id
from chalicelib.events.step import run_of
from chalicelib.plan.journeys import START
from chalicelib.store import audit, ledger, statuses
from chalicelib.store.record import Record
from chalicelib.values import dataclass


@dataclass(frozen=True, slots=True)
class Acts:
    """What a visit may do about an event. `acknowledged` is since when somebody is on it; `letter` leads to its
    dead letter; `again` is the event type, where it could be sent anew from a form.
    """

    cancel: bool = False
    acknowledge: bool = False
    acknowledged: str = ""
    letter: str = ""
    again: str = ""


def possible(visit: Visit, record: Record) -> Acts:
    since = acknowledging.since(visit.stage, visit.patience, record)
    may = visit.key.may("send")
    return Acts(
        cancel=may and cancelling.can_be(record) and visit.key.may_source(record.source),
        acknowledge=may and not since and _waits(visit, record),
        acknowledged=since,
        letter=link("letter", id=record.id, lane=record.lane)
        if record.status == statuses.FAILED
        else "",
        again=record.type if may and record.status in statuses.SETTLED else "",
    )


def cancel(visit: Visit) -> Redirect:
    """Have what is held never go out, as `DELETE /events/{id}` does."""
    record = _record(visit)
    if not possible(visit, record).cancel:
        return _back(record)  # it went out meanwhile, which its page says
    _put_down(visit, "cancel", record)
    cancelling.cancel(visit.stage, record, f"cancelled by {visit.key.name}")
    return _back(record)


def acknowledge(visit: Visit) -> Redirect:
    """Have its journey send nothing more, as `POST /events/{id}/ack` does."""
    record = _record(visit)
    if possible(visit, record).acknowledge:
        _put_down(visit, "acknowledge", record)
        acknowledging.acknowledge(visit.stage, visit.patience, record)
    return _back(record)


def _waits(visit: Visit, record: Record) -> bool:
    """Whether an event has a journey that this key may say something of."""
    journey = any(name.startswith(START) for name in (*record.sent, *record.unknown))
    mine = visit.key.may_source(record.source)
    return (journey and mine) or bool(run_of(record.id, record.source))


def _record(visit: Visit) -> Record:
    key = (visit.form.get("id", ""), visit.form.get("source", ""))
    if not (is_id(key[0]) and is_id(key[1])):
        raise Sorry(404, "gone")
    found = ledger.read(visit.stage, [key], visit.patience.left()).get(key)
    if found is None or not visit.key.may_type(found.type):
        raise Sorry(404, "gone")
    return found


def _put_down(visit: Visit, what: str, record: Record) -> None:
    visit.patience.ask(lambda: audit.write(visit.stage, visit.key.name, what, record.id))


def _back(record: Record) -> Redirect:
    return Redirect(link("event", id=record.id, source=record.source))
