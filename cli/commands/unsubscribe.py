"""`./heraldo unsubscribe`: end a subscription."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

import click

from chalicelib.channels.audience import Subscription, in_words
from cli import target as targets
from cli.account import account, aws_errors, put_down
from cli.audience import subscriptions, topic_arns
from cli.terminal import confirm

_SHORTEST_PREFIX: Final = 4


@click.command
@click.argument("arn_or_prefix")
@click.option("--yes", is_flag=True, help="Do not ask.")
@targets.stage_option
@targets.json_option
def command(arn_or_prefix: str, yes: bool, stage: str | None, as_json: bool) -> None:
    """End a subscription, by its ARN or the start of its id in the list.

    One that was never confirmed ends by itself after 48 hours.

    \b
    ./heraldo unsubscribe 6b0e71bd
    ./heraldo unsubscribe arn:aws:sns:eu-west-1:123456789012:heraldo-prod-users:6b0e71bd-… --yes
    """
    target = account(stage, changes=True)
    with aws_errors(target):
        found = _find(subscriptions(target, topic_arns(target)), arn_or_prefix)
        hears = in_words(found.policy) or "everything"
        confirm(f"{found.endpoint} hears {found.topic} ({hears}). End that?", yes)
        put_down(target, "unsubscribe", f"{found.topic} {found.protocol}")
        target.client("sns").unsubscribe(SubscriptionArn=found.arn)
    if as_json:
        print(json.dumps(found.shown(), ensure_ascii=False))
    else:
        click.echo(f"{found.endpoint} no longer hears {found.topic}.")


def _find(there: Sequence[Subscription], wanted: str) -> Subscription:
    found = [each for each in there if each.arn and wanted == each.arn]
    if not found and len(wanted) >= _SHORTEST_PREFIX:
        found = [each for each in there if each.id.startswith(wanted)]
    if not found:
        raise click.ClickException(
            f"There is no subscription {wanted} in this stage. ./heraldo subscriptions shows their"
            " ids; one that is pending has none, and ends by itself after 48 hours."
        )
    if len(found) > 1:
        ids = ", ".join(each.id for each in found)
        raise click.ClickException(f"{wanted} stands for several: {ids}. Give more of it.")
    return found[0]
