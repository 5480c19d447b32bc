"""On which line of a TOML file what it says stands."""

from __future__ import annotations

import re
from typing import Final

_HEADER: Final = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]")
_KEY: Final = re.compile(r"""\s*((?:[\w.-]|"[^"]*"|'[^']*'|\s*\.\s*)+?)\s*=""")
_QUOTES: Final = re.compile(r"[\s\"']")


class Lines:
    """On which line of a TOML file a key stands; tomllib does not tell.

    The n-th of the tables that share a `[[header]]` is `header[n]`, from 0.
    """

    def __init__(self, text: str) -> None:
        self._found: dict[str, int] = {}
        count: dict[str, int] = {}
        table = ""
        for number, line in enumerate(text.splitlines(), 1):
            header = _HEADER.match(line)
            key = None if header else _KEY.match(line)
            if header:
                table = _QUOTES.sub("", header[2])
                first, dot, rest = table.partition(".")
                if header[1] == "[[" and not dot:
                    count[first] = count.get(first, -1) + 1
                if first in count:
                    table = f"{first}[{count[first]}]{dot}{rest}"
                self._note(table, number)
            elif key:
                name = _QUOTES.sub("", key[1])
                self._note(f"{table}.{name}" if table else name, number)

    def _note(self, path: str, number: int) -> None:
        """Remember the first line of a path, and of all that it lies in."""
        while path and path not in self._found:
            self._found[path] = number
            path = path.rpartition(".")[0]

    def of(self, *keys: str) -> int:
        """The line of the key that `keys` lead to, or of the nearest that it lies in, or 0."""
        for end in range(len(keys), 0, -1):
            path = _QUOTES.sub("", ".".join(keys[:end]))
            line = self._found.get(path) or self._found.get(f"{path}[0]")
            if line:
                return line
        return 0

    def of_rule(self, position: int, key: str = "") -> int:
        """The line of a dotted `key` within a rule, or that of the rule's header."""
        return (
            self.of(f"rule[{position}]", *key.split(".")) if key else self.of(f"rule[{position}]")
        )
