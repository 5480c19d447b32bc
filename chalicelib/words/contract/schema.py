"""The contract as JSON Schema: for forms and generated clients, describing what the door decides.

A schema accepts all that renders. It demands what rendering is sure to ask for; what is asked in some
branch only, it describes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from chalicelib.events import bounds
from chalicelib.words import dates, filters
from chalicelib.words.asks import Demand
from chalicelib.words.contract.needs import Field

_DAY: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK: Final = r"[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?([Zz]|[+-][0-9]{2}:?[0-9]{2})?"
_ITERABLE: Final = ("array", "string", "object")
# Seconds, or milliseconds.
_SINCE_1970: Final = {
    "minimum": dates.FIRST_SECOND,
    "exclusiveMaximum": dates.LAST_SECOND * 1000,
}
# What each demand lets through. A list may come as an empty text, an object is looped over by its keys.
_SCHEMAS: Final[Mapping[Demand, Mapping[str, Any]]] = {
    "text": {"type": ("string", "number"), "maxLength": bounds.STRING_CHARACTERS},
    "texts": {"type": _ITERABLE},
    "list": {"type": _ITERABLE},
    "sized": {"type": _ITERABLE},
    "object": {"type": ("object",)},
    "number": {"type": ("number", "boolean")},
    "amount": {
        "type": ("number", "string"),
        "pattern": f"^{filters.AMOUNT}$",
        "exclusiveMinimum": -filters.AMOUNT_BELOW,
        "exclusiveMaximum": filters.AMOUNT_BELOW,
    },
    "currency": {"type": ("string",), "pattern": f"^{filters.CURRENCY}$"},
    "date": {"type": ("string", "number"), "pattern": f"^{_DAY}({_CLOCK})?$", **_SINCE_1970},
    "datetime": {"type": ("string", "number"), "pattern": f"^{_DAY}{_CLOCK}$", **_SINCE_1970},
    "link": {
        "type": ("string",),
        "pattern": f"^{filters.LINK}$",
        "maxLength": filters.LINK_CHARACTERS,
    },
}
_WORDS: Final[Mapping[Demand, str]] = {
    "currency": "a currency by its ISO 4217 code, such as EUR",
    "date": "a date such as 2026-12-03 or 2026-12-03T18:30:00+01:00",
    "datetime": "a date with a time, such as 2026-12-03T18:30:00+01:00",
    "amount": 'an amount: a number or its text, "19.90"',
    "link": "a URL that starts with https:// or http://",
}
_KINDS: Final[Mapping[str, str]] = {
    "object": "an object",
    "array": "a list",
    "number": "a number",
    "string": "a text",
}
# Null, false, 0 and what is empty: what `{% if field %}` asks about. Not an enum, which generators of
# clients cannot read where it has lists and objects in it.
_NOTHING: Final[Mapping[str, Any]] = {
    "type": ["null", "boolean", "number", "string", "array", "object"],
    "not": {"const": True},
    "minimum": 0,
    "maximum": 0,
    "maxLength": 0,
    "items": {},
    "maxItems": 0,
    "maxProperties": 0,
    "description": "or nothing: null, false, empty",
}


def to_json_schema(contract: Field) -> dict[str, Any]:
    """The contract as JSON Schema 2020-12; it accepts all data that the door accepts."""
    draft = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": draft, **_schema_of(contract), "type": "object"}


def _schema_of(contract: Field) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    parts = [_SCHEMAS[demand] for demand in sorted(contract.sure) if demand in _SCHEMAS]
    types = [t for t in parts[0]["type"] if all(t in p["type"] for p in parts)] if parts else []
    if types:
        schema["type"] = types[0] if len(types) == 1 else types
        for part in parts:
            _narrow(schema, part)
    described = [_WORDS[demand] for demand in sorted(contract.sure) if demand in _WORDS]
    if described:
        schema["description"] = "; ".join(described)
    elif not schema and contract.kind in _KINDS and contract.name:
        schema["description"] = f"{_KINDS[contract.kind]}, where it is used"
    if contract.children:
        schema["properties"] = {n: _schema_of(child) for n, child in contract.children.items()}
        required = [name for name, child in contract.children.items() if child.required]
        if required:
            schema["required"] = required
    if contract.item is not None or "array" in types:
        schema["items"] = _schema_of(contract.item) if contract.item is not None else {}
        if {"string", "object"} <= set(types) and not _takes_text(schema["items"]):
            schema.update(maxLength=0, maxProperties=0)  # letters and keys are texts
    if contract.nullable and not schema.keys().isdisjoint(("type", "required")):
        return {"anyOf": [schema, dict(_NOTHING)]}
    return schema


def _narrow(schema: dict[str, Any], part: Mapping[str, Any]) -> None:
    """Add what one more demand asks; two patterns are both to be met."""
    for key, value in part.items():
        if key == "pattern" and key in schema:
            schema.setdefault("allOf", []).append({key: value})
        elif key == "maxLength":
            schema[key] = min(value, schema.get(key, value))
        elif key != "type":
            schema[key] = value


def _takes_text(schema: Mapping[str, Any]) -> bool:
    if "anyOf" in schema:  # nothing is: "" is no item of a text
        return _takes_text(schema["anyOf"][0])
    return "string" in schema.get("type", "string")
