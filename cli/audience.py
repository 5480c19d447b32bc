"""Who hears what: the topics of a stage and their subscriptions, as SNS has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import click

from chalicelib import names
from chalicelib.channels import audience
from chalicelib.channels.audience import Subscription
from chalicelib.rules.routing import Topic
from chalicelib.side_by_side import side_by_side
from chalicelib.spelling import did_you_mean
from cli.target import Target

_AT_ONCE: Final = 8


def topic_arns(target: Target) -> dict[str, str]:
    """The ARN of each of the stage's topics that is deployed, by its short name."""
    prefix = names.topic(target.stage, "")
    arns: dict[str, str] = {}
    for page in target.client("sns").get_paginator("list_topics").paginate():
        for topic in page["Topics"]:
            name = topic["TopicArn"].rsplit(":", 1)[1]
            if name.startswith(prefix):
                arns[name.removeprefix(prefix)] = topic["TopicArn"]
    return arns


def known_topic(name: str, topics: Mapping[str, Topic]) -> Topic:
    """The topic of that name in routing.toml.

    Raises
    ------
    click.BadParameter : there is none; names the nearest.
    """
    if name not in topics:
        near = did_you_mean(name, list(topics)) or f"; the topics are {', '.join(topics)}"
        raise click.BadParameter(f"there is no topic {name!r}{near}", param_hint="TOPIC")
    return topics[name]


def arn_of(name: str, arns: Mapping[str, str], stage: str) -> str:
    """The ARN of a topic of routing.toml, which may not be deployed yet."""
    if name not in arns:
        raise click.ClickException(
            f"The topic {names.topic(stage, name)} is not deployed in this account and region."
        )
    return arns[name]


def subscriptions(target: Target, arns: Mapping[str, str]) -> list[Subscription]:
    """Every subscription of these topics, with its filter policy."""
    sns = target.client("sns")
    listed: list[tuple[str, Mapping[str, str]]] = []
    pager = sns.get_paginator("list_subscriptions_by_topic")
    for topic, arn in arns.items():
        for page in pager.paginate(TopicArn=arn):
            listed += [(topic, found) for found in page["Subscriptions"]]
    return side_by_side(lambda pair: audience.told(sns, *pair), listed, _AT_ONCE)
