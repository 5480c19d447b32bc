"""One event's life: what became of it, step by step, and why."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from chalicelib.console import acts, times
from chalicelib.console.activity import KINDS
from chalicelib.console.visit import Page, Sorry, Visit
from chalicelib.console.words import WORDS
from chalicelib.door import api
from chalicelib.events.event import is_id
from chalicelib.plan.compose import destination_tag, event_tag
from chalicelib.plan.journeys import START
from chalicelib.rules.destinations import PERSON, parse, topic_of, webhook_of
from chalicelib.store import ledger, receipts, statuses
from chalicelib.store.receipts import Receipt
from chalicelib.store.record import Record
from chalicelib.values import dataclass

# What a mail's receipts come to, as its event's own status does.
_KINDS: Final = {
    statuses.NONE: "ok",
    statuses.AWAITED: "ok",
    statuses.DELAYED: "wait",
    statuses.DELIVERED: "ok",
    statuses.REJECTED: "bad",
    statuses.BOUNCED: "bad",
    statuses.COMPLAINED: "bad",
}
# What became of a journey that an event starts, which has no receipts.
_BEGUN: Final = "begun"
# A receipt may come for hours; who watches is shown what comes within this.
_WATCHED_SECONDS: Final = 120


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened: `word` says what (`status.published`), `about` explains it."""

    at: str
    word: str
    kind: str
    about: str = ""
    after: str = ""
    to: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """A message to one destination: whom it went to, by what, and what became of it."""

    to: str
    by: str
    word: str
    kind: str
    about: str
    message_id: str = ""


def show(visit: Visit) -> Page:
    event_id, source = visit.query.get("id", ""), visit.query.get("source", "")
    found = _find(visit, event_id, source)
    if found is None or not visit.key.may_type(found.type):
        raise Sorry(404, "gone")
    told: Sequence[Receipt] = ()
    if any(api.has_receipts(name) for name in (*found.sent, *found.unknown)):
        tag = event_tag(found.id, found.source)
        told = visit.patience.ask(lambda: receipts.of_event(visit.stage, tag))
    sent = [_sent(visit, name, message_id, told) for name, message_id in found.sent.items()]
    sent += [_doubtful(visit, name) for name in found.unknown]
    word, kind, about = verdict(found, sent)
    return Page(
        "event",
        {
            "event": found,
            "verdict": word,
            "kind": kind,
            "about": about,
            "why": _why(visit, found),
            "steps": _steps(visit, found, told),
            "sent": sent,
            "withheld": [
                (*destination_words(visit, name), why_word(visit.language, why))
                for name, why in found.withheld.items()
            ],
            "raw": json.dumps(api.life(found, told), ensure_ascii=False, indent=2),
            "acts": acts.possible(visit, found),
            "refresh": 2 if _is_watched(found, told) else 0,
        },
    )


def _find(visit: Visit, event_id: str, source: str) -> Record | None:
    if not is_id(event_id):
        return None
    if is_id(source):
        key = (event_id, source)
        return ledger.read(visit.stage, [key], visit.patience.left()).get(key)
    return next(iter(ledger.find(visit.stage, event_id)), None)


def verdict(record: Record, sent: Sequence[Sent]) -> tuple[str, str, str]:
    """What became of an event in a word, its kind, and a sentence; the gravest of its mails counts."""
    if record.status == statuses.PUBLISHED and sent:
        # A journey that began counts only where nothing was sent beside it.
        order = [_BEGUN, *(f"receipt.{name}" for name in statuses.RECEIPTS)]
        worst = max(sent, key=lambda one: order.index(one.word) if one.word in order else 0)
        about = worst.about if worst.word != "receipt.none" else f"about.{record.status}"
        return worst.word, worst.kind, about
    return f"status.{record.status}", KINDS.get(record.status, "wait"), f"about.{record.status}"


def _sent(visit: Visit, name: str, message_id: str, told: Sequence[Receipt]) -> Sent:
    to, by = destination_words(visit, name)
    if name.startswith(START):
        return Sent(to, by, _BEGUN, "ok", "told.begun", message_id)
    became = api.outcome(name, told)
    return Sent(to, by, f"receipt.{became}", _KINDS[became], f"told.{became}", message_id)


def _doubtful(visit: Visit, name: str) -> Sent:
    to, by = destination_words(visit, name)
    return Sent(to, by, "status.unknown", "bad", "in_doubt")


def destination_words(visit: Visit, name: str) -> tuple[str, str]:
    """Whom a publication went to and by what, by the ledger's name of it (`topic:users/es`)."""
    of, _, end = name.partition("/")
    if topic := topic_of(of):
        return visit.say("topic", name=f"{topic} ({end})" if end else topic), visit.say("topic_by")
    if of.startswith(START):
        return visit.say("journey", name=of.removeprefix(START)), ""
    if webhook := webhook_of(of):
        return visit.say("webhook", name=webhook), ""
    if of == "topic":
        return visit.say("ready_made"), visit.say("topic_by")
    try:
        destination = parse(of)
    except ValueError:  # of a rule that was written for a later version, or an earlier one
        return name, ""
    by = ", ".join(visit.say(channel) for channel in destination.channels)
    if destination.kind == PERSON:
        return visit.say("person", name=destination.whose.partition(":")[2]), by
    return visit.say("recipient"), by


def why_word(language: str, reason: str) -> str:
    """A reason in words; one that there are no words for stands as it is."""
    return WORDS[language].get(f"why.{reason}", reason)


def _why(visit: Visit, record: Record) -> str:
    """Why it is where it is, where that has a reason."""
    if record.status == statuses.HELD:
        at = visit.say("held_until", at=times.clock(record.until, visit.language))
        return f"{at} {_sentence(why_word(visit.language, record.reason))}"
    if not record.reason:
        return ""
    known = WORDS[visit.language].get(f"why.{record.reason}")
    if known is None:
        return f"{record.reason}: {record.detail}" if record.detail else record.reason
    return _sentence(known)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _steps(visit: Visit, record: Record, told: Sequence[Receipt]) -> list[Step]:
    """All that happened, in order."""
    steps = [
        Step(at, "accepted", "ok", "about.accepted")
        if status == statuses.ACCEPTED
        else Step(at, f"status.{status}", KINDS.get(status, "wait"), f"about.{status}")
        for at, _, status in (line.partition(" ") for line in record.timeline)
    ]
    names = {destination_tag(name): name for name in (*record.sent, *record.unknown)}
    # Nothing is told of a mail before it went out, whatever the clock says by which that is told.
    out = next((step.at for step in steps if step.word == "status.published"), "")
    for one in told:
        to = names.get(one.destination, "")
        shown = ", ".join(destination_words(visit, to)) if to and len(record.sent) > 1 else ""
        about = f"told.{one.kind}"
        at = max(one.at, out)
        steps.append(Step(at, f"receipt.{one.kind}", _KINDS[one.kind], about, to=shown))
    steps.sort(key=lambda step: step.at)
    found = steps[:1]
    for before, step in itertools.pairwise(steps):
        seconds = _seconds(before.at, step.at)
        after = visit.say("after", time=times.lasted(seconds))
        found.append(Step(step.at, step.word, step.kind, step.about, after, step.to))
    return found


def _is_watched(record: Record, told: Sequence[Receipt]) -> bool:
    """Whether more will soon be known."""
    if record.status not in statuses.SETTLED:
        return record.status != statuses.FAILED
    told_of = [name for name in record.sent if api.has_receipts(name)]
    if not told_of or len(told) >= len(told_of) or not record.timeline:
        return False
    since = record.since()
    now = datetime.now(since.tzinfo) if since else None
    return bool(since and now and (now - since).total_seconds() < _WATCHED_SECONDS)


def _seconds(earlier: str, later: str) -> float:
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()
