"""From an event to what is published: route, render, address. Pure, so that a plan is the truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from chalicelib.channels.publication import Publication
from chalicelib.errors import PermanentError
from chalicelib.events.event import Event
from chalicelib.rules.routing import Decision, Routing
from chalicelib.words import limits
from chalicelib.words.faults import Fault
from chalicelib.words.render import Message, RenderError, Templates


@dataclass(frozen=True, slots=True)
class Composed:
    """What an event comes to: the decision, and a publication per `destination/locale`.

    `gaps` are the fields that are printed and empty, where it was rehearsed.
    """

    decision: Decision
    publications: Mapping[str, Publication]
    messages: Mapping[str, Message]
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
) -> Composed:
    """Route and render an event.

    `topic_arn` turns a topic's short name into where a publication of channel `topic` goes.

    Raises
    ------
    PermanentError : unknown event type, a template that does not render, or more than SNS takes.
    """
    decision = routing.decide(event)
    publications: dict[str, Publication] = {}
    messages: dict[str, Message] = {}
    rendered: dict[str, tuple[Message, str]] = {}
    for destination in decision.destinations:
        for wanted in routing.locales(destination, event):
            locale = templates.locale_for(event.type, wanted)
            name = f"{destination}/{locale}"
            if name in publications:
                continue
            if locale not in rendered:
                message = templates.render(event, locale)
                rendered[locale] = (message, message.to_sns())
            message, text = rendered[locale]
            publication = Publication(
                channel="topic",
                to=topic_arn(destination.removeprefix("topic:")),
                subject=message.subject,
                message=text,
                attributes=sns_attributes(event, lane, locale, routing.is_commercial(lane)),
            )
            if publication.size > limits.MESSAGE_BYTES:
                raise PermanentError("too-large", _TOO_LARGE)
            publications[name] = publication
            messages[name] = message
    if not decision.destinations:
        templates.locale_for(event.type, None)  # an unknown type is unknown, routed or not
    return Composed(decision, publications, messages)


def rehearse(event: Event, lane: str, routing: Routing, templates: Templates) -> Composed:
    """What an event comes to, known to become words in every locale in which it may go out.

    Raises
    ------
    RenderError : with what is wrong in any of them.
    PermanentError : as `compose`.
    """
    errors: list[RenderError] = []
    composed = None
    try:
        composed = compose(event, lane, routing, templates, str)
    except RenderError as error:
        errors.append(error)
    decision = composed.decision if composed else routing.decide(event)
    rendered = {m.locale: m for m in composed.messages.values()} if composed else {}
    for locale in sorted(_audiences(event, decision, routing, templates) - rendered.keys()):
        try:
            message = rendered[locale] = templates.render(event, locale)
        except RenderError as error:
            errors.append(error)
            continue
        attributes = sns_attributes(event, lane, locale, routing.is_commercial(lane))
        if limits.size(message.subject, message.to_sns(), attributes) > limits.MESSAGE_BYTES:
            raise PermanentError("too-large", _TOO_LARGE)
    if composed is None or errors:
        raise RenderError.of(errors)
    gaps: dict[str | None, Fault] = {}
    for message in rendered.values():
        for gap in templates.gaps(event, message.locale) if message.gaps else ():
            gaps.setdefault(gap.field, gap)
    return replace(composed, gaps=tuple(gaps.values())) if gaps else composed


def _audiences(
    event: Event, decision: Decision, routing: Routing, templates: Templates
) -> set[str]:
    """Every locale in which an event may go out, as its type is written.

    An event that names a recipient and no locale is written in the recipient's, which only the lane
    will know; one that nobody hears of must render all the same, or it is a mistake.
    """
    found = {
        templates.locale_for(event.type, wanted)
        for destination in decision.destinations
        for wanted in routing.locales(destination, event)
    }
    if any(routing.is_personal(destination, event) for destination in decision.destinations):
        found.update(templates.locales(event.type) if event.locale is None else ())
    return found or {templates.locale_for(event.type, event.locale)}


_TOO_LARGE: Final = "the rendered message is larger than 256 KiB"


def sns_attributes(event: Event, lane: str, locale: str, commercial: bool) -> dict[str, str]:
    """The message attributes on which subscribers filter, and how SMS are to travel."""
    found = {"event_type": event.type, "locale": locale, "category": lane}
    if event.recipient is not None:
        found["recipient"] = event.recipient
    return found | sms_type(commercial)


def sms_type(commercial: bool) -> dict[str, str]:
    """The attribute that says how SMS are to travel.

    SNS sends an SMS as advertising unless it is told otherwise: cheaper, later, and where numbers
    have opted out of it, not at all.
    https://docs.aws.amazon.com/sns/latest/dg/sms_publish-to-topic.html
    """
    return {"AWS.SNS.SMS.SMSType": "Promotional" if commercial else "Transactional"}
