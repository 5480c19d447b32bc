"""What the ledger keeps of an event: one DynamoDB item, no words and no person in it.

Attributes are few and flat (a timeline is one string of lines, the message ids one JSON object),
because botocore pays for every nested value of an item in CPU, twice per event.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime
from typing import Any, Final

from chalicelib.store import shares
from chalicelib.store.statuses import ACCEPTED, HELD, WAITING
from chalicelib.values import dataclass

KEEP_SECONDS: Final = 30 * 24 * 3600

EventKey = tuple[str, str]  # (id, source)
# One for all: `json.dumps` with options makes a new encoder for every item.
_ENCODER: Final = json.JSONEncoder(separators=(",", ":"))


@dataclass(slots=True)
class Record:
    """What is known of one event.

    `sent` maps a publication's name (`topic:users/es`, `recipient:email`) to a message id, `unknown` names
    those of which nobody knows whether they went out, `withheld` says why others did not; `chosen` has
    the channel that a first-of form chose. `template` is the version that was rendered, `fields` the fingerprint of its
    content, `sender` the name of the key that sent it. `attempts` counts the event's own failures,
    `receives` how often its message was received when a handler last ended in order with it, `alone`
    the handlers since that began with nothing else at hand. `turn` says whose turn it is to publish;
    see `ledger.announce`, which alone sets `turn_before`; that is not kept. `until` is when it goes out
    at the earliest, of what was held; `digests` has the rules that gathered it, and when those windows end.
    `whose` stands for whom it is for, as a keyed hash (`Secrets.hash_of`).
    """

    id: str
    source: str
    status: str = ""
    type: str = ""
    lane: str = ""
    timeline: list[str] = field(default_factory=list)
    rules: tuple[str, ...] = ()
    sent: dict[str, str] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    withheld: dict[str, str] = field(default_factory=dict)
    chosen: dict[str, str] = field(default_factory=dict)
    template: str = ""
    reason: str = ""
    detail: str = ""
    attempts: int = 0
    receives: int = 0
    alone: int = 0
    turn: str = ""
    turn_before: str = ""
    fields: str = ""
    test: bool = False
    sender: str = ""
    until: str = ""
    digests: dict[str, str] = field(default_factory=dict)
    whose: str = ""

    @property
    def key(self) -> EventKey:
        return (self.id, self.source)

    def enter(self, status: str, at: str) -> None:
        """Take a status; `at` is an ISO timestamp.

        Of an event that waits, the timeline keeps the beginning and the latest of each status: a day
        of tries would make an item of 50 KB.
        """
        self.status = status
        if status in WAITING:
            first = len(self.timeline)
            while first and self.timeline[first - 1].rsplit(" ", 1)[-1] in WAITING:
                first -= 1
            later = [line for line in self.timeline[first + 1 :] if not line.endswith(f" {status}")]
            self.timeline[first + 1 :] = later
        self.timeline.append(f"{at} {status}")

    @property
    def accepted(self) -> str:
        """When the door took it, as an ISO timestamp; empty where it came past the door."""
        at, _, status = self.timeline[0].partition(" ") if self.timeline else ("", "", "")
        return at if status in (ACCEPTED, HELD) else ""

    @property
    def began(self) -> str:
        """When the ledger first heard of it, as an ISO timestamp; empty where it has not yet."""
        return self.timeline[0].split(" ", 1)[0] if self.timeline else ""

    def since(self) -> datetime | None:
        """When it took the status that it has."""
        return datetime.fromisoformat(self.timeline[-1].split(" ", 1)[0]) if self.timeline else None


def text_of(moment: datetime) -> str:
    """A moment (aware, UTC) as a timeline has it."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now_text() -> str:
    return text_of(datetime.now(UTC))


def expires_text() -> str:
    return str(int(time.time()) + KEEP_SECONDS)


def to_item(record: Record, expires: str) -> dict[str, Any]:
    """The DynamoDB item of a record; what is empty is left out."""
    item: dict[str, Any] = {
        "id": {"S": record.id},
        "source": {"S": record.source},
        "status": {"S": record.status},
        "type": {"S": record.type},
        "lane": {"S": record.lane},
        "timeline": {"S": "\n".join(record.timeline)},
        "expires": {"N": expires},
    }
    if record.rules:
        item["rules"] = {"S": " ".join(record.rules)}
    if record.sent:
        item["sent"] = {"S": _ENCODER.encode(record.sent)}
    if record.unknown:
        item["unknown"] = {"S": " ".join(record.unknown)}
    if record.withheld:
        item["withheld"] = {"S": _ENCODER.encode(record.withheld)}
    if record.chosen:
        item["chosen"] = {"S": _ENCODER.encode(record.chosen)}
    if record.template:
        item["template"] = {"S": record.template}
    if record.reason:
        item["reason"] = {"S": record.reason}
    if record.detail:
        item["detail"] = {"S": record.detail}
    if record.attempts:
        item["attempts"] = {"N": str(record.attempts)}
    if record.receives:
        item["receives"] = {"N": str(record.receives)}
    if record.alone:
        item["alone"] = {"N": str(record.alone)}
    if record.turn:
        item["turn"] = {"S": record.turn}
    if record.fields:
        item["fields"] = {"S": record.fields}
    if record.test:
        item["test"] = {"BOOL": True}
    if record.until:
        item["until"] = {"S": record.until}
    if record.digests:
        item["digests"] = {"S": _ENCODER.encode(record.digests)}
    if record.sender:
        item["sender"] = {"S": record.sender}
    if record.whose:
        item["whose"] = {"S": record.whose}
    if began := record.began:
        item[shares.SHARD] = {"S": shares.shard_of(record.id, record.whose)}
        item[shares.AT] = {"S": shares.place(began, record.id, record.source)}
    return item


def from_item(item: Mapping[str, Any]) -> Record:
    def text(name: str) -> str:
        value: str = item[name]["S"] if name in item else ""
        return value

    def number(name: str) -> int:
        return int(item[name]["N"]) if name in item else 0

    return Record(
        id=text("id"),
        source=text("source"),
        status=text("status"),
        type=text("type"),
        lane=text("lane"),
        timeline=text("timeline").splitlines(),
        rules=tuple(text("rules").split()),
        sent=json.loads(text("sent")) if "sent" in item else {},
        unknown=tuple(text("unknown").split()),
        withheld=json.loads(text("withheld")) if "withheld" in item else {},
        chosen=json.loads(text("chosen")) if "chosen" in item else {},
        template=text("template"),
        reason=text("reason"),
        detail=text("detail"),
        attempts=number("attempts"),
        receives=number("receives"),
        alone=number("alone"),
        turn=text("turn"),
        fields=text("fields"),
        test=bool(item["test"]["BOOL"]) if "test" in item else False,
        sender=text("sender"),
        until=text("until"),
        digests=json.loads(text("digests")) if "digests" in item else {},
        whose=text("whose"),
    )
