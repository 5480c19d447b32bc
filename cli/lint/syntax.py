"""Jinja's syntax errors, with the column, and with what to do about them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import jinja2

from chalicelib.spelling import nearest

_TAGS: Final = ["block", "endblock", "if", "elif", "else", "endif", "for", "endfor", "set", "endset", "macro", "endmacro", "call", "endcall", "filter", "endfilter", "extends", "include", "import", "from", "with", "endwith", "raw", "endraw"]  # fmt: skip
_TAG: Final = re.compile(r"\{%[-+]?\s*(\w+)")
# What other languages write, and Jinja does not know.
_INSTEAD: Final = {
    "&": "write and",
    "!": "write not",
    "“": 'write plain quotes, "…"',
    "”": 'write plain quotes, "…"',
    "‘": "write plain quotes, '…'",
    "’": "write plain quotes, '…'",
    "elseif": "write elif",
    "elsif": "write elif",
    "break": "leave the rest out with an if: {% for item in list if condition %}",
    "continue": "leave it out with an if: {% for item in list if condition %}",
    "do": "write set",
}
_PAIRED: Final = frozenset(
    ("block", "if", "for", "macro", "call", "filter", "with", "raw", "autoescape")
)


@dataclass(frozen=True, slots=True)
class Explained:
    """A syntax error with its place, and a remedy."""

    line: int
    column: int
    message: str
    remedy: str


def explain_syntax_error(source: str, error: jinja2.TemplateSyntaxError) -> Explained:
    """Where exactly a syntax error is, as far as its message and the source tell."""
    message = (error.message or "syntax error").rstrip(".")
    position = re.search(r" at (\d+)$", message)
    if position:
        at = min(int(position[1]), len(source))
        line = source.count("\n", 0, at) + 1
        column = at - (source.rfind("\n", 0, at) + 1) + 1
        remedy = _INSTEAD.get(source[at : at + 1]) or _remedy(message)
        return Explained(line, column, message[: position.start()], remedy)
    if "nexpected end of template" in message or "Missing end of" in message:
        opened = _left_open(source)
        if opened is not None:
            at, tag = opened
            line = source.count("\n", 0, at) + 1
            column = at - (source.rfind("\n", 0, at) + 1) + 1
            return Explained(
                line, column, f"{{% {tag} %}} is never closed", f"close it with {{% end{tag} %}}"
            )
    closing = re.search(r"unknown tag 'end(\w+)'.*needs to be closed is '(\w+)'", message)
    if closing and closing[1] in _PAIRED:
        end = re.compile(rf"\{{%[-+]?\s*end{closing[1]}\b")
        start = len("".join(source.splitlines(keepends=True)[: error.lineno - 1]))
        found = end.search(source, start)
        opened = _left_open(source[: found.start()]) if found else None
        if opened is not None:
            line = source.count("\n", 0, opened[0]) + 1
            column = opened[0] - (source.rfind("\n", 0, opened[0]) + 1) + 1
            told = f"{{% {opened[1]} %}} is not closed before {{% end{closing[1]} %}}"
            told += f" on line {error.lineno}"
            return Explained(
                line, column, told, f"close it with {{% end{opened[1]} %}} before that"
            )
    lines = source.splitlines() or [""]
    line = min(max(error.lineno, 1), len(lines))
    return Explained(line, _column(lines[line - 1], message), message, _remedy(message))


def _left_open(source: str) -> tuple[int, str] | None:
    """The position and name of the last tag that is opened and not closed."""
    opened: list[tuple[int, str]] = []
    for tag in _TAG.finditer(source):
        name = tag[1]
        block_set = name == "set" and "=" not in source[tag.end() : source.find("%}", tag.end())]
        if name in _PAIRED or block_set:
            opened.append((tag.start(), name))
        elif name.startswith("end") and opened and opened[-1][1] == name[3:]:
            opened.pop()
    return opened[-1] if opened else None


def _column(line: str, message: str) -> int:
    for pattern, ending in (
        (r"unknown tag '(\w+)'", False),
        (r"got '(.+?)'$", True),
        (r"unexpected '(.+?)'", True),
        (r"[Bb]lock '(\w+)'", False),
        (r"named '(\w+)'", False),
    ):
        found = re.search(pattern, message)
        if found:
            word = {"end of print statement": "}}", "end of statement block": "%}"}.get(
                found[1], found[1]
            )
            at = line.rfind(word) if ending else line.find(word)
            if at >= 0:
                return at + 1
    opening = re.search(r"\{[{%#]", line)
    return (opening.start() if opening else len(line) - len(line.lstrip())) + 1


def _remedy(message: str) -> str:
    unknown = re.search(r"unknown tag '(\w+)'", message)
    if unknown:
        if "nesting mistake" in message:
            return "close the tags in the reverse order of opening them"
        if unknown[1] in _INSTEAD:
            return _INSTEAD[unknown[1]]
        near = nearest(unknown[1], _TAGS)
        return f"did you mean {near!r}?" if near else f"tags are {', '.join(_TAGS)}"
    for part, remedy in (
        ("got '='", "compare with =="),
        ("expected token 'end of print statement'", "join texts with ~, apply filters with |"),
        ("expected token 'end of statement block', got 'if'", "write elif for else if"),
        ("expected token 'end of statement block', got '|'", "write or for ||, or close the tag"),
        ("expected token 'end of statement block'", "close the tag with %}"),
        ("unexpected '}'", "close with }} what {{ opened, and with %} what {% opened"),
        ("unexpected '%'", "close with }} what {{ opened, and with %} what {% opened"),
        ("Missing end of comment", "close the comment with #}"),
        ("defined twice", "keep one of them, or rename one"),
        ("unexpected char", "remove it, or put text between quotes"),
        ("Expected an expression", "put something between {{ and }}"),
        ("unexpected 'end of", "something is missing before it"),
    ):
        if part in message:
            return remedy
    return "mend the tag there"
