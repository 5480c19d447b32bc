"""./heraldo subscribe --confirm: by the link in AWS's mail, so that nobody else can end it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import pytest
from click.testing import CliRunner, Result

from chalicelib import names
from cli.commands import subscribe
from tests.factories import ACCOUNT
from tests.unit.cli.account import STAGE, Account

TOPIC = f"arn:aws:sns:eu-west-1:{ACCOUNT}:{names.topic(STAGE, 'company')}"
MINE = f"{TOPIC}:0123abcd"
TOKEN = "2336412f37fb687f5d51e6e241d09c805a5a57b30d712f794cc5f6a988666d92768dd60a"
LINK = (
    "https://sns.eu-west-1.amazonaws.com/confirmation.html?TopicArn="
    f"{quote(TOPIC)}&Token={TOKEN}&Endpoint=ana@shop.example"
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What SNS was asked to confirm; and an account that has the topic."""
    found: dict[str, Any] = {}

    def confirmed(params: Mapping[str, Any]) -> Any:
        found.update(params["body"])
        return found.get("refusal") or {"SubscriptionArn": MINE}

    answers: dict[str, Any] = {
        "ListTopics": {"Topics": [{"TopicArn": TOPIC}]},
        "ConfirmSubscription": confirmed,
        "GetSubscriptionAttributes": {
            "Attributes": {"Protocol": "email", "Endpoint": "ana@shop.example"}
        },
    }
    account = Account(answers)
    monkeypatch.setattr(subscribe, "account", lambda *_, **__: account)
    monkeypatch.setattr(subscribe, "put_down", lambda *told: found.update(told=told[1:]))
    return found


def confirm(link: str, *more: str, address: str = "ana@shop.example") -> Result:
    words = ["company", "email", address, "--confirm", link, *more]
    return CliRunner().invoke(subscribe.command, words)


@pytest.mark.parametrize("link", [LINK, f" {LINK}\n", TOKEN])
def test_a_link_or_its_token_confirms_so_that_nobody_else_can_end_it(
    asked: dict[str, Any], link: str
) -> None:
    done = confirm(link)
    assert done.exit_code == 0, done.output
    assert "ana@shop.example hears company from now on: everything" in done.output
    assert (asked["Token"], asked["TopicArn"]) == (TOKEN, TOPIC)
    assert asked["AuthenticateOnUnsubscribe"] == "true"
    assert asked["told"] == ("subscribe", "company: confirmed")


@pytest.mark.parametrize(
    ("link", "problem"),
    [
        ("https://sns.eu-west-1.amazonaws.com/", "neither the link in AWS's mail"),
        ("yes", "neither the link in AWS's mail"),
        (LINK.replace("company", "alerts"), "is the link of another topic: arn:aws:sns:"),
        (f"https://x.example/?Token={TOKEN}", "is the link of another topic: of none"),
    ],
)
def test_what_is_no_link_of_the_topic_is_refused_before_sns_is_asked(
    asked: dict[str, Any], link: str, problem: str
) -> None:
    done = confirm(link)
    assert done.exit_code == 2
    assert problem in " ".join(done.output.split())
    assert asked == {}


def test_a_token_that_is_over_is_told_so(asked: dict[str, Any]) -> None:
    asked["refusal"] = "InvalidParameter"
    done = confirm(LINK)
    assert done.exit_code == 2
    assert "older than two days" in " ".join(done.output.split())


def test_somebody_elses_link_is_told(asked: dict[str, Any]) -> None:
    done = confirm(LINK, address="eva@shop.example")
    assert asked["Token"] == TOKEN
    assert done.exit_code == 1
    assert "was of ana@shop.example, not of eva@shop.example, which still waits" in done.output


def test_it_goes_with_no_filter(asked: dict[str, Any]) -> None:
    done = confirm(LINK, "--event-type", "order.*")
    assert done.exit_code == 2
    assert "goes with no filter" in done.output
    assert asked == {}
