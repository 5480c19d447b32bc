"""What would happen to an event, and why. The same for `./heraldo plan`, `?dry_run=true` and tests."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

from chalicelib.channels.publication import NO_ADDRESS, UNSUBSCRIBE, Publication
from chalicelib.events.event import Event
from chalicelib.plan.compose import Composed, nobody
from chalicelib.plan.fate import TEST_KEY
from chalicelib.plan.gathering import Share, shares
from chalicelib.plan.reach import ANYBODY, CAPPED, REASONS, Known
from chalicelib.plan.timing import outlook, zone_of
from chalicelib.rules.destinations import topic_of
from chalicelib.rules.routing import Decision, Routing, Verdict
from chalicelib.store.record import text_of
from chalicelib.words import limits
from chalicelib.words.render import Message


def plan(
    event: Event,
    lane: str,
    composed: Composed,
    routing: Routing,
    *,
    known: Known = ANYBODY,
    shop: tzinfo | None = None,
    test: bool = False,
    now: datetime | None = None,
) -> dict[str, Any]:
    """The plan at `now` (aware; by default at once) of an event that was checked: JSON-ready, nothing of it
    sent. `known` are its persons, `shop` is its own clock, `test`: by a test key."""
    now = now or datetime.now(UTC)
    category = routing.category(event.type, lane)
    found = outlook(event, category, composed.publications, known, shop, now)
    wait, withheld = found.wait, {**composed.withheld, **dict.fromkeys(found.capped, CAPPED)}
    late = event.expired(now) or (wait is not None and wait.expires)
    gathered = (
        () if late or test else shares(event, composed.decision, routing, lane, known, shop, now)
    )
    held: dict[str, Any] = {}
    if wait is not None and composed.publications and not late and not test:
        local = wait.until.astimezone(zone_of(event, known, shop)).isoformat(timespec="minutes")
        held = {"held": {"until": text_of(wait.until), "local": local, "why": wait.why}}
    if gathered and not event.waits(now):
        held["digests"] = [_share(share, zone_of(event, known, shop)) for share in gathered]
    return {
        "type": event.type,
        "lane": lane,
        **held,
        "ordering_key": event.ordering_key,
        "rules": [_rule(verdict) for verdict in routing.explain(event)],
        "destinations": list(composed.decision.destinations),
        **_journeys(composed.decision),
        "suppressed": "expired" if late else _suppressed(composed, test, found.capped),
        "withheld": withheld,
        "messages": [
            _message(name, message, composed, event) for name, message in composed.messages.items()
        ]
        + [_post(name, p) for name, p in composed.publications.items() if p.channel == "webhook"],
        "warnings": _warnings(composed),
    }


def _journeys(decision: Decision) -> dict[str, Any]:
    """The journeys that an event has to do with, where it has."""
    found = {"starts": list(decision.starts), "stops": list(decision.stops)}
    return {name: journeys for name, journeys in found.items() if journeys}


def _share(share: Share, zone: tzinfo) -> dict[str, Any]:
    """What a rule gathers of an event, and until when that waits at the most."""
    return {
        "rule": share.rule.name,
        "until": text_of(share.due),
        "local": share.due.astimezone(zone).isoformat(timespec="minutes"),
        "to": list(share.rule.to),
        "why": _OPENS if share.opens else _JOINS,
    }


_OPENS: Final = "it is the first of its digest"
_JOINS: Final = "it joins a digest that others wait for"


def _suppressed(composed: Composed, test: bool, capped: Collection[str]) -> str | None:
    """Why nobody is told, as the ledger will have it; None where somebody is."""
    if capped and not composed.decision.digests and len(capped) == len(composed.publications):
        return CAPPED
    if composed.decision.digests:
        return TEST_KEY if test else None
    if not composed.publications and composed.withheld:
        return nobody(composed)
    return composed.decision.reason or (TEST_KEY if test else None)


_NO_WAY_TO_STOP: Final = "it is advertising and waits in its lane: stages.toml names no api_url, where its reader could stop it"


def _rule(verdict: Verdict) -> dict[str, Any]:
    rule = verdict.rule
    found: dict[str, Any] = {"name": rule.name, "matched": verdict.matched}
    if verdict.matched:
        found["to"] = list(rule.to)
        if rule.starts:
            found["starts_journeys"] = list(rule.starts)
        if rule.stops:
            found["stops_journeys"] = list(rule.stops)
        if rule.digest is not None:
            found["gathers"] = True
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
    publication = composed.publications[name]
    sms = limits.sms(_sms_text(publication, message))
    found: dict[str, Any] = {
        "destination": name.rpartition("/")[0] if topic_of(name) else name,
        "channel": publication.channel,
        "locale": message.locale,
        "subject": message.subject,
        "bodies": _bodies(publication),
        "attributes": dict(publication.attributes),
        "bytes": publication.size,
        "template": message.version,
        "sms": {"encoding": sms.encoding, "characters": sms.characters, "parts": sms.parts},
    }
    if publication.html:
        found["html"] = publication.html
    if publication.headers:
        found["headers"] = dict(publication.headers)
    if event.locale and event.locale != message.locale:
        found["fallback_from"] = event.locale
    return found


def _post(name: str, publication: Publication) -> dict[str, Any]:
    """What a webhook gets, which is the event and no words."""
    return {
        "destination": name,
        "channel": publication.channel,
        "bodies": _bodies(publication),
        "attributes": dict(publication.attributes),
        "bytes": publication.size,
    }


def _sms_text(publication: Publication, message: Message) -> str:
    """What a text message says, be it this one or one to a topic's subscribers."""
    if publication.channel != "topic":
        return publication.message if publication.channel == "sms" else message.sms
    bodies = _bodies(publication)
    return bodies.get("sms", bodies["default"])


def _bodies(publication: Publication) -> dict[str, str]:
    """What is sent, a text for each protocol: a topic's subscribers have several, a person's channel one."""
    if publication.channel in ("topic", "push"):
        texts: dict[str, str] = json.loads(publication.message)
        return texts
    return {publication.channel: publication.message}


def _warnings(composed: Composed) -> list[str]:
    found = []
    for name, message in composed.messages.items():
        publication = composed.publications[name]
        channel = publication.channel
        if channel not in ("topic", "sms"):
            continue
        sms = limits.sms(_sms_text(publication, message))
        if sms.characters > limits.SMS_CHARACTERS:
            found.append(f"{name}: over {limits.SMS_CHARACTERS} characters, SNS sends no such SMS")
        elif sms.parts > 3:
            found.append(f"{name}: the SMS takes {sms.parts} parts")
        if "sms" not in message.bodies:
            found.append(f"{name}: there is no sms block, so an SMS gets the body")
        if (
            channel == "topic"
            and "GCM" not in message.bodies
            and limits.push_problem(message.bodies["default"])
        ):
            found.append(f"{name}: there is no push block, and the body is too large for a push")
    found += [f"{gap} where templates/{gap.place} prints it" for gap in composed.gaps]
    for name, publication in composed.publications.items():
        if publication.headers.get(UNSUBSCRIBE) == NO_ADDRESS:
            found.append(f"{name}: {_NO_WAY_TO_STOP}")
    found += [f"{name}: {REASONS.get(why, why)}" for name, why in composed.withheld.items()]
    decision = composed.decision
    if not composed.publications and not decision.starts and not decision.digests:
        found.append("nobody hears about this event")
    return found
