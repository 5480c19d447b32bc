"""What is kept of an event's content: enough to name a field that changed, too little to guess one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from chalicelib.events.event import Event

_LEAVES: Final = 100
# One for all: `json.dumps` with options makes a new encoder for every field.
_CANONICAL: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
# A hundred records are claimed in one transaction, which DynamoDB bounds at 4 MiB.
_FIELDS_CHARACTERS: Final = 8_000


def of(found: Event, test: bool) -> str:
    """Four hex digits per field: enough to name a changed one, too few to guess a value from."""
    attributes = found.attributes()
    del attributes["id"]
    if test:
        attributes["test_key"] = True
    data = attributes.pop("data")
    leaves = dict(_leaves(data, "data"))
    if len(leaves) > _LEAVES:
        leaves = {f"data.{name}": value for name, value in list(data.items())[:_LEAVES]}
    text = " ".join(
        f"{name.replace(' ', '_')}={_short_hash(value)}"
        for name, value in sorted({**attributes, **leaves}.items())
    )
    return text[:_FIELDS_CHARACTERS]


def _leaves(value: Any, path: str) -> Iterable[tuple[str, Any]]:
    if isinstance(value, Mapping) and value and path.count(".") < 4:
        for name, item in value.items():
            yield from _leaves(item, f"{path}.{name}")
    else:
        yield path, value


def _short_hash(value: Any) -> str:
    return hashlib.blake2b(_CANONICAL.encode(value).encode(), digest_size=2).hexdigest()


def differing(old: str, new: str) -> list[str]:
    """The names of the fields in which two events differ, from what is kept of each."""
    before, after = (
        dict(pair.rsplit("=", 1) for pair in fields.split(" ")[1:] if "=" in pair)
        for fields in (old, new)
    )
    names_of = sorted(before.keys() | after.keys())
    return [name for name in names_of if before.get(name) != after.get(name)]
