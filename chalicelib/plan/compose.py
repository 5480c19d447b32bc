"""From an event to what is published: route, render, address. Pure, so that a plan is the truth."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from typing import Final

from chalicelib.channels import publication as travelling
from chalicelib.channels.publication import UNSUBSCRIBE, Publication
from chalicelib.errors import FieldError, InvalidEvent, PermanentError
from chalicelib.events.event import Event
from chalicelib.events.gathered import DIGEST, Gathered
from chalicelib.events.step import STEPS
from chalicelib.plan.journeys import started_by
from chalicelib.plan.reach import ANYBODY, NO_URL, Contact, Known, no_ack, reach
from chalicelib.regex import regex
from chalicelib.rules.destinations import RECIPIENT, parse, topic_of, webhook_of
from chalicelib.rules.routing import Category, Decision, Routing
from chalicelib.values import dataclass
from chalicelib.words import limits, tidy
from chalicelib.words.faults import Fault
from chalicelib.words.mail import Links
from chalicelib.words.render import Message, RenderError, Templates, locale_of


@dataclass(frozen=True, slots=True)
class Composed:
    """What an event comes to: the decision, and its publications by the ledger's names.

    A topic's is `topic:users/es`, a person's `recipient:email`, a webhook's `webhook:erp`, and what starts a journey
    `start:abandoned-cart`: these two alone have no message. `withheld` has those that there are
    not, and why; `chosen` the channel that each first-of form chose; `gaps` are the fields that are
    printed and empty, where it was rehearsed.
    """

    decision: Decision
    publications: Mapping[str, Publication]
    messages: Mapping[str, Message]
    withheld: Mapping[str, str] = field(default_factory=dict)
    chosen: Mapping[str, str] = field(default_factory=dict)
    gaps: tuple[Fault, ...] = ()

    @property
    def template(self) -> str:
        """The versions of the templates that were rendered."""
        return " ".join(dict.fromkeys([message.version for message in self.messages.values()]))


def compose(
    event: Event,
    lane: str,
    routing: Routing,
    templates: Templates,
    topic_arn: Callable[[str], str],
    known: Known = ANYBODY,
    *,
    chosen: Mapping[str, str] | None = None,
    withheld: Mapping[str, str] | None = None,
) -> Composed:
    """Route and render an event.

    `topic_arn` turns a topic's short name into where a publication of channel `topic` goes; `chosen` and
    `withheld` are what an earlier try came to, see `Composed` and `reach`.

    Raises
    ------
    PermanentError : unknown event type, a template that does not render, or more than its channel takes.
    """
    decision = routing.decide(event)
    work = _Work(event, lane, routing, templates)
    if decision.starts or event.source.startswith(STEPS):
        work.ack = known.ack
    chosen, withheld = dict(chosen or {}), withheld or {}
    missed: dict[str, str] = {}
    for text in decision.destinations:
        if topic := topic_of(text):
            work.to_topic(text, topic_arn(topic))
            continue
        if name := webhook_of(text):
            if routing.webhooks[name].url:
                work.to_webhook(text, name)
            else:
                missed[text] = NO_URL
            continue
        destination = parse(text)
        contacts, why = reach(
            event,
            destination,
            work.category,
            known,
            chosen=chosen.get(text, ""),
            withheld=withheld,
        )
        missed |= why
        for contact in contacts:
            work.to_contact(contact, routing.audience(text), known)
        if destination.first_of and contacts:
            chosen[text] = contacts[0].channel
    if decision.starts:
        tag = event_tag(event.id, event.source)
        for name, start in started_by(event, tag, decision, routing).items():
            if name in withheld:
                missed[name] = withheld[name]
            else:
                work.publications[name] = start
    if not work.messages:
        templates.words_for(event.type, None)  # an unknown type is unknown, routed or not
    missed = {name: why for name, why in missed.items() if name not in work.publications}
    return Composed(decision, work.publications, work.messages, missed, chosen)


class _Work:
    """The publications of one event, each of its words rendered once."""

    def __init__(self, event: Event, lane: str, routing: Routing, templates: Templates) -> None:
        self.event = event
        self.routing = routing
        self.templates = templates
        self.category = routing.category(event.type, lane)
        self.sms_parts = routing.settings(event.type).sms_parts
        self.ack: Callable[[str, str, str], str] = no_ack
        self.publications: dict[str, Publication] = {}
        self.messages: dict[str, Message] = {}
        self._rendered: dict[str, Message] = {}
        self._for_sns: dict[str, str] = {}

    def rendered(self, words: str) -> Message:
        message = self._rendered.get(words)
        if message is None:
            event = self.event
            ack_url = self.ack(event.id, event.source, locale_of(words))
            message = self._rendered[words] = self.templates.render(event, words, ack_url)
        return message

    def to_topic(self, destination: str, arn: str) -> None:
        audience = self.routing.audience(destination)
        for wanted in self.routing.locales(destination, self.event):
            words = self.templates.words_for(self.event.type, wanted, audience)
            message = self.rendered(words)
            name = f"{destination}/{message.locale}"
            if name not in self.publications:
                self._add(name, self.for_topic(message, arn), message)

    def to_webhook(self, destination: str, name: str) -> None:
        event = self.event
        tag = event_tag(event.id, event.source)
        about = {
            travelling.POST_ID: f"msg_{event_tag(tag, destination)}",
            travelling.POST_GROUP: event_tag(event.ordering_key, destination),
            travelling.POST_EVENT: tag,
        }
        found = Publication("webhook", name, None, posted(event), about, structured=False)
        self.publications[destination] = found

    def to_contact(self, contact: Contact, audience: str, known: Known) -> None:
        if contact.name in self.publications:
            return
        words = self.templates.words_for(self.event.type, contact.locale, audience)
        message = self.rendered(words)
        if contact.channel == "email":
            channel = contact.channel
            links = known.links(contact.who, self.category, channel, message.locale)
            publication = self.for_mail(message, contact, links)
        elif contact.channel == "sms":
            publication = self.for_sms(message, contact.to)
        else:
            publication = self.for_push(message, contact.to)
        self._add(contact.name, publication, message)

    def _add(self, name: str, publication: Publication, message: Message) -> None:
        self.publications[name] = publication
        self.messages[name] = message

    def for_topic(self, message: Message, arn: str) -> Publication:
        words = message.words
        text = self._for_sns.get(words)
        if text is None:
            if self.sms_parts:  # whoever subscribes by SMS costs as much
                sms = self.sms_of(message)
                message = replace(message, bodies={**message.bodies, "sms": sms})
            text = self._for_sns[words] = message.to_sns()
        attributes = sns_attributes(self.event, message.locale, self.category)
        found = Publication("topic", arn, message.subject, text, attributes)
        if found.size > limits.MESSAGE_BYTES:
            raise PermanentError("too-large", _TOO_LARGE)
        return found

    def for_mail(self, message: Message, contact: Contact, links: Links) -> Publication:
        mail = self.templates.mail(message, links)
        room = 0 if links.preferences else _FOOT_CHARACTERS
        if problem := limits.mail_problem(message.subject, mail.text, mail.html, room):
            raise PermanentError("too-large", f"the e-mail {problem}")
        headers = {}
        if self.category.commercial:
            # https://www.rfc-editor.org/rfc/rfc8058
            headers = {
                UNSUBSCRIBE: f"<{links.unsubscribe}>",
                "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            }
        return Publication(
            "email",
            contact.to,
            message.subject,
            mail.text,
            mail_tags(self.event, contact),
            structured=False,
            html=mail.html,
            headers=headers,
        )

    def for_sms(self, message: Message, number: str) -> Publication:
        text = self.sms_of(message)
        attributes = sms_type(self.category.commercial)
        return Publication("sms", number, None, text, attributes, structured=False)

    def sms_of(self, message: Message) -> str:
        """What a message says as an SMS, within what that may cost."""
        text = tidy.affordable(message.sms, self.sms_parts)
        if not text:
            raise PermanentError("sms-empty", "the SMS is empty: write its block, or leave it out")
        sms = limits.sms(text)
        if sms.characters > limits.SMS_CHARACTERS:
            what = f"the SMS has {sms.characters} characters; SNS takes {limits.SMS_CHARACTERS}"
            raise PermanentError("sms-too-long", f"{what}: write a shorter sms block")
        if self.sms_parts and sms.parts > self.sms_parts:
            what = f"the SMS takes {sms.parts} parts in {sms.encoding}"
            raise PermanentError(
                "sms-too-costly",
                f"{what}, and sms_parts in routing.toml lets it take {self.sms_parts}:"
                " shorten what stands in it",
            )
        return text

    def for_push(self, message: Message, endpoint: str) -> Publication:
        return Publication("push", endpoint, None, message.for_push(), {})


def rehearse(
    event: Event, lane: str, routing: Routing, templates: Templates, known: Known = ANYBODY
) -> Composed:
    """What an event comes to, known to become words in every locale in which it may go out.

    Raises
    ------
    RenderError : with what is wrong in any of them.
    InvalidEvent : it is for its recipient alone, and names nobody.
    PermanentError : as `compose`.
    """
    errors: list[RenderError] = []
    composed = None
    try:
        composed = compose(event, lane, routing, templates, str, known)
    except RenderError as error:
        errors.append(error)
    decision = composed.decision if composed else routing.decide(event)
    errors += _as_digests(event, lane, decision, routing, templates)
    rendered = {m.words: m for m in composed.messages.values()} if composed else {}
    work = _Work(event, lane, routing, templates)
    for words in sorted(_all_words(event, decision, routing, templates) - rendered.keys()):
        try:
            rendered[words] = work.rendered(words)
        except RenderError as error:
            errors.append(error)
    if composed is None or errors:
        raise RenderError.of(errors)
    _require_somebody(event, decision)
    made = {
        (message.words, composed.publications[name].channel)
        for name, message in composed.messages.items()
    }
    for message in rendered.values():
        for channel in sorted(_channels(decision) - {c for w, c in made if w == message.words}):
            _try(work, message, channel)
    gaps: dict[str | None, Fault] = {}
    for message in rendered.values():
        for gap in templates.gaps(event, message.words) if message.gaps else ():
            gaps.setdefault(gap.field, gap)
    return replace(composed, gaps=tuple(gaps.values())) if gaps else composed


def _as_digests(
    event: Event, lane: str, decision: Decision, routing: Routing, templates: Templates
) -> list[RenderError]:
    """What an event stumbles over as one of several in a digest, in all words in which it may be that."""
    errors = []
    for rule in decision.digests:
        digest = replace(event, digest=Gathered.alike(event, rule.name, 2))
        work, gathered = _Work(digest, lane, routing, templates), routing.decide(digest)
        for words in sorted(_all_words(digest, gathered, routing, templates)):
            try:
                work.rendered(words)
            except RenderError as error:
                errors.append(error)
    return errors


def _require_somebody(event: Event, decision: Decision) -> None:
    """Refuse what is for its recipient alone and does not say who that is."""
    destinations = decision.in_time
    persons = [found for text in destinations if (found := parse(text)).is_somebody]
    if event.recipient is not None or len(persons) < len(destinations) or not persons:
        return
    if all(destination.kind == RECIPIENT for destination in persons):
        channels = {channel for destination in persons for channel in destination.channels}
        given = (event.email and "email" in channels) or (event.phone and "sms" in channels)
        if not given:
            problem = "is required, or email or phone: the rules send this event to its recipient"
            raise InvalidEvent("no-recipient", [FieldError("recipient", problem)])


def _channels(decision: Decision) -> set[str]:
    """Every channel in which an event may go out, in words."""
    channels: set[str] = set()
    for text in decision.in_time:
        channels.update(("topic",) if topic_of(text) else parse(text).channels)
    return channels


def _try(work: _Work, message: Message, channel: str) -> None:
    """Make what a message would be by a channel, for what that refuses."""
    if channel == "topic":
        work.for_topic(message, "")
    elif channel == "email":
        work.for_mail(message, _SOMEBODY, Links())
    elif channel == "sms":
        work.for_sms(message, "")
    else:
        work.for_push(message, "")


# What the links at the foot take at the most, in the text and in the HTML: the door does not know them.
_FOOT_CHARACTERS: Final = 6000
_SOMEBODY: Final = Contact("", "email", "", "", None)


def _all_words(
    event: Event, decision: Decision, routing: Routing, templates: Templates
) -> set[str]:
    """All the words in which an event may go out, as its type is written.

    An event that names a recipient and no locale is written in the recipient's, which only the lane
    will know; one that nobody hears of must render all the same, or it is a mistake.
    """
    found = {
        templates.words_for(event.type, wanted, routing.audience(destination))
        for destination in decision.in_time
        if not webhook_of(destination)
        for wanted in routing.locales(destination, event)
    }
    for destination in decision.in_time:
        whose = routing.audience(destination)
        if parse(destination).is_somebody and whose:  # a person's locale is their own
            own = [words for words in templates.words(event.type) if words.startswith(f"{whose}.")]
            found.update(own or templates.locales(event.type))
    if any(routing.is_personal(destination, event) for destination in decision.in_time):
        found.update(templates.locales(event.type) if event.locale is None else ())
    return found or {templates.words_for(event.type, event.locale)}


# In ASCII, for SQS does not take every character.
_JSON: Final = json.JSONEncoder(separators=(",", ":"))


def posted(event: Event) -> str:
    """What a webhook gets: the event as it is, in the form that Standard Webhooks asks for, without the addresses
    that came with it.

    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md#payload-structure
    """
    body: dict[str, object] = {"type": event.type}
    if event.time is not None:
        body["timestamp"] = event.time
    body["data"] = event.data
    if event.digest is not None:
        body[DIGEST] = event.digest.to_raw()
    found = event.attributes()
    body |= {name: found[name] for name in _POSTED if name in found}
    return _JSON.encode(body | {n: v for n, v in event.extensions.items() if n not in body})


# What says which event it is, and whom and what it is about.
_POSTED: Final = ("id", "source", "subject", "recipient", "locale", "partitionkey", "traceparent")


_TOO_LARGE: Final = "the rendered message is larger than 256 KiB"


def sns_attributes(event: Event, locale: str, category: Category) -> dict[str, str]:
    """The message attributes on which subscribers filter, and how SMS are to travel."""
    found = {"event_type": event.type, "locale": locale, "category": category.name}
    if event.recipient is not None:
        found["recipient"] = event.recipient
    return found | sms_type(category.commercial)


def sms_type(commercial: bool) -> dict[str, str]:
    """The attribute that says how SMS are to travel.

    SNS sends an SMS as advertising unless it is told otherwise: cheaper, later, and where numbers
    have opted out of it, not at all.
    https://docs.aws.amazon.com/sns/latest/dg/sms_publish-to-topic.html
    """
    return {"AWS.SNS.SMS.SMSType": "Promotional" if commercial else "Transactional"}


# What a tag may hold, and how much of it:
# https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_MessageTag.html
_NO_TAG: Final = regex(r"[^A-Za-z0-9_-]")
_TAG_CHARACTERS: Final = 256


def mail_tags(event: Event, contact: Contact) -> dict[str, str]:
    """What comes back with a mail's receipts: which event it was about, and whose address it was."""
    tags = {
        "event": event_tag(event.id, event.source),
        "destination": destination_tag(contact.name),
    }
    kind, _, person_id = contact.who.partition(":")
    person = base64.urlsafe_b64encode(person_id.encode()).decode().rstrip("=")
    if kind == "person" and len(person) <= _TAG_CHARACTERS:
        tags["person"] = person
    return tags


def destination_tag(name: str) -> str:
    """A destination, by the ledger's name, as a tag names it."""
    return _NO_TAG.sub("_", name)[:_TAG_CHARACTERS]


def event_tag(event_id: str, source: str) -> str:
    """An event as a tag names it."""
    return hashlib.sha256(f"{source}\n{event_id}".encode()).hexdigest()[:32]


def nobody(composed: Composed) -> str:
    """Why an event that is withheld from all reaches nobody, in a word: the one reason, or `withheld`."""
    reasons = set(composed.withheld.values())
    return reasons.pop() if len(reasons) == 1 else "withheld"
