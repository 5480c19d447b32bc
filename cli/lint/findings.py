"""What is wrong with the templates and the routing of a tree: the core of `./heraldo lint`.

Every check works on the files alone; nothing is sent and nothing is asked of AWS.
"""

from __future__ import annotations

import dataclasses
import gc
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal

import jinja2
from jinja2 import nodes
from jinja2.runtime import Macro

from chalicelib.errors import FieldError, InvalidEvent
from chalicelib.events import bounds, event
from chalicelib.events.event import Event
from chalicelib.spelling import nearest
from chalicelib.words import contract, limits
from chalicelib.words.contract import Field, Needs, Reader
from chalicelib.words.filters import FILTERS, FilterError
from chalicelib.words.render import CHANNELS, Message, RenderError, Templates
from cli.lint.declared import lint_declared
from cli.lint.finding import Finding
from cli.lint.rules import lint_routing
from cli.lint.syntax import explain_syntax_error
from cli.lint.unknown import defined_names, every_node, unknown_names

LOCALES: Final = ("es", "en")
BLOCKS: Final = ("subject", "body")
_LOCALE: Final = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*\Z")
_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")
_UNPRINTABLE: Final = {
    dict: "an object: print one of its fields",
    list: "a list: write |listed, or loop over it with {% for %}",
    Macro: "a macro: call it, with () behind its name",
}
_BRACES: Final = re.compile(r"\$\{ *([\w.]+) *\}|\{+ *([\w.]+) *\}+|\}\}|%\}|\{\{|\{%")
# Values that are not free text: dates, links, amounts, codes. Longer ones would not be plausible.
_FIXED: Final = re.compile(r"\d{4}-\d\d-\d\d|https?://|-?[\d.,]+\Z|[A-Z]{3}\Z|[a-z]+(\.[a-z]+)+\Z")
_MAX_SMS_PARTS: Final = 3


def lint(root: Path) -> list[Finding]:
    """Everything that is wrong below `root`, which has `templates/` and `chalicelib/routing.toml`.

    Sorted by file and line; no finding is there twice.
    """
    # Trees are many small objects that all live to the end: collecting garbage finds none.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return _Lint(root).run()
    finally:
        if collecting:
            gc.enable()


class _Lint:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "templates"
        self.found: dict[Finding, None] = {}
        self.templates = Templates(self.folder)
        self.environment = self.templates.environment
        self.reader = Reader(self.environment, self._source)
        self._parse_once()
        self._print_no_objects()
        self._sources: dict[str, str] = {}
        self._broken: set[str] = set()
        self._checked: set[str] = set()
        self.samples: dict[str, Event] = {}
        self._every: dict[str, list[nodes.Node]] = {}
        self._names: dict[str, set[str]] = {}
        self._blocks_at: dict[tuple[str, str], int] = {}

    def _parse_once(self) -> None:
        """Compile from the trees that were read, and as they are: lint renders each but twice."""
        self.environment.optimized = False
        parse = self.environment._parse

        def parsed(source: str, name: str | None, filename: str | None) -> nodes.Template:
            tree = self.reader.hand_over(name) if name else None
            return tree or parse(source, name, filename)

        self.environment._parse = parsed  # type: ignore[method-assign]

    def _print_no_objects(self) -> None:
        """Nobody is to read "{'id': 7}": a sample that has an object where a text is printed tells."""
        text = self.environment.text

        def told(value: Any, path: str | None) -> str:
            for kind, remedy in _UNPRINTABLE.items():
                if isinstance(value, kind):
                    raise FilterError(f"{path or 'what is printed here'} is {remedy}")
            return text(value, path)

        self.environment.text = told  # type: ignore[method-assign]

    def run(self) -> list[Finding]:
        if not self.folder.is_dir():
            self.error("templates", 0, "no-templates", "there is no folder templates/", "make it")
            return list(self.found)
        for name in self._shared():
            self._tree(name)
        for event_type in self.templates.types:
            self._event_type(event_type)
        self._routing()
        order = {"error": 0, "warning": 1}
        return sorted(self.found, key=lambda f: (f.file, f.line, order[f.severity], f.code))

    # -- telling -----------------------------------------------------------------------------------

    def error(self, file: str, line: int, code: str, message: str, remedy: str) -> None:
        self._tell("error", file, line, code, message, remedy, None)

    def warning(self, file: str, line: int, code: str, message: str, remedy: str) -> None:
        self._tell("warning", file, line, code, message, remedy, None)

    def _tell(
        self,
        severity: Literal["error", "warning"],
        file: str,
        line: int,
        code: str,
        message: str,
        remedy: str,
        word: str | None,
    ) -> None:
        column = self._column(file, line, word) if word else None
        self.found[Finding(severity, file, line, column, code, message, remedy)] = None

    def _column(self, file: str, line: int, word: str) -> int | None:
        """Where on its line a word stands. Jinja's nodes know their line only."""
        lines = self._sources.get(file.removeprefix("templates/"), "").splitlines()
        if not 0 < line <= len(lines):
            return None
        found = re.search(rf"(?<![\w.]){re.escape(word)}(?!\w)", lines[line - 1])
        return found.start() + 1 if found else None

    # -- files -------------------------------------------------------------------------------------

    def _shared(self) -> Iterator[str]:
        for file in sorted(self.folder.glob("_*/**/*.j2")):
            yield file.relative_to(self.folder).as_posix()

    def _source(self, name: str) -> str:
        known = self._sources.get(name)
        if known is None:
            try:
                text = (self.folder / name).read_bytes().decode("utf-8")
            except (FileNotFoundError, IsADirectoryError):
                raise jinja2.TemplateNotFound(name) from None
            except UnicodeDecodeError as error:
                line = error.object[: error.start].count(b"\n") + 1
                self.error(
                    f"templates/{name}", line, "encoding", "is not UTF-8", "save it as UTF-8"
                )
                self._broken.add(name)
                text = ""
            if text.startswith("\ufeff"):
                self.error(
                    f"templates/{name}",
                    1,
                    "byte-order-mark",
                    "starts with an invisible byte order mark, which would be sent along",
                    'save it as "UTF-8", not as "UTF-8 with BOM"',
                )
            known = self._sources[name] = text
        return known

    def _tree(self, name: str) -> nodes.Template | None:
        """A file's syntax tree, or None once its syntax error has been told."""
        if name in self._broken:
            return None
        try:
            tree = self.reader.tree(name)
        except jinja2.TemplateSyntaxError as error:
            self._broken.add(name)
            self._syntax(name, error)
            return None
        return None if name in self._broken else tree

    def _syntax(self, name: str, error: jinja2.TemplateSyntaxError) -> None:
        told = explain_syntax_error(self._source(name), error)
        file = f"templates/{name}"
        self.found[
            Finding("error", file, told.line, told.column, "syntax", told.message, told.remedy)
        ] = None

    # -- one event type ----------------------------------------------------------------------------

    def _event_type(self, event_type: str) -> None:
        folder = f"templates/{event_type}"
        if not _TYPE.match(event_type):
            self.error(
                folder, 0, "event-type", f"{event_type!r} is no name for an event type",
                "use lower case letters, digits, dots and hyphens, such as order.shipped",
            )  # fmt: skip
        locales = self._locales(event_type)
        needs: dict[str, Needs] = {}
        for locale in locales:
            read = self._template(f"{event_type}/{locale}.j2")
            if read is not None:
                needs[locale] = read
        merged, disagreements = contract.merge({loc: n.data for loc, n in needs.items()} or {
            "": Field("")
        })  # fmt: skip
        sample = self._sample(event_type)
        known = len(self.found)
        if sample is not None:
            for locale, read in needs.items():
                self._names_in_sample(f"{event_type}/{locale}.j2", read, sample)
        if len(self.found) == known:  # a misspelt name is no disagreement
            for disagreement in disagreements:
                self.warning(
                    folder, 0, "locales-disagree", disagreement,
                    "say the same in every locale, or make the field optional in all",
                )  # fmt: skip
        if sample is None:
            return
        faults = [
            fault for fault in contract.missing(merged, sample.data) if fault[1] != "is missing"
        ]
        for path, problem in faults:
            self.error(
                f"{folder}/sample.json", 0, "sample-data", f"data.{path} {problem}",
                "give the value that the templates use",
            )  # fmt: skip
        for locale, read in needs.items():
            name = f"{event_type}/{locale}.j2"
            if name not in self._broken and not self._broken.intersection(read.files):
                self._render(name, locale, sample)

    def _locales(self, event_type: str) -> list[str]:
        folder = f"templates/{event_type}"
        locales = []
        for file in sorted((self.folder / event_type).iterdir()):
            if file.name == "sample.json" or file.name.startswith("."):
                continue
            if file.suffix == ".j2" and _LOCALE.match(file.stem) and file.is_file():
                locales.append(file.stem)
                continue
            hyphened = file.stem.replace("_", "-")  # what events and subscribers' filters say
            if file.suffix == ".j2" and file.is_file() and _LOCALE.match(hyphened):
                self.error(
                    f"{folder}/{file.name}", 0, "unknown-file",
                    f"is named in a way that no subscriber's filter on {hyphened} lets through",
                    f"rename it to {hyphened}.j2",
                )  # fmt: skip
                continue
            near = nearest(file.stem, [*LOCALES, "sample"])
            self.error(
                f"{folder}/{file.name}", 0, "unknown-file",
                "is neither a locale's template (es.j2) nor sample.json, so it is never used",
                f"rename it to {near}.j2"
                if near in LOCALES and near not in locales and file.is_file()
                else "rename or remove it",
            )  # fmt: skip
        for locale in LOCALES:
            if locale not in locales:
                others = f"copy {locales[0]}.j2 and translate it" if locales else "write it"
                self.error(
                    f"{folder}/{locale}.j2", 0, "missing-locale",
                    f"{event_type} is not written in {locale!r}", others,
                )  # fmt: skip
        return locales

    def _template(self, name: str) -> Needs | None:
        """Check one file by itself, and give what it needs if its syntax holds."""
        tree = self._tree(name)
        if tree is None:
            return None
        try:
            needs = self.reader.needs(name)
        except jinja2.TemplateSyntaxError as error:
            broken = error.name or name
            self._broken.add(broken)
            self._syntax(broken, error)
            return None
        except RecursionError:
            self._recursion(name)
            return None
        for file, line, problem in needs.unresolved:
            told = self.error if problem.startswith("there is no") or "has no" in problem else (
                self.warning
            )  # fmt: skip
            told(
                f"templates/{file}", line, "unresolved", problem,
                "name a file below templates/, such as _layouts/base.j2",
            )  # fmt: skip
        self._blocks(name, tree, needs)
        parts = {file: self._nodes(file) for file in needs.files}
        known = {name for file in parts for name in self._defined(file)}
        for file, part in parts.items():
            if file not in self._checked:
                self._checked.add(file)
                self._unknown(file, part, known)
                self._literal_braces(file, part)
                self._lost_assignments(file, part)
        return needs

    def _defined(self, name: str) -> set[str]:
        found = self._names.get(name)
        if found is None:
            found = self._names[name] = defined_names(self._nodes(name))
        return found

    def _nodes(self, name: str) -> list[nodes.Node]:
        found = self._every.get(name)
        if found is None:
            tree = self._tree(name)
            found = self._every[name] = every_node(tree) if tree is not None else []
            for node in found:
                if isinstance(node, nodes.Block):
                    self._blocks_at[name, node.name] = node.lineno
        return found

    def _recursion(self, name: str) -> None:
        self._broken.add(name)
        self.error(
            f"templates/{name}", 0, "too-deep", "is nested too deeply to be read",
            "take some of the nesting apart",
        )  # fmt: skip

    def _unknown(self, file: str, every: list[nodes.Node], known: set[str]) -> None:
        for unknown in unknown_names(self.environment, every, file, known):
            self._tell(
                "error",
                f"templates/{file}",
                unknown.line,
                f"unknown-{unknown.what}",
                f"there is no {unknown.what} {unknown.name!r}",
                f"did you mean {unknown.nearest!r}?"
                if unknown.nearest
                else f"use one of Jinja's {unknown.what}s, or of Heraldo's: {', '.join(sorted(FILTERS))}"
                if unknown.what == "filter"
                else f"use one of Jinja's {unknown.what}s",
                unknown.name,
            )
            self._broken.add(file)

    def _literal_braces(self, file: str, every: list[nodes.Node]) -> None:
        """A tag that lost a brace is text to Jinja, and goes out as it stands."""
        for node in every:
            found = _BRACES.search(node.data) if isinstance(node, nodes.TemplateData) else None
            if found is not None:
                told = found[0]
                self._tell(
                    "error", f"templates/{file}",
                    node.lineno + node.data.count("\n", 0, found.start()),  # type: ignore[attr-defined]
                    "literal-braces", f"{told} would be sent as it stands",
                    f"write {{{{ {found[1] or found[2] or 'name'} }}}} for a value, {{% … %}} for a tag; "
                    f"or, if customers are to read it, {{{{ {told!r} }}}}",
                    None,
                )  # fmt: skip

    def _lost_assignments(self, file: str, every: list[nodes.Node]) -> None:
        """A `set` in a loop ends with the turn: a total that is added up so stays what it was."""
        outside = {
            node.target.name
            for node in every
            if isinstance(node, nodes.Assign) and isinstance(node.target, nodes.Name)
        }
        for loop in every:
            if not isinstance(loop, nodes.For):
                continue
            for node in loop.body:
                if (
                    isinstance(node, nodes.Assign)
                    and isinstance(node.target, nodes.Name)
                    and node.target.name in outside
                    and any(n.name == node.target.name for n in node.node.find_all(nodes.Name))
                ):
                    self._tell(
                        "warning",
                        f"templates/{file}",
                        node.lineno,
                        "lost-in-loop",
                        f"what is set to {node.target.name!r} in a loop is forgotten at each turn",
                        "use a namespace: {% set ns = namespace(total=0) %} and set ns.total",
                        node.target.name,
                    )

    def _blocks(self, name: str, tree: nodes.Template, needs: Needs) -> None:
        file = f"templates/{name}"
        for block in BLOCKS:
            there = needs.blocks.get(block, ())
            if not there or (block == "body" and there != (name,) and len(there) == 1):
                self.error(
                    file, 0, "missing-block", f"has no block {block}",
                    f"add {{% block {block} %}}…{{% endblock %}}",
                )  # fmt: skip
        extends = next((n for n in tree.body if isinstance(n, nodes.Extends)), None)
        if extends is not None and needs.blocks.get("body") == (name,) and len(needs.files) > 1:
            self.error(
                file, extends.lineno, "layout-without-body",
                "extends a layout that has no place for the body, so the layout is never used",
                "put {% block body %}{% endblock %} into the layout",
            )  # fmt: skip
        channels = (*BLOCKS, *CHANNELS)
        for block_node in self._nodes(name):
            if not isinstance(block_node, nodes.Block):
                continue
            block = block_node.name
            if block not in channels and (extends is None or block not in needs.placed):
                near = nearest(block, channels)
                self._tell(
                    "error",
                    file,
                    block_node.lineno,
                    "unknown-block",
                    f"block {block!r} is no channel, so it is never sent",
                    f"did you mean {near!r}?" if near else f"channels are {', '.join(channels)}",
                    block,
                )
        self._channels_in_body(needs, nested=extends is None)
        for node in tree.body:
            if isinstance(node, nodes.Output):
                for part in node.nodes:
                    if isinstance(part, nodes.TemplateData) and not part.data.strip():
                        continue
                    skipped = part.data if isinstance(part, nodes.TemplateData) else ""
                    before = skipped[: len(skipped) - len(skipped.lstrip())].count("\n")
                    self.warning(
                        file, part.lineno + before, "lost-text",
                        "text outside of the blocks is never sent", "move it into a block",
                    )  # fmt: skip
                    break

    def _channels_in_body(self, needs: Needs, *, nested: bool) -> None:
        """A layout's output is the body: another channel's block in it is said there, too."""
        for block in sorted(needs.placed.intersection(("subject", *CHANNELS))):
            places = needs.blocks[block]
            every = self._nodes(places[-1])
            if nested and not any(
                inner.name == block
                for outer in every
                if isinstance(outer, nodes.Block)
                for inner in outer.find_all(nodes.Block)
            ):
                continue  # a file that extends nothing has its channels side by side
            self.warning(
                f"templates/{places[-1]}", self._line_of_block(places[-1], block), "channel-in-body",
                f"block {block} stands where the body is written, so the body says it, too",
                "move it out of block body, or out of the layout",
            )  # fmt: skip

    # -- samples -----------------------------------------------------------------------------------

    def _sample(self, event_type: str) -> Event | None:
        name = f"templates/{event_type}/sample.json"
        path = self.root / name
        if not path.is_file():
            self.error(
                name, 0, "missing-sample", f"{event_type} has no sample event",
                "add one: preview, tests and forms use it",
            )  # fmt: skip
            return None
        try:
            raw = bounds.decode(path.read_bytes().decode("utf-8"))
        except UnicodeDecodeError:
            self.error(name, 0, "encoding", "is not UTF-8", "save it as UTF-8")
            return None
        except json.JSONDecodeError as error:
            marked = error.doc.startswith("\ufeff")
            message = "starts with a byte order mark" if marked else f"is not JSON: {error.msg}"
            self.found[
                Finding(
                    "error", name, error.lineno, error.colno, "sample-json", message,
                    'save it as "UTF-8", not as "UTF-8 with BOM"'
                    if marked
                    else "mend it there or just before",
                )
            ] = None  # fmt: skip
            return None
        except RecursionError:
            self.error(name, 0, "sample-json", "is nested too deeply to be read", "nest it less")
            return None
        if faults := bounds.problems(raw):
            self._invalid(name, faults[0])
            return None
        if isinstance(raw, dict) and isinstance(raw.get("type"), str) and raw["type"] != event_type:
            self.error(
                name, 0, "sample-type", f"is a sample of {raw['type']!r}",
                f'give it "type": "{event_type}"',
            )  # fmt: skip
            raw = {**raw, "type": event_type}
        try:
            sample = event.parse(raw, default_id="sample", default_source="sample")
        except InvalidEvent as error:
            for fault in error.errors:
                self._invalid(name, fault)
            return None
        self.samples[event_type] = sample
        return sample

    def _invalid(self, name: str, fault: FieldError) -> None:
        self.error(
            name, 0, "sample-event", f"{fault.field}: {fault.problem}",
            "make it an event that can be posted as it stands",
        )  # fmt: skip

    def _names_in_sample(self, name: str, needs: Needs, sample: Event) -> None:
        self._fields_in_sample(needs.data, sample.data, "", name)
        attributes = sample.attributes()
        for attribute in needs.attributes:
            if attribute not in attributes:
                near = nearest(attribute, [f.name for f in dataclasses.fields(Event)])
                self.error(
                    f"templates/{name}", 0, "unknown-attribute",
                    f"uses event.{attribute}, which sample.json does not have",
                    f"did you mean event.{near}?"
                    if near and near != attribute
                    else f"add {attribute!r} to sample.json, or use it only if it is defined",
                )  # fmt: skip

    def _fields_in_sample(self, needs: Field, data: Any, path: str, name: str) -> None:
        if isinstance(data, list) and needs.item is not None:
            for element in data[:1]:
                self._fields_in_sample(needs.item, element, f"{path}[]", name)
        if not isinstance(data, Mapping):
            return
        for child in needs.children.values():
            below = f"{path}.{child.name}" if path else child.name
            if child.name in data:
                self._fields_in_sample(child, data[child.name], below, name)
                continue
            unused = [key for key in data if key not in needs.children]
            near = nearest(child.name, unused) or (
                nearest(child.name, data) if child.required else None
            )
            if not child.required and near is None:
                continue
            file, line = child.where or (name, 0)
            prefix = f"{path}." if path else ""
            self._tell(
                "error" if child.required else "warning",
                f"templates/{file}",
                line,
                "unknown-variable" if child.required else "perhaps-misspelt",
                f"{below} is not in sample.json",
                f"did you mean {prefix}{near}?"
                if near
                else f"add it to sample.json, or use it only if it is defined ({name})",
                below if not path or "[" not in path else child.name,
            )

    # -- rendered ----------------------------------------------------------------------------------

    def _render(self, name: str, locale: str, sample: Event) -> None:
        file = f"templates/{name}"
        try:
            message = self.templates.render(sample, locale)
        except RenderError as error:
            self._not_rendered(file, error)
            return
        except jinja2.TemplateError as error:
            where = _place(error) or (name, 0)
            self.error(
                f"templates/{where[0]}", where[1], "sample-render", str(error), "mend the template"
            )
            return
        self._sizes(file, message)
        self._sms(name, message)
        try:
            self.templates.render(_stretched(sample), locale)
        except RenderError as error:
            if error.reason == "subject":
                self.warning(
                    file, self._line_of_block(name, "subject"), "subject-may-be-too-long",
                    f"with values of plausible length {error.problem}",
                    "shorten the subject, or cut a value with |truncate(40)",
                )  # fmt: skip

    def _not_rendered(self, file: str, error: RenderError) -> None:
        cause = error.__context__
        file_of = file.removeprefix("templates/")
        line = 0
        problem = error.problem
        if isinstance(cause, jinja2.TemplateSyntaxError):
            self._syntax(cause.name or file.removeprefix("templates/"), cause)
            return
        if cause is not None:
            where = _place(cause)
            if where is not None:
                file, line = f"templates/{where[0]}", where[1]
            if "wrong kind" in problem:
                problem = f"{type(cause).__name__}: {cause}"
            if "without end" in problem:
                circle = self._circle([file_of])
                if circle is not None:
                    file, line, drawn = circle
                    self.error(
                        f"templates/{file}", line, "circle",
                        f"draws in {drawn}, which draws it in again, without end",
                        "take that line out, or put it under an {% if %} that ends it",
                    )  # fmt: skip
                    return
        if error.field and any(
            f.code.startswith("unknown-") and (f.file, f.line) in ((file, line), (file, 0))
            for f in self.found
        ):
            return  # told already, with the nearest name
        if error.reason == "subject":
            line = line or self._line_of_block(file.removeprefix("templates/"), "subject")
        code, remedy = {
            "subject": ("subject", f"SNS takes 1 to {limits.SUBJECT_CHARACTERS} characters"),
            "sms-too-long": ("sms-too-long", f"SNS takes {limits.SMS_CHARACTERS} characters"),
            "too-large": ("too-large", "bound the loop, or shorten the text"),
        }.get(error.reason, ("sample-render", "mend the template, or the sample"))
        self._tell("error", file, line, code, problem, remedy, error.field)

    def _circle(self, path: list[str]) -> tuple[str, int, str] | None:
        """Where a file draws itself in, by however many others: file, line and the next file."""
        for node in self._nodes(path[-1]):
            if not isinstance(node, (nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)):
                continue
            drawn = node.template.value if isinstance(node.template, nodes.Const) else None
            if drawn in path:
                return path[-1], node.lineno, drawn
            if isinstance(drawn, str) and (self.folder / drawn).is_file():
                found = self._circle([*path, drawn])
                if found is not None:
                    return found
        return None

    def _line_of_block(self, name: str, block: str) -> int:
        return self._blocks_at.get((name, block), 0)

    def _sizes(self, file: str, message: Message) -> None:
        if not message.bodies["default"]:
            self.error(file, 0, "empty-body", "the body is empty", "write block body")
        size = limits.size(message.subject, message.to_sns(), {})
        if size > limits.MESSAGE_BYTES:
            self.error(
                file, 0, "too-large", f"makes {size:,} bytes; SNS takes {limits.MESSAGE_BYTES:,}",
                "shorten it",
            )  # fmt: skip
        if "sms" not in message.bodies and len(message.bodies["default"]) > limits.SMS_CHARACTERS:
            self.warning(
                file, 0, "sms-falls-back",
                "has no block sms, and the body that goes out instead is too long for one",
                "add {% block sms %}…{% endblock %}",
            )  # fmt: skip

    def _sms(self, name: str, message: Message) -> None:
        text = message.bodies.get("sms")
        if text is None:
            return
        file = f"templates/{name}"
        line = self._line_of_block(name, "sms")
        told = limits.sms(text)
        if not text:
            self.error(file, line, "sms-empty", "the SMS is empty", "write it, or drop the block")
        if told.forcing:
            plain = "".join(c for c in text if c not in told.forcing)
            cheaper = limits.sms(plain).parts
            forcing = ", ".join(f"{c!r}" if c.isspace() else c for c in told.forcing)
            if not any(c in self._source(name) for c in told.forcing):
                forcing += " (from the sample's data)"
            if cheaper < told.parts:
                self.warning(
                    file, line, "sms-encoding",
                    f"the SMS goes out in UCS-2, in {told.parts} parts: {forcing}"
                    f" {'forces' if len(told.forcing) == 1 else 'force'} it",
                    f"without, it goes out in GSM-7 with {_parts(cheaper)}",
                )  # fmt: skip
        if told.parts > _MAX_SMS_PARTS:
            self.warning(
                file, line, "sms-parts",
                f"the SMS takes {told.parts} parts in {told.encoding}, each charged for",
                "shorten it",
            )  # fmt: skip

    # -- routing -----------------------------------------------------------------------------------

    def _routing(self) -> None:
        self.found.update(dict.fromkeys(lint_routing(self.root)))
        self.found.update(dict.fromkeys(lint_declared(self.root)))


def _parts(count: int) -> str:
    return "1 part" if count == 1 else f"{count} parts"


def _place(error: BaseException) -> tuple[str, int] | None:
    """The innermost template line that an error came from."""
    found = None
    cause: BaseException | None = error
    while cause is not None and found is None:
        trace = cause.__traceback__
        while trace is not None:
            template = trace.tb_frame.f_globals.get("__jinja_template__")
            if isinstance(template, jinja2.Template) and template.name:
                found = template.name, template.get_corresponding_lineno(trace.tb_lineno)
            trace = trace.tb_next
        cause = cause.__context__
    return found


def _stretched(sample: Event) -> Event:
    return dataclasses.replace(sample, data=_longer(sample.data))


def _longer(value: Any) -> Any:
    if isinstance(value, str):
        if len(value) >= 60 or _FIXED.match(value):
            return value
        return " ".join([value] * 3)[:60].rstrip()
    if isinstance(value, Mapping):
        return {key: _longer(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_longer(inner) for inner in value]
    return value
