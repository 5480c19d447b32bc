"""What somebody reads whose machine lacks something, and how seldom setting up happens."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A clone in which nothing was set up yet, with a single requirement."""
    (tmp_path / "cli").mkdir()
    for name in ("setup.py", "setup.sh"):
        shutil.copy(ROOT / "cli" / name, tmp_path / "cli" / name)
    nowhere = f"heraldo-is-not-on-any-registry==1 --hash=sha256:{64 * '0'}\n"
    (tmp_path / "requirements-tools.lock").write_text(nowhere)
    shutil.copy(ROOT / "heraldo", tmp_path / "heraldo")
    return tmp_path


def run(folder: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def fake_python(folder: Path, version: str) -> Path:
    """A PATH on which every Python is too old."""
    path = folder / "path"
    path.mkdir()
    for name in ("python3", "python3.11", "python3.12", "python3.13", "python3.14"):
        script = path / name
        script.write_text(
            f'#!/bin/sh\n[ "$1" = --version ] && echo "Python {version}" && exit\nexit 1\n'
        )
        script.chmod(0o755)
    for name in ("sh", "dirname", "readlink"):
        (path / name).symlink_to(shutil.which(name) or name)
    return path


def test_a_python_that_is_too_old_is_told_in_one_sentence(bare: Path) -> None:
    done = run(bare, "cli/setup.sh", "tools", PATH=str(fake_python(bare, "3.9.2")))
    assert done.returncode == 1
    assert done.stderr == "Heraldo needs Python 3.11 to 3.14 on the PATH; found Python 3.9.2.\n"


def test_a_registry_out_of_reach_is_told_in_one_sentence_and_leaves_no_half_setup(
    bare: Path,
) -> None:
    nobody = {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": "http://127.0.0.1:9/simple"}
    done = run(bare, "./heraldo", "--help", PIP_RETRIES="0", **nobody)
    assert done.returncode == 1
    [progress, sentence] = done.stderr.splitlines()
    assert progress.startswith("Installing requirements-tools.lock")
    assert sentence.startswith("The package registry is out of reach; check the network")
    assert not (bare / ".venv" / ".tools-ready").exists()


def test_what_is_set_up_is_not_set_up_again(bare: Path) -> None:
    (bare / "requirements-tools.lock").write_text("# nothing\n")
    assert "Installing" in run(bare, "cli/setup.sh", "tools").stdout
    assert run(bare, "cli/setup.sh", "tools").stdout == ""

    (bare / "requirements-tools.lock").write_text("# nothing more\n")
    assert "Installing" in run(bare, "cli/setup.sh", "tools").stdout
