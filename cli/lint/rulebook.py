"""The routing of a tree beside its templates and samples: which rule can match which type, and how."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from chalicelib.rules.lines import Lines
from chalicelib.rules.patterns import Alternative
from chalicelib.rules.patterns.conditions import parse
from chalicelib.rules.patterns.fields import Field, leaves
from chalicelib.rules.reading import Problem, RoutingError, load, read_pattern, text_of
from chalicelib.rules.routing import Routing, Rule
from chalicelib.words.contract import Field as Data
from cli.paths import ROUTING

if TYPE_CHECKING:
    from cli.lint.tree import Tree


class Rulebook:
    """What `routing.toml` says; where it cannot be read, `problems` say why and the rest is empty."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self.problems: tuple[Problem, ...] = ()
        self.routing = Routing({}, {}, ())
        self.types: tuple[str, ...] = ()
        text = ""
        try:
            text = text_of(tree.root / ROUTING)
            self.routing = load(text, None)
            self.types = tree.types
        except RoutingError as error:
            self.problems = error.problems
        self.lines = Lines(text)
        self.raw: Mapping[str, Any] = {} if self.problems else tomllib.loads(text)

    @property
    def rules(self) -> tuple[Rule, ...]:
        return self.routing.rules

    def line(self, rule: Rule, path: str = "") -> int:
        """Where a rule asks for `path`, or where the rule begins."""
        return self.lines.of_rule(rule.position, f"pattern.{path}" if path else "")

    # -- which types a rule can match --------------------------------------------------------------

    @cached_property
    def routes(self) -> dict[str, dict[str, list[Alternative]]]:
        """The event types that each rule can match, each with the ways (of `$or`) in which it can."""
        return {rule.name: dict(self._possible(rule)) for rule in self.rules}

    def _possible(self, rule: Rule) -> Iterator[tuple[str, list[Alternative]]]:
        for event_type in self.types:
            ways = [way for way in rule.pattern.alternatives if _fits(way, event_type)]
            if ways:
                yield event_type, ways

    @property
    def living(self) -> Iterator[Rule]:
        """The rules that can match a type that there is."""
        return (rule for rule in self.rules if self.routes[rule.name])

    def pattern(self, rule: Rule) -> Any:
        """The pattern of a rule as it is written."""
        return read_pattern(self.raw["rule"][rule.position])

    @cached_property
    def operands(self) -> dict[str, Any]:
        """What each condition looked like in the file, by its text."""
        found: dict[str, Any] = {}
        for rule in self.rules:
            for path, entry in _entries(self.pattern(rule), ""):
                found[parse(path, entry).text] = entry
        return found

    # -- what events have --------------------------------------------------------------------------

    def attributes(self, event_type: str) -> Mapping[str, Any]:
        """The attributes of a type's sample; none where there is no good sample."""
        sample = self._tree.samples[event_type].event
        return sample.attributes() if sample else {}

    def in_sample(self, event_type: str, field: Field) -> bool:
        return any(True for _ in leaves(self.attributes(event_type), field.keys))

    def in_templates(self, event_type: str, field: Field) -> bool:
        """Whether the templates read the field, though the sample may leave it out."""
        nodes: list[Data] = [self._tree.contracts[event_type][0]]
        for key in field.keys[1:]:
            nodes = [child for node in nodes for child in _children(node) if child.name == key]
        return bool(nodes)

    def paths(self, event_type: str) -> set[str]:
        """Every dotted path that the sample has below `data`."""
        return {*_paths(self.attributes(event_type).get("data"), "data")}


def _fits(way: Alternative, event_type: str) -> bool:
    return all(field.test(event_type) for field in way if field.path == "type") and not any(
        field.path.startswith("type.") for field in way
    )


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
