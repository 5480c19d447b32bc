"""A journey's states, as the Amazon States Language has them: https://states-language.net"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from chalicelib.regex import regex
from chalicelib.values import dataclass

_WHOLE: Final = regex(r"\{%(.*)%\}\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class State:
    """One state; `fields` are as they are written."""

    name: str
    fields: Mapping[str, Any]

    @property
    def kind(self) -> str:
        return str(self.fields.get("Type", ""))

    def nexts(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """The states that may follow, each with where that is said."""
        choices = self.fields.get("Choices")
        for position, choice in enumerate(choices if isinstance(choices, list) else ()):
            if isinstance(choice, dict) and isinstance(choice.get("Next"), str):
                yield ("Choices", position, "Next"), choice["Next"]
        for name in ("Next", "Default"):
            if isinstance(self.fields.get(name), str):
                yield (name,), self.fields[name]

    @property
    def sends(self) -> str:
        """The event type that it sends, where it does."""
        arguments = self.fields.get("Arguments")
        body = arguments.get("MessageBody") if isinstance(arguments, dict) else None
        sent = body.get("send") if self.kind == "Task" and isinstance(body, dict) else None
        return sent if isinstance(sent, str) else ""


@dataclass(frozen=True, slots=True)
class States:
    """A journey's states by their names, in the order in which they are written; `raw` is the whole."""

    name: str
    start_at: str
    states: Mapping[str, State]
    raw: Mapping[str, Any]

    @property
    def comment(self) -> str:
        return str(self.raw.get("Comment", ""))

    def reached(self) -> set[str]:
        """The names of the states that a run can come to."""
        found: set[str] = set()
        ahead = [self.start_at]
        while ahead:
            name = ahead.pop()
            if name in self.states and name not in found:
                found.add(name)
                ahead += [there for _, there in self.states[name].nexts()]
        return found


def states_of(name: str, raw: Mapping[str, Any]) -> States:
    """A definition that was read before, and found sound."""
    there = {state: State(state, fields) for state, fields in raw["States"].items()}
    return States(name, raw["StartAt"], there, raw)


def code(value: object) -> str | None:
    """The expression that a text is, or None where it is a text like any other."""
    found = _WHOLE.match(value) if isinstance(value, str) else None
    return found[1].strip() if found else None
