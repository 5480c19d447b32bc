"""One thing that lint finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. An error keeps a message from going out as it should.

    `file` is relative to the tree; `line` and `column` count from 1, and are 0 and None where the
    finding is about the file as a whole.
    """

    severity: Literal["error", "warning"]
    file: str
    line: int
    column: int | None
    code: str
    message: str
    remedy: str
