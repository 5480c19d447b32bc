"""The source of a template: its syntax, the names in it, and what it draws in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import jinja2
from jinja2 import nodes

from chalicelib.words.environment import SHOP, WordsError
from chalicelib.words.filters import FILTERS
from cli.lint.finding import Told, check
from cli.lint.syntax import explain_syntax_error
from cli.lint.tree import Tree

_BRACES: Final = re.compile(r"\$\{ *([\w.]+) *\}|\{+ *([\w.]+) *\}+|\}\}|%\}|\{\{|\{%")
_WORKED_OUT: Final = "is worked out while rendering"


@check("syntax", "error")
def syntax(tree: Tree) -> Iterator[Told]:
    """Jinja cannot read a template: mend it there."""
    for name, error in tree.broken.items():
        if isinstance(error, jinja2.TemplateSyntaxError):
            told = explain_syntax_error(tree.source(name), error)
            file = f"templates/{name}"
            yield Told(file, told.line, told.message, told.remedy, column=told.column)


@check("too-deep", "error")
def too_deep(tree: Tree) -> Iterator[Told]:
    """A template is nested too deeply to be read: take some of the nesting apart."""
    for name, error in tree.broken.items():
        if isinstance(error, RecursionError):
            what = "is nested too deeply to be read"
            yield Told(f"templates/{name}", 0, what, "take some of the nesting apart")


@check("unresolved", "error")
def unresolved(tree: Tree) -> Iterator[Told]:
    """A template draws in a file, or imports a macro, that is not there: name a file below
    templates/, such as _layouts/base.j2.
    """
    yield from _unresolved(tree, worked_out=False)


@check("worked-out-file", "warning")
def worked_out_file(tree: Tree) -> Iterator[Told]:
    """A template works out while rendering which file it draws in, so nothing in that file is
    checked: name the file.
    """
    yield from _unresolved(tree, worked_out=True)


def _unresolved(tree: Tree, *, worked_out: bool) -> Iterator[Told]:
    remedy = "name a file below templates/, such as _layouts/base.j2"
    for _, needs in tree.every_needs():
        for name, line, problem in needs.unresolved:
            if (_WORKED_OUT in problem) is worked_out:
                yield Told(f"templates/{name}", line, problem, remedy)


@check("unknown-filter", "error")
def unknown_filter(tree: Tree) -> Iterator[Told]:
    """A template uses a filter that there is not: use one of Jinja's, or of Heraldo's."""
    yield from _unknown(tree, "filter", f", or of Heraldo's: {', '.join(sorted(FILTERS))}")


@check("unknown-test", "error")
def unknown_test(tree: Tree) -> Iterator[Told]:
    """A template uses a test (`is …`) that there is not: use one of Jinja's."""
    yield from _unknown(tree, "test")


@check("unknown-function", "error")
def unknown_function(tree: Tree) -> Iterator[Told]:
    """A template calls a function or a macro that there is not: use one of Jinja's, or import the
    macro.
    """
    yield from _unknown(tree, "function")


def _unknown(tree: Tree, what: str, others: str = "") -> Iterator[Told]:
    for name, found in tree.unknown.items():
        for unknown in found:
            if unknown.what == what:
                near = unknown.nearest
                remedy = (
                    f"did you mean {near!r}?" if near else f"use one of Jinja's {what}s{others}"
                )
                problem = f"there is no {what} {unknown.name!r}"
                yield Told(f"templates/{name}", unknown.line, problem, remedy, unknown.name)


@check("literal-braces", "error")
def literal_braces(tree: Tree) -> Iterator[Told]:
    """A tag that lost a brace is text to Jinja and would be sent as it stands: write `{{ name }}`
    for a value, `{% … %}` for a tag.
    """
    for name in tree.used:
        for node in tree.nodes(name):
            found = _BRACES.search(node.data) if isinstance(node, nodes.TemplateData) else None
            if found is not None and isinstance(node, nodes.TemplateData):
                text = found[0]
                line = node.lineno + node.data.count("\n", 0, found.start())
                remedy = (
                    f"write {{{{ {found[1] or found[2] or 'name'} }}}} for a value, {{% … %}} for a"
                    f" tag; or, if customers are to read it, {{{{ {text!r} }}}}"
                )
                yield Told(f"templates/{name}", line, f"{text} would be sent as it stands", remedy)


@check("time-zone", "error")
def time_zone(tree: Tree) -> Iterator[Told]:
    """The shop's time zone is none that there is: name one as IANA does, such as Europe/Madrid."""
    if SHOP in tree.broken or not (tree.folder / SHOP).is_file():
        return
    try:
        _ = tree.environment.time_zone
    except WordsError as error:
        lines = (n.lineno for n in tree.nodes(SHOP) if getattr(n, "name", "") == "time_zone")
        remedy = "name one as IANA does, such as Europe/Madrid"
        yield Told(f"templates/{SHOP}", next(lines, 0), str(error), remedy, "time_zone")
    except jinja2.TemplateError:
        return  # told where it is used
