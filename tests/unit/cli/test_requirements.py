"""A fresh machine has what requirements name and nothing else."""

from __future__ import annotations

import ast
import re
import sys
from importlib import metadata
from pathlib import Path

import pytest

from cli import locks, setup

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
        (
            "chalicelib",
            "requirements.txt",
            {"boto3", "botocore", "markupsafe", "snapshot_restore_py"},
        ),
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


PINNED = re.compile(r"^([A-Za-z0-9_.-]+)(?:\[[^]]*\])?==(\S+)", re.MULTILINE)


def pinned(file: str) -> dict[str, str]:
    """Packages and their versions as a file pins them, requirements that it names included."""
    text = (ROOT / file).read_text("utf-8")
    found = {name.lower().replace("_", "-"): version for name, version in PINNED.findall(text)}
    for other in re.findall(r"^-r (\S+)", text, re.MULTILINE):
        found |= pinned(other)
    return found


@pytest.mark.parametrize("name", locks.names())
def test_a_lock_has_what_its_requirements_name_and_a_hash_of_every_file(name: str) -> None:
    locked = pinned(f"{name}.lock")
    wanted = pinned(f"{name}.txt")
    assert wanted
    assert {package: locked.get(package) for package in wanted} == wanted, "run `make lock`"
    text = (ROOT / f"{name}.lock").read_text("utf-8")
    for entry in re.split(r"\n(?=\S)", text.strip()):
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry.splitlines()[0]
    assert "--index-url" not in text
    assert "--find-links" not in text


@pytest.mark.parametrize("name", ["requirements", "requirements-tools"])
def test_what_goes_into_one_environment_has_the_same_of_everything(name: str) -> None:
    dev = pinned("requirements-dev.lock")
    assert pinned(f"{name}.lock").items() <= dev.items()


def test_everything_that_is_installed_is_locked() -> None:
    files = [file for _, files in setup.PARTS.values() for file in files]
    assert all(file.endswith((".lock", "package-lock.json")) for file in files)
