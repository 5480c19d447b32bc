"""A journey as it is written: `journeys/<name>.asl.json`, in the Amazon States Language.

https://states-language.net, and with JSONata:
https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from chalicelib.errors import HeraldoError
from chalicelib.journeys.states import State, States
from cli.journeys import places

FOLDER: Final = "journeys"
SUFFIX: Final = ".asl.json"


class DefinitionError(HeraldoError):
    """A definition cannot be read: on this line."""

    def __init__(self, file: str, line: int, problem: str) -> None:
        super().__init__(f"{file}:{line}: {problem}")
        self.file = file
        self.line = line
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Definition(States):
    """A journey's states, and on which lines of its file they stand."""

    lines: dict[places.Path, int] = field(repr=False)

    @property
    def file(self) -> str:
        return f"{FOLDER}/{self.name}{SUFFIX}"

    def line(self, *way: str | int) -> int:
        """The line of what `way` leads to from the top of the file."""
        return places.line_of(self.lines, *way)

    def line_in(self, state: str, *way: str | int) -> int:
        return self.line("States", state, *way)


def names(root: Path) -> tuple[str, ...]:
    """The journeys of a tree that have a file."""
    return tuple(sorted(f.name.removesuffix(SUFFIX) for f in (root / FOLDER).glob(f"*{SUFFIX}")))


def read(root: Path, name: str) -> Definition:
    """Read one definition.

    Raises
    ------
    DefinitionError : it is gone, is no JSON, or has no states.
    """
    file = f"{FOLDER}/{name}{SUFFIX}"
    try:
        text = (root / file).read_bytes().decode("utf-8")
    except OSError:
        raise DefinitionError(file, 0, "there is no such file") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise DefinitionError(file, line, "is not UTF-8: save it as UTF-8") from None
    try:
        twice: list[str] = []
        raw = json.loads(text, object_pairs_hook=lambda pairs: _once(pairs, twice))
    except json.JSONDecodeError as error:
        raise DefinitionError(file, error.lineno, f"is not JSON: {error.msg}") from None
    except RecursionError:
        raise DefinitionError(file, 0, "is nested too deeply to be read") from None
    lines = places.places(text)
    if twice:
        at = [n for n, line in enumerate(text.splitlines(), 1) if f'"{twice[0]}":' in line]
        raise DefinitionError(file, at[-1] if at else 0, f"{twice[0]!r} is there twice")
    if not isinstance(raw, dict):
        raise DefinitionError(file, 1, "must be a JSON object with StartAt and States")
    states = raw.get("States")
    if not isinstance(states, dict) or not states:
        line = places.line_of(lines, "States")
        raise DefinitionError(file, line, "must have States, an object with a state by each name")
    for state, fields in states.items():
        if not isinstance(fields, dict):
            line = places.line_of(lines, "States", state)
            raise DefinitionError(file, line, f"state {state} must be an object with a Type")
    start = raw.get("StartAt")
    if not isinstance(start, str):
        line = places.line_of(lines, "StartAt")
        raise DefinitionError(file, line, "must have StartAt, the name of its first state")
    found = {state: State(state, fields) for state, fields in states.items()}
    return Definition(name, start, found, raw, lines)


def _once(pairs: list[tuple[str, Any]], twice: list[str]) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    for key, value in pairs:
        if key in seen:
            twice.append(key)
        seen[key] = value
    return seen
