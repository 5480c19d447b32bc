"""What an event says is text in its mail, whatever it says."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from chalicelib.words.mail import CLIPPED_BYTES
from chalicelib.words.render import RenderError, templates
from cli.paths import ROOT
from cli.words.layouts import LINKS
from cli.words.samples import sample
from tests import chromium
from tests.browser.mails import MAILS, WIDTHS, look

MARKUP = """</td></table><script>document.title = "run"</script><img src=x onerror="document.title='run'"> & " ' <b>x"""


def hostile(event_type: str, locale: str, text: str) -> tuple[Any, int]:
    """The sample with `text` in every field that takes it, and in how many that is."""
    found = sample(ROOT, event_type)
    taken = 0
    for path in list(leaves(found.data, ())):
        tried = dataclasses.replace(found, data=replaced(found.data, path, text))
        try:
            templates().render(tried, locale)
        except RenderError:  # a date, an amount, a link, or what cannot be that long
            continue
        found, taken = tried, taken + 1
    return found, taken


def leaves(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, str):
        yield path
    elif isinstance(value, (dict, list)):
        for at, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(inner, (*path, at))


def replaced(value: Any, path: tuple[Any, ...], text: str) -> Any:
    if not path:
        return text
    copy = value.copy()
    copy[path[0]] = replaced(value[path[0]], path[1:], text)
    return copy


@pytest.mark.parametrize(("event_type", "locale"), MAILS)
def test_markup_in_any_field_is_shown_as_it_was_written(
    browser: Browser, event_type: str, locale: str
) -> None:
    event, taken = hostile(event_type, locale, MARKUP)
    assert taken
    message = templates().render(event, locale)
    with chromium.context(browser) as context:
        page = context.new_page()
        page.set_content(templates().mail(message, LINKS).html)
        assert page.title() == message.subject
        assert page.locator("script, img, b").count() == 0
        assert MARKUP in " ".join(page.inner_text("body").split())
        for width in WIDTHS:
            look(page, width)


@pytest.mark.parametrize(("event_type", "locale"), MAILS)
def test_a_text_without_a_space_is_broken_not_cut(
    browser: Browser, event_type: str, locale: str
) -> None:
    event, _ = hostile(event_type, locale, "Wörter" * 100)
    made = templates().mail(templates().render(event, locale), LINKS).html
    assert len(made.encode()) < CLIPPED_BYTES
    with chromium.context(browser) as context:
        page = context.new_page()
        page.set_content(made)
        for width in WIDTHS:
            look(page, width)
