"""What a batch must know of the persons that its events may go to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib import names
from chalicelib.events.event import Event
from chalicelib.plan.reach import Known, asks_for
from chalicelib.rules.routing import Routing
from chalicelib.stage import Stage
from chalicelib.store import people, secrets


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


def known(stage: Stage, items: Sequence[Mapping[str, Any]], by_address: bool) -> Known:
    """What these items say of people. `by_address`: addresses came with events.

    Raises
    ------
    TransientError : an address was stopped, and what stands for addresses cannot be read.
    """
    persons: dict[str, people.Person] = {}
    addresses: dict[str, people.Person] = {}
    for item in items:
        found = people.from_item(item)
        if found.kind == people.ADDRESS:
            addresses[found.id] = found
        else:
            persons[found.id] = found
    if not by_address and not any(person.stopped for person in persons.values()):
        return Known(persons, defaults=names.channels())
    return Known(persons, addresses, names.channels(), secrets.of(stage).hash_of)
