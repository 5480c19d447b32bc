"""From the foot of a mail to the pages, in Chromium, on the deployed package."""

from __future__ import annotations

import re
import time
import urllib.request
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from chalicelib.stage import Stage as Handle
from chalicelib.store import secrets, tokens
from chalicelib.store.tokens import Grant
from tests import chromium
from tests.browser.mails import look
from tests.e2e.conftest import Stack
from tests.factories import sample
from tests.patience import PATIENCE


def placed(unique: str, number: int) -> dict[str, Any]:
    found = {"type": "order.placed", "id": f"{unique}-{number}", "source": "local", "locale": "en"}
    data = sample("order.placed")["data"]
    return {**found, "recipient": unique, "email": f"{unique}@example.com", "data": data}


def settled(stack: Stack, event_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE
    while True:
        _, found = stack.call("GET", f"/events/{event_id}")
        if found.get("status") in ("published", "suppressed") or time.monotonic() > deadline:
            return dict(found)
        time.sleep(0.1)


def unsubscribe_link(stack: Stack, unique: str, locale: str = "es") -> str:
    """What stands at the foot of a commercial mail."""
    keys = secrets.made(Handle("local", stack.client)).tokens
    grant = Grant(f"person:{unique}", "promotions", "email", locale)
    return f"{stack.local['api_url']}/u/{tokens.sign(keys, grant, time.time())}"


@pytest.fixture
def page(browser: Browser) -> Any:
    context = chromium.context(browser, java_script_enabled=True)
    yield context.new_page()
    context.close()


def sound(page: Page) -> None:
    """Whoever uses it can: axe finds nothing, and nothing is cut off on a small screen, by day and night."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
    for width in (320, 768):
        look(page, width)


def test_from_a_mail_to_what_somebody_wants_and_the_next_mail_is_not_sent(
    stack: Stack, unique: str, page: Page
) -> None:
    assert stack.call("POST", "/events", placed(unique, 1))[0] == 202
    [mail] = stack.received(lambda d: d.get("to") == f"{unique}@example.com")
    [link] = re.findall(r"Choose what I hear about: (\S+)", mail["message"])
    assert link.startswith(stack.local["api_url"] + "/p/")
    assert link in mail["html"]
    page.goto(link)
    expect(page.get_by_role("heading", level=1)).to_have_text("What you hear about")
    orders = page.get_by_role("group", name="Orders and payments")
    sound(page)
    orders.get_by_label("E-mail").uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("Saved.")
    sound(page)
    assert stack.call("POST", "/events", placed(unique, 2))[0] == 202
    found = settled(stack, f"{unique}-2")
    assert (found["status"], found["reason"]) == ("suppressed", "opted-out")
    page.get_by_role("button", name="Undo").click()
    expect(orders.get_by_label("E-mail")).to_be_checked()
    assert stack.call("POST", "/events", placed(unique, 3))[0] == 202
    assert settled(stack, f"{unique}-3")["status"] == "published"


def test_a_scanner_presses_nothing_and_a_person_does(stack: Stack, unique: str, page: Page) -> None:
    link = unsubscribe_link(stack, unique)
    for _ in range(3):
        with urllib.request.urlopen(link) as answer:
            assert answer.status == 200
    assert stack.call("GET", f"/recipients/{unique}")[0] == 404
    page.goto(link)
    sound(page)
    page.keyboard.press("Tab")  # the shop
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Dejar de recibirlos")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("No te enviaremos ofertas y promociones")
    _, kept = stack.call("GET", f"/recipients/{unique}")
    assert kept["preferences"] == {"promotions": {"email": False}}
    sound(page)
    page.get_by_role("button", name="Deshacer").click()
    expect(page.get_by_role("status")).to_contain_text("Te enviaremos")
    _, kept = stack.call("GET", f"/recipients/{unique}")
    assert kept["preferences"] == {"promotions": {"email": True}}
    page.get_by_role("link", name="Elegir qué avisos recibo").click()
    offers = page.get_by_role("group", name="Ofertas y promociones")
    expect(offers.get_by_label("Correo")).to_be_checked()


def test_it_works_without_a_script(stack: Stack, unique: str, browser: Browser) -> None:
    context = chromium.context(browser, java_script_enabled=False)
    try:
        page = context.new_page()
        page.goto(unsubscribe_link(stack, unique, "en"))
        page.get_by_role("button", name="Stop them").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Done: you will get no more")
    finally:
        context.close()


def test_a_link_that_is_none_says_so(stack: Stack, page: Page) -> None:
    page.goto(f"{stack.local['api_url']}/u/nothing")
    expect(page.get_by_role("heading", level=1)).to_have_text("We do not know this link")
    sound(page)
