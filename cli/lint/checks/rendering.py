"""What the samples come to: whether they render, and whether SNS would take the result."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from jinja2 import nodes

from chalicelib.words import limits
from chalicelib.words.render import RenderError
from cli.lint.finding import Told, check
from cli.lint.tree import Rendering, Tree

_LIMITS: Final = ("subject", "sms-too-long", "push-too-large", "too-large")


def _failed(tree: Tree, *reasons: str) -> Iterator[tuple[Rendering, RenderError]]:
    """The renderings that failed for one of these reasons, other than a circle."""
    for rendering in tree.renderings:
        error = rendering.error
        if error is not None and error.reason in reasons:
            yield rendering, error


@check("sample-render", "error")
def sample_render(tree: Tree) -> Iterator[Told]:
    """A type's sample does not render: mend the template, or the sample."""
    for rendering in tree.renderings:
        error = rendering.error
        if error is None or error.reason in _LIMITS:
            continue
        told = {(a.file, a.line) for a in tree.absent[rendering.event_type]}
        for fault in error.faults:
            if not fault.missing or told.isdisjoint(
                ((fault.template, fault.line), (fault.template, 0))
            ):
                remedy = "mend the template, or the sample"
                file = f"templates/{fault.template}"
                yield Told(file, fault.line, str(fault), remedy, fault.path)


@check("circle", "error")
def circle(tree: Tree) -> Iterator[Told]:
    """A template draws itself in, by however many others, without end: take that line out, or put it
    under an `{% if %}` that ends it.
    """
    for rendering, error in _failed(tree, "too-large"):
        found = _circle(tree, [rendering.name]) if "without end" in error.first.problem else None
        if found is not None:
            name, line, drawn = found
            what = f"draws in {drawn}, which draws it in again, without end"
            remedy = "take that line out, or put it under an {% if %} that ends it"
            yield Told(f"templates/{name}", line, what, remedy)


def _circle(tree: Tree, path: list[str]) -> tuple[str, int, str] | None:
    """Where a file draws itself in, by however many others: file, line and the next file."""
    for node in tree.nodes(path[-1]):
        if not isinstance(node, (nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)):
            continue
        drawn = node.template.value if isinstance(node.template, nodes.Const) else None
        if drawn in path:
            return path[-1], node.lineno, drawn
        if isinstance(drawn, str) and (tree.folder / drawn).is_file():
            found = _circle(tree, [*path, drawn])
            if found is not None:
                return found
    return None


@check("too-large", "error")
def too_large(tree: Tree) -> Iterator[Told]:
    """A message is larger than SNS takes, or takes too much work: bound the loop, or shorten the
    text.
    """
    for rendering, error in _failed(tree, "too-large"):
        if "without end" in error.first.problem and _circle(tree, [rendering.name]):
            continue
        fault = error.first
        remedy = "bound the loop, or shorten the text"
        yield Told(f"templates/{fault.template}", fault.line, fault.problem, remedy)
    for rendering in tree.renderings:
        message = rendering.message
        size = limits.size(message.subject, message.to_sns(), {}) if message else 0
        if size > limits.MESSAGE_BYTES:
            what = f"makes {size:,} bytes; SNS takes {limits.MESSAGE_BYTES:,}"
            yield Told(rendering.file, 0, what, "shorten it")


@check("empty-body", "error")
def empty_body(tree: Tree) -> Iterator[Told]:
    """A body comes to nothing: write block body."""
    for rendering in tree.renderings:
        if rendering.message is not None and not rendering.message.bodies["default"]:
            yield Told(rendering.file, 0, "the body is empty", "write block body")
