"""Rules that load, and never do what was meant: dead, hidden, for no stage, for no type."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chalicelib.rules.digests import value_at
from chalicelib.rules.patterns import Alternative
from chalicelib.rules.patterns.conditions import Condition, parse
from chalicelib.rules.routing import Rule
from chalicelib.spelling import nearest
from cli.lint.finding import Told, check
from cli.lint.rulebook import Rulebook
from cli.lint.tree import Tree
from cli.paths import ROUTING
from cli.stages import FILE, declared
from cli.words.samples import knows_digests


@check("no-rule", "warning")
def no_rule(tree: Tree) -> Iterator[Told]:
    """No rule sends an event type anywhere: add a rule with a destination for it, or remove its
    folder.
    """
    book = tree.rulebook
    for event_type in book.types:
        rules = [rule for rule in book.rules if event_type in book.routes[rule.name]]
        if not rules:
            what, remedy = f"no rule sends {event_type} anywhere", "add a [[rule]] for it"
        elif not any(rule.to or rule.suppress for rule in rules):
            what = f"no rule sends {event_type} anywhere; {rules[0].name} only stops"
            remedy = "give one of its rules a destination"
        else:
            continue
        yield Told(ROUTING, 0, what, f"{remedy}, or remove templates/{event_type}")


@check("dead-rule", "warning")
def dead_rule(tree: Tree) -> Iterator[Told]:
    """A rule matches no event type that there is: mend its pattern, or remove it."""
    book = tree.rulebook
    for rule in book.rules if book.types else ():
        if book.routes[rule.name]:
            continue
        asked = [
            entry.text
            for way in rule.pattern.alternatives
            for field in way
            if field.path == "type"
            for entry in field.entries
        ]
        wanted = [json.loads(text) for text in asked if text.startswith('"') and text.endswith('"')]
        near = nearest(wanted[0], book.types) if wanted else None
        what = f"rule {rule.name} matches no event type that there is"
        remedy = f"did you mean {near}?" if near else "mend its pattern, or remove it"
        yield Told(ROUTING, book.line(rule, "type"), what, remedy)


@check("unlisted-digest", "warning")
def unlisted_digest(tree: Tree) -> Iterator[Told]:
    """A rule gathers events of a type whose words say nothing of digests, so that of several only the last
    is told: write `{% if digest %}{% for one in digest %}`, or take the digest out.
    """
    for rule in tree.rulebook.living:
        if rule.digest is None:
            continue
        silent = [t for t in tree.rulebook.routes[rule.name] if not knows_digests(tree.root, t)]
        if silent:
            what = f"rule {rule.name} gathers {', '.join(silent)}, whose words name no digest"
            remedy = "write {% if digest %}{% for one in digest %} there, or take the digest out"
            yield Told(ROUTING, tree.rulebook.lines.of_rule(rule.position, "digest"), what, remedy)


@check("digest-key", "warning")
def digest_key(tree: Tree) -> Iterator[Told]:
    """A rule gathers by a path that no sample of its types has, so that all lands in one digest: mend it."""
    book = tree.rulebook
    for rule in book.living:
        for name in ("key", "same") if rule.digest is not None else ():
            path = getattr(rule.digest, name)
            samples = [book.attributes(event_type) for event_type in book.routes[rule.name]]
            if not path or any(value_at(sample, path) is not None for sample in samples):
                continue
            near = nearest(path, {p for t in book.routes[rule.name] for p in book.paths(t)})
            what = f"rule {rule.name} gathers by {path}, which no sample of its types has"
            remedy = f"did you mean {near}?" if near else "mend it, or add it to sample.json"
            line = book.lines.of_rule(rule.position, f"digest.{name}")
            yield Told(ROUTING, line, what, remedy)


@check("unknown-stage", "error")
def unknown_stage(tree: Tree) -> Iterator[Told]:
    """A rule is for a stage that `stages.toml` does not declare, or a webhook has a URL there: mend its name, or
    declare it.
    """
    book, known = tree.rulebook, declared(tree.root)
    for webhook in book.routing.webhooks.values() if known else ():
        for stage in webhook.urls:
            if stage not in known:
                near = nearest(stage, tuple(known))
                line = book.lines.of("webhooks", webhook.name, stage)
                what = f"webhook {webhook.name}: there is no stage {stage} in {FILE}"
                remedy = f"did you mean {near}?" if near else f"the stages are {', '.join(known)}"
                yield Told(ROUTING, line, what, remedy)
    for rule in book.rules if known else ():
        for stage in rule.stages:
            if stage not in known:
                near = nearest(stage, tuple(known))
                line = book.lines.of_rule(rule.position, "stages")
                what = f"rule {rule.name}: there is no stage {stage} in {FILE}"
                remedy = f"did you mean {near}?" if near else f"the stages are {', '.join(known)}"
                yield Told(ROUTING, line, what, remedy)


@check("hidden-rule", "warning")
def hidden_rule(tree: Tree) -> Iterator[Told]:
    """A rule is never reached, because earlier rules stop all that it would match: move it before
    them, or narrow their patterns.
    """
    book = tree.rulebook
    for rule in book.living:
        stops = [
            earlier
            for earlier in book.rules
            if earlier.position < rule.position
            and (earlier.stop or earlier.suppress)
            and (not earlier.stages or (rule.stages and {*rule.stages} <= {*earlier.stages}))
        ]
        guilty = _guilty(book, rule, stops)
        if guilty:
            names = ", ".join(f"{stop.name} (line {stop.line})" for stop in guilty.values())
            what = f"rule {rule.name} is never reached: all that it matches ends at {names}"
            remedy = f"move it before {next(iter(guilty))}, or narrow that one's pattern"
            yield Told(ROUTING, rule.line, what, remedy)


def _guilty(book: Rulebook, rule: Rule, stops: Sequence[Rule]) -> dict[str, Rule]:
    """The rules that end everything that `rule` matches; none if something reaches it."""
    guilty: dict[str, Rule] = {}
    for event_type, ways in book.routes[rule.name].items():
        for way in ways:
            catcher = next(
                (
                    stop
                    for stop in stops
                    for caught in book.routes[stop.name].get(event_type, ())
                    if _implies(way, caught, book.operands)
                ),
                None,
            )
            if catcher is None:
                return {}
            guilty[catcher.name] = catcher
    return guilty


def _implies(narrow: Alternative, wide: Alternative, operands: Mapping[str, Any]) -> bool:
    """Whether what fulfils all of `narrow` fulfils `wide`, the type apart."""
    asked = {field.path: field for field in narrow}
    return all(
        field.path == "type"
        or (
            field.path in asked
            and all(
                any(_within(entry, other, operands) for other in field.entries)
                for entry in asked[field.path].entries
            )
        )
        for field in wide
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


@check("replaced-condition", "warning")
def replaced_condition(tree: Tree) -> Iterator[Told]:
    """A rule asks for a field outside and inside of `$or`, and the one inside replaces the one
    outside: write both bounds in one condition.
    """
    book = tree.rulebook
    for rule in book.rules if book.types else ():
        for path, outside, inside in _twice(book.pattern(rule)):
            ranges = " and ".join(parse(path, entry).text for entry in outside)
            within = " or ".join(parse(path, entry).text for entry in inside)
            yield Told(
                ROUTING,
                book.line(rule, path),
                f"rule {rule.name} asks {path} for {ranges}, which counts for nothing where"
                f" $or asks it for {within}",
                "a field counts once: write both bounds in one condition, such as"
                ' numeric = [">", 0, "<=", 5]',
            )


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
