"""Who hears about what: the rules in order, the lanes with their categories, and the topics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from chalicelib.console.visit import Page, Visit
from chalicelib.console.words import WORDS
from chalicelib.journeys import spans
from chalicelib.rules.destinations import CHANNELS, PERSON, parse, topic_of, webhook_of
from chalicelib.rules.hours import DAYS, Span
from chalicelib.rules.reading import routing
from chalicelib.rules.routing import Category, Rule
from chalicelib.rules.telling import ENGLISH, in_words
from chalicelib.values import dataclass
from chalicelib.words.render import templates

_FINDINGS: Final = Path(__file__).parent / "findings.json"


@dataclass(frozen=True, slots=True)
class Told:
    """A rule in a reader's language: when it matches, and what it does then."""

    rule: Rule
    when: str
    does: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """A category: the lane that it is or is in, the event types in it, and when it is sent."""

    category: Category
    lane: str
    types: tuple[str, ...]
    facts: tuple[str, ...]


def show(visit: Visit) -> Page:
    rules = routing(visit.stage.name)
    kinds: dict[tuple[str, str], list[str]] = {(lane, lane): [] for lane in rules.lanes}
    for name in templates().types:
        lane = rules.lane(name)
        kinds.setdefault((rules.category(name, lane).name, lane), []).append(name)
    return Page(
        "rules",
        {
            "section": "types",
            "rules": [told(visit, rule) for rule in rules.rules],
            "kinds": [_kind(visit, *of, tuple(types)) for of, types in kinds.items()],
            "topics": list(rules.topics.values()),
            "findings": findings(),
        },
    )


def findings() -> list[dict[str, Any]] | None:
    """What lint had to say of this tree as it was packaged (`cli.deploy.package`); None where it was not
    packaged but put together otherwise."""
    try:
        found: list[dict[str, Any]] = json.loads(_FINDINGS.read_text("utf-8"))
    except FileNotFoundError:
        return None
    return found


def told(visit: Visit, rule: Rule) -> Told:
    said = {english: visit.say(f"told:{english}") for english in ENGLISH}
    does = [visit.say("tells", whom=destination(visit, to)) for to in rule.to]
    does += [visit.say("starts", name=name) for name in rule.starts]
    does += [visit.say("stops", name=name) for name in rule.stops]
    if rule.digest and rule.digest.at is not None:
        does.append(visit.say("gathers_until", time=_clock(rule.digest.at)))
    elif rule.digest and rule.digest.window:
        does.append(visit.say("gathers", time=spans.write(rule.digest.window)))
    if rule.suppress:
        does.append(visit.say("suppresses"))
    elif rule.stop:
        does.append(visit.say("is_last"))
    return Told(rule, in_words(rule.pattern, said), tuple(does))


def destination(visit: Visit, text: str) -> str:
    """Whom a destination reaches, and by what."""
    if topic := topic_of(text):
        return visit.say("to_topic", name=topic)
    if webhook := webhook_of(text):
        return visit.say("to_webhook", name=webhook)
    found = parse(text)
    whom = found.name if found.kind == PERSON else visit.say("to_recipient")
    named = [visit.say(c) if c in WORDS[visit.language] else c for c in found.channels]
    if found.first_of:
        return visit.say("by_first", whom=whom, channels=visit.say("or_else").join(named))
    if len(found.channels) == len(CHANNELS):
        return visit.say("by_all", whom=whom)
    return visit.say("by_one", whom=whom, channel=", ".join(named))


def _kind(visit: Visit, name: str, lane: str, types: tuple[str, ...]) -> Kind:
    category = routing(visit.stage.name).categories.get(name) or Category(name)
    facts = [visit.say(word) for word in ("commercial", "critical") if getattr(category, word)]
    for channel, is_on in category.channels.items():
        shown = visit.say(channel) if channel in WORDS[visit.language] else channel
        facts.append(visit.say("on_unless" if is_on else "off_unless", channel=shown))
    if category.hours:
        for word, of in (("quiet", category.hours.quiet), ("windows", category.hours.windows)):
            if of:
                times = ", ".join(span_in_words(visit, span) for span in of)
                facts.append(visit.say(word, times=times))
    if category.cap:
        word = "cap_defer" if category.cap.defer else "cap"
        within = spans.write(category.cap.within)
        facts.append(visit.say(word, most=category.cap.most, time=within))
    return Kind(category, lane, types, tuple(facts))


def span_in_words(visit: Visit, span: Span) -> str:
    """A span of the week: "Mon–Fri 09:00–20:00"."""
    clock = f"{_clock(span.begin)}–{_clock(span.end)}"
    if len(span.days) == len(DAYS):
        return clock
    names = visit.say("days").split()
    days = sorted(span.days)
    if len(days) > 2 and days[-1] - days[0] == len(days) - 1:
        return f"{names[days[0]]}–{names[days[-1]]} {clock}"
    return f"{', '.join(names[day] for day in days)} {clock}"


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
