"""The house: each room of `chalicelib/` imports only from those below it (docs/architecture.md)."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.paths import ROOT

# From the top down. Rooms on one line stand side by side and know nothing of each other.
FLOORS = (
    "console",
    "letters",
    "door relay snapshot",
    "lanes",
    "plan",
    "channels",
    "words rules store journeys",
    "events",
    "patience",
    "aws",
    "stage checkout",
    "errors names log metrics spelling",
    "values regex side_by_side",
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms.split()}
FILES = sorted((ROOT / "chalicelib").rglob("*.py"))


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def imports(file: Path) -> Iterator[str]:
    """Every module that a file imports, also within a function or for types alone."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: write the whole name of what is imported"
            yield from (f"{node.module}.{name.name}" for name in node.names)


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.relative_to(ROOT).as_posix())
def test_a_room_imports_only_from_the_rooms_below_it(file: Path) -> None:
    own = room_of(".".join(file.relative_to(ROOT).with_suffix("").parts))
    for name in imports(file):
        top, _, _ = name.partition(".")
        assert top not in ("chalice", "cli", "app"), f"{name} is above the house"
        if top == "chalicelib" and room_of(name) != own:
            assert FLOOR[own] < FLOOR[room_of(name)], f"{own} does not know {room_of(name)}: {name}"


def test_every_room_has_its_place() -> None:
    there = {room_of(".".join(f.relative_to(ROOT).with_suffix("").parts)) for f in FILES}
    assert there - {"__init__"} == FLOOR.keys()


@pytest.mark.parametrize(
    "file", sorted((ROOT / "cli").rglob("*.py")), ids=lambda f: f.relative_to(ROOT).as_posix()
)
def test_nothing_is_built_on_a_command(file: Path) -> None:
    assert not [name for name in imports(file) if name.startswith("cli.commands")]


@pytest.mark.parametrize("room", ["events", "words", "rules", "plan"])
def test_what_only_decides_has_nothing_of_aws_in_it(room: str) -> None:
    """A plan, a lint and a lane's decision are the same code, wherever there is no AWS."""
    modules = [
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for file in FILES
        if file.relative_to(ROOT).parts[1] == room
    ]
    code = f"import sys, {', '.join(modules)}; sys.exit('botocore' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
