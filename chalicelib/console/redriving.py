"""Dead letters put back into their lanes, a step at a time.

A step takes a few seconds and leads to a page that says how far it is; the form of that page takes the next,
by itself where there is a script. Each may be repeated, or left out: what is put back goes out once.
"""

from __future__ import annotations

import time
from typing import Final

from chalicelib import aws
from chalicelib.console.letters import Meant, judge, may_move, reason_word
from chalicelib.console.visit import Page, Redirect, Visit, link
from chalicelib.errors import TransientError
from chalicelib.letters.letters import DeadQueue, Letter
from chalicelib.letters.redrive import Redrive
from chalicelib.regex import regex
from chalicelib.store import audit

STEP_SECONDS: Final = 6.0
# What a step leads on to: another, none, or none because it got nowhere, or a service did not answer.
MORE: Final = "more"
STUCK: Final = "stuck"
BROKEN: Final = "broken"
_NUMBERS: Final = ("moved", "all", "stay", "again", "refused", "unseen")
_NUMBER: Final = regex(r"[0-9]{1,7}\Z")


def step(visit: Visit) -> Redirect:
    """Put back what is meant and would not fail again, as far as one step comes."""
    meant = Meant.of(visit, visit.form)
    numbers = {name: _number(visit.form.get(name, "")) for name in _NUMBERS}
    visit.patience.ask(lambda: audit.write(visit.stage, visit.key.name, "redrive", _subject(meant)))
    runs: list[Redrive] = []
    then = _run(visit, meant, runs)
    moved = sum(len(run.moved) for run in runs)
    if not then and any(run.queue.is_cut and run.queue.unseen for run in runs):
        then = MORE if moved else STUCK
    numbers["moved"] += moved
    numbers["stay"] = sum(len(run.still_failing) for run in runs)
    numbers["again"] = sum(len(run.back_again) for run in runs)
    numbers["refused"] = sum(len(run.refused) for run in runs)
    numbers["unseen"] = sum(run.queue.unseen for run in runs if run.whole)
    shown = {name: str(number) for name, number in numbers.items() if number}
    return Redirect(link("redriven", **meant.query, **shown, then=then))


def show(visit: Visit) -> Page:
    """How far it is, and the way on."""
    meant = Meant.of(visit, visit.query)
    then = visit.query.get("then", "")
    return Page(
        "redriven",
        {
            **{name: _number(visit.query.get(name, "")) for name in _NUMBERS},
            "meant": meant,
            "cause": reason_word(visit, meant.reason) if meant.reason else "",
            "then": then if then in (MORE, STUCK, BROKEN) else "",
        },
    )


def _run(visit: Visit, meant: Meant, runs: list[Redrive]) -> str:
    """Redrive lane after lane until the time is up; says where a service broke it off."""
    stage, sought, judging = visit.stage, meant.sought, judge(visit)
    until = time.monotonic() + STEP_SECONDS

    def wanted(letter: Letter) -> bool:
        return meant.has(letter) and may_move(visit, letter)

    try:
        for lane in meant.lanes:
            with DeadQueue(stage, lane, until) as queue:
                if not queue.total and not meant.id:
                    continue
                url = stage.queue_url(lane)
                run = Redrive(queue, stage.sqs, url, judging, wanted, sought=sought)
                runs.append(run)
                run.run(lambda _: None)
            if sought.found:
                break
    except (*aws.BREAKS, TransientError):
        return BROKEN
    return ""


def _subject(meant: Meant) -> str:
    """What is redriven, as the audit log has it."""
    return " ".join(f"{name}={value}" for name, value in meant.query.items() if value) or "*"


def _number(text: str) -> int:
    return int(text) if _NUMBER.match(text) else 0
