"""The console's inbox, on moto: what arrived on the local stack, and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from chalicelib import aws
from chalicelib.store import deliveries
from cli.stack.inbox import Delivery
from tests.integration.aws_fixture import Stage
from tests.integration.console_browser import Browser, key
from tests.integration.test_console import MARKUP


def arrive(number: int = 1, **more: Any) -> str:
    """A delivery, as `make run` puts it into the inbox; gives its place."""
    delivery: Any = Delivery(
        channel="email",
        to="ana@example.com",
        sender="shop@example.com",
        subject=f"Order {number}",
        message=f"Hello,\n\nyour order {number}: https://shop.example/o?a=1&b=2",
        html="<html><head></head><body style='color:red'>Hello</body></html>",
        attributes={},
        message_id=f"m-{number}",
        received_at=f"2026-11-01T10:00:{number:02}.000+00:00",
    )
    deliveries.put(aws.stage(), [{**delivery, **more}])
    return f"{delivery['received_at']}/{more.get('message_id', delivery['message_id'])}"


@pytest.fixture
def ana(stage: Stage) -> Iterator[Browser]:
    deliveries.make(aws.stage())
    deliveries.make(aws.stage())  # a stack that is deployed again has it already
    browser = Browser()
    browser.post("sign-in", key=key(stage))
    yield browser


def mail(place: str, part: str = "") -> str:
    return f"message?{urlencode({'at': place, 'part': part})}"


def test_what_arrives_is_listed_newest_first_and_what_nobody_looked_at_stands_out(
    ana: Browser,
) -> None:
    assert "Nothing has arrived yet" in ana.get("inbox")["body"]
    places = [arrive(number) for number in (1, 2)]
    arrive(3, channel="sms", to="+34600111222", subject="", message="On its way", html="")
    body = ana.get("inbox")["body"]
    assert re.findall(r'<a href="message[^>]*>(.*?)</a>', body) == [
        "On its way",
        "Order 2",
        "Order 1",
    ]
    assert "<title>Inbox (3)" in body
    assert 'data-refresh="2"' in body
    ana.get(mail(places[0]))
    body = ana.get("inbox")["body"]
    assert "<title>Inbox (2)" in body
    assert body.count('class="unread"') == 2


def test_pages_of_it_go_by_place(ana: Browser) -> None:
    for number in range(51):
        arrive(number)
    body = ana.get("inbox")["body"]
    assert body.count('<td class="what">') == 50
    [older] = re.findall(r'href="(inbox\?before=[^"]+)"', body)
    body = ana.get(older)["body"]
    assert re.findall(r'<a href="message[^>]*>(.*?)</a>', body) == ["Order 0"]
    assert "data-refresh" not in body


def test_a_mail_is_shown_in_a_frame_that_may_do_nothing(ana: Browser) -> None:
    html = "<html><body><script>parent.document.title='x'</script>Hello</body></html>"
    place = arrive(html=html)
    body = ana.get(mail(place))["body"]
    [source] = re.findall(r'<iframe class="letter" sandbox src="([^"]+)"', body)
    answer = ana.get(source)
    assert answer["body"] == html
    policy = answer["headers"]["Content-Security-Policy"]
    assert policy.startswith("sandbox; default-src 'none'; style-src 'unsafe-inline';")
    assert "script-src" not in policy
    assert answer["headers"]["X-Frame-Options"] == "SAMEORIGIN"


def test_a_mail_has_its_text_source_and_head(ana: Browser) -> None:
    place = arrive()
    text = ana.get(mail(place, "text"))["body"]
    assert '<a href="https://shop.example/o?a=1&amp;b=2"' in text
    assert "&lt;body style=&#39;color:red&#39;&gt;" in ana.get(mail(place, "source"))["body"]
    head = ana.get(mail(place, "headers"))["body"]
    for value in ("shop@example.com", "ana@example.com", "Order 1", "m-1"):
        assert f"<dd>{value}</dd>" in head


def test_a_text_message_says_how_many_parts_it_has(ana: Browser) -> None:
    place = arrive(channel="sms", to="+34600111222", subject="", message="ñ" * 161, html="")
    body = ana.get(mail(place))["body"]
    assert "161 characters in GSM-7, parts that are billed: 2" in body
    assert "<iframe" not in body


def test_what_a_topics_subscriber_got_says_what_they_may_filter_by(ana: Browser) -> None:
    said = {"event_type": "order.shipped", "locale": "es"}
    place = arrive(channel="topic", topic="users", to="", html="", attributes=said)
    assert "<td>users</td>" in ana.get("inbox")["body"]
    head = ana.get(mail(place, "headers"))["body"]
    assert "<dt>event_type</dt><dd>order.shipped</dd>" in head


@pytest.mark.parametrize("at", ["", "x", "2026-11-01T10:00:01.000+00:00/none", MARKUP])
def test_what_is_gone_says_so(ana: Browser, at: str) -> None:
    for path in ("message", "message-frame"):
        answer = ana.get(f"{path}?{urlencode({'at': at})}")
        assert (answer["status"], "This message is gone" in answer["body"]) == (404, True)


def test_whatever_somebody_sends_is_text(ana: Browser) -> None:
    place = arrive(
        to=MARKUP,
        sender=MARKUP,
        subject=MARKUP,
        message=MARKUP,
        html=MARKUP,
        attributes={MARKUP: MARKUP},
        message_id="m",
    )
    for path in ("inbox", *(mail(place, part) for part in ("html", "text", "source", "headers"))):
        body = ana.get(path)["body"]
        assert body.count("<script") == 1, path
        assert "<img" not in body


def test_no_other_stage_has_an_inbox(ana: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    place = arrive()
    assert 'href="inbox"' in ana.get("activity")["body"]
    monkeypatch.setenv("HERALDO_STAGE", "dev")
    for path in ("inbox", mail(place), f"message-frame?{urlencode({'at': place})}"):
        answer = ana.get(path)
        assert (answer["status"], "There is nothing here" in answer["body"]) == (404, True)
        assert 'href="inbox"' not in answer["body"]


def test_a_long_page_stays_small(ana: Browser) -> None:
    for number in range(50):
        arrive(number, subject="x" * 99, message="y" * 1000)
    assert len(ana.get("inbox")["body"]) < 100_000
