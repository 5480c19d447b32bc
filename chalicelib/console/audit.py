"""Who did what: the audit log, the newest first."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from chalicelib.console.visit import Page, Visit, link
from chalicelib.console.words import WORDS
from chalicelib.regex import regex
from chalicelib.store import audit

ROWS: Final = 50
# What these were done to is an event, which has a page.
_OF_EVENTS: Final = ("cancel", "acknowledge")
_PLACE: Final = regex(r"20\d\d-[01]\d-[0-3]\dT[0-9:.]{5,12}Z/[0-9a-f]{8}\Z")


def show(visit: Visit) -> Page:
    before = _place(visit.query.get("before", ""))
    entries = visit.patience.ask(lambda: audit.newest(visit.stage, ROWS, before))
    rows = [
        (entry, _what(visit, entry.what), _event(entry) if entry.what in _OF_EVENTS else "")
        for entry in entries.found
    ]
    older = link("audit", before=entries.before) if entries.before else ""
    return Page("audit", {"rows": rows, "before": before, "older": older})


def _place(text: str) -> str:
    """Where the page begins; empty, at the newest, for what is no place."""
    try:
        datetime.fromisoformat(text.partition("/")[0])
    except ValueError:
        return ""
    return text if _PLACE.match(text) else ""


def _what(visit: Visit, what: str) -> str:
    """What was done in words; what a later version put down stands as it is."""
    return WORDS[visit.language].get(f"audit.{what}", what)


def _event(entry: audit.Entry) -> str:
    return link("event", id=entry.subject)
