"""The trace that an event is part of, as W3C writes it: https://www.w3.org/TR/trace-context/#traceparent-header."""

from __future__ import annotations

from typing import Final

from chalicelib.regex import regex

TRACEPARENT: Final = "traceparent"
_SHAPE: Final = regex(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(-[!-~]*)?\Z")
_NONE: Final = "0" * 32


def trace_of(traceparent: str | None) -> str:
    """The id of a trace, 32 hex digits; empty where there is none, or nothing that W3C would read."""
    found = _SHAPE.match(traceparent or "")
    return found[1] if found and found[1] != _NONE else ""
