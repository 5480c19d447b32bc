"""`./heraldo ack`: somebody is on it."""

from __future__ import annotations

import json

import click

from cli import target as targets


@click.command
@click.argument("event_id", metavar="ID")
@targets.stage_option
@targets.json_option
def command(event_id: str, stage: str | None, as_json: bool) -> None:
    """Say that somebody is on the event with this ID: what its journey would still send is not sent.

    \b
    ./heraldo send critical.alert --id alert-1
    ./heraldo ack alert-1
    """
    path = f"/events/{targets.path_part(event_id)}/ack"
    status, found = targets.target(stage).call("POST", path)
    if status != 200:
        targets.fail(status, found, as_json)
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        since = f"since {found['acknowledged']}"
        click.echo(f"{click.style('acknowledged', fg='green')}  {found['id']}  {since}")
