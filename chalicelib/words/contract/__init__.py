"""The contract of an event type: which data its templates use, read from the templates themselves.

It explains and never refuses: `GET /event-types`, OpenAPI, forms and lint's look at the samples are made
of it, and what is accepted is decided by rendering.

`Reader.needs` walks the syntax tree of a template as rendering would, through layouts, includes, imports
and macro calls, and notes every field that it meets together with the conditions under which it meets
it. What is used whatever the data, is required; what is only used where a condition holds, or where it
is known to be there (``is defined``, ``default``), is optional.

"Required" is relative to the parent: in ``{% if gift is defined %}{{ gift.from }}{% endif %}``,
``gift`` is optional, and ``gift.from`` required wherever there is a gift. Being undefined is an error in
``{% if note %}``, so a plain ``if`` makes nothing optional. It does make null, false and empty
acceptable for what is only used inside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from chalicelib.words.contract.needs import Field, Kind, Needs
from chalicelib.words.contract.schema import to_json_schema
from chalicelib.words.contract.walk import Reader

__all__ = [
    "Field",
    "Needs",
    "Reader",
    "merge",
    "to_json_schema",
]

_KINDS: Final[Mapping[Kind, str]] = {
    "object": "an object",
    "array": "a list",
    "number": "a number",
    "string": "a text",
}


def merge(fields: Mapping[str, Field]) -> tuple[Field, list[str]]:
    """The contract of an event type, and where its locales disagree; `fields` are by file: `es`,
    `company.es`.

    An event may go out in one locale alone, so that only what every locale requires is required. What
    an audience's own words use beside that is optional, and no disagreement: not every event goes to it.
    """
    disagreements: list[str] = []
    audiences: dict[str, dict[str, Field]] = {}
    for words, one in fields.items():
        audiences.setdefault(words.rpartition(".")[0], {})[words] = one
    merged, *others = (
        _merge(audiences[audience], "", disagreements) for audience in sorted(audiences)
    )
    for other in others:
        merged = _beside(merged, other)
    merged.required = True
    return merged, disagreements


def _beside(ours: Field, theirs: Field) -> Field:
    """What we use, and what they use beside it."""
    children = dict(ours.children)
    for name, child in theirs.children.items():
        own = children.get(name)
        children[name] = _beside(own, child) if own is not None else child.loosened()
    item = ours.item
    if theirs.item is not None:
        item = _beside(item, theirs.item) if item is not None else theirs.item.loosened()
    kind = theirs.kind if ours.kind == "any" else ours.kind
    return replace(ours, kind=kind, children=children, item=item)


def _merge(fields: Mapping[str, Field], path: str, disagreements: list[str]) -> Field:
    given = list(fields.values())
    kinds: dict[Kind, list[str]] = {}
    for locale, one in fields.items():
        if one.kind != "any":
            kinds.setdefault(one.kind, []).append(locale)
    if len(kinds) > 1 and kinds.keys() != {"string", "number"}:
        uses = (f"{_files(locales)} as {_KINDS[k]}" for k, locales in kinds.items())
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
        child = _merge(inside, below, disagreements if not lacking else [])
        children[name] = child.loosened() if lacking else child
    items = {locale: one.item for locale, one in fields.items() if one.item is not None}
    item = _merge(items, f"{path}[]", disagreements) if items else None
    return Field(
        name=given[0].name,
        required=all(one.required for one in given),
        kind=next((kind for kind in _RANK if kind in kinds), "any"),
        children=children,
        item=item.loosened() if item is not None and len(items) < len(given) else item,
        sure=frozenset.intersection(*(one.sure for one in given)),
        nullable=any(one.nullable for one in given),
        where=given[0].where,
    )


_RANK: Final[Sequence[Kind]] = ("object", "array", "number", "string")


def _files(locales: Sequence[str], always: str = "") -> str:
    names = " and ".join(f"{locale}.j2" for locale in locales)
    if not always:
        return names
    if len(locales) > 1:
        always = {"needs": "need", "can show": "can show"}[always]
    return f"{names} {always}"
