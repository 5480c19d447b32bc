"""On which line of a JSON file what it says stands: Python's json does not tell."""

from __future__ import annotations

import json
import re
from typing import Final

_TOKEN: Final = re.compile(r'"(?:\\.|[^"\\])*"|[][{},:]|[^][{},:\s"]+')

Path = tuple[str | int, ...]


def places(text: str) -> dict[Path, int]:
    """The line of every key and element of a text that is JSON, by the way that leads there."""
    found: dict[Path, int] = {(): 1}
    way: list[str | int] = []
    line, end, key = 1, 0, False
    for token in _TOKEN.finditer(text):
        line += text.count("\n", end, token.start())
        end = token.start()
        word = token[0]
        if word in "{[":
            if way and isinstance(way[-1], int):
                found.setdefault(tuple(way), line)
            way.append(0 if word == "[" else "")
            key = word == "{"
        elif word in "}]":
            way.pop()
            key = False
        elif word == ",":
            last = way[-1]
            key = not isinstance(last, int)
            way[-1] = last + 1 if isinstance(last, int) else ""
        elif word == ":":
            key = False
        elif key:
            way[-1] = json.loads(word)
            found.setdefault(tuple(way), line)
        elif isinstance(way[-1] if way else "", int):
            found.setdefault(tuple(way), line)
    return found


def line_of(found: dict[Path, int], *way: str | int) -> int:
    """The line of what `way` leads to, or of the nearest that it lies in."""
    for end in range(len(way), -1, -1):
        if way[:end] in found:
            return found[way[:end]]
    return 0
