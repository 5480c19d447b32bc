"""A form made from an event type's contract: what it asks for, and the data that it comes to. Pure.

A field is called as the door calls it when it is wrong (`data.order.items[0].price`), so that what is wrong is
said beside it. What the contract does not name is not asked for, for no template says it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from chalicelib.regex import regex
from chalicelib.values import dataclass
from chalicelib.words.contract import Field

# So many of a list can be filled in; more are sent by the API.
MOST: Final = 50
_LONG: Final = 60
_MISSING: Final = object()


@dataclass(frozen=True, slots=True)
class Input:
    """One field to fill in: `kind` is `text`, `long`, `number` or `choice` (yes or no)."""

    path: str
    label: str
    value: str
    kind: str = "text"
    required: bool = False
    hint: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Fields that belong together; `adds`: one more of them can be had, `removes`: it can be taken away."""

    path: str
    label: str
    parts: Sequence[Input | Group]
    adds: bool = False
    removes: bool = False


def form_of(
    contract: Field,
    data: Any,
    problems: Mapping[str, str],
    sample: Any,
    path: str = "data",
    label: str = "",
) -> Group:
    """The fields of an object of the contract, filled with what there is of `data`; whether something is yes or no
    the `sample` tells."""
    given, known = (one if isinstance(one, Mapping) else {} for one in (data, sample))
    parts = [
        _part(child, given.get(name, _MISSING), problems, known.get(name), f"{path}.{name}", name)
        for name, child in contract.children.items()
    ]
    # What stands alone comes first, as one would say it.
    return Group(path, label, sorted(parts, key=lambda part: isinstance(part, Group)))


def _part(
    field: Field, value: Any, problems: Mapping[str, str], sample: Any, path: str, label: str
) -> Input | Group:
    if field.item is not None:
        like = sample[0] if isinstance(sample, list) and sample else None
        items = value if isinstance(value, list) else []
        parts: list[Input | Group] = []
        for number, item in enumerate(items[:MOST]):
            below = f"{path}[{number}]"
            part = _part(field.item, item, problems, like, below, f"{label} {number + 1}")
            if isinstance(part, Group):
                part = Group(part.path, part.label, part.parts, part.adds, removes=True)
            parts.append(part)
        return Group(path, label, parts, adds=len(items) < MOST)
    if field.children:
        return form_of(field, value, problems, sample, path, label)
    return Input(
        path,
        label,
        _text(value),
        _kind(field, value, sample),
        field.required and not field.nullable,
        _hint(field),
        problems.get(path, ""),
    )


def _kind(field: Field, value: Any, sample: Any) -> str:
    # As it was typed, it is a text again.
    if isinstance(sample, bool) and (isinstance(value, bool) or value in ("true", "false")):
        return "choice"
    if field.sure & {"number", "amount"}:
        return "number"
    return "long" if isinstance(value, str) and len(value) > _LONG else "text"


def _hint(field: Field) -> str:
    known = ("datetime", "date", "amount", "currency", "link")
    return next((name for name in known if name in field.sure), "")


def _text(value: Any) -> str:
    if value is _MISSING or value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def data_of(contract: Field, form: Mapping[str, str], sample: Any) -> dict[str, Any]:
    """The data that a form says. A number is one where the contract asks for one, or the sample has one."""
    found = _object(contract, form, sample, "data")
    return found if isinstance(found, dict) else {}


def _object(field: Field, form: Mapping[str, str], sample: Any, path: str) -> Any:
    known = sample if isinstance(sample, Mapping) else {}
    found = {
        name: value
        for name, child in field.children.items()
        if (value := _value(child, form, known.get(name), f"{path}.{name}")) is not _MISSING
    }
    return found if found else _MISSING


def _value(field: Field, form: Mapping[str, str], sample: Any, path: str) -> Any:
    if field.item is not None:
        like = sample[0] if isinstance(sample, list) and sample else None
        items = [
            _value(field.item, form, like, f"{path}[{number}]") for number in numbers(form, path)
        ]
        given = [item for item in items if item is not _MISSING]
        return given if given or field.required else _MISSING
    if field.children:
        return _object(field, form, sample, path)
    text = form.get(path, "").replace("\r\n", "\n")
    if not text.strip():
        return _MISSING
    if isinstance(sample, bool) and text in ("true", "false"):
        return text == "true"
    counts = "number" in field.sure or (
        isinstance(sample, (int, float)) and not isinstance(sample, bool)
    )
    return _number(text) if counts else text


def _number(text: str) -> Any:
    """The number that a text is; the text where it is none, which rendering will say."""
    text = text.strip()
    if not re.fullmatch(r"-?\d{1,18}(\.\d{1,18})?", text, re.ASCII):
        return text
    return float(text) if "." in text else int(text)


def numbers(form: Mapping[str, str], path: str) -> list[int]:
    """The numbers of a list's items that a form has, in order."""
    start = regex(re.escape(path) + r"\[(\d{1,3})\]")
    return sorted({int(found[1]) for name in form if (found := start.match(name))})[:MOST]


def changed(form: Mapping[str, str]) -> dict[str, str]:
    """The same form with an item of a list more (`add` names the list) or less (`remove` names the item)."""
    kept = {name: value for name, value in form.items() if name not in ("add", "remove")}
    if gone := form.get("remove"):
        kept = {
            n: v
            for n, v in kept.items()
            if n != gone and not n.startswith((f"{gone}.", f"{gone}["))
        }
    if path := form.get("add"):
        there = numbers(kept, path)
        # As many fields as the first has, all empty; an item of which nothing is known is one field.
        first = f"{path}[{there[0]}]" if there else f"{path}[0]"
        last = there[-1] + 1 if there else 0
        names = [name for name in kept if name == first or name.startswith(f"{first}.")] or [first]
        kept |= {f"{path}[{last}]{name.removeprefix(first)}": "" for name in names}
    return kept


def shown(contract: Field, form: Mapping[str, str], path: str = "data") -> Any:
    """What stands in a form, as it was typed: what is empty is there too, so that it is shown again."""
    if contract.item is not None:
        return [shown(contract.item, form, f"{path}[{n}]") for n in numbers(form, path)]
    if contract.children:
        return {n: shown(child, form, f"{path}.{n}") for n, child in contract.children.items()}
    return form.get(path, "")
