"""One JSON line per thing worth knowing. Nothing of a customer's ever goes in."""

from __future__ import annotations

import json
import sys


def info(what: str, **facts: object) -> None:
    _line("info", what, facts)


def warning(what: str, **facts: object) -> None:
    _line("warning", what, facts)


def error(what: str, **facts: object) -> None:
    _line("error", what, facts)


def origin(error: BaseException) -> dict[str, object]:
    """What an unexpected error may say of itself: its kind and where, never its message."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    where = f"{last.tb_frame.f_code.co_filename}:{last.tb_lineno}" if last is not None else ""
    return {"error": type(error).__name__, "at": where}


def _line(level: str, what: str, facts: dict[str, object]) -> None:
    # Lambda sends what is written to standard error to CloudWatch Logs; a logging configuration
    # would cost the cold start an import and add nothing to that.
    sys.stderr.write(json.dumps({"level": level, "message": what, **facts}) + "\n")
