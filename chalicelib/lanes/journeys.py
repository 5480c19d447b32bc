"""What a lane has to do with journeys: steps become events while their run is under way, events begin runs,
and events stop them.

What stops a run was written down when its event was accepted (`store.claims`); here it is written for what
came past the door, before anything of a batch goes out. A step's run is looked at twice: with the ledger, for
what it sends, and just before that is sent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from typing import Any, Final

from chalicelib import aws, log
from chalicelib.channels.journeys import stop_execution
from chalicelib.channels.publication import Publication
from chalicelib.errors import TransientError
from chalicelib.events import event
from chalicelib.events.event import Event
from chalicelib.events.step import Step
from chalicelib.lanes.invocation import Invocation
from chalicelib.lanes.item import DONE, KEPT, Item
from chalicelib.lanes.settle import again, keep
from chalicelib.plan.compose import event_tag
from chalicelib.plan.journeys import CHANNEL, ENDED, stopped_by
from chalicelib.stage import Stage
from chalicelib.store import runs, statuses, table
from chalicelib.store.run import Run, RunKey, ack_key, key_of, read

# To stop an execution may take so long, after which a batch must still be acknowledged.
_STOP_SECONDS: Final = 15.0

There = tuple[Mapping[RunKey, Run], Set[str]]
"""Runs, and what is acknowledged of them."""


def resolve(run: Invocation, items: Sequence[Item]) -> None:
    """Make events of the steps whose run is under way; the others stay steps.

    Raises
    ------
    TransientError : the runs cannot be read.
    """
    steps = [item.step for item in items if item.step is not None]
    if not steps:
        return
    there = _read(run.stage, steps, run.left_for_ledger() / 2)
    for item in items:
        if item.step is None or item.step.journey not in run.fates.routing.journeys:
            continue  # what was taken away sends nothing more
        if found := _live(item.step, there):
            item.content = item.step.event(event.parse(json.loads(found.event)))


def look(run: Invocation, items: Sequence[Item]) -> bool:
    """Look which runs these stop; gives whether any of them has to do with journeys at all."""
    routing, found = run.fates.routing, False
    for item in items:
        if isinstance(item.content, Event):
            decision = routing.decide(item.content)
            if decision.stops:
                item.stops = stopped_by(item.content, decision, routing)
            found = found or bool(decision.starts or decision.stops)
    return found or any(item.step is not None for item in items)


def stopping(items: Sequence[Item]) -> list[table.Item]:
    """DynamoDB's keys of the runs that these stop, each once."""
    return [key_of(*key) for key in dict.fromkeys(k for item in items for k in item.stops)]


def resolved(stage: Stage, step: Step, seconds: float) -> Event | Step:
    """The event that a step is, or itself where its run is over.

    Raises
    ------
    TransientError : it cannot be read within `seconds`.
    """
    live = _live(step, _read(stage, [step], seconds))
    return step.event(event.parse(json.loads(live.event))) if live else step


def under_way(run: Invocation, wave: Sequence[Item]) -> list[Item]:
    """Of what is about to be sent, all but the steps of runs that are over by now: those are settled.

    What cannot be looked up is kept, unsent.
    """
    steps = [(item, item.step) for item in wave if item.step is not None]
    if not steps:
        return list(wave)
    try:
        there = _read(run.stage, [step for _, step in steps], run.left_for_ledger() / 2)
    except TransientError as error:
        for item, _ in steps:
            item.record.attempts += 1
            keep(item, run.at, "retrying", str(error))
        return [item for item in wave if not item.outcome]
    for item, step in steps:
        if _live(step, there) is None:
            record = item.record
            # It was announced, and is not sent.
            record.unknown = tuple(n for n in record.unknown if n not in item.publications)
            detail = "its journey was stopped just now"
            if record.sent or record.unknown:
                item.settle(DONE, statuses.PUBLISHED, run.at, ENDED, detail)
            else:
                item.settle(DONE, statuses.SUPPRESSED, run.at, ENDED, detail)
    return [item for item in wave if not item.outcome]


def addressed(item: Item, publications: Mapping[str, Publication]) -> Mapping[str, Publication]:
    """What is to be published, with what only the message tells of those that start a journey."""
    if all(publication.channel != CHANNEL for publication in publications.values()):
        return publications
    about = {"started": item.accepted, "group": item.message.group}
    return {
        name: replace(found, attributes={**found.attributes, **about})
        if found.channel == CHANNEL
        else found
        for name, found in publications.items()
    }


def stop(run: Invocation, items: Sequence[Item]) -> None:
    """Say of what came past the door that it stops its runs, before anything of the batch goes out.

    Where that cannot be said, what would stop them comes again, with all of its ordering keys.
    """
    latest: dict[RunKey, str] = {}
    groups: set[str] = set()
    for item in items:
        if item.record.accepted or item.record.test or item.outcome == DONE:
            continue
        for key in item.stops:
            latest[key] = max(item.accepted, latest.get(key, ""))
            groups.add(item.message.group)
    told = list(latest.items())
    try:
        for begin in range(0, len(told), runs.MOST_STOPS):
            runs.stop(run.stage, dict(told[begin : begin + runs.MOST_STOPS]))
    except aws.FAILURES as error:
        reason = aws.code_of(error)
        log.warning("what stops a journey is not written", lane=run.lane, reason=reason)
        for item in items:
            if item.message.group in groups and not item.outcome:
                again(item)
        return
    for key, at in told:
        if key in run.runs:
            run.runs[key] = replace(run.runs[key], stopped=max(at, run.runs[key].stopped))


def end(run: Invocation, items: Sequence[Item]) -> None:
    """End the executions of the runs that these stopped, or turned out to be over; and forget what those were
    about.

    Best effort: nothing that they send goes out.
    """
    for found in _over(run, items):
        if run.left() < _STOP_SECONDS:
            return
        try:
            stop_execution(run.stage, found.journey, found.run)
            runs.end(run.stage, found)
        except aws.FAILURES as error:
            code = aws.code_of(error)
            log.warning("a journey goes on, and sends nothing", run=found.run, error=code)


def _over(run: Invocation, items: Sequence[Item]) -> list[Run]:
    over: dict[str, Run] = {}
    for item in items:
        if item.outcome == KEPT or item.record.test:
            continue
        stopped = [run.runs[key] for key in item.stops if key in run.runs]
        over.update((found.run, found) for found in stopped if found.run and found.is_over)
        step = item.step
        if step is not None and item.record.reason == ENDED:
            over[step.run] = Run(step.journey, step.key, step.run)
    return list(over.values())


def _read(stage: Stage, steps: Sequence[Step], seconds: float) -> There:
    """The runs of steps, and which of them are acknowledged."""
    keys = [key for step in steps for key in _keys_of(step)]
    asked = {(key["id"]["S"], key["at"]["S"]): key for key in keys}
    return read(table.read(stage, {table.HOLDS: [*asked.values()]}, seconds)[table.HOLDS])


def _live(step: Step, there: There) -> Run | None:
    """The run of a step, if it is under way."""
    runs_there, acknowledged = there
    found = runs_there.get((step.journey, step.key))
    if found is None or found.run != step.run or found.is_over:
        return None
    return None if acknowledged & {step.run, event_tag(*step.begun)} else found


def _keys_of(step: Step) -> list[dict[str, Any]]:
    begun = ack_key(event_tag(*step.begun))
    return [key_of(step.journey, step.key), begun, ack_key(step.run)]
