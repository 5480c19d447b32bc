"""Who hears a topic: subscriptions with their filters; and letting somebody hear one, or no longer.

Where they get it is somebody's address: it is shown whole to keys with the scope admin alone, as whose messages
are let through is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from chalicelib import aws
from chalicelib.channels import audience
from chalicelib.channels.audience import PROTOCOLS, Subscription, Unfit
from chalicelib.console.visit import Page, Redirect, Sorry, Visit, link
from chalicelib.regex import regex
from chalicelib.rules.reading import routing
from chalicelib.rules.routing import Topic
from chalicelib.side_by_side import side_by_side
from chalicelib.store import audit
from chalicelib.values import dataclass
from chalicelib.words.render import templates

ADMIN: Final = "admin"
FIELDS: Final = ("protocol", "endpoint", "event_type", "locale", "whose", "recipient")
# Whose messages are let through: everybody's, what is for nobody in particular, or one customer's.
WHOSE: Final = ("broadcasts", "one", "one-and-broadcasts", "all")
# What has no recipient.
_NONE: Final = {"exists": False}
_AT_ONCE: Final = 8
_GONE: Final = ("NotFound", "NotFoundException")
_TOKEN: Final = regex(r"[\x21-\x7e]{1,2000}\Z")


@dataclass(frozen=True, slots=True)
class Row:
    """A topic in the list; its numbers are None where it is not deployed."""

    topic: Topic
    confirmed: str | None
    pending: str | None


@dataclass(frozen=True, slots=True)
class Heard:
    """A subscription as a visitor may see it; `arn` only where they may end it."""

    protocol: str
    endpoint: str
    pending: bool
    hears: tuple[tuple[str, str], ...]
    arn: str


def topics(visit: Visit) -> Page:
    found = side_by_side(
        lambda topic: _row(visit, topic), routing(visit.stage.name).topics.values(), _AT_ONCE
    )
    return Page("topics", {"section": "topics", "rows": found})


def topic(visit: Visit) -> Page:
    return _page(visit, visit.query.get("name", ""))


def subscribe(visit: Visit) -> Page | Redirect:
    """Let somebody hear a topic, as far as a filter lets through."""
    name, asked = visit.form.get("topic", ""), _asked(visit.form)
    about, arn = _topic(visit, name)
    problems: dict[str, str] = {}
    problem = PROTOCOLS.get(asked["protocol"])
    if problem is None:
        problems["protocol"] = visit.say("bad_protocol")
    elif problem(asked["endpoint"]):
        problems["endpoint"] = visit.say(f"bad.{asked['protocol']}")
    if about.personal and asked["whose"] not in WHOSE:
        problems["whose"] = visit.say("bad_whose")
    if asked["whose"].startswith("one") and not asked["recipient"]:
        problems["recipient"] = visit.say("bad_recipient")
    wanted: dict[str, list[Any]] = {}
    if not problems:
        try:
            wanted = _filter(visit, asked)
        except Unfit as error:
            problems[error.field] = error.problem
    if problems:
        return _page(visit, name, asked, problems)
    audit.write(visit.stage, visit.key.name, "subscribe", name)
    try:
        made = audience.subscribe(
            visit.stage.sns, name, arn, asked["protocol"], asked["endpoint"], wanted
        )
    except Unfit as error:
        return _page(visit, name, asked, {"endpoint": error.problem})
    except ClientError as error:
        # It is there, and with another filter; or SNS does not take this endpoint.
        if aws.code_of(error) not in ("InvalidParameter", "InvalidParameterException"):
            raise
        return _page(visit, name, asked, {"endpoint": visit.say("refused")})
    return Redirect(link("topic", name=name, done="pending" if made.pending else "added"))


def unsubscribe(visit: Visit) -> Redirect:
    """End a subscription of one of the stage's own topics."""
    name, arn = visit.form.get("topic", ""), visit.form.get("arn", "")
    _, topic_arn = _topic(visit, name)
    if not arn.startswith(f"{topic_arn}:"):  # of another topic, or of nothing
        raise Sorry(404, "gone_subscription")
    audit.write(visit.stage, visit.key.name, "unsubscribe", name)
    try:
        visit.patience.ask(lambda: visit.stage.sns.unsubscribe(SubscriptionArn=arn))
    except ClientError as error:
        if aws.code_of(error) not in _GONE:
            raise
    return Redirect(link("topic", name=name, done="removed"))


def _page(
    visit: Visit,
    name: str,
    asked: Mapping[str, str] | None = None,
    problems: Mapping[str, str] | None = None,
) -> Page:
    about, arn = _topic(visit, name)
    after = visit.query.get("after", "")
    after = after if _TOKEN.match(after) else ""
    sns = visit.stage.sns
    try:
        listed, further = visit.patience.ask(lambda: audience.listed(sns, arn, after))
    except ClientError as error:
        if aws.code_of(error) in _GONE:
            raise Sorry(404, "not_deployed") from None
        raise
    may = visit.key.may(ADMIN)

    def told(one: Mapping[str, str]) -> Heard:
        found = visit.patience.for_another().ask(lambda: audience.told(sns, name, one))
        return _heard(visit, found, may)

    done = visit.query.get("done", "")
    locales = sorted({tag for of in templates().types for tag in templates().locales(of)})
    return Page(
        "topic",
        {
            "section": "topics",
            "topic": about,
            "rows": side_by_side(told, listed, _AT_ONCE),
            "after": after,
            "further": link("topic", name=name, after=further) if further else "",
            "may": may,
            "asked": asked or _asked({}),
            "problems": problems or {},
            "done": done if done in ("added", "pending", "removed") else "",
            "protocols": list(PROTOCOLS),
            "types": [*_starts(), *templates().types],
            "locales": locales,
            "whose": WHOSE,
        },
        422 if problems else 200,
    )


def _row(visit: Visit, about: Topic) -> Row:
    arn = visit.stage.topic_arn(about.name)
    try:
        told = visit.patience.for_another().ask(
            lambda: visit.stage.sns.get_topic_attributes(TopicArn=arn)
        )["Attributes"]
    except ClientError as error:
        if aws.code_of(error) in _GONE:
            return Row(about, None, None)
        raise
    return Row(
        about, told.get("SubscriptionsConfirmed", "0"), told.get("SubscriptionsPending", "0")
    )


def _topic(visit: Visit, name: str) -> tuple[Topic, str]:
    about = routing(visit.stage.name).topics.get(name)
    if about is None:
        raise Sorry(404, "gone_topic")
    return about, visit.stage.topic_arn(name)


def _asked(form: Mapping[str, str]) -> dict[str, str]:
    return {name: form.get(name, "").strip() for name in FIELDS}


def _filter(visit: Visit, asked: Mapping[str, str]) -> dict[str, list[Any]]:
    """The filter that a form asks for.

    Raises
    ------
    Unfit : there is no such event type or locale.
    """

    def given(name: str) -> list[str]:
        return [asked[name]] if asked[name] else []

    one = asked["whose"] in ("one", "one-and-broadcasts")
    lanes = routing(visit.stage.name).lanes
    return audience.policy(
        given("event_type"),
        given("locale"),
        given("recipient") if one else [],
        [],
        asked["whose"] in ("broadcasts", "one-and-broadcasts"),
        lanes,
    )


def _starts() -> list[str]:
    """`order.*` and the like, where there are several that start so."""
    first = [name.partition(".")[0] for name in templates().types]
    return [f"{name}.*" for name in dict.fromkeys(first) if first.count(name) > 1]


def _heard(visit: Visit, found: Subscription, may: bool) -> Heard:
    policy = dict(found.policy)
    if not may and (named := [v for v in policy.get("recipient", ()) if isinstance(v, str)]):
        others = [v for v in policy["recipient"] if not isinstance(v, str)]
        policy["recipient"] = [visit.say("some_recipients", n=len(named)), *others]
    if "recipient" in policy:
        everybody = visit.say("for_everybody")
        policy["recipient"] = [everybody if v == _NONE else v for v in policy["recipient"]]
    hears = tuple(
        (name, audience.in_words({"": values}).strip()) for name, values in policy.items()
    )
    shown = found if may else replace(found, endpoint=masked(found.protocol, found.endpoint))
    return Heard(found.protocol, shown.endpoint, found.pending, hears, found.arn if may else "")


def masked(protocol: str, endpoint: str) -> str:
    """An endpoint as those may see it who do not look after it: enough to tell it from others."""
    if protocol.startswith("email"):
        name, _, domain = endpoint.rpartition("@")
        return f"{name[:1]}…@{domain}"
    if protocol == "sms":
        return f"{endpoint[:3]}…{endpoint[-2:]}"
    if protocol in ("http", "https"):
        return f"{protocol}://{urlsplit(endpoint).hostname}/…"
    service, _, last = endpoint.rpartition(":")
    return f"…{last}" if protocol in ("sqs", "lambda") and service else "…"
