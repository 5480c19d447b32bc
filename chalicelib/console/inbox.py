"""The inbox of the local stack: what people, and the subscribers of topics, got. No other stage has one."""

from __future__ import annotations

from typing import Final

from chalicelib.console.visit import Document, Page, Sorry, Visit, link
from chalicelib.regex import regex
from chalicelib.store import deliveries
from chalicelib.store.deliveries import Arrived
from chalicelib.values import dataclass
from chalicelib.words import limits

ROWS: Final = 50
_REFRESH_SECONDS: Final = 2
# When something arrived, and its id.
_PLACE: Final = regex(r"[0-9T:.+-]{20,40}/[\x21-\x7e]{1,200}\Z")


@dataclass(frozen=True, slots=True)
class Head:
    """A line of a message's head: `word` says what it is, or `name` where there is no word for it."""

    word: str
    name: str
    value: str


def show(visit: Visit) -> Page:
    """The newest messages."""
    before = _place(visit.query.get("before", ""))
    found, older = visit.patience.ask(lambda: deliveries.newest(visit.stage, ROWS, before))
    return Page(
        "inbox",
        {
            "rows": found,
            "unread": sum(not one.is_seen for one in found),
            "before": before,
            "older": link("inbox", before=older) if older else "",
            "refresh": 0 if before else _REFRESH_SECONDS,
        },
    )


def message(visit: Visit) -> Page:
    """One message: as it looks, as text, its source, or its head."""
    found = _found(visit)
    parts = [
        *(["html"] if found.html else []),
        "text",
        *(["source"] if found.html else []),
        "headers",
    ]
    part = visit.query.get("part", "")
    if not found.is_seen:
        visit.patience.ask(lambda: deliveries.see(visit.stage, found.place))
    return Page(
        "message",
        {
            "section": "inbox",
            "mail": found,
            "parts": parts,
            "part": part if part in parts else parts[0],
            "sms": limits.sms(found.text) if found.channel == "sms" else None,
            "head": _head(found),
        },
    )


def frame(visit: Visit) -> Document:
    """A mail's own page, which the one about it shows in a frame."""
    return Document(_found(visit).html)


def _found(visit: Visit) -> Arrived:
    place = _place(visit.query.get("at", ""))
    found = visit.patience.ask(lambda: deliveries.find(visit.stage, place)) if place else None
    if found is None:
        raise Sorry(404, "gone_mail")
    return found


def _place(text: str) -> str:
    return text if _PLACE.match(text) else ""


def _head(found: Arrived) -> list[Head]:
    to = "topic" if found.channel == "topic" else "to"
    lines = {"from": found.sender, to: found.who, "subject": found.subject, "date": found.at}
    lines |= {"message-id": found.message_id}
    own = [Head(f"head.{name}", "", value) for name, value in lines.items() if value]
    return own + [Head("", name, value) for name, value in found.attributes.items()]
