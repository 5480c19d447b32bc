"""One JSON line per thing worth knowing. Nothing of a customer's ever goes in."""

from __future__ import annotations

import json
import sys


def warning(what: str, **facts: object) -> None:
    _line("warning", what, facts)


def error(what: str, **facts: object) -> None:
    _line("error", what, facts)


def _line(level: str, what: str, facts: dict[str, object]) -> None:
    # Lambda sends what is written to standard error to CloudWatch Logs; a logging configuration
    # would cost the cold start an import and add nothing to that.
    sys.stderr.write(json.dumps({"level": level, "message": what, **facts}) + "\n")
