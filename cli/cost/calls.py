"""Which calls an event makes of AWS from the door to its end, by what its plan says. Pure.

`tests/integration/test_cost.py` holds this to what is called.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from chalicelib.channels.publication import Publication
from chalicelib.events.event import Event
from chalicelib.plan.compose import Composed
from chalicelib.plan.reach import asks_for
from chalicelib.words import limits

# By how a publication travels, the call that takes it; mails go ten to a call, and so do those of one topic.
_BY_CHANNEL: Final = {
    "topic": "PublishBatch",
    "email": "SendBulkEmail",
    "sms": "Publish",
    "push": "Publish",
    "webhook": "SendMessageBatch",
    "journey": "StartExecution",
}
TOGETHER: Final = frozenset(("PublishBatch", "SendBulkEmail", "SendMessageBatch"))
"""The calls of a lane that take ten messages as well as one, as its reading and writing does."""


@dataclass(frozen=True, slots=True)
class Calls:
    """What one event makes functions do: `door` and `lane` are the calls of AWS of each, by their operation, for
    an event that comes alone; `reads` the items that are read for it, `writes` the units that are written;
    `channels` how many messages travel by which channel, `parts` of how many parts its text messages are."""

    door: Mapping[str, int]
    lane: Mapping[str, int]
    reads: int
    writes: int
    channels: Mapping[str, int]
    parts: int
    held: bool
    starts: tuple[str, ...]


# An item and its place in the index `newest`, each less than a kilobyte: written when it is accepted and when
# it is done (docs/performance.md, "The ledger, newest first").
_LEDGER: Final = 4
# Written in transactions, which count twice: the hold and what leads to it from its recipient, its place in the
# index of what is open, and each once more as it is released (docs/decisions/0022-held-events.md).
_HOLD: Final = 12


def calls_of(event: Event, composed: Composed, *, held: bool = False) -> Calls:
    """What an event of this plan makes; `held`: it has a time to wait for, which the door knows."""
    publications = composed.publications.values()
    channels = Counter(publication.channel for publication in publications)
    persons, addresses = asks_for(event, composed.decision.in_time)
    lane = Counter({"BatchGetItem": 1, "BatchWriteItem": 1})
    for channel, number in channels.items():
        lane[_BY_CHANNEL[channel]] += 1 if channel in ("email", "webhook") else number
    writes = _LEDGER
    if channels[
        "journey"
    ]:  # what says that the run begins, and what leads to it from its recipient
        lane["TransactWriteItems"] += channels["journey"]
        writes += channels["journey"] * (6 if event.recipient else 4)
    if composed.chosen:  # a first-of form's channel is written down before it is used
        lane["BatchWriteItem"] += 1
        writes += 2
    stops = len(composed.decision.stops)
    writes += 2 * stops
    door = {"TransactWriteItems" if held or stops else "PutItem": 1}
    if held:
        writes += _HOLD + 2  # the ledger's own write is part of the transactions, twice
        door["CreateSchedule"] = 1
        lane |= {"Query": 1, "TransactWriteItems": lane["TransactWriteItems"] + 1}
    else:
        door["SendMessageBatch"] = 1
    return Calls(
        door,
        dict(lane),
        1 + len(persons) + len(addresses),
        writes,
        dict(channels),
        sum(_parts(publication) for publication in publications),
        held,
        tuple(composed.decision.starts),
    )


def _parts(publication: Publication) -> int:
    return limits.sms(publication.message).parts if publication.channel == "sms" else 0
