"""The HTML of mails: the layout that is around it."""

from __future__ import annotations

from collections.abc import Iterator

from cli.lint.finding import Told, check
from cli.lint.tree import Tree
from cli.words import layouts
from cli.words.layouts import LayoutError


@check("mail-layout", "error")
def mail_layout(tree: Tree) -> Iterator[Told]:
    """A layout of mails is no MJML, or says what would not come out as it is meant: mend it there."""
    try:
        layouts.compiled(tree.root)
    except LayoutError as error:
        for flaw in error.flaws:
            yield Told(error.file, flaw.line, flaw.problem, flaw.remedy)
