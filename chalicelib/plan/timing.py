"""When an event goes out: at once, or later, and why. Pure.

An event waits for its own time (`deliverat`), and then for the hours of its category, on the clock of whom it is
for or else on the shop's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from chalicelib.events.event import Event, timestamp
from chalicelib.events.gathered import DIGEST
from chalicelib.plan.compose import event_tag
from chalicelib.plan.journeys import START
from chalicelib.plan.reach import CAPPED, Known, whose
from chalicelib.rules.destinations import RECIPIENT
from chalicelib.rules.hours import QUIET_HOURS, SEND_WINDOW
from chalicelib.rules.routing import Category
from chalicelib.store.counts import Count
from chalicelib.values import dataclass

DELIVERAT: Final = "deliverat"
WHY_HELD: Final[Mapping[str, str]] = {
    DELIVERAT: "it goes out at the time that it names",
    QUIET_HOURS: "it goes out when the quiet hours of its category are over",
    SEND_WINDOW: "it goes out when its category is sent again",
    DIGEST: "it goes out with others in the digest of its rule",
    CAPPED: "its recipient got as much of its category as `cap` allows; it goes out when there is room again",
}
"""Why an event is held, in one word, and what that means."""
# What waited for its category's hours goes out within a minute of their beginning, for that is how precise
# EventBridge's schedules are, and what comes at that very time queues behind it:
# https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
BEHIND: Final = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Wait:
    """Until when (UTC) an event is held, and why: a word of `WHY_HELD`.

    `expires`: it has lost its point by then.
    """

    until: datetime
    why: str
    expires: bool = False


def waits(
    event: Event,
    category: Category,
    known: Known,
    shop: tzinfo | None,
    now: datetime,
    *,
    woken: bool = False,
) -> Wait | None:
    """Whether an event is held at `now` (aware). `shop` is its own clock; `woken`: the event was held, and
    its time has come."""
    if event.deliverat is not None and event.waits(now):
        return Wait(timestamp(event.deliverat).astimezone(UTC), DELIVERAT)
    hours = category.hours
    if hours is None or category.critical:
        return None
    zone = zone_of(event, known, shop)
    why = hours.closed_by(now, zone)
    if why:
        until = hours.opens(now, zone)
        return Wait(until, why, event.expired(until))
    begun = now - BEHIND
    behind = "" if woken else hours.closed_by(begun, zone)
    if not behind or event.expired(now + BEHIND):
        return None
    return Wait(hours.opens(begun, zone), behind)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What becomes of an event's publications for now: all of them `wait`; or those that are `capped`, by the
    ledger's names, are left out, and `count` is written before the others go."""

    wait: Wait | None = None
    capped: tuple[str, ...] = ()
    count: Count | None = None


def outlook(
    event: Event,
    category: Category,
    names: Collection[str],
    known: Known,
    shop: tzinfo | None,
    now: datetime,
    *,
    woken: bool = False,
) -> Outlook:
    """The outlook at `now` for publications of these names; see `waits`."""
    wait = waits(event, category, known, shop, now, woken=woken)
    starts = bool(names) and all(name.startswith(START) for name in names)
    if starts and (wait is None or wait.why != DELIVERAT):
        return Outlook()  # a journey that begins wakes nobody
    cap = category.cap
    own = [name for name in names if name.partition(":")[0] == RECIPIENT]
    who = whose(event, known)
    if wait is not None or cap is None or not own or not who:
        return Outlook(wait)
    found = known.counts.get((who, category.name)) or Count(who, category.name, {})
    count, tag = found.within(cap.within, now), event_tag(event.id, event.source)
    if tag in count.events:
        return Outlook()
    if len(count.events) < cap.most:
        return Outlook(count=count.with_event(tag, now))
    if not cap.defer or len(own) < len(names):
        return Outlook(capped=tuple(own))
    # Somebody may have lowered the cap since.
    frees = sorted(count.events.values())[len(count.events) - cap.most]
    until = datetime.fromisoformat(frees) + cap.within + timedelta(milliseconds=1)
    return Outlook(Wait(until, CAPPED, event.expired(until)))


def zone_of(event: Event, known: Known, shop: tzinfo | None) -> tzinfo:
    """The clock that counts for an event: its recipient's, the shop's, or else UTC."""
    person = known.persons.get(event.recipient or "")
    if person is not None and person.time_zone:
        from zoneinfo import ZoneInfo  # not paid for where nothing keeps hours

        return ZoneInfo(person.time_zone)
    return shop or UTC
