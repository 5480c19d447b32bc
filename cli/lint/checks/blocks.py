"""The blocks of a template: what is a channel, what is never sent, and what is sent twice."""

from __future__ import annotations

from collections.abc import Iterator

from jinja2 import nodes

from chalicelib.spelling import nearest
from chalicelib.words.render import CHANNELS
from cli.lint.finding import Told, check
from cli.lint.tree import BLOCKS, Tree


def _top(tree: Tree, name: str) -> list[nodes.Node]:
    found = tree.syntax(name)
    return found.body if found is not None else []


def _layout(tree: Tree, name: str) -> nodes.Extends | None:
    return next((node for node in _top(tree, name) if isinstance(node, nodes.Extends)), None)


@check("missing-block", "error")
def missing_block(tree: Tree) -> Iterator[Told]:
    """A template lacks a block that every message has, subject or body: add it."""
    for name, needs in tree.every_needs():
        for block in BLOCKS:
            there = needs.blocks.get(block, ())
            if not there or (block == "body" and there != (name,) and len(there) == 1):
                remedy = f"add {{% block {block} %}}…{{% endblock %}}"
                yield Told(f"templates/{name}", 0, f"has no block {block}", remedy)


@check("layout-without-body", "error")
def layout_without_body(tree: Tree) -> Iterator[Told]:
    """A template extends a layout that has no place for the body, so the layout is never used: put
    `{% block body %}{% endblock %}` into the layout.
    """
    for name, needs in tree.every_needs():
        extends = _layout(tree, name)
        if extends is not None and needs.blocks.get("body") == (name,) and len(needs.files) > 1:
            what = "extends a layout that has no place for the body, so the layout is never used"
            remedy = "put {% block body %}{% endblock %} into the layout"
            yield Told(f"templates/{name}", extends.lineno, what, remedy)


@check("unknown-block", "error")
def unknown_block(tree: Tree) -> Iterator[Told]:
    """A block is no channel, and no layout has a place for it, so it is never sent: give it the name
    of a channel.
    """
    channels = (*BLOCKS, "html", *CHANNELS)
    for name, needs in tree.every_needs():
        extends = _layout(tree, name)
        for node in tree.nodes(name):
            if not isinstance(node, nodes.Block) or node.name in channels:
                continue
            if extends is None or node.name not in needs.placed:
                near = nearest(node.name, channels)
                what = f"block {node.name!r} is no channel, so it is never sent"
                remedy = (
                    f"did you mean {near!r}?" if near else f"channels are {', '.join(channels)}"
                )
                yield Told(f"templates/{name}", node.lineno, what, remedy, node.name)


@check("channel-in-body", "warning")
def channel_in_body(tree: Tree) -> Iterator[Told]:
    """A channel's block stands where the body is written, so the body says it, too: move it out of
    block body, or out of the layout.
    """
    for name, needs in tree.every_needs():
        for block in sorted(needs.placed.intersection(("subject", "html", *CHANNELS))):
            place = needs.blocks[block][-1]
            if _layout(tree, name) is None and not _is_nested(tree, place, block):
                continue  # a file that extends nothing has its channels side by side
            what = f"block {block} stands where the body is written, so the body says it, too"
            remedy = "move it out of block body, or out of the layout"
            yield Told(f"templates/{place}", tree.line_of_block(place, block), what, remedy)


def _is_nested(tree: Tree, name: str, block: str) -> bool:
    return any(
        inner.name == block
        for outer in tree.nodes(name)
        if isinstance(outer, nodes.Block)
        for inner in outer.find_all(nodes.Block)
    )


@check("lost-text", "warning")
def lost_text(tree: Tree) -> Iterator[Told]:
    """Text outside of the blocks is never sent: move it into a block."""
    for name, _ in tree.every_needs():
        for node in _top(tree, name):
            line = _first_line(node) if isinstance(node, nodes.Output) else 0
            if line:
                what = "text outside of the blocks is never sent"
                yield Told(f"templates/{name}", line, what, "move it into a block")


def _first_line(output: nodes.Output) -> int:
    """Where a piece of output begins that is not blank, or 0."""
    for part in output.nodes:
        if not isinstance(part, nodes.TemplateData):
            return part.lineno
        if part.data.strip():
            blank = part.data[: len(part.data) - len(part.data.lstrip())]
            return part.lineno + blank.count("\n")
    return 0
