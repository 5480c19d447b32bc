"""The console's pages of words, rules, journeys and topics, in Chromium on the deployed package."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from playwright.sync_api import Page, expect

from tests.e2e.conftest import Stack, to
from tests.e2e.test_console import at, context, no_complaints, page
from tests.e2e.test_optout_pages import sound
from tests.factories import sample

__all__ = ["context", "no_complaints", "page"]


def test_every_page_of_words_and_rules_can_be_used_by_all(
    stack: Stack, unique: str, page: Page
) -> None:
    at_night = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    held = {**sample("order.placed"), **to(unique), "id": unique, "deliverat": at_night}
    assert stack.call("POST", "/events", held)[0] == 202
    for path, title in (
        ("types", "Words"),
        ("type?name=order.shipped&words=en", "order.shipped"),
        ("rules", "Rules"),
        ("journeys", "Journeys"),
        ("journey?name=critical-alert", "critical-alert"),
        ("held", "Held"),
        ("topics", "Topics"),
        ("topic?name=users", "users"),
    ):
        page.goto(at(stack, path))
        expect(page.get_by_role("heading", level=1)).to_have_text(title)
        for details in page.locator("main details").all():
            details.locator("summary").click()
        sound(page)


def test_a_mail_looks_in_its_frame_as_it_does_elsewhere(stack: Stack, page: Page) -> None:
    page.goto(at(stack, "types"))
    page.get_by_role("link", name="order.placed").click()
    mail = page.frame_locator("iframe")
    button = mail.get_by_role("link", name="See my order")
    expect(button).to_be_visible()
    assert button.evaluate("one => getComputedStyle(one).color") == "rgb(255, 255, 255)"
    page.get_by_role("link", name="company.es").click()
    expect(page.locator(".mail-subject")).to_contain_text("Pedido")


def test_a_journeys_page_shows_where_a_run_stands(stack: Stack, unique: str, page: Page) -> None:
    cart = {**sample("cart.abandoned"), **to(unique), "id": unique, "source": "local"}
    assert stack.call("POST", "/events", cart)[0] == 202
    stack.received(lambda d: d.get("to") == f"{unique}@example.com")

    def stands() -> bool:
        page.goto(at(stack, "journey?name=abandoned-cart"))
        run = page.get_by_role("listitem").filter(has_text=unique)
        return run.filter(has_text="WaitAnHour").is_visible()

    while not stands():  # the run begins in its own time, and says where it is once it is there
        pass
    run = page.get_by_role("listitem").filter(has_text=unique)
    expect(page.locator("svg.journey .standing").first).to_be_visible()
    sound(page)  # with the number of those who stand there, at the edge of the drawing
    run.get_by_role("link", name=unique).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sent")


def test_somebody_hears_a_topic_and_no_longer(stack: Stack, unique: str, page: Page) -> None:
    page.goto(at(stack, "topics"))
    page.get_by_role("link", name="company").click()
    page.get_by_label("Where").fill("eva")
    page.get_by_label("Only this type").select_option("order.*")
    page.get_by_role("button", name="Add").click()
    where = page.get_by_label("Where")
    expect(where).to_have_value("eva")
    expect(where).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_text("This is no e-mail address")).to_be_visible()
    expect(page.get_by_label("Only this type")).to_have_value("order.*")
    sound(page)
    where.fill(f"{unique}@shop.example")
    page.keyboard.press("Enter")
    heard = page.get_by_role("listitem").filter(has_text=f"{unique}@shop.example")
    expect(heard).to_contain_text("type order.*")
    page.reload()
    expect(heard).to_have_count(1)
    heard.get_by_text("Remove").first.click()
    heard.get_by_role("button", name=f"Yes, remove {unique}@shop.example").click()
    expect(page.get_by_role("status")).to_have_text("The subscription was removed.")
    expect(heard).to_have_count(0)
    page.goto(at(stack, "audit"))
    expect(page.get_by_text("Removed a subscription").first).to_be_visible()
