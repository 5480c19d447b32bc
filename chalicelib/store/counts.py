"""What was sent to somebody of a category lately: one item that knows the events, so that each counts once.

It lies in the table of holds, whose items expire. It is written under the condition that nobody else wrote it
since it was read, because two lanes may be about the same person.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from chalicelib.store.record import text_of
from chalicelib.values import dataclass

_CAP: Final = "cap\n"


@dataclass(frozen=True, slots=True)
class Count:
    """The events of a category that went to `who` (`person:<id>` or `address:<hash>`), by their tags, and
    when (ISO, UTC). `version` counts its writings."""

    who: str
    category: str
    events: Mapping[str, str]
    version: int = 0

    def within(self, span: timedelta, now: datetime) -> Count:
        """What is left of it of the last `span` before `now` (aware)."""
        since = text_of(now - span)
        return replace(self, events={tag: at for tag, at in self.events.items() if at > since})

    def with_event(self, tag: str, now: datetime) -> Count:
        return replace(self, events={**self.events, tag: text_of(now)}, version=self.version + 1)


def key_of(who: str, category: str) -> dict[str, Any]:
    return {"id": {"S": f"{_CAP}{who}\n{category}"}, "at": {"S": "-"}}


def to_item(count: Count, until: datetime) -> dict[str, Any]:
    """Its item, which is kept as long as it is good for something."""
    return {
        **key_of(count.who, count.category),
        "events": {"S": json.dumps(count.events, separators=(",", ":"))},
        "version": {"N": str(count.version)},
        "expires": {"N": str(int(until.timestamp()))},
    }


def from_items(items: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], Count]:
    """The counts among these, by whom and category."""
    found = {}
    for item in items:
        if not item["id"]["S"].startswith(_CAP):
            continue
        _, who, category = item["id"]["S"].split("\n", 2)
        events = json.loads(item["events"]["S"])
        found[who, category] = Count(who, category, events, int(item["version"]["N"]))
    return found
