"""`routing.toml` read: every mistake in it named by its line."""

from __future__ import annotations

import builtins
import functools
import json
import keyword
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from chalicelib.errors import HeraldoError
from chalicelib.regex import regex
from chalicelib.rules import caps, digests, hours
from chalicelib.rules.destinations import CHANNELS, PERSON, RECIPIENT, TOPIC, WEBHOOK, parse
from chalicelib.rules.journeys import Journey, read_journey, read_names
from chalicelib.rules.lines import Lines
from chalicelib.rules.patterns import Pattern, PatternError, compile_pattern
from chalicelib.rules.routing import (
    COMPANY,
    Category,
    Lane,
    Routing,
    Rule,
    Topic,
    TypeSettings,
    Webhook,
)
from chalicelib.spelling import did_you_mean
from chalicelib.values import dataclass

# A lane's name is a function in app.py, the beginning of its resources' names in CloudFormation, and a
# part of its function's name, which may have 64 characters with a stage's 16 in it:
# https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
LANE_CHARACTERS: Final = 39
_LANE_NAME: Final = regex(rf"[a-z][a-z0-9]{{0,{LANE_CHARACTERS - 1}}}\Z")
_SLUG: Final = regex(r"[a-z0-9][a-z0-9-]{0,62}\Z")
# It begins a template's name, company.es.j2, and must not look like a language there.
_AUDIENCE: Final = regex(r"[a-z]{4,20}\Z")
_LOCALE: Final = regex(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*\Z")
_TOP: Final = frozenset(("lanes", "topics", "webhooks", "categories", "types", "journeys", "rule"))
_RULE: Final = frozenset(
    ("name", "pattern", "to", "digest", "start", "stop", "suppress", "stages", "owner", "note")
)
_CATEGORY: Final = frozenset(
    ("commercial", "critical", "channels", "quiet", "window", "cap", "over_cap")
)
_LANE: Final = _CATEGORY | {"types"}
_TOPIC: Final = frozenset(("personal", "locales", "audience"))
_TYPE: Final = frozenset(("on_unknown", "category", "sms_parts"))
# A message of 1,600 characters has so many in the costlier alphabet.
SMS_PARTS: Final = 24
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


def text_of(path: Path) -> str:
    """The text of a TOML file, ours or another.

    Raises
    ------
    RoutingError : there is no such file, or it is not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        problem = Problem(0, "", f"there is no {path.name}: write it, or take it back from git")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        problem = Problem(line, "", "is not UTF-8: save it as UTF-8")
    raise RoutingError([problem])


CONFLICT: Final = regex(r"(<{7}|\|{7}|={7}|>{7})(\s|\Z)")
"""How a line begins that git leaves where it could not merge."""


def no_toml(text: str, error: tomllib.TOMLDecodeError | RecursionError) -> Problem:
    """Why a text is no TOML, in the words of whoever wrote it."""
    if isinstance(error, RecursionError):
        return Problem(0, "", "is nested too deeply to be read")
    if text.startswith("\ufeff"):
        return Problem(1, "", 'starts with a byte order mark: save it as "UTF-8" without BOM')
    found = re.search(r"at line (\d+)", str(error))
    if found is None:
        line = text.count("\n") + (not text.endswith("\n"))
        return Problem(line, "", f"is not valid TOML: {error}")
    line = int(found[1])
    conflict = CONFLICT.match(text.split("\n")[line - 1])
    if conflict:
        problem = f"{conflict[1]} is left of a merge: keep one side, and take the marks out"
        return Problem(line, "", problem)
    return Problem(line, "", f"is not valid TOML: {error}")


def load(text: str, stage: str | None) -> Routing:
    """Read a `routing.toml`, keeping the rules that apply to `stage` (None: those of every stage).

    Raises
    ------
    RoutingError : with every mistake, each with its line and rule.
    """
    try:
        raw = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise RoutingError([no_toml(text, error)]) from None
    problems: list[Problem] = []
    lines = Lines(text)
    _unknown_keys(raw, _TOP, "", lines.of, problems)
    lanes, categories = _lanes(_table(raw, "lanes", lines, problems), lines, problems)
    declared = _table(raw, "categories", lines, problems)
    categories |= _categories(declared, categories, lines, problems)
    topics = _topics(_table(raw, "topics", lines, problems), lines, problems)
    types = _types(_table(raw, "types", lines, problems), categories, lines, problems)
    journeys = _journeys(_table(raw, "journeys", lines, problems), lines, problems)
    webhooks = _webhooks(_table(raw, "webhooks", lines, problems), stage, lines, problems)
    places = [f"{TOPIC}:{name}" for name in topics] + [f"{WEBHOOK}:{name}" for name in webhooks]
    rules = _rules(raw.get("rule", []), places, journeys, stage, lines, problems)
    if problems:
        raise RoutingError(sorted(problems, key=lambda problem: problem.line))
    return Routing(lanes, topics, rules, types, categories, journeys, webhooks)


def _table(
    raw: Mapping[str, Any], name: str, lines: Lines, problems: list[Problem]
) -> Mapping[str, Any]:
    found = raw.get(name, {})
    if isinstance(found, dict):
        return found
    problems.append(Problem(lines.of(name), "", f"{name} must be a table: write [{name}]"))
    return {}


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


def _lanes(
    raw: Any, lines: Lines, problems: list[Problem]
) -> tuple[dict[str, Lane], dict[str, Category]]:
    """The lanes, and what each is as a category."""
    lanes: dict[str, Lane] = {}
    categories: dict[str, Category] = {}
    seen: dict[str, str] = {}
    for lane, given in raw.items():
        line = lines.of("lanes", lane)

        def wrong(problem: str, *keys: str, name: str = lane) -> None:
            problems.append(Problem(lines.of("lanes", name, *keys), "", f"lane {name}{problem}"))

        def line_of(key: str, name: str = lane) -> int:
            return lines.of("lanes", name, key)

        if not _LANE_NAME.match(lane):
            wrong(f": use lower-case letters and digits, {LANE_CHARACTERS} at the most")
        elif keyword.iskeyword(lane) or hasattr(builtins, lane):
            wrong(" has the name of something in Python: call it otherwise")
        settings = given if isinstance(given, dict) else {"types": given}
        _unknown_keys(settings, _LANE, f"lane {lane}", line_of, problems)
        categories[lane] = _category(lane, settings, wrong, line)
        types = settings.get("types", [])
        if not _strings(types):
            wrong(" must be a list of event types, such as ['order.*']", "types")
            continue
        if not types:
            wrong(" has no types: name some, or take the lane out")
        for name in types:
            if "*" in name[:-1]:
                wrong(f": {name!r} never fits: * stands at the end of a name only", "types")
            if name in seen:
                twice = f"two lanes, {seen[name]} and {lane}" if seen[name] != lane else "it twice"
                wrong(f": {name!r} is in {twice}", "types")
            seen[name] = lane
        lanes[lane] = Lane(lane, tuple(types), line)
    return lanes, categories


def _category(name: str, settings: Mapping[str, Any], wrong: Any, line: int) -> Category:
    """What a table says of a category; `wrong` is told its mistakes, each with its key."""
    commercial, critical = settings.get("commercial", False), settings.get("critical", False)
    if not isinstance(commercial, bool):
        wrong(": commercial must be true or false", "commercial")
    if not isinstance(critical, bool):
        wrong(": critical must be true or false", "critical")
    if commercial is True and critical is True:
        wrong(
            ": what is critical cannot be switched off, what is commercial can: it is one",
            "critical",
        )
    channels = settings.get("channels", {})
    shape = ": channels must be a table of on and off, such as { sms = false }"
    if not isinstance(channels, dict) or not all(isinstance(v, bool) for v in channels.values()):
        wrong(shape, "channels")
        channels = {}
    for channel in channels:
        if channel not in CHANNELS:
            near = did_you_mean(channel, CHANNELS) or f"; they are {', '.join(CHANNELS)}"
            wrong(f": no channel {channel!r}{near}", "channels")
    times = cap = None
    try:
        times = hours.read(settings.get("quiet", ()), settings.get("window", ()))
        cap = caps.read(settings.get("cap"), settings.get("over_cap"))
    except ValueError as error:
        key, problem = error.args
        wrong(f": {key} {problem}", key)
    if times is not None and critical is True:
        key = "quiet" if times.quiet else "window"
        wrong(f": what is critical is sent at any time: take {key} out", key)
    if cap is not None and critical is True:
        wrong(": what is critical is sent however much it is: take cap out", "cap")
    return Category(name, commercial is True, critical is True, channels, times, cap, line)


def _categories(
    raw: Any, of_lanes: Mapping[str, Category], lines: Lines, problems: list[Problem]
) -> dict[str, Category]:
    found: dict[str, Category] = {}
    for name, settings in raw.items():
        line = lines.of("categories", name)

        def wrong(problem: str, *keys: str, name: str = name) -> None:
            at = lines.of("categories", name, *keys)
            problems.append(Problem(at, "", f"category {name}{problem}"))

        def line_of(key: str, name: str = name) -> int:
            return lines.of("categories", name, key)

        if not _SLUG.match(name):
            wrong(": use lower-case letters, digits, -")
        if name in of_lanes:
            wrong(": a lane is a category already: say it in [lanes], or call it otherwise")
        if not isinstance(settings, dict):
            wrong(" must be a table, such as { commercial = true }")
            continue
        _unknown_keys(settings, _CATEGORY, f"category {name}", line_of, problems)
        found[name] = _category(name, settings, wrong, line)
    return found


def _topics(raw: Any, lines: Lines, problems: list[Problem]) -> dict[str, Topic]:
    topics: dict[str, Topic] = {}
    for name, settings in raw.items():
        line = lines.of("topics", name)
        if not _SLUG.match(name):
            problems.append(Problem(line, "", f"topic {name!r}: use lower-case letters, digits, -"))
        if not isinstance(settings, dict):
            problem = f"topic {name} must be a table, such as {{ locales = ['es'] }}"
            problems.append(Problem(line, "", problem))
            continue

        def line_of(key: str, topic: str = name) -> int:
            return lines.of("topics", topic, key)

        _unknown_keys(settings, _TOPIC, f"topic {name}", line_of, problems)
        locales = settings.get("locales", [])
        if not _strings(locales) or not all(_LOCALE.match(tag) for tag in locales):
            problem = f"topic {name}: locales must be a list of language tags, such as ['es', 'en']"
            problems.append(Problem(line_of("locales"), "", problem))
            locales = []
        personal = settings.get("personal", False)
        if not isinstance(personal, bool):
            problem = f"topic {name}: personal must be true or false"
            problems.append(Problem(line_of("personal"), "", problem))
        audience = settings.get("audience", "")
        if not isinstance(audience, str) or (audience and not _AUDIENCE.match(audience)):
            problem = f"topic {name}: audience must be one word, such as '{COMPANY}'"
            problems.append(Problem(line_of("audience"), "", problem))
            audience = ""
        tags = tuple(dict.fromkeys(locales))
        topics[name] = Topic(name, bool(personal), tags, audience, line)
    return topics


def _webhooks(
    raw: Any, stage: str | None, lines: Lines, problems: list[Problem]
) -> dict[str, Webhook]:
    found: dict[str, Webhook] = {}
    for name, urls in raw.items():
        line = lines.of("webhooks", name)
        if not _SLUG.match(name):
            problems.append(
                Problem(line, "", f"webhook {name!r}: use lower-case letters, digits, -")
            )
        if not isinstance(urls, dict) or not urls:
            shape = "names a URL for each stage that has one, such as { prod = 'https://erp.example/in' }"
            problems.append(Problem(line, "", f"webhook {name} {shape}"))
            urls = {}
        for of_stage, url in urls.items():
            if problem := _url_problem(url, of_stage):
                at = lines.of("webhooks", name, of_stage)
                problems.append(Problem(at, "", f"webhook {name}: {of_stage} {problem}"))
        found[name] = Webhook(name, urls, urls.get(stage or "", ""), line)
    return found


def _url_problem(url: Any, stage: str) -> str:
    """Why nothing can be posted to a URL from a stage; nothing where it can. Does not show it: what lets
    somebody in may stand in it."""
    from chalicelib.events import hosts  # not paid for where there are no webhooks

    if not isinstance(url, str):
        return f"must be {hosts.SHAPE}"
    return hosts.url_problem(url, anywhere=stage == "local")


def _types(
    raw: Any, categories: Mapping[str, Category], lines: Lines, problems: list[Problem]
) -> dict[str, TypeSettings]:
    found: dict[str, TypeSettings] = {}
    for event_type, settings in raw.items():
        line = lines.of("types", event_type)
        if not isinstance(settings, dict):
            problems.append(Problem(line, "", f"types.{event_type} must be a table"))
            continue

        def wrong(key: str, problem: str, name: str = event_type) -> None:
            problems.append(Problem(lines.of("types", name, key), "", f"type {name}: {problem}"))

        def line_of(key: str, name: str = event_type) -> int:
            return lines.of("types", name, key)

        _unknown_keys(settings, _TYPE, f"type {event_type}", line_of, problems)
        on_unknown = settings.get("on_unknown", ON_UNKNOWN[0])
        if on_unknown not in ON_UNKNOWN:
            wrong("on_unknown", f"on_unknown must be one of {', '.join(ON_UNKNOWN)}")
        category = settings.get("category", "")
        if "category" in settings and category not in categories:
            near = did_you_mean(str(category), tuple(categories))
            near = near or f"; there are {', '.join(categories)}"
            wrong("category", f"there is no category {category!r}{near}")
        parts = settings.get("sms_parts", 0)
        if "sms_parts" in settings and (
            not isinstance(parts, int) or isinstance(parts, bool) or not 1 <= parts <= SMS_PARTS
        ):
            wrong("sms_parts", f"sms_parts must be a number of 1 to {SMS_PARTS}")
        found[event_type] = TypeSettings(on_unknown, category, parts)
    return found


def _journeys(raw: Any, lines: Lines, problems: list[Problem]) -> dict[str, Journey]:
    found: dict[str, Journey] = {}
    for name, table in raw.items():

        def wrong(key: str, problem: str, name: str = name) -> None:
            at = lines.of("journeys", name, key)
            problems.append(Problem(at, "", f"journey {name}{problem}"))

        found[name] = read_journey(name, table, lines.of("journeys", name), wrong)
    return found


def _rules(
    raw: Any,
    places: Sequence[str],
    journeys: Mapping[str, Journey],
    stage: str | None,
    lines: Lines,
    problems: list[Problem],
) -> tuple[Rule, ...]:
    rules: list[Rule] = []
    seen: set[str] = set()
    if not isinstance(raw, list):
        problems.append(Problem(lines.of("rule"), "", "write each rule under a [[rule]] header"))
        return ()
    for position, table in enumerate(raw):
        if not isinstance(table, dict):
            problem = "write each rule under a [[rule]] header"
            problems.append(Problem(lines.of("rule"), "", problem))
            continue
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
            if problem := _destination_problem(destination, places):
                wrong("to", f"unknown destination {destination!r}{problem}")
        if not isinstance(table.get("suppress", False), bool):
            wrong("suppress", "suppress must be true or false")
        known = tuple(journeys)
        starts = read_names("start", table.get("start", []), known, wrong)
        stop = table.get("stop", False)
        stops = () if isinstance(stop, bool) else read_names("stop", stop, known, wrong)
        for text in ("owner", "note"):
            if not isinstance(table.get(text, ""), str):
                wrong(text, f"{text} must be a string")
        stages = table.get("stages")
        if stages is not None and not (_strings(stages) and stages):
            wrong("stages", "stages must be a list of stage names, such as ['dev', 'prod']")
            stages = None
        if table.get("suppress") and to:
            wrong("to", "a rule that suppresses has no destinations: leave out to")
        if table.get("suppress") and starts:
            wrong("start", "a rule that suppresses starts nothing: leave out start")
        if both := sorted({*starts} & {*stops}):
            wrong("stop", f"what starts {both[0]} would end it at once: leave out one of them")
        if not any(table.get(key) for key in ("to", "start", "stop", "suppress")):
            wrong("", "does nothing: give it destinations (to), start, stop or suppress")
        digest: digests.Digest | None = None
        if "digest" in table:
            try:
                digest = digests.read(table["digest"])
            except ValueError as error:
                wrong(*error.args)
            if not table.get("to"):
                problem = "a digest goes somewhere: give the rule destinations (to)"
                wrong("digest", problem if not table.get("suppress") else _NOTHING_TO_GATHER)
        pattern: Pattern | None = None
        try:
            pattern = compile_pattern(read_pattern(table)) if "pattern" in table else ALWAYS
        except (json.JSONDecodeError, RecursionError) as error:
            shape = 'pattern is a table, such as pattern.type = ["order.placed"], or JSON in quotes'
            wrong("pattern", f"{shape}; as JSON: {error}")
        except PatternError as error:
            path = f"pattern.{error.path}" if error.path else "pattern"
            wrong(path, f"{path}: {error.problem}")
        applies = stages is None or stage is None or stage in stages
        if len(problems) == before and pattern is not None and applies:
            rules.append(
                Rule(
                    name=str(name),
                    pattern=pattern,
                    to=tuple(to),
                    digest=digest,
                    stop=stop is True,
                    suppress=table.get("suppress", False),
                    starts=starts,
                    stops=stops,
                    stages=tuple(stages or ()),
                    owner=table.get("owner", ""),
                    note=table.get("note", ""),
                    position=position,
                    lines=lines,
                )
            )
    return tuple(rules)


_NOTHING_TO_GATHER: Final = "a rule that suppresses gathers nothing: leave out digest"


def _destination_problem(text: str, known: Sequence[str]) -> str:
    """What is wrong with a destination, as it follows its name; nothing where it is one. `known` are the topics
    and webhooks that there are."""
    try:
        found = parse(text)
    except ValueError as error:
        kinds = [RECIPIENT, *(f"{RECIPIENT}:{channel}" for channel in CHANNELS)]
        if text.partition(":")[0] in (RECIPIENT, PERSON):
            return did_you_mean(text, kinds) or f": {error}"
        return (
            did_you_mean(text, [*known, *kinds]) or f"; known are {', '.join([*known, *kinds[:1]])}"
        )
    if found.is_somebody or text in known:
        return ""
    alike = ", ".join(name for name in known if name.startswith(f"{found.kind}:"))
    none = f": declare it under [{found.kind}s]"
    return did_you_mean(text, known) or (f"; known are {alike}" if alike else none)


def read_pattern(table: Mapping[str, Any]) -> Any:
    """The pattern of a rule's table. TOML has no null, so it may also be JSON, as AWS shows it."""
    given = table.get("pattern", {})
    return json.loads(given) if isinstance(given, str) else given


# A rule without a pattern applies to every event, and every event has a type.
ALWAYS: Final = compile_pattern({"type": [{"exists": True}]})


def _strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) and item for item in value)


def read(file: Path, stage: str | None) -> Routing:
    """Read the file itself, as `load` does its text.

    Raises
    ------
    RoutingError : also where there is no such file, or it is not UTF-8.
    """
    return load(text_of(file), stage)


FILE = Path(__file__).parents[1] / "routing.toml"
"""The routing of this package."""


@functools.cache
def routing(stage: str | None = None) -> Routing:
    """The routing of this package for a stage, loaded once for the life of the worker.

    Without a stage it has the rules of every stage.
    """
    return read(FILE, stage)
