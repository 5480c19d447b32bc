"""What is held, and is not to go out after all."""

from __future__ import annotations

from botocore.exceptions import ClientError

from chalicelib import aws
from chalicelib.errors import TransientError
from chalicelib.lanes import wakes
from chalicelib.plan.compose import event_tag
from chalicelib.rules.reading import routing
from chalicelib.stage import Stage
from chalicelib.store import counting, holds, ledger, statuses
from chalicelib.store.holds import Hold
from chalicelib.store.record import Record, now_text

_SECONDS = 5.0


def cancel(stage: Stage, record: Record, detail: str) -> Record:
    """Cancel an event that is held; gives what the ledger says then, which is not that where it is on its way.

    Raises
    ------
    TransientError : it is not known whether it is cancelled.
    """
    try:
        hold = holds.find(stage, event_tag(record.id, record.source))
        if hold is not None and hold.state == holds.HELD:
            _cancel(stage, hold, record, "cancelled", detail)
    except aws.FAILURES as error:
        raise TransientError(f"what is held cannot be changed ({aws.code_of(error)})") from None
    return ledger.read(stage, [record.key], _SECONDS).get(record.key) or record


def erase(stage: Stage, person_id: str) -> int:
    """Cancel all that waits for a person who is erased, and forget what did and what was counted of them;
    gives how many waited.

    Raises
    ------
    TransientError : some may still wait.
    """
    done = 0
    try:
        for hold in holds.of_person(stage, person_id):
            key = (hold.event_id, hold.source)
            record = ledger.read(stage, [key], _SECONDS).get(key)
            waits = record is not None and record.status == statuses.HELD
            if record is not None and waits and hold.state == holds.HELD:
                _cancel(stage, hold, record, "erased", "whom it was for was erased")
                done += 1
            else:
                holds.forget(stage, hold)
        # Of each, for one may have had a cap lately.
        counting.forget(stage, f"person:{person_id}", tuple(routing(stage.name).categories))
    except aws.FAILURES as error:
        raise TransientError(f"what is held cannot be changed ({aws.code_of(error)})") from None
    return done


def _cancel(stage: Stage, hold: Hold, record: Record, reason: str, detail: str) -> None:
    try:
        holds.cancel(stage, hold, record, now_text(), reason, detail)
    except ClientError as error:
        if aws.code_of(error) != "TransactionCanceledException":
            raise
        return  # it is on its way, or somebody else cancelled it
    wakes.drop_schedule(stage, hold)
