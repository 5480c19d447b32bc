"""Filters, tests and functions that a template names and nobody has made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import jinja2
from jinja2 import nodes

from chalicelib.spelling import nearest


@dataclass(frozen=True, slots=True)
class Unknown:
    """A filter, test or function that does not exist, and the nearest that does."""

    what: Literal["filter", "test", "function"]
    name: str
    file: str
    line: int
    nearest: str | None


_BUILT_IN: Final = frozenset(["super", "caller", "loop", "self", "varargs", "kwargs"])
_NAMED_FILTER: Final = frozenset(("map",))
_NAMED_TEST: Final[Mapping[str, int]] = {
    "select": 0,
    "reject": 0,
    "selectattr": 1,
    "rejectattr": 1,
}


def every_node(tree: nodes.Node) -> list[nodes.Node]:
    """All nodes of a tree, in no order that matters; one walk for many questions."""
    found = [tree]
    for node in found:
        found.extend(node.iter_child_nodes())
    return found


def defined_names(every: Iterable[nodes.Node]) -> set[str]:
    """Every name that a file gives to something: macros, imports, variables, parameters."""
    names = set()
    for node in every:
        if (isinstance(node, nodes.Name) and node.ctx in ("store", "param")) or isinstance(
            node, nodes.Macro
        ):
            names.add(node.name)
        elif isinstance(node, nodes.Import):
            names.add(node.target)
        elif isinstance(node, nodes.FromImport):
            names.update(n[1] if isinstance(n, tuple) else n for n in node.names)
    return names


def unknown_names(
    environment: jinja2.Environment,
    every: Sequence[nodes.Node],
    file: str,
    known: Iterable[str] = (),
) -> list[Unknown]:
    """Filters, tests and functions among `every_node` of one file that do not exist.

    `known` are names that other files bring in (macros that a layout imports, say).
    """
    functions = {*environment.globals, *defined_names(every), *_BUILT_IN, *known}
    found: list[Unknown] = []

    def check(what: Literal["filter", "test", "function"], name: str, line: int) -> None:
        there: Iterable[str] = {
            "filter": environment.filters,
            "test": environment.tests,
            "function": functions,
        }[what]
        if name not in there:
            found.append(Unknown(what, name, file, line, nearest(name, there)))

    for node in every:
        if isinstance(node, nodes.Filter):
            check("filter", node.name, node.lineno)
            at = _NAMED_TEST.get(node.name)
            arguments = node.args
            if node.name in _NAMED_FILTER and arguments:
                first = arguments[0]
                if isinstance(first, nodes.Const) and isinstance(first.value, str):
                    check("filter", first.value, node.lineno)
            elif at is not None and at < len(arguments):
                named = arguments[at]
                if isinstance(named, nodes.Const) and isinstance(named.value, str):
                    check("test", named.value, node.lineno)
        elif isinstance(node, nodes.Test):
            check("test", node.name, node.lineno)
        elif isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name):
            check("function", node.node.name, node.lineno)
    return list(dict.fromkeys(found))
