"""`./heraldo subscribe`: let somebody hear a topic, all of it or what a filter lets through."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click

from chalicelib.channels import audience
from chalicelib.channels.audience import MOST_POLICIES, PROTOCOLS, Subscription, Unfit, in_words
from cli import target as targets
from cli.account import account, aws_errors, put_down, rules
from cli.audience import arn_of, known_topic, subscriptions, topic_arns
from cli.target import Target


@click.command
@click.argument("topic", shell_complete=targets.complete_topic)
@click.argument("protocol", type=click.Choice(tuple(PROTOCOLS)))
@click.argument("endpoint")
@click.option(
    "--event-type", "event_types", multiple=True, help="Such as order.shipped, 'order.*'."
)
@click.option(
    "--locale",
    "locales",
    multiple=True,
    help="What is written in it, such as es.",
    shell_complete=targets.complete_locale,
)
@click.option("--recipient", "recipients", multiple=True, help="What is for this customer's id.")
@click.option("--category", "categories", multiple=True, help="What comes through this lane.")
@click.option("--broadcasts", is_flag=True, help="Also what is for no recipient in particular.")
@click.option("--all-recipients", is_flag=True, help="Every customer's messages: for an archive.")
@click.option(
    "--confirm", metavar="LINK", help="Confirm it, by the link in AWS's mail, or its token."
)
@targets.stage_option
@targets.json_option
def command(
    topic: str,
    protocol: str,
    endpoint: str,
    event_types: tuple[str, ...],
    locales: tuple[str, ...],
    recipients: tuple[str, ...],
    categories: tuple[str, ...],
    broadcasts: bool,
    all_recipients: bool,
    confirm: str | None,
    stage: str | None,
    as_json: bool,
) -> None:
    """Subscribe ENDPOINT to TOPIC: email, sms, https, http, sqs, lambda or application.

    The options are a filter and can be repeated: what one option allows in several values is let
    through for any of them, and different options must all be met.

    A topic marked `personal` in routing.toml needs to know whose messages to send: --recipient (with
    --broadcasts also what is for everybody), --broadcasts alone, or, for the shop's own archive,
    --all-recipients.

    SNS asks whoever has an address whether they want to hear of it. Who follows the link in that mail can be
    unsubscribed later by anybody who has one of the mails. So copy the link instead, and confirm with it:
    then it takes AWS credentials to unsubscribe.

    \b
    ./heraldo subscribe company email ana@shop.example --event-type 'order.*'
    ./heraldo subscribe users sms +34600111222 --recipient cus-7 --locale es --broadcasts
    ./heraldo subscribe users sqs arn:aws:sqs:eu-west-1:123456789012:archive --all-recipients
    ./heraldo subscribe company email ana@shop.example --confirm 'https://sns.…&Token=2336412f…'
    """
    target = account(stage, changes=True)
    declared = rules(target.stage)
    about = known_topic(topic, declared.topics)
    endpoint = endpoint.strip()
    if problem := PROTOCOLS[protocol](endpoint):
        raise click.BadParameter(f"{endpoint} {problem}", param_hint="ENDPOINT")
    if confirm is not None:
        if event_types or locales or recipients or categories or broadcasts or all_recipients:
            raise click.UsageError("--confirm goes with no filter: what it hears was said before.")
        _confirm(target, topic, endpoint, confirm, as_json)
        return
    if all_recipients and (recipients or broadcasts):
        raise click.UsageError("--all-recipients goes with neither --recipient nor --broadcasts.")
    if about.personal and not (recipients or broadcasts or all_recipients):
        raise click.UsageError(
            f"The topic {topic} is personal: without --recipient, {endpoint} would get every"
            " customer's messages. Say --recipient ID for one customer's, --broadcasts for what is"
            " for everybody, or --all-recipients if this is the shop's own archive."
        )
    with _unfit():
        wanted = audience.policy(
            event_types, locales, recipients, categories, broadcasts, declared.lanes
        )
    with aws_errors(target), _unfit():
        arn = arn_of(topic, topic_arns(target), target.stage)
        there = subscriptions(target, {topic: arn})
        known = [s for s in there if (s.protocol, s.endpoint) == (protocol, endpoint) and s.arn]
        if known:
            _say_known(known[0], wanted, as_json)
            return
        if wanted and sum(bool(each.policy) for each in there) >= MOST_POLICIES:
            raise click.ClickException(audience.too_many(topic))
        put_down(target, "subscribe", f"{topic} {protocol}")
        found = audience.subscribe(target.client("sns"), topic, arn, protocol, endpoint, wanted)
    if as_json:
        print(json.dumps(found.shown(), ensure_ascii=False))
        return
    _say(found, all_recipients and about.personal)


def _confirm(target: Target, topic: str, endpoint: str, text: str, as_json: bool) -> None:
    """Confirm what waits for it."""
    with aws_errors(target), _unfit():
        arn = arn_of(topic, topic_arns(target), target.stage)
        token = audience.token_of(text, arn)
        put_down(target, "subscribe", f"{topic}: confirmed")
        found = audience.confirm(target.client("sns"), topic, arn, token)
    if as_json:
        print(json.dumps(found.shown(), ensure_ascii=False))
    else:
        hears = in_words(found.policy) or "everything"
        click.secho(f"{found.endpoint} hears {topic} from now on: {hears}", fg="green")
        click.echo("It takes AWS credentials to end it: the link in its mails does not.")
    if found.endpoint != endpoint:
        raise click.ClickException(
            f"The link was of {found.endpoint}, not of {endpoint}, which still waits."
        )


@contextmanager
def _unfit() -> Iterator[None]:
    """Tell what cannot be heard by the option that asks for it."""
    try:
        yield
    except Unfit as error:
        if error.field == "topic":
            raise click.ClickException(error.problem) from None
        if error.field == "filter":
            raise click.UsageError(error.problem) from None
        option = f"--{error.field.replace('_', '-')}"
        raise click.BadParameter(error.problem, param_hint=option) from None


def _say_known(known: Subscription, wanted: Mapping[str, Any], as_json: bool) -> None:
    """Subscribed already: fine if it hears the same, and an error if it does not."""
    if dict(known.policy) != dict(wanted):
        hears = in_words(known.policy) or "everything"
        raise click.ClickException(
            f"{known.endpoint} hears {known.topic} already, with another filter: {hears}."
            f" End that first: ./heraldo unsubscribe {known.arn}"
        )
    if as_json:
        print(json.dumps(known.shown(), ensure_ascii=False))
    else:
        click.echo(f"{known.endpoint} hears {known.topic} already, and just so.")


def _say(found: Subscription, archive: bool) -> None:
    hears = in_words(found.policy) or "everything"
    click.secho(f"{found.endpoint} is subscribed to {found.topic}: {hears}", fg="green")
    if found.arn:
        click.echo(found.arn)
    if archive:
        text = (
            "It gets the personal messages of every customer: only the shop itself may read there."
        )
        click.secho(text, fg="yellow", err=True)
    if found.pending:
        text = (
            "It is pending until its owner confirms: SNS has sent a link there, good for 48 hours."
        )
        if found.protocol == "email":
            text += (
                " Confirmed by that link, anybody who has a mail can end it; confirmed by"
                f" ./heraldo subscribe {found.topic} email {found.endpoint} --confirm LINK, nobody can."
            )
        click.secho(text, fg="yellow", err=True)
    if found.protocol == "sqs":
        click.echo("The queue's own policy must let SNS send to it (sqs:SendMessage).", err=True)
    if found.protocol == "lambda":
        click.echo("The function must let SNS invoke it (lambda:AddPermission).", err=True)
