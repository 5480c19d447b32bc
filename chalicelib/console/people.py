"""People: found by what somebody knows of them, and then shown under a hash that says nothing of them."""

from __future__ import annotations

import json
from typing import Final

from chalicelib import names
from chalicelib.console.activity import KEYED, Row, row, tidy
from chalicelib.console.life import why_word
from chalicelib.console.visit import Page, Redirect, Sorry, Visit, link
from chalicelib.console.words import WORDS
from chalicelib.door import lifting, profile
from chalicelib.plan.preferences import wants
from chalicelib.rules.destinations import CHANNELS
from chalicelib.rules.reading import routing
from chalicelib.rules.routing import Category
from chalicelib.store import audit, holds, listing, lookups, people, register, runs, secrets, table
from chalicelib.store.holds import Hold
from chalicelib.store.listing import Wanted
from chalicelib.store.people import Person
from chalicelib.store.record import from_item
from chalicelib.values import dataclass

# So many of what waits, and of what was sent, are shown.
_WAITING: Final = 20
_SENT: Final = 8


@dataclass(frozen=True, slots=True)
class Known:
    """Whom a page is about. `who` stands for them in its address; of an address that came with an event, and is
    nobody's, `person.kind` says so. `is_kept`: there is more than what waits for them."""

    who: str
    person: Person
    is_kept: bool

    @property
    def is_address(self) -> bool:
        return self.person.kind == people.ADDRESS


@dataclass(frozen=True, slots=True)
class Waits:
    """What waits for somebody: an event, when it is due, and why it waits."""

    event_id: str
    source: str
    type: str
    due: str
    why: str


@dataclass(frozen=True, slots=True)
class Wish:
    """Whether somebody gets a category by a channel, and who says so: `always`, `refused`, `chosen`, `shop`.
    What they refused themselves has when and how."""

    channel: str
    is_on: bool
    by: str
    at: str = ""
    how: str = ""


def show(visit: Visit) -> Page:
    """Where people are looked for."""
    return _page(erased="erased" in visit.query)


def find(visit: Visit) -> Page | Redirect:
    """From an id or an address to the page about them, in whose own address nothing of them stands."""
    asked = visit.form.get("q", "").strip()
    if not asked:
        return Redirect("people")
    hash_of = visit.patience.ask(lambda: secrets.of(visit.stage)).hash_of
    gone = ""
    if profile.id_problem(asked) is None:
        found = register.find(visit.stage, asked, visit.patience)
        gone = found.erased
        if found.person is not None or _waits(visit, asked):
            keyed = hash_of(asked)
            visit.patience.ask(lambda: lookups.keep(visit.stage, keyed, asked))
            return Redirect(link("person", who=keyed))
    keyed = hash_of(tidy(asked))
    if _address(visit, keyed) is not None:
        return Redirect(link("person", who=keyed))
    return _page(asked=asked, nobody=keyed, gone=gone)


def _page(
    *,
    asked: str = "",
    nobody: str = "",
    gone: str = "",
    erased: bool = False,
    over: bool = False,
) -> Page:
    shown = {"asked": asked, "nobody": nobody, "gone": gone, "erased": erased, "over": over}
    return Page("people", shown, 404 if nobody or over else 200)


def person(visit: Visit) -> Page:
    """All that is known of somebody, what waits for them and what they were sent."""
    known = known_by(visit, visit.query.get("who", ""))
    if known is None:
        return _page(over=True)
    about, rules = known.person, routing(visit.stage.name)
    waiting = [] if known.is_address else _waits(visit, about.id)
    under_way = (
        []
        if known.is_address
        else visit.patience.ask(lambda: runs.of_person(visit.stage, about.id))
    )
    return Page(
        "person",
        {
            "section": "people",
            "known": known,
            "person": about,
            "done": visit.query.get("done", ""),
            "stops": [
                (channel, WORDS[visit.language].get(f"stop.{stop.reason}", stop.reason), stop)
                for channel, stop in about.stopped.items()
            ],
            "wishes": [
                (category, [_wish(about, category, channel) for channel in CHANNELS])
                for category in rules.categories.values()
            ],
            "waiting": [
                one
                for one in (_shown(visit, hold) for hold in waiting)
                if visit.key.may_type(one.type)
            ],
            "runs": [run for run in under_way if not run.is_over],
            "sent": _sent(visit, known.who),
            "may_read": visit.key.may("read"),
        },
    )


def lift(visit: Visit) -> Page | Redirect:
    """Send to an address again that was stopped. Whose address is nobody's is typed once more: the store has
    only its hash, and AWS's own list only itself."""
    known = known_by(visit, visit.form.get("who", ""))
    channel = visit.form.get("channel", "")
    if known is None:
        return _page(over=True)
    if channel not in CHANNELS:
        raise Sorry(404, "nopage")
    address = known.person.email if channel == "email" else known.person.phone
    if known.is_address:
        address = tidy(visit.form.get("address", "").strip())
        if visit.patience.ask(lambda: secrets.of(visit.stage)).hash_of(address) != known.who:
            return Redirect(link("person", who=known.who, done="other"))
    put_down(visit, "address-lift", known.who)
    lifting.lift(visit.stage, known.person, channel, address, visit.patience)
    return Redirect(link("person", who=known.who, done="lifted"))


def known_by(visit: Visit, who: str) -> Known | None:
    """Who stands behind a hash: somebody who was looked up of late, or an address; None where nobody does."""
    if not KEYED.match(who):
        return None
    person_id = visit.patience.ask(lambda: lookups.find(visit.stage, who))
    if person_id:
        found = register.find(visit.stage, person_id, visit.patience).person
        return Known(who, found or Person(person_id), found is not None)
    address = _address(visit, who)
    return Known(who, address, True) if address else None


def put_down(visit: Visit, what: str, who: str) -> None:
    """Keep in the audit log what is about to be done to somebody."""
    visit.patience.ask(lambda: audit.write(visit.stage, visit.key.name, what, who))


def _address(visit: Visit, keyed: str) -> Person | None:
    """What is known of an address that is nobody's."""
    keys = [people.address_key(keyed)]
    read = table.read(visit.stage, {table.PEOPLE: keys}, visit.patience.left())[table.PEOPLE]
    return people.from_item(read[0]) if read else None


def _waits(visit: Visit, person_id: str) -> list[Hold]:
    found = visit.patience.ask(lambda: holds.last_of_person(visit.stage, person_id, _WAITING))
    return [hold for hold in found if hold.state == holds.HELD]


def _shown(visit: Visit, hold: Hold) -> Waits:
    try:
        event_type = str(json.loads(hold.event)["type"])
    except (ValueError, LookupError, TypeError):
        event_type = ""
    why = why_word(visit.language, hold.why)
    return Waits(hold.event_id, hold.source, event_type, hold.due, why)


def _wish(person: Person, category: Category, channel: str) -> Wish:
    is_on = wants(channel, category, names.channels(), person.preferences)
    if category.critical:
        return Wish(channel, is_on, "always")
    if refused := person.refused.get(category.name, {}).get(channel):
        return Wish(channel, is_on, "refused", refused.get("at", ""), refused.get("how", ""))
    own = person.preferences.get(category.name, {}).get(channel)
    return Wish(channel, is_on, "shop" if own is None else "chosen")


def _sent(visit: Visit, who: str) -> list[Row]:
    """The newest of what they were sent, as far as the key may see it."""
    if not visit.key.may("read"):
        return []
    found = listing.newest(visit.stage, Wanted(whose=who), _SENT, visit.patience)
    records = map(from_item, found.items)
    return [row(record) for record in records if visit.key.may_type(record.type)]
