"""Every shipped mail as its readers see it: on a phone and on a desk, by day and by night."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from chalicelib.words.render import templates
from cli.paths import ROOT
from cli.words.layouts import LINKS
from cli.words.samples import sample
from tests import chromium
from tests.browser.mails import MAILS, WIDTHS, look


@cache
def html(event_type: str, locale: str) -> str:
    message = templates().render(sample(ROOT, event_type), locale)
    return templates().mail(message, LINKS).html


@pytest.fixture(params=("light", "dark"))
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    with chromium.context(browser, color_scheme=request.param) as context:
        yield context.new_page()


# Not what axe asks of a page: a mail is read inside of one, which has its own landmarks and heading.
_OF_A_PAGE = ("landmark-one-main", "page-has-heading-one", "region")
_OF_A_MAIL = {"rules": {rule: {"enabled": False} for rule in _OF_A_PAGE}}


@pytest.mark.parametrize(("event_type", "locale"), MAILS)
def test_a_shipped_mail_is_read_at_every_width(page: Page, event_type: str, locale: str) -> None:
    page.set_content(html(event_type, locale))
    for width in WIDTHS:
        look(page, width)
        for button in page.locator("a.button").all():
            box = button.bounding_box()
            assert box is not None
            assert box["height"] >= 44, f"{width} px: a thumb needs 44"
            assert box["x"] >= 0 and box["x"] + box["width"] <= width
    broken = Axe().run(page, options=_OF_A_MAIL).response["violations"]
    assert not broken, [(b["id"], b["nodes"][0]["html"]) for b in broken]


def test_all_but_bare_notices_have_a_button() -> None:
    without = {t for t, locale in MAILS if 'class="button"' not in html(t, locale)}
    assert without == {"aws.alarm", "order.unpaid", "heraldo.verify"}
