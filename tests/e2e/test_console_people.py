"""The console's people and its inbox in Chromium, on the deployed package: what they may do is what their policy allows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from chalicelib.stage import Stage as Handle
from chalicelib.store import deliveries
from tests import chromium
from tests.browser.mails import look
from tests.e2e.conftest import Stack, is_to
from tests.e2e.test_console import at, send, sign_in
from tests.e2e.test_optout_pages import settled, sound


@pytest.fixture
def page(stack: Stack, browser: Browser) -> Iterator[Page]:
    """A page of somebody who is signed in, on which nothing breaks the page's own rules; a mail's frame may try."""
    complaints: list[str] = []

    def listen(said: ConsoleMessage) -> None:
        if "Security Policy" in said.text and "message-frame" not in said.location["url"]:
            complaints.append(said.text)

    with chromium.context(browser, locale="en") as context:
        found = context.new_page()
        found.on("console", listen)
        sign_in(stack, found)
        yield found
    assert not complaints


def keep(stack: Stack, person_id: str, **known: Any) -> None:
    assert stack.call("PUT", f"/recipients/{person_id}", known)[0] == 201


def look_up(stack: Stack, page: Page, asked: str) -> None:
    page.goto(at(stack, "people"))
    page.get_by_label("Whom do you look for?").first.fill(asked)
    page.keyboard.press("Enter")


def heading(page: Page, text: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(text)


def test_somebody_is_found_changed_and_erased(stack: Stack, unique: str, page: Page) -> None:
    keep(stack, unique, email=f"{unique}@example.com")
    send(stack, f"e-{unique[2:]}", unique)
    settled(stack, f"e-{unique[2:]}")
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    send(stack, f"h-{unique[2:]}", unique, deliverat=tomorrow.isoformat())
    look_up(stack, page, unique)
    heading(page, unique)
    expect(page.get_by_role("link", name="order.placed")).to_have_count(3)
    expect(page.get_by_text("It has a time of its own.")).to_be_visible()
    sound(page)
    page.get_by_role("link", name="Change").click()
    page.get_by_label("Phone").fill("600")
    page.get_by_role("group", name="promotions").get_by_label("Text message").select_option("No")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("Phone")).to_have_value("600")
    expect(page.get_by_label("Phone")).to_have_accessible_description(
        "This is no number in international form: + and the country’s code first, such as +34600111222."
    )
    sound(page)
    page.get_by_label("Phone").fill("+34600111222")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("Saved.")
    person = stack.call("GET", f"/recipients/{unique}")[1]
    assert (person["phone"], person["preferences"]) == (
        "+34600111222",
        {"promotions": {"sms": False}},
    )
    page.get_by_role("link", name="Erase this person").click()
    sound(page)
    assert unique not in page.url
    page.get_by_label("To confirm, type").fill(unique)
    page.get_by_role("button", name="Erase this person").click()
    expect(page.get_by_role("status")).to_contain_text("Erased.")
    assert stack.call("GET", f"/recipients/{unique}")[0] == 404
    assert stack.call("GET", f"/events/h-{unique[2:]}")[1]["status"] == "cancelled"
    page.go_back()
    page.reload()
    heading(page, "Nobody is here any more")


def test_an_address_that_is_stopped_is_sent_to_again(stack: Stack, unique: str, page: Page) -> None:
    keep(stack, unique, email=f"{unique}@example.com")
    handle = Handle("local", stack.client)
    stopped(handle, unique)
    look_up(stack, page, unique)
    expect(page.get_by_role("heading", level=2).first).to_have_text(
        "Stopped: nothing goes to them by e-mail"
    )
    look(page, 320)
    page.get_by_role("button", name="Send to them again").click()
    expect(page.get_by_role("status")).to_have_text("They are sent to again.")
    assert "stopped" not in stack.call("GET", f"/recipients/{unique}")[1]


def stopped(handle: Handle, person_id: str) -> None:
    """Somebody complained."""
    handle.dynamodb.update_item(
        TableName=handle.table("people"),
        Key={"id": {"S": f"person:{person_id}"}},
        UpdateExpression="SET stopped = :stop",
        ExpressionAttributeValues={
            ":stop": {"S": '{"email": ["x", "complaint", "2026-11-01T10:00:00.000Z", "abuse"]}'}
        },
    )


def test_a_mail_arrives_before_their_eyes_and_is_read_in_a_frame(
    stack: Stack,
    unique: str,
    page: Page,
) -> None:
    page.get_by_role("link", name="Inbox").click()
    heading(page, "Inbox")
    page.evaluate("document.activeElement.blur()")
    send(stack, unique, unique)
    [mail] = stack.received(is_to(unique))
    deliveries.put(Handle("local", stack.client), [mail])
    row = page.get_by_role("row").filter(has_text=unique)
    expect(row).to_contain_text("unread")
    assert page.title().startswith("Inbox (")
    sound(page)
    row.get_by_role("link").click()
    heading(page, mail["subject"])
    frame = page.frame_locator("iframe")
    expect(frame.locator("body")).to_contain_text("A-1042")
    assert frame.locator("body").evaluate("() => self.origin") == "null"
    sound(page)
    page.get_by_role("link", name="Headers").click()
    expect(page.get_by_text(f"{unique}@example.com").first).to_be_visible()
    page.get_by_role("link", name="Inbox").first.click()
    expect(page.get_by_role("row").filter(has_text=unique)).not_to_contain_text("unread")


def test_nothing_of_a_mail_gets_out_of_its_frame(stack: Stack, unique: str, page: Page) -> None:
    html = "<script>top.document.title='run'</script><p>Hi</p><form action='/'><button>Go</button></form>"
    html += "<a href='/' target='_top'>Away</a><img src=x onerror=\"top.document.title='run'\">"
    received_at = "2026-11-25T10:00:00.000+00:00"
    delivery = {"channel": "email", "to": unique, "subject": unique, "message": "Hi", "html": html}
    delivery |= {"attributes": {}, "message_id": unique, "received_at": received_at}  # type: ignore[dict-item]
    deliveries.put(Handle("local", stack.client), [delivery])
    page.goto(at(stack, f"message?at={received_at.replace('+', '%2B')}%2F{unique}"))
    frame = page.frame_locator("iframe")
    frame.get_by_role("button", name="Go").click()
    frame.get_by_role("link", name="Away").click()
    heading(page, unique)
    assert page.title().startswith(unique)
