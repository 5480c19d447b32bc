"""What is declared, against all that follows from it: names in code, files that are generated."""

from __future__ import annotations

import symtable
from collections.abc import Iterator
from pathlib import Path

from chalicelib.rules import reading
from chalicelib.rules.reading import RoutingError
from chalicelib.rules.routing import Routing
from cli.deploy import generated, resources
from cli.lint.finding import Finding
from cli.paths import ROUTING


def lint_declared(root: Path) -> Iterator[Finding]:
    """Every finding about lanes and topics as code, resources and generated files have them.

    A tree of templates alone has none of these, and no findings.
    """
    if not (root / "app.py").is_file():
        return
    try:
        routing = reading.read(root / ROUTING, None)
    except RoutingError as error:
        if not (root / ROUTING).is_file():
            remedy = f"git checkout {ROUTING} brings it back"
            yield _error(ROUTING, 0, "no-routing", f"there is no {ROUTING}", remedy)
        del error  # what is wrong in it is told where it is read rule by rule
        return
    yield from _names(root, routing)
    yield from _resources(root)
    yield from _generated(root)


def _names(root: Path, routing: Routing) -> Iterator[Finding]:
    taken = names_of(root / "app.py")
    for lane in routing.lanes.values():
        if lane.name in taken:
            what = f"lane {lane.name} has a name that app.py uses for itself"
            yield _error(ROUTING, lane.line, "lane-name", what, "call it otherwise")


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


def _resources(root: Path) -> Iterator[Finding]:
    try:
        resources.overlay("local", root)
    except RoutingError as error:
        for problem in error.problems:
            remedy = "call it otherwise"
            yield _error(ROUTING, problem.line, "resource-name", problem.problem, remedy)
    except OSError as error:
        file = Path(error.filename or "infra").relative_to(root).as_posix()
        yield _error(
            file, 0, "no-file", f"there is no {file}", f"git checkout {file} brings it back"
        )


def _generated(root: Path) -> Iterator[Finding]:
    try:
        stale = generated.stale(root)
    except (OSError, ValueError):
        file = ".chalice/config.json"
        remedy = f"git checkout {file} brings it back"
        yield _error(file, 0, "no-file", f"{file} cannot be read", remedy)
        return
    for path in stale:
        file = path.relative_to(root).as_posix()
        what = f"is not what follows from {ROUTING}"
        yield _error(
            file, 0, "stale", what, f"run `{generated.COMMAND}`, and commit what it writes"
        )


def _error(file: str, line: int, code: str, message: str, remedy: str) -> Finding:
    return Finding("error", file, line, None, code, message, remedy)
