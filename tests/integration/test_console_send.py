"""Writing an event in the console, on moto: what it would say, and what becomes of it."""

from __future__ import annotations

import html
import json
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from chalicelib import aws
from chalicelib.store import audit
from cli.paths import ROOT
from tests.integration.aws_fixture import Stage
from tests.integration.console_browser import Browser, key

TYPE = "order.placed"
MARKUP = "<script>document.title='x'</script><img src=x>"


@pytest.fixture
def eva(stage: Stage) -> Browser:
    """Somebody who is signed in with a key that may send and read."""
    browser = Browser()
    assert browser.post("sign-in", key=key(stage, "send read"))["status"] == 200
    return browser


def filled(page: dict[str, Any]) -> dict[str, str]:
    """What a form has in its fields, as a browser would send it."""
    form = page["body"].split("<form", 2)[-1]
    found = {
        name: html.unescape(value)
        for name, value in re.findall(r'<input[^>]* name="([^"]+)"[^>]*? value="([^"]*)"', form)
    }
    found |= {
        name: html.unescape(value)
        for name, value in re.findall(r'<textarea[^>]* name="([^"]+)"[^>]*>([^<]*)<', form)
    }
    found["locale"] = "es"
    return found


def write(eva: Browser, **changed: str) -> dict[str, str]:
    return {**filled(eva.get(f"send?type={TYPE}")), **changed}


def test_the_types_are_those_of_the_key_by_their_lanes(stage: Stage) -> None:
    browser = Browser()
    browser.post("sign-in", key=key(stage, "send", "order.*"))
    shown = browser.get("send")
    assert 'href="send?type=order.placed"' in shown["body"]
    assert "cart.abandoned" not in shown["body"]
    assert browser.get("send?type=cart.abandoned")["status"] == 404
    assert browser.get("send?type=none")["status"] == 404


def test_a_key_that_may_only_read_sends_nothing(stage: Stage) -> None:
    browser = Browser()
    browser.post("sign-in", key=key(stage, "read"))
    assert 'href="send"' not in browser.get("activity")["body"]
    for method, path in (
        ("GET", "send"),
        ("POST", "send"),
        ("POST", "send-preview"),
        ("POST", "mail"),
    ):
        answer = browser.ask(method, path, {"token": browser.token(), "type": TYPE})
        assert answer["status"] == 403


def test_a_form_has_the_sample_in_it_and_says_what_it_comes_to(eva: Browser) -> None:
    shown = eva.get(f"send?type={TYPE}")
    form = filled(shown)
    assert form["data.order.items[0].name"] == "Lámpara de mesa Nido"
    assert form["recipient"] == "cus-1042"
    assert "¡Gracias! Hemos recibido tu pedido A-1042" in shown["body"]
    assert "Thank you! We have received your order A-1042" in html.unescape(shown["body"]) or (
        "A-1042</b>" in shown["body"]
    )
    assert "because rule customers matches" in shown["body"]
    assert "because rule an-order-ends-the-wait-for-a-cart matches" in shown["body"]
    assert "wanted numeric &gt;= 500, found 119.85" in shown["body"]
    assert len(shown["body"]) < 100_000


def test_what_is_typed_is_said_before_anything_is_sent(stage: Stage, eva: Browser) -> None:
    form = write(eva, **{"data.order.id": "B-7", "data.order.total": "640.50"})
    stage.calls.clear()
    shown = eva.ask("POST", "send-preview", form)
    assert "tu pedido B-7" in shown["body"]
    assert "because rule large-orders matches" in shown["body"]
    assert "PutItem" not in stage.calls


def test_what_is_wrong_stands_beside_its_field_and_nothing_is_lost(eva: Browser) -> None:
    form = write(eva, **{"data.order.total": "a lot", "email": "nobody", "data.name": "Ana"})
    for path, status in (("send-preview", 200), ("send", 422)):
        shown = eva.ask("POST", path, form)
        assert shown["status"] == status
        assert 'id="email-problem" data-live>is no e-mail address' in shown["body"]
        assert filled(shown)["data.name"] == "Ana"
        assert filled(shown)["data.order.total"] == "a lot"
    shown = eva.ask("POST", "send", {**form, "email": ""})
    assert re.search(r'id="data.order.total-problem" data-live>money expects', shown["body"])
    assert "It cannot be sent like this" in shown["body"]


def test_a_sent_event_is_the_doors_and_its_life_is_shown(stage: Stage, eva: Browser) -> None:
    form = write(eva, **{"data.order.id": "B-8"})
    shown = eva.post("send", **form, do="send")
    assert "<h1>On its way</h1>" in shown["body"]
    [record] = stage.receive()
    assert '"id":"B-8"' in record["body"]
    assert stage.ledger(form["id"])["key"] == "ana"
    eva.post("send", **form, do="send")  # pressed twice
    assert not stage.receive()
    assert eva.path.startswith(f"event?id={form['id']}&")
    shown = eva.post("send", **{**form, "data.order.id": "B-9"}, do="send")
    assert shown["status"] == 409
    assert "was sent before with other content" in shown["body"]
    assert filled(shown)["id"] != form["id"]


def test_later_is_held_until_then_on_the_shops_clock(stage: Stage, eva: Browser) -> None:
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT10:00")
    form = write(eva, deliverat=tomorrow)
    assert "It goes out on" in eva.ask("POST", "send-preview", form)["body"]
    assert "<h1>Held</h1>" in eva.post("send", **form, do="send")["body"]
    until = stage.ledger(form["id"])["held"]["until"]
    assert until[11:16] in ("08:00", "09:00")  # in summer, in winter
    shown = eva.ask("POST", "send", write(eva, deliverat="soon"))
    assert (shown["status"], 'id="deliverat-problem" data-live>m' in shown["body"]) == (422, True)


def test_to_try_it_is_to_send_it_to_nobody(stage: Stage, eva: Browser) -> None:
    form = write(eva)
    for _ in range(2):
        eva.post("send", **form, do="test")
        stage.handle()
        assert "<h1>Test</h1>" in eva.get(eva.path)["body"]
    assert not stage.delivered("users")
    eva.post("send", **form, do="send")
    assert "<h1>On its way</h1>" in eva.get(eva.path)["body"]


def test_a_test_to_oneself_is_one_mail_and_no_event(
    stage: Stage, eva: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HERALDO_SENDER", "Abedul <hola@abedul.example>")
    asked: list[dict[str, Any]] = []

    def ses(params: dict[str, Any], **_: Any) -> Any:
        """SES's yes: moto sends no mails in bulk."""
        asked.append(json.loads(params["body"]))
        sent = {"BulkEmailEntryResults": [{"Status": "SUCCESS", "MessageId": "m-1"}]}
        return AWSResponse("", 200, {}, None), sent

    events = aws.stage().ses.meta.events
    events.register("before-call.sesv2.SendBulkEmail", ses)
    try:
        shown = eva.ask(
            "POST", "send", {**write(eva), "do": "myself", "myself": "eva@shop.example"}
        )
    finally:
        events.unregister("before-call.sesv2.SendBulkEmail", ses)
    assert (shown["status"], "Sent: look at your mail" in shown["body"]) == (200, True)
    [mail] = asked
    [entry] = mail["BulkEmailEntries"]
    assert entry["Destination"] == {"ToAddresses": ["eva@shop.example"]}
    assert "[Test] " in json.dumps(entry)
    assert not stage.receive(), "no lane hears of it"
    [entry] = audit.newest(aws.hurried_stage(), 10).found
    assert (entry.who, entry.what, entry.subject) == ("ana", "mail-try", TYPE)
    assert filled(shown)["myself"] == "eva@shop.example"


@pytest.mark.parametrize(
    ("myself", "told"), [("", "write to which address"), ("eva", "is no e-mail address")]
)
def test_a_test_to_nobody_is_refused_where_it_is_typed(
    stage: Stage, eva: Browser, myself: str, told: str
) -> None:
    shown = eva.ask("POST", "send", {**write(eva), "do": "myself", "myself": myself})
    assert shown["status"] == 422
    assert f'id="myself-problem" data-live>{told}' in shown["body"]
    assert not audit.newest(aws.hurried_stage(), 10).found
    assert "SendBulkEmail" not in stage.calls


def test_a_line_is_added_and_taken_away(eva: Browser) -> None:
    form = write(eva)
    more = filled(eva.ask("POST", "send-preview", {**form, "add": "data.order.items"}))
    added = sorted(set(more) - set(form))
    assert {name.rpartition(".")[2] for name in added} == {"name", "price", "quantity"}
    less = filled(eva.ask("POST", "send-preview", {**more, "remove": "data.order.items[0]"}))
    assert "Nido" not in str(less)


def test_markup_is_text_on_the_page_and_in_a_mail_that_can_do_nothing(eva: Browser) -> None:
    form = {
        name: value
        if name in ("token", "type", "id", "locale", "email") or not value[0].isalpha()
        else f"{value} {MARKUP}"
        for name, value in write(eva, recipient="c").items()
        if value
    }
    form |= {"data.order.currency": "EUR", "data.order.url": "https://shop.example/x"}
    shown = eva.ask("POST", "send-preview", form)
    assert shown["body"].count("<script") == 1
    assert "<img" not in shown["body"]
    mail = eva.ask("POST", "mail", {**write(eva, **{"data.name": MARKUP}), "show": "es"})
    assert (mail["status"], MARKUP in mail["body"]) == (200, False)
    assert html.escape(MARKUP, quote=False) in mail["body"] or "&lt;script&gt;" in mail["body"]
    policy = mail["headers"]["Content-Security-Policy"]
    assert policy.startswith("sandbox; default-src 'none';")
    assert "script-src" not in policy
    for words in ("../x", "fr", ""):
        assert eva.ask("POST", "mail", {**write(eva), "show": words})["status"] == 404


def test_a_text_message_is_shown_as_it_goes_out(
    eva: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it would cost more parts than its type may, its accents give way."""
    from chalicelib.rules import reading

    text = (ROOT / "chalicelib" / "routing.toml").read_text("utf-8")
    rules = reading.load(f"{text}\n[types.'order.placed']\nsms_parts = 1\n", "local")
    for module in ("console.send", "door.api", "door.intake"):
        monkeypatch.setattr(f"chalicelib.{module}.routing", lambda _: rules)
    shown = eva.ask("POST", "send-preview", write(eva, **{"data.order.id": "Ñandú-í"}))
    es, *_ = re.findall(r'<p class="phone">([^<]*Ñandu-i[^<]*)</p>', shown["body"])
    assert "tu pedido Ñandu-i" in es
    assert "Text message: 1 parts," in shown["body"]


def test_words_that_an_event_does_not_go_out_in_stop_none(
    eva: Browser, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from chalicelib.words import render

    shutil.copytree(ROOT / "templates", tmp_path / "templates")
    english = tmp_path / "templates" / TYPE / "en.j2"
    english.write_text(
        english.read_text("utf-8").replace(
            "{% block body %}", "{% block body %}{{ nobody.knows }}"
        ),
        "utf-8",
    )
    own = render.Templates(tmp_path / "templates")
    for module in ("console.send", "door.api", "door.intake", "plan.catalog"):
        monkeypatch.setattr(f"chalicelib.{module}.templates", lambda: own)
    shown = eva.ask("POST", "send-preview", {**write(eva), "locale": "es"})
    assert "¡Gracias! Hemos recibido tu pedido A-1042" in shown["body"]
    assert "Thank you! We have received" not in shown["body"]


def test_on_a_real_stage_nobody_is_filled_in(eva: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    from chalicelib.console import send

    monkeypatch.setattr(send, "LOCAL", "another")
    form = filled(eva.get(f"send?type={TYPE}"))
    assert (form["recipient"], form["email"], form["phone"]) == ("", "", "")
