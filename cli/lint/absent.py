"""What templates name and their type's sample does not have: most often a slip of the pen."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chalicelib.events.event import Event
from chalicelib.spelling import nearest
from chalicelib.words.contract import Field
from chalicelib.words.render import GIVEN

if TYPE_CHECKING:
    from cli.lint.tree import Tree


@dataclass(frozen=True, slots=True)
class Absent:
    """A field of `data`, or an attribute of the event, that a template uses and the sample lacks.

    `near` is what was most likely meant. What is not `required` has a near one always.
    """

    path: str
    template: str
    file: str
    line: int
    near: str | None
    required: bool = True
    attribute: bool = False


def absent_from_sample(tree: Tree, event_type: str) -> Iterator[Absent]:
    """Everything that is absent, locale by locale; nothing where there is no sample."""
    sample = tree.samples[event_type].event
    if sample is None:
        return
    for locale, needs in tree.needs[event_type].items():
        name = f"{event_type}/{locale}.j2"
        yield from _fields(needs.data, sample.data, "", name)
        attributes = sample.attributes()
        for attribute in needs.attributes:
            if attribute not in attributes and attribute not in GIVEN:
                near = nearest(attribute, [f.name for f in dataclasses.fields(Event)])
                near = None if near == attribute else near
                yield Absent(attribute, name, name, 0, near, attribute=True)


def _fields(needs: Field, data: Any, path: str, name: str) -> Iterator[Absent]:
    if isinstance(data, list) and needs.item is not None:
        for element in data[:1]:
            yield from _fields(needs.item, element, f"{path}[]", name)
    if not isinstance(data, Mapping):
        return
    for child in needs.children.values():
        below = f"{path}.{child.name}" if path else child.name
        if child.name in data:
            yield from _fields(child, data[child.name], below, name)
            continue
        unused = [key for key in data if key not in needs.children]
        near = nearest(child.name, unused) or (
            nearest(child.name, data) if child.required else None
        )
        if child.required or near is not None:
            file, line = child.where or (name, 0)
            full = f"{path}.{near}" if path and near else near
            yield Absent(below, name, file, line, full, child.required)
