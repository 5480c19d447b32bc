"""When nothing is sent to an address any more, and why. Pure: `store.receipts` writes what this says.

What is counted is counted with the address. A person whose address it is carries the stop too, so that a lane
that has read the person needs to read no more.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from chalicelib.store.people import Person, Stop

CHANNEL: Final = "email"
# What a receipt does to its address.
DELIVERY: Final = "delivery"
SOFT_BOUNCE: Final = "soft-bounce"
HARD_BOUNCE: Final = "hard-bounce"
COMPLAINT: Final = "complaint"
# Why an address is stopped, from the lightest to the gravest: a graver one takes the place of a lighter.
SOFT_BOUNCES: Final = "soft-bounces"
REASONS: Final = (SOFT_BOUNCES, HARD_BOUNCE, COMPLAINT)
# So many soft bounces without a delivery between them are a hard one.
MOST_SOFT: Final = 5


def after(known: Person, keyed: str, effect: str, at: str, detail: str) -> Person:
    """What is known of an address after something happened to a mail that went there.

    `keyed` is the address's hash, `at` an ISO timestamp, `detail` SES's words. Receipts count in the order in
    which they come, which is about that in which they happened. To an address that is stopped nothing
    happens any more but what is graver: somebody has to lift the stop (`lifted`).
    """
    stop = known.stopped.get(CHANNEL)
    soft = 0 if effect == DELIVERY else known.soft.get(CHANNEL, 0)
    reason = effect
    if effect == SOFT_BOUNCE:
        soft += 1
        reason = SOFT_BOUNCES if soft >= MOST_SOFT else ""
    if reason in REASONS and (stop is None or _gravity(reason) > _gravity(stop.reason)):
        stop = Stop(keyed, reason, at, detail)
    return with_stop(_with_soft(known, 0 if stop else soft), stop)


def with_stop(known: Person, stop: Stop | None) -> Person:
    """The same with this stop of the e-mail address."""
    others = {channel: it for channel, it in known.stopped.items() if channel != CHANNEL}
    return replace(known, stopped={**others, CHANNEL: stop} if stop else others)


def as_known(person: Person, address: Person) -> Person:
    """A person as is known of the e-mail address that they have."""
    known = _with_soft(person, address.soft.get(CHANNEL, 0))
    return with_stop(known, address.stopped.get(CHANNEL))


def lift(known: Person, channel: str) -> bool:
    """Hold nothing against an address any more; says whether anything was. What comes next counts from the
    beginning."""
    stopped, counted = known.stopped.pop(channel, None), known.soft.pop(channel, None)
    return stopped is not None or counted is not None


def _with_soft(known: Person, soft: int) -> Person:
    others = {channel: count for channel, count in known.soft.items() if channel != CHANNEL}
    return replace(known, soft={**others, CHANNEL: soft} if soft else others)


def _gravity(reason: str) -> int:
    return REASONS.index(reason) if reason in REASONS else len(REASONS)
