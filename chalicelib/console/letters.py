"""Dead letters: what the lanes gave up on, by its reason, and what would become of it now.

A queue may hold any number of them. A page looks for a few seconds at what it can, leaves everything as it was,
and says how far it came.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from chalicelib import aws
from chalicelib.console import times
from chalicelib.console.life import destination_words, why_word
from chalicelib.console.visit import Page, Sorry, Visit, link
from chalicelib.console.words import WORDS
from chalicelib.errors import TransientError
from chalicelib.letters.letters import READABLE, Letter, Look, Sought, look
from chalicelib.letters.verdict import Judge, Verdict
from chalicelib.names import INLETS, WEBHOOKS
from chalicelib.rules.reading import routing
from chalicelib.store import statuses
from chalicelib.store.record import EventKey, Record, text_of
from chalicelib.values import dataclass
from chalicelib.words.render import templates

# A page waits no longer than this for what SQS shows, and then for what would become of it.
LOOK_SECONDS: Final = 5.0
JUDGE_SECONDS: Final = 4.0
ROWS: Final = 100


@dataclass(frozen=True, slots=True)
class Meant:
    """Which letters are meant: those that are all of what is given, of the event types and sources of a key.

    `id` is an event's, or the letter's own in its queue.
    """

    visit: Visit
    type: str = ""
    reason: str = ""
    lane: str = ""
    id: str = ""

    @classmethod
    def of(cls, visit: Visit, given: Mapping[str, str]) -> Meant:
        return cls(visit, *(given.get(name, "") for name in ("type", "reason", "lane", "id")))

    @property
    def query(self) -> dict[str, str]:
        return {"type": self.type, "reason": self.reason, "lane": self.lane, "id": self.id}

    @property
    def lanes(self) -> list[str]:
        rules = routing(self.visit.stage.name)
        every = [*rules.lanes, *INLETS, *([WEBHOOKS] if rules.posts else [])]
        return [self.lane] if self.lane in every else [] if self.lane else every

    @property
    def sought(self) -> Sought:
        return Sought([self.id] if self.id else [])

    def has(self, letter: Letter) -> bool:
        """Whether a letter is meant, that knows its reason (`Judge.records`)."""
        return (
            self.visit.key.may_type(letter.type)
            and self.type in ("", letter.type)
            and self.reason in ("", letter.reason)
            and self.id in ("", letter.id, letter.message_id)
        )


@dataclass(frozen=True, slots=True)
class Row:
    """A letter, and what would become of it now; `kind` is `ok`, `bad` or `off`."""

    letter: Letter
    kind: str = "off"
    now: str = ""
    about: str = ""


def show(visit: Visit) -> Page:
    """All of them, by type, reason and lane; the largest group first."""
    meant = Meant(visit)
    found, looks = _look(meant, judge(visit))
    groups: dict[tuple[str, str, str], list[Letter]] = {}
    for letter in found:
        groups.setdefault((letter.type, letter.reason, letter.lane), []).append(letter)
    rows = [
        (
            name,
            reason_word(visit, name[1]),
            letters,
            _oldest(letters),
            link("group", type=name[0], reason=name[1], lane=name[2]),
        )
        for name, letters in sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
    ]
    return Page(
        "letters",
        {
            "rows": rows,
            "types": sorted({letter.type for letter in found}),
            "reasons": sorted(
                {(letter.reason, reason_word(visit, letter.reason)) for letter in found}
            ),
            "lanes": sorted({letter.lane for letter in found}),
            **_seen(found, looks),
        },
    )


def dry_run(visit: Visit) -> Page:
    """What would become of those that are meant if they were redriven now; nothing is moved."""
    meant, judging = Meant.of(visit, visit.query), judge(visit)
    found, looks = _look(meant, judging)
    rows: list[Row] = []
    going = staying = 0
    for letter, verdict in _judged(visit, judging, found):
        row = _row(visit, letter, verdict)
        going += row.kind == "ok"
        staying += row.kind == "bad"
        if len(rows) < ROWS:
            rows.append(row)
    return Page(
        "group",
        {
            "rows": rows,
            "meant": meant,
            "cause": reason_word(visit, meant.reason) if meant.reason else "",
            "going": going,
            "staying": staying,
            "untried": sum(may_move(visit, letter) for letter in found) - going - staying,
            "more": len(found) - len(rows),
            "may": visit.key.may("send"),
            **_seen(found, looks),
        },
    )


def one(visit: Visit) -> Page:
    """One letter: why it died, and what would become of it now beside it.

    What it says is of somebody, and shown to keys that may see people.
    """
    meant, judging = Meant.of(visit, visit.query), judge(visit)
    found, _ = _look(meant, judging)
    letter = next(iter(found), None) if meant.id else None
    if letter is None:
        raise Sorry(404, "noletter")
    records = _known(judging, [letter])
    record = records.get(letter.key)
    [(_, verdict)] = _judged(visit, judging, [letter])
    row = _row(visit, letter, verdict)
    version = verdict.composed.template if verdict and verdict.composed else ""
    people = visit.key.may("people")
    return Page(
        "letter",
        {
            "letter": letter,
            "died": text_of(letter.died),
            "cause": reason_word(visit, letter.reason),
            "row": row,
            "sends": [_to(visit, name) for name in verdict.sends] if verdict else [],
            "sent": [_to(visit, name) for name in record.sent] if record else [],
            "words": _words_since(record, version),
            "event": link("event", id=letter.id, source=letter.source) if record else "",
            "messages": _messages(visit, verdict) if people else [],
            "body": _pretty(letter.body) if people else "",
            "people": people,
            "may": visit.key.may("send") and may_move(visit, letter),
            "query": {"id": letter.id, "lane": letter.lane},
        },
    )


def judge(visit: Visit) -> Judge:
    """Judges letters by what is deployed."""
    stage = visit.stage
    return Judge(stage, routing(stage.name), templates(), visit.patience.left())


def may_move(visit: Visit, letter: Letter) -> bool:
    """Whether the key may speak for whom the letter is from, as it must to cancel."""
    return visit.key.may_source(letter.source)


def reason_word(visit: Visit, reason: str) -> str:
    """Why letters died in words; what there are none for stands as it is."""
    return WORDS[visit.language].get(f"dead.{reason}", reason)


def _look(meant: Meant, judging: Judge) -> tuple[list[Letter], list[Look]]:
    """The letters that are meant, of those that could be seen, told their reasons.

    Raises
    ------
    TransientError : they cannot be seen now.
    """
    if not meant.lanes:
        return [], []
    try:
        looks = look(meant.visit.stage, meant.lanes, meant.sought, seconds=LOOK_SECONDS)
    except aws.FAILURES as error:
        raise TransientError(f"dead letters cannot be looked at ({aws.code_of(error)})") from None
    letters = [letter for each in looks for letter in each.letters]
    _known(judging, [letter for letter in letters if letter.moved_by_sqs])
    return [letter for letter in letters if meant.has(letter)], looks


def _known(judging: Judge, letters: Sequence[Letter]) -> dict[EventKey, Record]:
    return judging.records(letters) if letters else {}


def _judged(
    visit: Visit, judging: Judge, letters: Sequence[Letter]
) -> list[tuple[Letter, Verdict | None]]:
    """What would become of each; of those for which there is no time, nobody says."""
    until = time.monotonic() + min(JUDGE_SECONDS, visit.patience.left())
    records = _known(judging, letters)
    return [
        (letter, judging.judge(letter, records.get(letter.key)))
        if time.monotonic() < until
        else (letter, None)
        for letter in letters
    ]


def _row(visit: Visit, letter: Letter, verdict: Verdict | None) -> Row:
    if not may_move(visit, letter):
        return Row(letter, "off", visit.say("not_yours"))
    if verdict is None:
        return Row(letter, "off", visit.say("untried"))
    if verdict.fails is not None:
        return Row(letter, "bad", reason_word(visit, verdict.fails.reason), str(verdict.fails))
    if verdict.sends:
        return Row(letter, "ok", ", ".join(_to(visit, name) for name in verdict.sends))
    return Row(letter, "ok", _nothing(visit, letter, verdict))


def _nothing(visit: Visit, letter: Letter, verdict: Verdict) -> str:
    """Why nothing would be sent."""
    fate = verdict.fate
    if letter.content is READABLE or fate is None:
        return visit.say("is_receipt")
    if fate.until is not None:
        at = times.clock(text_of(fate.until), visit.language)
        return f"{visit.say('held_until', at=at)} ({why_word(visit.language, fate.reason)})"
    said = WORDS[visit.language].get(f"about.{fate.status}", fate.status)
    if fate.status == statuses.PUBLISHED:
        return visit.say("all_sent")
    return f"{said} ({why_word(visit.language, fate.reason)})" if fate.reason else said


def _to(visit: Visit, name: str) -> str:
    return ", ".join(filter(None, destination_words(visit, name)))


def _messages(visit: Visit, verdict: Verdict | None) -> list[dict[str, Any]]:
    """How it would render now: to whom, and what each channel says."""
    composed = verdict.composed if verdict else None
    if composed is None:
        return []
    return [
        {
            "to": _to(visit, name),
            "subject": message.subject,
            "text": message.sms if name.endswith(":sms") else message.bodies["default"],
        }
        for name, message in composed.messages.items()
    ]


def _words_since(record: Record | None, now: str) -> str:
    """Whether its words were changed since it died: `words_same`, `words_new`, or empty where nobody knows."""
    if record is None or not record.template or not now:
        return ""
    return "words_same" if record.template == now else "words_new"


def _seen(found: Sequence[Letter], looks: Sequence[Look]) -> dict[str, Any]:
    """How many there are, and how many more could not be seen: there was no time, or SQS does not show them."""
    return {
        "count": len(found),
        "unseen": sum(each.unseen for each in looks),
        "is_whole": all(each.whole for each in looks),
    }


def _oldest(letters: Sequence[Letter]) -> datetime:
    return min(letter.died for letter in letters)


def _pretty(body: str) -> str:
    try:
        return json.dumps(json.loads(body), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return body
