"""Where an event stands in the ledger's index of what is newest.

It lies in one of a few shares: its recipient's, or its own where it has none. So whatever was sent to one
recipient is in one share, what came last is at the end of each, and a share is a fair sample of all.
"""

from __future__ import annotations

import zlib
from typing import Final

SHARD: Final = "shard"
AT: Final = "at"
# A partition of an index takes 1,000 writes a second, and an event makes two:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html
SHARDS: Final = 8


def shard_of(event_id: str, whose: str) -> str:
    """The share of an event: by the keyed hash of whom it is for, or else by its id."""
    number = int(whose[:4], 16) if whose else zlib.crc32(event_id.encode())
    return str(number % SHARDS)


def place(began: str, event_id: str, source: str) -> str:
    """Where an event stands in its share: by when it began, and no two at the same place."""
    own = f"{source}\n{event_id}"
    return f"{began}/{zlib.crc32(own.encode()):08x}"
