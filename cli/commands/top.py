"""`./heraldo top`: the lanes, live."""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime
from typing import Any, Final

import click

from chalicelib.console import times
from chalicelib.store.record import text_of
from cli import target as targets
from cli.account import account, aws_errors, rules
from cli.lanes import Lane, Look, look
from cli.stages import LOCAL
from cli.terminal import age, table

# Each look costs a fraction of a cent on AWS.
_EVERY: Final = {True: 2.0, False: 5.0}
_CLEAR: Final = "\x1b[H\x1b[J"


@click.command
@click.option("--once", is_flag=True, help="Show it once; so it is where nobody watches.")
@click.option(
    "--every",
    type=click.FloatRange(1, 3600),
    help="Look again after so many seconds: 5, or 2 on the local stack.",
)
@targets.stage_option
@targets.json_option
def command(once: bool, every: float | None, stage: str | None, as_json: bool) -> None:
    """Show what waits in each lane and for how long, what went out in the last minute, and which events keep
    their ordering keys waiting, and why.

    It is shown anew until Ctrl-C. With --json there is a line for every look.

    \b
    ./heraldo top
    ./heraldo top --once --json --stage prod
    """
    target = account(stage)
    declared = rules(target.stage)
    pause = every or _EVERY[target.stage == LOCAL]
    watched = sys.stdout.isatty() or every is not None
    try:
        while True:
            with aws_errors(target):
                found = look(target, declared)
            if as_json:
                print(json.dumps(_json(found), ensure_ascii=False), flush=True)
            else:
                if watched and not once and sys.stdout.isatty():
                    click.echo(_CLEAR, nl=False)
                _show(found, target.stage)
            if once or not watched:
                return
            time.sleep(pause)
    except KeyboardInterrupt:
        sys.exit(130)


def _show(found: Look, stage: str) -> None:
    click.secho(f"{stage}  {found.at:%H:%M:%S} UTC", bold=True)
    header = ("LANE", "WAITING", "IN HAND", "OLDEST", "SENT A MINUTE", "HALF IN", "95 % IN", "DEAD")
    table(header, [_row(lane) for lane in found.lanes])
    if not found.failing:
        return
    click.echo()
    click.secho("Waiting behind a failure, with all of their ordering key:", fg="yellow")
    for record in found.failing:
        since = age(datetime.fromisoformat(record.began))
        reason = f"{record.reason}: " if record.reason else ""
        named = click.style(record.id, bold=True)
        click.echo(f"  {record.lane}  {record.type}  {named}  {since}  {reason}{record.detail}")
    click.secho(f"./heraldo status ID{_on(stage)}", dim=True)


def _on(stage: str) -> str:
    return "" if stage == LOCAL else f" --stage {stage}"


def _row(lane: Lane) -> tuple[str, ...]:
    dead = str(lane.dead)
    return (
        lane.name,
        str(lane.waiting),
        str(lane.in_hand),
        _time(lane.oldest),
        str(lane.sent),
        _time(lane.half),
        _time(lane.most),
        click.style(dead, fg="red") if lane.dead else dead,
    )


def _time(seconds: float | None) -> str:
    return "–" if seconds is None else times.lasted(seconds)


def _json(found: Look) -> dict[str, Any]:
    return {
        "at": text_of(found.at),
        "lanes": [
            {
                "lane": lane.name,
                "waiting": lane.waiting,
                "in_hand": lane.in_hand,
                "dead": lane.dead,
                "oldest_seconds": lane.oldest,
                "sent_last_minute": lane.sent,
                "p50_seconds": lane.half,
                "p95_seconds": lane.most,
            }
            for lane in found.lanes
        ],
        "failing": [
            {
                "id": record.id,
                "source": record.source,
                "type": record.type,
                "lane": record.lane,
                "since": record.began,
                "reason": record.reason,
            }
            for record in found.failing
        ],
    }
