"""How a Chromium comes to a machine that has none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.paths import ROOT
from tests.chromium import MISSING


@pytest.mark.parametrize(
    ("apt", "done", "said"),
    [
        ("exit 1", 1, MISSING),
        ("true", 1, MISSING),  # it says yes, and there is none all the same
        ('[ "$1" = update ] || ln -s "$(command -v apt-get)" "$BIN/chromium"', 0, ""),
    ],
)
def test_one_is_installed_or_it_is_said_what_to_do(
    tmp_path: Path, apt: str, done: int, said: str
) -> None:
    script = tmp_path / "apt-get"
    script.write_text(f"#!/bin/sh\n{apt}\n")
    script.chmod(0o755)
    for name in ("sh", "ln"):
        (tmp_path / name).symlink_to(f"/bin/{name}")
    environment = {
        "PATH": str(tmp_path),
        "BIN": str(tmp_path),
        "HOME": str(tmp_path),
        # Playwright's own download is out of reach, and would be large.
        "PLAYWRIGHT_BROWSERS_PATH": str(tmp_path / "browsers"),
        "PLAYWRIGHT_DOWNLOAD_HOST": "http://127.0.0.1:9",
        "LANG": os.environ.get("LANG", "C.UTF-8"),
    }
    command = [sys.executable, "-m", "tests.chromium"]
    ran = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr.strip()) == (done, said)
    assert ran.stdout == "Installing Chromium (only this once)\n"


def test_nothing_is_installed_where_there_is_one(tmp_path: Path) -> None:
    (tmp_path / "chromium").symlink_to("/bin/sh")
    command = [sys.executable, "-m", "tests.chromium"]
    environment = {"PATH": str(tmp_path), "HOME": str(tmp_path)}
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True)
    assert (ran.stdout, ran.stderr) == (b"", b"")
