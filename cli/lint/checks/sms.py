"""SMS: what a text message comes to, and what it costs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from chalicelib.words import limits
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
        cheaper = limits.sms("".join(c for c in text if c not in told.forcing)).parts
        if cheaper < told.parts:
            forcing = ", ".join(f"{c!r}" if c.isspace() else c for c in told.forcing)
            if not any(c in tree.source(rendering.name) for c in told.forcing):
                forcing += " (from the sample's data)"
            force = "forces" if len(told.forcing) == 1 else "force"
            yield Told(
                rendering.file,
                tree.line_of_block(rendering.name, "sms"),
                f"the SMS goes out in UCS-2, in {told.parts} parts: {forcing} {force} it",
                f"{_instead(text, told.forcing)}it goes out in GSM-7 with {count(cheaper, 'part')}",
            )


# What says the same in the alphabet of SMS. Without its accent a word is still read; é, ñ, ü, ¿ and ¡ are in it.
_INSTEAD: Final = {
    **dict(zip("áíóúÁÍÓÚâêîôûãõç", "aiouAIOUaeiouaoc", strict=True)),
    "…": "...",
    "“": '"',
    "”": '"',
    "«": '"',
    "»": '"',
    "‘": "'",
    "’": "'",
    "–": "-",
    "—": "-",
    "•": "-",
    "·": "-",
    "\u00a0": " ",
    "\u202f": " ",
    "º": "o",
    "ª": "a",
}
_WORD: Final = re.compile(r"[^\s.,;:!?()]+")
_OFFERED: Final = 5


def _instead(text: str, forcing: Sequence[str]) -> str:
    """What to write in the place of what forces UCS-2, as far as that can be said."""
    if any(c not in _INSTEAD for c in forcing):
        return "without, "
    offered: dict[str, str] = {}
    for word in _WORD.findall(text.replace("\u00a0", " \u00a0 ").replace("\u202f", " \u202f ")):
        if any(c in word for c in forcing):
            offered[word] = "".join(_INSTEAD.get(c, c) if c in forcing else c for c in word)
    if not offered:
        return "with plain spaces "
    words = [f"{old!r} as {new!r}" for old, new in list(offered.items())[:_OFFERED]]
    more = "" if len(offered) <= _OFFERED else f" and {count(len(offered) - _OFFERED, 'more word')}"
    return f"write {', '.join(words)}{more}, and "


@check("sms-too-costly", "error")
def sms_too_costly(tree: Tree) -> Iterator[Told]:
    """An SMS takes more parts than its type may cost (`sms_parts` in `routing.toml`), so that its event is
    refused: shorten it, or raise that.
    """
    settings = tree.rulebook.routing.types
    for rendering, text in _texts(tree):
        event_type = rendering.name.partition("/")[0]
        most = settings[event_type].sms_parts if event_type in settings else 0
        told = limits.sms(text)
        if most and told.parts > most:
            what = (
                f"the SMS takes {told.parts} parts in {told.encoding}, and its type may cost {most}"
            )
            line = tree.line_of_block(rendering.name, "sms")
            yield Told(rendering.file, line, what, "shorten it, or raise sms_parts in routing.toml")


@check("sms-parts", "warning")
def sms_parts(tree: Tree) -> Iterator[Told]:
    """An SMS takes more than three parts, each charged for: shorten it."""
    for rendering, text in _texts(tree):
        told = limits.sms(text)
        if told.parts > _MAX_PARTS:
            what = f"the SMS takes {told.parts} parts in {told.encoding}, each charged for"
            line = tree.line_of_block(rendering.name, "sms")
            yield Told(rendering.file, line, what, "shorten it")
