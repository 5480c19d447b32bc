"""A fresh machine has what requirements name and nothing else."""

from __future__ import annotations

import ast
import re
import sys
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
OURS = {"app", "chalicelib", "cli"}


def installed_by(file: str) -> set[str]:
    """The distributions that a requirements file names, one by one; not what these bring along."""
    found = set()
    for line in (ROOT / file).read_text().splitlines():
        if line.startswith("-r "):
            found |= installed_by(line[3:])
        elif name := re.match(r"[A-Za-z0-9_.-]+", line):
            found.add(name[0].lower())
    return found


def imported(folder: str) -> set[str]:
    found = set()
    for file in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.partition(".")[0])
    found = {name for name in found if not name.startswith("mypy_boto3")}  # for type checking only
    return found - OURS - sys.stdlib_module_names


@pytest.mark.parametrize(
    ("folder", "file", "brought"),
    [
        ("cli", "requirements-tools.txt", {"botocore", "urllib3"}),  # by boto3
        # By Lambda, and by Jinja2.
        ("chalicelib", "requirements.txt", {"boto3", "botocore", "markupsafe"}),
    ],
)
def test_what_is_imported_is_required(folder: str, file: str, brought: set[str]) -> None:
    distributions = metadata.packages_distributions()
    required = installed_by(file)
    missing = {
        name
        for name in imported(folder) - brought
        if required.isdisjoint(d.lower() for d in distributions.get(name, ()))
    }
    assert not missing
