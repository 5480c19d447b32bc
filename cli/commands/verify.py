"""`./heraldo verify`: try a deployed stage from end to end, with nobody's events but its own."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import FrameType
from typing import Any, Final, NoReturn

import click
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import aws, names
from chalicelib.errors import HeraldoError
from chalicelib.stage import Stage
from chalicelib.store.record import text_of
from cli import target as targets
from cli.account import aws_errors, put_down, rules
from cli.audience import arn_of, topic_arns
from cli.paths import ROOT
from cli.stages import LOCAL, stages
from cli.target import Target
from cli.terminal import Progress, confirm
from cli.verify import access, letters, listener, marks
from cli.verify.report import Check, Report
from cli.verify.run import ALONE, Run

_INTERRUPTED: Final = 130
_MOST: Final = 10_000
# What an event costs, with the requests around it, in cents: docs/verify.md.
_CENTS_EACH: Final = 0.001
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@click.command
@click.option(
    "--events",
    type=click.IntRange(1, _MOST),
    default=500,
    show_default=True,
    metavar="N",
    help="How many go in at once, to measure.",
)
@click.option(
    "--timeout",
    "patience",
    type=click.FloatRange(1, 600),
    default=60,
    show_default=True,
    metavar="SECONDS",
    help="How long nothing may come before what is missing counts as lost.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@targets.stage_option
@targets.json_option
def command(events: int, patience: float, yes: bool, stage: str | None, as_json: bool) -> None:
    """Try a deployed stage from end to end: delivery, every lane, duplicates, a poison event, a redrive, order,
    throughput and latency.

    It sends events of a type of its own, which come back to a queue of its own and to nobody else, and takes away
    what it made. No alarm goes off. What it found is kept in .heraldo/verify/. Exits with 1 if a check fails.

    \b
    ./heraldo verify
    ./heraldo verify --stage dev --events 2000
    """
    target = targets.target(stage)
    handle = target.handle()
    with aws_errors(target):
        place = handle.place
        arn_of(names.VERIFY, topic_arns(target), target.stage)
    if target.stage != LOCAL:
        click.echo(f"{stage}: account {place.account}, region {place.region}", err=True)
        click.echo(_about(events), err=True)
        confirm("Begin?", yes)
    now, began = datetime.now(UTC), time.monotonic()
    name = marks.run_name(now)
    checks: list[Check] = []

    def tell(check: Check) -> None:
        checks.append(check)
        progress.end()
        if not as_json:
            click.echo(check.for_people())

    progress = Progress()
    interrupted = False
    with aws_errors(target):
        _clear_up_after_others(target, handle, now)
        run = Run(
            _with_key(target, name, now),
            rules(target.stage),
            name,
            events,
            patience,
            progress.show,
        )
        try:
            with _stoppable():
                put_down(target, "subscribe", f"{names.VERIFY} sqs {run.listener.queue}")
                run.listener.open()
                for check in run.checks():
                    tell(check)
        except KeyboardInterrupt:
            interrupted = True
        finally:
            with _undisturbed():
                progress.show("taking away what was made")
                tell(_taken_away(target, handle, run, name))
    progress.end()
    took = round(time.monotonic() - began, 1)
    found = (target.stage, place.account, place.region, name, text_of(now), took, interrupted)
    _end(Report(*found, checks), as_json)


def _about(events: int) -> str:
    all_of = events + ALONE + 20
    cents = all_of * _CENTS_EACH
    cost = "less than a cent" if cents < 1 else f"about {cents:.0f} cents"
    return (
        f"About {all_of:,} events of the type {names.VERIFY_TYPE} go in by HTTP and come out in a queue of their own; "
        f"nobody else hears of them. That takes a minute or so, and costs {cost}."
    )


def _with_key(target: Target, run: str, now: datetime) -> Target:
    """The target as a run calls it: by a key of its own, or signed by whoever runs it."""
    if stages()[target.stage].auth == "iam":
        return target
    return replace(target, api_key=access.create(target, run, now))


def _clear_up_after_others(target: Target, stage: Stage, now: datetime) -> None:
    """Take away what runs that were killed left behind."""
    for queue in listener.left_behind(stage, now):
        put_down(target, "unsubscribe", f"{names.VERIFY} sqs {queue}")
        listener.remove(stage, queue)
        click.secho(f"Removed the queue {queue} of a run that was killed.", dim=True, err=True)
    for run in access.left_behind(target, now):
        access.revoke(target, run)
        click.secho(f"Revoked the key of a run that was killed: {run}", dim=True, err=True)
    lane = rules(stage.name).lane(names.VERIFY_TYPE)
    asked = stage.sqs.get_queue_attributes(
        QueueUrl=stage.dead_queue_url(lane), AttributeNames=["ApproximateNumberOfMessages"]
    )
    if int(asked["Attributes"]["ApproximateNumberOfMessages"]):
        gone = letters.take_away(stage, lane, lambda letter: letters.is_left_behind(letter, now))
        if gone:
            click.secho("Removed the dead letter of a run that was killed.", dim=True, err=True)


def _taken_away(target: Target, stage: Stage, run: Run, name: str) -> Check:
    """Take away all that the run made; what cannot be is told with its remedy."""
    left: list[str] = []

    def attempt(what: str, remedy: str, act: Callable[[], Any]) -> None:
        try:
            act()
        except (BotoCoreError, ClientError, HeraldoError) as error:
            left.append(f"{what} ({aws.code_of(error)}): {remedy}")

    at = "" if target.stage == LOCAL else f" --stage {target.stage}"
    again = "the first run half an hour from now takes it away"
    queue = run.listener.queue
    with contextlib.suppress(BotoCoreError, ClientError):  # it goes away all the same
        put_down(target, "unsubscribe", f"{names.VERIFY} sqs {queue}")
    attempt(f"the queue {queue}, or its subscription", again, run.listener.close)
    if stages()[target.stage].auth != "iam":
        remedy = f"./heraldo keys revoke verify-{name}{at}"
        attempt("its key", remedy, lambda: access.revoke(target, name))
    for event_id in run.dead:
        attempt(
            f"the dead letter {event_id}",
            again,
            lambda event_id=event_id: letters.take_away(  # type: ignore[misc]
                stage, run.lane, lambda letter: letter.id == event_id
            ),
        )
    if left:
        return Check("taken away", False, f"still there: {'; '.join(left)}")
    return Check("taken away", True, "queue, subscription and key are gone")


def _end(report: Report, as_json: bool) -> None:
    file = report.keep()
    if as_json:
        print(json.dumps(report.as_json(), ensure_ascii=False))
    else:
        shown = file.relative_to(ROOT) if file.is_relative_to(ROOT) else file
        click.secho(f"{_summary(report.checks)} Kept in {shown}", dim=True)
    if report.interrupted:
        click.echo("Interrupted.", err=True)
        sys.exit(_INTERRUPTED)
    sys.exit(0 if report.passed else 1)


def _summary(checks: Sequence[Check]) -> str:
    passed = sum(check.passed is True for check in checks)
    return f"{passed} of {len(checks)} checks passed."


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Whatever asks it to stop is Ctrl-C."""

    def stop(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Whatever is pressed now, nothing is left behind."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
