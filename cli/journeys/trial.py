"""An example of a journey tried: its events go through the real rules, and what runs would send comes out.

A clock of our own stands in for time, so that a week takes no longer than its few steps.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from chalicelib.events.event import Event
from chalicelib.journeys import spans
from chalicelib.rules.journeys import journey_key
from chalicelib.rules.reading import load, text_of
from chalicelib.rules.routing import Routing
from chalicelib.words.render import RenderError, Templates
from cli.journeys import definition, examples
from cli.journeys.definition import Definition
from cli.journeys.examples import Example, Happening, Send
from cli.journeys.expressions import stamp
from cli.journeys.walk import Ended, Sent, WalkError, walk
from cli.lint.examples import goes_to
from cli.paths import ROUTING

START: Final = datetime(2026, 1, 5, 9, tzinfo=UTC)
"""When every example begins: on a Monday."""


@dataclass(frozen=True, slots=True)
class Came:
    """What a run sent: to `destination/locale`s, each with its plain destination."""

    at: timedelta
    type: str
    to: Mapping[str, str]

    def is_as(self, expected: Send) -> bool:
        if (self.at, self.type) != (expected.at, expected.type):
            return False
        return expected.to is None or (
            all(wanted in self.to or wanted in self.to.values() for wanted in expected.to)
            and all(n in expected.to or plain in expected.to for n, plain in self.to.items())
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an example; `transitions` are those that AWS charges for runs that came to their end."""

    example: Example
    came: tuple[Came, ...]
    transitions: int
    faults: tuple[str, ...]


def run(root: Path, journey: str) -> list[Outcome]:
    """Try every example of a journey.

    Raises
    ------
    RoutingError, ExamplesError, DefinitionError : the rules, the examples or a definition have mistakes.
    """
    text = text_of(root / ROUTING)
    templates = Templates(root / "templates")
    journeys = {name: definition.read(root, name) for name in definition.names(root)}
    routings: dict[str, Routing] = {}
    outcomes = []
    for example in examples.read(root, journey, load(text, None)):
        if example.stage not in routings:
            routings[example.stage] = load(text, example.stage)
        world = World(routings[example.stage], journeys, templates)
        outcomes.append(judge(example, journey, world))
    return outcomes


def judge(example: Example, journey: str, world: World) -> Outcome:
    """Let the events of an example come in, and compare what the journey sends."""
    world.live(example.happenings, example.until)
    came = tuple(sent for sent in world.sent.get(journey, ()))
    faults = list(world.faults)
    if len(came) != len(example.sends) or not all(
        sent.is_as(expected) for sent, expected in zip(came, example.sends, strict=True)
    ):
        faults += _compared(example.sends, came)
    return Outcome(example, came, world.transitions, tuple(faults))


@dataclass(slots=True)
class _Run:
    """A run that is under way, and what it does next."""

    journey: str
    event: Event
    begun: datetime
    steps: Iterator[Sent | Ended]
    next: Sent | Ended | None = None


@dataclass(slots=True)
class World:
    """The rules, the journeys and the words of a tree, and the runs that are under way."""

    routing: Routing
    journeys: Mapping[str, Definition]
    templates: Templates
    sent: dict[str, list[Came]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    transitions: int = 0
    _runs: dict[tuple[str, str], _Run] = field(default_factory=dict)

    def live(self, happenings: tuple[Happening, ...], until: timedelta | None = None) -> None:
        """Let time pass until nothing is left that happens. What comes in is before what is due."""
        ahead = list(happenings)
        last = None if until is None else START + until
        while True:
            due = min(
                (run.next.at for run in self._runs.values() if run.next is not None), default=None
            )
            event = START + ahead[0].at if ahead else None
            moment = min((m for m in (due, event) if m is not None), default=None)
            if moment is None or (last is not None and moment > last):
                return
            if moment == event:
                self._happens(ahead.pop(0), moment)
            else:
                self._goes_on(moment)

    def _happens(self, happening: Happening, now: datetime) -> None:
        if happening.event is None:
            runs = self._runs.items()
            for place in [place for place, run in runs if run.event.id == happening.ack]:
                del self._runs[place]
        else:
            self._accept(happening.event, now)

    def _accept(self, event: Event, now: datetime) -> tuple[str, ...]:
        decision = self.routing.decide(event)
        for name in decision.stops:
            self._runs.pop((name, self._key(name, event)), None)
        for name in decision.starts:
            key = self._key(name, event)
            if key and name in self.journeys and (name, key) not in self._runs:
                self._start(name, key, event, now)
        return decision.destinations

    def _key(self, journey: str, event: Event) -> str:
        return journey_key(self.routing.journeys[journey].key, event)

    def _start(self, journey: str, key: str, event: Event, now: datetime) -> None:
        name = hashlib.sha256(f"{journey}\n{key}\n{event.source}\n{event.id}".encode()).hexdigest()
        given = run_input(journey, key, name[:32], event, now)
        run = _Run(journey, event, now, walk(self.journeys[journey], given, now))
        self._runs[journey, key] = run
        self._advance((journey, key), run)

    def _advance(self, place: tuple[str, str], run: _Run) -> None:
        try:
            run.next = next(run.steps)
        except WalkError as error:
            self.faults.append(f"{run.journey} fails in {error}")
            self._runs.pop(place, None)

    def _goes_on(self, now: datetime) -> None:
        place, run = next(
            (place, run)
            for place, run in self._runs.items()
            if run.next is not None and run.next.at == now
        )
        if isinstance(run.next, Ended):
            self.transitions += run.next.transitions
            del self._runs[place]
            return
        assert run.next is not None  # noqa: S101 - for the type checker
        sent = run.next
        self._advance(place, run)
        self._send(run, sent)

    def _send(self, run: _Run, sent: Sent) -> None:
        at = sent.at - START
        event = event_of(sent, run.event, run.journey)
        destinations = self._accept(event, sent.at)
        to: dict[str, str] = {}
        try:
            to = goes_to(event, destinations, self.routing, self.templates)
            for name in to:
                words = self.templates.words_for(
                    event.type, name.partition("/")[2], self.routing.audience(to[name])
                )
                self.templates.render(event, words)
        except RenderError as error:
            told = f"{spans.write(at)}  {event.type} does not render: {error}"
            if told not in self.faults:
                self.faults.append(told)
        self.sent.setdefault(run.journey, []).append(Came(at, event.type, to))


def run_input(journey: str, key: str, run: str, event: Event, started: datetime) -> dict[str, Any]:
    """What an execution is started with: ids, and never people."""
    return {
        "journey": journey,
        "key": key,
        "run": run,
        "group": event.ordering_key,
        "started": stamp(started),
        "event": {"id": event.id, "source": event.source, "type": event.type},
    }


def event_of(sent: Sent, start: Event, journey: str) -> Event:
    """The event that a lane makes of what a run sends, with all that the starting event knew."""
    body = sent.body
    run = body.get("run", {})
    return replace(
        Event("", "", str(body.get("send", "")), start.data),
        id=f"{journey}.{run.get('run', '')}.{body.get('step', '')}.{body.get('at', '')}",
        source=f"journey:{journey}",
        recipient=start.recipient,
        email=start.email,
        phone=start.phone,
        locale=start.locale,
        partitionkey=start.ordering_key,
    )


# -- what is not as expected -----------------------------------------------------------------------


def _compared(expected: tuple[Send, ...], came: tuple[Came, ...]) -> Iterator[str]:
    """Both lists in one, as a diff: `-` is expected and did not come, `+` came and is not expected."""
    wanted = [_line(send.at, send.type, send.to or ()) for send in expected]
    found = []
    for number, sent in enumerate(came):
        match = next((i for i, send in enumerate(expected) if sent.is_as(send)), None)
        near = expected[number] if number < len(expected) else None
        if near is not None and sent.is_as(near):
            match = number
        said = near is not None and near.to is not None and any("/" in to for to in near.to)
        to = tuple(sent.to) if said else tuple(dict.fromkeys(sent.to.values()))
        found.append(wanted[match] if match is not None else _line(sent.at, sent.type, to))
    yield "expected (-) and sent (+):"
    for line in difflib.ndiff(wanted, found):
        if not line.startswith("?"):
            yield f"  {line}"


def _line(at: timedelta, event_type: str, to: tuple[str, ...]) -> str:
    goes = f"  → {', '.join(to)}" if to else ""
    return f"{spans.write(at):<8}  {event_type}{goes}"
