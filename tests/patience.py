"""How long a test waits for what comes."""

from __future__ import annotations

from typing import Final

# Seconds. What comes within one on an idle machine: only a test that fails waits so long, so it is made for
# one that is slow and does other work too.
PATIENCE: Final = 180.0
