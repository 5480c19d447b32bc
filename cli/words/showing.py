"""How renderings are shown to a person: in columns on a terminal, and what is wrong with its place."""

from __future__ import annotations

import shutil
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

import click

from chalicelib.words import limits
from chalicelib.words.mail import CLIPPED_BYTES
from cli.words.samples import NAMES, Rendering, Trouble, place

_NARROWEST: Final = 38  # cells of a column; below that, columns go one under the other
_GUTTER: Final = " │ "


def width() -> int:
    """Cells of the terminal; 0 in a pipe, where everything goes one under the other."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 0


def side_by_side(renderings: Sequence[Rendering], names: Sequence[str], cells: int) -> str:
    """Renderings in columns, as many as fit into `cells`."""
    fitting = (cells + len(_GUTTER)) // (_NARROWEST + len(_GUTTER)) if cells else 1
    count = max(1, min(fitting, len(renderings)))
    column = (cells - len(_GUTTER) * (count - 1)) // count if cells else 0
    text = ""
    for start in range(0, len(renderings), count):
        text += "\n".join(_row(renderings[start : start + count], names, column)) + "\n"
    return text


def _row(renderings: Sequence[Rendering], names: Sequence[str], cells: int) -> Iterable[str]:
    heads = []
    for rendering in renderings:
        head = f"{rendering.event_type} in {rendering.locale}"
        if rendering.wanted != rendering.locale:
            head += f" (for {rendering.wanted})"
        heads.append([_styled(head, bold=True, underline=True)])
    yield from _joined(heads, cells)
    shown = [n for n in NAMES if any(n in r.channels for r in renderings) or n in ("html", "sms")]
    for name in shown:
        if not names or name in names:
            yield from _joined([_cell(name, r, name in names, cells) for r in renderings], cells)


def _cell(name: str, rendering: Rendering, asked: bool, cells: int) -> list[tuple[str, str]]:
    text = rendering.channels.get(name)
    if name == "html":  # looked at in a browser, and read by who asks for it
        text = rendering.letter if asked else None
    lines = [_styled(line, fg="cyan") for line in _wrapped(_heading(name, rendering), cells)]
    return [*lines, *((line, line) for line in _wrapped(text or "", cells)), ("", "")]


def _heading(name: str, rendering: Rendering) -> str:
    texts = rendering.channels
    text = texts.get(name)
    if name == "subject":
        return f"subject {len(texts['subject'])}/{limits.SUBJECT_CHARACTERS}"
    if name == "sms":
        return f"sms {'' if text is not None else '(no block: the body goes) '}{about_sms(texts)}"
    if name == "html":
        return f"html {about_html(rendering)}"
    return name if text is not None else f"{name} (no block: the body goes)"


def about_html(rendering: Rendering) -> str:
    """Where the HTML of an e-mail comes from, and how large it is."""
    if not rendering.html:
        return "(no layout: e-mails are text alone)"
    made = "" if "html" in rendering.channels else "(no block: made from the text) "
    size = f"{len(rendering.html.encode()) / 1024:.1f}/{CLIPPED_BYTES // 1024} KiB"
    return f"{made}{size}, shown by --open"


def about_sms(texts: Mapping[str, str]) -> str:
    """How the SMS of a message travels: encoding, length, parts, and what forces UCS-2."""
    sms = limits.sms(texts.get("sms", texts["body"]))
    parts = "1 part" if sms.parts == 1 else f"{sms.parts} parts"
    told = f"{sms.encoding}, {sms.characters} characters, {parts}"
    if sms.forcing:
        shown = " ".join(
            c if c.isprintable() and not c.isspace() else f"{c!r}" for c in sms.forcing
        )
        told += f"; UCS-2 because of {shown}"
    return told


def troubles(renderings: Sequence[Rendering], root: Path) -> str:
    """What is wrong, each thing once: where, the line with a caret, and what to do about it."""
    told = ""
    for trouble in dict.fromkeys(r.trouble for r in renderings if r.trouble):
        told += f"{click.style(place(trouble), bold=True)}: "
        told += f"{click.style(trouble.problem, fg='red')}\n"
        told += _excerpt(trouble, root)
        if trouble.remedy:
            told += f"    {click.style('→', fg='cyan')} {trouble.remedy}\n"
    return told


def _excerpt(trouble: Trouble, root: Path) -> str:
    if not trouble.line:
        return ""
    try:
        line = (root / trouble.file).read_text(encoding="utf-8").splitlines()[trouble.line - 1]
    except (OSError, UnicodeDecodeError, IndexError):
        return ""
    number = f"{trouble.line} | "
    column = trouble.column or 0
    start = column - 40 if column > 80 else 0
    told = f"    {click.style(number, dim=True)}{line[start : start + 110]}\n"
    if column:
        before = _cells(line[start : column - 1])
        told += " " * (4 + len(number) + before) + click.style("^", fg="red") + "\n"
    return told


# -- columns ---------------------------------------------------------------------------------------


def _styled(text: str, **style: Any) -> tuple[str, str]:
    return text, click.style(text, **style)


def _joined(blocks: Sequence[Sequence[tuple[str, str]]], cells: int) -> Iterable[str]:
    """Blocks of lines next to each other; a line is its plain text and how it is shown."""
    for parts in zip_longest(*blocks, fillvalue=("", "")):
        padded = [shown + " " * (cells - _cells(plain)) for plain, shown in parts[:-1]]
        yield _GUTTER.join([*padded, parts[-1][1]]).rstrip()


def _wrapped(text: str, cells: int) -> list[str]:
    """Lines of `cells` at the most; 0 is any length. Words longer than that (links) are cut."""
    if not cells:
        return text.split("\n")
    lines = []
    for line in text.split("\n"):
        current = ""
        for word in line.split(" "):
            if current and _cells(current) + 1 + _cells(word) > cells:
                lines.append(current)
                current = word
            else:
                current = f"{current} {word}" if current else word
            while _cells(current) > cells:
                cut = len(current)
                while _cells(current[:cut]) > cells:
                    cut -= 1
                lines.append(current[:cut])
                current = current[cut:]
        lines.append(current)
    return lines


def _cells(text: str) -> int:
    """How many cells of a terminal a text takes: an emoji takes two, a combining accent none."""
    if text.isascii():
        return len(text)
    return sum(
        0
        if unicodedata.combining(c) or unicodedata.category(c) in ("Mn", "Cf")
        else 2
        if unicodedata.east_asian_width(c) in "WF"
        else 1
        for c in text
    )
