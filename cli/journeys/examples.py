"""What a journey is to send and when, written beside it: `journeys/<name>.examples.toml`, and read."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from chalicelib.errors import HeraldoError
from chalicelib.events.event import Event
from chalicelib.journeys import spans
from chalicelib.rules.lines import Lines
from chalicelib.rules.reading import Problem, RoutingError, no_toml, text_of
from chalicelib.rules.routing import Routing
from chalicelib.spelling import did_you_mean
from chalicelib.words.render import Templates
from cli.journeys.definition import FOLDER
from cli.lint.examples import STAGE, sample_event

SUFFIX: Final = ".examples.toml"
_KEYS: Final = ("name", "events", "sends", "until", "stage")
_EVENT: Final = ("at", "type", "with", "without", "ack")
_SEND: Final = ("at", "type", "to")


class ExamplesError(HeraldoError):
    """A journey's examples cannot be used; `problems` has every mistake."""

    def __init__(self, file: str, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(f"{file}: {p}" for p in problems))
        self.file = file
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that comes in: an event, or the acknowledgement of the one with the id in `ack`."""

    at: timedelta
    event: Event | None = None
    ack: str = ""


@dataclass(frozen=True, slots=True)
class Send:
    """What the journey is to send; `to` is None where nothing is said of it."""

    at: timedelta
    type: str
    to: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """What comes in, and all that the journey is to send up to `until` (None: to its end)."""

    name: str
    line: int
    stage: str
    happenings: tuple[Happening, ...]
    sends: tuple[Send, ...]
    until: timedelta | None = None


def file_of(journey: str) -> str:
    return f"{FOLDER}/{journey}{SUFFIX}"


def read(root: Path, journey: str, routing: Routing) -> list[Example]:
    """The examples of a journey; `routing` has the rules of every stage, for the names in it.

    Raises
    ------
    ExamplesError : with every mistake.
    """
    file = file_of(journey)
    try:
        text = text_of(root / file)
    except RoutingError as error:
        raise ExamplesError(file, error.problems) from None
    try:
        raw = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ExamplesError(file, [no_toml(text, error)]) from None
    lines = Lines(text)
    problems = [
        Problem(lines.of(key), "", f"unknown key {key!r}: write each example under [[example]]")
        for key in raw
        if key != "example"
    ]
    tables = raw.get("example", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        problem = "write each example under an [[example]] header"
        raise ExamplesError(file, [Problem(lines.of("example"), "", problem)])
    if not tables:
        problems.append(Problem(0, "", "has no [[example]]: write what the journey is to send"))
    types = Templates(root / "templates").types
    found = []
    for position, table in enumerate(tables):
        reader = _Reader(root, table, position, lines, routing, types, problems)
        example = reader.example()
        if example is not None:
            found.append(example)
    if problems:
        raise ExamplesError(file, problems)
    return found


@dataclass(slots=True)
class _Reader:
    """Reads one example, and adds to `problems` what is wrong with it."""

    root: Path
    table: Mapping[str, Any]
    position: int
    lines: Lines
    routing: Routing
    types: tuple[str, ...]
    problems: list[Problem]
    name: str = ""

    def wrong(self, key: str, problem: str) -> None:
        line = self.lines.of(f"example[{self.position}]", *key.split("."))
        self.problems.append(Problem(line, self.name, problem))

    def example(self) -> Example | None:
        before = len(self.problems)
        name = self.table.get("name")
        named = isinstance(name, str) and bool(name)
        self.name = f"example {name!r}" if named else f"example number {self.position + 1}"
        if not named:
            self.wrong("name", "needs a name that says what it shows")
        self._known(self.table, _KEYS, "")
        happenings = [
            self._happening(entry, f"events[{number}]", number)
            for number, entry in enumerate(self._tables("events"))
        ]
        if not happenings:
            self.wrong("events", "events must be a list of what comes in, with at and type of each")
        if "sends" not in self.table:
            self.wrong("name", "expects nothing: say sends, which may be []")
        sends = [
            self._send(entry, f"sends[{number}]")
            for number, entry in enumerate(self._tables("sends"))
        ]
        until = self._span(self.table, "until", "until") if "until" in self.table else None
        stage = self.table.get("stage", STAGE)
        if not isinstance(stage, str) or not stage:
            self.wrong("stage", "stage must be the name of a stage")
        if len(self.problems) > before:
            return None
        line = self.lines.of(f"example[{self.position}]")
        came = sorted(happenings, key=lambda happening: happening.at)
        return Example(str(name), line, stage, tuple(came), tuple(sends), until)

    def _tables(self, key: str) -> list[Mapping[str, Any]]:
        found = self.table.get(key, [])
        if isinstance(found, list) and all(isinstance(entry, dict) for entry in found):
            return found
        self.wrong(key, f"{key} must be a list of tables, such as {{ at = '1h', type = '…' }}")
        return []

    def _known(self, table: Mapping[str, Any], known: Sequence[str], at: str) -> None:
        for key in table:
            if key not in known:
                near = did_you_mean(key, known) or f"; they are {', '.join(known)}"
                self.wrong(f"{at}.{key}" if at else key, f"unknown key {key!r}{near}")

    def _span(self, table: Mapping[str, Any], key: str, at: str) -> timedelta:
        span = spans.read(table.get(key))
        if span is None:
            self.wrong(at, f"{key} must be {spans.SHAPE}")
        return span or timedelta()

    def _happening(self, entry: Mapping[str, Any], at: str, number: int) -> Happening:
        self._known(entry, _EVENT, at)
        when = self._span(entry, "at", f"{at}.at")
        if "ack" in entry:
            if not isinstance(entry["ack"], str) or "type" in entry:
                self.wrong(f"{at}.ack", "ack has the id of the event that somebody acknowledges")
            return Happening(when, ack=str(entry["ack"]))

        def wrong(key: str, problem: str) -> None:
            self.wrong(f"{at}.{key}", problem)

        return Happening(when, sample_event(self.root, entry, wrong, f"event-{number + 1}"))

    def _send(self, entry: Mapping[str, Any], at: str) -> Send:
        self._known(entry, _SEND, at)
        when = self._span(entry, "at", f"{at}.at")
        sent, to = entry.get("type"), entry.get("to")
        if sent not in self.types:
            near = did_you_mean(str(sent), self.types) if sent else ""
            self.wrong(f"{at}.type", f"type must be an event type below templates/{near}")
        if to is not None and not (isinstance(to, list) and all(isinstance(t, str) for t in to)):
            self.wrong(f"{at}.to", "to must be a list of destinations, such as ['recipient:email']")
            to = None
        known = list(dict.fromkeys(to for rule in self.routing.rules for to in rule.to))
        for name in to or ():
            plain = name.partition("/")[0]
            if plain not in known:
                near = did_you_mean(plain, known) or f"; known are {', '.join(known)}"
                self.wrong(f"{at}.to", f"to: no rule sends to {plain!r}{near}")
        return Send(when, str(sent), None if to is None else tuple(to))
