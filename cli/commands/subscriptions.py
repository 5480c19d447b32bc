"""`./heraldo subscriptions`: who hears what."""

from __future__ import annotations

import json
from typing import Final

import click

from chalicelib.channels.audience import Subscription, in_words
from cli import target as targets
from cli.account import account, aws_errors, rules
from cli.audience import arn_of, known_topic, subscriptions, topic_arns
from cli.terminal import count, table

_SHOWN_ID: Final = 8


@click.command
@click.argument("topic", required=False, shell_complete=targets.complete_topic)
@targets.stage_option
@targets.json_option
def command(topic: str | None, stage: str | None, as_json: bool) -> None:
    """List who hears TOPIC, or every topic, and what their filters let through.

    \b
    ./heraldo subscriptions
    ./heraldo subscriptions users --stage prod --json
    """
    target = account(stage)
    if topic is not None:
        known_topic(topic, rules(target.stage).topics)
    with aws_errors(target):
        arns = topic_arns(target)
        if topic is not None:
            arns = {topic: arn_of(topic, arns, target.stage)}
        found = subscriptions(target, arns)
    if as_json:
        print(json.dumps({"subscriptions": [s.shown() for s in found]}, ensure_ascii=False))
        return
    if not found:
        click.echo(
            "Nobody. Let somebody hear it: ./heraldo subscribe company email ana@shop.example"
        )
        return
    table(("TOPIC", "PROTOCOL", "ENDPOINT", "ID", "HEARS"), [_row(each) for each in found])
    pending = sum(each.pending for each in found)
    if pending:
        text = f"{count(pending, 'subscription is', 'subscriptions are')} not confirmed yet:"
        text += " nothing is sent there, and SNS drops it after 48 hours."
        click.secho(text, fg="yellow", err=True)


def _row(found: Subscription) -> tuple[str, ...]:
    hears = in_words(found.policy) or "everything"
    if found.pending:
        hears = "(pending: waits for its confirmation)" if not found.arn else f"(pending) {hears}"
    return found.topic, found.protocol, found.endpoint, found.id[:_SHOWN_ID] or "-", hears
