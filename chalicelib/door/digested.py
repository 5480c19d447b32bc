"""What became of what rules gathered of an event: what is kept of each share says, and the digest's own record."""

from __future__ import annotations

from typing import Any, Final

from chalicelib.plan.gathering import WHY_LEFT_OUT, share_tag
from chalicelib.stage import Stage
from chalicelib.store import holds, ledger, statuses
from chalicelib.store.record import Record
from chalicelib.values import dataclass

FORGOTTEN: Final = "forgotten"
"""Whom it was for was erased, and what was known of it with them."""


@dataclass(frozen=True, slots=True)
class Digested:
    """What a rule gathered of an event: `until` when it waits (ISO, UTC), or the digest that took it (`id`), and
    what became of that."""

    rule: str
    status: str
    until: str
    id: str = ""
    reason: str = ""

    @property
    def waits(self) -> bool:
        return self.status == statuses.HELD

    def shown(self) -> dict[str, Any]:
        found: dict[str, Any] = {"rule": self.rule, "status": self.status, "until": self.until}
        if self.id:
            found["id"] = self.id
        if self.reason:
            found["reason"] = self.reason
            found["detail"] = WHY_LEFT_OUT[self.reason]
        return found


def of_event(stage: Stage, record: Record) -> list[Digested]:
    """What became of all that was gathered of an event.

    Raises
    ------
    TransientError, BotoCoreError, ClientError : it cannot be read.
    """
    return [_of(stage, record, rule, until) for rule, until in record.digests.items()]


def _of(stage: Stage, record: Record, rule: str, until: str) -> Digested:
    hold = holds.find(stage, share_tag(record.id, record.source, rule))
    if hold is None:
        return Digested(rule, FORGOTTEN, until)
    if hold.state == holds.HELD:
        return Digested(rule, statuses.HELD, until)
    if hold.state in WHY_LEFT_OUT:
        return Digested(rule, statuses.SUPPRESSED, until, reason=hold.state)
    digest = next(iter(ledger.find(stage, hold.by)), None)
    status = digest.status if digest is not None else statuses.ACCEPTED
    return Digested(rule, status, until, hold.by)
