"""What a channel is given to send, and what it says became of it. Plain values: sending is elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Final

from chalicelib.values import dataclass
from chalicelib.words import limits

UNSUBSCRIBE: Final = "List-Unsubscribe"
"""The header of a commercial mail in which its reader's program finds how to stop it."""
NO_ADDRESS: Final = "<>"
"""What that header says where the stage has no address for it."""
# What is posted has these attributes: the id that its receiver knows it by, the same however often it is posted;
# whose order it keeps; and its event's tag, under which the ledger has what becomes of it.
POST_ID: Final = "webhook-id"
POST_GROUP: Final = "group"
POST_EVENT: Final = "event"


@dataclass(frozen=True, slots=True)
class Publication:
    """One message on its way out: `channel` says how it travels (channels/registry.py), `to` where.

    `structured`: the message is JSON with a text per protocol, and not the text itself. An e-mail also
    has its `html` and `headers` of its own; its `attributes` are tags that come back with its receipts. What is
    posted has `POST_ID`, `POST_GROUP` and `POST_EVENT`.
    """

    channel: str
    to: str
    subject: str | None
    message: str
    attributes: Mapping[str, str]
    structured: bool = True
    html: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    # Bytes, as SNS counts them; asked for more than once.
    size: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        size = limits.size(self.subject, self.message, self.attributes)
        object.__setattr__(self, "size", size)


# Why a publication did not go out, and so what can be done about it.
LATER: Final = "later"  # the service is down or busy: trying again mends it
BUSY: Final = "busy"  # it takes no more from this account for now: waiting mends it, if for days
PERSON: Final = (
    "person"  # what every event needs is wrong (permission, key, topic): a person mends it
)
GONE: Final = "gone"  # there is no such address any more, and nobody will be there again
REFUSED: Final = "refused"  # this publication is wrong: it would be refused for ever


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a publication: a `message_id`, or an `error` code with its `fault`.

    `unknown`: it may have been taken all the same. `withheld`: it must not be, and why.
    """

    message_id: str = ""
    error: str = ""
    fault: str = ""
    unknown: bool = False
    withheld: str = ""


NOT_TRIED: Final = Result(error="NotTried", fault=LATER)
