"""HTML where nobody renders it: SNS sends every text as it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from jinja2 import nodes

from cli.lint.finding import Told, check
from cli.lint.tree import Tree

_TEXTS: Final = ("subject", "body", "email", "sms", "push")
_TAGS: Final = "a|abbr|b|blockquote|body|br|button|center|code|div|em|font|footer|h[1-6]|head|header|hr|html|i|img|li|link|meta|ol|p|pre|section|small|span|strong|style|sub|sup|table|tbody|td|tfoot|th|thead|title|tr|u|ul"
_HTML: Final = re.compile(
    rf"</(?:{_TAGS})\s*>|<(?:{_TAGS})(?:\s*/?>|\s+[a-z-]+\s*=)|<!--|<!doctype\b"
    r"|&(?:nbsp|amp|lt|gt|quot|apos|euro|copy|reg|hellip|[mn]dash|[lr]aquo|iexcl|iquest|[a-z](?:acute|grave|uml|circ|tilde|cedil)|\#\d+|\#x[0-9a-f]+);",
    re.IGNORECASE,
)


@check("html-in-text", "warning")
def html_in_text(tree: Tree) -> Iterator[Told]:
    """HTML stands in a text, which goes out as it stands, tags and all: write plain text."""
    for name in tree.used:
        own = name.split("/")[0] in tree.types
        for block, line, text in _texts(tree, name, "" if own else "body"):
            found = _HTML.search(text)
            if found and block in _TEXTS:
                at = line + text.count("\n", 0, found.start())
                what = f"{found[0].strip()} stands in a text, and would be sent as it stands"
                remedy = "write it as plain text: a line break is a line break, a link its address"
                yield Told(f"templates/{name}", at, what, remedy)


def _texts(tree: Tree, name: str, block: str) -> Iterator[tuple[str, int, str]]:
    """Every text that a file writes itself, with its block and line."""
    found = tree.syntax(name)
    for node in found.body if found is not None else ():
        yield from _within(node, block)


def _within(node: nodes.Node, block: str) -> Iterator[tuple[str, int, str]]:
    if isinstance(node, nodes.Block):
        block = node.name
    if isinstance(node, nodes.Output):
        for part in node.nodes:
            if isinstance(part, nodes.TemplateData):
                yield block, part.lineno, part.data
            else:
                yield from ((block, const.lineno, const.value) for const in _written(part))
    elif not isinstance(node, nodes.Expr):
        for child in node.iter_child_nodes():
            yield from _within(child, block)


def _written(node: nodes.Node) -> Iterator[nodes.Const]:
    """The texts in an expression that come to be printed, not those that are looked for."""
    if isinstance(node, nodes.Const) and isinstance(node.value, str):
        yield node
    elif isinstance(node, nodes.Filter):
        parts = [node.node] if node.node is not None else []
        if node.name in ("join", "default", "d"):
            parts += node.args
        for each in parts:
            yield from _written(each)
    elif isinstance(node, nodes.CondExpr):
        for branch in (node.expr1, node.expr2):
            if branch is not None:
                yield from _written(branch)
    elif isinstance(node, (nodes.Concat, nodes.Add)):
        for part in node.iter_child_nodes():
            yield from _written(part)
