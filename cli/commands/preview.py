"""`./heraldo preview`: what a template says, in every channel and locale, while it is being written."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click

from chalicelib.spelling import did_you_mean
from chalicelib.words import limits, mail
from chalicelib.words.render import Templates
from cli import browser
from cli import target as targets
from cli.paths import HOME, ROOT
from cli.words import changes
from cli.words.samples import NAMES, Rendering, Trouble, TroubleError, as_digest, render, sample
from cli.words.showing import side_by_side, troubles, width

_LOOK_EVERY: Final = 0.1  # seconds; a hundred event types are looked at in a few milliseconds

_Saved = dict[Path, tuple[int, int]]


@click.command
@click.argument("event_type", metavar="TYPE", required=False, shell_complete=targets.complete_type)
@click.option("--data", help="JSON, or @FILE, or - for standard input; default: the sample's.")
@click.option(
    "--locale",
    "locales",
    multiple=True,
    help="Only this one; can be repeated.",
    shell_complete=targets.complete_locale,
)
@click.option(
    "--channel", "names", multiple=True, type=click.Choice(NAMES), help="Only this one; likewise."
)
@click.option(
    "--digest",
    type=click.IntRange(min=2),
    metavar="NUMBER",
    help="As a digest of so many events like it.",
)
@click.option("--open", "in_browser", is_flag=True, help="Show its e-mail in a browser.")
@click.option("--html", "as_html", is_flag=True, help="Print its e-mail's HTML, and nothing else.")
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
    digest: int | None,
    in_browser: bool,
    as_html: bool,
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
    ./heraldo preview order.shipped --open
    ./heraldo preview critical.alert --digest 12
    ./heraldo preview order.shipped --locale en --html > mail.html
    ./heraldo preview --diff main
    """
    root = root.resolve()
    if revision and event_type is None and (root / "templates" / revision).is_dir():
        event_type, revision = revision, "HEAD"  # --diff TYPE reads as --diff HEAD TYPE
    if digest is not None and revision:
        raise click.UsageError("--digest does not go with --diff.")
    if watch and (revision or as_json):
        raise click.UsageError("--watch goes with neither --diff nor --json.")
    if in_browser + as_html + bool(watch or revision or as_json) > 1:
        raise click.UsageError("--open and --html go with none of --watch, --diff, --json.")
    if event_type is not None:
        _check_type(root, event_type, anywhere=bool(revision))
    elif not revision or data is not None:
        raise click.UsageError(f"Name an event type: {', '.join(_types(root))}.")
    if revision:
        given = _data(data)
        sys.exit(
            changes.show(root, revision, event_type, locales, names, given, exit_code, as_json)
        )
    assert event_type is not None  # noqa: S101 - for the type checker
    view = _View(root, event_type, data, locales, names, digest)
    if watch:
        view.watch()
    elif in_browser or as_html:
        sys.exit(_mails(view.renderings(), root, in_browser))
    elif as_json:
        found = view.renderings()
        print(json.dumps([as_dict(r, names) for r in found], ensure_ascii=False))
        sys.exit(any(r.trouble for r in found))
    else:
        found = view.renderings()
        click.echo(side_by_side([r for r in found if not r.trouble], names, width()), nl=False)
        click.echo(troubles(found, root), nl=False, err=True)
        sys.exit(any(r.trouble for r in found))


def _mails(found: Sequence[Rendering], root: Path, in_browser: bool) -> int:
    """Print the HTML of e-mails, or show each in a browser; gives the exit code."""
    for rendering in found:
        if rendering.trouble:
            continue
        if not rendering.html:
            file = root / "templates" / mail.LAYOUT
            raise click.ClickException(f"E-mails have no HTML here: there is no {file}")
        if not in_browser:
            click.echo(rendering.html)
            continue
        file = HOME / "preview" / f"{rendering.event_type}.{rendering.locale}.html"
        click.echo(f"{rendering.event_type} in {rendering.locale}: {file}")
        browser.show(rendering.html, file)
    click.echo(troubles(found, root), nl=False, err=True)
    return int(any(rendering.trouble for rendering in found))


class _View:
    """One event type, looked at once or for as long as its author works on it."""

    def __init__(
        self,
        root: Path,
        event_type: str,
        data: str | None,
        locales: Sequence[str],
        names: Sequence[str],
        digest: int | None,
    ) -> None:
        self.digest = digest
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
        wanted = self.locales or templates.words(self.event_type)
        try:
            event = sample(self.root, self.event_type, self.given)
        except TroubleError as error:
            return [
                Rendering(self.event_type, locale, locale, {}, error.trouble)
                for locale in wanted or ("es",)
            ]
        if self.digest is not None:
            event = as_digest(event, self.digest)
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
    if not names or "html" in names:
        found["html"] = rendering.html
    found["subject_characters"] = len(texts["subject"])
    found["sms"] = {
        "falls_back": "sms" not in texts,
        "encoding": sms.encoding,
        "characters": sms.characters,
        "parts": sms.parts,
        "forcing": list(sms.forcing),
    }
    return found
