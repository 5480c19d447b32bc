"""Who hears what: the topics of a stage and their subscriptions, as SNS has them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

import click

from chalicelib import names
from chalicelib.rules.routing import Topic
from chalicelib.spelling import did_you_mean
from cli.target import Target

# What SNS lists in the place of an ARN. An unconfirmed subscription ends by itself after 48 hours:
# https://aws.amazon.com/about-aws/whats-new/2023/05/amazon-sns-automatic-deletion-unconfirmed-subscriptions/
_NO_ARN: Final = frozenset(("PendingConfirmation", "Deleted"))
_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class Subscription:
    """One subscription. `arn` is empty while its owner has not confirmed it and SNS hides it."""

    topic: str
    protocol: str
    endpoint: str
    arn: str = ""
    pending: bool = False
    policy: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The last part of the ARN, which tells subscriptions apart."""
        return self.arn.rsplit(":", 1)[-1]

    def shown(self) -> dict[str, Any]:
        return {
            "topic": self.topic,
            "protocol": self.protocol,
            "endpoint": self.endpoint,
            "arn": self.arn or None,
            "status": "pending" if self.pending else "confirmed",
            "filter": dict(self.policy),
        }


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
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(lambda pair: _subscription(sns, *pair), listed))


def _subscription(sns: Any, topic: str, found: Mapping[str, str]) -> Subscription:
    arn, protocol, endpoint = found["SubscriptionArn"], found["Protocol"], found["Endpoint"]
    if arn in _NO_ARN or not arn.startswith("arn:"):
        return Subscription(topic, protocol, endpoint, pending=True)
    got = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    pending = str(got.get("PendingConfirmation", "false")).lower() == "true"
    policy = json.loads(got.get("FilterPolicy") or "{}")
    return Subscription(topic, protocol, endpoint, arn, pending, policy)


def in_words(policy: Mapping[str, Sequence[Any]]) -> str:
    """A filter policy as a person reads it: `event_type order.*; recipient cus-7`."""
    return "; ".join(
        f"{name} {', '.join(map(_value_in_words, values))}" for name, values in policy.items()
    )


def _value_in_words(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and "prefix" in value:
        return f"{value['prefix']}*"
    if value == {"exists": False}:
        return "none in particular"
    return json.dumps(value, ensure_ascii=False)
