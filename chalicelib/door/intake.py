"""The door: check an event, choose its lane, write it down, queue it.

The order is what makes a 202 a promise. The ledger is claimed first (a conditional write, so one of
fifty simultaneous requests wins), the queue comes second; or, of what is to be delivered later, the hold
with the claim, and its schedule second. A crash in between leaves an event that is
`accepted` in the ledger and in no queue; nobody got a 202 for it, and the sender's next try finds the
claim and queues it again, which FIFO deduplication and the ledger make harmless.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from botocore.exceptions import ClientError

from chalicelib import aws, log, metrics
from chalicelib.errors import FieldError, InvalidEvent, PermanentError, TransientError
from chalicelib.events import bounds, event
from chalicelib.events.event import Event
from chalicelib.lanes import wakes
from chalicelib.lanes.enqueue import enqueue
from chalicelib.lanes.queues import group_id
from chalicelib.patience import Patience
from chalicelib.plan.compose import Composed, event_tag, rehearse
from chalicelib.plan.journeys import stopped_by
from chalicelib.plan.timing import DELIVERAT
from chalicelib.rules.reading import routing
from chalicelib.rules.routing import Routing
from chalicelib.side_by_side import side_by_side
from chalicelib.spelling import did_you_mean
from chalicelib.stage import Stage
from chalicelib.store import claims as ledger_claims
from chalicelib.store import fingerprint, secrets, statuses
from chalicelib.store.holds import Hold
from chalicelib.store.record import EventKey, Record, now_text
from chalicelib.values import dataclass
from chalicelib.words.render import RenderError, Templates, templates

EVENT_BYTES: Final = 256 * 1024
_WARNINGS: Final = 10
# So many schedules are made side by side: 500 events are answered for within 29 seconds.
_AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True)
class Checked:
    """An event that will render, with its lane and what it comes to."""

    event: Event
    lane: str
    composed: Composed
    test: bool = False
    timed: bool = True
    """Whether its time is its own, and so part of what it says."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The answer for one event: `accepted`, or `duplicate` of what was already taken."""

    id: str
    lane: str
    status: str
    held_until: str = ""


class Conflict(PermanentError):
    """The id was taken for an event with other content; `fields` names what differs, to its sender."""

    def __init__(self, fields: Sequence[str]) -> None:
        super().__init__("conflict", "the id stands for an event with other content")
        self.fields = tuple(fields)


def check(
    raw: object,
    rules: Routing,
    *,
    default_source: str,
    default_time: str | None = None,
    test: bool = False,
) -> Checked:
    """Read an event and make sure that it can be delivered, which is: render it.

    Raises
    ------
    InvalidEvent : naming every field at fault and the remedy.
    """
    odd = bounds.problems(raw)
    if odd:
        raise InvalidEvent("invalid-event", odd)
    timed = default_time is None or (isinstance(raw, dict) and raw.get("time") is not None)
    if isinstance(raw, dict) and not timed:
        raw = {**raw, "time": default_time}
    found = event.parse(raw, default_source=default_source)
    if len(found.to_json().encode()) > EVENT_BYTES:
        raise InvalidEvent("too-large", [FieldError("event", "is larger than 256 KiB")])
    known = templates()
    if found.type not in known.types:
        raise InvalidEvent("unknown-type", [FieldError("type", _unknown_type(found.type, known))])
    return Checked(found, *_composed(found, known, rules), test, timed)


def _composed(found: Event, known: Templates, rules: Routing) -> tuple[str, Composed]:
    try:
        lane = rules.lane(found.type)
        composed = rehearse(found, lane, rules, known)
    except RenderError as error:
        raise _refused(error) from None
    except InvalidEvent:
        raise
    except PermanentError as error:
        raise InvalidEvent(error.reason, [FieldError("event", str(error))]) from None
    return lane, composed


def _unknown_type(event_type: str, known: Templates) -> str:
    near = did_you_mean(event_type, known.types)
    return f"is not a known event type{near or '; known are ' + ', '.join(known.types)}"


def accept(
    stage: Stage, checked: Sequence[Checked], sender: str, patience: Patience
) -> list[Accepted | Conflict | TransientError]:
    """Take events: claim each in the ledger, then queue it. One result per event, in order.

    `sender` is the name of who sent them, which the ledger keeps.

    A `TransientError` among the results says that this event was not taken and may be sent again. So
    it is with every event behind it that has its ordering key, which would overtake it otherwise.
    """
    rules = routing(stage.name)
    try:
        claims = [_Claim(c, sender, _hashes(stage, c.event, patience), rules) for c in checked]
    except TransientError as error:
        return [error for _ in checked]
    _claim(stage, claims, patience)
    ready = _in_order(claims)
    _schedule(stage, [claim for claim in ready if claim.hold is not None], patience)
    _enqueue(stage, [claim for claim in ready if claim.hold is None], patience)
    results = [claim.result() for claim in claims]
    _count(stage, claims, results)
    return results


def _count(
    stage: Stage,
    claims: Sequence[_Claim],
    results: Sequence[Accepted | Conflict | TransientError],
) -> None:
    """Tell CloudWatch what was taken. What a test key sent is nobody's figure."""
    tally = metrics.Tally(stage.name)
    for claim, result in zip(claims, results, strict=True):
        if isinstance(result, Accepted) and not claim.checked.test:
            tally.add(result.status, result.lane, claim.event.type)
    tally.tell()


def _hashes(stage: Stage, found: Event, patience: Patience) -> dict[str, str]:
    """What stands in the ledger for whom an event is for, and for the addresses that came with it.

    Raises
    ------
    TransientError : the key of their hashes cannot be read.
    """
    given = {"recipient": found.recipient, "email": found.email, "phone": found.phone}
    if not any(given.values()):
        return {}
    hash_of = patience.for_another().ask(lambda: secrets.of(stage)).hash_of
    return {name: hash_of(text) for name, text in given.items() if text}


class _Claim:
    """One event on its way into the ledger and the queue."""

    def __init__(
        self, checked: Checked, sender: str, hashes: Mapping[str, str], rules: Routing
    ) -> None:
        self.checked = checked
        self.sender = sender
        self.lane = checked.lane
        named = bool(checked.event.id)
        self.event = checked.event if named else checked.event.with_id(uuid.uuid4().hex)
        said = checked.event if checked.timed else replace(checked.event, time=None)
        addresses = {name: keyed for name, keyed in hashes.items() if name != "recipient"}
        self.fields = fingerprint.of(said, addresses)
        # By its recipient, or else by the address that came with it.
        self.whose = next(iter(hashes.values()), "")
        # Without an id, equal content within FIFO's five minutes is one event: this finds it.
        self.content = "" if named else self._content()
        self.duplicate = False
        self.earlier: _Claim | None = None  # the same event, further up in the request
        self.error: Conflict | TransientError | None = None
        self.to_queue = False
        self.hold = _hold(self.event, self.lane)
        decision = checked.composed.decision
        # What a test key sent changes nothing for anybody.
        self.stops = () if checked.test else stopped_by(self.event, decision, rules)

    @property
    def key(self) -> EventKey:
        """What must be unique: the event's own key, or that of its content."""
        source = self.event.source
        return (
            ledger_claims.content_key(self.content, source)
            if self.content
            else (self.event.id, source)
        )

    def _content(self) -> str:
        # What a test key sent publishes nothing, so it must never stand for what a live key sends.
        return fingerprint.content(self.fields) + ("-test" if self.checked.test else "")

    def record(self) -> Record:
        record = Record(
            self.event.id,
            self.event.source,
            type=self.event.type,
            lane=self.lane,
            fields=self.fields,
            sender=self.sender,
            test=self.checked.test,
            whose=self.whose,
        )
        record.enter(statuses.ACCEPTED if self.hold is None else statuses.HELD, now_text())
        if self.hold is not None:
            record.until, record.reason = self.hold.due, self.hold.why
        return record

    def taken_before(self, record: Record, lanes: Collection[str]) -> None:
        """The id is known: a duplicate, unless its content was another.

        It is queued where it was first, which drops a second copy; where that lane is gone, in the one
        that its type has now.
        """
        if record.test != self.checked.test:
            self.error = Conflict(("test_key",))
            return
        if fingerprint.differ(record.fields, self.fields):
            # Which fields differ is for who sent them: another would learn from it what they hold.
            own = record.sender == self.sender
            differing = fingerprint.differing(record.fields, self.fields) if own else ()
            self.error = Conflict(differing)
            return
        self.event = self.event.with_id(record.id)
        self.lane = record.lane if record.lane in lanes else self.lane
        self.duplicate = True
        if record.status != statuses.HELD:
            self.hold = None
        elif self.hold is not None:
            tag = event_tag(record.id, record.source)
            # Where it is held is where it goes out, whatever lane its type has now.
            self.hold = replace(self.hold, lane=self.lane, event_id=record.id, tag=tag)
        # What is held and due by now has its wake.
        self.to_queue = record.status == statuses.ACCEPTED or self.hold is not None

    def result(self) -> Accepted | Conflict | TransientError:
        error = self.error or (self.earlier and self.earlier.error)
        if error:
            return error
        status = "duplicate" if self.duplicate else "accepted"
        until = self.hold.due if self.hold is not None else ""
        return Accepted(self.event.id, self.lane, status, until)


def _claim(stage: Stage, claims: Sequence[_Claim], patience: Patience) -> None:
    """Claim every event in the ledger, as few calls as its rules allow."""
    first: dict[EventKey, _Claim] = {}
    again: list[_Claim] = []
    for claim in claims:
        if claim.key in first:
            again.append(claim)
        else:
            first[claim.key] = claim
    firsts, lanes = list(first.values()), routing(stage.name).lanes
    wanted = [ledger_claims.Claim(c.record(), c.content, c.hold, c.stops) for c in firsts]
    for claim, known in zip(firsts, ledger_claims.claim(stage, wanted, patience), strict=True):
        if known is None:
            claim.to_queue = True
        elif isinstance(known, TransientError):
            claim.error = known
        else:
            claim.taken_before(known, lanes)
    for claim in again:  # twice in one request
        earlier = first[claim.key]
        if earlier.error is None and fingerprint.differ(earlier.fields, claim.fields):
            claim.error = Conflict(fingerprint.differing(earlier.fields, claim.fields))
        else:
            claim.event, claim.duplicate, claim.earlier = earlier.event, True, earlier


def _in_order(claims: Sequence[_Claim]) -> list[_Claim]:
    """What can be queued now: nothing that stands behind an event of its key that was not claimed."""
    stuck: set[str] = set()
    ready: list[_Claim] = []
    for claim in claims:
        key = claim.event.ordering_key
        if isinstance(claim.error, TransientError):
            stuck.add(key)
        elif claim.to_queue and key in stuck:
            claim.error = TransientError("an earlier event of its ordering key was not taken")
        elif claim.to_queue:
            ready.append(claim)
    return ready


def _hold(found: Event, lane: str) -> Hold | None:
    """What is kept of an event whose time is yet to come."""
    if found.deliverat is None or not found.waits(datetime.now(UTC)):
        return None
    until, group = event.timestamp(found.deliverat), group_id(found.ordering_key)
    return wakes.hold_of(found, lane, group, until, now_text(), DELIVERAT)


def _schedule(stage: Stage, claims: Sequence[_Claim], patience: Patience) -> None:
    """Have what is held go out at its time. What cannot be was not taken: nothing is accepted that will not
    happen."""
    if not claims:
        return
    _ = stage.place  # asked for once
    own = patience.for_another()

    def schedule(claim: _Claim) -> None:
        hold = claim.hold
        assert hold is not None  # noqa: S101 - for the type checker
        try:
            own.ask(lambda: wakes.set_schedule(stage, hold))
        except (TransientError, ClientError) as error:
            code = str(error) if isinstance(error, TransientError) else aws.code_of(error)
            log.warning("no schedule", lane=claim.lane, event=hold.tag, reason=code)
            claim.error = TransientError(f"it cannot be scheduled ({code})")

    side_by_side(schedule, claims, _AT_ONCE)


def _enqueue(stage: Stage, claims: Sequence[_Claim], patience: Patience) -> None:
    problems = enqueue(stage, [(claim.lane, claim.event) for claim in claims], patience)
    for claim, problem in zip(claims, problems, strict=True):
        if problem:
            claim.error = TransientError(problem)


def warnings(checked: Checked) -> list[FieldError]:
    """What is most likely a mistake, though it can be said: fields that are printed and empty."""
    return [
        FieldError(gap.field or "data", f"{gap.problem} (templates/{gap.place})")
        for gap in checked.composed.gaps[:_WARNINGS]
    ]


def _refused(error: RenderError) -> InvalidEvent:
    """The refusal for an event that is not put into words: what is wrong, by field and template."""
    errors = [
        FieldError(fault.field or "data", f"{fault.problem} (templates/{fault.place})")
        for fault in error.faults
    ]
    of_data = any(fault.field for fault in error.faults)
    return InvalidEvent("missing-data" if of_data else error.reason, errors)
