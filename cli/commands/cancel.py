"""`./heraldo cancel`: what is held never goes out."""

from __future__ import annotations

import json

import click

from cli import target as targets


@click.command
@click.argument("event_id", metavar="ID")
@targets.stage_option
@targets.json_option
def command(event_id: str, stage: str | None, as_json: bool) -> None:
    """Have the event with this ID, which is held until its time, never go out.

    \b
    ./heraldo send reminder.due --id r-1 --deliverat 2026-12-24T10:00:00+01:00
    ./heraldo cancel r-1
    """
    path = f"/events/{targets.path_part(event_id)}"
    status, found = targets.target(stage).call("DELETE", path)
    if status != 200:
        targets.fail(status, found, as_json)
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        click.echo(f"{click.style('cancelled', fg='green')}  {found['type']}  {found['id']}")
