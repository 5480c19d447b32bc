"""The console's pages on moto, as its function is asked for them: who sees what, and nobody else."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from chalicelib import aws
from chalicelib.console import session, web
from chalicelib.door import api, http, keys
from chalicelib.door.console import asked
from chalicelib.patience import Patience
from chalicelib.plan.compose import event_tag
from chalicelib.store import ledger, secrets
from chalicelib.store.receipts import Receipt
from chalicelib.store.receipts import keep as keep_receipts
from chalicelib.store.record import Record, now_text
from tests.factories import shipped
from tests.integration.aws_fixture import Stage
from tests.integration.console_browser import Browser, key

MARKUP = """"><script>document.title='x'</script><img src=x onerror=alert(1)>{{7*7}}"""


@pytest.fixture
def ana(stage: Stage) -> Iterator[Browser]:
    """Somebody who is signed in with a key that may read."""
    browser = Browser()
    answer = browser.post("sign-in", key=key(stage))
    assert answer["status"] == 200, answer["body"]
    yield browser


def written(**more: Any) -> Record:
    record = Record("e-1", "/shop", type="order.shipped", lane="orders")
    record.enter("accepted", now_text())
    for name, value in more.items():
        setattr(record, name, value)
    record.enter(record.status, now_text())
    assert not ledger.write(aws.stage(), [record], 5)
    return record


def test_who_comes_is_asked_for_a_key_and_then_led_to_where_they_wanted_to_go(stage: Stage) -> None:
    written(status="published")
    browser = Browser()
    shown = browser.get("event?id=e-1&source=%2Fshop")
    assert "API key" in shown["body"]
    assert browser.path == "sign-in?to=event%3Fid%3De-1%26source%3D%252Fshop"
    shown = browser.post(browser.path, key=key(stage))
    assert (shown["status"], browser.path) == (200, "event?id=e-1&source=%2Fshop")


@pytest.mark.parametrize(
    "to",
    ["https://evil.example", "//evil.example", "/x", "javascript:alert(1)", "a\\b", "../x", ""],
)
def test_nobody_is_led_elsewhere(stage: Stage, to: str) -> None:
    answer = Browser().ask("POST", f"sign-in?{urlencode({'to': to})}", {"key": key(stage)})
    assert answer["headers"]["Location"] == "activity"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("", "This is no key"),
        ("hk_short", "This is no key"),
        ("hk_0123456789abcdefgh", "not known"),
    ],
)
def test_what_is_no_key_opens_nothing(stage: Stage, given: str, said: str) -> None:
    browser = Browser()
    shown = browser.post("sign-in", key=given)
    assert shown["status"] == 422
    assert said in shown["body"]
    assert not browser.cookies


def test_a_revoked_key_ends_its_session(stage: Stage, ana: Browser) -> None:
    stage.dynamodb.delete_item(
        TableName="heraldo-local-keys", Key={"hash": {"S": keys.hash_of(key(stage))}}
    )
    assert ana.get("activity")["status"] == 200  # believed for a minute, as by the API
    keys._cache.clear()
    assert "Your session has ended" in ana.get("activity")["body"]


def test_a_session_ends_by_itself(ana: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    later = time.time() + session.SECONDS
    monkeypatch.setattr("chalicelib.console.web.time.time", lambda: later)
    assert "Your session has ended" in ana.get("figures")["body"]
    assert ana.path == "sign-in?to=figures&ended=1"


def test_signing_out_takes_the_cookie_away(ana: Browser) -> None:
    answer = ana.ask("POST", "sign-out", {"token": ana.token()})
    assert answer["headers"]["Set-Cookie"].startswith("heraldo=; Max-Age=0;")


@pytest.mark.parametrize(
    ("form", "site"), [({}, "same-origin"), ({"token": "x"}, "same-origin"), (None, "cross-site")]
)
def test_a_form_of_somebody_else_changes_nothing(
    ana: Browser, form: dict[str, str] | None, site: str
) -> None:
    form = {"token": ana.token()} if form is None else form
    for path in ("find", "sign-out"):
        answer = ana.ask("POST", path, form, site=site)
        assert answer["status"] == 403
        assert "from another session" in answer["body"]
        assert "Set-Cookie" not in answer["headers"]


def test_a_key_without_the_scope_sees_what_it_lacks_and_no_link_to_it(stage: Stage) -> None:
    browser = Browser()
    shown = browser.post("sign-in", key=key(stage, "send"))
    assert shown["status"] == 403
    assert "It lacks the scope “read”" in shown["body"]
    assert 'href="figures"' not in shown["body"]
    assert browser.get("figures")["status"] == 403


def test_a_key_for_some_types_sees_those_alone(stage: Stage) -> None:
    written(status="published")
    browser = Browser()
    shown = browser.post("sign-in", key=key(stage, "read", "cart.*"))
    assert "e-1" not in shown["body"]
    assert browser.get("event?id=e-1&source=/shop")["status"] == 404
    token = browser.token()
    assert "not know this event" not in browser.post("find", q="e-1", token=token)["body"]
    assert ">0 <" in browser.get("figures")["body"]


def test_where_is_my_mail_takes_two_steps(stage: Stage, ana: Browser) -> None:
    door = http.Request(
        headers={"authorization": f"Bearer {key(stage, 'admin')}"},
        body=json.dumps(shipped(1, recipient="c-7")).encode(),
        stage=aws.stage(),
    )
    event_id = api.post_event(door).body["id"]
    shown = ana.post("find", q=" c-7 ", token=ana.token())
    assert re.match(r"activity\?whose=[0-9a-f]{32}$", ana.path), "nobody's name is in an address"
    [row] = re.findall(r'href="(event\?[^"]+)"', shown["body"])
    assert event_id in shown["body"]
    shown = ana.get(row.replace("&amp;", "&"))
    assert "<h1>On its way</h1>" in shown["body"]
    assert "c-7" not in shown["body"]
    assert 'data-refresh="2"' in shown["body"]


def test_an_id_leads_straight_to_its_event_and_nobody_to_a_hint(ana: Browser) -> None:
    written(status="published")
    token = ana.token()
    ana.post("find", q="e-1", token=token)
    assert ana.path == "event?id=e-1&source=%2Fshop"
    assert "Nothing for them in the last 30 days" in ana.post("find", q="c-8", token=token)["body"]
    assert ana.post("find", q=" ", token=token)["status"] == 200


def test_what_came_by_no_door_is_found_by_its_id(stage: Stage, ana: Browser) -> None:
    stage.send({**shipped(3, recipient="c-3"), "id": "by-queue"}, dedup="x")
    stage.handle()
    ana.post("find", q="by-queue", token=ana.token())
    assert ana.path.startswith("event?id=by-queue&")


def test_a_number_is_found_however_it_is_written(stage: Stage, ana: Browser) -> None:
    keyed = secrets.of(aws.stage()).hash_of("+34600111222")
    written(status="published", whose=keyed)
    assert "e-1" in ana.post("find", q="+34 600 111-222", token=ana.token())["body"]


def test_an_event_says_what_became_of_each_mail_and_why_others_were_not_sent(ana: Browser) -> None:
    record = written(
        status="published",
        sent={"recipient:email": "m-1", "topic:company/es": "m-2", "person:boss:sms": "m-3"},
        withheld={"recipient:sms": "opted-out"},
        rules=("customers",),
    )
    tag = event_tag(record.id, record.source)
    # By SES's clock, which may be behind.
    told = Receipt(tag, "recipient_email", "m-1", "bounced", "2026-01-01T00:00:00.000Z", "General")
    assert not keep_receipts(aws.stage(), [told], Patience(5))
    body = ana.get("event?id=e-1&source=/shop")["body"]
    assert "<h1>Bounced</h1>" in body
    assert "It did not arrive, or the recipient&#39;s mail server sent it back." in body
    assert "They do not want it there." in body
    for shown in ("Who follows company (es)", "<b>boss</b>", "customers", "m-1", "m-2", "m-3"):
        assert shown in body
    assert "data-refresh" not in body
    assert re.findall("<li class=.*?<b>(.*?)</b>", body) == ["Accepted", "Sent", "Bounced"]


def test_a_journey_that_an_event_began_is_named_and_is_no_message(ana: Browser) -> None:
    written(status="published", sent={"start:abandoned-cart": "a" * 32}, type="cart.abandoned")
    body = ana.get("event?id=e-1&source=/shop")["body"]
    assert "<h1>Began</h1>" in body
    assert "The journey abandoned-cart" in body
    assert "start:" not in re.sub(r"<pre.*?</pre>", "", body, flags=re.S), "but as the API says it"
    sent = {"start:abandoned-cart": "a" * 32, "recipient:sms": "m-1"}
    written(status="published", sent=sent, type="cart.abandoned")
    assert "<h1>Sent</h1>" in ana.get("event?id=e-1&source=/shop")["body"]


@pytest.mark.parametrize("status", ["held", "failed", "suppressed", "unknown", "retrying"])
def test_every_kind_of_end_is_told(ana: Browser, status: str) -> None:
    written(
        status=status,
        reason="quiet-hours" if status == "held" else "odd-reason",
        detail="said so",
        until="2030-01-01T07:00:00.000Z",
        unknown=("topic:users/es",) if status == "unknown" else (),
    )
    body = ana.get("event?id=e-1")["body"]
    told = "quiet hours for its recipient" if status == "held" else "odd-reason: said so"
    assert told in body
    assert ana.get(f"activity?status={status}")["body"].count("event?id=e-1") == 1


def test_an_event_that_is_gone_and_a_page_that_never_was(ana: Browser) -> None:
    for path in ("event?id=none&source=/shop", "event?id=none", "event", "event?id=%0A"):
        shown = ana.get(path)
        assert (shown["status"], "We do not know this event" in shown["body"]) == (404, True)
    assert ana.get("nowhere")["status"] == 404
    assert ana.ask("POST", "event", {"token": ana.token()})["status"] == 404


def test_whatever_an_event_holds_is_text(ana: Browser) -> None:
    record = Record(MARKUP[:100], MARKUP, type=MARKUP, lane=MARKUP, status="published")
    record.sender = record.detail = record.template = MARKUP
    record.rules, record.reason = (MARKUP.replace(" ", ""),), MARKUP
    record.sent = {f"topic:{MARKUP}": MARKUP, MARKUP: MARKUP}
    record.withheld = {MARKUP: MARKUP}
    record.enter("published", now_text())
    ledger.write(aws.stage(), [record], 5)
    for path in (
        "activity",
        f"activity?{urlencode(dict.fromkeys(('status', 'type', 'lane', 'rule', 'since', 'whose', 'before'), MARKUP))}",
        f"event?{urlencode({'id': record.id, 'source': MARKUP})}",
        f"figures?{urlencode({'span': MARKUP})}",
    ):
        body = ana.get(path)["body"]
        assert body.count("<script") == 1, path
        assert "<img" not in body
    assert "{{7*7}}" in ana.get(f"event?{urlencode({'id': record.id})}")["body"]


def test_a_filter_that_cannot_be_read_says_so_where_it_is(ana: Browser) -> None:
    shown = ana.get("activity?since=yesterday")
    assert shown["status"] == 422
    assert 'value="yesterday" aria-invalid="true"' in shown["body"]
    assert "Write a date, such as" in shown["body"]


def test_times_of_a_form_are_the_shops(ana: Browser) -> None:
    written(status="published", timeline=["2026-03-01T10:30:00.000Z accepted"])
    assert "e-1" in ana.get("activity?since=2026-03-01T11:29&until=2026-03-01T11:31")["body"]
    assert "e-1" not in ana.get("activity?since=2026-03-01T10:29&until=2026-03-01T10:31")["body"]


@pytest.mark.parametrize(
    ("asks", "language"), [("es-MX,en;q=0.5", "es"), ("en-GB", "en"), ("fr, *", "es"), ("", "es")]
)
def test_pages_speak_the_browsers_language_until_somebody_chooses(
    ana: Browser, asks: str, language: str
) -> None:
    ana.language = asks
    assert f'<html lang="{language}">' in ana.get("activity")["body"]
    other = "en" if language == "es" else "es"
    assert f'<html lang="{other}">' in ana.get(f"figures?span=week&language={other}")["body"]
    assert ana.path == "figures?span=week"


def test_what_a_page_may_load_is_itself(ana: Browser) -> None:
    answer = ana.get("activity")
    policy = answer["headers"]["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert not re.findall(r' style="| on\w+="|https?://', answer["body"])
    assert len(answer["body"]) < 100_000


def test_the_address_without_a_page_leads_to_one(stage: Stage) -> None:
    for url, to in (
        ("https://x/api/console", "console/activity"),
        ("https://x/api/console/", "activity"),
    ):
        request = http.Request({}, b"", aws.stage(), url=url)
        answer = web.handle(asked(request, "GET", ""), aws.stage())
        assert (answer["status"], answer["headers"]["Location"]) == (303, to)


@pytest.mark.parametrize(("table", "shown"), [("ledger", 503), ("keys", 503), ("people", 503)])
def test_a_table_that_does_not_answer_is_told_on_a_page(
    stage: Stage, ana: Browser, table: str, shown: int
) -> None:
    secrets._cache.clear()
    keys._cache.clear()
    stage.dynamodb.delete_table(TableName=f"heraldo-local-{table}")
    answer = ana.ask("GET", "activity")
    assert answer["status"] == shown
    assert "It cannot be read right now" in answer["body"]


def test_what_no_form_sends_is_refused_at_the_door() -> None:
    for body, status in ((b"\xff", 400), (b"x" * (1024 * 1024 + 1), 413)):
        with pytest.raises(http.Problem) as refused:
            asked(http.Request({}, body, aws.stage()), "POST", "find")
        assert refused.value.status == status
