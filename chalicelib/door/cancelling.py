"""What is held, and is not to go out after all."""

from __future__ import annotations

from collections.abc import Sequence

from botocore.exceptions import ClientError

from chalicelib import aws
from chalicelib.errors import TransientError
from chalicelib.events.gathered import DIGEST
from chalicelib.lanes import wakes
from chalicelib.plan.compose import event_tag
from chalicelib.plan.gathering import share_tag
from chalicelib.rules.reading import routing
from chalicelib.stage import Stage
from chalicelib.store import counting, holds, ledger, lookups, runs, secrets, statuses
from chalicelib.store.holds import Hold
from chalicelib.store.record import Record, now_text
from chalicelib.store.run import Run, bounded

_SECONDS = 5.0


def cancel(stage: Stage, record: Record, detail: str) -> Record:
    """Cancel an event that is held; gives what the ledger says then, which is not that where it is on its way.

    Raises
    ------
    TransientError : it is not known whether it is cancelled.
    """
    try:
        waiting = _waiting(stage, record)
        if waiting:
            _cancel(stage, waiting, record, "cancelled", detail)
    except aws.FAILURES as error:
        raise TransientError(f"what is held cannot be changed ({aws.code_of(error)})") from None
    return ledger.read(stage, [record.key], _SECONDS).get(record.key) or record


def erase(stage: Stage, person_id: str) -> int:
    """Cancel all that waits for a person who is erased, and forget what did, what was counted of them, the
    runs of journeys that they began or stopped, and that somebody looked them up; gives how many waited.

    Raises
    ------
    TransientError : some may still wait.
    """
    done = 0
    try:
        for hold in holds.of_person(stage, person_id):
            key = (hold.event_id, hold.source)
            record = ledger.read(stage, [key], _SECONDS).get(key)
            waiting = _waiting(stage, record) if record is not None else []
            if record is not None and hold in waiting:
                _cancel(stage, waiting, record, "erased", "whom it was for was erased")
                done += 1
            else:
                holds.forget(stage, hold)
        done += _forget_runs(stage, person_id)
        # Of each, for one may have had a cap lately.
        counting.forget(stage, f"person:{person_id}", tuple(routing(stage.name).categories))
        lookups.forget(stage, secrets.of(stage).hash_of(person_id))
    except aws.FAILURES as error:
        raise TransientError(f"what is held cannot be changed ({aws.code_of(error)})") from None
    return done


def _forget_runs(stage: Stage, person_id: str) -> int:
    """Gives how many were under way. Their next step finds nothing, and ends them."""
    found = runs.of_person(stage, person_id)
    for run in found:
        runs.forget(stage, run, person_id)
    for journey in routing(stage.name).journeys.values():
        if journey.key == "recipient":  # stopped, maybe, and never begun
            runs.forget(stage, Run(journey.name, bounded(person_id)), person_id)
    return sum(not run.is_over for run in found)


def can_be(record: Record) -> bool:
    """Whether an event may wait with all of it, so that it can be cancelled."""
    return record.status in (statuses.HELD, statuses.GATHERED)


def _waiting(stage: Stage, record: Record) -> list[Hold]:
    """All that waits of an event, for its time or for digests; nothing where some of it does not wait any more."""
    if not can_be(record):
        return []
    tags = [share_tag(record.id, record.source, rule) for rule in record.digests]
    if record.status == statuses.HELD:
        tags.append(event_tag(record.id, record.source))
    found = [holds.find(stage, tag) for tag in tags]
    waiting = [hold for hold in found if hold is not None and hold.state == holds.HELD]
    return waiting if len(waiting) == len(tags) else []


def _cancel(
    stage: Stage, waiting: Sequence[Hold], record: Record, reason: str, detail: str
) -> None:
    try:
        holds.cancel(stage, waiting, record, now_text(), reason, detail)
    except ClientError as error:
        if aws.code_of(error) != "TransactionCanceledException":
            raise
        return  # it is on its way, or somebody else cancelled it
    for hold in waiting:
        if hold.why != DIGEST:  # others may be in the same window
            wakes.drop_schedule(stage, hold)
