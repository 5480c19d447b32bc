"""What each event type says, what it needs, who gets it and why: as the files of this deployment have it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from chalicelib.console import rulebook
from chalicelib.console.visit import Document, Page, Sorry, Visit
from chalicelib.errors import HeraldoError, PermanentError
from chalicelib.events.event import Event, parse
from chalicelib.plan import catalog
from chalicelib.rules.reading import routing
from chalicelib.rules.routing import Rule
from chalicelib.values import dataclass
from chalicelib.words import limits, tidy
from chalicelib.words.contract import Field
from chalicelib.words.locales import nearest
from chalicelib.words.mail import Links
from chalicelib.words.render import Message, templates

# What stands at the foot of a mail that is only looked at.
_LINKS: Final = Links("https://example.com/u/…", "https://example.com/p/…")
# What a field is called by the most telling of what is asked of it.
_ASKED: Final = (
    "currency",
    "datetime",
    "date",
    "link",
    "amount",
    "number",
    "list",
    "texts",
    "text",
)
_SHOWN: Final = 60


@dataclass(frozen=True, slots=True)
class Row:
    """An event type in the list."""

    type: str
    subject: str
    category: str
    locales: tuple[str, ...]
    to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Need:
    """A piece of data that a type uses; `kind` is a word, `sample` what its sample has there."""

    path: str
    kind: str
    required: bool
    sample: str


@dataclass(frozen=True, slots=True)
class Reason:
    """A rule that may concern a type, and what comes of it for its sample: `met`, `not_met`, or `not_reached`
    because rule `after` is the last then."""

    rule: Rule
    told: rulebook.Told
    comes_to: str
    after: str = ""


def show_all(visit: Visit) -> Page:
    rows = []
    for name in templates().types:
        if not visit.key.may_type(name):
            continue
        event, rules = _sample(name), routing(visit.stage.name)
        words = _chosen(visit, name)
        message, _ = _rendered(event, words)
        rows.append(
            Row(
                name,
                message.subject if message else "",
                rules.category(name, rules.lane(name)).name,
                templates().locales(name),
                tuple(
                    dict.fromkeys(
                        rulebook.destination(visit, to)
                        for reason in _reasons(visit, event)
                        for to in (reason.rule.to if not reason.after else ())
                    )
                ),
            )
        )
    return Page("event-types", {"rows": rows, "section": "types"})


def show(visit: Visit) -> Page:
    name = visit.query.get("name", "")
    _require(visit, name)
    event, rules = _sample(name), routing(visit.stage.name)
    words = _chosen(visit, name)
    message, problem = _rendered(event, words)
    lane = rules.lane(name)
    settings = rules.settings(name)
    shown: dict[str, Any] = {"message": None}
    if message:
        text = tidy.affordable(message.sms, settings.sms_parts)
        pushed = json.loads(json.loads(message.for_push())["GCM"])["fcmV1Message"]["message"]
        bodies = message.bodies
        shown = {
            "message": message,
            "sms": text,
            "own_sms": "sms" in bodies,
            "parts": limits.sms(text),
            "push": pushed["notification"],
            "own_push": "GCM" in bodies,
            "mail_text": templates().mail(message, Links()).text,
            "others": [
                (of, bodies[of]) for of in ("http", "https", "sqs", "lambda") if of in bodies
            ],
            "most": limits.SUBJECT_CHARACTERS,
        }
    return Page(
        "event-type",
        {
            **shown,
            "section": "types",
            "type": name,
            "lane": lane,
            "category": rules.category(name, lane),
            "settings": settings,
            "words": words,
            "all_words": templates().words(name),
            "problem": problem,
            "reasons": _reasons(visit, event),
            "needs": list(_needs(catalog.contract_of(name), event.data)),
            "has_sample": bool(event.data),
        },
    )


def mail(visit: Visit) -> Document:
    """The mail of a type by itself, for a frame."""
    name = visit.query.get("name", "")
    _require(visit, name)
    message, _ = _rendered(_sample(name), _chosen(visit, name))
    if message is None:
        raise Sorry(404, "gone_type")
    category = routing(visit.stage.name).category(name, routing(visit.stage.name).lane(name))
    stop = _LINKS.unsubscribe if category.commercial else ""
    links = Links() if category.critical else Links(stop, _LINKS.preferences)
    return Document(templates().mail(message, links).html)


def _require(visit: Visit, name: str) -> None:
    if name not in templates().types or not visit.key.may_type(name):
        raise Sorry(404, "gone_type")


def _chosen(visit: Visit, name: str) -> str:
    """The words of a type that are asked for, or else those in the visitor's language."""
    there = templates().words(name)
    asked = visit.query.get("words", "")
    locales = templates().locales(name)
    return asked if asked in there else nearest(visit.language, locales) or next(iter(there), "")


def _sample(name: str) -> Event:
    """The sample of a type; an event without data where there is none."""
    try:
        given = {**(catalog.sample(name) or {}), "type": name}
        return parse(given, default_id="sample", default_source="sample")
    except HeraldoError:
        return parse({"type": name, "data": {}}, default_id="sample", default_source="sample")


def _rendered(event: Event, words: str) -> tuple[Message | None, str]:
    """What a sample says, or why it says nothing."""
    try:
        return templates().render(event, words), ""
    except PermanentError as error:
        return None, str(error)


def _reasons(visit: Visit, event: Event) -> list[Reason]:
    """The rules that may concern events of this type, in order."""
    found = []
    for verdict in routing(visit.stage.name).explain(event):
        rule = verdict.rule
        missed = rule.pattern.explain(event.attributes())
        if missed is not None and missed.field == "type":
            continue
        after = verdict.after_stop if missed is None else ""
        comes_to = "not_reached" if after else "met" if missed is None else "not_met"
        found.append(Reason(rule, rulebook.told(visit, rule), comes_to, after))
    return found


def _needs(field: Field, sample: Any, path: str = "", required: bool = True) -> Iterator[Need]:
    """Every piece of data below a field, in the order in which the templates have them."""
    for name, child in field.children.items():
        below = f"{path}.{name}" if path else name
        given = sample.get(name) if isinstance(sample, dict) else None
        needed = required and child.required
        inside = list(_needs(child, given, below, needed))
        if child.item is not None:
            first = given[0] if isinstance(given, list) and given else None
            inside += list(_needs(child.item, first, f"{below}[]", needed))
        if inside:
            yield from inside
        else:
            yield Need(below, f"kind.{_kind(child)}", needed, _told(given))


def _kind(field: Field) -> str:
    for demand in _ASKED:
        if demand in field.sure:
            return "list" if demand == "texts" else demand
    kinds = {"array": "list", "string": "text"}
    return kinds.get(field.kind, field.kind)


def _told(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
