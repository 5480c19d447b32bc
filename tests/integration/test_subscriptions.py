"""./heraldo subscribe, subscriptions and unsubscribe on moto: who hears what."""

from __future__ import annotations

import json
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from cli import target as targets
from cli.commands import subscribe, subscriptions, unsubscribe
from tests.factories import ACCOUNT, REGION, sample, shipped
from tests.integration.aws_fixture import Stage
from tests.integration.test_dispatch import run

ANA = f"arn:aws:sqs:{REGION}:{ACCOUNT}:inbox-ana"


@pytest.fixture
def stage(stage: Stage) -> Stage:
    stage.sqs.create_queue(QueueName="inbox-ana")
    return stage


def heraldo(command: click.Command, *arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == code, (result.output, result.exception)
    return result


def words(result: Result) -> str:
    return " ".join(result.output.split())


def listed(*arguments: str) -> list[dict[str, Any]]:
    """The subscriptions but the fixture's own."""
    result = heraldo(subscriptions.command, *arguments, "--json")
    found: list[dict[str, Any]] = json.loads(result.stdout)["subscriptions"]
    own = f":{ACCOUNT}:inbox-"
    return [s for s in found if own not in s["endpoint"] or s["endpoint"] == ANA]


def test_a_filter_is_written_for_the_user(stage: Stage) -> None:
    heraldo(
        subscribe.command,
        *("users", "sqs", ANA, "--recipient", "cus-7", "--recipient", "cus-8"),
        *("--event-type", "order.*", "--event-type", "payment.failed"),
        *("--locale", "es", "--category", "orders", "--broadcasts"),
    )
    [found] = listed("users")
    assert found["filter"] == {
        "event_type": [{"prefix": "order."}, "payment.failed"],
        "locale": ["es"],
        "recipient": ["cus-7", "cus-8", {"exists": False}],
        "category": ["orders"],
    }
    got = stage.sns.get_subscription_attributes(SubscriptionArn=found["arn"])["Attributes"]
    assert got["FilterPolicyScope"] == "MessageAttributes"
    text = heraldo(subscriptions.command, "users").output
    assert (
        "event_type order.*, payment.failed; locale es; recipient cus-7, cus-8, none in particular"
        in text
    )


# moto does not know a value and {"exists": false} in one list, which the AWS documentation has:
# https://docs.aws.amazon.com/sns/latest/dg/string-value-matching.html
@pytest.mark.parametrize(
    ("options", "heard"),
    [
        (["--recipient", "cus-1"], ["order.shipped"]),
        (["--recipient", "cus-2"], []),
        (["--broadcasts"], ["offer.published"]),
        (["--broadcasts", "--event-type", "order.*"], []),
        (["--all-recipients"], ["order.shipped", "offer.published"]),
    ],
)
def test_one_hears_what_the_filter_says_and_never_another_customers_messages(
    stage: Stage, options: list[str], heard: list[str]
) -> None:
    heraldo(subscribe.command, "users", "sqs", ANA, *options)
    stage.send(shipped(1), dedup="1")
    run(stage)
    offer = {k: v for k, v in sample("offer.published").items() if k != "recipient"}
    stage.send({**offer, "id": "o", "source": "/s"}, lane="promotions", dedup="o")
    run(stage, "promotions")
    delivered = stage.delivered("ana")
    assert [d["MessageAttributes"]["event_type"]["Value"] for d in delivered] == heard


def test_a_personal_topic_refuses_a_subscriber_who_does_not_say_whose_messages(
    stage: Stage,
) -> None:
    refused = heraldo(
        subscribe.command, "users", "email", "ana@shop.example", "--locale", "es", code=2
    )
    assert "every customer's messages" in words(refused)
    assert "--all-recipients" in words(refused)
    assert listed() == []


def test_all_recipients_says_what_it_means(stage: Stage) -> None:
    result = heraldo(subscribe.command, "users", "sqs", ANA, "--all-recipients")
    assert "personal messages of every customer" in result.stderr
    assert "must let SNS send to it" in result.stderr
    both = ("users", "sqs", ANA, "--all-recipients", "--recipient", "c")
    heraldo(subscribe.command, *both, code=2)


def test_a_topic_that_is_not_personal_needs_no_recipient(stage: Stage) -> None:
    result = heraldo(subscribe.command, "company", "email", "ana@shop.example")
    assert "ana@shop.example is subscribed to company: everything" in result.output
    [found] = listed("company")
    assert (found["protocol"], found["filter"]) == ("email", {})


@pytest.mark.parametrize(
    ("protocol", "endpoint", "problem"),
    [
        ("email", "ana", "is not an e-mail address"),
        ("email", "ana@shop", "is not an e-mail address"),
        ("email", "ana@shop.example, eva@shop.example", "is not an e-mail address"),
        ("sms", "600111222", "E.164"),
        ("sms", "+34 600-111-222", "did you mean +34600111222"),
        ("sms", "0034600111222", "did you mean +34600111222"),
        ("https", "http://shop.example", "use the protocol http"),
        ("http", "https://shop.example", "use the protocol https"),
        ("https", "shop.example/notices", "is not a URL"),
        ("sqs", "archive", "is not an ARN"),
        ("sqs", "arn:aws:lambda:eu-west-1:123456789012:function:f", "is not an ARN"),
        ("sqs", "arn:aws:sqs:eu-west-1:123456789012:archive.fifo", "is a FIFO queue"),
        ("lambda", "arn:aws:lambda:eu-west-1:1234:function:f", "is not an ARN"),
        ("application", "arn:aws:sns:eu-west-1:123456789012:users", "platform endpoint"),
        ("fax", "+34600111222", "'fax' is not one of"),
    ],
)
def test_a_wrong_endpoint_is_refused_with_the_remedy(
    stage: Stage, protocol: str, endpoint: str, problem: str
) -> None:
    assert problem in words(heraldo(subscribe.command, "company", protocol, endpoint, code=2))
    assert listed() == []


@pytest.mark.parametrize(
    ("protocol", "endpoint"),
    [
        ("sms", "+34600111222"),
        ("https", "https://shop.example/notices?for=us"),
        ("http", "http://shop.example:8080"),
        ("lambda", "arn:aws:lambda:eu-west-1:123456789012:function:archive"),
    ],
)
def test_every_protocol_has_its_endpoint(stage: Stage, protocol: str, endpoint: str) -> None:
    heraldo(subscribe.command, "company", protocol, endpoint)
    assert [(s["protocol"], s["endpoint"]) for s in listed()] == [(protocol, endpoint)]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--event-type", "order.shiped"], "did you mean order.shipped"),
        (["--event-type", "ordr.*"], "did you mean order.*"),
        (["--event-type", "*"], "leave the option out"),
        (["--locale", "es-AR"], "did you mean es"),
        (["--locale", "zz"], "messages are written in en, es"),
        (["--category", "order"], "did you mean orders"),
        (["--recipient", ""], "a customer's id"),
        ([o for n in range(151) for o in ("--recipient", f"c{n}")], "151 combinations"),
        (
            [o for n in range(51) for o in ("--recipient", f"c{n}")]
            + [o for t in ("order.*", "cart.*", "offer.*") for o in ("--event-type", t)],
            "153 combinations (3 of event_type times 51 of recipient)",
        ),
    ],
)
def test_a_filter_that_could_not_work_is_refused(
    stage: Stage, options: list[str], problem: str
) -> None:
    refused = heraldo(subscribe.command, "company", "email", "a@b.example", *options, code=2)
    assert problem in words(refused)
    assert listed() == []


def test_an_unknown_topic_is_named_with_the_nearest(stage: Stage) -> None:
    refused = heraldo(subscribe.command, "user", "email", "a@b.example", code=2)
    assert "did you mean users" in words(refused)


def test_a_topic_takes_two_hundred_filters_and_says_so_at_the_next(stage: Stage) -> None:
    for n in range(200):
        stage.sns.subscribe(
            TopicArn=stage.topic_arn("company"),
            Protocol="email",
            Endpoint=f"e{n}@shop.example",
            Attributes={"FilterPolicy": '{"locale": ["es"]}'},
        )
    refused = heraldo(
        subscribe.command, "company", "email", "a@b.example", "--locale", "es", code=1
    )
    assert "the most that SNS takes" in refused.output
    heraldo(subscribe.command, "company", "email", "a@b.example")


def test_subscribing_again_is_fine_with_the_same_filter_and_refused_with_another(
    stage: Stage,
) -> None:
    again = ("users", "sqs", ANA, "--recipient", "cus-7")
    heraldo(subscribe.command, *again)
    assert "already, and just so" in heraldo(subscribe.command, *again).output
    refused = heraldo(subscribe.command, "users", "sqs", ANA, "--recipient", "cus-8", code=1)
    assert "already, with another filter: recipient cus-7" in words(refused)
    [found] = listed()
    assert found["filter"] == {"recipient": ["cus-7"]}


def test_a_pending_confirmation_is_shown(stage: Stage) -> None:
    heraldo(subscribe.command, "company", "https", "https://shop.example")
    events = targets._session(targets.target(None)).events

    def unconfirmed(parsed: dict[str, Any], **_: Any) -> None:
        for found in parsed["Subscriptions"]:
            if found["Protocol"] == "https":
                found["SubscriptionArn"] = "PendingConfirmation"

    events.register("after-call.sns.ListSubscriptionsByTopic", unconfirmed)
    [found] = listed()
    assert (found["status"], found["arn"]) == ("pending", None)
    result = heraldo(subscriptions.command)
    assert "waits for its confirmation" in result.output
    assert "1 subscription is not confirmed yet" in result.stderr


@pytest.mark.parametrize("by", ["arn", "id"])
def test_a_subscription_ends_by_its_arn_or_the_start_of_its_id(stage: Stage, by: str) -> None:
    heraldo(subscribe.command, "company", "email", "ana@shop.example")
    [found] = listed()
    wanted = found["arn"] if by == "arn" else found["arn"].rsplit(":", 1)[1][:8]
    assert "no longer hears company" in heraldo(unsubscribe.command, wanted).output
    assert listed() == []


def test_a_subscription_that_is_not_there_is_not_ended(stage: Stage) -> None:
    refused = heraldo(unsubscribe.command, "00000000-nope", code=1)
    assert "There is no subscription 00000000-nope" in refused.output
