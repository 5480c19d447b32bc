"""What is declared, against all that follows from it: names in code, files that are generated.

A tree of templates alone has none of these.
"""

from __future__ import annotations

import symtable
from collections.abc import Iterator
from pathlib import Path

from chalicelib.rules.reading import RoutingError
from cli import stages
from cli.deploy import generated, resources
from cli.lint.finding import Told, check
from cli.lint.tree import Tree
from cli.paths import ROUTING
from cli.stages import StagesError
from cli.words.layouts import LayoutError


def _is_whole(tree: Tree) -> bool:
    return (tree.root / "app.py").is_file() and not tree.rulebook.problems


@check("lane-name", "error")
def lane_name(tree: Tree) -> Iterator[Told]:
    """A lane has a name that app.py uses for itself, so that one of the two would be lost: call it
    otherwise.
    """
    taken = names_of(tree.root / "app.py") if _is_whole(tree) else ()
    for lane in tree.rulebook.routing.lanes.values():
        if lane.name in taken:
            what = f"lane {lane.name} has a name that app.py uses for itself"
            yield Told(ROUTING, lane.line, what, "call it otherwise")


def names_of(module: Path) -> set[str]:
    """Every name that a module has or looks for at its top, also from within its functions."""
    try:
        top = symtable.symtable(module.read_text("utf-8"), module.name, "exec")
    except SyntaxError:  # told where code is looked at
        return set()
    found = set(top.get_identifiers())
    tables = list(top.get_children())
    while tables:
        table = tables.pop()
        found |= {symbol.get_name() for symbol in table.get_symbols() if symbol.is_global()}
        tables += table.get_children()
    return found


@check("resource-name", "error")
def resource_name(tree: Tree) -> Iterator[Told]:
    """A lane or a topic has a name that makes no name in CloudFormation, or one that is taken: call
    it otherwise.
    """
    try:
        if _is_whole(tree):
            resources.overlay("local", tree.root)
    except RoutingError as error:
        for problem in error.problems:
            yield Told(ROUTING, problem.line, problem.problem, "call it otherwise")
    except (OSError, StagesError):  # told by no-file, or by stages
        return


@check("no-file", "error")
def no_file(tree: Tree) -> Iterator[Told]:
    """A file that a deploy needs is gone, or cannot be read: bring it back with git."""
    if not _is_whole(tree):
        return
    try:
        resources.overlay("local", tree.root)
    except (RoutingError, StagesError):  # told by resource-name, or by stages
        pass
    except OSError as error:
        file = Path(error.filename or "infra").relative_to(tree.root).as_posix()
        yield Told(file, 0, f"there is no {file}", f"git checkout {file} brings it back")
    try:
        generated.stale(tree.root)
    except (StagesError, LayoutError):  # told by stages, or by mail-layout
        return
    except (OSError, ValueError):
        file = ".chalice/config.json"
        yield Told(file, 0, f"{file} cannot be read", f"git checkout {file} brings it back")


@check("stages", "error")
def stages_file(tree: Tree) -> Iterator[Told]:
    """`stages.toml` cannot be used: mend the line."""
    try:
        if _is_whole(tree):
            stages.stages(tree.root)
    except StagesError as error:
        for problem in error.problems:
            what = f"{problem.rule}: {problem.problem}" if problem.rule else problem.problem
            yield Told(stages.FILE, problem.line, what, "mend the line")


@check("stale", "error")
def stale(tree: Tree) -> Iterator[Told]:
    """A generated file is not what follows from `routing.toml` and `stages.toml`, or a compiled layout from its MJML:
    write it again with `make generate`, and commit it.
    """
    try:
        found = generated.stale(tree.root) if _is_whole(tree) else ()
    except (OSError, ValueError, StagesError, LayoutError):  # told by no-file, stages, mail-layout
        return
    for path in found:
        remedy = f"run `{generated.COMMAND}`, and commit what it writes"
        source = path.with_suffix(".mjml").name if path.suffix == ".j2" else None
        what = f"is not what follows from {source or f'{ROUTING} and {stages.FILE}'}"
        yield Told(path.relative_to(tree.root).as_posix(), 0, what, remedy)
