"""The audit log on moto: what is put down is found, the newest first, across months, for 400 days."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest
from click.testing import CliRunner

from chalicelib import aws
from chalicelib.letters import letters
from chalicelib.store import audit, secrets
from cli.main import main
from tests.factories import sample
from tests.integration.aws_fixture import Stage
from tests.integration.console_browser import Browser, key
from tests.integration.test_console import MARKUP


def put_down(*moments: str) -> None:
    for at in moments:
        item = audit.item("ana", "cancel", at, datetime.fromisoformat(at))
        aws.stage().dynamodb.put_item(TableName="heraldo-local-holds", Item=item)


def test_entries_are_read_newest_first_a_page_at_a_time_across_months(stage: Stage) -> None:
    days = ("2026-01-31T23:59:59+00:00", "2026-02-01T00:00:00+00:00", "2026-06-15T12:00:00+00:00")
    put_down(*days)
    first = audit.newest(aws.stage(), 2, "2026-12-31T12:00:00.000Z/")
    assert [entry.subject for entry in first.found] == [days[2], days[1]]
    rest = audit.newest(aws.stage(), 2, first.before)
    assert [entry.subject for entry in rest.found] == [days[0]]
    assert rest.before == ""


def test_entries_of_one_moment_are_all_kept(stage: Stage) -> None:
    put_down(*["2026-06-15T12:00:00+00:00"] * 3)
    assert len(audit.newest(aws.stage(), 9, "2026-06-15T12:00:01.000Z/").found) == 3


def test_an_entry_is_kept_for_400_days_and_reached_to_the_last(stage: Stage) -> None:
    began = datetime.fromisoformat("2026-03-01T00:00:00+00:00")
    put_down(began.isoformat())
    [item] = stage.dynamodb.scan(TableName="heraldo-local-holds")["Items"]
    until = began + timedelta(days=400)
    assert item["expires"]["N"] == str(int(until.timestamp()))
    assert audit.newest(aws.stage(), 1, until.isoformat()).found


@pytest.fixture
def admin(stage: Stage) -> Browser:
    browser = Browser()
    assert browser.post("sign-in", key=key(stage, "admin"))["status"] == 200
    return browser


def test_the_page_is_for_admins_and_says_who_did_what(stage: Stage, admin: Browser) -> None:
    assert "Nobody has changed anything yet" in admin.get("audit")["body"]
    audit.write(aws.stage(), "ana", "cancel", "e-1")
    audit.write(aws.stage(), "of a later version", "who-knows", MARKUP)
    body = admin.get("audit")["body"]
    assert '<a href="event?id=e-1">Cancelled an event</a>' in body
    assert "who-knows" in body
    assert body.count("<script") == 1
    assert "<img" not in body
    reader = Browser()
    reader.post("sign-in", key=key(stage, "read"))
    assert 'href="audit"' not in reader.get("activity")["body"]
    assert reader.get("audit")["status"] == 403


@pytest.mark.parametrize("before", ["x", MARKUP, "2026-02-31T10:00:00.000Z/00000000", ""])
def test_a_place_that_is_none_shows_the_newest(stage: Stage, admin: Browser, before: str) -> None:
    audit.write(aws.stage(), "ana", "cancel", "e-1")
    assert "e-1" in admin.ask("GET", "audit?before=" + before)["body"]


@pytest.mark.parametrize(
    ("command", "what", "subject"),
    [
        ("keys create --name shop --scope send --scope read", "key-create", "shop: send read"),
        ("keys revoke ana --yes", "key-revoke", "ana"),
        ("keys rotate --yes", "secret-rotate", ""),
        ("keys rotate --forget-old --yes", "secret-rotate", "all before"),
        ("subscribe company email ana@example.com", "subscribe", "company email"),
        ("dead-letters redrive --type order.shipped --yes", "redrive", "type=order.shipped"),
        ("dead-letters redrive --yes", "redrive", "*"),
        ("recipients erase c-1 --yes", "person-erase", "{c-1}"),
        ("recipients lift ana@example.com", "address-lift", "{ana@example.com}"),
    ],
)
def test_a_command_puts_down_who_did_what_and_no_customer(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, command: str, what: str, subject: str
) -> None:
    monkeypatch.setattr(letters, "WAIT_SECONDS", 0)  # moto's empty answers are never a mistake
    key(stage)
    event = {
        "type": "order.shipped",
        "id": "e-1",
        "source": "/s",
        "data": sample("order.shipped")["data"],
    }
    stage.sqs.send_message(
        QueueUrl=stage.queue_url("heraldo-local-orders-dead.fifo"),
        MessageBody=json.dumps(event),
        MessageGroupId="g",
        MessageDeduplicationId="1",
    )
    CliRunner().invoke(main, command.split())
    [entry] = audit.newest(aws.stage(), 9).found
    person = subject.startswith("{")
    meant = secrets.of(aws.stage()).hash_of(subject[1:-1]) if person else subject
    assert (entry.what, entry.subject) == (what, meant)
    assert entry.who == "user/moto"


def test_an_unsubscription_is_put_down_without_whose_it_was(stage: Stage) -> None:
    arn = stage.topic_arn("company")
    [found] = stage.sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
    CliRunner().invoke(main, ["unsubscribe", found["SubscriptionArn"], "--yes"])
    [entry] = audit.newest(aws.stage(), 9).found
    assert (entry.what, entry.subject) == ("unsubscribe", "company sqs")
