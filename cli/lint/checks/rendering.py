"""What the samples come to: whether they render, and whether SNS would take the result."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from jinja2 import nodes

from chalicelib.events.event import Event
from chalicelib.words import limits
from chalicelib.words.render import RenderError
from cli.lint.finding import Told, check
from cli.lint.tree import Rendering, Tree

# Values that are not free text: dates, links, amounts, codes. Longer ones would not be plausible.
_FIXED: Final = re.compile(r"\d{4}-\d\d-\d\d|https?://|-?[\d.,]+\Z|[A-Z]{3}\Z|[a-z]+(\.[a-z]+)+\Z")
_LIMITS: Final = ("subject", "sms-too-long", "too-large")


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


@check("subject", "error")
def subject(tree: Tree) -> Iterator[Told]:
    """A subject is empty, or longer than SNS takes: write it, or shorten it."""
    for rendering, error in _failed(tree, "subject"):
        line = tree.line_of_block(rendering.name, "subject")
        remedy = f"SNS takes 1 to {limits.SUBJECT_CHARACTERS} characters"
        yield Told(rendering.file, line, error.first.problem, remedy)


@check("sms-too-long", "error")
def sms_too_long(tree: Tree) -> Iterator[Told]:
    """An SMS is longer than SNS takes: shorten it."""
    for rendering, error in _failed(tree, "sms-too-long"):
        line = tree.line_of_block(rendering.name, "sms")
        remedy = f"SNS takes {limits.SMS_CHARACTERS:,} characters"
        yield Told(rendering.file, line, error.first.problem, remedy)


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


@check("subject-may-be-too-long", "warning")
def subject_may_be_too_long(tree: Tree) -> Iterator[Told]:
    """With values longer than the sample's a subject becomes longer than SNS takes: shorten it, or
    cut a value with `|truncate(40)`.
    """
    for rendering in tree.renderings:
        if rendering.message is None:
            continue
        longer = _stretched(rendering.sample)
        error = tree.render(rendering.name, rendering.event_type, rendering.locale, longer).error
        if error is not None and error.reason == "subject":
            line = tree.line_of_block(rendering.name, "subject")
            what = f"with values of plausible length {error.first.problem}"
            remedy = "shorten the subject, or cut a value with |truncate(40)"
            yield Told(rendering.file, line, what, remedy)


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
