"""What is wrong with the templates and the routing of a tree: the core of `./heraldo lint`.

Every check works on the files alone; nothing is sent and nothing is asked of AWS.
"""

from __future__ import annotations

import gc
import re
from pathlib import Path

from cli.lint.finding import Check, Finding, Told, table
from cli.lint.tree import Tree

_ORDER = {"error": 0, "warning": 1}


def lint(root: Path) -> list[Finding]:
    """Everything that is wrong below `root`, which has `templates/` and `chalicelib/routing.toml`.

    Sorted by file and line; no finding is there twice.
    """
    # Trees are many small objects that all live to the end: collecting garbage finds none.
    collecting = gc.isenabled()
    gc.disable()
    try:
        tree = Tree(root)
        found = {_finding(tree, c, told): None for c in table().values() for told in c.find(tree)}
        return sorted(found, key=lambda f: (f.file, f.line, _ORDER[f.severity], f.code))
    finally:
        if collecting:
            gc.enable()


def _finding(tree: Tree, check: Check, told: Told) -> Finding:
    column = told.column or (_column(tree, told.file, told.line, told.word) if told.word else None)
    return Finding(
        check.severity, told.file, told.line, column, check.code, told.message, told.remedy
    )


def _column(tree: Tree, file: str, line: int, word: str) -> int | None:
    """Where on its line a word stands. Jinja's nodes know their line only."""
    lines = tree.sources().get(file.removeprefix("templates/"), "").splitlines()
    if not 0 < line <= len(lines):
        return None
    found = re.search(rf"(?<![\w.]){re.escape(word)}(?!\w)", lines[line - 1])
    return found.start() + 1 if found else None
