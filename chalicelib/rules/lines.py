"""On which line of a TOML file what it says stands: tomllib does not tell."""

from __future__ import annotations

import re
import tomllib
from functools import cached_property
from typing import Final

from chalicelib.regex import regex


class Lines:
    """The line of every key in a text that tomllib reads; looked for when the first is asked for.

    The n-th table under a `[[header]]`, and the n-th element of a list, is `name[n]`, from 0.
    """

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def _found(self) -> dict[str, int]:
        return _Scan(self._text).found

    def of(self, *keys: str) -> int:
        """The line of the key that `keys` lead to, or of the nearest that it lies in, or 0."""
        for end in range(len(keys), 0, -1):
            line = self._found.get(".".join(keys[:end]))
            if line:
                return line
        return 0

    def of_rule(self, position: int, key: str = "") -> int:
        """The line of a dotted `key` within a rule, or that of the rule's header.

        What stands in the branches of an `$or` is found without it, as patterns name their fields.
        """
        keys = key.split(".") if key else ()
        return self.of(f"rule[{position}]", *keys)


_TOKEN: Final = regex(
    r"""(?P<blank>(?:[ \t\r\n]|\#[^\n]*)+)
      | (?P<string>"{3}(?:\\.|[^\\])*?"{3,5} | '{3}.*?'{3,5} | "(?:\\.|[^"\\])*" | '[^']*')
      | (?P<mark>[][{}=,.])
      | (?P<bare>[^][{}=,.\s\#"']+)""",
    re.VERBOSE | re.DOTALL,
)
_OR: Final = regex(r"\.\$or\[\d+\]")


class _Scan:
    """One walk through a text, which notes the first line of every path."""

    def __init__(self, text: str) -> None:
        self.found: dict[str, int] = {}
        self._last: dict[str, int] = {}  # the number of the last table under each [[header]]
        self._tokens: list[str] = []  # an empty one is the end of a line
        self._lines: list[int] = []
        self._at = 0
        line = 1
        for token in _TOKEN.finditer(text):
            if token.lastgroup != "blank" or "\n" in token[0]:
                self._tokens.append("" if token.lastgroup == "blank" else token[0])
                self._lines.append(line)
            line += token[0].count("\n")
        table = ""
        while self._next_line():
            if self._skip("["):
                table = self._header()
            else:
                self._pair(table)

    @property
    def _token(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _skip(self, token: str) -> bool:
        found = self._at < len(self._tokens) and self._tokens[self._at] == token
        self._at += found
        return found

    def _next_line(self) -> bool:
        """Go to the next token, on whichever line; False at the end of the text."""
        while self._skip(""):
            pass
        return self._at < len(self._tokens)

    def _note(self, path: str) -> str:
        line = self._lines[self._at]
        self.found.setdefault(path, line)
        if "$or[" in path:
            self.found.setdefault(_OR.sub("", path), line)
        return path

    def _key(self, path: str) -> str:
        """Read a dotted key that stands below `path`, and note each of its parts."""
        while True:
            word = self._token
            if word.startswith(("'", '"')):
                word = next(iter(tomllib.loads(f"{word}=0")))
            last = self._last.get(path)
            below = path if last is None else f"{path}[{last}]"
            path = self._note(f"{below}.{word}" if below else word)
            self._at += 1
            if not self._skip("."):
                return path

    def _header(self) -> str:
        at, many = self._at, self._skip("[")
        path = self._key("")
        if many:
            self._last[path] = self._last.get(path, -1) + 1
            path = f"{path}[{self._last[path]}]"
            self.found.setdefault(path, self._lines[at])
        while self._skip("]"):
            pass
        return path

    def _pair(self, table: str) -> None:
        path = self._key(table)
        self._skip("=")
        self._value(path)

    def _value(self, path: str) -> None:
        if self._skip("["):
            element = 0
            while self._next_line() and not self._skip("]"):
                self._value(self._note(f"{path}[{element}]"))
                element += self._next_line() and self._skip(",")
        elif self._skip("{"):
            while self._next_line() and not self._skip("}"):
                self._pair(path)
                _ = self._next_line() and self._skip(",")
        else:
            while self._token not in ("", ",", "]", "}"):
                self._at += 1
