"""`./heraldo status`: what became of an event."""

from __future__ import annotations

import json

import click

from chalicelib.plan.reach import REASONS
from chalicelib.rules.destinations import webhook_of
from cli import target as targets

_COLOURS = {
    "published": "green",
    "failed": "red",
    "accepted": "yellow",
    "retrying": "yellow",
    "held": "yellow",
    "gathered": "yellow",
}

_BECAME = {"delivered": "green", "bounced": "red", "complained": "red", "rejected": "red"}


@click.command
@click.argument("event_id", metavar="ID")
@targets.stage_option
@targets.json_option
def command(event_id: str, stage: str | None, as_json: bool) -> None:
    """Show what became of the event with this ID, and why."""
    status, found = targets.target(stage).call("GET", f"/events/{targets.path_part(event_id)}")
    if status != 200:
        targets.fail(status, found, as_json)
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
        return
    colour = _COLOURS.get(found["status"])
    click.echo(f"{click.style(found['status'], fg=colour)}  {found['type']}  {found['id']}")
    for step in found["timeline"]:
        click.echo(f"  {step['at']}  {step['status']}")
    if "held" in found:
        click.secho(f"  until {found['held']['until']} ({found['held']['why']})", fg="yellow")
    for one in found.get("digests", ()):
        waits = f"until {one['until']}" if one["status"] == "held" else f"was for {one['until']}"
        told = f"  digest of rule {one['rule']}: {one['status']}, {waits}"
        if "id" in one:
            told += f", {one['id']}"
        if "reason" in one:
            told += f", {one['reason']}: {one['detail']}"
        click.secho(told, fg="yellow" if one["status"] == "held" else None)
    if found.get("reason"):
        click.echo(f"  why: {found['reason']} ({found['detail']})")
    if found.get("key"):
        click.echo(f"  sent by: {found['key']}")
    if found["rules"]:
        click.echo(f"  rules: {', '.join(found['rules'])}")
    if found.get("acknowledged"):
        click.secho(f"  acknowledged at {found['acknowledged']}", fg="green")
    for destination, message_id in found["messages"].items():
        if destination.startswith("start:"):
            click.echo(f"  began {destination.removeprefix('start:')}, run {message_id}")
            continue
        service = "SES message" if destination.endswith(":email") else "SNS message"
        if webhook_of(destination):
            service = "post"
        became = found.get("outcomes", {}).get(destination, "none")
        shown = "" if became == "none" else f", {click.style(became, fg=_BECAME.get(became))}"
        click.echo(f"  {destination}: {service} {message_id}{shown}")
    for receipt in found.get("receipts", ()):
        why = f" ({receipt['detail']})" if receipt.get("detail") else ""
        click.echo(f"    {receipt['at']}  {receipt['destination']} {receipt['status']}{why}")
    for destination, why in found.get("withheld", {}).items():
        told = f"{why}: {REASONS[why]}" if why in REASONS else why
        click.secho(f"  {destination}: not sent, {told}", fg="yellow")
