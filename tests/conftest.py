"""How Hypothesis runs here, and the one Chromium for all tests of pages and mails."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.patience import PATIENCE

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# The same examples every time, unless somebody goes looking for more: HERALDO_RANDOM=1 make test.
settings.register_profile("heraldo", derandomize="HERALDO_RANDOM" not in os.environ, database=None)
settings.load_profile("heraldo")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    # Most tests look at nothing.
    from playwright.sync_api import expect, sync_playwright

    from tests import chromium

    found = chromium.find()
    if found is None:
        pytest.fail(chromium.MISSING, pytrace=False)
    # Its five seconds are short for functions that start on a machine under load.
    expect.set_options(timeout=PATIENCE * 1000)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=chromium.QUIET)
        yield started
        started.close()
