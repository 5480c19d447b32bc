"""`./heraldo subscribe`: let somebody hear a topic, all of it or what a filter lets through."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import click
from botocore.exceptions import ClientError

from chalicelib.spelling import did_you_mean
from chalicelib.words.render import templates
from cli import target as targets
from cli.account import account, aws_errors, rules, type_problem
from cli.audience import (
    Subscription,
    arn_of,
    in_words,
    known_topic,
    subscriptions,
    topic_arns,
)

# https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html
# (of its five keys a policy here has four at most).
MOST_COMBINATIONS: Final = 150
MOST_POLICIES: Final = 200

_EMAIL: Final = re.compile(r"[^\s@<>(),;]+@[^\s@<>(),;]+\.[^\s@<>(),;.]+\Z")
_E164: Final = re.compile(r"\+[1-9]\d{6,14}\Z")


def _email(endpoint: str) -> str:
    return "" if _EMAIL.match(endpoint) else "is not an e-mail address, such as ana@shop.example"


def _sms(endpoint: str) -> str:
    if _E164.match(endpoint):
        return ""
    plain = re.sub(r"^00", "+", re.sub(r"[\s().-]", "", endpoint))
    hint = f"; did you mean {plain}" if _E164.match(plain) else ", such as +34600111222"
    return f"is not a number in E.164 form: + and country code, digits only{hint}"


def _url(scheme: str) -> Callable[[str], str]:
    def problem(endpoint: str) -> str:
        parts = urlsplit(endpoint)
        if parts.scheme in ("http", "https") and parts.scheme != scheme:
            return f"is an {parts.scheme} URL: use the protocol {parts.scheme}"
        if parts.scheme != scheme or not parts.hostname:
            return f"is not a URL, such as {scheme}://shop.example/notices"
        return ""

    return problem


def _arn(service: str, example: str) -> Callable[[str], str]:
    form = re.compile(rf"arn:aws[a-z-]*:{service}:[a-z0-9-]+:\d{{12}}:.+\Z")

    def problem(endpoint: str) -> str:
        if not form.match(endpoint):
            return f"is not an ARN, such as {example}"
        if service == "sns" and ":endpoint/" not in endpoint:
            return f"is not a platform endpoint's ARN, such as {example}"
        if service == "sqs" and endpoint.endswith(".fifo"):
            return "is a FIFO queue, to which a standard topic cannot deliver: use a standard one"
        return ""

    return problem


# https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html
PROTOCOLS: Final[Mapping[str, Callable[[str], str]]] = {
    "email": _email,
    "sms": _sms,
    "https": _url("https"),
    "http": _url("http"),
    "sqs": _arn("sqs", "arn:aws:sqs:eu-west-1:123456789012:archive"),
    "lambda": _arn("lambda", "arn:aws:lambda:eu-west-1:123456789012:function:archive"),
    "application": _arn("sns", "arn:aws:sns:eu-west-1:123456789012:endpoint/GCM/shop/5e3e9847"),
}


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
    stage: str | None,
    as_json: bool,
) -> None:
    """Subscribe ENDPOINT to TOPIC: email, sms, https, http, sqs, lambda or application.

    The options are a filter and can be repeated: what one option allows in several values is let
    through for any of them, and different options must all be met.

    A topic marked `personal` in routing.toml needs to know whose messages to send: --recipient (with
    --broadcasts also what is for everybody), --broadcasts alone, or, for the shop's own archive,
    --all-recipients.

    \b
    ./heraldo subscribe company email ana@shop.example --event-type 'order.*'
    ./heraldo subscribe users sms +34600111222 --recipient cus-7 --locale es --broadcasts
    ./heraldo subscribe users sqs arn:aws:sqs:eu-west-1:123456789012:archive --all-recipients
    """
    target = account(stage, changes=True)
    declared = rules(target.stage)
    about = known_topic(topic, declared.topics)
    endpoint = endpoint.strip()
    if problem := PROTOCOLS[protocol](endpoint):
        raise click.BadParameter(f"{endpoint} {problem}", param_hint="ENDPOINT")
    if all_recipients and (recipients or broadcasts):
        raise click.UsageError("--all-recipients goes with neither --recipient nor --broadcasts.")
    if about.personal and not (recipients or broadcasts or all_recipients):
        raise click.UsageError(
            f"The topic {topic} is personal: without --recipient, {endpoint} would get every"
            " customer's messages. Say --recipient ID for one customer's, --broadcasts for what is"
            " for everybody, or --all-recipients if this is the shop's own archive."
        )
    wanted = policy(event_types, locales, recipients, categories, broadcasts, declared.lanes)
    with aws_errors(target):
        arn = arn_of(topic, topic_arns(target), target.stage)
        there = subscriptions(target, {topic: arn})
        known = [s for s in there if (s.protocol, s.endpoint) == (protocol, endpoint) and s.arn]
        if known:
            _say_known(known[0], wanted, as_json)
            return
        if wanted and sum(bool(each.policy) for each in there) >= MOST_POLICIES:
            raise click.ClickException(_too_many(topic))
        found = _subscribe(target.client("sns"), topic, arn, protocol, endpoint, wanted)
    if as_json:
        print(json.dumps(found.shown(), ensure_ascii=False))
        return
    _say(found, all_recipients and about.personal)


def policy(
    event_types: Sequence[str],
    locales: Sequence[str],
    recipients: Sequence[str],
    categories: Sequence[str],
    broadcasts: bool,
    lanes: Collection[str],
) -> dict[str, list[Any]]:
    """The filter policy over the message attributes; empty where everything is let through.

    Raises
    ------
    click.BadParameter : a value that no message ever has, or more combinations than SNS takes.
    """
    for name in event_types:
        if problem := type_problem(name):
            raise click.BadParameter(problem, param_hint="--event-type")
    written = sorted({tag for name in templates().types for tag in templates().locales(name)})
    _one_of("--locale", locales, written, "messages are written in")
    _one_of("--category", categories, tuple(lanes), "the lanes are")
    if "" in recipients:
        raise click.BadParameter("must be a customer's id", param_hint="--recipient")
    types = [{"prefix": n[:-1]} if n.endswith("*") else n for n in dict.fromkeys(event_types)]
    # https://docs.aws.amazon.com/sns/latest/dg/attribute-key-matching.html
    everybody: list[Any] = [{"exists": False}] if broadcasts else []
    found: dict[str, list[Any]] = {
        "event_type": types,
        "locale": list(dict.fromkeys(locales)),
        "recipient": [*dict.fromkeys(recipients), *everybody],
        "category": list(dict.fromkeys(categories)),
    }
    found = {name: values for name, values in found.items() if values}
    combinations = math.prod(map(len, found.values()))
    if combinations > MOST_COMBINATIONS:
        sizes = " times ".join(f"{len(values)} of {name}" for name, values in found.items())
        raise click.UsageError(
            f"This filter has {combinations} combinations ({sizes}), and SNS takes"
            f" {MOST_COMBINATIONS}: leave some out, or use 'order.*' for several types."
        )
    return found


def _one_of(option: str, values: Sequence[str], known: Sequence[str], what: str) -> None:
    for value in values:
        if value not in known:
            near = did_you_mean(value, known) or f"; {what} {', '.join(known)}"
            raise click.BadParameter(f"nothing has {value!r}{near}", param_hint=option)


def _subscribe(
    sns: Any, topic: str, arn: str, protocol: str, endpoint: str, wanted: dict[str, list[Any]]
) -> Subscription:
    attributes = {}
    if wanted:
        text = json.dumps(wanted, ensure_ascii=False)
        attributes = {"FilterPolicyScope": "MessageAttributes", "FilterPolicy": text}
    try:
        answer = sns.subscribe(
            TopicArn=arn,
            Protocol=protocol,
            Endpoint=endpoint,
            Attributes=attributes,
            ReturnSubscriptionArn=True,
        )
    except ClientError as error:
        if "FilterPolicyLimitExceeded" in error.response.get("Error", {}).get("Code", ""):
            raise click.ClickException(_too_many(topic)) from None
        raise
    given = answer["SubscriptionArn"]
    if not given.startswith("arn:"):  # "pending confirmation"
        return Subscription(topic, protocol, endpoint, pending=True, policy=wanted)
    got = sns.get_subscription_attributes(SubscriptionArn=given)["Attributes"]
    pending = str(got.get("PendingConfirmation", "false")).lower() == "true"
    return Subscription(topic, protocol, endpoint, given, pending, wanted)


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
        click.secho(text, fg="yellow", err=True)
    if found.protocol == "sqs":
        click.echo("The queue's own policy must let SNS send to it (sqs:SendMessage).", err=True)
    if found.protocol == "lambda":
        click.echo("The function must let SNS invoke it (lambda:AddPermission).", err=True)


def _too_many(topic: str) -> str:
    return (
        f"The topic {topic} has {MOST_POLICIES} subscriptions with a filter, the most that SNS takes."
        " Ask AWS for a higher quota, or send to one queue that fans out further."
    )
