"""The layouts of mails: MJML as people write it, compiled to the template that Lambda renders.

https://documentation.mjml.io
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from chalicelib.spelling import nearest
from chalicelib.words.faults import Fault
from chalicelib.words.mail import Links

FOLDER: Final = "templates/_mail"
LINKS: Final = Links("https://abedul.example/u/…", "https://abedul.example/p/…")
"""What stands at the foot of a mail that is only looked at."""
# What the compiler knows of https://documentation.mjml.io/#components. It lets all else through, to be
# sent as it stands.
_TAGS: Final = (
    "mjml mj-head mj-body mj-all mj-attributes mj-breakpoint mj-class mj-font mj-preview mj-style mj-title"
    " mj-accordion mj-accordion-element mj-accordion-text mj-accordion-title mj-button mj-carousel"
    " mj-carousel-image mj-column mj-divider mj-group mj-hero mj-image mj-navbar mj-navbar-link mj-raw"
    " mj-section mj-social mj-social-element mj-spacer mj-table mj-text mj-wrapper"
)
TAGS: Final = frozenset(_TAGS.split())
_TAG: Final = re.compile(r"<!--.*?-->|<(mj[\w-]*)", re.DOTALL)
# MJML's own way to say that rules are to be written into the tags. What they are about is there only when
# a mail is sent, so `styled` does that then.
_RULES: Final = re.compile(r"""<mj-style\s+inline=["']inline["']\s*>(.*?)</mj-style>""", re.DOTALL)
_COMMENT: Final = re.compile(r"/\*.*?\*/", re.DOTALL)
_RULE: Final = re.compile(r"([^{}\s][^{}]*?)\s*\{([^{}]*)\}")
_SELECTOR: Final = re.compile(r"[a-z][a-z0-9]*(\.[\w-]+)?")


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with a layout: a line (0: nowhere in particular), the words, and the remedy."""

    line: int
    problem: str
    remedy: str


class LayoutError(click.ClickException):
    """A layout does not compile."""

    def __init__(self, file: str, flaws: list[Flaw]) -> None:
        told = [f"{file}:{f.line or 1}: {f.problem}; {f.remedy}" for f in flaws]
        super().__init__("\n".join(told))
        self.file = file
        self.flaws = flaws

    def __str__(self) -> str:
        return self.message


def compiled(root: Path) -> dict[Path, str]:
    """What every layout of a tree comes to: the templates, and the text that they must hold.

    Raises
    ------
    LayoutError : one is no MJML, or says what would not come out as it is meant.
    """
    found = {}
    for file in sorted((root / FOLDER).glob("*.mjml")):
        name = file.relative_to(root).as_posix()
        try:
            found[file.with_suffix(".j2")] = template(file.read_text("utf-8"), name)
        except UnicodeDecodeError:
            raise LayoutError(name, [Flaw(0, "is not UTF-8", "save it as UTF-8")]) from None
    return found


def template(source: str, file: str) -> str:
    """The template that the layout in `file` comes to.

    Raises
    ------
    LayoutError : as `compiled`.
    """
    if flaws := list(_flaws(source)):
        raise LayoutError(file, flaws)
    from mjml import mjml2html

    try:
        # No fonts: the compiler would have readers load those that it knows the names of.
        html = mjml2html(_RULES.sub(_blank, source), disable_comments=True, fonts={})
    except ValueError as error:
        problem, _, place = str(error).partition(" in root template")
        at = int("".join(re.findall(r"position (\d+):", place)) or 0)
        line = source.encode()[:at].count(b"\n") + 1 if at else 0
        flaw = Flaw(line, f"is no MJML: {problem}", "mend it there")
        raise LayoutError(file, [flaw]) from None
    rules = " ".join(f"{', '.join(names)} {{ {style} }}" for _, names, style in _rules(source))
    return f'{{% set content = content|styled("{rules}") %}}\n{html}\n'


def written_in(root: Path, fault: Fault) -> tuple[str, int]:
    """The file in which somebody wrote what a template does wrong, and the line; 0 where that is unknown."""
    file = f"templates/{fault.template}"
    layout = (root / file).with_suffix(".mjml")
    if not layout.is_file():
        return file, fault.line
    lines = layout.read_text("utf-8").splitlines()
    here = (n for n, line in enumerate(lines, 1) if fault.path and fault.path in line)
    return layout.relative_to(root).as_posix(), next(here, 0)


def _flaws(source: str) -> Iterator[Flaw]:
    for found in _TAG.finditer(source):
        tag = found[1]
        if tag and tag not in TAGS:
            near = nearest(tag, TAGS)
            remedy = f"did you mean {near}?" if near else "see documentation.mjml.io/#components"
            yield Flaw(_line(source, found.start()), f"there is no <{tag}> in MJML", remedy)
    for found in _RULES.finditer(source):
        at = _COMMENT.sub(_blank, found[1]).find("@")
        if at >= 0:
            what = f"has {found[1][at:].split()[0]} in rules that are written into tags"
            remedy = "put it into an <mj-style> without inline"
            yield Flaw(_line(source, found.start(1) + at), what, remedy)
            return
    for at, selectors, style in _rules(source):
        for selector in selectors:
            if not _SELECTOR.fullmatch(selector):
                what = f"{selector!r} is no selector that can be written into tags"
                yield Flaw(_line(source, at), what, "use a tag, or tag.class")
        if '"' in style or "\\" in style:
            what = 'has a " or a \\ in a rule that is written into tags'
            yield Flaw(_line(source, at), what, "use '")


def _rules(source: str) -> Iterator[tuple[int, list[str], str]]:
    """The rules that are written into tags: where they stand, their selectors and declarations."""
    for found in _RULES.finditer(source):
        css = _COMMENT.sub(_blank, found[1])
        for rule in _RULE.finditer(css):
            names = [" ".join(name.split()) for name in rule[1].split(",")]
            yield found.start(1) + rule.start(1), names, " ".join(rule[2].split())


def _blank(found: re.Match[str]) -> str:
    """As many spaces and lines, so that all else stays where it is."""
    return re.sub(r"[^\n]", " ", found[0])


def _line(source: str, at: int) -> int:
    return source.count("\n", 0, at) + 1
