"""What is wrong with the rules of a tree, beyond what keeps `routing.toml` from loading."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal

import jinja2

from chalicelib.errors import InvalidEvent, PermanentError
from chalicelib.events import event as events
from chalicelib.events.event import Event
from chalicelib.rules.lines import Lines
from chalicelib.rules.patterns import Alternative
from chalicelib.rules.patterns.conditions import Condition, parse
from chalicelib.rules.patterns.fields import Field, leaves
from chalicelib.rules.reading import RoutingError, load, read_pattern
from chalicelib.rules.routing import Routing, Rule
from chalicelib.spelling import nearest
from chalicelib.words import contract
from chalicelib.words.contract import Field as Data
from chalicelib.words.contract import Reader
from chalicelib.words.render import Templates
from cli.lint.finding import Finding

FILE: Final = "chalicelib/routing.toml"
_ATTRIBUTES: Final = tuple(
    field.name for field in dataclasses.fields(Event) if field.name != "extensions"
)
# What EventBridge's own events call what a CloudEvent calls otherwise.
_OTHER_NAMES: Final = {"detail": "data", "detail-type": "type", "time": "time"}


def lint_routing(root: Path) -> list[Finding]:
    """Every finding about `chalicelib/routing.toml`, sorted by line; none where there is no such file."""
    path = root / FILE
    if not path.is_file():
        return []
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        return [_finding("error", line, "encoding", "is not UTF-8", "save it as UTF-8")]
    try:
        routing = load(text, None)
    except RoutingError as error:
        return [
            _finding(
                "error",
                problem.line,
                "routing",
                f"{problem.rule}: {problem.problem}" if problem.rule else problem.problem,
                "mend the line",
            )
            for problem in error.problems
        ]
    found = _Rules(root, text, routing).run()
    return sorted(dict.fromkeys(found), key=lambda f: (f.line, f.code, f.message))


def _finding(
    severity: Literal["error", "warning"], line: int, code: str, message: str, remedy: str
) -> Finding:
    return Finding(severity, FILE, line, None, code, message, remedy)


class _Rules:
    def __init__(self, root: Path, text: str, routing: Routing) -> None:
        self.root = root
        self.routing = routing
        self.lines = Lines(text)
        self.raw: Mapping[str, Any] = tomllib.loads(text)
        self.templates = Templates(root / "templates")
        has_templates = self.templates.root.is_dir()
        self.types: tuple[str, ...] = self.templates.types if has_templates else ()
        self.positions = {rule.name: n for n, rule in enumerate(routing.rules)}
        self.samples: dict[str, Event | None] = {}
        self.contracts: dict[str, Data] = {}

    def run(self) -> Iterator[Finding]:
        yield from self._lanes()
        yield from self._types()
        yield from self._topics()
        if not self.types:
            return
        yield from self._unrouted()
        dead = set()
        for rule in self.routing.rules:
            findings = list(self._dead(rule))
            if findings:
                dead.add(rule.name)
            yield from findings
        for position, rule in enumerate(self.routing.rules):
            yield from self._stages(rule)
            if rule.name not in dead:
                yield from self._hidden(position, rule)
                yield from self._fields(rule)
        yield from self._replaced()
        yield from self._locales()

    def _line(self, rule: Rule, path: str = "") -> int:
        position = self.positions[rule.name]
        return self.lines.of_rule(position, f"pattern.{path}" if path else "")

    # -- lanes, types, topics ----------------------------------------------------------------------

    def _lanes(self) -> Iterator[Finding]:
        for event_type in self.types:
            try:
                self.routing.lane(event_type)
            except PermanentError:
                yield _finding(
                    "error", self.lines.of("lanes"), "no-lane", f"no lane takes {event_type}",
                    "add it to one in [lanes]",
                )  # fmt: skip
        for lane in self.routing.lanes.values():
            for name in lane.types:
                star = name.endswith("*")
                if self.types and not any(
                    t.startswith(name[:-1]) if star else t == name for t in self.types
                ):
                    yield _finding(
                        "warning", lane.line, "unused-lane-entry",
                        f"lane {lane.name}: {name!r} fits no event type", self._nearest_type(name),
                    )  # fmt: skip

    def _types(self) -> Iterator[Finding]:
        for event_type in self.routing.on_unknown:
            if self.types and event_type not in self.types:
                yield _finding(
                    "error", self.lines.of("types", event_type), "unknown-type",
                    f"types: there is no event type {event_type}", self._nearest_type(event_type),
                )  # fmt: skip

    def _nearest_type(self, name: str) -> str:
        plain = name.rstrip("*")
        near = nearest(
            plain, [t[: len(plain)] for t in self.types] if plain != name else self.types
        )
        if near is None:
            return "mend the name, or remove it"
        return f"did you mean {near}{'*' if plain != name else ''}?"

    def _topics(self) -> Iterator[Finding]:
        used = {destination for rule in self.routing.rules for destination in rule.to}
        for topic in self.routing.topics:
            if f"topic:{topic}" not in used:
                yield _finding(
                    "error", self.lines.of("topics", topic), "unused-topic",
                    f"no rule sends to topic {topic}",
                    f'name "topic:{topic}" in a rule, or remove the topic',
                )  # fmt: skip

    def _stages(self, rule: Rule) -> Iterator[Finding]:
        try:
            text = (self.root / ".chalice" / "config.json").read_text(encoding="utf-8")
            known = list(json.loads(text)["stages"])
        except (OSError, ValueError, KeyError, TypeError):
            return
        for stage in rule.stages:
            if stage not in known:
                near = nearest(stage, known)
                yield _finding(
                    "warning", self.lines.of_rule(self.positions[rule.name], "stages"),
                    "unknown-stage",
                    f"rule {rule.name}: .chalice/config.json has no stage {stage}",
                    f"did you mean {near}?" if near else f"the stages are {', '.join(known)}",
                )  # fmt: skip

    # -- which types a rule can match --------------------------------------------------------------

    def _possible(self, rule: Rule) -> dict[str, list[Alternative]]:
        """The event types that a rule can match, each with the ways (of `$or`) in which it can."""
        found: dict[str, list[Alternative]] = {}
        for event_type in self.types:
            ways = [way for way in rule.pattern.alternatives if _fits(way, event_type)]
            if ways:
                found[event_type] = ways
        return found

    @cached_property
    def _routes(self) -> dict[str, dict[str, list[Alternative]]]:
        return {rule.name: self._possible(rule) for rule in self.routing.rules}

    def _unrouted(self) -> Iterator[Finding]:
        for event_type in self.types:
            rules = [r for r in self.routing.rules if event_type in self._routes[r.name]]
            if not rules:
                what, remedy = f"no rule sends {event_type} anywhere", "add a [[rule]] for it"
            elif not any(rule.to or rule.suppress for rule in rules):
                what = f"no rule sends {event_type} anywhere; {rules[0].name} only stops"
                remedy = "give one of its rules a destination"
            else:
                continue
            yield _finding(
                "warning", 0, "no-rule", what, f"{remedy}, or remove templates/{event_type}"
            )

    def _dead(self, rule: Rule) -> Iterator[Finding]:
        if self._routes[rule.name]:
            return
        asked = [
            entry.text
            for way in rule.pattern.alternatives
            for field in way
            if field.path == "type"
            for entry in field.entries
        ]
        wanted = [json.loads(text) for text in asked if text.startswith('"') and text.endswith('"')]
        near = nearest(wanted[0], self.types) if wanted else None
        yield _finding(
            "warning", self._line(rule, "type"), "dead-rule",
            f"rule {rule.name} matches no event type that there is",
            f"did you mean {near}?" if near else "mend its pattern, or remove it",
        )  # fmt: skip

    def _hidden(self, position: int, rule: Rule) -> Iterator[Finding]:
        """A rule that is never reached, because earlier rules stop all that it would match."""
        stops = [
            earlier
            for earlier in self.routing.rules[:position]
            if (earlier.stop or earlier.suppress)
            and (not earlier.stages or (rule.stages and {*rule.stages} <= {*earlier.stages}))
        ]
        guilty: dict[str, Rule] = {}
        for event_type, ways in self._routes[rule.name].items():
            for way in ways:
                catcher = next(
                    (
                        stop
                        for stop in stops
                        for caught in self._routes[stop.name].get(event_type, ())
                        if self._implies(way, caught)
                    ),
                    None,
                )
                if catcher is None:
                    return
                guilty[catcher.name] = catcher
        names = ", ".join(f"{stop.name} (line {stop.line})" for stop in guilty.values())
        yield _finding(
            "warning", rule.line, "hidden-rule",
            f"rule {rule.name} is never reached: all that it matches ends at {names}",
            f"move it before {next(iter(guilty))}, or narrow that one's pattern",
        )  # fmt: skip

    def _implies(self, narrow: Alternative, wide: Alternative) -> bool:
        """Whether what fulfils all of `narrow` fulfils `wide`, the type apart."""
        asked = {field.path: field for field in narrow}
        return all(
            field.path == "type"
            or (
                field.path in asked
                and all(
                    any(_within(entry, other, self._operands) for other in field.entries)
                    for entry in asked[field.path].entries
                )
            )
            for field in wide
        )

    @cached_property
    def _operands(self) -> dict[str, Any]:
        """What each condition looked like in the file, by its text."""
        found: dict[str, Any] = {}
        for rule in self.raw.get("rule", []):
            for path, entry in _entries(read_pattern(rule), ""):
                found[parse(path, entry).text] = entry
        return found

    # -- what a rule asks of the data --------------------------------------------------------------

    def _fields(self, rule: Rule) -> Iterator[Finding]:
        routes = self._routes[rule.name]
        asked: dict[str, tuple[Field, list[str]]] = {}
        for event_type, ways in routes.items():
            for way in ways:
                for field in way:
                    asked.setdefault(field.path, (field, []))[1].append(event_type)
        for field, types in asked.values():
            if field.path.partition(".")[0] != "data":
                yield from self._attribute(rule, field)
                continue
            if any(self._in_sample(t, field) for t in types):
                yield from self._wrong_kind(rule, field, types)
            elif not any(self._in_templates(t, field) for t in types):
                yield from self._unknown_field(rule, field, types)

    def _attribute(self, rule: Rule, field: Field) -> Iterator[Finding]:
        name = field.path.partition(".")[0]
        known = {*_ATTRIBUTES, *(n for t in self.types for n in self._attributes(t))}
        if field.path in known:
            return
        if "." in field.path and name in known:
            what = f"rule {rule.name} asks for {field.path}, and {name} is no object"
            remedy = f"write pattern.{name}, or pattern.data.… for what is in data"
        else:
            what = f"rule {rule.name} asks for {field.path}, an attribute that no sample has"
            near = _OTHER_NAMES.get(name) or nearest(name, known)
            if near is None and any(self._in_sample(t, _under_data(field)) for t in self.types):
                near = f"data.{field.path}"
            remedy = f"did you mean {near}?" if near else "what is in data is at pattern.data.…"
        yield _finding("warning", self._line(rule, field.path), "unknown-field", what, remedy)

    def _unknown_field(self, rule: Rule, field: Field, types: Sequence[str]) -> Iterator[Finding]:
        parents, _, last = field.path.rpartition(".")
        names = {n for t in types for n in self._names_below(t, parents)}
        near = nearest(last, names)
        if near is None:
            everywhere = {p for t in types for p in self._paths(t)}
            same = sorted(p for p in everywhere if p.rpartition(".")[2] == last)
            near = same[0] if same else nearest(field.path, everywhere)
        else:
            near = f"{parents}.{near}"
        always = " and so always holds" if all(entry.absent for entry in field.entries) else ""
        shown = ", ".join(sorted({*types})[:3]) + ("…" if len({*types}) > 3 else "")
        yield _finding(
            "warning", self._line(rule, field.path), "unknown-field",
            f"rule {rule.name} asks for {field.path}, which no template or sample of {shown}"
            f" has{always}",
            f"did you mean {near}?" if near else "mend the path, or add the field to a sample",
        )  # fmt: skip

    def _wrong_kind(self, rule: Rule, field: Field, types: Sequence[str]) -> Iterator[Finding]:
        """A number compared as a text, or the other way round: `"500"` is never 500."""
        values = [
            value
            for event_type in types
            for value, _ in leaves(self._sample_attributes(event_type), field.keys)
        ]
        texts = [value for value in values if isinstance(value, str)]
        numbers = [v for v in values if isinstance(v, (int, float)) and not isinstance(v, bool)]
        wanted = {_kind(self._operands.get(entry.text)) for entry in field.entries}
        if values and wanted == {"number"} and len(texts) == len(values):
            found, remedy = "a text", "send it as a number, or compare it with a text in quotes"
        elif values and wanted == {"text"} and len(numbers) == len(values):
            found, remedy = "a number", "leave out the quotes, or compare with numeric"
        else:
            return
        other = "a number" if found == "a text" else "a text"
        yield _finding(
            "warning", self._line(rule, field.path), "wrong-kind",
            f"rule {rule.name} wants {other} at {field.path}, and the samples have {found} there",
            remedy,
        )  # fmt: skip

    def _replaced(self) -> Iterator[Finding]:
        """A field outside and inside of `$or`: the one inside replaces the one outside."""
        for rule in self.routing.rules:
            raw = read_pattern(self.raw["rule"][self.positions[rule.name]])
            for path, outside, inside in _twice(raw):
                ranges = " and ".join(parse(path, entry).text for entry in outside)
                within = " or ".join(parse(path, entry).text for entry in inside)
                yield _finding(
                    "warning", self._line(rule, path), "replaced-condition",
                    f"rule {rule.name} asks {path} for {ranges}, which counts for nothing where"
                    f" $or asks it for {within}",
                    "a field counts once: write both bounds in one condition, such as"
                    ' numeric = [">", 0, "<=", 5]',
                )  # fmt: skip

    def _locales(self) -> Iterator[Finding]:
        for topic in self.routing.topics.values():
            types = [
                t
                for t in self.types
                if any(
                    f"topic:{topic.name}" in rule.to and t in self._routes[rule.name]
                    for rule in self.routing.rules
                )
            ]
            for locale in topic.locales:
                language = locale.split("-")[0]
                missing = [
                    t
                    for t in types
                    if not {locale.lower(), language}
                    & {there.replace("_", "-").lower() for there in self.templates.locales(t)}
                ]
                if missing:
                    shown = ", ".join(missing[:3])
                    more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
                    yield _finding(
                        "warning", self.lines.of("topics", topic.name, "locales"), "topic-locale",
                        f"topic {topic.name} is addressed in {locale}, in which {shown}{more}"
                        f" {'is' if len(missing) == 1 else 'are'} not written",
                        f"write templates/{missing[0]}/{locale}.j2, or leave {locale} out",
                    )  # fmt: skip

    # -- what events have --------------------------------------------------------------------------

    def _sample(self, event_type: str) -> Event | None:
        if event_type not in self.samples:
            self.samples[event_type] = None
            file = self.templates.root / event_type / "sample.json"
            try:
                raw = json.loads(file.read_text(encoding="utf-8"))
                self.samples[event_type] = events.parse(raw, default_id="s", default_source="s")
            except (OSError, ValueError, RecursionError, InvalidEvent):
                pass  # told by the checks on samples
        return self.samples[event_type]

    def _sample_attributes(self, event_type: str) -> Mapping[str, Any]:
        sample = self._sample(event_type)
        return sample.attributes() if sample else {}

    def _attributes(self, event_type: str) -> Iterable[str]:
        return self._sample_attributes(event_type)

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self.templates.environment, self._source)

    def _contract(self, event_type: str) -> Data:
        known = self.contracts.get(event_type)
        if known is None:
            read = {}
            for locale in self.templates.locales(event_type):
                try:
                    read[locale] = self._reader.needs(f"{event_type}/{locale}.j2").data
                except (jinja2.TemplateError, UnicodeDecodeError, RecursionError):
                    continue  # told by the checks on templates
            known = contract.merge(read)[0] if read else Data("")
            self.contracts[event_type] = known
        return known

    def _source(self, name: str) -> str:
        try:
            return (self.templates.root / name).read_text(encoding="utf-8")
        except OSError:
            raise jinja2.TemplateNotFound(name) from None

    def _in_sample(self, event_type: str, field: Field) -> bool:
        return any(True for _ in leaves(self._sample_attributes(event_type), field.keys))

    def _in_templates(self, event_type: str, field: Field) -> bool:
        """Whether the templates read the field, though the sample may leave it out."""
        nodes: list[Data] = [self._contract(event_type)]
        for key in field.keys[1:]:
            nodes = [child for node in nodes for child in _children(node) if child.name == key]
        return bool(nodes)

    def _names_below(self, event_type: str, parents: str) -> set[str]:
        return {
            p.rpartition(".")[2] for p in self._paths(event_type) if p.rpartition(".")[0] == parents
        }

    def _paths(self, event_type: str) -> set[str]:
        """Every dotted path that the sample has below `data`."""
        return {*_paths(self._sample_attributes(event_type).get("data"), "data")}


def _fits(way: Alternative, event_type: str) -> bool:
    return all(field.test(event_type) for field in way if field.path == "type") and not any(
        field.path.startswith("type.") for field in way
    )


def _within(entry: Condition, other: Condition, operands: Mapping[str, Any]) -> bool:
    """Whether every value that passes `entry` passes `other`."""
    if entry.text == other.text:
        return True
    narrow, wide = operands.get(entry.text), operands.get(other.text)
    if wide == {"exists": True} and not entry.absent:
        return True
    if not isinstance(narrow, Mapping):
        return entry.text in operands and other.test(narrow)
    if not isinstance(wide, Mapping):
        return False
    (operator, low), *_ = narrow.items()
    (against, high), *_ = wide.items()
    if operator == against == "prefix" and isinstance(low, str) and isinstance(high, str):
        return low.startswith(high)
    if operator == against == "suffix" and isinstance(low, str) and isinstance(high, str):
        return low.endswith(high)
    if operator == against == "numeric":
        return _range_within(_range(low), _range(high))
    return False


_Range = tuple[tuple[float, bool], tuple[float, bool]]


def _range(operand: Sequence[Any]) -> _Range:
    """The bounds of a `numeric`, each with whether it belongs to the range."""
    low, high = (float("-inf"), False), (float("inf"), False)
    for sign, bound in zip(operand[::2], operand[1::2], strict=True):
        if sign[0] in ">=":
            low = (bound, sign != ">")
        if sign[0] in "<=":
            high = (bound, sign != "<")
    return low, high


def _range_within(narrow: _Range, wide: _Range) -> bool:
    (low, low_in), (high, high_in) = narrow
    (floor, floor_in), (ceiling, ceiling_in) = wide
    above = low > floor or (low == floor and (floor_in or not low_in))
    below = high < ceiling or (high == ceiling and (ceiling_in or not high_in))
    return above and below


def _kind(entry: Any) -> str:
    """Whether an entry asks for a number, a text, or something else."""
    if isinstance(entry, bool):
        return "other"
    if isinstance(entry, (int, float)):
        return "number"
    if isinstance(entry, str):
        return "text"
    if isinstance(entry, Mapping):
        operator = next(iter(entry))
        if operator == "numeric":
            return "number"
        if operator in ("prefix", "suffix", "wildcard", "equals-ignore-case", "cidr", "exactly"):
            return "text"
    return "other"


def _entries(pattern: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every entry of every list in a pattern as it is written, `$or` included."""
    if isinstance(pattern, Mapping):
        for name, value in pattern.items():
            if name == "$or":
                for branch in value:
                    yield from _entries(branch, path)
            else:
                yield from _entries(value, f"{path}.{name}" if path else name)
    elif isinstance(pattern, list):
        for entry in pattern:
            yield path, entry


def _lists(pattern: Any, path: str = "") -> Iterator[tuple[str, list[Any], bool]]:
    """Every list of a pattern with its path, and whether it stands in `$or`."""
    for name, value in pattern.items():
        below = f"{path}.{name}" if path else name
        if name == "$or":
            for branch in value:
                yield from ((p, entries, True) for p, entries, _ in _lists(branch, path))
        elif isinstance(value, Mapping):
            yield from _lists(value, below)
        elif isinstance(value, list):
            yield below, value, False


def _twice(pattern: Mapping[str, Any]) -> Iterator[tuple[str, list[Any], list[Any]]]:
    every = list(_lists(pattern))
    outside = {path: entries for path, entries, in_or in every if not in_or}
    for path, entries, in_or in every:
        if in_or and path in outside:
            yield path, outside[path], entries


def _children(node: Data) -> Iterator[Data]:
    """What a field has inside, through the elements of arrays as EventBridge sees them."""
    yield from node.children.values()
    if node.item is not None:
        yield from _children(node.item)


def _paths(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield f"{path}.{name}"
            yield from _paths(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for item in value:
            yield from _paths(item, path)


def _under_data(field: Field) -> Field:
    return dataclasses.replace(field, path=f"data.{field.path}", keys=("data", *field.keys))
