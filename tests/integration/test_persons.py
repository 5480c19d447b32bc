"""Events to their own recipients, on moto: whom they reach, why not, and that a plan says the same.

moto sends no e-mails in bulk, so what goes out here are text messages and pushes.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chalice.test import Client
from click.testing import CliRunner

from chalicelib import aws
from chalicelib.lanes.dispatch import Redeliver, dispatch
from chalicelib.patience import Patience
from chalicelib.rules import reading
from chalicelib.store import register
from cli.main import main
from tests.factories import customers_hear_by, sample
from tests.integration.aws_fixture import Stage
from tests.integration.test_api import add_key, post
from tests.patience import PATIENCE

KEY, TEST_KEY = "hk_persons-key-of-the-integration-tests", "hk_test-key-of-the-persons-tests"
NUMBER = "+34600111222"


@pytest.fixture
def reached_by(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """The shipped rules, but that customers hear by another destination."""

    def use(destination: str) -> None:
        text = (Path(reading.__file__).parents[1] / "routing.toml").read_text("utf-8")
        file = tmp_path / "own.toml"
        file.write_text(customers_hear_by(destination, text), "utf-8")
        monkeypatch.setattr(reading, "FILE", file)
        reading.routing.cache_clear()

    return use


@pytest.fixture
def door(stage: Stage) -> Iterator[Client]:
    import app

    add_key(stage, KEY, "shop", "send read")
    add_key(stage, TEST_KEY, "shop-test", "send read", test={"BOOL": True}, source={"S": "shop"})
    with Client(app.app, stage_name="local") as client:
        yield client


def event(number: int = 1, **more: Any) -> dict[str, Any]:
    found = {"type": "order.placed", "id": f"e-{number}", "recipient": "c-1"}
    return {**found, "data": sample("order.placed")["data"], **more}


def keep(**said: Any) -> None:
    options = [
        part for name, value in said.items() for part in (f"--{name.replace('_', '-')}", value)
    ]
    result = CliRunner().invoke(main, ["recipients", "set", "c-1", *options])
    assert result.exit_code == 0, result.output


def run(stage: Stage) -> None:
    dispatch(aws.stage(), stage.receive(), "orders", lambda: 30_000)


def planned(door: Client, raw: dict[str, Any]) -> dict[str, Any]:
    answer = post(door, raw, "/events?dry_run=true", KEY)
    assert answer.status_code == 200, answer.body
    return dict(answer.json_body)


def test_a_plan_shows_a_mail_with_its_foot_and_gives_nobody_anothers_link(
    door: Client,
    stage: Stage,
    reached_by: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever may send may look at a mail to anybody, and may not choose for them."""
    reached_by("recipient:email")
    keep(email="ana@example.com", locale="en")
    monkeypatch.setenv("HERALDO_API_URL", "https://events.example")
    links = re.findall(
        r"https://events\.example/\S+?(?=[\s\"<>]|\Z)", json.dumps(planned(door, event()))
    )
    assert {link.split("\\u2026")[0] for link in links} == {"https://events.example/p/"}


def advertise(file: Path) -> None:
    file.write_text(file.read_text("utf-8") + '[types."order.placed"]\ncategory = "promotions"\n')
    reading.routing.cache_clear()


def test_a_plan_says_that_advertising_waits_where_nobody_could_stop_it(
    door: Client, stage: Stage, reached_by: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    reached_by("recipient:email")
    advertise(reading.FILE)
    keep(email="ana@example.com")
    [without] = planned(door, event())["messages"]
    assert without["headers"]["List-Unsubscribe"] == "<>"
    assert "no api_url" in " ".join(planned(door, event())["warnings"])
    monkeypatch.setenv("HERALDO_API_URL", "https://events.example")
    found = planned(door, event())
    assert found["messages"][0]["headers"] == {
        "List-Unsubscribe": "<https://events.example/u/…>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    assert "no api_url" not in " ".join(found["warnings"])


REASONS: dict[str, tuple[dict[str, str], str]] = {
    "nobody knows them": ({}, "no-contact"),
    "no number": ({"locale": "es"}, "no-contact"),
    "opted out": ({"phone": NUMBER, "not": "orders.sms"}, "opted-out"),
}


@pytest.mark.parametrize("name", REASONS)
def test_why_somebody_is_not_told_stands_in_plan_ledger_and_status(
    door: Client, stage: Stage, reached_by: Callable[[str], None], name: str
) -> None:
    reached_by("recipient:sms")
    said, reason = REASONS[name]
    if said:
        keep(**said)
    assert planned(door, event())["withheld"] == {"recipient:sms": reason}
    assert post(door, event(), secret=KEY).status_code == 202
    run(stage)
    found = stage.ledger("e-1")
    assert (found["status"], found["reason"]) == ("suppressed", reason)
    assert found["withheld"] == {"recipient:sms": reason}


def test_a_plan_speaks_of_the_recipient_as_they_are_and_shows_no_address(
    door: Client, stage: Stage, reached_by: Callable[[str], None]
) -> None:
    reached_by("recipient:sms")
    keep(phone=NUMBER, locale="en")
    found = planned(door, event())
    [message] = found["messages"]
    assert (message["destination"], message["locale"]) == ("recipient:sms", "en")
    assert NUMBER not in json.dumps(found)
    calls = list(stage.calls)
    planned(door, event())
    assert stage.calls[len(calls) :].count("BatchGetItem") == 1


def test_what_a_test_key_sent_reaches_nobody(
    door: Client, stage: Stage, reached_by: Callable[[str], None]
) -> None:
    reached_by("recipient:sms")
    keep(phone=NUMBER)
    assert post(door, event(), secret=TEST_KEY).status_code == 202
    run(stage)
    assert stage.ledger("e-1")["status"] == "test"


def test_a_text_message_reaches_the_recipient_once(
    door: Client, stage: Stage, reached_by: Callable[[str], None]
) -> None:
    reached_by("recipient:sms")
    keep(phone=NUMBER)
    post(door, event(), secret=KEY)
    records = stage.receive()
    for _ in range(2):
        dispatch(aws.stage(), records, "orders", lambda: 30_000)
    assert stage.calls.count("Publish") == 1
    assert list(stage.ledger("e-1")["messages"]) == ["recipient:sms"]


def endpoint(stage: Stage) -> str:
    app = stage.sns.create_platform_application(Name="shop", Platform="GCM", Attributes={})
    made = stage.sns.create_platform_endpoint(
        PlatformApplicationArn=app["PlatformApplicationArn"], Token="t"
    )
    return str(made["EndpointArn"])


def test_a_device_whose_app_is_gone_is_taken_off_the_person_and_tried_no_more(
    door: Client, stage: Stage, reached_by: Callable[[str], None]
) -> None:
    reached_by("recipient:push|sms")
    arn = endpoint(stage)
    keep(push=arn, phone=NUMBER)
    stage.sns.set_endpoint_attributes(EndpointArn=arn, Attributes={"Enabled": "false"})
    post(door, event(1), secret=KEY)
    stage.calls.clear()
    with pytest.raises(Redeliver):  # by the next channel, on its next try
        run(stage)
    person = register.find(aws.stage(), "c-1", Patience(5)).person
    assert person is not None
    assert (person.push, person.phone, person.version) == ((), NUMBER, 2)
    post(door, event(2), secret=KEY)
    deadline = time.monotonic() + PATIENCE
    while stage.ledger("e-2")["status"] != "published":  # the first is back in a second
        assert time.monotonic() < deadline
        run(stage)
    assert [list(stage.ledger(e)["messages"]) for e in ("e-1", "e-2")] == [["recipient:sms"]] * 2
    assert stage.calls.count("UpdateItem") == 1


def test_a_push_reaches_the_device_in_the_words_that_google_wants(
    door: Client, stage: Stage, reached_by: Callable[[str], None]
) -> None:
    reached_by("recipient:push")
    keep(push=endpoint(stage))
    post(door, event(), secret=KEY)
    run(stage)
    found = stage.ledger("e-1")
    assert found["status"] == "published"
    assert list(found["outcomes"].values()) == ["none"]
