"""Builds what is deployed: chalice's template merged with `infra/`, and a zip with nothing to spare.

python -m cli.deploy.package --stage dev [--out FOLDER]
"""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import io
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import babel
import click
from babel.core import get_global

from chalicelib.words.render import locale_of
from cli import stages
from cli.deploy import bytecode, resources, sbom, snapshots
from cli.journeys import definition
from cli.lint import check, findings
from cli.paths import ROOT

_CODE: Final = ("app.py", "chalicelib", "templates")
_LOCK: Final = "requirements.lock"
_SETTINGS: Final = (
    resources.RESOURCES,
    resources.PACKAGED,
    ".chalice/config.json",
    ".chalice/policies",
    "requirements.txt",
    _LOCK,
    stages.FILE,
    definition.FOLDER,
)
FINDINGS: Final = "chalicelib/console/findings.json"
_TOO_OLD: Final = (
    "snap_start of the stage {stage} (stages.toml) needs Python 3.12 or newer, and this is {python}. Put a newer one on"
    " your PATH, and say it again; or take snap_start out."
)
_KEPT: Final = 4
_FOREIGN: Final = ("boto3/", "botocore/", "tests/", "cli/", "benchmarks/")
_TEXT_MODE: Final = 0o100644 << 16
_BINARY_MODE: Final = 0o100755 << 16


class PackageError(Exception):
    """One sentence for the person who typed the command."""


@dataclass(frozen=True, slots=True)
class Package:
    """A built package: what CloudFormation gets and what Lambda gets."""

    stage: str
    template: dict[str, Any]
    zip_file: Path


def build(stage: str, cache: Path = ROOT / ".heraldo" / "packages") -> Package:
    """Build the package of `stage`, or return the one built before from the same files.

    Raises `PackageError` when chalice fails or the result is not what may be deployed.
    """
    folder = cache / f"{stage}-{_digest()}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # chalice uses one folder for every run
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=cache) as scratch:
                made = Path(scratch) / "package"
                _package(stage, made)
                made.rename(folder)
            _prune(cache, stage, folder)
    folder.touch()
    template = json.loads((folder / "sam.json").read_text("utf-8"))
    return Package(stage, template, folder / "deployment.zip")


def refuse_a_broken_tree() -> None:
    """Raise PackageError where a template, a rule or the code is broken: such a tree is not deployed."""
    if problems := check.problems_now():
        told = [f"  {problem}" for problem in problems]
        raise PackageError("\n".join(["This tree is not fit to be deployed:", *told]))


def refuse_an_old_python(stage: str, python: tuple[int, int]) -> None:
    """Raise PackageError where Lambda takes no snapshots of functions that this Python packages."""
    if python < snapshots.PYTHON:
        raise PackageError(_TOO_OLD.format(stage=stage, python=".".join(map(str, python))))


def code_entries(root: Path = ROOT) -> dict[str, Path]:
    """The zip's entries that come from this repository, by their name in the zip."""
    return {
        file.relative_to(root).as_posix(): file for part in _CODE for file in _files(root / part)
    }


def is_code(name: str) -> bool:
    """Whether an entry of the zip comes from this repository."""
    return name.startswith((*_CODE, "__pycache__/"))


def watched_files() -> list[Path]:
    """Every file that the package is made from."""
    return [file for part in (*_CODE, *_SETTINGS) for file in _files(ROOT / part)]


def locale_entries() -> dict[str, bytes]:
    """The zip's entries for the locales, and the time zone, that templates are written in just now."""
    home = Path(babel.__file__).parents[1]
    files = {name: home / name for name in sorted(_data_files())}
    return {name: file.read_bytes() for name, file in files.items() if file.exists()}


def zipped(entries: dict[str, bytes], level: int = 9) -> bytes:
    """A zip of `entries`: the same entries always give the same bytes."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as out:
        for name in sorted(entries):
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = _BINARY_MODE if name.endswith(".so") else _TEXT_MODE
            out.writestr(info, entries[name])
    return target.getvalue()


def read_zip(source: Path) -> dict[str, bytes]:
    """Every entry of a zip that is a file."""
    with zipfile.ZipFile(source) as opened:
        return {name: opened.read(name) for name in opened.namelist() if not name.endswith("/")}


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    for file in sorted(path.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts and not file.name.startswith("."):
            yield file


def _digest() -> str:
    hashed = hashlib.sha256(
        f"{version('chalice')} {platform.python_version()} {platform.machine()}".encode()
    )
    for file in (*watched_files(), *sorted(Path(__file__).parent.glob("*.py"))):
        content = file.read_bytes()
        hashed.update(f"{file.relative_to(ROOT)} {len(content)}\n".encode())
        hashed.update(content)
    return hashed.hexdigest()[:16]


def _package(stage: str, out: Path) -> None:
    refuse_a_broken_tree()
    snap_start = stages.stages()[stage].snap_start
    if snap_start:
        refuse_an_old_python(stage, sys.version_info[:2])
    # chalice's own cache misses renamed files.
    shutil.rmtree(ROOT / ".chalice" / "deployments", ignore_errors=True)
    out.mkdir()
    overlay = out / "overlay.json"
    overlay.write_text(json.dumps(resources.overlay(stage)), "utf-8")
    chalice = subprocess.run(
        [
            *(Path(sys.executable).with_name("chalice"), "package"),
            *("--stage", stage, "--merge-template", overlay, out),
        ],
        cwd=ROOT,
        env={
            # chalice asks for a region although nothing in the template depends on it.
            "AWS_DEFAULT_REGION": "us-east-1",
            **os.environ,
            "PYTHONDONTWRITEBYTECODE": "1",
            # Its pip takes just what is locked, by its hash.
            "PIP_CONSTRAINT": str(ROOT / _LOCK),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    overlay.unlink()
    if chalice.returncode or "Could not install dependencies" in chalice.stderr + chalice.stdout:
        said = (chalice.stderr or chalice.stdout).strip()
        raise PackageError(f"chalice package failed:\n{said}")
    if snap_start:
        template = out / "sam.json"
        led = snapshots.lead_to_alias(json.loads(template.read_text("utf-8")))
        template.write_text(json.dumps(led, indent=2), "utf-8")
    zip_file = out / "deployment.zip"
    made = _trimmed(read_zip(zip_file))
    entries = made | {FINDINGS: _findings(), sbom.FILE: sbom.sbom(made)}
    _check(entries)
    zip_file.write_bytes(zipped(entries | bytecode.modules(entries) | bytecode.templates()))


def _findings() -> bytes:
    """What lint has to say of the tree, for the console: the Lambda package has no lint."""
    found = [dataclasses.asdict(finding) for finding in findings.lint(ROOT)]
    return json.dumps(found, ensure_ascii=False).encode()


def _trimmed(entries: dict[str, bytes]) -> dict[str, bytes]:
    """Without the locales that no template is written in: nine tenths of what chalice makes."""
    wanted = _data_files()
    return {
        name: content
        for name, content in entries.items()
        if "__pycache__/" not in name
        and (name in wanted or name.endswith("/__init__.py") or not name.startswith(_DATA))
    }


# What Babel knows of all the world.
_DATA: Final = "babel/locale-data/"


def _data_files() -> set[str]:
    """Of that, what the templates need."""
    return {f"{_DATA}{locale}.dat" for locale in _locales()}


def _locales() -> set[str]:
    """The locales of the templates, with those they inherit from."""
    parents = get_global("parent_exceptions")
    found = {"root"}
    for file in (ROOT / "templates").glob("*/*.j2"):
        locale = "" if file.parent.name.startswith("_") else locale_of(file.stem).replace("-", "_")
        while locale:
            found.add(locale)
            locale = parents.get(locale) or locale.rpartition("_")[0]
    return found


def _check(entries: dict[str, bytes]) -> None:
    missing = [name for name in code_entries() if name not in entries]
    if missing:
        raise PackageError(f"The package lacks {', '.join(missing[:5])}")
    if not any(name.startswith("templates/") for name in entries):
        raise PackageError(
            "The package has no templates: vendor/templates must link to ../templates"
        )
    foreign = sorted({name.split("/")[0] for name in entries if name.startswith(_FOREIGN)})
    if foreign:
        raise PackageError(f"The package must not contain {', '.join(foreign)}")


def _prune(cache: Path, stage: str, newest: Path) -> None:
    packages = sorted(cache.glob(f"{stage}-*"), key=lambda folder: folder.stat().st_mtime)
    for old in packages[:-_KEPT]:
        if old != newest:
            shutil.rmtree(old, ignore_errors=True)


@click.command()
@click.option("--stage", type=stages.STAGE, required=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path))
def main(stage: str, out: Path | None) -> None:
    """Build the package of a stage and say where it is."""
    try:
        built = build(stage)
    except PackageError as error:
        raise click.ClickException(str(error)) from None
    folder = built.zip_file.parent
    if out:
        shutil.copytree(folder, out, dirs_exist_ok=True)
        folder = out
    resources.write(resources.infrastructure(stage), folder / "infra.yaml")
    size = built.zip_file.stat().st_size
    print(f"{folder}: sam.json, deployment.zip ({size / 1e6:.2f} MB), infra.yaml")


if __name__ == "__main__":
    main()
