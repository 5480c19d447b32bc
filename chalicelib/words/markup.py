"""HTML from a text, and the looks that a mail's HTML carries in its tags.

The rules go by whole lines, and are those of docs/templates.md ("The HTML of a mail"): what an author
writes as plain text becomes paragraphs, lists, facts, links and one button.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise
from typing import Final

from markupsafe import Markup, escape

from chalicelib.regex import regex

BUTTON_CHARACTERS: Final = 40
"""What a button says at the most: a longer line before a link stays a sentence."""
FACT_CHARACTERS: Final = 32
"""What stands before the colon of a fact at the most."""

# All of these read text that is escaped already.
_URL: Final = r"https?://(?:[^\s&<>]|&amp;)+"
_ONLY_URL: Final = regex(rf"{_URL}\Z")
# A link ends before what ends its sentence.
_LINK: Final = regex(
    rf"{_URL}(?<![.,;:!?)\]»”’…])|(?<![\w.+-])[\w.+-]{{1,64}}@[\w-]{{1,63}}(?:\.[\w-]{{1,63}}){{1,8}}"
)
_FACT: Final = regex(rf"([^:]{{1,{FACT_CHARACTERS}}}): (.+)")


def from_text(text: str) -> str:
    """A text as HTML of plain tags; `styled` gives them their looks."""
    html: list[str] = []
    has_button = False
    for paragraph in str(escape(text)).split("\n\n"):
        lines = paragraph.split("\n")
        for kind, run in groupby(zip(_kinds(lines), lines, strict=True), lambda pair: pair[0]):
            part = [line for _, line in run]
            if kind == "text":
                html.append(f"<p>{_linked('<br>'.join(part))}</p>")
            elif kind == "item":
                items = [f"<li>{_linked(line[2:])}</li>" for line in part]
                html += ["<ul>", *items, "</ul>"]
            elif kind == "fact":
                html += ['<table class="facts">', *map(_fact, part), "</table>"]
            else:
                for words, url in zip(part[::2], part[1::2], strict=True):
                    html.append(_call(words[:-1], url, "" if has_button else ' class="button"'))
                    has_button = True
    return "\n".join(html)


def _kinds(lines: Sequence[str]) -> list[str]:
    """What each line of a paragraph is: text, an item of a list, a fact, or one of a call's two."""
    kinds = ["item" if line.startswith("- ") else "text" for line in lines]
    for at, (line, after) in enumerate(pairwise(lines)):
        if kinds[at] in ("item", "call") or kinds[at + 1] == "item":
            continue
        if line[-1:] == ":" and len(line) <= BUTTON_CHARACTERS + 1 and _ONLY_URL.match(after):
            kinds[at : at + 2] = ["call", "call"]
        elif _FACT.match(line) and _FACT.match(after):  # a single one is a sentence
            kinds[at : at + 2] = ["fact", "fact"]
    return kinds


def _fact(line: str) -> str:
    name, _, value = line.partition(": ")
    return (
        f'<tr><th class="fact" scope="row">{name}</th><td class="fact">{_linked(value)}</td></tr>'
    )


def _call(words: str, url: str, looks: str) -> str:
    link = f'<a{looks} href="{url}">{words}</a>'
    return link if looks else f"<p>{link}</p>"


def _linked(text: str) -> str:
    """A text whose URLs and e-mail addresses are links."""
    return _LINK.sub(_anchor, text) if "://" in text or "@" in text else text


def _anchor(found: re.Match[str]) -> str:
    text = found[0]
    if "://" not in text:
        return f'<a href="mailto:{text}">{text}</a>'
    return f'<a href="{text}">{text.partition("://")[2].removesuffix("/")}</a>'


# -- looks -----------------------------------------------------------------------------------------

_TAG: Final = regex(r"""<([a-z][a-z0-9]*)((?:[^<>"']|"[^"]*"|'[^']*')*)>""")
_CLASS: Final = regex(r"""\bclass=["']?([\w-]+)""")
# Outlook gives padding and a background to cells only.
_BUTTON: Final = regex(r'<a\b[^<>]*\bclass="button"[^<>]*>.*?</a>', re.DOTALL)
_BUTTON_TABLE: Final = (
    '<table class="button" border="0" cellpadding="0" cellspacing="0" role="presentation">'
    r'<tr><td class="button">\g<0></td></tr></table>'
)


def styled(html: str, rules: str) -> Markup:
    """HTML with a style in each tag that a rule is about, for readers that know no style sheet.

    `rules` are CSS rules for `tag` or `tag.class`; of two, the one with the class is taken. A tag that
    has a style keeps it. A link of class `button` gets the table around it that Outlook needs.
    """
    looks = _looks(rules)

    def dress(found: re.Match[str]) -> str:
        tag, attributes = found[1], found[2]
        if "style=" in attributes:
            return found[0]
        named = _CLASS.search(attributes) if "class=" in attributes else None
        style = (looks.get(f"{tag}.{named[1]}") if named else None) or looks.get(tag)
        return f'<{tag}{attributes} style="{style}">' if style else found[0]

    return Markup(_TAG.sub(dress, _BUTTON.sub(_BUTTON_TABLE, str(html))))  # noqa: S704 - it is HTML


@functools.lru_cache(maxsize=8)
def _looks(rules: str) -> Mapping[str, str]:
    """CSS rules by their selector."""
    found: dict[str, str] = {}
    for rule in rules.split("}"):
        selectors, _, declarations = rule.partition("{")
        for selector in selectors.split(","):
            found[selector.strip()] = declarations.strip()
    return found
