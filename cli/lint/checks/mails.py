"""E-mails: the layout and the foot that all of them have, and block html where a type has one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from typing import Final

from jinja2 import nodes

from chalicelib.errors import PermanentError
from chalicelib.rules.destinations import parse, topic_of
from chalicelib.words.locales import nearest
from chalicelib.words.mail import FOOT
from chalicelib.words.render import locale_of
from cli.lint.checks.lengths import may_be_over
from cli.lint.finding import Told, check
from cli.lint.locales import audience_of
from cli.lint.tree import Tree
from cli.lint.unknown import defined_names
from cli.stages import FILE, LOCAL, declared
from cli.words import layouts
from cli.words.layouts import LayoutError

# https://html.spec.whatwg.org/multipage/syntax.html#void-elements
_VOID: Final = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr")
)
_ADDRESS: Final = re.compile(r"""\b(href|src)\s*=\s*["']?\Z""", re.IGNORECASE)


@check("mail-layout", "error")
def mail_layout(tree: Tree) -> Iterator[Told]:
    """A layout of mails is no MJML, says what would not come out as it is meant, or does not render: mend
    it there.
    """
    try:
        layouts.compiled(tree.root)
    except LayoutError as error:
        for flaw in error.flaws:
            yield Told(error.file, flaw.line, flaw.problem, flaw.remedy)
        return
    for fault in dict.fromkeys(refused.first for refused in tree.refused_mails):
        if fault.template not in tree.broken:  # told by syntax
            file, line = layouts.written_in(tree.root, fault)
            yield Told(file, line, str(fault), "mend it there", fault.path)


@check("mail-clipped", "warning")
def mail_clipped(tree: Tree) -> Iterator[Told]:
    """A mail's HTML is so large that Gmail cuts it off, and its foot with it: say less."""
    for rendering in tree.renderings:
        if clipped := tree.clipped(rendering):
            line = tree.line_of_block(rendering.name, "html")
            yield Told(rendering.file, line, clipped.first.problem, "say less")


@check("mail-may-be-clipped", "warning")
def mail_may_be_clipped(tree: Tree) -> Iterator[Told]:
    """A value that the door takes makes a mail's HTML so large that Gmail cuts it off: cut it with
    `|truncate(40)`.
    """
    yield from may_be_over(tree, "mail-clipped", "html")


@check("mail-foot", "warning")
def mail_foot(tree: Tree) -> Iterator[Told]:
    """The foot of mails is not written in a language that types are written in, or lacks the words for
    one of its links: write it.
    """
    feet = _feet(tree)
    for locale in feet:
        there = defined_names(tree.nodes(f"_mail/{locale}.j2"))
        for words in FOOT:
            if words not in there and f"_mail/{locale}.j2" not in tree.broken:
                what = f"does not say what the link {words} is called"
                remedy = f'add {{% set {words} = "…" %}}'
                yield Told(f"templates/_mail/{locale}.j2", 0, what, remedy)
    if not (tree.folder / "_mail" / "layout.j2").is_file():
        return
    written = {locale_of(words) for of_type in tree.needs.values() for words in of_type}
    for locale in sorted(written):
        if nearest(locale, feet) is None:
            what = f"mails are written in {locale}, and what stands at their foot is not"
            yield Told(
                f"templates/_mail/{locale}.j2", 0, what, "write it, as in the other languages"
            )


def _feet(tree: Tree) -> list[str]:
    """The locales in which the foot of mails is written."""
    return sorted(
        name.removeprefix("_mail/").removesuffix(".j2")
        for name in tree.shared
        if re.fullmatch(r"_mail/(?!layout\.)[^/]+\.j2", name)
    )


@check("mail-category", "warning")
def mail_category(tree: Tree) -> Iterator[Told]:
    """A category has no name in a language, so that people choose by the one that the code has: write it
    in `categories`, in the foot of mails.
    """
    routing = tree.rulebook.routing
    for locale in _feet(tree) if routing.reaches_persons else ():
        name = f"_mail/{locale}.j2"
        sets = [n for n in tree.nodes(name) if isinstance(n, nodes.Assign)]
        found = [n.node for n in sets if getattr(n.target, "name", "") == "categories"]
        if name in tree.broken or not all(isinstance(node, nodes.Dict) for node in found):
            continue
        said = {getattr(p.key, "value", "") for node in found for p in node.find_all(nodes.Pair)}
        for category in routing.categories:
            if category not in said:
                line = next((node.lineno for node in found), 0)
                what = f"does not say what the category {category} is called"
                remedy = f'write "{category}": "…" in {{% set categories = {{…}} %}}'
                yield Told(f"templates/{name}", line, what, remedy)


@check("mail-no-way-to-stop", "warning")
def mail_no_way_to_stop(tree: Tree) -> Iterator[Told]:
    """Advertising goes out by e-mail, and a stage has no public address (`api_url` in `stages.toml`) where its
    readers stop it, so that it waits there: write it once the stage is deployed.
    """
    book = tree.rulebook
    for stage, settings in declared(tree.root).items():
        if stage == LOCAL or settings.api_url:
            continue
        rules = [
            rule
            for rule in book.living
            if (not rule.stages or stage in rule.stages)
            and any(not topic_of(to) and "email" in parse(to).channels for to in rule.to)
        ]
        types = {
            t: None for rule in rules for t in book.routes[rule.name] if _is_commercial(tree, t)
        }
        if types:
            what = f"{stage} has no api_url, so that {', '.join(types)} wait{'s'[: len(types) == 1]} there"
            remedy = "write the address that the deploy prints: readers stop advertising there"
            yield Told(FILE, settings.line, what, remedy)


def _is_commercial(tree: Tree, event_type: str) -> bool:
    routing = tree.rulebook.routing
    try:
        return routing.category(event_type, routing.lane(event_type)).commercial
    except PermanentError:  # told by no-lane
        return False


# -- block html ------------------------------------------------------------------------------------


@check("html-in-one-language", "warning")
def html_in_one_language(tree: Tree) -> Iterator[Told]:
    """A type has a block html in one locale and none in another, so that its mails differ: write it in
    each.
    """
    for event_type, locales in tree.needs.items():
        there = [locale for locale, needs in locales.items() if "html" in needs.blocks]
        for locale in sorted(locales.keys() - there):
            alike = [other for other in there if audience_of(other) == audience_of(locale)]
            if alike:
                what = f"has no block html, and {alike[0]}.j2 has one, so that their mails differ"
                yield Told(f"templates/{event_type}/{locale}.j2", 0, what, "write it in each")


@check("html-unescaped", "warning")
def html_unescaped(tree: Tree) -> Iterator[Told]:
    """A value goes into HTML as it is, so that markup in it would be taken for the mail's own: leave out
    `safe`, and write tags in the template.
    """
    for name, _ in tree.every_needs():
        for block in _html_blocks(tree, name):
            found = [
                (node.lineno, "|safe")
                for node in block.find_all(nodes.Filter)
                if node.name == "safe"
            ]
            found += [(n.lineno, "autoescape") for n in block.find_all(nodes.EvalContextModifier)]
            for line, how in found:
                what = f"{how} lets markup in a value be taken for the mail's own"
                remedy = "leave it out, and write tags in the template"
                yield Told(f"templates/{name}", line, what, remedy)


@check("html-link", "warning")
def html_link(tree: Tree) -> Iterator[Told]:
    """The address of a link comes from the data as it is, and could be anything: put `|link` behind it,
    which takes http and https alone.
    """
    for name, _ in tree.every_needs():
        for block in _html_blocks(tree, name):
            for output in block.find_all(nodes.Output):
                for before, part in pairwise(output.nodes):
                    if (
                        isinstance(before, nodes.TemplateData)
                        and _ADDRESS.search(before.data)
                        and _is_of_data(part, tree.used[name])
                    ):
                        what = "the address of a link comes from the data as it is"
                        yield Told(f"templates/{name}", part.lineno, what, "put |link behind it")


def _is_of_data(part: nodes.Node, own: set[str]) -> bool:
    """Whether something that is not the templates' `own` is printed as it is."""
    if isinstance(part, nodes.Filter) and part.name == "link":
        return False
    if isinstance(part, nodes.CondExpr):
        return any(_is_of_data(way, own) for way in (part.expr1, part.expr2) if way)
    names = {node.name for node in part.find_all(nodes.Name)}
    if isinstance(part, nodes.Name):
        names.add(part.name)
    return not names <= own


def _html_blocks(tree: Tree, name: str) -> list[nodes.Block]:
    return [n for n in tree.nodes(name) if isinstance(n, nodes.Block) and n.name == "html"]


class _Tags(HTMLParser):
    """The tags that are open, and the first that is closed out of turn."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002 - as Python calls it
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.open[-1:] == [tag]:
            self.open.pop()
        elif not self.wrong:
            self.wrong = self.open[-1] if tag in self.open else f"/{tag}"


@check("html-unclosed", "warning")
def html_unclosed(tree: Tree) -> Iterator[Told]:
    """A tag of block html is not closed, or one is closed that is not open, which mail programs each take
    in their own way: close it.
    """
    for rendering in tree.renderings:
        if rendering.message is not None and rendering.message.html:
            tags = _Tags()
            tags.feed(rendering.message.html)
            tags.close()
            wrong = tags.wrong or next(reversed(tags.open), "")
            if wrong:
                what = f"<{wrong}> {'closes nothing' if wrong[0] == '/' else 'is not closed'}"
                line = tree.line_of_block(rendering.name, "html")
                yield Told(rendering.file, line, what, "close what is opened, in order")
