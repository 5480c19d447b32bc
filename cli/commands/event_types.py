"""`./heraldo event-types`: what can be sent, and what each type's data must hold."""

from __future__ import annotations

import json

import click

from cli import target as targets


@click.command
@click.argument(
    "event_type", metavar="[TYPE]", required=False, shell_complete=targets.complete_type
)
@targets.stage_option
@targets.json_option
def command(event_type: str | None, stage: str | None, as_json: bool) -> None:
    """List the event types of a running Heraldo, or all about one TYPE.

    \b
    ./heraldo event-types
    ./heraldo event-types order.shipped
    """
    status, answer = targets.target(stage).call("GET", "/event-types")
    if status != 200:
        targets.fail(status, answer, as_json)
    found = answer["event_types"]
    if event_type is not None:
        found = [t for t in found if t["type"] == event_type]
        if not found:
            from chalicelib.spelling import did_you_mean

            near = did_you_mean(event_type, [t["type"] for t in answer["event_types"]])
            raise click.ClickException(f"There is no event type {event_type}{near}")
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
        return
    for entry in found:
        locales = ", ".join(entry["locales"])
        click.echo(f"{click.style(entry['type'], bold=True):<28} {entry['lane']:<11} {locales}")
        if event_type is not None:
            click.echo("needs\n  " + "\n  ".join(entry["required"]))
            click.echo("sample\n" + json.dumps(entry["sample"], ensure_ascii=False, indent=2))
