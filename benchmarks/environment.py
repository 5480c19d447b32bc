"""The benchmarks' own virtual environment, so that Powertools is in nobody else's way."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

from cli import setup

HOME: Final = Path(__file__).resolve().parents[1] / ".venv-bench"


def enter() -> None:
    """Go on in `.venv-bench`, made first where it is missing or out of date."""
    try:
        setup.ensure("bench")
    except setup.SetupError as error:
        sys.exit(str(error))
    if Path(sys.prefix) != HOME:
        sys.stdout.flush()
        python = str(HOME / "bin" / "python")
        os.execv(python, [python, *sys.orig_argv[1:]])
