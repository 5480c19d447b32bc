"""SMS: what a text message comes to, and what it costs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from chalicelib.words import limits, tidy
from cli.lint.checks.lengths import may_be_over
from cli.lint.finding import Told, check
from cli.lint.tree import Rendering, Tree
from cli.terminal import count

_MAX_PARTS: Final = 3


def _texts(tree: Tree) -> Iterator[tuple[Rendering, str]]:
    """The renderings that have an SMS of their own, with its text."""
    for rendering in tree.renderings:
        text = rendering.message.bodies.get("sms") if rendering.message else None
        if text is not None:
            yield rendering, text


@check("sms-empty", "error")
def sms_empty(tree: Tree) -> Iterator[Told]:
    """An SMS comes to nothing: write it, or drop the block."""
    for rendering, text in _texts(tree):
        if not text:
            line = tree.line_of_block(rendering.name, "sms")
            yield Told(rendering.file, line, "the SMS is empty", "write it, or drop the block")


@check("sms-falls-back", "warning")
def sms_falls_back(tree: Tree) -> Iterator[Told]:
    """There is no block sms, and the body that goes out instead is too long for one: add the block."""
    for rendering in tree.renderings:
        bodies = rendering.message.bodies if rendering.message else {"sms": ""}
        if "sms" not in bodies and len(bodies["default"]) > limits.SMS_CHARACTERS:
            what = "has no block sms, and the body that goes out instead is too long for one"
            yield Told(rendering.file, 0, what, "add {% block sms %}…{% endblock %}")


@check("sms-encoding", "warning")
def sms_encoding(tree: Tree) -> Iterator[Told]:
    """Characters outside of GSM-7 make an SMS cost more parts than it would without them: write it
    without.
    """
    for rendering, text in _texts(tree):
        told = limits.sms(text)
        if not told.forcing:
            continue
        plain = "".join(c for c in tidy.in_gsm(text) if limits.is_gsm(c))
        cheaper = limits.sms(plain).parts
        if cheaper < told.parts:
            forcing = ", ".join(f"{c!r}" if c.isspace() else c for c in told.forcing)
            if not any(c in tree.source(rendering.name) for c in told.forcing):
                forcing += " (from the sample's data)"
            force = "forces" if len(told.forcing) == 1 else "force"
            yield Told(
                rendering.file,
                tree.line_of_block(rendering.name, "sms"),
                f"the SMS goes out in UCS-2, in {told.parts} parts: {forcing} {force} it",
                f"{_instead(text)}it goes out in GSM-7 with {count(cheaper, 'part')}",
            )


_WORD: Final = re.compile(r"[^\s.,;:!?()]+")
_OFFERED: Final = 5


def _instead(text: str) -> str:
    """What to write in the place of what forces UCS-2, as far as that can be said."""
    if not limits.is_gsm(tidy.in_gsm(text)):
        return "without, "
    words = [word for word in dict.fromkeys(_WORD.findall(text)) if not limits.is_gsm(word)]
    offered = [f"{word!r} as {tidy.in_gsm(word)!r}" for word in words[:_OFFERED]]
    more = f" and {count(len(words) - _OFFERED, 'more word')}" if len(words) > _OFFERED else ""
    return f"write {', '.join(offered)}{more}, and "


@check("sms-too-costly", "error")
def sms_too_costly(tree: Tree) -> Iterator[Told]:
    """An SMS takes more parts than its type may cost (`sms_parts` in `routing.toml`), so that its event is
    refused: shorten it, or raise that.
    """
    for rendering in tree.renderings:
        if costly := tree.too_costly(rendering):
            line = tree.line_of_block(rendering.name, "sms")
            remedy = "shorten it, or raise sms_parts in routing.toml"
            yield Told(rendering.file, line, costly.first.problem, remedy)


@check("sms-may-be-too-costly", "warning")
def sms_may_be_too_costly(tree: Tree) -> Iterator[Told]:
    """Values that the door takes make an SMS cost more parts than its type may (`sms_parts`), and such an
    event is refused: cut them with `|truncate(40)`, or raise that.
    """
    yield from may_be_over(tree, "sms-too-costly", "sms")


@check("sms-parts", "warning")
def sms_parts(tree: Tree) -> Iterator[Told]:
    """An SMS takes more than three parts, each charged for: shorten it."""
    for rendering, text in _texts(tree):
        told = limits.sms(text)
        if told.parts > _MAX_PARTS:
            what = f"the SMS takes {told.parts} parts in {told.encoding}, each charged for"
            line = tree.line_of_block(rendering.name, "sms")
            yield Told(rendering.file, line, what, "shorten it")
