"""`./heraldo send`: put an event, or a file of them, through the door."""

from __future__ import annotations

import json
import os
import sys
from typing import IO, Any

import click

from cli import bulk
from cli import target as targets
from cli.stages import LOCAL

_SHOWN = 10


@click.command
@targets.event_options(type_required=False)
@click.option("--from", "lines", type=click.File("rb"), help="JSON Lines, or -.")
@targets.stage_option
@targets.json_option
def command(stage: str | None, as_json: bool, lines: IO[bytes] | None, **options: Any) -> None:
    """Send one event of TYPE (without --data, the type's sample), or all those of a file.

    \b
    ./heraldo send order.shipped
    ./heraldo send order.shipped --data @order.json --recipient cus-7 --locale en
    ./heraldo send --from events.jsonl        # a whole event a line; - is standard input

    A file may be sent again after an interruption: what was taken is not sent twice, whether its
    events have an id or not.
    """
    if (lines is None) == (options["event_type"] is None):
        raise click.UsageError("Give a TYPE, or a file with --from.")
    target = targets.target(stage)
    if target.stage != LOCAL:
        click.secho(f"{stage}: {target.api_url}", dim=True, err=True)
    if lines is not None:
        given = [name for name, value in options.items() if value]
        if given:
            raise click.UsageError("With --from, the events say it all: leave other options out.")
        _send_lines(target, lines, as_json)
        return
    event = targets.build_event(**options)
    if options["data"] is None and options["source"] is None:
        event.pop("source", None)  # the sample's, which this key may not speak for
    status, answer = target.call("POST", "/events", event)
    if status not in (200, 202):
        targets.fail(status, answer, as_json)
    if as_json:
        print(json.dumps(answer, ensure_ascii=False))
        return
    colour = "green" if answer["status"] == "accepted" else "yellow"
    click.echo(
        f"{click.style(answer['status'], fg=colour)}  {answer['id']}  in lane {answer['lane']}"
    )
    if "held_until" in answer:
        click.echo(f"  held until {answer['held_until']}; ./heraldo cancel {answer['id']} stops it")
    for warning in answer.get("warnings", ()):
        click.secho(f"! {warning['field']} {warning['problem']}", fg="yellow", err=True)


def _send_lines(target: targets.Target, lines: IO[bytes], as_json: bool) -> None:
    summary = bulk.Summary()
    interrupted = False
    failed: click.ClickException | None = None
    try:
        for _ in bulk.send(target, lines, summary):
            _progress(lines, summary)
    except KeyboardInterrupt:
        interrupted = True
    except click.ClickException as error:  # what was taken until then is told all the same
        failed = error
        if not summary.lines:
            raise
    _progress(lines, summary, last=True)
    if as_json:
        print(json.dumps(summary.as_json(), ensure_ascii=False))
    else:
        click.echo(f"{summary.accepted} accepted, {summary.duplicate} duplicates", nl=False)
        click.echo(f", {len(summary.refused)} refused" if summary.refused else "")
        for line, problem in summary.refused[:_SHOWN]:
            click.secho(f"  line {line}: {problem}", fg="red", err=True)
        if len(summary.refused) > _SHOWN:
            click.echo(f"  … and {len(summary.refused) - _SHOWN} more: see --json", err=True)
    if interrupted:
        click.echo("Interrupted. Run it again: what was taken is not sent twice.", err=True)
        sys.exit(130)
    if failed:
        raise failed
    if summary.refused:
        sys.exit(1)


def _progress(lines: IO[bytes], summary: bulk.Summary, last: bool = False) -> None:
    """One line on a terminal, rewritten as it goes; nothing in a pipe."""
    if not sys.stderr.isatty():
        return
    share = ""
    try:
        size = os.fstat(lines.fileno()).st_size
        share = f" ({lines.tell() / size:.0%})" if size else ""
    except (OSError, ValueError):
        pass  # a pipe has no size
    click.echo(f"\r{summary.lines:,} lines{share} ", nl=last, err=True)
