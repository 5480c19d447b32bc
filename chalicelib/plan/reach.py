"""Whom an event reaches and where, and why nobody: its persons, their contacts and what they want. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import Final

from chalicelib.events.event import MAX_ID, Event
from chalicelib.plan.preferences import wants
from chalicelib.rules.destinations import PERSON, RECIPIENT, Destination, parse
from chalicelib.rules.routing import Category
from chalicelib.store.counts import Count
from chalicelib.store.people import Person
from chalicelib.store.run import RUNNING
from chalicelib.store.run import STOPPED as STOPPED_JOURNEY
from chalicelib.values import dataclass
from chalicelib.words.mail import Links

# Why somebody is not told by a channel, as the ledger has it.
NO_CONTACT: Final = "no-contact"
OPTED_OUT: Final = "opted-out"
STOPPED: Final = "address-stopped"
GONE: Final = "endpoint-gone"
CAPPED: Final = "capped"
NO_URL: Final = "no-url"
REASONS: Final[Mapping[str, str]] = {
    NO_CONTACT: "nothing is known by which they could be reached there",
    OPTED_OUT: "they do not want it there",
    STOPPED: "the address is stopped, because mail to it bounced or was complained of",
    GONE: "the app is not on that device any more",
    NO_URL: "routing.toml names no URL for this webhook in this stage",
    CAPPED: "they got as much of it lately as its category's cap allows",
    RUNNING: "the journey is under way already for this key",
    STOPPED_JOURNEY: "an event that was accepted later has stopped the journey for this key",
}
# What stands for the contacts of somebody of whom nobody was asked.
_ASSUMED: Final = {
    "email": "somebody@example.com",
    "sms": "+34600000000",
    "push": "arn:aws:sns:eu-west-1:000000000000:endpoint/GCM/shop/somebody",
}


def _no_hash(_: str) -> str:
    return ""


def no_links(_who: str, _category: Category, _channel: str, _locale: str) -> Links:
    """There are no such pages."""
    return Links()


def links_at(address: str, category: Category, token: str) -> Links:
    """Where, below the stage's public address, whoever has this token stops a category or chooses.

    What is critical cannot be switched off, so that nobody is asked.
    """
    if category.critical:
        return Links()
    stop = f"{address}/u/{token}" if category.commercial else ""
    return Links(stop, f"{address}/p/{token}")


def no_ack(_event_id: str, _source: str, _locale: str) -> str:
    """There is no such page."""
    return ""


def ack_at(address: str, token: str) -> str:
    """Where, below the stage's public address, whoever has this token acknowledges an event."""
    return f"{address}/a/{token}"


def shown_ack(address: str) -> Callable[[str, str, str], str]:
    """What stands for the link with which an event is acknowledged; as `shown_links`."""
    return (lambda _id, _source, _locale: ack_at(address, "…")) if address else no_ack


def shown_links(address: str) -> Callable[[str, Category, str, str], Links]:
    """What stands for the links in a mail that is only looked at: they open nothing, for who looks at it is
    not who it is for."""
    if not address:
        return no_links
    return lambda _who, category, _channel, _locale: links_at(address, category, "…")


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the persons that events may go to.

    `persons` are by id, `addresses` (what is known of addresses that came with events) by the keyed
    hash that `hash_of` makes. `defaults` are the stage's channels that are on or off for whoever says
    nothing else; `links` makes those with which somebody (`person:<id>` or `address:<hash>`) stops a
    category, and `ack` that with which an event (id, source) is acknowledged, for a message in a locale.
    `assumed`: nobody was asked, so that whoever is not known is taken to have every contact. `counts` are
    what was sent to somebody lately, by whom and category; `windows` says of groups that rules gather when
    their latest window ends, or ended.
    """

    persons: Mapping[str, Person] = field(default_factory=dict)
    addresses: Mapping[str, Person] = field(default_factory=dict)
    defaults: Mapping[str, bool] = field(default_factory=dict)
    hash_of: Callable[[str], str] = _no_hash
    links: Callable[[str, Category, str, str], Links] = no_links
    ack: Callable[[str, str, str], str] = no_ack
    assumed: bool = False
    counts: dict[tuple[str, str], Count] = field(default_factory=dict)
    windows: dict[str, datetime] = field(default_factory=dict)


ANYBODY: Final = Known(assumed=True)


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody by one channel, at one address.

    `name` is what the ledger calls it: `recipient:email`. `who` is whose preferences count, as their item
    is called: `person:<id>` or `address:<hash>`; `locale` in which they want to be written to, where that is known.
    """

    name: str
    channel: str
    to: str
    who: str
    locale: str | None


def whose(event: Event, known: Known) -> str:
    """Whom an event counts for, `person:<id>` or `address:<hash>`; nothing where it is for nobody."""
    if event.recipient is not None:
        return f"person:{event.recipient}" if len(event.recipient) <= MAX_ID else ""
    address = event.email or event.phone
    return f"address:{known.hash_of(address)}" if address else ""


def asks_for(event: Event, destinations: Sequence[str]) -> tuple[set[str], set[str]]:
    """What must be known to reach whom these destinations lead to: persons by id, and addresses."""
    persons: set[str] = set()
    addresses: set[str] = set()
    for text in destinations:
        destination = parse(text)
        if not destination.is_somebody:
            continue
        if destination.kind == PERSON:
            persons.add(destination.name)
            continue
        # No one is kept under a longer id, nor could be: DynamoDB bounds its keys.
        if event.recipient is not None and len(event.recipient) <= MAX_ID:
            persons.add(event.recipient)
        addresses |= {address for address in (event.email, event.phone) if address}
    return persons, addresses


def reach(
    event: Event,
    destination: Destination,
    category: Category,
    known: Known,
    *,
    chosen: str = "",
    withheld: Mapping[str, str] | None = None,
) -> tuple[list[Contact], dict[str, str]]:
    """The contacts to which a destination that is somebody leads, and by their names why others not.

    `chosen` is the channel that its first-of form chose before, and `withheld` what turned out to be of
    no use since.
    """
    contacts: list[Contact] = []
    missed: dict[str, str] = {}
    for channel in (chosen,) if chosen else destination.channels:
        found, why = _by_channel(event, destination, channel, category, known, withheld or {})
        contacts += found
        if why:
            missed[f"{destination.whose}:{channel}"] = why
        if found and destination.first_of:
            break
    several = len(destination.channels) > 1
    if contacts and several:
        # That one has no telephone is no news where the mail goes out.
        missed = {name: why for name, why in missed.items() if why != NO_CONTACT}
    elif several and set(missed.values()) == {NO_CONTACT} and not chosen:
        missed = {destination.text: NO_CONTACT}
    return contacts, missed


def _by_channel(
    event: Event,
    destination: Destination,
    channel: str,
    category: Category,
    known: Known,
    withheld: Mapping[str, str],
) -> tuple[list[Contact], str]:
    """The contacts of one channel, or why there are none."""
    is_recipient = destination.kind == RECIPIENT
    person_id = event.recipient if is_recipient else destination.name
    person = known.persons.get(person_id or "")
    given = _given(event, channel) if is_recipient else ""
    if given:
        addresses: Sequence[str] = (given,)
    elif person is not None:
        addresses = _own(person, channel)
    elif known.assumed and person_id is not None:
        addresses = (_ASSUMED[channel],)
    else:
        addresses = ()
    if not addresses:
        return [], NO_CONTACT
    # What was said of an address that came with an event counts beside what its person says.
    hashed = known.hash_of(given) if given else ""
    concerned = [p for p in (person, known.addresses.get(hashed)) if p is not None]
    for one in concerned or (_UNKNOWN,):
        if not wants(channel, category, known.defaults, one.preferences):
            return [], OPTED_OUT
    contacts = []
    why = STOPPED
    for address in addresses:
        name = f"{destination.whose}:{channel}"
        if channel == "push":
            name += f"/{_short(address)}"
        if name in withheld:
            why = withheld[name]
        elif not any(_is_stopped(one, channel, address, known) for one in concerned):
            locale = event.locale if is_recipient else None
            locale = locale or (person.locale if person is not None else "") or None
            who = f"person:{person_id}" if person_id is not None else f"address:{hashed}"
            contacts.append(Contact(name, channel, address, who, locale))
    return contacts, "" if contacts else why


_UNKNOWN: Final = Person("")


def _given(event: Event, channel: str) -> str:
    return {"email": event.email, "sms": event.phone}.get(channel) or ""


def _own(person: Person, channel: str) -> Sequence[str]:
    if channel == "push":
        return person.push
    address = person.email if channel == "email" else person.phone
    return (address,) if address else ()


def _is_stopped(one: Person, channel: str, address: str, known: Known) -> bool:
    stop = one.stopped.get(channel)
    return stop is not None and stop.address == known.hash_of(address)


def _short(endpoint: str) -> str:
    """Which of a person's endpoints it is, and not where."""
    return hashlib.blake2b(endpoint.encode(), digest_size=4).hexdigest()
