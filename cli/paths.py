"""Where things are in this working tree."""

from __future__ import annotations

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
HOME: Final = ROOT / ".heraldo"
"""What the local stack writes; nothing in it is kept in git."""
LOCAL: Final = HOME / "local.json"
"""Where the running local stack is, and its key."""
ROUTING: Final = "chalicelib/routing.toml"
"""Lanes, topics and rules, from the root of a tree."""
