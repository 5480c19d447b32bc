"""Writing an event in a form: what it would say to whom, while it is written; and sending it, now or later."""

from __future__ import annotations

import html
import json
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from chalicelib.channels import mail as ses
from chalicelib.channels.publication import Publication
from chalicelib.console import fields, times
from chalicelib.console.life import destination_words
from chalicelib.console.visit import Document, Page, Redirect, Sorry, Visit, link
from chalicelib.door import api, intake
from chalicelib.door.http import Problem
from chalicelib.door.intake import Accepted, Checked, Conflict
from chalicelib.errors import FieldError
from chalicelib.events.addresses import email_problem
from chalicelib.plan import catalog
from chalicelib.plan.compose import mail_tags
from chalicelib.plan.reach import Contact
from chalicelib.rules.reading import routing
from chalicelib.store import audit
from chalicelib.store.record import text_of
from chalicelib.values import dataclass
from chalicelib.words import limits, tidy
from chalicelib.words.render import RenderError, templates

# The stage on which nobody is there to get what a sample says.
LOCAL: Final = "local"
_ATTRIBUTES: Final = ("recipient", "email", "phone", "locale")
# What stands in the place of a destination, for a mail that is only tried.
_TRIED: Final = "tried:email"


@dataclass(frozen=True, slots=True)
class Words:
    """What an event says in one locale, by every channel."""

    words: str
    locale: str
    subject: str
    text: str
    has_html: bool
    sms: str
    sms_characters: int
    sms_parts: int
    sms_encoding: str
    push_title: str
    push_body: str


def show(visit: Visit) -> Page:
    """Which type; or the form of one, filled with its sample."""
    wanted = visit.query.get("type", "")
    types = [name for name in templates().types if visit.key.may_type(name)]
    if not wanted:
        lanes: dict[str, list[str]] = {}
        for name in types:
            lanes.setdefault(catalog.event_type(name)["lane"], []).append(name)
        return Page("types", {"lanes": lanes})
    if wanted not in types:
        raise Sorry(404, "notype")
    sample = catalog.event_type(wanted)["sample"] or {}
    form = {"type": wanted, "id": uuid.uuid4().hex, "locale": str(sample.get("locale") or "")}
    if visit.stage.name == LOCAL:
        form |= {name: str(sample.get(name) or "") for name in ("recipient", "email", "phone")}
    return _page(visit, form, sample.get("data"))


def preview(visit: Visit) -> Page:
    """The same form, with what it says by now: nothing is sent."""
    return _page(visit, fields.changed(visit.form), None)


def send(visit: Visit) -> Page | Redirect:
    """Have the event taken: it is the door's, as any other."""
    try:
        checked = _checked(visit, visit.form)
    except Problem as problem:
        return _page(
            visit, visit.form, None, problem.errors or [FieldError("", problem.detail)], 422
        )
    if visit.form.get("do") == "myself":
        return _to_myself(visit, checked)
    if visit.form.get("do") == "test":
        checked = replace(checked, event=checked.event.with_id(uuid.uuid4().hex), test=True)
    [result] = intake.accept(visit.stage, [checked], visit.key.name, visit.patience)
    if isinstance(result, Accepted):
        return Redirect(link("event", id=result.id, source=checked.event.source))
    if isinstance(result, Conflict):  # it was sent, and changed since: what is here now is another
        form = {**visit.form, "id": uuid.uuid4().hex}
        return _page(visit, form, None, [FieldError("", visit.say("sent_before"))], 409)
    raise result


def _to_myself(visit: Visit, checked: Checked) -> Page:
    """Have the mail go to an address that somebody types, as a test: by no rule, to nobody else, and without what
    only its reader could use, the links at its foot. It is in the audit log, and not in the ledger."""
    address = visit.form.get("myself", "").strip()
    problem = email_problem(address) if address else visit.say("myself_missing")
    if problem:
        return _page(visit, visit.form, None, [FieldError("myself", problem)], 422)
    visit.patience.ask(
        lambda: audit.write(visit.stage, visit.key.name, "mail-try", checked.event.type)
    )
    event = checked.event.with_id(f"try-{uuid.uuid4().hex}")
    message = templates().render(event, templates().words_for(event.type, event.locale))
    made = templates().mail(message)
    contact = Contact(_TRIED, "email", address, "", message.locale)
    subject = f"[{visit.say('myself_mark')}] {message.subject}"[: limits.SUBJECT_CHARACTERS]
    publication = Publication(
        *("email", address, subject, made.text, mail_tags(event, contact)),
        structured=False,
        html=made.html,
    )
    [result] = ses.send(visit.stage, [publication], in_time=lambda: True, once=True)
    if not result.message_id:
        told = visit.say("myself_refused", why=result.error)
        return _page(visit, visit.form, None, [FieldError("myself", told)], 502)
    return _page(visit, visit.form, None, note=visit.say("myself_sent"))


def mail(visit: Visit) -> Document:
    """The mail of a form in one locale, as its reader sees it; or that there is none like this."""
    try:
        checked = _checked(visit, visit.form)
    except Problem as problem:
        if problem.status >= 500:
            raise
        return Document(f"<!doctype html><p>{html.escape(visit.say('would_not'))}</p>")
    words = visit.form.get("show", "")
    if words not in templates().words(checked.event.type):
        raise Sorry(404, "nopage")
    message = templates().render(checked.event, words)
    return Document(templates().mail(message).html)


def _checked(visit: Visit, form: Mapping[str, str]) -> Checked:
    raw = _event(visit, form)
    return api.check(raw, visit.key, visit.stage)


def _event(visit: Visit, form: Mapping[str, str]) -> dict[str, Any]:
    """The event that a form says."""
    event_type = form.get("type", "")
    if event_type not in templates().types or not visit.key.may_type(event_type):
        raise Sorry(404, "notype")
    sample = catalog.event_type(event_type)["sample"] or {}
    data = fields.data_of(catalog.contract_of(event_type), form, sample.get("data"))
    event = {"type": event_type, "id": form.get("id") or uuid.uuid4().hex, "data": data}
    event |= {name: form[name].strip() for name in _ATTRIBUTES if form.get(name, "").strip()}
    if form.get("deliverat"):
        try:
            at = datetime.fromisoformat(form["deliverat"])
        except ValueError:
            event["deliverat"] = form["deliverat"]  # the door says what is wrong with it
        else:
            zone = at.tzinfo or times.shop_zone()
            event["deliverat"] = text_of(at.replace(tzinfo=zone).astimezone(UTC))
    return event


def _page(
    visit: Visit,
    form: Mapping[str, str],
    data: Any,
    errors: Any = (),
    status: int = 200,
    note: str = "",
) -> Page:
    """The form and what it comes to; `data` is what it is filled with where nothing was typed yet."""
    event_type = form.get("type", "")
    if event_type not in templates().types or not visit.key.may_type(event_type):
        raise Sorry(404, "notype")
    contract = catalog.contract_of(event_type)
    filled = fields.shown(contract, form) if data is None else data
    if data is not None:
        sample_form = dict(form) | dict(_flat(data, "data"))
        form = sample_form
    found, errors = _outcome(visit, form, errors)
    problems = {error.field: error.problem.split(" (templates/")[0] for error in errors}
    sample = catalog.event_type(event_type)["sample"] or {}
    group = fields.form_of(contract, filled, problems, sample.get("data"))
    named = set(_paths(group)) | {*_ATTRIBUTES, "deliverat", "myself"}
    return Page(
        "send",
        {
            "form": form,
            "group": group,
            "problems": problems,
            "others": [f"{f}: {p}" if f else p for f, p in problems.items() if f not in named],
            "locales": templates().locales(event_type),
            "outcome": found,
            "note": note,
            "refresh": 0,
        },
        status,
    )


def _outcome(
    visit: Visit, form: Mapping[str, str], errors: Any
) -> tuple[dict[str, Any] | None, Any]:
    """What a form's event would say and to whom; or what is wrong with it."""
    try:
        checked = _checked(visit, form)
        plan = api.planned(visit.stage, visit.patience, checked)
        said = [found for words in _all_words(checked) if (found := _words(visit, checked, words))]
    except Problem as problem:
        if problem.status >= 500:
            raise
        return None, [*errors, *(problem.errors or [FieldError("", problem.detail)])]
    messages = [
        (*destination_words(visit, message["destination"]), message["locale"])
        for message in plan["messages"]
    ]
    held = plan.get("held")
    return {
        "words": said,
        "messages": messages,
        "lane": plan["lane"],
        "suppressed": plan["suppressed"],
        "held": times.clock(held["until"], visit.language) if held else "",
        "withheld": [
            (*destination_words(visit, name), why) for name, why in plan["withheld"].items()
        ],
        "matched": [
            (
                rule["name"],
                [destination_words(visit, to) for to in rule.get("to", ())],
                [
                    *(visit.say("starts", name=name) for name in rule.get("starts_journeys", ())),
                    *(visit.say("stops", name=name) for name in rule.get("stops_journeys", ())),
                ],
            )
            for rule in plan["rules"]
            if rule["matched"]
        ],
        "others": [(rule["name"], rule["why"]) for rule in plan["rules"] if not rule["matched"]],
        "subject_limit": limits.SUBJECT_CHARACTERS,
    }, errors


def _all_words(checked: Checked) -> list[str]:
    """All that a type is written in: the event's own locale first, an audience's own words last."""
    own = templates().words_for(checked.event.type, checked.event.locale)
    found = templates().words(checked.event.type)
    return sorted(found, key=lambda words: (words != own, "." in words, words))


def _words(visit: Visit, checked: Checked, words: str) -> Words | None:
    """What an event says in one locale, as it goes out; None where that cannot be said, and it does not go out in
    it."""
    try:
        message = templates().render(checked.event, words)
    except RenderError:
        return None
    parts = routing(visit.stage.name).settings(checked.event.type).sms_parts
    text = tidy.affordable(message.sms, parts)
    sms = limits.sms(text)
    push = json.loads(message.for_push())
    notification = json.loads(push.get("GCM", "{}"))
    shown = _notification(notification)
    return Words(
        words,
        message.locale,
        message.subject,
        message.bodies["default"],
        bool(templates().mail(message).html),
        text,
        sms.characters,
        sms.parts,
        sms.encoding,
        shown.get("title") or message.subject,
        shown.get("body") or push["default"],
    )


def _notification(payload: Any) -> dict[str, str]:
    """The title and the body that a phone shows, wherever a payload has them."""
    if isinstance(payload, dict):
        if "body" in payload:
            return {name: str(payload.get(name) or "") for name in ("title", "body")}
        for inner in payload.values():
            if found := _notification(inner):
                return found
    return {}


def _flat(value: Any, path: str) -> list[tuple[str, str]]:
    """Data as the fields of a form."""
    if isinstance(value, dict):
        return [pair for name, inner in value.items() for pair in _flat(inner, f"{path}.{name}")]
    if isinstance(value, list):
        return [pair for n, inner in enumerate(value) for pair in _flat(inner, f"{path}[{n}]")]
    if value is None:
        return [(path, "")]
    return [(path, value if isinstance(value, str) else json.dumps(value))]


def _paths(group: fields.Group) -> list[str]:
    found: list[str] = []
    for part in group.parts:
        found += _paths(part) if isinstance(part, fields.Group) else [part.path]
    return found
