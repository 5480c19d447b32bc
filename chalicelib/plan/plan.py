"""What would happen to an event, and why. The same for `./heraldo plan`, `?dry_run=true` and tests."""

from __future__ import annotations

from typing import Any

from chalicelib.events.event import Event
from chalicelib.plan.compose import Composed
from chalicelib.rules.routing import Routing, Verdict
from chalicelib.words import limits
from chalicelib.words.render import Message


def plan(event: Event, lane: str, composed: Composed, routing: Routing) -> dict[str, Any]:
    """The plan of an event that was checked: JSON-ready, nothing of it sent."""
    return {
        "type": event.type,
        "lane": lane,
        "ordering_key": event.ordering_key,
        "rules": [_rule(verdict) for verdict in routing.explain(event)],
        "destinations": list(composed.decision.destinations),
        "suppressed": composed.decision.reason or None,
        "messages": [
            _message(name, message, composed, event) for name, message in composed.messages.items()
        ],
        "warnings": _warnings(composed),
    }


def _rule(verdict: Verdict) -> dict[str, Any]:
    rule = verdict.rule
    found: dict[str, Any] = {"name": rule.name, "matched": verdict.matched}
    if verdict.matched:
        found["to"] = list(rule.to)
        if rule.suppress:
            found["suppresses"] = True
        if rule.stop:
            found["stops"] = True
    elif verdict.after_stop:
        found["why"] = f"not reached: rule {verdict.after_stop} stops here"
    else:
        found["why"] = str(verdict.mismatch)
    for name in ("owner", "note"):
        if getattr(rule, name):
            found[name] = getattr(rule, name)
    return found


def _message(name: str, message: Message, composed: Composed, event: Event) -> dict[str, Any]:
    destination, locale = name.rsplit("/", 1)
    publication = composed.publications[name]
    sms = limits.sms(message.bodies.get("sms", message.bodies["default"]))
    found: dict[str, Any] = {
        "destination": destination,
        "locale": locale,
        "subject": message.subject,
        "bodies": dict(message.bodies),
        "attributes": dict(publication.attributes),
        "bytes": publication.size,
        "template": message.version,
        "sms": {"encoding": sms.encoding, "characters": sms.characters, "parts": sms.parts},
    }
    if event.locale and event.locale != locale:
        found["fallback_from"] = event.locale
    return found


def _warnings(composed: Composed) -> list[str]:
    found = []
    for name, message in composed.messages.items():
        text = message.bodies.get("sms", message.bodies["default"])
        sms = limits.sms(text)
        if sms.characters > limits.SMS_CHARACTERS:
            found.append(f"{name}: over {limits.SMS_CHARACTERS} characters, SNS sends no such SMS")
        elif sms.parts > 3:
            found.append(f"{name}: the SMS takes {sms.parts} parts")
        if "sms" not in message.bodies:
            found.append(f"{name}: there is no sms block, so an SMS gets the body")
        if "GCM" not in message.bodies and limits.push_problem(message.bodies["default"]):
            found.append(f"{name}: there is no push block, and the body is too large for a push")
    found += [f"{gap} where templates/{gap.place} prints it" for gap in composed.gaps]
    if not composed.messages:
        found.append("nobody hears about this event")
    return found
