"""What is kept of an event's content: enough to tell another event, too little to read it from.

A fingerprint is one line: a hash of all that the event says, and four hex digits per field, by which a
changed one is named. What says the same in another spelling (120 and 120.0, Z and .000Z, a number in
JSON and in a header) has the same fingerprint.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from chalicelib.events.event import Event
from chalicelib.regex import regex

# How an event travels is no content: a retry has another trace, and binary mode names the type of its
# data.
_NO_CONTENT: Final = frozenset(("id", "traceparent", "tracestate", "datacontenttype"))
_LEAVES: Final = 100
# One for all: `json.dumps` with options makes a new encoder for every field.
_CANONICAL: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
# A hundred records are claimed in one transaction, which DynamoDB bounds at 4 MiB.
_CHARACTERS: Final = 8_000
# The fraction of an RFC 3339 timestamp up to its last digit that counts, and its offset.
_MOMENT: Final = regex(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)\Z", re.ASCII
)
_SHORTEST_MOMENT: Final = len("2026-11-22T10:00:00Z")
# Up to here every integer is a double of its own.
_EXACT: Final = 2.0**53


def of(event: Event, addresses: Mapping[str, str] = MappingProxyType({})) -> str:
    """The fingerprint of an event: `<content> <field>=<hash> …`.

    `addresses` are what stands for the event's email and phone: keyed hashes, for from any other an
    address could be guessed.
    """
    attributes = {n: v for n, v in event.attributes().items() if n not in _NO_CONTENT}
    attributes.update(addresses)
    data = {name: _normal(value) for name, value in attributes.pop("data").items()}
    said = {name: _attribute(value) for name, value in attributes.items()}
    whole = _CANONICAL.encode({**said, "data": data}).encode()
    leaves = dict(_leaves(data, "data"))
    if len(leaves) > _LEAVES:
        leaves = {f"data.{name}": value for name, value in list(data.items())[:_LEAVES]}
    fields = " ".join(
        f"{name.replace(' ', '_')}={_short_hash(value)}"
        for name, value in sorted({**said, **leaves}.items())
    )
    content = hashlib.blake2b(whole, digest_size=16).hexdigest()
    return f"{content} {fields}"[:_CHARACTERS]


def content(fingerprint: str) -> str:
    """The part that two events share which say the same."""
    return fingerprint.partition(" ")[0]


def differ(old: str, new: str) -> bool:
    """Whether these are two events. What was kept in another form, or not, cannot be told apart."""
    before, after = content(old), content(new)
    return len(before) == len(after) and before != after


def differing(old: str, new: str) -> list[str]:
    """The names of the fields in which two events differ."""
    before, after = (
        dict(pair.rsplit("=", 1) for pair in fields.split(" ")[1:] if "=" in pair)
        for fields in (old, new)
    )
    names = sorted(before.keys() | after.keys())
    return [name for name in names if before.get(name) != after.get(name)]


def _attribute(value: Any) -> str:
    """An attribute as a header has it: there, an integer or a boolean is a text too."""
    return _text(value) if isinstance(value, str) else _CANONICAL.encode(value)


def _normal(value: Any) -> Any:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < _EXACT else value
    if isinstance(value, dict):
        return {name: _normal(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_normal(item) for item in value]
    return value


def _text(text: str) -> str:
    """A moment without what its spelling adds; any other text as it is."""
    if len(text) < _SHORTEST_MOMENT or text[4] != "-" or text[10] not in "Tt":
        return text
    match = _MOMENT.match(text)
    if match is None:
        return text
    day, clock, fraction, offset = match.groups()
    fraction = (fraction or "").rstrip("0")
    if offset in ("z", "+00:00", "-00:00"):
        offset = "Z"
    return f"{day}T{clock}{'.' if fraction else ''}{fraction}{offset}"


def _leaves(value: Any, path: str) -> Iterable[tuple[str, Any]]:
    if isinstance(value, Mapping) and value and path.count(".") < 4:
        for name, item in value.items():
            yield from _leaves(item, f"{path}.{name}")
    else:
        yield path, value


def _short_hash(value: Any) -> str:
    return hashlib.blake2b(_CANONICAL.encode(value).encode(), digest_size=2).hexdigest()
