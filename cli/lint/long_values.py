"""What becomes of a message with values as long as the door takes them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from chalicelib.events import bounds
from chalicelib.words import filters
from chalicelib.words.contract import Field
from chalicelib.words.render import RenderError

if TYPE_CHECKING:
    from cli.lint.tree import Rendering, Tree

# What a value looks like that is not free text, where the templates do not say: dates, links, codes.
_FIXED: Final = re.compile(r"\d{4}-\d\d-\d\d|https?://|-?[\d.,]+\Z|[A-Z]{3}\Z|[a-z]+(\.[a-z]+)+\Z")
_NO_TEXT: Final = frozenset(("number", "amount", "currency", "date", "datetime"))

Path = tuple[str, ...]
"""The names that lead to a field; "[]" for the items of a list."""


@dataclass(frozen=True, slots=True)
class TooLong:
    """A field with which a message becomes longer than its channel takes."""

    rendering: Rendering
    field: str
    characters: int
    error: RenderError


def too_long(tree: Tree) -> Iterator[TooLong]:
    """Every field that is not cut where it would have to be."""
    for rendering in tree.renderings:
        if rendering.message is None:
            continue
        needs = tree.needs[rendering.event_type][rendering.locale].data
        long = list(_texts(needs, rendering.sample.data, ()))
        before = {error.reason for error in _faults(rendering, tree)}  # whatever the values
        together = _with(rendering, tree, dict(_fitting(long)))
        if together is None or together.reason in before:
            continue
        alone = False
        for path, characters in long:
            error = _with(rendering, tree, {path: characters})
            if error is not None and error.reason not in before:
                alone = True
                field = "data." + ".".join(path).replace(".[]", "[]")
                yield TooLong(rendering, field, characters, error)
        if not alone:
            most = max(characters for _, characters in _fitting(long))
            yield TooLong(rendering, "all texts", most, together)


def _texts(needs: Field, data: Any, path: Path) -> Iterator[tuple[Path, int]]:
    """The fields of a sample that are free text, with the characters that they may have."""
    if isinstance(data, Mapping):
        for name, child in needs.children.items():
            if name in data:
                yield from _texts(child, data[name], (*path, name))
    elif isinstance(data, list):
        if data and needs.item is not None:
            yield from _texts(needs.item, data[0], (*path, "[]"))
    elif "link" in needs.sure:
        yield path, filters.LINK_CHARACTERS
    elif _NO_TEXT.isdisjoint(needs.sure) and needs.kind in ("string", "any"):
        free = isinstance(data, str) and needs.kind == "string" and not _FIXED.match(data)
        if "text" in needs.sure or free:
            yield path, bounds.STRING_CHARACTERS


def _fitting(long: list[tuple[Path, int]]) -> Iterator[tuple[Path, int]]:
    """All of them as long as they can be in one event."""
    room = 200_000 // max(1, len(long))
    return ((path, min(room, characters)) for path, characters in long)


def _with(rendering: Rendering, tree: Tree, long: Mapping[Path, int]) -> RenderError | None:
    """What is wrong with the message, or its mail, if these fields are that long."""
    data = _longer(rendering.sample.data, (), long)
    sample = dataclasses.replace(rendering.sample, data=data)
    found = tree.render(rendering.name, rendering.event_type, rendering.locale, sample)
    return next(_faults(found, tree), None)


def _faults(rendering: Rendering, tree: Tree) -> Iterator[RenderError]:
    found = (rendering.error, tree.clipped(rendering), tree.too_costly(rendering))
    return (error for error in found if error is not None)


def _longer(value: Any, path: Path, long: Mapping[Path, int]) -> Any:
    characters = long.get(path)
    if characters is not None and not isinstance(value, (Mapping, list)):
        text = "".join(str(value).split())  # a name without spaces is the harder one to cut
        start = text if text.startswith("http") else text or "x"
        return (start + "x" * characters)[:characters]
    if isinstance(value, Mapping):
        return {name: _longer(inner, (*path, name), long) for name, inner in value.items()}
    if isinstance(value, list):
        return [_longer(inner, (*path, "[]"), long) for inner in value]
    return value
