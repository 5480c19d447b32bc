"""Files of people: JSON Lines as the API has them, and CSV as spreadsheets write it.

A column of a CSV is called as the field is, with dots for what lies within: `preferences.promotions.sms`.
An empty cell says nothing.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import click

from chalicelib.door import profile
from chalicelib.spelling import did_you_mean

FORMATS: Final = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_DELIMITERS: Final = ",;\t"
_YES: Final = frozenset(("true", "yes", "1", "on", "sí", "si"))
_NO: Final = frozenset(("false", "no", "0", "off"))
# What an export has and an import leaves alone.
_TOLD: Final = ("refused", "stopped", "soft_bounces")


@dataclass(frozen=True, slots=True)
class Line:
    """What a line says of whom; `problem` where it says nothing that can be read."""

    number: int
    said: Mapping[str, Any]
    problem: str = ""


def format_of(file: Path, given: str | None) -> str:
    """How a file is written: as it is called, unless somebody says."""
    found = given or FORMATS.get(file.suffix.lower())
    if found is None:
        raise click.UsageError(f"{file.name}: name it .csv or .jsonl, or say --format")
    return found


def read(file: Path, form: str) -> Iterator[Line]:
    """The lines of a file.

    Raises
    ------
    click.ClickException : the file cannot be read, or its columns are none of a recipient's.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            yield from _csv(text, file.name) if form == "csv" else _jsonl(text)
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError:
        remedy = 'save it as UTF-8 (Excel: "CSV UTF-8")'
        raise click.ClickException(f"{file.name} is not UTF-8: {remedy}") from None


def _jsonl(text: IO[str]) -> Iterator[Line]:
    for number, line in enumerate(text, 1):
        if not line.strip():
            continue
        try:
            said = json.loads(line)
        except (ValueError, RecursionError):
            yield Line(number, {}, "is not JSON")
            continue
        if isinstance(said, dict):
            yield Line(number, {name: v for name, v in said.items() if name not in _TOLD})
        else:
            yield Line(number, {}, "must be a JSON object")


def _csv(text: IO[str], name: str) -> Iterator[Line]:
    first = text.readline()
    delimiter = max(_DELIMITERS, key=first.count)
    columns = [cell.strip() for cell in next(csv.reader([first], delimiter=delimiter), [])]
    _check_columns(columns, name)
    reader = csv.reader(text, delimiter=delimiter)
    while True:
        number = reader.line_num + 2
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield Line(number, {}, f"is no CSV ({error})")
            continue
        if cells is None:
            return
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(columns):
            yield Line(number, {}, f"has {len(cells)} cells, and there are {len(columns)} columns")
            continue
        said: dict[str, Any] = {}
        for column, cell in zip(columns, cells, strict=False):
            value = cell.strip()
            if value and column.split(".")[0] not in _TOLD:
                _set(said, column, value)
        yield Line(number, said)


def _check_columns(columns: list[str], name: str) -> None:
    known = ("id", *profile.FIELDS, *_TOLD)
    for column in columns:
        top, *rest = column.split(".")
        depth = {"preferences": 2, "consent": 2, "refused": 2, "stopped": 1, "soft_bounces": 1}.get(
            top, 0
        )
        if top not in known or len(rest) != depth:
            shape = f"{top}.<category>.{'<channel>' if top == 'preferences' else 'at'}"
            near = f": write {shape}" if depth == 2 else did_you_mean(column, known)
            near = near or f"; there are {', '.join(known[:6])}, preferences.<category>.<channel>"
            raise click.ClickException(f"{name}, line 1: no column {column!r}{near}")
    if "id" not in columns:
        raise click.ClickException(f"{name}, line 1: there is no column id")
    for column in columns:
        if columns.count(column) > 1:
            raise click.ClickException(f"{name}, line 1: there are two columns {column}")


def _set(said: dict[str, Any], column: str, cell: str) -> None:
    value: Any = cell
    if column == "push":
        value = cell.split()
    elif column.startswith("preferences."):
        low = cell.lower()
        value = True if low in _YES else False if low in _NO else cell
    *path, last = column.split(".")
    for name in path:
        said = said.setdefault(name, {})
    said[last] = value


def write(
    people: Iterable[Mapping[str, Any]], form: str, out: IO[str], preferences: Iterable[str]
) -> Iterator[int]:
    """Write people as an import reads them; yields how many were written.

    `preferences` are the columns of a CSV for what they want and agreed to.
    """
    if form == "jsonl":
        for number, person in enumerate(people, 1):
            out.write(json.dumps(person, ensure_ascii=False) + "\n")
            yield number
        return
    plain = ("id", *profile.FIELDS[:5])
    columns = [*plain, *preferences, "stopped.email", "stopped.sms"]
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for number, person in enumerate(people, 1):
        writer.writerow([_cell(person, column) for column in columns])
        yield number


def _cell(person: Mapping[str, Any], column: str) -> str:
    found: Any = person
    for name in column.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    if column.startswith("stopped.") and isinstance(found, Mapping):
        found = found["reason"]
    if isinstance(found, bool):
        return "yes" if found else "no"
    return " ".join(found) if isinstance(found, list) else str(found or "")


def as_text(person: Mapping[str, Any]) -> str:
    """Somebody as a person reads it."""
    return "\n".join(_lines(person))


def _lines(found: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for name, value in found.items():
        if not isinstance(value, Mapping):
            yield f"{above}{name}: {', '.join(value) if isinstance(value, list) else value}"
        elif above and not any(isinstance(inner, Mapping) for inner in value.values()):
            shown = ", ".join(f"{k} {_plain(v)}" for k, v in value.items() if v != "")
            yield f"{above}{name}: {shown}"
        else:
            yield from _lines(value, f"{above}{name} ")


def _plain(value: Any) -> str:
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else value
