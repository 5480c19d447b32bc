"""What the console shows of words, rules, journeys, holds and topics, on moto."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from chalicelib import aws, names
from chalicelib.console import rulebook
from chalicelib.console.words import WORDS
from chalicelib.door import api, http
from chalicelib.journeys import running
from chalicelib.journeys.running import Stop
from chalicelib.rules.reading import routing
from chalicelib.store import audit, waiting
from chalicelib.words.render import templates
from cli.lint.finding import Finding
from cli.stack.emulator import client
from tests.factories import sample, shipped
from tests.integration.aws_fixture import Stage
from tests.integration.test_console import MARKUP, Browser, ana, key

__all__ = ["ana"]


@pytest.fixture(autouse=True)
def customers_are_a_topic() -> None:
    """Here they are not: what is shown is what ships."""


@pytest.fixture
def admin(stage: Stage) -> Browser:
    browser = Browser()
    browser.post("sign-in", key=key(stage, "admin"))
    return browser


def post(stage: Stage, **event: Any) -> str:
    door = http.Request(
        headers={"authorization": f"Bearer {key(stage, 'admin')}"},
        body=json.dumps(event).encode(),
        stage=aws.stage(),
    )
    return str(api.post_event(door).body["id"])


def mains(browser: Browser, to: str) -> str:
    """What a page shows between its header and its end."""
    body = str(browser.get(to)["body"])
    return body[body.index("<main") : body.index("</main>")]


# -- words -----------------------------------------------------------------------------------------


def test_every_event_type_is_listed_and_has_a_page_in_every_language(ana: Browser) -> None:
    listed = mains(ana, "types")
    for name in templates().types:
        assert f'href="type?name={name}"' in listed
        for words in templates().words(name):
            answer = ana.get(f"type?name={name}&words={words}")
            assert answer["status"] == 200
            assert f'src="type-mail?name={name}&amp;words={words}"' in answer["body"], name
            assert len(answer["body"]) < 100_000
    print(listed[2200:3500])
    assert re.search(r"cart\.offer</a>.*?by push or else text message", listed, re.DOTALL)


def test_a_type_says_what_it_says_in_the_words_that_are_chosen(ana: Browser) -> None:
    event = sample("order.shipped")
    for words in ("es", "en"):
        shown = mains(ana, f"type?name=order.shipped&words={words}")
        assert "parts to pay for: 1." in shown
        assert event["data"]["order"]["id"] in shown
        assert f'aria-current="true">{words}</a>' in shown
    spanish = Browser(ana.cookies, "es")
    assert 'aria-current="true">es</a>' in mains(spanish, "type?name=order.shipped")


def test_a_type_says_who_gets_it_and_why_in_the_rules_order(ana: Browser) -> None:
    shown = mains(ana, "type?name=order.placed")
    there = re.findall(r"<h3>([\w-]+)</h3>", shown)
    assert there == [rule.name for rule in routing().rules if rule.name in there], "in their order"
    assert {"customers", "large-orders"} <= set(there)
    assert "unpaid-orders" not in there
    assert "data.order.total is &gt;= 500" in shown
    assert "The company hears of every order worth a phone call." in shown
    assert "its sample does not meet it" in shown


def test_a_type_says_what_data_it_takes(ana: Browser) -> None:
    shown = " ".join(mains(ana, "type?name=order.placed").split())
    row = re.search(r'path">order\.items\[\]\.price</th>(.*?)</tr>', shown)
    assert row
    assert ">an amount<" in row[1]
    assert ">yes<" in row[1]


def test_a_mail_stands_in_a_frame_that_may_do_nothing(ana: Browser) -> None:
    answer = ana.get("type-mail?name=order.placed&words=en")
    policy = answer["headers"]["Content-Security-Policy"]
    assert "sandbox;" in policy
    assert "script-src" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'self'" in policy
    assert answer["headers"]["X-Frame-Options"] == "SAMEORIGIN"
    assert "<html" in answer["body"]
    assert "sandbox loading" in mains(ana, "type?name=order.placed")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("type?name=none", "We do not know this event type"),
        ("type?name=..", "We do not know this event type"),
        ("type", "We do not know this event type"),
        ("type-mail?name=none", "We do not know this event type"),
        ("journey?name=none", "We do not know this journey"),
        ("topic?name=receipts", "We do not know this topic"),
        (f"type?{urlencode({'name': MARKUP})}", "We do not know this event type"),
        (f"topic?{urlencode({'name': MARKUP})}", "We do not know this topic"),
    ],
)
def test_what_is_not_there_is_told(ana: Browser, path: str, said: str) -> None:
    answer = ana.get(path)
    assert (answer["status"], said in answer["body"]) == (404, True)
    assert answer["body"].count("<script") == 1


def test_a_key_for_some_types_sees_the_words_of_those(stage: Stage) -> None:
    browser = Browser()
    browser.post("sign-in", key=key(stage, "read", "cart.*"))
    assert "order.placed" not in mains(browser, "types")
    assert "cart.offer" in mains(browser, "types")
    for path in ("type", "type-mail"):
        assert browser.get(f"{path}?name=order.placed")["status"] == 404
    post(stage, **shipped(1, deliverat=tomorrow()))
    assert "Nothing is held" in mains(browser, "held")


def test_what_lint_found_stands_with_the_rules(
    ana: Browser, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "findings.json"
    monkeypatch.setattr(rulebook, "_FINDINGS", file)
    assert "It is not known" in mains(ana, "rules")
    file.write_text("[]", "utf-8")
    assert "Nothing: it found no mistake" in mains(ana, "rules")
    one = Finding("warning", "templates/x/es.j2", 3, 1, "a-code", f"is {MARKUP}", "mend it")
    file.write_text(json.dumps([asdict(one)]), "utf-8")
    shown = mains(ana, "rules")
    assert "templates/x/es.j2:3 · a-code" in shown
    assert MARKUP not in shown


# -- rules -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "type is &#34;order.placed&#34; and data.order.total is &gt;= 500"),
        ("es", "type es &#34;order.placed&#34; y data.order.total es &gt;= 500"),
    ],
)
def test_the_rules_are_told_in_their_readers_language(
    ana: Browser, language: str, said: str
) -> None:
    ana.language = language
    shown = mains(ana, "rules")
    assert said in shown
    for rule in routing().rules:
        assert f'<li id="{rule.name}">' in shown
    for name in (*routing().lanes, *routing().topics, *routing().categories):
        assert name in shown


# -- what is under way -------------------------------------------------------------------------------


def tomorrow() -> str:
    return (datetime.now(UTC) + timedelta(days=1)).isoformat()


def test_what_is_held_is_listed_by_when_it_goes_out_and_for_nobody(
    stage: Stage, ana: Browser
) -> None:
    now = datetime.now(UTC)
    for hours in (30, 10, 20):
        at = (now + timedelta(hours=hours)).isoformat()
        event = shipped(hours, recipient="cus-secret", deliverat=at, partitionkey="cus-secret")
        post(stage, **{**event, "id": f"in-{hours}"})
    body = mains(ana, "held")
    assert re.findall(r'class="id">(in-\d+)<', body) == ["in-10", "in-20", "in-30"]
    assert WORDS["en"]["why.deliverat"] in body
    assert "cus-secret" not in body
    found, last = waiting.soonest(aws.stage(), 2)
    assert [hold.event_id for hold in found] == ["in-10", "in-20"]
    assert not any(hold.event or hold.recipient for hold in found)
    assert [h.event_id for h in waiting.soonest(aws.stage(), 2, last)[0]] == ["in-30"]
    assert "in-30" in mains(ana, f"held?{urlencode({'after': last})}")
    assert "in-10" not in mains(ana, f"held?{urlencode({'after': last})}")
    assert "in-10" in mains(ana, f"held?{urlencode({'after': MARKUP})}")


def test_what_went_out_or_was_cancelled_is_held_no_more(stage: Stage, ana: Browser) -> None:
    assert "Nothing is held" in mains(ana, "held")
    event_id = post(stage, **shipped(1, deliverat=tomorrow()))
    assert event_id in mains(ana, "held")
    door = http.Request({"authorization": f"Bearer {key(stage, 'admin')}"}, b"", aws.stage())
    assert api.delete_event(door, event_id).status == 200
    assert "Nothing is held" in mains(ana, "held")


def test_journeys_say_how_many_runs_are_under_way_and_where_each_stands(
    stage: Stage, ana: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 2):
        told = {"run": f"r{number}", "key": "cus-secret", "started": "2026-11-25T10:00:00.000Z"}
        told |= {"event": {"id": f"e-{number}", "source": "/shop", "type": "cart.abandoned"}}  # type: ignore[dict-item]
        arn = running.machine_arn(aws.stage(), "abandoned-cart")
        stage.states.start_execution(stateMachineArn=arn, name=f"r{number}", input=json.dumps(told))
    # moto walks no definition; which event of a history counts, the next test says.
    stands = {"r1": Stop(datetime(2026, 11, 25, 10, tzinfo=UTC), "WaitAnHour"), "r2": None}
    monkeypatch.setattr(running, "stands", lambda _, arn: stands[arn.rpartition(":")[2]])
    listed = " ".join(mains(ana, "journeys").split())
    assert re.search(r"abandoned-cart</a>.*?2 <span class=\"soft\">under way", listed)
    assert "a-cart-is-left" in listed
    shown = mains(ana, "journey?name=abandoned-cart")
    assert "A cart is left: a reminder after an hour" in shown
    assert '<g class="standing">' in shown
    assert "sends cart.reminder" in shown
    assert "waits 1h" in shown
    assert "<b>WaitAnHour</b>" in shown
    assert "<b>at its very beginning</b>" in shown
    assert 'href="event?id=e-1&amp;source=%2Fshop"' in shown
    assert "cus-secret" not in shown
    assert " style=" not in shown
    assert "<style" not in shown
    ana.language = "es"
    assert "envía cart.reminder" in mains(ana, "journey?name=abandoned-cart")


def test_a_run_stands_where_it_last_came_to() -> None:
    at = datetime(2026, 11, 25, 10, tzinfo=UTC)
    events = [
        {"type": "TaskScheduled", "timestamp": at},
        {
            "type": "TaskStateEntered",
            "timestamp": at,
            "stateEnteredEventDetails": {"name": "Remind"},
        },
        {
            "type": "WaitStateEntered",
            "timestamp": at - timedelta(hours=1),
            "stateEnteredEventDetails": {"name": "WaitAnHour"},
        },
    ]

    class States:
        def get_execution_history(self, **asked: Any) -> dict[str, Any]:
            assert asked["reverseOrder"] is True
            return {"events": events}

    from chalicelib.stage import Stage as Handle

    handle = Handle("local", lambda _: States())
    assert running.stands(handle, "arn") == Stop(at, "Remind")
    events.clear()
    assert running.stands(handle, "arn") is None


def test_a_journey_that_is_not_deployed_says_so(stage: Stage, ana: Browser) -> None:
    arn = running.machine_arn(aws.stage(), "unpaid-order")
    stage.states.delete_state_machine(stateMachineArn=arn)
    assert "not deployed" in mains(ana, "journeys")
    answer = ana.get("journey?name=unpaid-order")
    assert (answer["status"], "It is not deployed yet" in answer["body"]) == (404, True)


# -- topics ----------------------------------------------------------------------------------------


def subscribed(stage: Stage, topic: str) -> list[dict[str, Any]]:
    arn = stage.topic_arn(topic)
    found = stage.sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
    return [one for one in found if not one["Endpoint"].endswith(f":inbox-{topic}")]


def test_a_subscription_is_added_shown_and_removed_and_the_log_says_by_whom(
    stage: Stage, admin: Browser
) -> None:
    form = {"topic": "company", "protocol": "email", "endpoint": " eva@shop.example "}
    form |= {"event_type": "order.*", "locale": "es", "token": admin.token()}
    shown = admin.post("subscribe", **form)
    assert admin.path.startswith("topic?name=company&done=")
    assert "eva@shop.example" in shown["body"]
    assert "type order.*; " in " ".join(shown["body"].split())
    [found] = subscribed(stage, "company")
    assert found["Endpoint"] == "eva@shop.example"
    got = stage.sns.get_subscription_attributes(SubscriptionArn=found["SubscriptionArn"])
    assert json.loads(got["Attributes"]["FilterPolicy"]) == {
        "event_type": [{"prefix": "order."}],
        "locale": ["es"],
    }
    shown = admin.post(
        "unsubscribe", topic="company", arn=found["SubscriptionArn"], token=admin.token()
    )
    assert "The subscription was removed." in shown["body"]
    assert subscribed(stage, "company") == []
    entries = audit.newest(aws.stage(), 10).found
    assert [(e.who, e.what, e.subject) for e in entries] == [
        ("ana", "unsubscribe", "company"),
        ("ana", "subscribe", "company"),
    ]


@pytest.mark.parametrize(
    ("topic", "form", "field", "said"),
    [
        ("company", {"endpoint": "eva"}, "endpoint", "This is no e-mail address"),
        ("company", {"protocol": "sms", "endpoint": "600"}, "endpoint", "This is no number"),
        ("company", {"protocol": "https", "endpoint": "http://x.example"}, "endpoint", "https://"),
        ("company", {"protocol": "fax"}, "protocol", "Choose by what"),
        ("company", {"event_type": "none.such"}, "event_type", "no event type"),
        ("company", {"locale": "xx"}, "locale", "nothing has"),
        ("users", {}, "whose", "say whose"),
        ("users", {"whose": "everybody"}, "whose", "say whose"),
        ("users", {"whose": "one"}, "recipient", "Write the id of the customer"),
    ],
)
def test_what_cannot_be_subscribed_says_so_where_it_is_and_keeps_what_was_typed(
    stage: Stage, admin: Browser, topic: str, form: dict[str, str], field: str, said: str
) -> None:
    whole = {"topic": topic, "protocol": "email", "endpoint": "eva@shop.example", **form}
    answer = admin.post("subscribe", **whole, token=admin.token())
    assert answer["status"] == 422
    body = answer["body"]
    problem = re.search(rf'id="{field}-problem">(.*?)</span>', body)
    assert problem
    assert said in problem[1]
    assert f'name="{field}"' in body
    assert body.count('aria-invalid="true"') == 1
    assert f'value="{whole["endpoint"]}"' in body
    assert subscribed(stage, topic) == []
    assert not audit.newest(aws.stage(), 10).found


@pytest.mark.parametrize(
    ("whose", "recipients"),
    [
        ("one", ["cus-7"]),
        ("one-and-broadcasts", ["cus-7", {"exists": False}]),
        ("broadcasts", [{"exists": False}]),
        ("all", None),
    ],
)
def test_a_personal_topic_lets_through_whose_messages_were_chosen(
    stage: Stage, admin: Browser, whose: str, recipients: list[Any] | None
) -> None:
    form = {"topic": "users", "protocol": "sqs", "whose": whose, "recipient": "cus-7"}
    form["endpoint"] = stage.topic_arn("x").replace(":sns:", ":sqs:").rpartition(":")[0] + ":eva"
    stage.sqs.create_queue(QueueName="eva")
    admin.post("subscribe", **form, token=admin.token())
    [found] = subscribed(stage, "users")
    got = stage.sns.get_subscription_attributes(SubscriptionArn=found["SubscriptionArn"])
    policy = json.loads(got["Attributes"].get("FilterPolicy", "{}"))
    assert policy.get("recipient") == recipients


def test_who_may_not_change_subscriptions_sees_no_address_and_no_form(
    stage: Stage, ana: Browser
) -> None:
    arn = stage.topic_arn("users")
    policy = json.dumps({"recipient": ["cus-secret", {"exists": False}], "locale": ["es"]})
    found = stage.sns.subscribe(
        TopicArn=arn,
        Protocol="email",
        Endpoint="eva@shop.example",
        Attributes={"FilterPolicy": policy},
        ReturnSubscriptionArn=True,
    )
    shown = mains(ana, "topic?name=users")
    assert "e…@shop.example" in shown
    for secret in ("eva@", "cus-secret", found["SubscriptionArn"], "<form"):
        assert secret not in shown
    assert "1 that admin alone sees, what is for everybody" in shown
    asked = {"topic": "users", "arn": found["SubscriptionArn"], "token": ana.token()}
    for path in ("unsubscribe", "subscribe"):
        assert ana.ask("POST", path, asked)["status"] == 403
    assert len(subscribed(stage, "users")) == 1


def test_nothing_is_ended_that_is_not_the_topics_own(stage: Stage, admin: Browser) -> None:
    other = stage.sns.create_topic(Name="another-app")["TopicArn"]
    found = stage.sns.subscribe(
        TopicArn=other, Protocol="email", Endpoint="eva@x.example", ReturnSubscriptionArn=True
    )["SubscriptionArn"]
    for arn in (found, "", stage.topic_arn("users"), f"{stage.topic_arn('users')}-2:x"):
        for topic in ("users", "another-app", "receipts"):
            form = {"topic": topic, "arn": arn, "token": admin.token()}
            assert admin.ask("POST", "unsubscribe", form)["status"] == 404
    assert len(stage.sns.list_subscriptions_by_topic(TopicArn=other)["Subscriptions"]) == 1
    assert not audit.newest(aws.stage(), 10).found


def test_topics_say_how_many_hear_them_and_which_are_not_there(stage: Stage, ana: Browser) -> None:
    stage.sns.delete_topic(TopicArn=stage.topic_arn("alerts"))
    shown = " ".join(mains(ana, "topics").split())
    assert re.search(r'company</a>.*?data-of="Confirmed">\d+<', shown)
    assert re.search(r"alerts</a>.*?not deployed", shown)
    assert ana.get("topic?name=alerts")["status"] == 404


def test_whatever_a_subscriber_typed_is_text(stage: Stage, admin: Browser) -> None:
    stage.sns.subscribe(
        TopicArn=stage.topic_arn("company"),
        Protocol="https",
        Endpoint=f"https://x.example/{MARKUP}",
        Attributes={"FilterPolicy": json.dumps({MARKUP: [MARKUP]})},
    )
    body = admin.get("topic?name=company")["body"]
    assert body.count("<script") == 1
    assert "<img" not in body
    form = {"topic": "company", "protocol": MARKUP, "endpoint": MARKUP, "locale": MARKUP}
    body = admin.post("subscribe", **form, token=admin.token())["body"]
    assert body.count("<script") == 1
    assert "<img" not in body


def test_a_service_that_does_not_answer_is_told(
    stage: Stage, ana: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.dynamodb.delete_table(TableName=names.table("local", "holds"))
    answer = ana.get("held")
    assert (answer["status"], "It cannot be read right now" in answer["body"]) == (503, True)


def test_where_aws_does_not_say_who_we_are_the_topics_page_says_so(
    stage: Stage, ana: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A topic's address has the account in it, which is asked for once."""
    monkeypatch.setattr(aws.stage(), "_place", None)
    monkeypatch.setattr(aws.stage(), "_topics", {})
    nobody = client("sts", "http://127.0.0.1:1", retries={"total_max_attempts": 1})
    monkeypatch.setitem(aws.stage()._clients, "sts", nobody)
    for path in ("topics", "topic?name=company"):
        assert ana.get(path)["status"] == 503


def test_a_rule_behind_the_last_is_not_reached(ana: Browser) -> None:
    shown = " ".join(mains(ana, "type?name=order.unpaid").split())
    reached = dict(re.findall(r'<h3>([\w-]+)</h3>.*?<span class="chip \w+">(.*?)</span>', shown))
    assert reached["unpaid-orders"] == "its sample meets it"
    assert reached["customers"] == "not reached: unpaid-orders is the last"
    row = re.search(r"order\.unpaid</a>.*?</tr>", mains(ana, "types"), re.DOTALL)
    assert row
    assert "those who follow company" in row[0]
    assert "the recipient" not in row[0]
