"""`./heraldo event-types`: what can be sent, and what each type's data must hold."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import click

from cli import target as targets
from cli.target import Target


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
    target = targets.target(stage)
    found = _ask(target, f"?type={quote(event_type, safe='')}" if event_type else "", as_json)
    if event_type is not None and not found:
        from chalicelib.spelling import did_you_mean

        near = did_you_mean(event_type, [t["type"] for t in _ask(target, "", as_json)])
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


def _ask(target: Target, query: str, as_json: bool) -> list[dict[str, Any]]:
    status, answer = target.call("GET", f"/event-types{query}")
    if status != 200:
        targets.fail(status, answer, as_json)
    found: list[dict[str, Any]] = answer["event_types"]
    return found
