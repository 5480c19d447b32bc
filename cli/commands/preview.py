"""`./heraldo preview`: what a template says, in every channel and locale, while it is being written."""

from __future__ import annotations

import json
import shutil
import sys
import time
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

import click

from chalicelib.spelling import did_you_mean
from chalicelib.words import limits
from chalicelib.words.render import Templates
from cli import target as targets
from cli.paths import ROOT
from cli.words.samples import NAMES, Rendering, Trouble, TroubleError, place, render, sample

_NARROWEST: Final = 38  # cells of a column; below that, columns go one under the other
_GUTTER: Final = " │ "
_LOOK_EVERY: Final = 0.1  # seconds; a hundred event types are looked at in a few milliseconds

_Saved = dict[Path, tuple[int, int]]


@click.command
@click.argument("event_type", metavar="TYPE", required=False)
@click.option("--data", help="JSON, or @FILE, or - for standard input; default: the sample's.")
@click.option("--locale", "locales", multiple=True, help="Only this one; can be repeated.")
@click.option(
    "--channel", "names", multiple=True, type=click.Choice(NAMES), help="Only this one; likewise."
)
@click.option("--watch", is_flag=True, help="Show it again whenever a template is saved.")
@click.option(
    "--diff",
    "revision",
    metavar="[GIT-REV]",
    is_flag=False,
    flag_value="HEAD",
    help="Show what changed in the words since a revision (HEAD), of TYPE or of all types.",
)
@click.option("--exit-code", is_flag=True, help="With --diff: exit with 1 if any word changed.")
@targets.json_option
@click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=ROOT,
    help="Another tree than this one.",
)
def command(
    event_type: str | None,
    data: str | None,
    locales: tuple[str, ...],
    names: tuple[str, ...],
    watch: bool,
    revision: str | None,
    exit_code: bool,
    as_json: bool,
    root: Path,
) -> None:
    """Show what an event of TYPE says, in every channel and locale; nothing is sent.

    \b
    ./heraldo preview order.shipped
    ./heraldo preview order.shipped --locale en --channel sms --watch
    ./heraldo preview order.shipped --data @order.json
    ./heraldo preview --diff main
    """
    root = root.resolve()
    if revision and event_type is None and (root / "templates" / revision).is_dir():
        event_type, revision = revision, "HEAD"  # --diff TYPE reads as --diff HEAD TYPE
    if watch and (revision or as_json):
        raise click.UsageError("--watch goes with neither --diff nor --json.")
    if event_type is not None:
        _check_type(root, event_type, anywhere=bool(revision))
    elif not revision or data is not None:
        raise click.UsageError(f"Name an event type: {', '.join(_types(root))}.")
    if revision:
        from cli.words import changes

        given = _data(data)
        sys.exit(
            changes.show(root, revision, event_type, locales, names, given, exit_code, as_json)
        )
    assert event_type is not None  # noqa: S101 - for the type checker
    view = _View(root, event_type, data, locales, names)
    if watch:
        view.watch()
    elif as_json:
        found = view.renderings()
        print(json.dumps([as_dict(r, names) for r in found], ensure_ascii=False))
        sys.exit(any(r.trouble for r in found))
    else:
        found = view.renderings()
        click.echo(side_by_side([r for r in found if not r.trouble], names, width()), nl=False)
        click.echo(troubles(found, root), nl=False, err=True)
        sys.exit(any(r.trouble for r in found))


class _View:
    """One event type, looked at once or for as long as its author works on it."""

    def __init__(
        self,
        root: Path,
        event_type: str,
        data: str | None,
        locales: Sequence[str],
        names: Sequence[str],
    ) -> None:
        self.root = root
        self.event_type = event_type
        self.data = data
        self.given = _data(data)
        self.locales = tuple(locales)
        self.names = names
        self.good: dict[str, Rendering] = {}

    def renderings(self) -> list[Rendering]:
        """The event in each locale, from the files as they are now."""
        templates = Templates(self.root / "templates")
        wanted = self.locales or templates.locales(self.event_type)
        try:
            event = sample(self.root, self.event_type, self.given)
        except TroubleError as error:
            return [
                Rendering(self.event_type, locale, locale, {}, error.trouble)
                for locale in wanted or ("es",)
            ]
        return [render(templates, event, locale) for locale in wanted or ("es",)]

    def watch(self) -> None:
        """Show it, and again after every save, until Ctrl-C."""
        files = self.root / "templates"
        given = [Path(self.data[1:])] if self.data and self.data.startswith("@") else []
        try:
            shown: _Saved = {}
            while files.is_dir():
                if (now := _saved(files, given)) != shown:
                    shown = now
                    self._draw()
                time.sleep(_LOOK_EVERY)
        except KeyboardInterrupt:
            return
        raise click.ClickException(f"nothing to watch any more: there is no {files}")

    def _draw(self) -> None:
        try:
            if self.data and self.data.startswith("@"):
                self.given = _data(self.data)
            found = self.renderings()
        except (click.UsageError, OSError) as error:  # read while it is being written
            told = error.message if isinstance(error, click.UsageError) else str(error)
            found = [
                Rendering(self.event_type, "", "", {}, Trouble(told, self.data or "templates"))
            ]
        broken = any(r.trouble for r in found)
        self.good.update({r.wanted: r for r in found if not r.trouble})
        wanted = self.good if broken else [r.wanted for r in found]
        text = side_by_side([self.good[w] for w in wanted], self.names, width())
        if broken:
            text += click.style("── the last that rendered; now ──\n", fg="red")
            text += troubles(found, self.root)
        now = datetime.now().astimezone().strftime("%H:%M:%S")
        if sys.stdout.isatty():
            click.clear()
        click.echo(text + click.style(f"── {now}, watching templates/ (Ctrl-C ends) ──", dim=True))
        sys.stdout.flush()


def _saved(folder: Path, others: Iterable[Path]) -> _Saved:
    """When each file was last saved, and its size."""
    saved: _Saved = {}
    for file in (*folder.rglob("*"), *others):
        try:
            status = file.stat()
        except OSError:  # an editor puts another in its place
            continue
        saved[file] = (status.st_mtime_ns, status.st_size)
    return saved


def _types(root: Path) -> tuple[str, ...]:
    return Templates(root / "templates").types


def _check_type(root: Path, event_type: str, anywhere: bool) -> None:
    types = _types(root)
    if event_type not in types and not anywhere:
        near = did_you_mean(event_type, types) or f"; there are {', '.join(types)}"
        raise click.UsageError(f"There is no event type {event_type}{near}")


def _data(data: str | None) -> Mapping[str, Any] | None:
    if data is None:
        return None
    found = targets.read_json(data, "--data")
    if not isinstance(found, dict):
        raise click.UsageError("--data must be a JSON object.")
    return found


# -- in words --------------------------------------------------------------------------------------


def as_dict(rendering: Rendering, names: Sequence[str] = ()) -> dict[str, Any]:
    """A rendering for programs."""
    found: dict[str, Any] = {"type": rendering.event_type, "locale": rendering.locale}
    if rendering.wanted != rendering.locale:
        found["fallback_from"] = rendering.wanted
    trouble = rendering.trouble
    if trouble:
        found["error"] = {
            "problem": trouble.problem,
            "file": trouble.file,
            "line": trouble.line,
            "column": trouble.column,
            "remedy": trouble.remedy,
        }
        return found
    texts = rendering.channels
    sms = limits.sms(texts.get("sms", texts["body"]))
    found["channels"] = {n: t for n, t in texts.items() if not names or n in names}
    found["subject_characters"] = len(texts["subject"])
    found["sms"] = {
        "falls_back": "sms" not in texts,
        "encoding": sms.encoding,
        "characters": sms.characters,
        "parts": sms.parts,
        "forcing": list(sms.forcing),
    }
    return found


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
    shown = [n for n in NAMES if any(n in r.channels for r in renderings) or n == "sms"]
    for name in shown:
        if not names or name in names:
            yield from _joined([_cell(name, r, cells) for r in renderings], cells)


def _cell(name: str, rendering: Rendering, cells: int) -> list[tuple[str, str]]:
    text = rendering.channels.get(name)
    lines = [_styled(line, fg="cyan") for line in _wrapped(_heading(name, rendering), cells)]
    return [*lines, *((line, line) for line in _wrapped(text or "", cells)), ("", "")]


def _heading(name: str, rendering: Rendering) -> str:
    texts = rendering.channels
    text = texts.get(name)
    if name == "subject":
        return f"subject {len(texts['subject'])}/{limits.SUBJECT_CHARACTERS}"
    if name == "sms":
        return f"sms {'' if text is not None else '(no block: the body goes) '}{about_sms(texts)}"
    return name if text is not None else f"{name} (no block: the body goes)"


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
