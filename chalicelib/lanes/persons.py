"""What a batch must know of the persons that its events may go to."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from chalicelib import aws, names
from chalicelib.events.event import Event
from chalicelib.plan.reach import Known, asks_for, no_links
from chalicelib.rules.destinations import RECIPIENT, parse
from chalicelib.rules.routing import Category, Routing
from chalicelib.stage import Stage
from chalicelib.store import people, register, secrets, table, tokens
from chalicelib.store.tokens import Grant
from chalicelib.words.mail import Links


def wanted(
    stage: Stage, routing: Routing, events: Sequence[Event]
) -> tuple[list[Mapping[str, Any]], bool]:
    """The keys of all that must be read of people for these events; and whether addresses came with them.

    Raises
    ------
    TransientError : an address came with an event, and what stands for it cannot be read.
    """
    persons: set[str] = set()
    addresses: set[str] = set()
    if routing.reaches_persons:
        for event in events:
            of, at = asks_for(event, routing.decide(event).destinations)
            persons |= of
            addresses |= at
    keys: list[Mapping[str, Any]] = [people.key_of(person) for person in sorted(persons)]
    if addresses:
        hash_of = secrets.of(stage).hash_of
        keys += [people.address_key(hash_of(address)) for address in sorted(addresses)]
    return keys, bool(addresses)


def read(stage: Stage, routing: Routing, events: Sequence[Event], seconds: float) -> Known:
    """What is known of the persons that events may go to, for who has no ledger to read with it.

    Raises
    ------
    TransientError : it cannot be read within `seconds`.
    """
    keys, by_address = wanted(stage, routing, events)
    found = table.read(stage, {table.PEOPLE: keys}, seconds)[table.PEOPLE] if keys else ()
    return known(stage, found, by_address)


def known(stage: Stage, items: Sequence[Mapping[str, Any]], by_address: bool) -> Known:
    """What these items say of people. `by_address`: addresses came with events.

    Raises
    ------
    TransientError : what stands for addresses, or signs links, cannot be read.
    """
    persons: dict[str, people.Person] = {}
    addresses: dict[str, people.Person] = {}
    for item in items:
        found = people.from_item(item)
        if found.kind == people.ADDRESS:
            addresses[found.id] = found
        else:
            persons[found.id] = found
    address = os.environ.get("HERALDO_API_URL", "").rstrip("/")
    if not address and not by_address and not any(p.stopped for p in persons.values()):
        return Known(persons, defaults=names.channels())
    secret = secrets.of(stage)
    links = partial(_links, address, secret.tokens) if address else no_links
    return Known(persons, addresses, names.channels(), secret.hash_of, links)


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


def _links(
    address: str, keys: Sequence[bytes], who: str, category: Category, channel: str, locale: str
) -> Links:
    """Where somebody says that they want no more of this, or what they do want."""
    if category.critical:
        return Links()
    token = tokens.sign(keys, Grant(who, category.name, channel, locale), time.time())
    if not token:
        return Links()
    stop = f"{address}/u/{token}" if category.commercial else ""
    return Links(stop, f"{address}/p/{token}")
