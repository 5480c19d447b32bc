"""`[journeys.<name>]` of `routing.toml`: which journeys there are, and by what each is told apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from chalicelib.events.event import Event
from chalicelib.regex import regex
from chalicelib.spelling import did_you_mean
from chalicelib.values import dataclass

# A state machine's name has 80 characters, with a stage's 16 in it:
# https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html
JOURNEY_CHARACTERS: Final = 40
_NAME: Final = regex(r"[a-z][a-z0-9]*(-[a-z0-9]+)*\Z")
# An attribute, or a path below data: nothing else of an event has parts.
_PATH: Final = regex(r"(?!data\Z)[a-z0-9]+\Z|data(\.[^.\s]+)+\Z")
_SHAPE: Final = "'recipient', 'id' or a path into the data such as 'data.order.id'"
# They are used and kept nowhere, and no run may be told apart by them.
_ADDRESSES: Final = ("email", "phone")


@dataclass(frozen=True, slots=True)
class Journey:
    """A journey that rules start and stop: `key` is the path to what one run at a time is for."""

    name: str
    key: str
    line: int = 0


class Wrong(Protocol):
    """Takes what is wrong, and with which key of a table."""

    def __call__(self, key: str, problem: str) -> None: ...


def journey_key(path: str, event: Event) -> str:
    """The event's value for a journey's key, or nothing where it has none (or no text or number)."""
    first, *rest = path.split(".")
    if first in _ADDRESSES:
        return ""
    value: Any = event.data if first == "data" else event.attributes().get(first)
    for name in rest:
        value = value.get(name) if isinstance(value, Mapping) else None
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return ""
    return str(value)


def read_journey(name: str, table: object, line: int, wrong: Wrong) -> Journey:
    """Read what stands under `[journeys.<name>]`, telling `wrong` what cannot be used."""
    if not _NAME.match(name) or len(name) > JOURNEY_CHARACTERS:
        wrong("", f": use lower-case letters, digits, -, {JOURNEY_CHARACTERS} at the most")
    if not isinstance(table, dict):
        wrong("", f" must be a table: write [journeys.{name}] with a key")
        return Journey(name, "", line)
    for unknown in table:
        if unknown != "key":
            wrong(unknown, f": unknown key {unknown!r}{did_you_mean(unknown, ('key',))}")
    key = table.get("key")
    if key is None:
        wrong("", f" needs a key, of which one run is there at a time: {_SHAPE}")
    elif not isinstance(key, str) or not _PATH.match(key):
        wrong("key", f": key must be {_SHAPE}")
    elif key in _ADDRESSES:
        wrong("key", f": {key} is kept nowhere, so that no run can be found by it; take {_SHAPE}")
    return Journey(name, key if isinstance(key, str) else "", line)


def read_names(field: str, given: object, known: Sequence[str], wrong: Wrong) -> tuple[str, ...]:
    """The journeys that a rule's `start` or `stop` names: a name or a list of names."""
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list) or not all(isinstance(n, str) and n for n in names):
        shape = "must be a journey's name or a list of such"
        also = "true or false, or " if field == "stop" else ""
        wrong(field, f"{field} {shape.replace('be ', f'be {also}', 1)}")
        return ()
    for name in names:
        if name not in known:
            there = f"; there are {', '.join(known)}" if known else ""
            near = did_you_mean(name, known) or there
            wrong(field, f"{field}: there is no [journeys.{name}]{near}")
    return tuple(dict.fromkeys(names))
