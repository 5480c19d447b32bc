"""What would become of a dead letter now, judged as its lane would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from chalicelib.errors import PermanentError
from chalicelib.events.event import Event
from chalicelib.lanes.decode import ReadyMade
from chalicelib.plan.compose import Composed, compose
from chalicelib.rules.routing import Routing
from chalicelib.stage import Stage
from chalicelib.store import ledger
from chalicelib.store.ledger import Record
from chalicelib.words.render import Templates
from cli.letters.letters import Letter

# Nobody waits for a handler here, but somebody at a terminal does.
READ_SECONDS: Final = 60.0


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
        self._templates = templates

    def records(self, letters: Sequence[Letter]) -> dict[ledger.Key, Record]:
        """What the ledger knows of these letters; tells them their reason where they lack one."""
        found = ledger.read(self._stage, [letter.key for letter in letters], READ_SECONDS)
        for letter in letters:
            letter.told_by(found.get(letter.key))
        return found

    def judge(self, letter: Letter, record: Record | None) -> Verdict:
        """What would become of this letter now."""
        try:
            if letter.error is not None:
                raise letter.error
            if record is not None and record.status in ledger.SETTLED:
                return Verdict(note=f"the ledger says {record.status}: nothing is sent again")
            if isinstance(letter.content, ReadyMade):
                return self._judge_ready_made(letter.content)
            assert letter.content is not None  # noqa: S101 - for the type checker
            return self._judge_event(letter.content, letter.lane, record)
        except PermanentError as error:
            return Verdict(fails=error)

    def _judge_ready_made(self, content: ReadyMade) -> Verdict:
        if content.sns_topic not in {self._stage.topic_arn(name) for name in self._rules.topics}:
            raise PermanentError("foreign-topic", "sns_topic is none of this stage's topics")
        return Verdict(sends=(content.sns_topic,))

    def _judge_event(self, event: Event, lane: str, record: Record | None) -> Verdict:
        if event.expired(datetime.now(UTC)):
            return Verdict(note="expirytime is past: it is recorded as expired")
        composed = compose(event, lane, self._rules, self._templates, self._stage.topic_arn)
        skips = self._rules.on_unknown.get(event.type) == "skip"
        if record is not None and record.status == ledger.PUBLISHING and skips:
            return Verdict(note="it may have gone out, and its type says skip", composed=composed)
        if not composed.publications:
            return Verdict(note=f"suppressed: {composed.decision.reason}", composed=composed)
        if record is not None and record.test:
            return Verdict(note="sent with a test key: nothing is published", composed=composed)
        sent = record.sent if record is not None else {}
        missed = tuple(name for name in composed.publications if name not in sent)
        note = "" if missed else "everything was published already"
        return Verdict(sends=missed, note=note, composed=composed)
