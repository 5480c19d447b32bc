"""The channels there are: a further one is a file beside this and a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from chalicelib.channels import journeys, mail, push, sms, topics, webhooks
from chalicelib.channels.publication import NOT_TRIED, Publication, Result
from chalicelib.stage import Stage


class Channel(Protocol):
    """Sends publications of its kind, in order per address, in calls as large as its service takes.

    Never raises for what the service or the network does: gives a result for each. Once `in_time`
    says that there is no time for another call, what is left is NOT_TRIED. `once`: none of these may
    go out twice, so whatever could leave that in doubt is avoided.
    """

    def __call__(
        self,
        stage: Stage,
        publications: Sequence[Publication],
        *,
        in_time: Callable[[], bool],
        once: bool,
    ) -> list[Result]: ...


CHANNELS: Final[Mapping[str, Channel]] = {
    "topic": topics.send,
    "email": mail.send,
    "sms": sms.send,
    "push": push.send,
    "journey": journeys.send,
    "webhook": webhooks.send,
}


def send(
    stage: Stage, publications: Sequence[Publication], *, in_time: Callable[[], bool], once: bool
) -> list[Result]:
    """Send each by its channel; see `Channel`."""
    results = [NOT_TRIED] * len(publications)
    by_channel: dict[str, list[int]] = {}
    for position, publication in enumerate(publications):
        by_channel.setdefault(publication.channel, []).append(position)
    for number, (name, positions) in enumerate(by_channel.items()):
        if number and not in_time():
            break
        own = [publications[position] for position in positions]
        sent = CHANNELS[name](stage, own, in_time=in_time, once=once)
        for position, result in zip(positions, sent, strict=True):
            results[position] = result
    return results
