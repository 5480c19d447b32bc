"""The benchmarks' own virtual environment, so that Powertools is in nobody else's way."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

from cli import setup

ROOT: Final = Path(__file__).resolve().parents[1]
NAME: Final = ".venv-bench"


def enter() -> None:
    """Go on in `.venv-bench`, made first where it is missing or out of date."""
    setup.ENVIRONMENTS[NAME] = ("requirements-bench.txt", "requirements.txt")
    try:
        python = setup.ensure(NAME)
    except setup.SetupError as error:
        sys.exit(str(error))
    if Path(sys.prefix) != ROOT / NAME:
        sys.stdout.flush()
        os.execv(python, [str(python), *sys.orig_argv[1:]])
