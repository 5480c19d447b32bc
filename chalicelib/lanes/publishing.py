"""Announce, publish and settle the events of one wave; what a journey sends, if it is still under way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from chalicelib import log
from chalicelib.channels import registry
from chalicelib.channels.publication import GONE, PERSON, Result
from chalicelib.events.event import Event
from chalicelib.lanes import capping, journeys, persons
from chalicelib.lanes.invocation import Invocation
from chalicelib.lanes.item import KEPT, Item
from chalicelib.lanes.settle import keep, settle
from chalicelib.store import ledger, statuses

# Taking a device off somebody may take ten seconds, after which the answers must still be recorded.
_FORGET_SECONDS: Final = 15.0


def publish(run: Invocation, wave: Sequence[Item]) -> None:
    """Publish what each of these has to publish, no two of one key, and settle it by the answers."""
    wave = capping.count(run, wave)
    careful = [item for item in wave if run.fates.skips(item.record.type)]
    wave = _announce(run, wave, careful) if careful else wave
    choosing = [item for item in wave if item.chooses and item not in careful]
    wave = _choose(run, wave, choosing) if choosing else wave
    wave = journeys.under_way(run, wave)
    flat = [(item, name) for item in wave for name in item.publications]
    if not flat:
        return
    results = registry.send(
        run.stage,
        [item.publications[name] for item, name in flat],
        in_time=run.in_time,
        once=bool(careful),
    )
    by_item: dict[Item, dict[str, Result]] = {}
    for (item, name), result in zip(flat, results, strict=True):
        by_item.setdefault(item, {})[name] = result
        is_gone = result.fault == GONE and run.left() > _FORGET_SECONDS
        if is_gone and isinstance(item.content, Event):
            endpoint = item.publications[name].to
            persons.forget_endpoint(run.stage, run.known, item.content, name, endpoint)
    now = run.now.timestamp()
    for item in wave:
        age = now - item.message.sent_at
        settle(item, by_item[item], age, item in careful, run.at)
    _tell(run, wave, results)


def _announce(run: Invocation, wave: Sequence[Item], careful: Sequence[Item]) -> list[Item]:
    """Write down what is about to be asked of the `careful`, which must never be sent twice.

    Should the worker end before it knows the answers, nobody will know them: what was announced counts
    as unknown. Those that cannot be written down are kept, unsent.
    """
    unknown = {item.record.key: item.record.unknown for item in careful}
    for item in careful:
        item.record.unknown = (*item.record.unknown, *item.publications)
        item.record.enter(statuses.PUBLISHING, run.at)
    # Half of what is left: what was published before must still be recorded after it.
    missed = ledger.announce(
        run.stage, [item.record for item in careful], run.left_for_ledger() / 2
    )
    for item in careful:
        why = missed.get(item.record.key)
        if why is None:
            continue
        item.record.unknown = unknown[item.record.key]
        if why == ledger.TAKEN:  # another worker has it, and writes down what comes of it
            item.outcome, item.wait, item.changed = KEPT, int(run.longest) + 1, False
        else:  # or it was written, and the answer did not come
            item.record.attempts += 1
            keep(item, run.at, "retrying", f"the ledger was not written ({why})")
    return [item for item in wave if not item.outcome]


def _choose(run: Invocation, wave: Sequence[Item], choosing: Sequence[Item]) -> list[Item]:
    """Write down which channel these have chosen, before it is used: another try must not take another.

    Those that cannot be written down are kept, unsent.
    """
    for item in choosing:
        item.record.enter(statuses.PUBLISHING, run.at)
    left = ledger.write(run.stage, [item.record for item in choosing], run.left_for_ledger() / 2)
    for record in left:
        item = next(item for item in choosing if item.record is record)
        record.attempts += 1
        keep(item, run.at, "retrying", "the ledger was not written")
    return [item for item in wave if not item.outcome]


def _tell(run: Invocation, wave: Sequence[Item], results: Sequence[Result]) -> None:
    """Log what somebody should know: what nobody knows, and what a person must mend."""
    for item in wave:
        if item.record.unknown:
            log.warning(
                "outcome unknown",
                lane=run.lane,
                event=item.record.id,
                publications=list(item.record.unknown),
            )
    for code in sorted({result.error for result in results if result.fault == PERSON}):
        details = {item.record.detail for item in wave if code in item.record.detail}
        log.error("needs mending", lane=run.lane, error=code, detail=" | ".join(sorted(details)))
