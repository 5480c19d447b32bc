"""The people of a stage: whom events may be for, where they are reached and what they want.

One table. A person is the item `person:<id>`; what is known of an address that came with an event, and of
nobody's, is `address:<keyed hash>`; `secrets` is in `store.secrets`. Attributes are few and flat, as the
ledger's are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field
from typing import Any, Final

from chalicelib.values import dataclass

# How their items' ids begin.
PERSON: Final = "person:"
ADDRESS: Final = "address:"
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_JSON: Final = ("preferences", "consent", "refused", "soft")


@dataclass(frozen=True, slots=True)
class Stop:
    """Why nothing is sent to an address any more. `address` is its keyed hash, `at` an ISO timestamp."""

    address: str
    reason: str
    at: str
    detail: str = ""


@dataclass(slots=True)
class Person:
    """A person by the shop's own id; what is not known is empty.

    `preferences` are by category and channel, `consent` by category: when and how somebody agreed to it,
    and `refused` by category and channel: when and how they said themselves that they do not want it.
    `stopped` is by channel, and counts as long as the person has the address that was stopped; `soft`
    counts the soft bounces in a row of the present address. `version` counts its writings.

    What is known of an address is kept in the same shape: its `kind` is ADDRESS and its id the keyed hash.
    """

    id: str
    kind: str = PERSON
    locale: str = ""
    time_zone: str = ""
    email: str = ""
    phone: str = ""
    push: tuple[str, ...] = ()
    preferences: dict[str, dict[str, bool]] = field(default_factory=dict)
    consent: dict[str, dict[str, str]] = field(default_factory=dict)
    refused: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    stopped: dict[str, Stop] = field(default_factory=dict)
    soft: dict[str, int] = field(default_factory=dict)
    version: int = 0

    @property
    def item_id(self) -> str:
        return self.kind + self.id


def key_of(person_id: str) -> dict[str, Any]:
    """The key of a person."""
    return {"id": {"S": PERSON + person_id}}


def of_item_id(item_id: str) -> Person:
    """Somebody of whom nothing is known yet, by what their item is called."""
    kind, colon, rest = item_id.partition(":")
    return Person(rest, kind + colon)


def address_key(keyed_hash: str) -> dict[str, Any]:
    """The key of what is known of an address."""
    return {"id": {"S": ADDRESS + keyed_hash}}


def to_item(person: Person) -> dict[str, Any]:
    """The DynamoDB item of a person; what is empty is left out."""
    item: dict[str, Any] = {"id": {"S": person.item_id}, "version": {"N": str(person.version)}}
    for name in ("locale", "time_zone", "email", "phone"):
        if text := getattr(person, name):
            item[name] = {"S": text}
    if person.push:
        item["push"] = {"S": _ENCODER.encode(person.push)}
    for name in _JSON:
        if value := getattr(person, name):
            item[name] = {"S": _ENCODER.encode(value)}
    if person.stopped:
        stops = {
            channel: [stop.address, stop.reason, stop.at, stop.detail]
            for channel, stop in person.stopped.items()
        }
        item["stopped"] = {"S": _ENCODER.encode(stops)}
    return item


def from_item(item: Mapping[str, Any]) -> Person:
    """A person, or what is known of an address."""
    found = of_item_id(str(item["id"]["S"]))
    if "version" in item:
        found.version = int(item["version"]["N"])
    for name in ("locale", "time_zone", "email", "phone"):
        if name in item:
            setattr(found, name, item[name]["S"])
    if "push" in item:
        found.push = tuple(json.loads(item["push"]["S"]))
    for name in _JSON:
        if name in item:
            setattr(found, name, json.loads(item[name]["S"]))
    if "stopped" in item:
        stops = json.loads(item["stopped"]["S"])
        found.stopped = {channel: Stop(*stop) for channel, stop in stops.items()}
    return found
