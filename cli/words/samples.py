"""Every sample of a tree in words, and, where one does not render, what is wrong and where.

python -m cli.words.samples FOLDER    writes a golden file per type and locale (`make golden`)
"""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import jinja2

from chalicelib.errors import InvalidEvent, PermanentError
from chalicelib.events import bounds
from chalicelib.events import event as events
from chalicelib.events.event import Event
from chalicelib.events.gathered import Gathered
from chalicelib.spelling import nearest
from chalicelib.words.render import CHANNELS, Message, RenderError, Templates
from cli.lint.syntax import explain_syntax_error
from cli.paths import ROOT
from cli.words.layouts import LINKS

NAMES: Final = ("subject", "body", "html", *CHANNELS)
"""What a template can say something in, in the order in which it is shown."""


# Where what SNS would refuse is written.
_BLOCKS: Final[Mapping[str, str]] = {
    "subject": "subject",
    "sms-too-long": "sms",
    "push-too-large": "push",
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why something does not render. `file` is relative to the tree; `line` is 0 where none is known."""

    problem: str
    file: str
    line: int = 0
    column: int | None = None
    remedy: str = ""


class TroubleError(Exception):
    """A sample or data that cannot be rendered at all."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.problem)
        self.trouble = trouble


@dataclass(frozen=True, slots=True)
class Rendering:
    """What an event says in one locale: a text per channel, or the trouble.

    `wanted` is the locale that was asked for, where `locale` is the one that it fell back to. `html` is
    its e-mail as a browser shows it, `letter` what that says, without looks and layout.
    """

    event_type: str
    locale: str
    wanted: str
    channels: Mapping[str, str]
    trouble: Trouble | None = None
    html: str = ""
    letter: str = ""


def sample(root: Path, event_type: str, data: Mapping[str, Any] | None = None) -> Event:
    """The sample event of a type, with `data` in place of its own if given.

    Raises
    ------
    TroubleError : there is no sample, or it is no event.
    """
    file = f"templates/{event_type}/sample.json"
    raw: Any = {"type": event_type}
    try:
        raw = bounds.decode((root / file).read_text(encoding="utf-8"))
    except FileNotFoundError:
        if data is None:
            remedy = "write one, or give the data with --data"
            raise TroubleError(Trouble("there is no sample", file, remedy=remedy)) from None
    except UnicodeDecodeError:
        raise TroubleError(Trouble("is not UTF-8", file, remedy="save it as UTF-8")) from None
    except json.JSONDecodeError as error:
        trouble = Trouble(f"is not JSON: {error.msg}", file, error.lineno, error.colno)
        raise TroubleError(trouble) from None
    except RecursionError:
        raise TroubleError(Trouble("is nested too deeply to be read", file)) from None
    if data is not None and isinstance(raw, Mapping):
        raw = {**raw, "data": data}
    if faults := bounds.problems(raw):
        what = f"{faults[0].field}: {faults[0].problem}"
        raise TroubleError(Trouble(f"is not an event: {what}", file))
    try:
        found = events.parse(raw, default_id="sample", default_source="sample")
    except InvalidEvent as error:
        what = "; ".join(f"{e.field}: {e.problem}" for e in error.errors)
        raise TroubleError(Trouble(f"is not an event: {what}", file)) from None
    return dataclasses.replace(found, type=event_type)


def as_digest(event: Event, count: int) -> Event:
    """An event as the digest of so many like it."""
    return dataclasses.replace(event, digest=Gathered.alike(event, "sample", count))


def knows_digests(root: Path, event_type: str) -> bool:
    """Whether the words of a type say something of digests."""
    files = [f for f in (root / "templates" / event_type).glob("*.j2") if f.is_file()]
    return any(_DIGEST.search(file.read_text(encoding="utf-8", errors="replace")) for file in files)


_DIGEST: Final = re.compile(r"\bdigest(_count)?\b")
SEVERAL: Final = 3
"""So many are in the digest of a sample."""


def render(templates: Templates, event: Event, wanted: str) -> Rendering:
    """Render an event in a locale, falling back as a customer's message would."""
    locale = wanted
    try:
        there = wanted in templates.words(event.type)
        locale = wanted if there else templates.words_for(event.type, wanted)
        message = templates.render(event, locale)
        return Rendering(
            event.type,
            locale,
            wanted,
            channels(message),
            html=templates.mail(message, LINKS).html,
            letter=templates.letter(message),
        )
    except PermanentError as error:
        trouble = _trouble(error, templates, event, locale)
        return Rendering(event.type, locale, wanted, {}, trouble)


def channels(message: Message) -> dict[str, str]:
    """A message's texts by the names of their blocks; what a template leaves out is not there."""
    found = {"subject": message.subject, "body": message.bodies["default"]}
    for channel, protocols in CHANNELS.items():
        text = message.bodies.get(protocols[0])
        if text is not None:
            push = channel == "push"
            found[channel] = _pushed(text) if push else text
    if message.html:
        found["html"] = message.html
    return found


def every_sample(root: Path) -> Iterator[Rendering]:
    """All samples below `root`, in every locale that they are written in."""
    templates = Templates(root / "templates")
    for event_type in templates.types:
        try:
            event = sample(root, event_type)
        except TroubleError as error:
            for locale in templates.words(event_type):
                yield Rendering(event_type, locale, locale, {}, error.trouble)
            continue
        for locale in templates.words(event_type):
            yield render(templates, event, locale)
            if knows_digests(root, event_type):
                several = render(templates, as_digest(event, SEVERAL), locale)
                yield dataclasses.replace(several, event_type=f"{event_type}.digest")


def as_text(rendering: Rendering) -> str:
    """All channels of a rendering as one text: what a golden file holds."""
    if rendering.trouble:
        return f"{place(rendering.trouble)}: {rendering.trouble.problem}\n"
    texts = {**rendering.channels, "html": rendering.letter}
    return "\n".join(f"== {name} ==\n{text}\n" for name, text in texts.items())


def place(trouble: Trouble) -> str:
    """`file:line:column`, as far as they are known."""
    found = trouble.file
    if trouble.line:
        found += f":{trouble.line}" + (f":{trouble.column}" if trouble.column else "")
    return found


# -- what is wrong, and where ----------------------------------------------------------------------


def _trouble(error: PermanentError, templates: Templates, event: Event, locale: str) -> Trouble:
    if not isinstance(error, RenderError):
        return Trouble(str(error), f"templates/{event.type}")
    cause = error.__context__
    fault = error.first
    name, line, word = fault.template, fault.line, fault.path
    if isinstance(cause, jinja2.TemplateSyntaxError):
        return _syntax(cause, name, templates)
    source = _source(templates, name).splitlines()
    remedy = ""
    if error.reason in _BLOCKS:
        block = re.compile(rf"\{{%[-+]?\s*block {_BLOCKS[error.reason]}\b")
        line = next((n for n, text in enumerate(source, 1) if block.search(text)), 0)
    elif isinstance(cause, UnicodeDecodeError):
        remedy = "save it as UTF-8"
    elif isinstance(cause, jinja2.TemplateNotFound):
        files = [f.relative_to(templates.root).as_posix() for f in templates.root.rglob("*.j2")]
        word = str(cause.name)
        near = nearest(word, files)
        remedy = f"did you mean {near}?" if near else ""
        line = line or next((n for n, text in enumerate(source, 1) if word in text), 0)
    elif fault.missing and word:
        near = _near(word, event, locale)
        remedy = (
            f"did you mean {near}?"
            if near
            else f"add it to the data, or use it only if it is defined: {word}|default"
        )
    return Trouble(str(fault), f"templates/{name}", line, _column(source, line, word), remedy)


def _syntax(error: jinja2.TemplateSyntaxError, name: str, templates: Templates) -> Trouble:
    told = explain_syntax_error(_source(templates, name), error)
    remedy = told.remedy
    unknown = re.match(r"No (filter|test) named '(.+?)'", told.message)
    if unknown:
        known = getattr(templates.environment, f"{unknown[1]}s")
        near = nearest(unknown[2], known)
        remedy = f"did you mean {near!r}?" if near else "see the filters in docs/templates.md"
    return Trouble(told.message, f"templates/{name}", told.line, told.column, remedy)


def _source(templates: Templates, name: str) -> str:
    try:
        return (templates.root / name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _column(source: list[str], line: int, word: str | None) -> int | None:
    if not word or not 0 < line <= len(source):
        return None
    found = re.search(rf"(?<![\w.]){re.escape(word)}(?!\w)", source[line - 1])
    return found.start() + 1 if found else None


def _near(path: str, event: Event, locale: str) -> str | None:
    """What the data has that a missing path was most likely meant to be."""
    *parents, last = path.split(".")
    node: Any = {**event.data, "event": event.attributes(), "locale": locale}
    for parent in parents:
        node = node.get(parent) if isinstance(node, Mapping) else None
    near = nearest(last, node) if isinstance(node, Mapping) else None
    return ".".join([*parents, near]) if near and near != last else None


def write_golden(root: Path, folder: Path) -> list[str]:
    """Bring the golden files up to date; the names of those that changed, came or went."""
    folder.mkdir(parents=True, exist_ok=True)
    there = {file.name: file.read_text(encoding="utf-8") for file in folder.glob("*.txt")}
    now = {f"{r.event_type}.{r.locale}.txt": as_text(r) for r in every_sample(root)}
    changed = sorted(n for n in there.keys() | now.keys() if there.get(n) != now.get(n))
    for name in changed:
        if name in now:
            (folder / name).write_text(now[name], encoding="utf-8")
        else:
            (folder / name).unlink()
    return changed


if __name__ == "__main__":
    changes = write_golden(ROOT, Path(sys.argv[1]))
    print("\n".join(f"updated {name}" for name in changes) or "The golden files are up to date.")


def _pushed(payload: str) -> str:
    """What a push says, from the payload that Google gets."""
    said: str = json.loads(payload)["fcmV1Message"]["message"]["notification"]["body"]
    return said
