"""The console in Chromium, on the deployed package: passed on by the API, in a function of its own."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tests import chromium
from tests.browser.mails import look
from tests.e2e.conftest import Stack
from tests.e2e.test_optout_pages import settled, sound
from tests.factories import sample
from tests.patience import PATIENCE

HOSTILE = "</td><script>document.title='run'</script><img src=x onerror=\"document.title='run'\">"


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with chromium.context(browser, locale="en") as context:
        yield context


@pytest.fixture
def page(stack: Stack, context: BrowserContext) -> Page:
    """A page of somebody who is signed in, on which nothing breaks the page's own rules."""
    page = context.new_page()
    page.on("console", lambda said: said.type == "error" and complaints.append(said.text))
    sign_in(stack, page)
    return page


complaints: list[str] = []


@pytest.fixture(autouse=True)
def no_complaints() -> Iterator[None]:
    complaints.clear()
    yield
    assert not [text for text in complaints if "Security Policy" in text]


def at(stack: Stack, path: str) -> str:
    return f"{stack.local['api_url']}/console/{path}"


def sign_in(stack: Stack, page: Page) -> None:
    page.goto(stack.local["api_url"] + "/console")
    expect(page.get_by_label("API key")).to_be_focused()
    page.keyboard.insert_text(stack.local["api_key"])
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Activity")


def send(stack: Stack, event_id: str, recipient: str, **more: Any) -> None:
    event = {"type": "order.placed", "id": event_id, "source": "local", "locale": "en", **more}
    event |= {"recipient": recipient, "email": f"{recipient}@example.com"}
    event.setdefault("data", sample("order.placed")["data"])
    assert stack.call("POST", "/events", event)[0] == 202


def test_where_is_my_mail(stack: Stack, unique: str, page: Page) -> None:
    send(stack, f"{unique}-1", unique)
    settled(stack, f"{unique}-1")
    page.get_by_label("Where is a message?").fill(unique)
    page.get_by_role("button", name="Find").click()
    page.get_by_role("link", name="order.placed").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sent")
    expect(page.get_by_role("listitem").filter(has_text="The recipient")).to_contain_text("e-mail")
    assert unique not in page.url.replace(f"{unique}-1", "")


def test_every_page_can_be_used_by_all(stack: Stack, unique: str, page: Page) -> None:
    send(stack, unique, unique)
    settled(stack, unique)
    for path in ("activity", "activity?status=published", f"event?id={unique}", "figures"):
        page.goto(at(stack, path))
        sound(page)
        page.set_viewport_size({"width": 1280, "height": 800})
        for details in page.locator("details").all():
            details.locator("summary").click()
        look(page, 320)
    page.goto(at(stack, "sign-in"))
    sound(page)


def test_what_somebody_watches_changes_before_their_eyes(
    stack: Stack, unique: str, page: Page
) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    send(stack, unique, unique, deliverat=tomorrow.isoformat())
    page.goto(at(stack, f"event?id={unique}&source=local"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Held")
    failing = True

    def fail(route: Route) -> None:
        route.abort() if failing else route.continue_()

    page.route("**/event?**", fail)
    with page.expect_event("requestfailed"):  # the line breaks; what is shown stays
        pass
    assert stack.call("DELETE", f"/events/{unique}")[0] == 200
    expect(page.get_by_role("heading", level=1)).to_have_text("Held")
    failing = False
    expect(page.get_by_role("heading", level=1)).to_have_text("Cancelled")
    assert page.locator("main").get_attribute("data-refresh") is None


def test_a_filter_is_an_address_that_can_be_gone_back_to_and_reloaded(
    stack: Stack, unique: str, page: Page
) -> None:
    send(stack, unique, unique)
    settled(stack, unique)
    page.get_by_text("Filters").click()
    page.get_by_label("Type").select_option("order.placed")
    page.get_by_label("Status").select_option("Sent")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_label("Type")).to_have_value("order.placed")
    page.get_by_role("link", name="order.placed").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sent")
    page.go_back()
    expect(page.get_by_label("Status")).to_have_value("published")
    page.reload()
    expect(page.get_by_label("Status")).to_have_value("published")
    page.get_by_role("link", name="Clear filters").click()
    expect(page).to_have_url(at(stack, "activity"))


def test_a_session_ends_for_every_tab(stack: Stack, page: Page, context: BrowserContext) -> None:
    other = context.new_page()
    other.goto(at(stack, "figures"))
    expect(other.get_by_role("heading", level=1)).to_have_text("Figures")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    other.reload()
    expect(other.get_by_role("heading", level=1)).to_have_text("Sign in")
    other.get_by_label("API key").fill(stack.local["api_key"])
    other.keyboard.press("Enter")
    expect(other.get_by_role("heading", level=1)).to_have_text("Figures")


def test_nothing_of_an_event_is_ever_markup(stack: Stack, unique: str, page: Page) -> None:
    event_id = f"{unique}{HOSTILE}"
    data = json.loads(json.dumps(sample("order.placed")["data"]).replace("Lucía", "<img src=x>"))
    send(stack, event_id, unique, data=data)
    page.get_by_label("Where is a message?").fill(unique)
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_text(event_id)).to_be_visible()
    look(page, 320)
    page.get_by_role("link", name="order.placed").click()
    expect(page.locator(".subject")).to_contain_text(event_id)
    look(page, 320)
    assert page.locator("img, main script").count() == 0
    assert "run" not in page.title().split(":")[0]


def test_it_works_by_keyboard_and_without_a_script(
    stack: Stack, unique: str, browser: Browser
) -> None:
    send(stack, unique, unique)
    with chromium.context(browser, java_script_enabled=False, locale="es") as context:
        page = context.new_page()
        page.goto(stack.local["api_url"] + "/console")
        page.get_by_label("Clave de la API").fill(stack.local["api_key"])
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Actividad")
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Ir al contenido")).to_be_focused()
        page.get_by_label("¿Dónde está un mensaje?").fill(unique)
        page.keyboard.press("Enter")
        expect(page.get_by_text("Su vida")).to_be_visible()
        expect(page.get_by_text("Se actualiza sola.")).to_be_hidden()


def test_the_api_may_pass_on_and_nothing_else(stack: Stack, unique: str) -> None:
    """A console that does not answer is told on a page; the API itself goes on."""
    functions = stack.client("lambda")
    name = "heraldo-local-console"
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    try:
        request = urllib.request.Request(at(stack, "activity"))
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=PATIENCE)
        assert refused.value.code == 503
        assert "The console does not answer" in refused.value.read().decode()
        assert stack.call("GET", "/health")[0] == 200
    finally:
        functions.delete_function_concurrency(FunctionName=name)


def test_what_is_written_is_shown_as_it_will_be_read_and_then_sent(
    stack: Stack, unique: str, page: Page
) -> None:
    page.get_by_role("link", name="Send").click()
    page.get_by_role("link", name="order.placed").click()
    page.get_by_label("Customer, by their id").fill(unique)
    page.get_by_label("E-mail").fill(f"{unique}@example.com")
    page.get_by_label("id", exact=True).fill(HOSTILE)
    mail = page.frame_locator("iframe").first
    expect(mail.get_by_text(HOSTILE).first).to_be_visible()
    expect(page.locator("#plan")).to_contain_text("because rule customers matches")
    assert page.locator("#plan ~ section img, #plan script").count() == 0
    page.get_by_label("total").fill("a lot")
    expect(page.get_by_text("money expects a number")).to_be_visible()
    sound(page)
    page.get_by_label("total").fill("640")
    expect(page.locator("#plan")).to_contain_text("because rule large-orders matches")
    failing = True
    page.route("**/send", lambda route: route.abort() if failing else route.continue_())
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("What you wrote is still here")
    failing = False
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sent")
    [delivered] = stack.received(lambda found: found.get("to") == f"{unique}@example.com")
    assert HOSTILE in delivered["message"]


def test_a_test_goes_to_whoever_writes_and_to_nobody_else(
    stack: Stack, unique: str, page: Page
) -> None:
    page.goto(at(stack, "send?type=order.placed"))
    page.get_by_label("Your address, for a test").fill(f"{unique}@example.com")
    page.get_by_role("button", name="Send it to myself").click()
    expect(page.get_by_role("status")).to_have_text("Sent: look at your mail.")
    [mail] = stack.received(lambda found: found.get("to") == f"{unique}@example.com")
    assert mail["subject"].startswith("[Test] ")
    sound(page)


def test_it_is_sent_without_a_script(stack: Stack, unique: str, browser: Browser) -> None:
    with chromium.context(browser, java_script_enabled=False, locale="en") as context:
        page = context.new_page()
        sign_in(stack, page)
        page.goto(at(stack, "send?type=order.placed"))
        page.get_by_label("Customer, by their id").fill(unique)
        page.get_by_role("button", name="Add another").click()
        expect(page.get_by_role("group", name="items 3", exact=True)).to_be_visible()
        page.get_by_role("button", name="Remove items 3").click()
        page.get_by_role("button", name="See the mail").first.click()
        expect(page.frame_locator("iframe").first.get_by_text("Hola, Lucía:")).to_be_visible()
        page.get_by_role("button", name="Try without sending").click()
        expect(page.get_by_text("Its life")).to_be_visible()
