"""Calls of many messages, in which no two share an ordering key.

SQS and SNS can refuse one entry of a batch alone. If another of its key were in the same call, it would
go first, and no later care could undo that; see docs/decisions/0004-waves.md.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
BATCH_ENTRIES: Final = 10
# Of one message and of all messages of one call, attributes included:
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
MESSAGE_BYTES: Final = 1024 * 1024

T = TypeVar("T")


def waves(
    items: Iterable[T],
    group_of: Callable[[T], str],
    size_of: Callable[[T], int],
    most: int = BATCH_ENTRIES,
) -> Iterator[list[T]]:
    """Items to send in one call each: one of each group, those of a group in order.

    At most `most` of them and 1 MiB by `size_of`; what is larger by itself travels alone. As few
    calls as that allows, or nearly. Who sends them leaves out what follows a refused one of its
    group in the waves to come.
    """
    waiting: dict[str, deque[T]] = {}
    for item in items:
        waiting.setdefault(group_of(item), deque()).append(item)
    while waiting:
        # The longest queues decide how many calls it takes, so they are never left out.
        longest_first = sorted(waiting, key=lambda group: -len(waiting[group]))
        wave: list[T] = []
        room = MESSAGE_BYTES
        for group in longest_first:
            size = size_of(waiting[group][0])
            if wave and size > room:
                continue
            wave.append(waiting[group].popleft())
            room -= size
            if not waiting[group]:
                del waiting[group]
            if len(wave) == most:
                break
        yield wave
