"""What must hold in a working tree before chalice makes anything of it.

Plain `chalice` has no hook but the import of app.py, which asks here first. In Lambda there is no
working tree, and nothing to ask.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chalicelib import names
from chalicelib.spelling import did_you_mean


class NotReady(SystemExit):
    """Ends the command with a sentence that says what to do, and no traceback."""


def require(tree: Path) -> None:
    """Return where `tree` is no working tree, or one that may be packaged and deployed.

    Raises
    ------
    NotReady : with the remedy.
    """
    if not (tree / ".chalice").is_dir():
        return
    if not names.stage():
        raise NotReady(_undeclared(tree, str(_asked().get("stage", ""))))
    if not (tree / "vendor" / "templates").is_dir():
        raise NotReady(
            "vendor/templates must be a link to ../templates, or the package has no templates. Where"
            " git made a file of it (on Windows): git config core.symlinks true, then"
            " git checkout -f vendor/templates."
        )


def _undeclared(tree: Path, stage: str) -> str:
    known = list(json.loads((tree / ".chalice" / "config.json").read_text("utf-8"))["stages"])
    near = did_you_mean(stage, known) or f"; there are {', '.join(known)}."
    return f"There is no stage {stage!r} in stages.toml{near}"


def _asked() -> Mapping[str, Any]:
    """The options of the chalice command that is running; none where it is something else."""
    click = sys.modules.get("click") if "chalice.cli" in sys.modules else None
    context = click.get_current_context(silent=True) if click else None
    return context.params if context else {}
