"""Where a name comes from that a template uses and no data has: what was most likely forgotten."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from jinja2 import nodes

from cli.lint.drawn import chain, in_language

if TYPE_CHECKING:
    from cli.lint.absent import Absent
    from cli.lint.tree import Tree

_FOR: Final = re.compile(r"\{%[-+]?\s*(for\s.*?)\s*[-+]?%\}")
_IMPORT: Final = re.compile(r"\{%[-+]?\s*((?:from|import)\s.*?)\s*[-+]?%\}")


def forgotten(tree: Tree, absent: Absent) -> str | None:
    """The remedy where a loop, a layout, an import or the right place was forgotten, or None."""
    name = absent.path
    if name == "loop":
        return "loop is there only between {% for %} and {% endfor %}"
    event_type = absent.template.partition("/")[0]
    own = [f"{event_type}/{locale}.j2" for locale in tree.needs[event_type]]
    own.sort(key=lambda file: file != absent.template)
    for file in own:
        for remedy in _within(tree, file, name, absent):
            return remedy
    return _layout(tree, absent, own) or _import(tree, name) or _list(tree, event_type, name)


def _within(tree: Tree, file: str, name: str, absent: Absent) -> Iterator[str]:
    """Where a file of the type itself gives the name: in a loop, in another block, in a macro."""
    every = tree.nodes(file)
    for loop in every:
        if isinstance(loop, nodes.For) and any(n.name == name for n in _named(loop.target)):
            tag = _tag(tree, file, loop.lineno, _FOR) or f"for {name} in …"
            yield f"put it between {{% {tag} %}} and {{% endfor %}}, which give {name}"
    if file != absent.template:
        return
    for outer in every:
        if not isinstance(outer, (nodes.For, nodes.Block, nodes.Macro)):
            continue
        if isinstance(outer, nodes.Macro) and any(n.name == name for n in outer.args):
            yield f"{name} is known in macro {outer.name} only: write it there"
        sets = any(
            n.name == name
            for node in outer.find_all((nodes.Assign, nodes.AssignBlock))
            for n in _named(node.target)  # type: ignore[attr-defined]
        )
        if sets and isinstance(outer, nodes.For):
            yield (
                f"what is set to {name} in a loop is forgotten after it: use a namespace,"
                f" {{% set ns = namespace({name}=…) %}} before the loop and ns.{name} in it"
            )
        elif sets and isinstance(outer, nodes.Block):
            yield f"what block {outer.name} sets is known there only: set {name} before the blocks"


def _named(target: nodes.Node) -> Iterator[nodes.Name]:
    if isinstance(target, nodes.Name):
        yield target
    yield from target.find_all(nodes.Name)


def _layout(tree: Tree, absent: Absent, own: list[str]) -> str | None:
    """Where the layout of another locale, or of another type, brings the name."""
    if len(chain(tree, absent.template)) > 1:
        return None
    locale = absent.template.rpartition("/")[2].removesuffix(".j2")
    for file in dict.fromkeys([*own, *(name for name, _ in tree.every_needs())]):
        layouts = chain(tree, file)[1:]
        if any(absent.path in _gives(tree, layout) for layout in layouts):
            other = file.rpartition("/")[2].removesuffix(".j2")
            layout = in_language(tree, layouts[0], other, locale)
            return f'begin with {{% extends "{layout}" %}}, which brings {absent.path}'
    return None


def _import(tree: Tree, name: str) -> str | None:
    """How another file imports the name, or from where it could be imported."""
    for file in tree.used:
        for node in tree.nodes(file):
            if isinstance(node, (nodes.Import, nodes.FromImport)) and name in _imported(node):
                tag = _tag(tree, file, node.lineno, _IMPORT)
                if tag:
                    return f"write {{% {tag} %}} before it, as {file} does"
    for file in tree.shared:
        for node in tree.nodes(file):
            if isinstance(node, nodes.Macro) and node.name == name:
                return f'write {{% from "{file}" import {name} %}} before it'
    return None


def _list(tree: Tree, event_type: str, name: str) -> str | None:
    """Where the sample has a list that is named after many of it."""
    sample = tree.samples[event_type].event
    for path in _lists(sample.data if sample else {}, ""):
        if path.rpartition(".")[2] in (f"{name}s", f"{name}es"):
            return f"put it between {{% for {name} in {path} %}} and {{% endfor %}}"
    return None


def _lists(data: Any, path: str) -> Iterator[str]:
    if isinstance(data, Mapping):
        for name, value in data.items():
            yield from _lists(value, f"{path}.{name}" if path else name)
    elif isinstance(data, list):
        yield path


def _gives(tree: Tree, file: str) -> set[str]:
    """The names that a layout has at its top, which its blocks can use."""
    found: set[str] = set()
    tree_of = tree.syntax(file)
    for node in tree_of.body if tree_of is not None else ():
        if isinstance(node, (nodes.Import, nodes.FromImport)):
            found |= _imported(node)
        elif isinstance(node, (nodes.Assign, nodes.AssignBlock)):
            found |= {name.name for name in _named(node.target)}
        elif isinstance(node, nodes.Macro):
            found.add(node.name)
    return found


def _imported(node: nodes.Import | nodes.FromImport) -> set[str]:
    if isinstance(node, nodes.Import):
        return {node.target}
    return {name[1] if isinstance(name, tuple) else name for name in node.names}


def _tag(tree: Tree, file: str, line: int, pattern: re.Pattern[str]) -> str | None:
    """A tag as it stands on its line."""
    lines = tree.source(file).splitlines()
    found = pattern.search(lines[line - 1]) if 0 < line <= len(lines) else None
    return found[1] if found else None
