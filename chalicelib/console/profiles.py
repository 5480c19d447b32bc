"""Changing what is kept of a person, and erasing them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from chalicelib import log
from chalicelib.console.people import Known, known_by, put_down
from chalicelib.console.visit import Page, Redirect, Sorry, Visit, link
from chalicelib.door import cancelling, profile
from chalicelib.errors import TransientError
from chalicelib.rules.destinations import CHANNELS
from chalicelib.rules.reading import routing
from chalicelib.rules.routing import Category
from chalicelib.store import register, runs
from chalicelib.store.people import Person
from chalicelib.store.record import now_text

_TEXTS = ("email", "phone", "locale", "time_zone")
_STATUSES = {"": 200, "erase_wrong": 422, "erase_again": 503}
_WISHES: Mapping[str, bool | None] = {"": None, "yes": True, "no": False}


class _Changed(Exception):
    """Somebody else changed the person since the form was made, whose version this is now."""

    def __init__(self, version: int) -> None:
        super().__init__(version)
        self.version = version


def edit(visit: Visit) -> Page:
    """A form with what is kept of somebody."""
    known = _somebody(visit, visit.query.get("who", ""))
    return _form(visit, known, _typed(known.person, _ours(visit)))


def save(visit: Visit) -> Page | Redirect:
    """Keep what the form says. What is wrong is said where it is, and nothing is changed."""
    known = _somebody(visit, visit.form.get("who", ""))
    categories = _ours(visit)
    said, errors = profile.check(_said(visit.form, known.person, categories), categories)
    if errors:
        problems = {_field(error.field) for error in errors}
        return _form(visit, known, visit.form, problems=problems)

    def merge(person: Person, is_known: bool) -> bool:
        if not is_known:  # erased, meanwhile
            raise Sorry(404, "gone_person")
        before = profile.shown(person)
        version = person.version
        profile.merged(person, said)
        if profile.shown(person) == before:
            return False
        if str(version) != visit.form.get("version"):
            raise _Changed(version)
        return True

    put_down(visit, "person-change", known.who)
    try:
        register.change(visit.stage, known.person.item_id, merge, visit.patience)
    except _Changed as changed:
        typed = {**visit.form, "version": str(changed.version)}
        return _form(visit, known, typed, rival=True)
    return Redirect(link("person", who=known.who, done="saved"))


def ask(visit: Visit) -> Page:
    """What erasing somebody does, before it is done."""
    return _erasing(visit, _somebody(visit, visit.query.get("who", ""), kept=False))


def erase(visit: Visit) -> Page | Redirect:
    """Erase somebody whose id was typed once more."""
    known = _somebody(visit, visit.form.get("who", ""), kept=False)
    if visit.form.get("id", "").strip() != known.person.id:
        return _erasing(visit, known, problem="erase_wrong")
    put_down(visit, "person-erase", known.who)
    try:
        # Last of all goes who stands behind the hash, so that what fails can be done again from this page.
        register.erase(visit.stage, known.person.id, now_text(), visit.patience)
        cancelling.erase(visit.stage, known.person.id)
    except (TransientError, ClientError):
        return _erasing(visit, known, problem="erase_again")
    log.warning("a recipient was erased", key=visit.key.name)
    return Redirect(link("people", erased="1"))


def _somebody(visit: Visit, who: str, *, kept: bool = True) -> Known:
    known = known_by(visit, who)
    if known is None or known.is_address or (kept and not known.is_kept):
        raise Sorry(404, "gone_person")
    return known


def _ours(visit: Visit) -> dict[str, Category]:
    return dict(routing(visit.stage.name).categories)


def _form(
    visit: Visit,
    known: Known,
    typed: Mapping[str, str],
    *,
    problems: set[str] | None = None,
    rival: bool = False,
) -> Page:
    categories = [found for found in _ours(visit).values() if not found.critical]
    shown = {"section": "people", "known": known, "typed": typed, "categories": categories}
    shown |= {"channels": CHANNELS, "problems": problems or set(), "rival": rival}
    status = 422 if problems else 409 if rival else 200
    return Page("profile", shown, status)


def _typed(person: Person, categories: Mapping[str, Category]) -> dict[str, str]:
    """A person as the form's fields have them."""
    found = {name: getattr(person, name) for name in _TEXTS}
    found |= {"push": "\n".join(person.push), "version": str(person.version)}
    words = {wish: word for word, wish in _WISHES.items()}
    for name in categories:
        for channel in CHANNELS:
            wish = person.preferences.get(name, {}).get(channel)
            found[f"wants.{name}.{channel}"] = words[wish]
        found[f"consent.{name}"] = person.consent.get(name, {}).get("how", "")
    return found


def _said(
    form: Mapping[str, str], person: Person, categories: Mapping[str, Category]
) -> dict[str, Any]:
    """What the form says, as a program would. A field that is not there says nothing."""
    said: dict[str, Any] = {n: form[n].strip() or None for n in _TEXTS if n in form}
    if "push" in form:
        said["push"] = form["push"].split() or None
    for name in categories:
        for channel in CHANNELS:
            word = form.get(f"wants.{name}.{channel}", "-")
            if word in _WISHES:
                said.setdefault("preferences", {}).setdefault(name, {})[channel] = _WISHES[word]
        how = form.get(f"consent.{name}")
        if how is not None and how.strip() != person.consent.get(name, {}).get("how", ""):
            given = {"at": now_text(), "how": how.strip()} if how.strip() else None
            said.setdefault("consent", {})[name] = given
    return said


def _field(name: str) -> str:
    """The form's field of a problem: `consent.promotions` of `consent.promotions.how`, `push` of `push[0]`."""
    if name.startswith("consent."):
        return name.removesuffix(".how").removesuffix(".at")
    return name.partition("[")[0]


def _erasing(visit: Visit, known: Known, *, problem: str = "") -> Page:
    under_way = visit.patience.ask(lambda: runs.of_person(visit.stage, known.person.id))
    shown = {
        "section": "people",
        "known": known,
        "runs": sum(not run.is_over for run in under_way),
        "problem": problem,
        "typed": visit.form.get("id", ""),
    }
    return Page("erase", shown, _STATUSES[problem])
