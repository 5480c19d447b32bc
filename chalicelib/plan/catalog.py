"""What event types there are, and what each one's data must hold: read from the templates."""

from __future__ import annotations

import functools
import json
from typing import Any

from chalicelib.rules.reading import routing
from chalicelib.words import contract
from chalicelib.words.contract import Field
from chalicelib.words.render import templates


@functools.cache
def contract_of(event_type: str) -> Field:
    """The data that an event type needs, in whatever locale it may be rendered."""
    known = templates()
    reader = _reader()
    fields = {
        words: reader.needs(f"{event_type}/{words}.j2").data for words in known.words(event_type)
    }
    return contract.merge(fields)[0]


@functools.cache
def _reader() -> contract.Reader:
    known = templates()

    def source_of(name: str) -> str:
        return (known.root / name).read_text(encoding="utf-8")

    return contract.Reader(known.environment, source_of)


@functools.cache
def event_type(name: str) -> dict[str, Any]:
    """An event type as `GET /event-types` lists it."""
    known = templates()
    needs = contract_of(name)
    return {
        "type": name,
        "lane": routing().lane(name),
        "locales": list(known.locales(name)),
        "required": required(needs),
        "data": contract.to_json_schema(needs),
        "sample": sample(name),
    }


def sample(name: str) -> dict[str, Any] | None:
    """The sample of a type as any key may post it: without a source, which is then the key's own."""
    file = templates().root / name / "sample.json"
    if not file.exists():
        return None
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return {name: value for name, value in found.items() if name != "source"}


def required(needs: Field, path: str = "") -> list[str]:
    """The dotted names of what must be there, such as `order.items[].name`."""
    found: list[str] = []
    for name, child in needs.children.items():
        if not child.required:
            continue
        below = f"{path}.{name}" if path else name
        inside = required(child, below)
        if child.item is not None:
            inside += required(child.item, f"{below}[]")
        found += inside or [below]
    return found
