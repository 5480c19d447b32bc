"""The page at `/`, in a real browser, as somebody sees it who opens the API's address."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.chromium import MISSING, QUIET, find
from tests.e2e.conftest import Stack
from tests.patience import PATIENCE


def chromium(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    found = find()
    if found is None:
        pytest.fail(MISSING, pytrace=False)
    command = [found, "--headless", *QUIET]
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    return subprocess.run(
        [*command, "--enable-logging=stderr", profile, *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )


def test_the_page_says_what_this_is_and_breaks_none_of_its_own_rules(
    stack: Stack, tmp_path: Path
) -> None:
    shown = chromium(tmp_path, "--dump-dom", stack.local["api_url"] + "/")
    assert "<h1>Heraldo</h1>" in shown.stdout
    assert "Content Security Policy" not in shown.stderr


def test_the_page_is_painted(stack: Stack, tmp_path: Path) -> None:
    picture = tmp_path / "page.png"
    size = "--window-size=900,600"
    chromium(tmp_path, f"--screenshot={picture}", size, stack.local["api_url"] + "/")
    blank = tmp_path / "blank.png"
    chromium(tmp_path, f"--screenshot={blank}", size, "about:blank")
    assert picture.stat().st_size > 2 * blank.stat().st_size
