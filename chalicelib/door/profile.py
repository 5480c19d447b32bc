"""A person as others write and read them: checked field by field.

What is said of a person is a JSON object of the fields below; `merged` understands it as a JSON Merge
Patch does: null takes away. https://www.rfc-editor.org/rfc/rfc7396
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from chalicelib.errors import FieldError
from chalicelib.events import event
from chalicelib.events.addresses import email_problem, normal_email, phone_problem
from chalicelib.events.zones import canonical, zone_problem
from chalicelib.regex import regex
from chalicelib.rules.destinations import CHANNELS
from chalicelib.rules.routing import Category
from chalicelib.spelling import did_you_mean
from chalicelib.store.people import Person
from chalicelib.values import dataclass

FIELDS: Final = ("locale", "time_zone", "email", "phone", "push", "preferences", "consent")
PUSH_ENDPOINTS: Final = 20
ENDPOINT: Final = r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:endpoint/[A-Za-z0-9_./-]{1,400}$"
HOW_CHARACTERS: Final = 300
_LINE: Final = regex(event.LINE.removesuffix("$") + r"\Z")
_ENDPOINT: Final = regex(ENDPOINT.removesuffix("$") + r"\Z")
_LOCALE: Final = regex(event.LOCALE.removesuffix("$") + r"\Z")
# It stands in an address.
ID: Final = r"^[^\u0000-\u001f\u007f-\u009f%/]+$"
_ID: Final = regex(ID.removesuffix("$") + r"\Z")

Said = Mapping[str, Any]
"""What is said of a person, checked and in normal form; null for what is to be taken away."""


def id_problem(person_id: object) -> str | None:
    """Why a person cannot have this id; None where they can."""
    if not event.is_id(person_id):
        return f"must be a text of one line and at most {event.MAX_ID} characters"
    if not _ID.match(str(person_id)):
        return "must not have % or /: it stands in an address"
    return None


def check(
    raw: Mapping[str, Any], categories: Mapping[str, Category]
) -> tuple[Said, list[FieldError]]:
    """What is said of a person, in normal form, and all that is wrong with it."""
    checks = _Checks(categories)
    said: dict[str, Any] = {}
    for name, value in raw.items():
        if name not in FIELDS:
            shown = event.shown(name, "(field)")
            near = did_you_mean(str(name), FIELDS) or f"; there are {', '.join(FIELDS)}"
            checks.wrong(shown, f"is no field of a recipient{near}")
        elif value is None:
            said[name] = None
        else:
            said[name] = getattr(checks, name)(value)
    return said, checks.errors


def merged(person: Person, said: Said) -> None:
    """Change a person by what was said."""
    for name in ("locale", "time_zone", "email", "phone"):
        if name in said:
            setattr(person, name, said[name] or "")
    if "push" in said:
        person.push = tuple(said["push"] or ())
    for name in ("preferences", "consent"):
        if name in said:
            setattr(person, name, _patched(getattr(person, name), said[name]))
    # What they are sent again by the shop's word is not what they refuse.
    person.refused = {
        name: kept
        for name, refused in person.refused.items()
        if (kept := {c: it for c, it in refused.items() if _is_off(person, name, c)})
    }


def replaced(person: Person, said: Said) -> None:
    """Make a person what was said and nothing more; but what they chose themselves stays unless it is
    named, or a shop that copies its customers over every night would forget who opted out."""
    nothing = dict.fromkeys(name for name in FIELDS if name not in ("preferences", "consent"))
    named = {name: said[name] for name in ("preferences", "consent") if name in said}
    merged(person, {**nothing, **dict.fromkeys(named)})
    merged(person, said)


def shown(person: Person) -> dict[str, Any]:
    """All that is kept of a person, as it is given to them and to whoever asks for them."""
    found: dict[str, Any] = {"id": person.id}
    for name in ("locale", "time_zone", "email", "phone"):
        if text := getattr(person, name):
            found[name] = text
    if person.push:
        found["push"] = list(person.push)
    if person.preferences:
        found["preferences"] = person.preferences
    if person.consent:
        found["consent"] = person.consent
    if person.refused:
        found["refused"] = person.refused
    if person.stopped:
        found["stopped"] = {
            channel: {"reason": stop.reason, "at": stop.at, "detail": stop.detail}
            for channel, stop in person.stopped.items()
        }
    if person.soft:
        found["soft_bounces"] = person.soft
    return found


def _is_off(person: Person, category: str, channel: str) -> bool:
    return person.preferences.get(category, {}).get(channel) is False


def _patched(before: Mapping[str, Any], patch: Mapping[str, Any] | None) -> dict[str, Any]:
    if patch is None:
        return {}
    found = dict(before)
    for name, value in patch.items():
        inner = _patched(found.get(name, {}), value) if isinstance(value, Mapping) else value
        if inner is None or inner == {}:
            found.pop(name, None)
        else:
            found[name] = inner
    return found


@dataclass(slots=True)
class _Checks:
    """A method for each field: gives its value in normal form, or keeps what is wrong with it."""

    categories: Mapping[str, Category]
    errors: list[FieldError]

    def __init__(self, categories: Mapping[str, Category]) -> None:
        self.categories = categories
        self.errors = []

    def wrong(self, field: str, problem: str) -> None:
        self.errors.append(FieldError(field, problem))

    def _text(self, field: str, value: Any, problem_of: Callable[[str], str | None]) -> str:
        if not isinstance(value, str):
            self.wrong(field, "must be a string; null takes it away")
            return ""
        if problem := problem_of(value):
            self.wrong(field, problem)
            return ""
        return value

    def locale(self, value: Any) -> str:
        return self._text("locale", value, _locale_problem)

    def time_zone(self, value: Any) -> str:
        zone = self._text("time_zone", value, zone_problem)
        return canonical(zone) or ""

    def email(self, value: Any) -> str:
        email = self._text("email", value, email_problem)
        return normal_email(email) if email else ""

    def phone(self, value: Any) -> str:
        return self._text("phone", value, phone_problem)

    def push(self, value: Any) -> list[str]:
        if not isinstance(value, list) or len(value) > PUSH_ENDPOINTS:
            self.wrong("push", f"must be a list of at most {PUSH_ENDPOINTS} endpoints")
            return []
        problem = "is no ARN of an SNS platform endpoint: arn:aws:sns:…:endpoint/…"
        for at, one in enumerate(value):
            if not isinstance(one, str) or not _ENDPOINT.match(one):
                self.wrong(f"push[{at}]", problem)
        return list(dict.fromkeys(map(str, value)))

    def preferences(self, value: Any) -> dict[str, Any]:
        """By category and channel: true, false, or null for "no wish of their own"."""
        found: dict[str, Any] = {}
        for name, wanted in self._by_category("preferences", value).items():
            field = f"preferences.{name}"
            if wanted is None:
                found[name] = None
                continue
            if not isinstance(wanted, Mapping):
                self.wrong(field, 'must be an object by channel, such as {"email": false}')
                continue
            for channel, on in wanted.items():
                at = f"{field}.{event.shown(channel, '(channel)')}"
                if channel not in CHANNELS:
                    self.wrong(at, f"is no channel; they are {', '.join(CHANNELS)}")
                elif on is not None and not isinstance(on, bool):
                    self.wrong(at, "must be true or false; null takes it away")
                elif on is False and self.categories[name].critical:
                    self.wrong(at, f"{name} is critical, and cannot be switched off")
            found[name] = dict(wanted)
        return found

    def consent(self, value: Any) -> dict[str, Any]:
        """By category, when and how somebody agreed to it."""
        found: dict[str, Any] = {}
        for name, given in self._by_category("consent", value).items():
            field = f"consent.{name}"
            if given is None:
                found[name] = None
                continue
            if not isinstance(given, Mapping) or set(given) != {"at", "how"}:
                self.wrong(field, 'must have "at" and "how": when they agreed, and how')
                continue
            at = self._text(f"{field}.at", given["at"], _time_problem)
            how = self._text(f"{field}.how", given["how"], _how_problem)
            found[name] = {"at": at, "how": how}
        return found

    def _by_category(self, field: str, value: Any) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            self.wrong(field, "must be an object by category")
            return {}
        known = tuple(self.categories)
        for name in value:
            if name not in self.categories:
                near = did_you_mean(str(name), known) or f"; there are {', '.join(known)}"
                self.wrong(f"{field}.{event.shown(name, '(category)')}", f"is no category{near}")
        return {name: given for name, given in value.items() if name in self.categories}


def _locale_problem(text: str) -> str | None:
    return None if _LOCALE.match(text) else "must be a language tag such as es or es-AR"


def _time_problem(text: str) -> str | None:
    try:
        event.timestamp(text)
    except ValueError:
        return "must be an RFC 3339 timestamp, such as 2026-11-22T10:00:00Z"
    return None


def _how_problem(text: str) -> str | None:
    if 0 < len(text) <= HOW_CHARACTERS and _LINE.match(text):
        return None
    return f"must be a text of one line and at most {HOW_CHARACTERS} characters"
