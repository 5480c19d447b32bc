"""Where the local stacks are that run from this clone: a folder for each port, and the one meant."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from cli.paths import HOME, LOCAL


def home(port: int) -> Path:
    """What the stack on this port writes, so that two of them never touch each other's files."""
    return HOME / str(port)


def written(port: int) -> Path:
    """What the stack on this port says of itself; `LOCAL` says the same of the one started last."""
    return home(port) / LOCAL.name


def write(port: int, local: Any) -> None:
    """Make the stack on this port the one that commands mean."""
    text = json.dumps(local, indent=2) + "\n"
    for file in (written(port), LOCAL):
        file.unlink(missing_ok=True)
        file.touch(mode=0o600)  # it holds a key
        file.write_text(text, "utf-8")


def forget(port: int) -> None:
    """The stack on this port is gone; another that still runs takes its place."""
    own = _read(written(port))
    written(port).unlink(missing_ok=True)
    if own is None or _read(LOCAL) != own:
        return
    others = sorted(HOME.glob(f"*/{LOCAL.name}"), key=lambda file: file.stat().st_mtime)
    if others:
        write(int(others[-1].parent.name), _read(others[-1]))
    else:
        LOCAL.unlink(missing_ok=True)


def running() -> Any:
    """What is written of the stack that a command means: that of HERALDO_PORT, else the last started.

    Raises
    ------
    FileNotFoundError : there is none.
    """
    port = os.environ.get("HERALDO_PORT", "")
    return json.loads((written(int(port)) if port.isdigit() else LOCAL).read_text("utf-8"))


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return None
