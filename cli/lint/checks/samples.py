"""A type's sample.json: whether it is an event, and has what the templates use."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator

from jinja2 import nodes

from chalicelib.events.event import KNOWN
from cli.lint.finding import Told, check
from cli.lint.origins import forgotten
from cli.lint.tree import Tree
from cli.lint.unknown import defined_names


@check("sample-json", "error")
def sample_json(tree: Tree) -> Iterator[Told]:
    """A sample is not JSON: mend it there or just before."""
    for sample in tree.samples.values():
        error = sample.no_json
        if isinstance(error, RecursionError):
            yield Told(sample.file, 0, "is nested too deeply to be read", "nest it less")
        elif isinstance(error, json.JSONDecodeError):
            marked = error.doc.startswith("\ufeff")
            what = "starts with a byte order mark" if marked else f"is not JSON: {error.msg}"
            remedy = "mend it there or just before"
            if marked:
                remedy = 'save it as "UTF-8", not as "UTF-8 with BOM"'
            yield Told(sample.file, error.lineno, what, remedy, column=error.colno)


@check("sample-type", "error")
def sample_type(tree: Tree) -> Iterator[Told]:
    """A sample is of another type than its folder's: give it that type."""
    for event_type, sample in tree.samples.items():
        if sample.other_type is not None:
            what = f"is a sample of {sample.other_type!r}"
            yield Told(sample.file, 0, what, f'give it "type": "{event_type}"')


@check("sample-event", "error")
def sample_event(tree: Tree) -> Iterator[Told]:
    """A sample would be refused at the door: make it an event that can be posted as it stands."""
    for sample in tree.samples.values():
        for fault in sample.faults:
            remedy = "make it an event that can be posted as it stands"
            yield Told(sample.file, 0, f"{fault.field}: {fault.problem}", remedy)


@check("misspelt-attribute", "warning")
def misspelt_attribute(tree: Tree) -> Iterator[Told]:
    """An attribute of a sample is no attribute that Heraldo knows, and nearly has the name of one:
    mend its name.
    """
    for sample in tree.samples.values():
        for name in sample.event.extensions if sample.event is not None else ():
            # Nearer than elsewhere: an extension may have a name of its own, such as "priority".
            near = difflib.get_close_matches(name, KNOWN, n=1, cutoff=0.8)
            if near:
                what = f"{name} is no attribute that Heraldo knows, so nothing heeds it"
                line = _line_of_key(tree, sample.file, name)
                yield Told(sample.file, line, what, f"did you mean {near[0]}?", column=None)


def _line_of_key(tree: Tree, file: str, key: str) -> int:
    """The first line of a sample on which a key stands."""
    text = (tree.root / file).read_text(encoding="utf-8")
    found = re.search(rf'"{re.escape(key)}"\s*:', text)
    return text.count("\n", 0, found.start()) + 1 if found else 0


@check("unknown-variable", "error")
def unknown_variable(tree: Tree) -> Iterator[Told]:
    """A template uses what its sample does not have: mend the name, give the loop, layout or import
    that was forgotten, add it to sample.json, or use it only if it is defined.
    """
    yield from _absent(tree, required=True)


@check("perhaps-misspelt", "warning")
def perhaps_misspelt(tree: Tree) -> Iterator[Told]:
    """A template asks whether something is there that the sample does not have, and the sample has
    something of nearly that name: mend the name, or add it to sample.json.
    """
    yield from _absent(tree, required=False)


def _absent(tree: Tree, *, required: bool) -> Iterator[Told]:
    for found in (absent for each in tree.absent.values() for absent in each):
        if found.required is not required or found.attribute:
            continue
        remedy = forgotten(tree, found) if required else None
        if remedy is None and found.near:
            remedy = f"did you mean {found.near}?"
        if remedy is None:
            remedy = f"add it to sample.json, or use it only if it is defined ({found.template})"
        word = found.path.rpartition(".")[2] if "[" in found.path else found.path
        what = f"{found.path} is not in sample.json"
        yield Told(f"templates/{found.file}", found.line, what, remedy, word)


@check("unknown-attribute", "error")
def unknown_attribute(tree: Tree) -> Iterator[Told]:
    """A template uses an attribute of the event (`event.…`) that the sample does not have: mend the
    name, add it to sample.json, or use it only if it is defined.
    """
    for found in (absent for each in tree.absent.values() for absent in each):
        if found.attribute:
            remedy = f"add {found.path!r} to sample.json, or use it only if it is defined"
            sample = tree.samples[found.template.partition("/")[0]].event
            if sample is not None and "event" in sample.data:
                remedy = (
                    f"what data has as event is event.data.event: event.data.event.{found.path}?"
                )
            elif found.near:
                remedy = f"did you mean event.{found.near}?"
            what = f"uses event.{found.path}, which sample.json does not have"
            yield Told(f"templates/{found.file}", found.line, what, remedy)


@check("locales-disagree", "warning")
def locales_disagree(tree: Tree) -> Iterator[Told]:
    """One locale needs data that another does not: say the same in every locale, or make the field
    optional in all.
    """
    for event_type, (_, disagreements) in tree.contracts.items():
        if tree.absent[event_type]:  # a misspelt name is no disagreement
            continue
        for disagreement in disagreements:
            remedy = "say the same in every locale, or make the field optional in all"
            yield Told(f"templates/{event_type}", 0, disagreement, remedy)


@check("empty-field", "warning")
def empty_field(tree: Tree) -> Iterator[Told]:
    """A field that is printed as it is, is empty in the sample, and leaves a hole in the words: fill it,
    or say what stands for it with `|default("…", true)` or `{% if %}`.
    """
    for rendering in tree.renderings:
        if rendering.message is not None and rendering.message.gaps:
            for gap in tree.templates.gaps(rendering.sample, rendering.locale):
                remedy = 'fill it, or write |default("…", true) or {% if %} around it'
                yield Told(f"templates/{gap.template}", gap.line, str(gap), remedy, gap.path)


@check("hidden-data", "warning")
def hidden_data(tree: Tree) -> Iterator[Told]:
    """A field of the data has the name of something that the templates have themselves (`event`,
    `locale`, `digest`, what a layout sets or imports), which is printed in its place: rename one of them, or write
    `event.data.…`.
    """
    for name, needs in tree.every_needs():
        event_type = name.partition("/")[0]
        sample = tree.samples[event_type].event
        if sample is None:
            continue
        for hiding, (file, line) in _own_names(tree, name, needs.files).items():
            if hiding in sample.data:
                what = f"{hiding} is the template's own here, and hides data.{hiding}"
                remedy = f"rename one of them, or write event.data.{hiding} for the event's"
                yield Told(f"templates/{file}", line, what, remedy, hiding)


def _own_names(tree: Tree, name: str, files: Iterable[str]) -> dict[str, tuple[str, int]]:
    """What a template and its layouts call by names of their own, and use: name → file and line."""
    used = {
        node.name: (file, node.lineno)
        for file in files
        for node in tree.nodes(file)
        if isinstance(node, nodes.Name) and node.ctx == "load"
    }
    own: dict[str, tuple[str, int]] = {
        known: used[known]
        for known in ("event", "locale", "digest", "digest_count")
        if known in used
    }
    while (syntax := tree.syntax(name)) is not None:
        for node in syntax.body:
            if isinstance(node, (nodes.Assign, nodes.Import, nodes.FromImport, nodes.Macro)):
                made = defined_names([node, *node.find_all(nodes.Name)])
                own |= {each: (name, node.lineno) for each in made if each in used}
        layout = next((n.template for n in syntax.body if isinstance(n, nodes.Extends)), None)
        if not isinstance(layout, nodes.Const) or not (tree.folder / str(layout.value)).is_file():
            break
        name = layout.value
    return own
