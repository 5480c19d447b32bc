"""What rules ask of an event: whether events have it, and whether it is of that kind."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Final

from chalicelib.events.event import Event
from chalicelib.rules.patterns.fields import Field, leaves
from chalicelib.rules.routing import Rule
from chalicelib.spelling import nearest
from cli.lint.finding import Told, check
from cli.lint.rulebook import Rulebook
from cli.lint.tree import Tree
from cli.paths import ROUTING

_ATTRIBUTES: Final = tuple(
    field.name for field in dataclasses.fields(Event) if field.name != "extensions"
)
# What EventBridge's own events call what a CloudEvent calls otherwise.
_OTHER_NAMES: Final = {"detail": "data", "detail-type": "type", "time": "time"}


def _asked(book: Rulebook) -> Iterator[tuple[Rule, Field, list[str]]]:
    """Every field that a rule asks for, once, with the types that it asks it of."""
    for rule in book.living:
        asked: dict[str, tuple[Field, list[str]]] = {}
        for event_type, ways in book.routes[rule.name].items():
            for way in ways:
                for field in way:
                    asked.setdefault(field.path, (field, []))[1].append(event_type)
        for field, types in asked.values():
            yield rule, field, types


def _is_data(field: Field) -> bool:
    return field.path.partition(".")[0] == "data"


@check("unknown-field", "warning")
def unknown_field(tree: Tree) -> Iterator[Told]:
    """A rule asks for a field that no template or sample of its types has: mend the path, or add the
    field to a sample.
    """
    book = tree.rulebook
    for rule, field, types in _asked(book):
        if not _is_data(field):
            yield from _unknown_attribute(book, rule, field)
        elif not any(book.in_sample(t, field) or book.in_templates(t, field) for t in types):
            near = _nearest_path(book, field, types)
            always = " and so always holds" if all(e.absent for e in field.entries) else ""
            shown = ", ".join(sorted({*types})[:3]) + ("…" if len({*types}) > 3 else "")
            what = f"rule {rule.name} asks for {field.path}, which no template or sample of {shown}"
            remedy = "mend the path, or add the field to a sample"
            yield Told(
                ROUTING,
                book.line(rule, field.path),
                f"{what} has{always}",
                f"did you mean {near}?" if near else remedy,
            )


def _nearest_path(book: Rulebook, field: Field, types: list[str]) -> str | None:
    parents, _, last = field.path.rpartition(".")
    everywhere = {path for event_type in types for path in book.paths(event_type)}
    beside = {p.rpartition(".")[2] for p in everywhere if p.rpartition(".")[0] == parents}
    near = nearest(last, beside)
    if near is not None:
        return f"{parents}.{near}"
    same = sorted(path for path in everywhere if path.rpartition(".")[2] == last)
    return same[0] if same else nearest(field.path, everywhere)


def _unknown_attribute(book: Rulebook, rule: Rule, field: Field) -> Iterator[Told]:
    name = field.path.partition(".")[0]
    known = {*_ATTRIBUTES, *(n for t in book.types for n in book.attributes(t))}
    if field.path in known:
        return
    if "." in field.path and name in known:
        what = f"rule {rule.name} asks for {field.path}, and {name} is no object"
        remedy = f"write pattern.{name}, or pattern.data.… for what is in data"
    else:
        what = f"rule {rule.name} asks for {field.path}, an attribute that no sample has"
        near = _OTHER_NAMES.get(name) or nearest(name, known)
        below = dataclasses.replace(field, path=f"data.{field.path}", keys=("data", *field.keys))
        if near is None and any(book.in_sample(t, below) for t in book.types):
            near = below.path
        remedy = f"did you mean {near}?" if near else "what is in data is at pattern.data.…"
    yield Told(ROUTING, book.line(rule, field.path), what, remedy)


@check("wrong-kind", "warning")
def wrong_kind(tree: Tree) -> Iterator[Told]:
    """A rule compares a number with a text, or a text with a number, which never match: write the
    value as events have it.
    """
    book = tree.rulebook
    for rule, field, types in _asked(book):
        values = [
            value
            for event_type in types
            for value, _ in leaves(book.attributes(event_type), field.keys)
        ]
        if not values or not _is_data(field):
            continue
        texts = all(isinstance(value, str) for value in values)
        numbers = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)
        wanted = {_kind(book.operands.get(entry.text)) for entry in field.entries}
        if wanted == {"a number"} and texts:
            found, remedy = "a text", "send it as a number, or compare it with a text in quotes"
        elif wanted == {"a text"} and numbers:
            found, remedy = "a number", "leave out the quotes, or compare with numeric"
        else:
            continue
        (other,) = wanted
        what = f"rule {rule.name} wants {other} at {field.path}, and the samples have {found} there"
        yield Told(ROUTING, book.line(rule, field.path), what, remedy)


def _kind(entry: Any) -> str:
    """Whether an entry asks for a number, a text, or something else."""
    if isinstance(entry, bool):
        return "other"
    if isinstance(entry, (int, float)):
        return "a number"
    if isinstance(entry, str):
        return "a text"
    if isinstance(entry, Mapping):
        operator = next(iter(entry))
        if operator == "numeric":
            return "a number"
        if operator in ("prefix", "suffix", "wildcard", "equals-ignore-case", "cidr", "exactly"):
            return "a text"
    return "other"
