"""What is kept of a run of a journey: its item, and the keys by which it is found. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from chalicelib.values import dataclass

# A key stands in DynamoDB's sort keys, of 1,024 bytes, and in an execution's input; a longer one is hashed.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
_KEY_BYTES: Final = 512
# Why a journey does not begin, as the ledger has it.
RUNNING: Final = "already-running"
STOPPED: Final = "journey-stopped"
BEGINS: Final = "run\n"
"""How the key of a run begins, and that which leads to it from a person."""
_ACK: Final = "ack\n"

RunKey = tuple[str, str]  # (journey, its key)


@dataclass(frozen=True, slots=True)
class Run:
    """A run of a journey for a key. `started` is when the event was accepted that began it, `event` its JSON,
    `tag` what stands for it (`plan.compose.event_tag`), and `stopped` when an event was accepted that stopped
    the key; all of them ISO timestamps in UTC. Where it was only ever stopped, `run` is empty.
    """

    journey: str
    key: str
    run: str = ""
    started: str = ""
    event: str = ""
    tag: str = ""
    recipient: str = ""
    stopped: str = ""

    @property
    def is_over(self) -> bool:
        """Whether it sends nothing any more, as far as its item says."""
        return not self.run or self.stopped >= self.started


def run_name(journey: str, key: str, tag: str) -> str:
    """The name of a run, and of its execution: twice is once."""
    return hashlib.sha256(f"{journey}\n{key}\n{tag}".encode()).hexdigest()[:32]


def bounded(key: str) -> str:
    """A journey's key as runs have it: itself, or a hash of it where it is too long."""
    text = key.encode()
    return key if len(text) <= _KEY_BYTES else hashlib.sha256(text).hexdigest()


def key_of(journey: str, key: str) -> dict[str, Any]:
    """DynamoDB's key of a journey's run."""
    return {"id": {"S": f"{BEGINS}{journey}\n{key}"}, "at": {"S": "-"}}


def ack_key(what: str) -> dict[str, Any]:
    """DynamoDB's key of what says that somebody acknowledged `what`: an event, by its tag, or a run."""
    return {"id": {"S": f"{_ACK}{what}"}, "at": {"S": "-"}}


def read(items: Sequence[Mapping[str, Any]]) -> tuple[dict[RunKey, Run], set[str]]:
    """What items of the table of holds say: the runs among them, and what is acknowledged."""
    found: dict[RunKey, Run] = {}
    acknowledged: set[str] = set()
    for item in items:
        name = item["id"]["S"]
        if name.startswith(BEGINS):
            run = from_item(item)
            found[run.journey, run.key] = run
        elif name.startswith(_ACK):
            acknowledged.add(name.removeprefix(_ACK))
    return found, acknowledged


def from_item(item: Mapping[str, Any]) -> Run:
    def text(name: str) -> str:
        return str(item[name]["S"]) if name in item else ""

    _, journey, key = text("id").split("\n", 2)
    fields = (text(name) for name in ("run", "started", "event", "tag", "recipient", "stopped"))
    return Run(journey, key, *fields)


def of_whom(person_id: str) -> str:
    """Under which id a person leads to their runs."""
    return f"person\n{person_id}"
