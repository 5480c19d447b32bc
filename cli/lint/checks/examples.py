"""The examples beside the rules."""

from __future__ import annotations

from collections.abc import Iterator

from cli.lint.examples import EXAMPLES, ExamplesError, read
from cli.lint.finding import Told, check
from cli.lint.tree import Tree


@check("examples", "error")
def examples(tree: Tree) -> Iterator[Told]:
    """An example in `routing.examples.toml` cannot be tried: mend the line."""
    book = tree.rulebook
    if book.problems or not tree.types or not (tree.root / EXAMPLES).is_file():
        return
    try:
        read(tree.root, book.routing)
    except ExamplesError as error:
        for problem in error.problems:
            what = f"{problem.rule}: {problem.problem}" if problem.rule else problem.problem
            yield Told(EXAMPLES, problem.line, what, "mend the line")
