"""The Chromium that tests look at pages and mails with.

python -m tests.chromium    installs one where there is none (`make test` does)
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, BrowserContext, sync_playwright

from tests.patience import PATIENCE

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING: Final = (
    "The tests look at pages and mails with Chromium, and there is none on this machine. On Debian and"
    " Ubuntu: apt-get install chromium"
)
QUIET: Final = (
    "--no-sandbox",  # in CI it runs as root, and it shows nothing but our own
    # What is not on this machine is not a page's business.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)


def find() -> str | None:
    """The machine's own, or else the one that Playwright brought."""
    own = next(filter(None, map(shutil.which, NAMES)), None)
    if own is None:
        with sync_playwright() as playwright:
            path = playwright.chromium.executable_path
        own = path if Path(path).exists() else None
    return own


def context(browser: Browser, **options: Any) -> BrowserContext:
    """A window of its own, with a test's patience."""
    opened = browser.new_context(**options)
    opened.set_default_timeout(PATIENCE * 1000)
    return opened


def install() -> None:
    """Install one: the system's where this may be done here, or else the one that Playwright brings."""
    print("Installing Chromium (only this once)", flush=True)
    options = ("-y", "-qq", "--no-install-recommends")
    if not (
        _runs("apt-get", "update", "-qq")
        and _runs("apt-get", "install", *options, "chromium")
        and find()
    ):
        _runs(sys.executable, "-m", "playwright", "install", "chromium")


def _runs(*command: str) -> bool:
    """Whether a command is there and does what it is to do."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


def main() -> int:
    """Install one where there is none; 1 where that cannot be done."""
    if find() is None:
        install()
        if find() is None:
            print(MISSING, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
