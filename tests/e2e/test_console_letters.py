"""Dead letters in the console, in Chromium on the deployed package, with its own rights and no other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import chromium
from tests.browser.mails import look
from tests.e2e.conftest import Stack
from tests.e2e.test_console import HOSTILE, at, sign_in
from tests.e2e.test_optout_pages import settled, sound
from tests.factories import sample

LONG = "w" * 90


@pytest.fixture
def page(stack: Stack, browser: Browser) -> Iterator[Page]:
    """A page of somebody who is signed in, on which nothing breaks the page's own rules."""
    said: list[str] = []
    with chromium.context(browser, locale="en") as context:
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        sign_in(stack, page)
        yield page
    assert not [text for text in said if "Security Policy" in text]


def die(stack: Stack, reason: str, *events: Any) -> None:
    """Put events among the dead letters of orders, as its lane does, for a reason that is this test's own."""
    sqs = stack.client("sqs")
    url = sqs.get_queue_url(QueueName="heraldo-local-orders-dead.fifo")["QueueUrl"]
    for event in events:
        given = {"reason": reason, "detail": f"{LONG} {HOSTILE}", "event_type": event["type"]}
        sqs.send_message(
            QueueUrl=url,
            MessageBody=json.dumps(event),
            MessageGroupId=event["id"],
            MessageDeduplicationId=event["id"],
            MessageAttributes={
                name: {"DataType": "String", "StringValue": text} for name, text in given.items()
            },
        )


def order(event_id: str, **more: Any) -> dict[str, Any]:
    data = sample("order.placed")["data"]
    event = {"type": "order.placed", "id": event_id, "source": "local", "data": data, **more}
    return {"recipient": event_id, "email": "cus@example.com", "locale": "en", **event}


def test_a_group_is_put_back_after_its_dry_run(stack: Stack, unique: str, page: Page) -> None:
    good = [order(f"{unique}-{n}") for n in range(12)]
    hostile = order(f"{unique}{HOSTILE}", type=f"gone.{LONG}")
    die(stack, unique, *good, hostile)
    page.get_by_role("link", name="Dead letters").click()
    for path in ("letters", "group", "redriven?moved=3&all=9&then=stuck", "audit"):
        page.goto(at(stack, path))
        sound(page)
        page.set_viewport_size({"width": 1280, "height": 800})
        look(page, 320)
    page.goto(at(stack, "letters"))
    page.get_by_role("row", name="order.placed").get_by_role("link", name=unique).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Can be put back: 12")
    page.get_by_role("link", name="order.placed").first.click()
    sound(page)
    look(page, 320)
    page.go_back()
    page.get_by_role("button", name="Put back").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Put back: 12")
    assert {settled(stack, event["id"])["status"] for event in good} == {"published"}
    page.goto(at(stack, f"group?reason={unique}"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Can be put back: 0")
    expect(page.get_by_text(f"gone.{LONG}").first).to_be_visible()
    assert page.locator("img, main script").count() == 0
    page.goto(at(stack, "audit"))
    expect(page.get_by_text("Redrove dead letters").first).to_be_visible()


def test_steps_follow_each_other_and_there_is_no_way_back_into_them(
    stack: Stack, unique: str, page: Page
) -> None:
    """As after a step that had no time for all."""
    die(stack, unique, order(unique))
    page.goto(at(stack, "letters"))
    page.goto(at(stack, f"redriven?id={unique}&moved=5&all=6&then=more"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Put back: 6")
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Dead letters")


def test_one_is_put_back_without_a_script(stack: Stack, unique: str, browser: Browser) -> None:
    die(stack, unique, order(unique))
    with chromium.context(browser, java_script_enabled=False, locale="es") as context:
        page = context.new_page()
        page.goto(at(stack, f"letter?id={unique}&lane=orders"))
        page.get_by_label("Clave de la API").fill(stack.local["api_key"])
        page.keyboard.press("Enter")
        expect(page.get_by_text("Puede ir")).to_be_visible()
        page.get_by_role("button", name="Reenviar este").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Reenviados: 1")


def test_what_is_held_is_cancelled_and_what_is_on_a_journey_acknowledged(
    stack: Stack, unique: str, page: Page
) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    held = order(f"{unique}-h", deliverat=tomorrow.isoformat())
    alert = {**sample("critical.alert"), "id": f"{unique}-a", "source": "local"}
    for event in (held, alert):
        assert stack.call("POST", "/events", event)[0] == 202
    page.goto(at(stack, f"event?id={held['id']}&source=local"))
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Cancelled")
    page.goto(at(stack, f"event?id={alert['id']}&source=local"))
    page.get_by_role("button", name="I am on it").click()
    expect(page.get_by_text("Somebody is on it:")).to_be_visible()
    sound(page)
