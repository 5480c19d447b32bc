"""What the answers of the channels mean for an event: done, dead, or kept for another try. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from chalicelib.channels.publication import BUSY, GONE, NOT_TRIED, PERSON, REFUSED, Result
from chalicelib.lanes.item import DONE, KEPT, Item
from chalicelib.plan import reach
from chalicelib.plan.journeys import START
from chalicelib.rules.destinations import parse, webhook_of
from chalicelib.store import statuses
from chalicelib.store.record import Record

# A service that is down is not an event that fails. An event is given up on when it is a day old and
# has failed so often itself: behind another one it waits without a failure of its own.
GIVE_UP_SECONDS: Final = 24 * 3600
MAX_ATTEMPTS: Final = 12
# SQS forgets a message after 14 days. With these gone, one failure is enough: nothing is ever forgotten.
LAST_SECONDS: Final = 7 * 24 * 3600
# How soon a key is tried again, at the longest. It is also how long the end of an outage may stay
# unnoticed, and times the queue's maxReceiveCount it is well above GIVE_UP_SECONDS.
LONGEST_WAIT: Final = 120
# What a service is too busy for may wait for days, until a quota lets it through. A queue hands a message
# out a thousand times: after so many it comes back more rarely, or the queue would give it up.
OFTEN: Final = 100
BUSY_WAIT: Final = 900


def wait_seconds(failures: int) -> int:
    """How long a key stays away after its event's n-th failure: 1, 2, 4 … seconds, two minutes at most."""
    return int(min(2 ** min(max(0, failures - 1), 10), LONGEST_WAIT))


def busy_seconds(receives: int) -> int:
    """The same for an event whose service is too busy, received for the n-th time."""
    return wait_seconds(receives) if receives < OFTEN else BUSY_WAIT


def settle(item: Item, results: Mapping[str, Result], age: float, skips: bool, at: str) -> None:
    """Decide on an event that was published, in part or not at all; `age` is in seconds.

    Each publication has its own fate: what went out is remembered, what may have gone out is not sent
    again where the type `skips`, and for the rest the event waits or dies.
    """
    record = item.record
    failed: dict[str, Result] = {}
    unknown: list[str] = []
    gone: list[str] = []
    for name, result in results.items():
        if result.message_id:
            record.sent[name] = result.message_id
        elif result.fault == GONE:
            record.withheld[name] = reach.GONE
            gone.append(name)
        elif result.withheld:
            record.withheld[name] = result.withheld
        elif result.unknown and skips:
            unknown.append(name)
        else:
            failed[name] = result
    # Those that were announced and are known to be unsent are no longer among them.
    record.unknown = (*(n for n in record.unknown if n not in results), *unknown)
    given_up = {
        text for text, channel in record.chosen.items() if _is_gone(record, text, channel, results)
    }
    if given_up:
        # What is known to be unsent may go by the next channel of its first-of form.
        record.chosen = {t: c for t, c in record.chosen.items() if t not in given_up}
        if not failed:
            keep(item, at, "retrying", _told(results, gone))
            return
    if not failed:
        if record.unknown:
            item.settle(DONE, statuses.UNKNOWN, at, "outcome-unknown", _told(results, unknown))
        elif gone and not record.sent:
            item.settle(DONE, statuses.SUPPRESSED, at, reach.GONE, _told(results, gone))
        elif not record.sent and (why := [r.withheld for r in results.values() if r.withheld]):
            item.settle(DONE, statuses.SUPPRESSED, at, why[0], reach.REASONS[why[0]])
        else:
            item.settle(DONE, statuses.PUBLISHED, at)
        return
    told = _told(results, failed)
    tried = [result.fault for result in failed.values() if result != NOT_TRIED]
    # That it takes no more from the account is nothing against the event.
    record.attempts += any(fault != BUSY for fault in tried)
    if all(result.fault == REFUSED for result in failed.values()):
        item.die(_refused_by(failed), told)
    elif gives_up(record.attempts, age):
        item.die("gave-up", told)
    else:
        by_person = any(result.fault == PERSON for result in failed.values())
        keep(item, at, "needs-mending" if by_person else "retrying", told)
        if BUSY in tried:
            item.wait = busy_seconds(item.message.receives)


def _is_gone(record: Record, text: str, channel: str, results: Mapping[str, Result]) -> bool:
    """Whether the channel that a first-of form chose has just turned out to lead nowhere at all."""
    own = [result for name, result in results.items() if _is_of(text, channel, name)]
    may_have = any(_is_of(text, channel, name) for name in (*record.sent, *record.unknown))
    return bool(own) and all(result.fault == GONE for result in own) and not may_have


def _is_of(text: str, channel: str, name: str) -> bool:
    """Whether a publication is by the channel that a first-of form chose."""
    return name.partition("/")[0] == f"{parse(text).whose}:{channel}"


def gives_up(attempts: int, age: float) -> bool:
    """Whether an event that failed so often, and is so many seconds old, is given up on."""
    return age >= GIVE_UP_SECONDS and (attempts >= MAX_ATTEMPTS or age >= LAST_SECONDS)


def _refused_by(failed: Mapping[str, Result]) -> str:
    """Whose refusal it was: e-mails are SES's, journeys Step Functions', what is to be posted SQS's, and all else
    SNS's."""
    if all(name.startswith(START) for name in failed):
        return "start-refused"
    if all(webhook_of(name) for name in failed):
        return "sqs-refused"
    mails = all(name.endswith(":email") for name in failed)
    return "ses-refused" if mails else "sns-refused"


def keep(item: Item, at: str, reason: str, detail: str) -> None:
    """Keep an event that failed for another try; its key waits for it."""
    item.settle(KEPT, statuses.RETRYING, at, reason, detail)
    item.wait = wait_seconds(item.record.attempts)


def again(item: Item) -> None:
    """Have a message come again that nothing was done with; what the ledger says of it is left as it is."""
    item.outcome, item.changed = KEPT, False
    item.wait = wait_seconds(item.message.receives)


def _told(results: Mapping[str, Result], names: Mapping[str, Result] | list[str]) -> str:
    """What went wrong, by error: `NotFound (topic:company/es)`."""
    errors: dict[str, list[str]] = {}
    for name in names:
        errors.setdefault(results[name].error, []).append(name)
    return "; ".join(f"{error} ({', '.join(where)})" for error, where in errors.items())
