"""What would become of a dead letter now, judged as its lane would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from chalicelib.channels.publication import Publication
from chalicelib.errors import PermanentError
from chalicelib.events.event import Event
from chalicelib.lanes import persons
from chalicelib.names import BUS
from chalicelib.plan.compose import Composed
from chalicelib.plan.fate import Fate, Fates
from chalicelib.rules.routing import Routing
from chalicelib.stage import Stage
from chalicelib.store import ledger, statuses
from chalicelib.store.record import EventKey, Record, text_of
from chalicelib.words.render import Templates
from cli.letters.letters import READABLE, Letter

# Nobody waits for a handler here, but somebody at a terminal does.
READ_SECONDS: Final = 60.0
_NOTES: Final = {
    statuses.EXPIRED: "expirytime is past: it is recorded as expired",
    statuses.TEST: "sent with a test key: nothing is published",
    statuses.PUBLISHED: "everything was published already",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What would become of a letter that is redriven now.

    `fails` has the error that is still there; `sends` the destinations that were missed; `note` says
    why there are none.
    """

    fails: PermanentError | None = None
    sends: tuple[str, ...] = ()
    note: str = ""
    composed: Composed | None = None


class Judge:
    """Judges letters as a lane would, with the templates and rules of this checkout."""

    def __init__(self, stage: Stage, rules: Routing, templates: Templates) -> None:
        self._stage = stage
        self._rules = rules
        self._fates = Fates(rules, templates, stage.topic_arn)

    def records(self, letters: Sequence[Letter]) -> dict[EventKey, Record]:
        """What the ledger knows of these letters; tells them their reason where they lack one."""
        found = ledger.read(self._stage, [letter.key for letter in letters], READ_SECONDS)
        for letter in letters:
            letter.told_by(found.get(letter.key))
        return found

    def judge(self, letter: Letter, record: Record | None) -> Verdict:
        """What would become of this letter now."""
        known = record or Record(letter.id, letter.source, type=letter.type)
        lane, content = letter.lane, letter.content
        if content is READABLE:
            return Verdict(note=f"it is {READABLE}")
        try:
            if lane == BUS and isinstance(content, Event):
                lane = self._rules.lane(content.type)
            events = [content] if isinstance(content, Event) else []
            persons_known = persons.read(self._stage, self._rules, lane, events, READ_SECONDS)
            fate = self._fates.of(content, known, lane, datetime.now(UTC), persons_known)
        except PermanentError as error:
            return Verdict(fails=error)
        sends = tuple(fate.publications)
        if isinstance(letter.content, Publication) and sends:
            sends = (letter.content.to,)
        return Verdict(sends=sends, note=_note(fate), composed=fate.composed)


def _note(fate: Fate) -> str:
    """Why nothing would be sent."""
    if fate.known:
        return f"the ledger says {fate.status}: nothing is sent again"
    if fate.until is not None:
        return f"it would be held until {text_of(fate.until)} ({fate.reason})"
    if fate.status == statuses.SUPPRESSED:
        return f"suppressed: {fate.detail}"
    return _NOTES.get(fate.status, fate.detail)
