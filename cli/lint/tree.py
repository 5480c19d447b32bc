"""What there is to look at in a tree, read once however many checks ask for it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import jinja2
from jinja2 import nodes

from chalicelib.errors import FieldError, InvalidEvent
from chalicelib.events import bounds, event
from chalicelib.events.event import Event
from chalicelib.words import contract, limits, tidy
from chalicelib.words.contract import Field, Needs, Reader
from chalicelib.words.faults import Fault
from chalicelib.words.mail import CLIPPED_BYTES
from chalicelib.words.render import Message, RenderError, Templates
from cli.lint.locales import is_locale, is_words
from cli.lint.unknown import Unknown, defined_names, every_node, unknown_names
from cli.words.layouts import LINKS
from cli.words.samples import SEVERAL, as_digest, knows_digests

if TYPE_CHECKING:
    from cli.journeys.definition import Definition, DefinitionError
    from cli.lint.absent import Absent
    from cli.lint.long_values import TooLong
    from cli.lint.rulebook import Rulebook

BLOCKS: Final = ("subject", "body")
"""What every template has."""


class Conflict(Exception):
    """A file holds what git leaves where it could not merge: on this line, beginning like this."""

    def __init__(self, line: int, mark: str) -> None:
        super().__init__(mark)
        self.line = line
        self.mark = mark


_CONFLICT: Final = re.compile(r"^(<{7}|>{7}|\|{7})( [^<>|]*)?$", re.MULTILINE)


def _without_conflict(text: str) -> str:
    found = _CONFLICT.search(text)
    if found:
        raise Conflict(text.count("\n", 0, found.start()) + 1, found[1])
    return text


@dataclass(frozen=True, slots=True)
class Sample:
    """A type's sample.json: the event, or why there is none."""

    file: str
    there: bool = True
    event: Event | None = None
    no_json: Exception | None = None
    faults: tuple[FieldError, ...] = ()
    other_type: str | None = None


@dataclass(frozen=True, slots=True)
class Rendering:
    """What the sample says in one locale, or why it says nothing."""

    name: str
    event_type: str
    locale: str
    sample: Event
    message: Message | None = None
    error: RenderError | None = None

    @property
    def file(self) -> str:
        return f"templates/{self.name}"


def is_type(folder: Path) -> bool:
    """Whether a folder has anything of an event type in it."""
    return (folder / "sample.json").is_file() or any(folder.glob("*.j2"))


class Tree:
    """The files below `root`: templates, samples and routing.

    `broken` are the templates that cannot be read, each with its error; there is no syntax tree of
    them, and nothing that needs them is rendered.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "templates"
        self.templates = Templates(self.folder)
        self.environment = self.templates.environment
        self.reader = Reader(self.environment, self.source)
        self.environment.loader = _Loader(self.reader)
        self.broken: dict[
            str, UnicodeDecodeError | jinja2.TemplateSyntaxError | RecursionError | Conflict
        ] = {}
        self._sources: dict[str, str] = {}
        self._nodes: dict[str, list[nodes.Node]] = {}
        folders = self.templates.types if self.folder.is_dir() else ()
        self.types = tuple(name for name in folders if is_type(self.folder / name))
        self.shared = tuple(self._shared())
        for name in self.shared:
            self.syntax(name)
        self.needs = {event_type: dict(self._needs(event_type)) for event_type in self.types}
        self.used = self._used()
        self._compile()

    def _shared(self) -> Iterator[str]:
        """The templates that types share, in folders that start with `_`."""
        for file in sorted(self.folder.glob("_*/**/*.j2")):
            yield file.relative_to(self.folder).as_posix()

    # -- templates ---------------------------------------------------------------------------------

    def source(self, name: str) -> str:
        """The text of a template; empty if it is not UTF-8, or is left of a merge."""
        known = self._sources.get(name)
        if known is None:
            try:
                known = _without_conflict((self.folder / name).read_bytes().decode("utf-8"))
            except (FileNotFoundError, IsADirectoryError):
                raise jinja2.TemplateNotFound(name) from None
            except (UnicodeDecodeError, Conflict) as error:
                self.broken[name] = error
                known = ""
            self._sources[name] = known
        return known

    def sources(self) -> Mapping[str, str]:
        """The text of every template that was read, by its name."""
        return self._sources

    def syntax(self, name: str) -> nodes.Template | None:
        """A template's syntax tree, or None if it is broken."""
        if name in self.broken:
            return None
        try:
            tree = self.reader.tree(name)
        except (jinja2.TemplateSyntaxError, RecursionError) as error:
            self.broken[name] = error
            return None
        return None if name in self.broken else tree

    def nodes(self, name: str) -> list[nodes.Node]:
        """All nodes of a template's syntax tree, in no order that matters."""
        found = self._nodes.get(name)
        if found is None:
            tree = self.syntax(name)
            found = self._nodes[name] = every_node(tree) if tree is not None else []
        return found

    def locales(self, event_type: str) -> list[str]:
        """The locales of a type, as its files are named."""
        files = sorted((self.folder / event_type).glob("*.j2"))
        return [file.stem for file in files if is_locale(file.stem) and file.is_file()]

    def words(self, event_type: str) -> list[str]:
        """What a type is written in, as its files are named: locales, and those of audiences."""
        files = sorted((self.folder / event_type).glob("*.j2"))
        return [file.stem for file in files if is_words(file.stem) and file.is_file()]

    def _needs(self, event_type: str) -> Iterator[tuple[str, Needs]]:
        for locale in self.words(event_type):
            name = f"{event_type}/{locale}.j2"
            if self.syntax(name) is None:
                continue
            try:
                yield locale, self.reader.needs(name)
            except jinja2.TemplateSyntaxError as error:
                self.broken[error.name or name] = error
            except RecursionError as error:
                self.broken[name] = error

    def every_needs(self) -> Iterator[tuple[str, Needs]]:
        """The templates of all types by their names, with what each needs."""
        for event_type, locales in self.needs.items():
            for locale, needs in locales.items():
                yield f"{event_type}/{locale}.j2", needs

    def _used(self) -> dict[str, set[str]]:
        """The files that take part in some message, with the names that those around them bring in."""
        found: dict[str, set[str]] = {}
        own: dict[str, set[str]] = {}
        for _, needs in self.every_needs():
            for name in needs.files:
                if name not in own:
                    own[name] = defined_names(self.nodes(name))
            known = set().union(*(own[name] for name in needs.files))
            for name in needs.files:
                found.setdefault(name, set()).update(known)
        return found

    @cached_property
    def unknown(self) -> dict[str, list[Unknown]]:
        """Filters, tests and functions that a file names and nobody has made."""
        found = {
            name: unknown_names(self.environment, self.nodes(name), name, known)
            for name, known in self.used.items()
        }
        return {name: unknown for name, unknown in found.items() if unknown}

    def _compile(self) -> None:
        """Find what only compiling tells: a block that is there twice, say."""
        for name in self.used:
            if name not in self.unknown and name not in self.broken:
                try:
                    self.environment.get_template(name)
                except jinja2.TemplateSyntaxError as error:
                    self.broken[name] = error
                except RecursionError as error:
                    self.broken[name] = error

    def line_of_block(self, name: str, block: str) -> int:
        """Where a block begins in a template, or 0."""
        for node in self.nodes(name):
            if isinstance(node, nodes.Block) and node.name == block:
                return node.lineno
        return 0

    @cached_property
    def contracts(self) -> dict[str, tuple[Field, list[str]]]:
        """What each type needs in all its locales, and where these disagree."""
        return {
            event_type: contract.merge(
                {locale: needs.data for locale, needs in locales.items()} or {"": Field("")}
            )
            for event_type, locales in self.needs.items()
        }

    # -- samples -----------------------------------------------------------------------------------

    @cached_property
    def samples(self) -> dict[str, Sample]:
        return {event_type: self._sample(event_type) for event_type in self.types}

    def _sample(self, event_type: str) -> Sample:
        file = f"templates/{event_type}/sample.json"
        path = self.root / file
        if not path.is_file():
            return Sample(file, there=False)
        try:
            raw = bounds.decode(_without_conflict(path.read_bytes().decode("utf-8")))
        except (UnicodeDecodeError, json.JSONDecodeError, RecursionError, Conflict) as error:
            return Sample(file, no_json=error)
        if faults := bounds.problems(raw):
            return Sample(file, faults=tuple(faults))
        other = None
        if isinstance(raw, dict) and isinstance(raw.get("type"), str) and raw["type"] != event_type:
            other = raw["type"]
            raw = {**raw, "type": event_type}
        try:
            found = event.parse(raw, default_id="sample", default_source="sample")
        except InvalidEvent as error:
            return Sample(file, faults=tuple(error.errors), other_type=other)
        return Sample(file, event=found, other_type=other)

    @cached_property
    def absent(self) -> dict[str, list[Absent]]:
        """What the templates of each type name, and its sample does not have."""
        from cli.lint.absent import absent_from_sample

        return {event_type: list(absent_from_sample(self, event_type)) for event_type in self.types}

    @cached_property
    def renderings(self) -> list[Rendering]:
        """Every sample in every locale, where nothing that it takes is broken."""
        found = []
        for name, needs in self.every_needs():
            event_type, _, locale = name.removesuffix(".j2").partition("/")
            sample = self.samples[event_type].event
            if sample is not None and not any(
                file in self.broken or file in self.unknown for file in needs.files
            ):
                found.append(self.render(name, event_type, locale, sample))
                if knows_digests(self.root, event_type):
                    several = as_digest(sample, SEVERAL)
                    found.append(self.render(name, event_type, locale, several))
        return found

    @cached_property
    def refused_mails(self) -> list[RenderError]:
        """Why samples that render make no mail."""
        refused = (self._mail(r.message)[1] for r in self.renderings if r.message is not None)
        return [error for error in refused if error is not None]

    def _mail(self, message: Message) -> tuple[str, RenderError | None]:
        """The HTML of a message's mail, or what is wrong with that."""
        try:
            return self.templates.mail(message, LINKS).html, None
        except RenderError as error:
            return "", error

    def clipped(self, rendering: Rendering) -> RenderError | None:
        """What is wrong with a mail that is larger than what Gmail shows."""
        html = self._mail(rendering.message)[0] if rendering.message else ""
        size = len(html.encode())
        if size <= CLIPPED_BYTES:
            return None
        what = f"the HTML of its mail has {size:,} bytes; Gmail cuts off after {CLIPPED_BYTES:,}"
        return RenderError("mail-clipped", Fault(what, rendering.name))

    def too_costly(self, rendering: Rendering) -> RenderError | None:
        """What is wrong with an SMS that takes more parts than its type may cost."""
        most = self.rulebook.routing.settings(rendering.event_type).sms_parts
        if not most or rendering.message is None:
            return None
        sms = limits.sms(tidy.affordable(rendering.message.sms, most))
        if sms.parts <= most:
            return None
        what = f"the SMS takes {sms.parts} parts in {sms.encoding}, and its type may cost {most}"
        if "sms" not in rendering.message.bodies:
            what = f"there is no block sms, and with the body {what}"
        return RenderError("sms-too-costly", Fault(what, rendering.name))

    @cached_property
    def too_long(self) -> list[TooLong]:
        """The fields that make a message too long, as long as the door takes them."""
        from cli.lint.long_values import too_long

        return list(too_long(self))

    def render(self, name: str, event_type: str, locale: str, sample: Event) -> Rendering:
        message = error = None
        try:
            message = self.templates.render(sample, locale)
        except RenderError as refused:
            error = refused
        return Rendering(name, event_type, locale, sample, message, error)

    # -- routing -----------------------------------------------------------------------------------

    @cached_property
    def rulebook(self) -> Rulebook:
        from cli.lint.rulebook import Rulebook

        return Rulebook(self)

    # -- journeys ----------------------------------------------------------------------------------

    @cached_property
    def journeys(self) -> dict[str, Definition | DefinitionError]:
        """Every journey that has a file, or why it cannot be read."""
        from cli.journeys import definition

        found: dict[str, Definition | DefinitionError] = {}
        for name in definition.names(self.root):
            try:
                found[name] = definition.read(self.root, name)
            except definition.DefinitionError as error:
                found[name] = error
        return found


class _Loader(jinja2.BaseLoader):
    """Compiles the syntax trees that were read, so that nothing is parsed a second time."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def load(
        self,
        environment: jinja2.Environment,
        name: str,
        globals: MutableMapping[str, Any] | None = None,
    ) -> jinja2.Template:
        code = environment.compile(self._reader.tree(name), name, name)
        return environment.template_class.from_code(environment, code, globals or {}, None)
