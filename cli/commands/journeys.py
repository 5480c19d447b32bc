"""`./heraldo journeys`: whether journeys send what their examples say, and how they look."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from chalicelib.channels.journeys import stop_execution
from chalicelib.journeys import drawing, running, spans
from chalicelib.rules.reading import RoutingError
from chalicelib.spelling import did_you_mean
from chalicelib.stage import Stage
from chalicelib.store import runs
from chalicelib.store.record import now_text, text_of
from chalicelib.store.run import Run, bounded
from cli import target as targets
from cli.account import account, aws_errors, rules
from cli.group import Group
from cli.journeys import definition, examples, trial
from cli.journeys.definition import DefinitionError
from cli.journeys.examples import ExamplesError
from cli.journeys.trial import Outcome
from cli.paths import ROOT, ROUTING
from cli.target import json_option
from cli.terminal import Progress, age, confirm, count, table

_SHOWN: Final = 4
_root: Final = click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=ROOT,
    help="Another tree than this one.",
)


@click.group("journeys", cls=Group)
def command() -> None:
    """Journeys: what is sent as time goes by (journeys/<name>.asl.json)."""


@command.command("test")
@click.argument("name", required=False)
@json_option
@_root
def test_journeys(name: str | None, as_json: bool, root: Path) -> None:
    """Try journeys on the examples beside them, a week in a second.

    Exits with 1 if one sends something else, or at another time, than its example says.

    \b
    ./heraldo journeys test
    ./heraldo journeys test abandoned-cart
    """
    begun = time.monotonic()
    try:
        found = {journey: trial.run(root, journey) for journey in _chosen(root, name)}
    except (RoutingError, ExamplesError, DefinitionError) as error:
        _refuse(error, as_json)
    outcomes = [outcome for tried in found.values() for outcome in tried]
    failed = [outcome for outcome in outcomes if outcome.faults]
    if as_json:
        judged = {name: [_judged(o) for o in tried] for name, tried in found.items()}
        print(json.dumps({"journeys": judged}, ensure_ascii=False))
    else:
        for journey, tried in found.items():
            click.secho(journey, bold=True)
            for outcome in tried:
                click.echo(_told(outcome, journey))
        took = time.monotonic() - begun
        click.echo(
            f"{len(outcomes) - len(failed)} of {len(outcomes)} examples hold ({took:.1f} s)."
        )
    sys.exit(bool(failed))


@command.command("draw")
@click.argument("name", required=False)
@click.option(
    "--to",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write a file for each into this folder.",
)
@_root
def draw(name: str | None, folder: Path | None, root: Path) -> None:
    """Draw journeys as SVG: one to the terminal, or each into a folder.

    \b
    ./heraldo journeys draw abandoned-cart > abandoned-cart.svg
    ./heraldo journeys draw --to docs/images
    """
    chosen = _chosen(root, name)
    if folder is None and len(chosen) != 1:
        raise click.UsageError(f"Say which ({', '.join(chosen)}), or --to FOLDER for all.")
    try:
        drawn = {journey: drawing.svg(definition.read(root, journey)) for journey in chosen}
    except DefinitionError as error:
        _refuse(error, False)
    if folder is None:
        click.echo(drawn[chosen[0]], nl=False)
        return
    folder.mkdir(parents=True, exist_ok=True)
    for journey, picture in drawn.items():
        (folder / f"{journey}.svg").write_text(picture, encoding="utf-8")
        click.echo(f"wrote {folder / journey}.svg")


@command.command("list")
@targets.stage_option
@json_option
def list_journeys(stage: str | None, as_json: bool) -> None:
    """The journeys of a stage: what starts and ends each, and how many runs are under way.

    \b
    ./heraldo journeys list
    ./heraldo journeys list --stage prod
    """
    target = account(stage)
    routing, progress = rules(target.stage), Progress()
    with aws_errors(target):
        handle = target.handle()
        numbers = {name: _count(handle, name, progress) for name in routing.journeys}
    progress.end()
    rows = []
    for name, journey in routing.journeys.items():
        starts = [rule.name for rule in routing.rules if name in rule.starts]
        stops = [rule.name for rule in routing.rules if name in rule.stops]
        rows.append((name, journey.key, numbers[name], starts, stops))
    if as_json:
        keys = ("name", "key", "running", "started_by", "stopped_by")
        print(json.dumps({"journeys": [dict(zip(keys, row, strict=True)) for row in rows]}))
        return
    table(
        ("JOURNEY", "RUNNING", "ONE FOR EACH", "STARTED BY", "ENDED BY"),
        [
            (name, _number(number), key, ", ".join(starts) or "-", ", ".join(stops) or "-")
            for name, key, number, starts, stops in rows
        ],
    )


@command.command("show")
@click.argument("name")
@click.argument("key", required=False)
@click.option("--most", type=click.IntRange(1, 1000), default=20, show_default=True)
@targets.stage_option
@json_option
def show(name: str, key: str | None, most: int, stage: str | None, as_json: bool) -> None:
    """The runs of a journey that are under way; or where that of a KEY stands, and what it sent.

    \b
    ./heraldo journeys show abandoned-cart
    ./heraldo journeys show abandoned-cart cus-1042
    """
    target = account(stage)
    _declared(name, target.stage)
    with aws_errors(target):
        handle = target.handle()
        if key is not None:
            _show_run(handle, name, key, as_json)
            return
        found = list(running.newest(handle, name, most))
    if as_json:
        print(json.dumps({"runs": [asdict(run) for run in found]}, ensure_ascii=False))
    elif not found:
        click.echo(f"No run of {name} is under way.")
    else:
        rows = [
            (run.key, f"{age(datetime.fromisoformat(run.started))} ago", run.event["id"], run.run)
            for run in found
        ]
        table(("KEY", "STARTED", "BY EVENT", "RUN"), rows)
        if len(found) == most:
            click.secho("There may be more: --most shows them.", dim=True, err=True)


@command.command("stop")
@click.argument("name")
@click.argument("key", required=False)
@click.option("--all", "every", is_flag=True, help="Every run of it that is under way.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@targets.stage_option
@json_option
def stop(
    name: str, key: str | None, every: bool, yes: bool, stage: str | None, as_json: bool
) -> None:
    """End the run of a journey for a KEY, or all of them; it sends nothing more.

    What starts one afterwards starts it anew.

    \b
    ./heraldo journeys stop abandoned-cart cus-1042
    ./heraldo journeys stop abandoned-cart --all --stage prod
    """
    if (key is None) is not every:
        raise click.UsageError("Say for which KEY, or --all.")
    target = account(stage, changes=True)
    _declared(name, target.stage)
    progress, ended = Progress(), 0
    with aws_errors(target):
        handle = target.handle()
        if every:
            there = _count(handle, name, progress)
            progress.end()
            confirm(f"End {_number(there)} runs of {name}?", yes)
            found = [Run(name, run.key, run.run) for run in running.newest(handle, name, there)]
        else:
            of_key = runs.find(handle, name, bounded(key or ""))
            found = [of_key] if of_key is not None and not of_key.is_over else []
        for run in found:
            _end(handle, run)
            ended += 1
            progress.show(f"{ended:,} of {len(found):,} ended")
        progress.end()
    if as_json:
        print(json.dumps({"ended": ended}))
    elif ended:
        click.echo(f"{click.style('ended', fg='green')}  {count(ended, 'run')} of {name}")
    else:
        click.echo(f"No run of {name} is under way for {key}." if key else f"None of {name} is.")
    sys.exit(0 if ended or every else 1)


def _end(handle: Stage, run: Run) -> None:
    """First written down, so that nothing that it sends goes out; then its execution."""
    runs.stop(handle, {(run.journey, run.key): now_text()})
    stop_execution(handle, run.journey, run.run)
    runs.end(handle, run)


def _show_run(handle: Stage, name: str, key: str, as_json: bool) -> None:
    run = runs.find(handle, name, bounded(key))
    if run is None or not run.run:
        told = f"No run of {name} is known for {key}."
        if run is not None:
            told += f" An event stopped it at {run.stopped}."
        raise click.ClickException(told)
    status, way = running.way(handle, name, run.run)
    if as_json:
        stops = [{"at": text_of(s.at), "state": s.state, "sent": s.sent or None} for s in way]
        shown = {"run": run.run, "status": status, "started": run.started, "way": stops}
        print(json.dumps({**shown, "stopped": run.stopped or None}))
        return
    click.echo(f"{click.style(name, bold=True)} for {key}: {status.lower()}, run {run.run}")
    click.echo(f"  {run.started}  started")
    for at in way:
        sent = f"  sent {at.sent}" if at.sent else ""
        click.echo(f"  {text_of(at.at)}  {at.state}{sent}")
    if run.stopped >= run.started:
        click.echo(f"  {run.stopped}  an event ended it")
    elif way and status == "RUNNING":
        state = running.defined(handle, name).states.get(way[-1].state)
        until = running.waits_until(state.fields, way[-1]) if state is not None else None
        if until is not None:
            click.secho(f"  waits until {text_of(until)}", fg="yellow")


def _declared(name: str, stage: str) -> None:
    there = rules(stage).journeys
    if name not in there:
        near = did_you_mean(name, tuple(there)) or f"; there are {', '.join(there) or 'none'}"
        raise click.BadParameter(f"there is no journey {name!r}{near}", param_hint="NAME")


def _count(handle: Stage, name: str, progress: Progress) -> int:
    return running.number(handle, name, lambda n: progress.show(f"{name}: {n:,} runs"))


def _number(number: int) -> str:
    return f"{number:,}+" if number == running.MOST else f"{number:,}"


def _chosen(root: Path, name: str | None) -> tuple[str, ...]:
    there = definition.names(root)
    if name is None:
        return there
    if name not in there:
        near = did_you_mean(name, there) or f"; there are {', '.join(there) or 'none'}"
        raise click.BadParameter(f"there is no journey {name!r}{near}", param_hint="NAME")
    return (name,)


def _refuse(error: RoutingError | ExamplesError | DefinitionError, as_json: bool) -> NoReturn:
    if isinstance(error, DefinitionError):
        problems = [(error.file, error.line, "", error.problem)]
    else:
        file = error.file if isinstance(error, ExamplesError) else ROUTING
        problems = [(file, p.line, p.rule, p.problem) for p in error.problems]
    if as_json:
        keys = ("file", "line", "about", "problem")
        print(json.dumps({"problems": [dict(zip(keys, p, strict=True)) for p in problems]}))
    else:
        for file, line, about, problem in problems:
            where = click.style(f"{file}:{line}" if line else file, bold=True)
            click.echo(f"{where}: {f'{about}: ' if about else ''}{problem}", err=True)
    sys.exit(1)


def _told(outcome: Outcome, journey: str) -> str:
    example = outcome.example
    if not outcome.faults:
        told = f"{click.style('✓', fg='green')} {example.name}"
        sent = [f"{spans.write(sent.at)} {sent.type}" for sent in outcome.came[:_SHOWN]]
        more = len(outcome.came) - len(sent)
        listed = ", ".join([*sent, *([f"{more} more"] if more else [])]) or "nothing"
        return f"{told}\n    {click.style(listed, dim=True)}"
    told = f"{click.style('✗', fg='red')} {click.style(example.name, bold=True)}"
    told += click.style(f"  {examples.file_of(journey)}:{example.line}", dim=True)
    return "\n    ".join([told, *(_coloured(fault) for fault in outcome.faults)])


def _coloured(line: str) -> str:
    colours = {"+": "green", "-": "red"}
    return click.style(line, fg=colours.get(line.lstrip()[:1])) if line.startswith("  ") else line


def _judged(outcome: Outcome) -> dict[str, Any]:
    return {
        "name": outcome.example.name,
        "line": outcome.example.line,
        "passed": not outcome.faults,
        "sent": [
            {"at": spans.write(sent.at), "type": sent.type, "to": list(sent.to)}
            for sent in outcome.came
        ],
        "transitions": outcome.transitions,
        "faults": list(outcome.faults),
    }
