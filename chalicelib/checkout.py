"""What must hold in a working tree before chalice makes anything of it.

Plain `chalice` has no hook but the import of app.py, which asks here first. In Lambda there is no
working tree, and nothing to ask.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from chalicelib import names
from chalicelib.spelling import did_you_mean

_NOTHING_SECONDS: Final = 3600


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
    command, options = _asked()
    stage = str(options.get("stage", ""))
    if not names.stage():
        raise NotReady(_undeclared(tree, stage))
    if not (tree / "vendor" / "templates").is_dir():
        raise NotReady(
            "vendor/templates must be a link to ../templates, or the package has no templates. Where"
            " git made a file of it (on Windows): git config core.symlinks true, then"
            " git checkout -f vendor/templates."
        )
    if command:
        region = os.environ.get("HERALDO_REGION") or os.environ.get("AWS_REGION")
        if region:  # the only name that chalice knows it by
            os.environ["AWS_DEFAULT_REGION"] = region
    if command == "deploy" and not _knows_what_is_deployed(tree, stage):
        raise NotReady(
            f"It is not known what is deployed of {stage}: run `make infra STAGE={stage}` first, which"
            " asks AWS. Otherwise a second API would be made beside the one that there may be."
        )


def _knows_what_is_deployed(tree: Path, stage: str) -> bool:
    """Whether chalice's memory of the deploys before is there.

    That there were none is believed for a while only: somebody else may make the first.
    """
    file = tree / ".chalice" / "deployed" / f"{stage}.json"
    try:
        known = json.loads(file.read_text("utf-8"))["resources"]
    except (OSError, ValueError, KeyError):
        return False
    return bool(known) or time.time() - file.stat().st_mtime < _NOTHING_SECONDS


def _undeclared(tree: Path, stage: str) -> str:
    known = list(json.loads((tree / ".chalice" / "config.json").read_text("utf-8"))["stages"])
    near = did_you_mean(stage, known) or f"; there are {', '.join(known)}."
    return f"There is no stage {stage!r} in stages.toml{near}"


def _asked() -> tuple[str, Mapping[str, Any]]:
    """The chalice command that is running, and its options; nothing where it is something else."""
    click = sys.modules.get("click") if "chalice.cli" in sys.modules else None
    context = click.get_current_context(silent=True) if click else None
    return (context.info_name, context.params) if context else ("", {})
