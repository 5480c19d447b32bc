"""Who hears a topic: its subscriptions and their filters, and what SNS takes of both."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import field
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from botocore.exceptions import ClientError

from chalicelib.errors import HeraldoError
from chalicelib.regex import regex
from chalicelib.spelling import did_you_mean
from chalicelib.values import dataclass
from chalicelib.words.render import templates

# https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html
# (of its five keys a policy here has four at most).
MOST_COMBINATIONS: Final = 150
MOST_POLICIES: Final = 200

_EMAIL: Final = regex(r"[^\s@<>(),;]+@[^\s@<>(),;]+\.[^\s@<>(),;.]+\Z")
_TOKEN: Final = regex(r"[0-9A-Za-z]{16,1024}\Z")
# Both are said of tokens: https://docs.aws.amazon.com/sns/latest/api/API_ConfirmSubscription.html#API_ConfirmSubscription_Errors
_NO_TOKEN: Final = frozenset(("InvalidParameter", "InvalidParameterException", "NotFound"))
_E164: Final = regex(r"\+[1-9]\d{6,14}\Z")


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
    form = regex(rf"arn:aws[a-z-]*:{service}:[a-z0-9-]+:\d{{12}}:.+\Z")

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
# What SNS lists in the place of an ARN. An unconfirmed subscription ends by itself after 48 hours:
# https://aws.amazon.com/about-aws/whats-new/2023/05/amazon-sns-automatic-deletion-unconfirmed-subscriptions/
_NO_ARN: Final = frozenset(("PendingConfirmation", "Deleted"))


class Unfit(HeraldoError):
    """What somebody wants to hear cannot be: `field` says what of it, `filter` all together, `topic` that it has room for no more."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(problem)
        self.field = field
        self.problem = problem


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


def listed(sns: Any, arn: str, after: str = "") -> tuple[list[Mapping[str, str]], str]:
    """A hundred subscriptions of a topic as SNS lists them, without filters, and where the next begin.

    Raises
    ------
    BotoCoreError, ClientError : SNS does not say.
    """
    answer = sns.list_subscriptions_by_topic(
        TopicArn=arn, **({"NextToken": after} if after else {})
    )
    return list(answer["Subscriptions"]), answer.get("NextToken", "")


def told(sns: Any, topic: str, found: Mapping[str, str]) -> Subscription:
    """A subscription that SNS lists, with its filter.

    Raises
    ------
    BotoCoreError, ClientError : SNS does not say.
    """
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
    Unfit : a value that no message ever has, or more combinations than SNS takes.
    """
    for name in event_types:
        if problem := type_problem(name):
            raise Unfit("event_type", problem)
    written = sorted({tag for name in templates().types for tag in templates().locales(name)})
    _one_of("locale", locales, written, "messages are written in")
    _one_of("category", categories, tuple(lanes), "the lanes are")
    if "" in recipients:
        raise Unfit("recipient", "must be a customer's id")
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
        raise Unfit(
            "filter",
            f"This filter has {combinations} combinations ({sizes}), and SNS takes"
            f" {MOST_COMBINATIONS}: leave some out, or use 'order.*' for several types.",
        )
    return found


def _one_of(field: str, values: Sequence[str], known: Sequence[str], what: str) -> None:
    for value in values:
        if value not in known:
            near = did_you_mean(value, known) or f"; {what} {', '.join(known)}"
            raise Unfit(field, f"nothing has {value!r}{near}")


def subscribe(
    sns: Any, topic: str, arn: str, protocol: str, endpoint: str, wanted: Mapping[str, list[Any]]
) -> Subscription:
    """Let an endpoint hear a topic, as far as the filter lets through.

    Raises
    ------
    Unfit : SNS takes no further filter of this topic.
    BotoCoreError, ClientError : it is not subscribed, or nobody knows.
    """
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
            raise Unfit("topic", too_many(topic)) from None
        raise
    given = answer["SubscriptionArn"]
    if not given.startswith("arn:"):  # "pending confirmation"
        return Subscription(topic, protocol, endpoint, pending=True, policy=wanted)
    got = sns.get_subscription_attributes(SubscriptionArn=given)["Attributes"]
    pending = str(got.get("PendingConfirmation", "false")).lower() == "true"
    return Subscription(topic, protocol, endpoint, given, pending, wanted)


def confirm(sns: Any, topic: str, arn: str, token: str) -> Subscription:
    """Confirm a subscription by the token that SNS sent to its endpoint, so that nobody can end it without AWS
    credentials: https://docs.aws.amazon.com/sns/latest/api/API_ConfirmSubscription.html

    Raises
    ------
    Unfit : SNS does not know the token, or not any more.
    BotoCoreError, ClientError : it is not confirmed, or nobody knows.
    """
    try:
        answer = sns.confirm_subscription(
            TopicArn=arn, Token=token, AuthenticateOnUnsubscribe="true"
        )
    except ClientError as error:
        if error.response.get("Error", {}).get("Code", "") in _NO_TOKEN:
            raise Unfit("confirm", "is no token of this topic, or is older than two days") from None
        raise
    got = sns.get_subscription_attributes(SubscriptionArn=answer["SubscriptionArn"])["Attributes"]
    given = {"SubscriptionArn": answer["SubscriptionArn"], **got}
    return told(sns, topic, given)


def token_of(text: str, arn: str) -> str:
    """The token in what AWS's mail has, the link or the token itself, for the topic of this ARN.

    Raises
    ------
    Unfit : it is neither, or the link of another topic.
    """
    token, of = text.strip(), arn
    if "://" in token:
        query = parse_qs(urlsplit(token).query)
        token, of = (query.get(name, [""])[0] for name in ("Token", "TopicArn"))
    if not _TOKEN.match(token):
        raise Unfit(
            "confirm", "is neither the link in AWS's mail, Confirm subscription, nor a token"
        )
    if of != arn:
        raise Unfit("confirm", f"is the link of another topic: {of or 'of none'}")
    return token


def type_problem(name: str) -> str:
    """What is wrong with an event type, or with the start of some that ends in `*`; or nothing."""
    known = templates().types
    if not name.endswith("*"):
        near = did_you_mean(name, known) or f"; known are {', '.join(known)}"
        return "" if name in known else f"there is no event type {name!r}{near}"
    if name == "*":
        return "'*' is every event type: leave the option out"
    if any(event_type.startswith(name[:-1]) for event_type in known):
        return ""
    starts = list(dict.fromkeys(f"{event_type.split('.')[0]}.*" for event_type in known))
    return f"no event type starts with {name[:-1]!r}{did_you_mean(name, starts)}"


def too_many(topic: str) -> str:
    return (
        f"The topic {topic} has {MOST_POLICIES} subscriptions with a filter, the most that SNS takes."
        " Ask AWS for a higher quota, or send to one queue that fans out further."
    )
