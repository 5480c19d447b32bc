"""Where a rule sends to: `topic:users`, `recipient`, `recipient:push|sms|email`, `person:shop-manager:sms`,
`webhook:erp`."""

from __future__ import annotations

import functools
from typing import Final

from chalicelib.regex import regex
from chalicelib.values import dataclass

CHANNELS: Final = ("email", "sms", "push")
"""The channels in which a person can be reached, in the order in which they are told."""
TOPIC: Final = "topic"
RECIPIENT: Final = "recipient"
PERSON: Final = "person"
WEBHOOK: Final = "webhook"
SHAPES: Final = "topic:users, recipient, recipient:email, recipient:push|sms|email, person:shop-manager, webhook:erp"
# It stands in the ledger's list of destinations, which a space would part.
_PERSON_ID: Final = regex(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}\Z")


@dataclass(frozen=True, slots=True)
class Destination:
    """A topic or a webhook by its `name`, the event's recipient, or a person of the company by the id in `name`.

    A person is reached in each of `channels` that they have and want, or where it is a `first_of`
    form, in the first of them. `whose` is how the ledger names what went to them: `recipient`, or
    `person:shop-manager`.
    """

    kind: str
    name: str = ""
    channels: tuple[str, ...] = ()
    first_of: bool = False

    @property
    def text(self) -> str:
        """It, as rules and the ledger have it."""
        if self.kind in (TOPIC, WEBHOOK):
            return f"{self.kind}:{self.name}"
        every = self.channels == CHANNELS and not self.first_of
        return self.whose if every else f"{self.whose}:{'|'.join(self.channels)}"

    @property
    def is_somebody(self) -> bool:
        """Whether it is a person, with contacts and wishes."""
        return self.kind in (RECIPIENT, PERSON)

    @property
    def whose(self) -> str:
        return f"{PERSON}:{self.name}" if self.kind == PERSON else self.kind


@functools.lru_cache(1024)
def parse(text: str) -> Destination:
    """Read a destination as a rule has it.

    Raises
    ------
    ValueError : what is wrong with it, as its author may read it.
    """
    kind, _, rest = text.partition(":")
    if kind in (TOPIC, WEBHOOK) and rest:
        return Destination(kind, rest)
    if kind == RECIPIENT:
        name, ways = "", rest
        given = text != RECIPIENT
    elif kind == PERSON:
        name, colon, ways = rest.partition(":")
        given = bool(colon)
        if not _PERSON_ID.match(name):
            raise ValueError(
                "a person is named by an id of letters, digits, . _ @ -, such as person:shop-manager"
            )
    else:
        raise ValueError(f"write one of {SHAPES}")
    if not given:
        return Destination(kind, name, CHANNELS)
    channels = tuple(ways.split("|"))
    for channel in channels:
        if channel not in CHANNELS:
            raise ValueError(
                f"{channel!r} is no channel of a person: they are {', '.join(CHANNELS)}"
            )
    if len(set(channels)) < len(channels):
        raise ValueError("names a channel twice")
    return Destination(kind, name, channels, first_of=len(channels) > 1)


def topic_of(text: str) -> str:
    """The topic that a destination names, or nothing where it is something else."""
    return text.removeprefix("topic:") if text.startswith("topic:") else ""


def webhook_of(text: str) -> str:
    """The webhook that a destination names, or nothing where it is something else."""
    return text.removeprefix("webhook:") if text.startswith("webhook:") else ""
