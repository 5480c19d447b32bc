"""What a change does to the words: the samples at a git revision against those of the tree as it is.

Both are rendered by the code as it is now, each with its own templates and samples.
"""

from __future__ import annotations

import difflib
import io
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import click

from chalicelib.words.render import Templates
from cli.words.samples import NAMES, Rendering, TroubleError, place, render, sample
from cli.words.showing import about_sms, troubles

_CONTEXT: Final = 1  # unchanged lines that are shown around a change
_WORDS: Final = re.compile(r"\n|[^\S\n]+|\w+|[^\w\s]")
# Below this likeness, words in two colours are confetti: the old text and the new one read better.
_ALIKE: Final = 0.4


@dataclass(frozen=True, slots=True)
class Change:
    """One type in one locale that says something else than it did."""

    event_type: str
    locale: str
    status: Literal["added", "removed", "changed", "broken"]
    old: Mapping[str, str]
    new: Mapping[str, str]
    sample_changed: bool
    rendering: Rendering | None

    def channels(self, names: Sequence[str]) -> Iterator[tuple[str, str | None, str | None]]:
        """The channels that differ, with the old and the new text (None: there is none)."""
        for name in NAMES:
            old, new = self.old.get(name), self.new.get(name)
            if old != new and (not names or name in names):
                yield name, old, new


def show(
    root: Path,
    revision: str,
    event_type: str | None,
    locales: Sequence[str],
    names: Sequence[str],
    data: Mapping[str, Any] | None,
    exit_code: bool,
    as_json: bool,
) -> int:
    """Print what changed since `revision`, and give the exit code."""
    with tree_at(root, revision) as before:
        found = changes(before, root, event_type, locales, data)
    found = [c for c in found if c.status == "broken" or any(c.channels(names))]
    broken = [c for c in found if c.status == "broken"]
    if as_json:
        print(json.dumps([_as_dict(c, names) for c in found], ensure_ascii=False))
    else:
        for change in found:
            click.echo(for_people(change, names, sys.stdout.isatty()), nl=False)
        click.echo(_summary(found, revision))
        told = troubles([c.rendering for c in broken if c.rendering], root)
        click.echo(told, nl=False, err=True)
    return 1 if broken or (exit_code and found) else 0


@contextmanager
def tree_at(root: Path, revision: str) -> Iterator[Path]:
    """The templates as they were at a git revision, in a folder that goes away again.

    Raises
    ------
    click.ClickException : there is no git, no repository, or no such revision.
    """
    commit = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{}}")
    name = commit.decode().strip()
    if not name:
        raise click.ClickException(f"git knows no revision {revision!r}")
    with tempfile.TemporaryDirectory(prefix="heraldo-") as folder:
        there = Path(folder)
        (there / "templates").mkdir()
        if _git(root, "ls-tree", "--name-only", name, "templates/"):
            archive = _git(root, "archive", "--format=tar", name, "templates")
            with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
                for member in tar:
                    content = tar.extractfile(member) if member.isfile() else None
                    if content is not None:
                        file = there / member.name
                        file.parent.mkdir(parents=True, exist_ok=True)
                        file.write_bytes(content.read())
        yield there


def _git(root: Path, *arguments: str) -> bytes:
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=False)
    except FileNotFoundError:
        raise click.ClickException("--diff needs git, and there is none") from None
    if done.returncode and (done.stderr or arguments[0] != "rev-parse"):
        why = done.stderr.decode(errors="replace").strip().removeprefix("fatal: ")
        raise click.ClickException(f"git: {why}")
    return done.stdout


def changes(
    before: Path,
    after: Path,
    event_type: str | None = None,
    locales: Sequence[str] = (),
    data: Mapping[str, Any] | None = None,
) -> list[Change]:
    """What differs in words between two trees, type by type and locale by locale.

    A locale is `broken` when it does not render after the change, whatever it did before.
    """
    old, new = Templates(before / "templates"), Templates(after / "templates")
    types = [event_type] if event_type else sorted({*old.types, *new.types})
    found = []
    for name in types:
        for locale in sorted({*old.words(name), *new.words(name)}):
            if not locales or locale in locales:
                change = _change(before, after, old, new, name, locale, data)
                if change is not None:
                    found.append(change)
    return found


def _change(
    before: Path,
    after: Path,
    old: Templates,
    new: Templates,
    event_type: str,
    locale: str,
    data: Mapping[str, Any] | None,
) -> Change | None:
    was = _rendering(before, old, event_type, locale, data)
    now = _rendering(after, new, event_type, locale, data)
    file = f"templates/{event_type}/sample.json"
    sample_changed = data is None and _bytes(before / file) != _bytes(after / file)
    status: Literal["added", "removed", "changed", "broken"] = "changed"
    if now is not None and now.trouble:
        status = "broken"
    elif was is None:
        status = "added"
    elif now is None:
        status = "removed"
    old_texts = was.channels if was else {}
    new_texts = now.channels if now else {}
    if status == "changed" and old_texts == new_texts:
        return None
    return Change(event_type, locale, status, old_texts, new_texts, sample_changed, now)


def _rendering(
    root: Path,
    templates: Templates,
    event_type: str,
    locale: str,
    data: Mapping[str, Any] | None,
) -> Rendering | None:
    if locale not in templates.words(event_type):
        return None
    try:
        return render(templates, sample(root, event_type, data), locale)
    except TroubleError as error:
        return Rendering(event_type, locale, locale, {}, error.trouble)


def _bytes(file: Path) -> bytes:
    return file.read_bytes() if file.exists() else b""


# -- in words --------------------------------------------------------------------------------------


def _as_dict(change: Change, names: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": change.event_type,
        "locale": change.locale,
        "status": change.status,
        "sample_changed": change.sample_changed,
    }
    trouble = change.rendering.trouble if change.rendering else None
    if trouble:
        found["error"] = {"place": place(trouble), "problem": trouble.problem}
    else:
        found["channels"] = {n: {"old": o, "new": w} for n, o, w in change.channels(names)}
    return found


def for_people(change: Change, names: Sequence[str], colours: bool) -> str:
    """What a type says otherwise than it did, channel by channel."""
    head = f"{change.event_type} in {change.locale}"
    if change.status == "broken":
        return click.style(f"━━ {head}: does not render any more\n\n", fg="red", bold=True)
    if change.status != "changed":
        head += f" ({change.status})"
    if change.sample_changed and change.status == "changed":
        head += " (sample.json changed, too)"
    told = click.style(f"━━ {head}\n", bold=True)
    for name, old, new in change.channels(names):
        told += click.style(f"{_heading(name, change)}\n", fg="cyan")
        told += _difference(old, new, colours) + "\n"
    return told


def _heading(name: str, change: Change) -> str:
    if name == "subject":
        lengths = [str(len(t["subject"])) for t in (change.old, change.new) if t]
        return f"subject {' → '.join(lengths)}/99"
    if name == "sms":
        told = [about_sms(t) for t in (change.old, change.new) if t]
        return f"sms {' → '.join(dict.fromkeys(told))}"
    return name


def _difference(old: str | None, new: str | None, colours: bool) -> str:
    before = old.split("\n") if old is not None else []
    after = new.split("\n") if new is not None else []
    lines: list[str] = []
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for group in matcher.get_grouped_opcodes(_CONTEXT):
        if lines or group[0][1] > 0:
            lines.append(click.style("  ⋯", dim=True))
        for tag, i, j, k, m in group:
            if tag == "equal":
                lines += [click.style(f"  {line}".rstrip(), dim=True) for line in before[i:j]]
            else:
                lines += _replaced(before[i:j], after[k:m], colours)
        last = group[-1]
    if lines and last[2] < len(before):
        lines.append(click.style("  ⋯", dim=True))
    return "\n".join(lines) + "\n"


def _replaced(before: Sequence[str], after: Sequence[str], colours: bool) -> list[str]:
    if colours and before and after:
        old, new = _WORDS.findall("\n".join(before)), _WORDS.findall("\n".join(after))
        words = difflib.SequenceMatcher(None, old, new, autojunk=False)
        if words.ratio() >= _ALIKE:
            text = ""
            for tag, i, j, k, m in words.get_opcodes():
                if tag == "equal":
                    text += "".join(old[i:j])
                else:
                    text += _gone("".join(old[i:j])) + _come("".join(new[k:m]))
            return [f"~ {line}" for line in text.split("\n")]
    gone, come = (_gone, _come) if colours else (str, str)
    return [gone(f"- {line}".rstrip()) for line in before] + [
        come(f"+ {line}".rstrip()) for line in after
    ]


def _gone(text: str) -> str:
    return _each_line(text, fg="red", strikethrough=True)


def _come(text: str) -> str:
    return _each_line(text, fg="green", bold=True)


def _each_line(text: str, **style: Any) -> str:
    return "\n".join(click.style(line, **style) if line else "" for line in text.split("\n"))


def _summary(found: Sequence[Change], revision: str) -> str:
    if not found:
        return f"No sample says anything else than at {revision}."
    types = len({change.event_type for change in found})
    told = f"{len(found)} message{'s' if len(found) > 1 else ''}"
    told += f" of {types} event type{'s' if types > 1 else ''} changed since {revision}"
    broken = sum(change.status == "broken" for change in found)
    return told + (f"; {broken} {'does' if broken == 1 else 'do'} not render." if broken else ".")
