"""Who hears about an event: lanes, topics and rules, as `routing.toml` has them."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from chalicelib import names
from chalicelib.errors import HeraldoError, PermanentError
from chalicelib.event import Event
from chalicelib.patterns import Mismatch, Pattern, PatternError, compile_pattern
from chalicelib.rule_index import RuleIndex

_SLUG: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")
_LOCALE: Final = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*\Z")
_TOP: Final = frozenset(("lanes", "topics", "types", "rule"))
_RULE: Final = frozenset(("name", "pattern", "to", "stop", "suppress", "stages", "owner", "note"))
_TOPIC: Final = frozenset(("personal", "locales"))
_TYPE: Final = frozenset(("on_unknown",))
ON_UNKNOWN: Final = ("resend", "skip")


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in `routing.toml`: `line` counts from 1 (0 where none can be named)."""

    line: int
    rule: str
    problem: str

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        return f"{where}{self.rule}: {self.problem}" if self.rule else f"{where}{self.problem}"


class RoutingError(HeraldoError):
    """`routing.toml` cannot be used; `problems` has every mistake that was found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(f"routing.toml: {p}" for p in problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Topic:
    """An SNS topic: whether it carries personal messages, and its audience's locales."""

    name: str
    personal: bool = False
    locales: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """A named rule: where its pattern matches, its destinations are added."""

    name: str
    pattern: Pattern
    to: tuple[str, ...] = ()
    stop: bool = False
    suppress: bool = False
    owner: str = ""
    note: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """What the rules say of one event. Without destinations, `reason` says why."""

    rules: tuple[str, ...]
    destinations: tuple[str, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One rule on one event: matched, or the first condition that was not met, or not reached."""

    rule: Rule
    matched: bool
    mismatch: Mismatch | None = None
    after_stop: str = ""


@dataclass(frozen=True, slots=True)
class Routing:
    """The loaded `routing.toml`, for one stage."""

    lanes: Mapping[str, tuple[str, ...]]
    topics: Mapping[str, Topic]
    rules: tuple[Rule, ...]
    on_unknown: Mapping[str, str] = field(default_factory=dict)
    index: RuleIndex = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", RuleIndex([rule.pattern for rule in self.rules]))

    def lane(self, event_type: str) -> str:
        """The lane of an event type: the longest of the names that fit it decides.

        Raises
        ------
        PermanentError : no lane takes this type.
        """
        best, length = "", -1
        for lane, types in self.lanes.items():
            for name in types:
                fits = event_type.startswith(name[:-1]) if name[-1] == "*" else event_type == name
                if fits and len(name) > length:
                    best, length = lane, len(name)
        if not best:
            raise PermanentError("no-lane", "no lane in routing.toml takes this event type")
        return best

    def decide(self, event: Event) -> Decision:
        """Which rules match, and the destinations that they add, each once and in rule order."""
        matched: list[str] = []
        destinations: dict[str, None] = {}
        for position in self.index.match(event.attributes()):
            rule = self.rules[position]
            matched.append(rule.name)
            if rule.suppress:
                return Decision(tuple(matched), (), f"rule {rule.name} suppresses it")
            destinations.update(dict.fromkeys(rule.to))
            if rule.stop:
                break
        reason = "" if destinations else "no rule matches"
        return Decision(tuple(matched), tuple(destinations), reason)

    def explain(self, event: Event) -> list[Verdict]:
        """Every rule in order, matched or with the first condition that failed."""
        verdicts: list[Verdict] = []
        attributes = event.attributes()
        stopped = ""
        for rule in self.rules:
            if stopped:
                verdicts.append(Verdict(rule, False, after_stop=stopped))
                continue
            mismatch = rule.pattern.explain(attributes)
            verdicts.append(Verdict(rule, mismatch is None, mismatch))
            if mismatch is None and (rule.stop or rule.suppress):
                stopped = rule.name
        return verdicts

    def locales(self, destination: str, event: Event) -> tuple[str | None, ...]:
        """The locales in which an event goes to a destination.

        A recipient is addressed in its own locale (None: the default) on a personal topic. Anything
        else goes to an audience: in the event's locale if it names one, else once for each locale
        of the topic. A customer's locale says nothing about the company's.
        """
        topic = self.topics[destination.removeprefix("topic:")]
        if event.recipient is not None and topic.personal:
            return (event.locale,)
        if event.locale is not None and event.recipient is None:
            return (event.locale,)
        return topic.locales or (event.locale,)


def load(text: str, stage: str) -> Routing:
    """Read a `routing.toml`, keeping the rules that apply to `stage`.

    Raises
    ------
    RoutingError : with every mistake, each with its line and rule.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        problem = f"is not valid TOML: {error}"
        raise RoutingError([Problem(int(line[1]) if line else 0, "", problem)]) from None
    problems: list[Problem] = []
    lines = _Lines(text)
    _unknown_keys(raw, _TOP, "", lines.of, problems)
    lanes = _lanes(raw.get("lanes", {}), lines, problems)
    topics = _topics(raw.get("topics", {}), lines, problems)
    on_unknown = _types(raw.get("types", {}), lines, problems)
    rules = _rules(raw.get("rule", []), topics, stage, lines, problems)
    if problems:
        raise RoutingError(problems)
    return Routing(lanes, topics, rules, on_unknown)


class _Lines:
    """Finds the line of a key or of the n-th rule; tomllib does not tell."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()
        self._headers = [
            number
            for number, line in enumerate(self._lines, 1)
            if re.match(r"\s*\[\[\s*rule\s*\]\]", line)
        ]

    def of(self, key: str) -> int:
        found = re.compile(rf"""(\s*\[+\s*|\s*)["']?{re.escape(key)}\b""")
        return next((n for n, line in enumerate(self._lines, 1) if found.match(line)), 0)

    def of_rule(self, position: int, key: str = "") -> int:
        """The line of `key` within the rule, or that of the rule's header."""
        if position >= len(self._headers):
            return 0
        start = self._headers[position]
        end = [*self._headers, len(self._lines) + 1][position + 1] - 1
        wanted = re.compile(rf"""\s*["']?{re.escape(key)}\b""")
        for number in range(start + 1, end + 1):
            if key and wanted.match(self._lines[number - 1]):
                return number
        return start


def _unknown_keys(
    table: Mapping[str, Any],
    known: frozenset[str],
    rule: str,
    line_of: Any,
    problems: list[Problem],
) -> None:
    for key in table:
        if key not in known:
            problem = f"unknown key {key!r}{did_you_mean(key, sorted(known))}"
            problems.append(Problem(line_of(key), rule, problem))


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """`; did you mean X?`, or nothing where nothing is near."""
    import difflib  # only mistakes pay for it

    near = difflib.get_close_matches(word, known, n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _lanes(raw: Any, lines: _Lines, problems: list[Problem]) -> dict[str, tuple[str, ...]]:
    lanes: dict[str, tuple[str, ...]] = {}
    seen: dict[str, str] = {}
    for lane, types in raw.items():
        line = lines.of(lane)
        if lane not in names.LANES:
            known = ", ".join(names.LANES)
            problems.append(Problem(line, "", f"unknown lane {lane!r}; the lanes are {known}"))
        if not _strings(types):
            problems.append(Problem(line, "", f"lane {lane} must be a list of event types"))
            continue
        for name in types:
            if name in seen:
                problem = f"{name!r} is in two lanes, {seen[name]} and {lane}"
                problems.append(Problem(line, "", problem))
            seen[name] = lane
        lanes[lane] = tuple(types)
    return lanes


def _topics(raw: Any, lines: _Lines, problems: list[Problem]) -> dict[str, Topic]:
    topics: dict[str, Topic] = {}
    for name, settings in raw.items():
        line = lines.of(name)
        if not _SLUG.match(name):
            problems.append(Problem(line, "", f"topic {name!r}: use lower-case letters and digits"))
        if not isinstance(settings, dict):
            problem = f"topic {name} must be a table, such as {{ locales = ['es'] }}"
            problems.append(Problem(line, "", problem))
            continue
        _unknown_keys(settings, _TOPIC, f"topic {name}", lambda _, at=line: at, problems)
        locales = settings.get("locales", [])
        if not _strings(locales) or not all(_LOCALE.match(tag) for tag in locales):
            problem = f"topic {name}: locales must be a list of language tags, such as ['es', 'en']"
            problems.append(Problem(line, "", problem))
            locales = []
        personal = settings.get("personal", False)
        if not isinstance(personal, bool):
            problems.append(Problem(line, "", f"topic {name}: personal must be true or false"))
        topics[name] = Topic(name, bool(personal), tuple(dict.fromkeys(locales)))
    return topics


def _types(raw: Any, lines: _Lines, problems: list[Problem]) -> dict[str, str]:
    on_unknown: dict[str, str] = {}
    for event_type, settings in raw.items():
        line = lines.of(f'types."{event_type}"') or lines.of("types")
        if not isinstance(settings, dict):
            problems.append(Problem(line, "", f"types.{event_type} must be a table"))
            continue
        _unknown_keys(settings, _TYPE, f"type {event_type}", lambda _, at=line: at, problems)
        value = settings.get("on_unknown", "resend")
        if value not in ON_UNKNOWN:
            problem = f"type {event_type}: on_unknown must be one of {', '.join(ON_UNKNOWN)}"
            problems.append(Problem(line, "", problem))
        on_unknown[event_type] = value
    return on_unknown


def _rules(
    raw: Any, topics: Mapping[str, Topic], stage: str, lines: _Lines, problems: list[Problem]
) -> tuple[Rule, ...]:
    rules: list[Rule] = []
    seen: set[str] = set()
    if not isinstance(raw, list):
        problems.append(Problem(lines.of("rule"), "", "write each rule under a [[rule]] header"))
        return ()
    for position, table in enumerate(raw):
        name = table.get("name")
        shown = f"rule {name}" if isinstance(name, str) else f"rule number {position + 1}"
        before = len(problems)

        def wrong(key: str, problem: str, at: int = position, rule: str = shown) -> None:
            problems.append(Problem(lines.of_rule(at, key), rule, problem))

        _unknown_keys(
            table, _RULE, shown, lambda key, at=position: lines.of_rule(at, key), problems
        )
        if not isinstance(name, str) or not _SLUG.match(name):
            wrong("name", "needs a name of lower-case letters, digits and hyphens")
        elif name in seen:
            wrong("name", "has the name of an earlier rule")
        else:
            seen.add(name)
        to = table.get("to", [])
        if not _strings(to):
            wrong("to", "to must be a list of destinations, such as ['topic:users']")
            to = []
        for destination in to:
            kind, _, topic = destination.partition(":")
            if kind != "topic" or topic not in topics:
                known = [f"topic:{t}" for t in topics]
                near = did_you_mean(destination, known) or f"; known are {', '.join(known)}"
                wrong("to", f"unknown destination {destination!r}{near}")
        for flag in ("stop", "suppress"):
            if not isinstance(table.get(flag, False), bool):
                wrong(flag, f"{flag} must be true or false")
        for text in ("owner", "note"):
            if not isinstance(table.get(text, ""), str):
                wrong(text, f"{text} must be a string")
        stages = table.get("stages")
        if stages is not None and not _strings(stages):
            wrong("stages", "stages must be a list of stage names, such as ['dev', 'prod']")
            stages = None
        if table.get("suppress") and to:
            wrong("to", "a rule that suppresses has no destinations: leave out to")
        if not to and not table.get("suppress") and not table.get("stop") and "to" not in table:
            wrong("", "does nothing: give it destinations (to), stop or suppress")
        pattern: Pattern | None = None
        try:
            pattern = compile_pattern(table["pattern"]) if "pattern" in table else ALWAYS
        except PatternError as error:
            wrong("pattern", f"pattern.{error.path}: {error.problem}" if error.path else str(error))
        if len(problems) == before and pattern is not None and (stages is None or stage in stages):
            rules.append(
                Rule(
                    name=str(name),
                    pattern=pattern,
                    to=tuple(to),
                    stop=table.get("stop", False),
                    suppress=table.get("suppress", False),
                    owner=table.get("owner", ""),
                    note=table.get("note", ""),
                    line=lines.of_rule(position),
                )
            )
    return tuple(rules)


# A rule without a pattern applies to every event, and every event has a type.
ALWAYS: Final = compile_pattern({"type": [{"exists": True}]})


def _strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) and item for item in value)


@functools.cache
def routing() -> Routing:
    """The routing of this package and stage, loaded once for the life of the worker."""
    text = (Path(__file__).parent / "routing.toml").read_text(encoding="utf-8")
    return load(text, names.stage())
