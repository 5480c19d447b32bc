"""The contract of an event type: which data its templates need, read from the templates themselves.

`fields_of` walks the syntax tree of a template as rendering would, through layouts, includes,
imports and macro calls, and notes every field that it meets together with the conditions under which
it meets it. From those notes follows what is required:

- what is used whatever the data, is required;
- what is only used where a condition holds (``if order.express``), or where it is known to be there
  (``is defined``, ``default``), is optional;
- what is used in every branch of a condition is required again.

"Required" is relative to the parent: in ``{% if gift is defined %}{{ gift.from }}{% endif %}``,
``gift`` is optional, and ``gift.from`` required wherever there is a gift. A field that is used in the
body of a loop counts as used, though the list may be empty: an empty order is the exception.

Being undefined is an error in ``{% if note %}``, so a plain ``if`` makes nothing optional. It does
make null, false and empty acceptable for what is only used inside it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import jinja2

from chalicelib.events import bounds
from chalicelib.words import filters
from chalicelib.words.contract.needs import Demand, Field, Format, Kind, Needs, formats_of, kind_of
from chalicelib.words.contract.walk import Reader

__all__ = [
    "Field",
    "Needs",
    "Reader",
    "attributes_of",
    "fields_of",
    "merge",
    "missing",
    "to_json_schema",
]

_NUMERIC_TEXT: Final = r"-?[0-9]{1,15}(\.[0-9]{1,15})?"
# Amounts are printed as they are; other numbers may be summed up, so that thousands of them must
# still come to something that can be printed.
_AMOUNT_BELOW: Final = 10**15
_NUMBER_BELOW: Final = 10**11


def fields_of(environment: jinja2.Environment, source_of: Callable[[str], str], name: str) -> Field:
    """The fields of `data` that the template file `name` uses, as a tree under a nameless root.

    Raises
    ------
    jinja2.TemplateSyntaxError, jinja2.TemplateNotFound : for it or a file that it draws in.
    """
    return Reader(environment, source_of).needs(name).data


def attributes_of(
    environment: jinja2.Environment, source_of: Callable[[str], str], name: str
) -> tuple[str, ...]:
    """The event attributes that the template file `name` cannot do without, sorted."""
    return Reader(environment, source_of).needs(name).attributes


# -- several locales -------------------------------------------------------------------------------


def merge(fields: Mapping[str, Field]) -> tuple[Field, list[str]]:
    """The contract of all locales of an event type, and where the locales disagree.

    A field that one locale requires is required, since an event may have to be told in any of them.
    """
    disagreements: list[str] = []
    merged = _merge(dict(fields), "", disagreements)
    merged.required = True
    return merged, disagreements


def _merge(fields: Mapping[str, Field], path: str, disagreements: list[str]) -> Field:
    given = list(fields.values())
    kinds: dict[Kind, list[str]] = {}
    for locale, one in fields.items():
        if one.kind != "any":
            kinds.setdefault(one.kind, []).append(locale)
    demands: set[Demand] = set(kinds)
    if "number" in kinds and all(f.numeric_text for f in given if f.kind == "number"):
        demands = (demands - {"number"}) | {"amount"}
    kind, numeric_text = kind_of(demands)
    if len(kinds) > 1 and kinds.keys() != {"string", "number"}:
        uses = (f"{_files(locales)} as {_KIND_WORDS[k]}" for k, locales in kinds.items())
        disagreements.append(f"{path} is used by {', by '.join(uses)}")
    names = dict.fromkeys(name for one in given for name in one.children)
    children = {}
    for name in names:
        inside = {loc: one.children[name] for loc, one in fields.items() if name in one.children}
        below = f"{path}.{name}" if path else name
        lacking = [locale for locale in fields if locale not in inside]
        always = [locale for locale, one in inside.items() if one.required]
        if lacking:
            word = "needs" if always else "can show"
            disagreements.append(
                f"{_files(list(inside), always=word)} {below}, {_files(lacking)}"
                f" {'does' if len(lacking) == 1 else 'do'} not"
            )
        elif always and len(always) < len(inside):
            others = [locale for locale in inside if locale not in always]
            disagreements.append(
                f"{_files(always, always='needs')} {below}, {_files(others)}"
                f" {'does' if len(others) == 1 else 'do'} without it where it is not given"
            )
        children[name] = _merge(inside, below, disagreements if not lacking else [])
    items = {locale: one.item for locale, one in fields.items() if one.item is not None}
    return Field(
        name=given[0].name,
        required=any(one.required for one in given),
        kind=kind,
        children=children,
        item=_merge(items, f"{path}[]", disagreements) if items else None,
        nullable=all(one.nullable for one in given),
        numeric_text=numeric_text,
        formats=formats_of(kind, {name for one in given for name in one.formats}),
        where=given[0].where,
    )


def _files(locales: Sequence[str], always: str = "") -> str:
    names = " and ".join(f"{locale}.j2" for locale in locales)
    if not always:
        return names
    if len(locales) > 1:
        always = {"needs": "need", "can show": "can show"}[always]
    return f"{names} {always}"


# -- checking data ---------------------------------------------------------------------------------

_KIND_WORDS: Final[Mapping[str, str]] = {
    "object": "an object",
    "array": "a list",
    "number": "a number",
    "string": "a text",
    "any": "anything",
}
_numeric_text = re.compile(_NUMERIC_TEXT + r"\Z").match


def missing(contract: Field, data: object) -> list[tuple[str, str]]:
    """Every field of `data` that the contract finds at fault, as (dotted path, problem).

    Empty when the data satisfies the contract. A problem names what is expected, never the value.
    """
    found: list[tuple[str, str]] = []
    if not isinstance(data, Mapping):
        return [("data", f"must be an object, not {_described(data)}")]
    _check_children(contract, data, "", found)
    return found


def _check_children(
    contract: Field, data: Mapping[str, Any], path: str, found: list[tuple[str, str]]
) -> None:
    for name, child in contract.children.items():
        below = f"{path}.{name}" if path else name
        if name not in data:
            if child.required:
                inside = ", ".join(n for n, c in child.children.items() if c.required)
                found.append((below, f"is missing: {inside}" if inside else "is missing"))
        else:
            _check(child, data[name], below, found)


def _check(contract: Field, value: Any, path: str, found: list[tuple[str, str]]) -> None:
    kind = contract.kind
    if contract.nullable and not value:
        return
    if kind == "object" or kind == "any":
        if isinstance(value, Mapping):
            if contract.children:
                _check_children(contract, value, path, found)
            return
        if kind == "any":
            if contract.item is not None and isinstance(value, list):
                _check_items(contract.item, value, path, found)
            return
    elif kind == "array":
        if isinstance(value, (list, tuple)):
            if contract.item is not None:
                _check_items(contract.item, value, path, found)
            return
    elif kind == "number":
        if _is_number(value):
            below = _AMOUNT_BELOW if contract.numeric_text else _NUMBER_BELOW
            if not -below < value < below:
                found.append((path, f"must be a number below 10^{len(str(below)) - 1}"))
            return
        if contract.numeric_text and isinstance(value, str) and _numeric_text(value):
            return
    elif contract.formats:
        if isinstance(value, str):
            rules = [_FORMATS[name] for name in contract.formats]
            found.extend((path, rule.problem) for rule in rules if not rule.test(value))
            return
    elif isinstance(value, str) or _is_number(value):
        return
    if value is None:
        found.append((path, "is null"))
    else:
        found.append((path, f"must be {_KIND_WORDS[kind]}, not {_described(value)}"))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


@dataclass(frozen=True, slots=True)
class _FormatRule:
    """What a text must be: the test (of the filter that reads it), the words, the JSON Schema."""

    test: Callable[[str], bool]
    problem: str
    schema: Mapping[str, Any]


_FORMATS: Final[Mapping[Format, _FormatRule]] = {
    "currency": _FormatRule(
        filters.is_currency,
        "must be a currency by its ISO 4217 code, such as EUR",
        {"pattern": f"^{filters.CURRENCY}$"},
    ),
    "date": _FormatRule(
        filters.is_moment,
        "must be a date such as 2026-12-03 or 2026-12-03T18:30:00+01:00",
        {"anyOf": [{"format": "date"}, {"format": "date-time"}]},
    ),
    "datetime": _FormatRule(
        filters.is_datetime,
        "must be a date with a time, such as 2026-12-03T18:30:00+01:00",
        {"format": "date-time"},
    ),
    "link": _FormatRule(
        filters.is_link,
        f"must be a URL that starts with https:// or http://, of {filters.LINK_CHARACTERS:,}"
        " characters at the most",
        {"pattern": f"^{filters.LINK}$", "maxLength": filters.LINK_CHARACTERS},
    ),
}


def _check_items(
    item: Field, values: Sequence[Any], path: str, found: list[tuple[str, str]]
) -> None:
    if item.kind == "any" and not item.children and item.item is None:
        return
    for index, value in enumerate(values):
        _check(item, value, f"{path}[{index}]", found)


def _described(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "an object" if isinstance(value, Mapping) else "a list"


def to_json_schema(contract: Field) -> dict[str, Any]:
    """The contract as JSON Schema 2020-12, accepting what `missing` finds nothing wrong with."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_schema_of(contract),
    }


def _schema_of(contract: Field) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    if contract.formats:
        schema["type"] = "string"
        rules = [dict(_FORMATS[name].schema) for name in contract.formats]
        schema.update(rules[0] if len(rules) == 1 else {"allOf": rules})
    elif contract.kind == "string":
        schema["type"] = ["string", "number"]
        schema["maxLength"] = bounds.STRING_CHARACTERS
    elif contract.kind == "number":
        below = _NUMBER_BELOW
        schema["type"] = "number"
        if contract.numeric_text:
            below = _AMOUNT_BELOW
            schema["type"] = ["number", "string"]
            schema["pattern"] = f"^{_NUMERIC_TEXT}$"
        schema.update({"exclusiveMinimum": -below, "exclusiveMaximum": below})
    elif contract.kind != "any":
        schema["type"] = contract.kind
    if contract.children:
        schema["properties"] = {n: _schema_of(child) for n, child in contract.children.items()}
        required = [name for name, child in contract.children.items() if child.required]
        if required:
            schema["required"] = required
    if contract.item is not None:
        schema["items"] = _schema_of(contract.item)
    if contract.nullable and schema:
        return {"anyOf": [schema, {"enum": [None, False, 0, "", [], {}]}]}
    return schema
