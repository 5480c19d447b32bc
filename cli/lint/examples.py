"""The table of examples beside the rules: "this event goes there", and whether it does."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from chalicelib.errors import HeraldoError, InvalidEvent, PermanentError
from chalicelib.events import event as events
from chalicelib.events.event import Event
from chalicelib.rules.destinations import webhook_of
from chalicelib.rules.lines import Lines
from chalicelib.rules.reading import Problem, RoutingError, load, no_toml, text_of
from chalicelib.rules.routing import Routing, Verdict
from chalicelib.spelling import did_you_mean
from chalicelib.words.render import Templates, locale_of
from cli.paths import ROUTING
from cli.stages import Settings, declared, unknown

EXAMPLES: Final = "chalicelib/routing.examples.toml"
STAGE: Final = "prod"
_KEYS: Final = frozenset(("name", "type", "with", "without", "rules", "to", "stage"))


class ExamplesError(HeraldoError):
    """The table cannot be used; `problems` has every mistake. `Problem.rule` is the example's name."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(f"{EXAMPLES}: {p}" for p in problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Example:
    """An event, and what is expected of it: `rules` and `to` are None where nothing is said."""

    name: str
    line: int
    event: Event
    stage: str
    rules: tuple[str, ...] | None
    to: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an example: the rules that matched, `destination/locale`s, and what is not as expected."""

    example: Example
    rules: tuple[str, ...]
    to: tuple[str, ...]
    faults: tuple[str, ...]


def run(root: Path) -> list[Outcome]:
    """Try every example of the tree.

    Raises
    ------
    RoutingError, ExamplesError : the rules or the examples have mistakes.
    """
    text = text_of(root / ROUTING)
    templates = Templates(root / "templates")
    routings: dict[str, Routing] = {}
    outcomes = []
    for example in read(root, load(text, None)):
        if example.stage not in routings:
            routings[example.stage] = load(text, example.stage)
        outcomes.append(judge(example, routings[example.stage], templates))
    return outcomes


def judge(example: Example, routing: Routing, templates: Templates) -> Outcome:
    """Route an example's event, and compare."""
    decision = routing.decide(example.event)
    to = goes_to(example.event, decision.in_time, routing, templates)
    faults: list[str] = []
    if example.rules is not None:
        faults += _rule_faults(example, decision.rules, routing)
    if example.to is not None:
        told = set() if example.rules is None else {*example.rules} - {*decision.rules}
        faults += _destination_faults(example, to, routing, told)
    return Outcome(example, decision.rules, tuple(to), tuple(faults))


def goes_to(
    event: Event, destinations: Sequence[str], routing: Routing, templates: Templates
) -> dict[str, str]:
    """Where an event goes as `destination/locale`, each with its plain destination; a webhook is told no words."""
    to: dict[str, str] = {}
    for destination in destinations:
        if webhook_of(destination):
            to[destination] = destination
            continue
        for wanted in routing.locales(destination, event):
            words = templates.words_for(event.type, wanted, routing.audience(destination))
            to[f"{destination}/{locale_of(words)}"] = destination
    return to


def untried(outcomes: Sequence[Outcome], routing: Routing) -> list[str]:
    """The rules that no example matches."""
    tried = {name for outcome in outcomes for name in outcome.rules}
    return [rule.name for rule in routing.rules if rule.name not in tried]


# -- what is not as expected -----------------------------------------------------------------------


def _rule_faults(example: Example, came: Sequence[str], routing: Routing) -> Iterator[str]:
    assert example.rules is not None  # noqa: S101 - for the type checker
    if {*came} == {*example.rules}:
        return
    yield f"expected rules {_listed(example.rules)}; matched {_listed(came)}"
    verdicts = {verdict.rule.name: verdict for verdict in routing.explain(example.event)}
    for name in example.rules:
        if name not in came:
            yield _why_not(name, verdicts, example.stage)
    for name in came:
        if name not in example.rules:
            yield f"rule {name} ({ROUTING}:{verdicts[name].rule.line}) matches as well"


def _destination_faults(
    example: Example, came: Mapping[str, str], routing: Routing, told: set[str]
) -> Iterator[str]:
    assert example.to is not None  # noqa: S101
    missing = [w for w in example.to if w not in came and w not in came.values()]
    extra = [
        name for name, plain in came.items() if name not in example.to and plain not in example.to
    ]
    if not missing and not extra:
        return
    yield f"expected to go to {_listed(example.to)}; goes to {_listed(tuple(came))}"
    verdicts = {verdict.rule.name: verdict for verdict in routing.explain(example.event)}
    for wanted in missing:
        destination = wanted.partition("/")[0]
        if destination in came.values():
            continue  # in another locale: the line above says it
        rules = [r.name for r in routing.rules if destination in r.to]
        if not rules:
            yield f"no rule of stage {example.stage} sends to {destination}"
        if told.isdisjoint(rules):
            for name in rules:
                yield _why_not(name, verdicts, example.stage)
    for name in extra:
        plain = came[name]
        if any(wanted.partition("/")[0] == plain for wanted in example.to):
            continue
        by = [v.rule.name for v in verdicts.values() if v.matched and plain in v.rule.to]
        yield f"{name} comes of rule {_listed(by)}"


def _why_not(name: str, verdicts: Mapping[str, Verdict], stage: str) -> str:
    verdict = verdicts.get(name)
    if verdict is None:
        return f"rule {name} does not apply to stage {stage}"
    at = f"rule {name} ({ROUTING}:{verdict.rule.line})"
    if verdict.after_stop:
        return f"{at} is not reached: rule {verdict.after_stop} stops here"
    return f"{at} matches, and is not counted" if verdict.matched else f"{at}: {verdict.mismatch}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


# -- reading ---------------------------------------------------------------------------------------


def read(root: Path, routing: Routing) -> list[Example]:
    """The examples of a tree; `routing` has the rules of every stage, for the names in it.

    Raises
    ------
    ExamplesError : with every mistake.
    """
    try:
        text = text_of(root / EXAMPLES)
    except RoutingError as error:
        raise ExamplesError(error.problems) from None
    try:
        raw = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ExamplesError([no_toml(text, error)]) from None
    lines = Lines(text)
    problems: list[Problem] = []
    for key in raw:
        if key != "example":
            problem = f"unknown key {key!r}: write each example under [[example]]"
            problems.append(Problem(lines.of(key), "", problem))
    tables = raw.get("example", [])
    found = []
    seen: dict[str, int] = {}
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        problem = "write each example under an [[example]] header"
        raise ExamplesError([Problem(lines.of("example"), "", problem)])
    known = declared(root)
    for position, table in enumerate(tables):
        reader = _Reader(root, table, f"example[{position}]", lines, routing, known)
        example = reader.example(position)
        problems += reader.problems
        if example is not None:
            found.append(example)
        if reader.name in seen:
            problem = f"has the name of the example in line {seen[reader.name]}"
            problems.append(Problem(lines.of(reader.at, "name"), reader.name, problem))
        seen.setdefault(reader.name, lines.of(reader.at, "name"))
    if problems:
        raise ExamplesError(problems)
    return found


class _Reader:
    """Reads one example, collecting what is wrong with it."""

    def __init__(
        self,
        root: Path,
        table: Mapping[str, Any],
        at: str,
        lines: Lines,
        routing: Routing,
        stages: Mapping[str, Settings],
    ) -> None:
        self.root = root
        self.table = table
        self.at = at
        self.lines = lines
        self.routing = routing
        self.stages = stages
        self.problems: list[Problem] = []
        self.name = ""

    def wrong(self, key: str, problem: str) -> None:
        line = self.lines.of(self.at, *key.split("."))
        self.problems.append(Problem(line, self.name, problem))

    def example(self, position: int) -> Example | None:
        name = self.table.get("name")
        named = isinstance(name, str) and bool(name)
        self.name = f"example {name!r}" if named else f"example number {position + 1}"
        if not named:
            self.wrong("name", "needs a name that says what it shows")
        for key in self.table:
            if key not in _KEYS:
                near = did_you_mean(key, sorted(_KEYS))
                self.wrong(key, f"unknown key {key!r}{near or '; other values go under with.'}")
        known = [rule.name for rule in self.routing.rules]
        rules = self._names("rules", known)
        places = [f"topic:{topic}" for topic in self.routing.topics]
        used = dict.fromkeys(to for rule in self.routing.rules for to in rule.to)
        to = self._names("to", [*places, *(name for name in used if name not in places)])
        if "rules" not in self.table and "to" not in self.table:
            self.wrong("name", "expects nothing: say rules, or to, or both")
        stage = self.table.get("stage", STAGE)
        if not isinstance(stage, str) or not stage:
            self.wrong("stage", "stage must be the name of a stage")
        elif "stage" in self.table and self.stages and stage not in self.stages:
            self.wrong("stage", unknown(stage, self.stages))
        event = sample_event(self.root, self.table, self.wrong)
        if self.problems or event is None:
            return None
        return Example(str(name), self.lines.of(self.at), event, stage, rules, to)

    def _names(self, key: str, known: Sequence[str]) -> tuple[str, ...] | None:
        names = self.table.get(key)
        if names is None:
            return None
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            self.wrong(key, f"{key} must be a list of names")
            return None
        for name in names:
            plain = name.partition("/")[0] if key == "to" else name
            if plain not in known:
                near = did_you_mean(plain, known) or f"; known are {', '.join(known)}"
                self.wrong(key, f"{key}: there is no {plain!r}{near}")
        return tuple(names)


def sample_event(
    root: Path,
    table: Mapping[str, Any],
    wrong: Callable[[str, str], None],
    default_id: str = "example",
) -> Event | None:
    """The sample of a table's `type`, changed by its `with` and `without`; `wrong` is told mistakes."""
    event_type = table.get("type")
    types = Templates(root / "templates").types
    if not isinstance(event_type, str) or event_type not in types:
        near = did_you_mean(str(event_type), types) if event_type else ""
        wrong("type", f"type must be an event type below templates/{near}")
        return None
    sample = root / "templates" / event_type / "sample.json"
    try:
        raw = json.loads(sample.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        wrong("type", f"templates/{event_type}/sample.json cannot be read: {error}")
        return None
    given = table.get("with", {})
    if not isinstance(given, dict) or "type" in given:
        wrong("with", "with sets attributes and data, such as with.data.order.total = 500")
        return None
    raw = _merged(raw, given)
    without = table.get("without", [])
    if not isinstance(without, list) or not all(isinstance(path, str) for path in without):
        wrong("without", "without must be a list of names, such as ['data.audience']")
        return None
    for path in without:
        if not _take_out(raw, path):
            wrong("without", f"the sample has no {path} to take out")
    try:
        return events.parse(raw, default_id=default_id, default_source="example")
    except InvalidEvent as error:
        for fault in error.errors:
            wrong(f"with.{fault.field}", f"{fault.field} {fault.problem}")
    except PermanentError as error:
        wrong("type", str(error))
    return None


def _merged(base: Any, given: Any) -> Any:
    """`given` laid over `base`: objects are merged, anything else is replaced."""
    if not isinstance(base, dict) or not isinstance(given, dict):
        return given
    return {**base, **{key: _merged(base.get(key), value) for key, value in given.items()}}


def _take_out(raw: Any, path: str) -> bool:
    *parents, last = path.split(".")
    for parent in parents:
        raw = raw.get(parent) if isinstance(raw, dict) else None
    return isinstance(raw, dict) and raw.pop(last, None) is not None
