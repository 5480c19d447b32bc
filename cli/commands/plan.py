"""`./heraldo plan`: what would happen to an event, and why. Needs neither AWS nor the local stack."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import click

from chalicelib.door import intake
from chalicelib.errors import InvalidEvent
from chalicelib.events.zones import zone_problem
from chalicelib.plan.compose import compose
from chalicelib.plan.plan import plan
from chalicelib.plan.reach import ANYBODY, REASONS, shown_links
from chalicelib.rules.reading import RoutingError, routing
from chalicelib.words.render import templates
from cli import target as targets
from cli.stages import LOCAL, STAGE, stages
from cli.terminal import count


@click.command
@targets.event_options()
@click.option(
    "--stage",
    type=STAGE,
    default=LOCAL,
    help="The stage whose rules apply; nothing is asked of it.",
)
@click.option("--at", help="The moment to look at, such as 2026-12-24T23:30-03:00; by default now.")
@click.option(
    "--time-zone", help="Its recipient's, such as America/Santiago; by default the shop's."
)
@targets.json_option
def command(
    stage: str, at: str | None, time_zone: str | None, as_json: bool, **options: Any
) -> None:
    """Show what would happen to an event of TYPE, and why; nothing is sent.

    \b
    ./heraldo plan order.placed
    ./heraldo plan order.placed --locale en --json
    ./heraldo plan promotion.started --at "2026-12-24T23:30-03:00" --time-zone America/Santiago
    """
    now, zone = _moment(at), _zone(time_zone)
    event = targets.build_event(**options)
    try:
        rules = routing(stage)
        checked = intake.check(event, rules, default_source="cli")
        # Where `make run` is, it tells its lanes.
        address = stages()[stage].api_url or ("https://…" if stage == LOCAL else "")
        known = replace(ANYBODY, links=shown_links(address))
        shop = templates().environment.time_zone
        composed = compose(checked.event, checked.lane, rules, templates(), str, known)
        composed = replace(composed, gaps=checked.composed.gaps)
        found = plan(checked.event, checked.lane, composed, rules, shop=zone or shop, now=now)
    except InvalidEvent as error:
        problems = [{"field": e.field, "problem": e.problem} for e in error.errors]
        answer = {"title": "The event would be refused", "status": 422, "errors": problems}
        targets.fail(422, answer, as_json)
    except RoutingError as error:
        click.secho(str(error), fg="red", err=True)
        sys.exit(1)
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        _show(found)


def _moment(text: str | None) -> datetime:
    """A moment that somebody typed, on the shop's clock where it names no other."""
    if text is None:
        return datetime.now(UTC)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        shape = "a date and time that exist, such as 2026-12-24T23:30 or 2026-12-24T23:30-03:00"
        raise click.BadParameter(f"{text!r} is none; write {shape}", param_hint="--at") from None
    return found if found.tzinfo else found.replace(tzinfo=templates().environment.time_zone or UTC)


def _zone(name: str | None) -> ZoneInfo | None:
    if name is None:
        return None
    if problem := zone_problem(name):
        raise click.BadParameter(f"{name!r} {problem}", param_hint="--time-zone")
    return ZoneInfo(name)


def _show(found: dict[str, Any]) -> None:
    click.echo(f"{click.style(found['type'], bold=True)} goes through lane {found['lane']}")
    if "held" in found:
        held = found["held"]
        there = "" if held["local"].endswith("+00:00") else f", {held['local']} there"
        click.secho(f"held until {held['until']}{there} ({held['why']})", fg="yellow")
        click.secho("until then ./heraldo cancel ID, or erasing its recipient, stops it", dim=True)
    for one in found.get("digests", ()):
        there = "" if one["local"].endswith("+00:00") else f", {one['local']} there"
        click.secho(f"rule {one['rule']} gathers it until {one['until']}{there}", fg="yellow")
        click.secho(f"for {', '.join(one['to'])}: {one['why']}", dim=True)
    click.echo(f"in order with others of {found['ordering_key']!r}\n\nRules")
    for rule in found["rules"]:
        if rule["matched"]:
            where = ", ".join(_does(rule))
            click.echo(f"  {click.style('✓', fg='green')} {rule['name']} → {where}")
        else:
            click.echo(f"  {click.style('·', dim=True)} {rule['name']}: {rule['why']}")
    if found["suppressed"]:
        why = found["suppressed"]
        click.secho(f"\nNobody hears of it: {REASONS.get(why, why)}", fg="yellow")
    for message in found["messages"]:
        sms = message.get("sms", {})
        head = message["destination"]
        if "locale" in message:
            head += f" in {message['locale']}"
        if "html" in message:
            head += " with an HTML part"
        if "fallback_from" in message:
            head += f" (for {message['fallback_from']})"
        click.secho(f"\n── {head} ── {message['bytes']} bytes", bold=True)
        if "subject" in message:
            click.echo(f"{click.style('subject', dim=True)}  {message['subject']}")
        for name, value in message.get("headers", {}).items():
            click.echo(f"{click.style(name, dim=True)}  {value}")
        for protocol, text in message["bodies"].items():
            extra = (
                f" ({sms['encoding']}, {count(sms['parts'], 'part')})" if protocol == "sms" else ""
            )
            click.echo(f"{click.style(protocol + extra, dim=True)}\n{_indented(text)}")
    for warning in found["warnings"]:
        click.secho(f"! {warning}", fg="yellow")


def _does(rule: dict[str, Any]) -> list[str]:
    """What a rule that matched does, in words."""
    to = [f"{name} in a digest" if rule.get("gathers") else name for name in rule["to"]]
    found = to or (["suppressed"] if rule.get("suppresses") else [])
    found += [f"starts the journey {name}" for name in rule.get("starts_journeys", ())]
    return found + [f"ends the journey {name}" for name in rule.get("stops_journeys", ())]


def _indented(text: str) -> str:
    return "\n".join(f"  {line}".rstrip() for line in text.splitlines())
