"""What would become of a dead letter now, judged as its lane would."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from chalicelib.channels.publication import Publication
from chalicelib.errors import PermanentError
from chalicelib.events.event import Event
from chalicelib.events.step import Step
from chalicelib.lanes import journeys, persons
from chalicelib.letters.letters import POSTABLE, READABLE, Letter
from chalicelib.names import BUS
from chalicelib.plan.compose import Composed
from chalicelib.plan.fate import Fate, Fates
from chalicelib.rules.routing import Routing
from chalicelib.stage import Stage
from chalicelib.store import ledger, statuses
from chalicelib.store.record import EventKey, Record, text_of
from chalicelib.values import dataclass
from chalicelib.words.render import Templates

_NOTES: Final = {
    statuses.EXPIRED: "expirytime is past: it is recorded as expired",
    statuses.GATHERED: "a rule gathers it, and it goes out in its digest",
    statuses.TEST: "sent with a test key: nothing is published",
    statuses.PUBLISHED: "everything was published already",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What would become of a letter that is redriven now.

    `fails` has the error that is still there; `sends` the destinations that were missed; `note` says
    why there are none. `fate` is what its lane would decide.
    """

    fails: PermanentError | None = None
    sends: tuple[str, ...] = ()
    note: str = ""
    fate: Fate | None = None

    @property
    def composed(self) -> Composed | None:
        return self.fate.composed if self.fate else None


class Judge:
    """Judges letters as a lane would, with these templates and rules. What it must read may take `seconds` each
    time."""

    def __init__(self, stage: Stage, rules: Routing, templates: Templates, seconds: float) -> None:
        self._stage = stage
        self._seconds = seconds
        self._rules = rules
        self._fates = Fates(rules, templates, stage.topic_arn)

    def records(self, letters: Sequence[Letter]) -> dict[EventKey, Record]:
        """What the ledger knows of these letters; tells them their reason where they lack one."""
        found = ledger.read(self._stage, [letter.key for letter in letters], self._seconds)
        for letter in letters:
            letter.told_by(found.get(letter.key))
        return found

    def judge(self, letter: Letter, record: Record | None) -> Verdict:
        """What would become of this letter now."""
        known = record or Record(letter.id, letter.source, type=letter.type)
        lane, content = letter.lane, letter.content
        if content is READABLE:
            return Verdict(note=f"it is {READABLE}")
        if content is POSTABLE:
            webhook = self._rules.webhooks.get(letter.webhook)
            if webhook is None or not webhook.url:
                problem = f"routing.toml has no URL for webhook {letter.webhook} in this stage"
                return Verdict(fails=PermanentError("no-url", problem))
            return Verdict(sends=(f"webhook:{letter.webhook}",))
        try:
            if isinstance(content, Step):
                content = journeys.resolved(self._stage, content, self._seconds)
            if lane == BUS and isinstance(content, Event):
                lane = self._rules.lane(content.type)
            events = [content] if isinstance(content, Event) else []
            persons_known = persons.read(self._stage, self._rules, lane, events, self._seconds)
            fate = self._fates.of(content, known, lane, datetime.now(UTC), persons_known)
        except PermanentError as error:
            return Verdict(fails=error)
        sends = tuple(fate.publications)
        if isinstance(letter.content, Publication) and sends:
            sends = (letter.content.to,)
        return Verdict(sends=sends, note=_note(fate), fate=fate)


def _note(fate: Fate) -> str:
    """Why nothing would be sent."""
    if fate.known:
        return f"the ledger says {fate.status}: nothing is sent again"
    if fate.until is not None:
        return f"it would be held until {text_of(fate.until)} ({fate.reason})"
    if fate.status == statuses.SUPPRESSED:
        return f"suppressed: {fate.detail}"
    return _NOTES.get(fate.status, fate.detail)
