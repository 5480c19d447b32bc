"""`./heraldo send`: put an event through the door."""

from __future__ import annotations

import json
from typing import Any

import click

from cli import target as targets


@click.command
@targets.event_options
@targets.stage_option
@targets.json_option
def command(stage: str | None, as_json: bool, **options: Any) -> None:
    """Send one event of TYPE; without --data, the type's sample.

    \b
    ./heraldo send order.shipped
    ./heraldo send order.shipped --data @order.json --recipient cus-7 --locale en
    ./heraldo send critical.alert --data '{"title": "…", …}' --id incident-12
    """
    target = targets.target(stage)
    event = targets.build_event(**options)
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
