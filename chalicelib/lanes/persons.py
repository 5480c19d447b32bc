"""What a batch must know of the persons that its events may go to."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from chalicelib import aws, names
from chalicelib.errors import PermanentError
from chalicelib.events.event import MAX_ID, Event
from chalicelib.lanes import capping, gathering
from chalicelib.plan.reach import Known, ack_at, asks_for, links_at, shown_ack, shown_links
from chalicelib.rules.destinations import RECIPIENT, parse
from chalicelib.rules.routing import Category, Routing, Rule
from chalicelib.stage import Stage
from chalicelib.store import people, register, secrets, table, tokens, windows
from chalicelib.store.counts import from_items
from chalicelib.store.tokens import Ack, Grant
from chalicelib.words.mail import Links


def wanted(
    stage: Stage, routing: Routing, lane: str, events: Sequence[Event]
) -> tuple[list[Mapping[str, Any]], bool, list[tuple[Event, Rule]]]:
    """The keys of all that must be read of people for these events of a lane; whether addresses came with them;
    and which rules gather some of them.

    Raises
    ------
    TransientError : an address came with an event, and what stands for it cannot be read.
    """
    persons: set[str] = set()
    addresses: set[str] = set()
    gathered: list[tuple[Event, Rule]] = []
    if routing.reaches_persons or routing.has_digests:
        for event in events:
            decision = routing.decide(event)
            gathered += [(event, rule) for rule in decision.digests]
            of, at = asks_for(event, decision.in_time)
            persons |= of
            addresses |= at
    if routing.keeps_hours:  # by the recipient's clock, whoever is told
        for event in events:
            hours = routing.category(event.type, lane).hours
            if hours is not None and event.recipient and len(event.recipient) <= MAX_ID:
                persons.add(event.recipient)
    keys: list[Mapping[str, Any]] = [people.key_of(person) for person in sorted(persons)]
    if addresses:
        hash_of = secrets.of(stage).hash_of
        keys += [people.address_key(hash_of(address)) for address in sorted(addresses)]
    return keys, bool(addresses), gathered


def named(stage: Stage, by_address: bool) -> Known:
    """What tells whom events are for, before anything is read of them. `by_address`: addresses came with them.

    Raises
    ------
    TransientError : what stands for addresses cannot be read.
    """
    return Known(hash_of=secrets.of(stage).hash_of) if by_address else Known()


def read(
    stage: Stage, routing: Routing, lane: str, events: Sequence[Event], seconds: float
) -> Known:
    """What is known of the persons that events of a lane may go to, for whoever only looks at what would be sent: links
    open nothing.

    Raises
    ------
    TransientError : it cannot be read within `seconds`.
    """
    keys, by_address, gathered = wanted(stage, routing, lane, events)
    who = named(stage, by_address)
    counts = capping.wanted(routing, lane, events, who)
    counts += gathering.wanted(routing, lane, gathered, who)
    asked = {name: of for name, of in ((table.PEOPLE, keys), (table.HOLDS, counts)) if of}
    found = table.read(stage, asked, seconds) if asked else {}
    known = _known(stage, found.get(table.PEOPLE, ()), by_address)
    lately = from_items(found.get(table.HOLDS, ()))
    ends = windows.from_items(found.get(table.HOLDS, ()))
    links, ack = shown_links(_address()), shown_ack(_address())
    return replace(known, links=links, ack=ack, counts=lately, windows=ends)


def known(
    stage: Stage,
    keys: Sequence[Mapping[str, Any]],
    items: Sequence[Mapping[str, Any]],
    by_address: bool,
    *,
    acks: bool = False,
) -> Known:
    """What these items say of people, to send by; `keys` and `by_address` are what was `wanted`. `acks`: some
    of the events may be ones that somebody acknowledges.

    Raises
    ------
    TransientError : what stands for addresses, or signs links, cannot be read.
    """
    found, address = _known(stage, items, by_address), _address()
    if not address or not (keys or acks):  # what goes to topics alone depends on no secret
        return found
    signing = secrets.of(stage).tokens
    ack = partial(_ack, address, signing)
    return replace(found, links=partial(_links, address, signing), ack=ack)


def _address() -> str:
    """The stage's public address; empty where stages.toml names none."""
    return os.environ.get("HERALDO_API_URL", "").rstrip("/")


def _known(stage: Stage, items: Sequence[Mapping[str, Any]], by_address: bool) -> Known:
    persons: dict[str, people.Person] = {}
    addresses: dict[str, people.Person] = {}
    for item in items:
        found = people.from_item(item)
        if found.kind == people.ADDRESS:
            addresses[found.id] = found
        else:
            persons[found.id] = found
    if not by_address and not any(p.stopped for p in persons.values()):
        return Known(persons, defaults=names.channels())
    return Known(persons, addresses, names.channels(), secrets.of(stage).hash_of)


def forget_endpoint(stage: Stage, known: Known, event: Event, name: str, endpoint: str) -> None:
    """Take a device whose app is gone off the person whose it was; `name` is the ledger's, of the publication.

    If that cannot be done now, SNS says the same of the next push.
    """
    destination = name.partition("/")[0]
    found = parse(destination)
    person = known.persons.get((event.recipient if found.kind == RECIPIENT else found.name) or "")
    if person is None or endpoint not in person.push:
        return
    left = tuple(one for one in person.push if one != endpoint)
    try:
        register.put_push(stage, person, left)
    except aws.FAILURES:
        return
    person.push = left


def _ack(address: str, keys: Sequence[bytes], event_id: str, source: str, locale: str) -> str:
    """Where somebody says that they are on it; nowhere, where that would be too long."""
    token = tokens.sign_ack(keys, Ack(event_id, source, locale), time.time())
    return ack_at(address, token) if token else ""


def _links(
    address: str, keys: Sequence[bytes], who: str, category: Category, channel: str, locale: str
) -> Links:
    """Where somebody says that they want no more of this, or what they do want.

    Raises
    ------
    PermanentError : it is advertising, and there is no way to stop it.
    """
    if category.critical:
        return Links()
    token = tokens.sign(keys, Grant(who, category.name, channel, locale), time.time())
    if token:
        return links_at(address, category, token)
    if category.commercial:
        what = "the recipient's id is too long for a link with which they could stop this"
        raise PermanentError("no-way-to-stop", what)
    return Links()
