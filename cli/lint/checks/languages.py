"""Locales: their names, and whether each is written in its own language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from babel import Locale, UnknownLocaleError
from jinja2 import nodes

from cli.lint.drawn import chain, drawn_in, in_language, renamed
from cli.lint.finding import Told, check
from cli.lint.locales import LOCALES, audience_of, language
from cli.lint.tree import Tree

# What people read; the other channels are for programs, and say the same in every language.
_READ: Final = ("subject", "body", "email", "sms", "push")
_WORD: Final = re.compile(r"[^\W\d_]{2,}")
_LINK: Final = re.compile(r"https?://\S+")
# Fewer may be a name or an address, which is written alike everywhere.
_FEWEST_WORDS: Final = 4


def _is_known(tag: str) -> bool:
    try:
        Locale.parse(tag.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        return False
    return True


@check("unknown-locale", "error")
def unknown_locale(tree: Tree) -> Iterator[Told]:
    """A template is named after no language or region that there is, so that amounts and dates cannot
    be written in it: name it by their codes, such as es or es-MX.
    """
    for event_type in tree.types:
        for tag in tree.locales(event_type):
            if not _is_known(tag):
                what = f"there is no locale {tag}, so amounts and dates cannot be written in it"
                remedy = "name it by the codes of its language and region, such as es or es-MX"
                yield Told(f"templates/{event_type}/{tag}.j2", 0, what, remedy)


@check("other-language", "warning")
def other_language(tree: Tree) -> Iterator[Told]:
    """A template draws in a layout that is named after another language than its own, so customers
    would read both: name its own language's.
    """
    known = {language(tag) for locales in tree.needs.values() for tag in locales}
    for event_type, locales in tree.needs.items():
        for locale in locales:
            name = f"{event_type}/{locale}.j2"
            for node, drawn in drawn_in(tree, name):
                other = _language_of(drawn, known)
                if other in (None, language(locale)):
                    continue
                own = renamed(drawn, other or "", locale)
                there = (tree.folder / own).is_file()
                yield Told(
                    f"templates/{name}",
                    node.lineno,
                    f"draws in {drawn}, which is named after the language {other}",
                    f"name {own}" if there else f"write {own}, and name it",
                )


def _language_of(name: str, known: set[str]) -> str | None:
    """The language that a file is named after: a part of its name or of its folder's."""
    for part in reversed(re.split(r"[./]", name.removesuffix(".j2"))):
        if part in known or (re.fullmatch("[a-z]{2}", part) and _is_known(part)):
            return part
        for word in re.split("[_-]", part):  # where "is", "no" and "to" are no languages
            if word in known:
                return word
    return None


@check("no-layout", "warning")
def no_layout(tree: Tree) -> Iterator[Told]:
    """A template extends no layout, and the same type in another locale does: begin with that
    layout, in the template's own language.
    """
    for event_type, locales in tree.needs.items():
        layouts = {
            locale: files[1]
            for locale in locales
            if len(files := chain(tree, f"{event_type}/{locale}.j2")) > 1
        }
        for locale in locales:
            of_same = [o for o in layouts if audience_of(o) == audience_of(locale)]
            if locale not in layouts and of_same:
                other, layout = of_same[0], layouts[of_same[0]]
                own = in_language(tree, layout, other, locale)
                what = f"extends no layout, and {other}.j2 extends {layout}"
                remedy = f'begin with {{% extends "{own}" %}}'
                yield Told(f"templates/{event_type}/{locale}.j2", 1, what, remedy)


@check("same-words", "warning")
def same_words(tree: Tree) -> Iterator[Told]:
    """A template says in the very words of another language's what it says, so it was copied and not
    translated: translate it.
    """
    for event_type, locales in tree.needs.items():
        order: list[str] = [tag for tag in LOCALES if tag in locales]
        order += [tag for tag in locales if tag not in LOCALES]
        words = {locale: _words(tree, f"{event_type}/{locale}.j2") for locale in order}
        for at, locale in enumerate(order):
            for other in order[:at]:
                alike = {
                    block: len(said)
                    for block, said in words[locale].items()
                    if said and said == words[other].get(block)
                }
                same = [block for block, many in alike.items() if many >= _FEWEST_WORDS]
                if words[locale] == words[other] and sum(alike.values()) >= _FEWEST_WORDS:
                    same = list(alike)
                if same and language(other) != language(locale):
                    name = f"{event_type}/{locale}.j2"
                    what = f"says in {' and '.join(same)} the very words of {other}.j2"
                    line = tree.line_of_block(name, same[0])
                    yield Told(f"templates/{name}", line, what, "translate it")
                    break


def _words(tree: Tree, name: str) -> dict[str, list[str]]:
    """The words that each block of a file has, without those that come from data."""
    return {
        block.name: _WORD.findall(
            _LINK.sub(
                " ", " ".join(text.data for text in block.find_all(nodes.TemplateData))
            ).lower()
        )
        for block in tree.nodes(name)
        if isinstance(block, nodes.Block) and block.name in _READ
    }
