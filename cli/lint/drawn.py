"""Which files a template draws in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from jinja2 import nodes

from cli.lint.locales import language

if TYPE_CHECKING:
    from cli.lint.tree import Tree


def drawn_in(tree: Tree, name: str) -> Iterator[tuple[nodes.Node, str]]:
    """The tags of a file that draw in another, with that one's name; not what is worked out."""
    for node in tree.nodes(name):
        if isinstance(node, (nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)):
            drawn = node.template.value if isinstance(node.template, nodes.Const) else None
            if isinstance(drawn, str):
                yield node, drawn


def chain(tree: Tree, name: str) -> list[str]:
    """A file, the layout that it extends, and that one's."""
    found: list[str] = []
    while name not in found:
        found.append(name)
        for node, drawn in drawn_in(tree, name):
            if isinstance(node, nodes.Extends) and (tree.folder / drawn).is_file():
                name = drawn
    return found


def renamed(name: str, other: str, locale: str) -> str:
    """The name that a shared file of another language has in that of `locale`."""
    return re.sub(rf"(?<![a-z]){language(other)}(?![a-z])", language(locale), name)


def in_language(tree: Tree, name: str, other: str, locale: str) -> str:
    """The shared file in the language of `locale`, or the same where there is none."""
    own = renamed(name, other, locale)
    return own if (tree.folder / own).is_file() else name
