"""chalicelib/console/words.py: every word in every language, and one for all that the ledger may say."""

from __future__ import annotations

import importlib
import re

import pytest

from chalicelib.console.activity import KINDS
from chalicelib.console.visit import link, say
from chalicelib.console.words import WORDS
from chalicelib.plan import journeys, reach, timing
from chalicelib.plan.fate import TEST_KEY
from chalicelib.plan.gathering import RESOLVED
from chalicelib.store.audit import VERBS
from chalicelib.store.run import RUNNING, STOPPED
from chalicelib.store.statuses import RECEIPTS, STATUSES
from cli.paths import ROOT

PAGES = ROOT / "chalicelib" / "console" / "pages"
SAID = {
    *(f"{start}.{status}" for status in STATUSES for start in ("status", "about")),
    *(f"{start}.{kind}" for kind in RECEIPTS for start in ("receipt", "told")),
    *(f"audit.{what}" for what in VERBS),
    *(f"why.{reason}" for reason in (*reach.REASONS, *timing.WHY_HELD)),
    *(f"why.{reason}" for reason in (journeys.ENDED, RUNNING, STOPPED, RESOLVED, TEST_KEY)),
}


def test_each_language_says_the_same_things_and_fills_the_same_places() -> None:
    first, *others = WORDS.values()
    for other in others:
        assert other.keys() == first.keys()
        for name, text in first.items():
            assert re.findall(r"{\w+}", text) == re.findall(r"{\w+}", other[name]), name


def test_no_page_takes_a_word_from_another() -> None:
    """What is said of one page in a module of its own means the same wherever it is said."""
    said: dict[tuple[str, str], str] = {}
    for file in sorted(PAGES.parent.glob("words*.py")):
        module = importlib.import_module(f"chalicelib.console.{file.stem}")
        for language, own in getattr(module, "_WORDS", module.WORDS).items():
            for name, text in own.items():
                assert said.setdefault((language, name), text) == text, f"{file.name}: {name}"


def test_there_are_words_for_all_that_the_ledger_may_say() -> None:
    for words in WORDS.values():
        assert words.keys() >= SAID


def test_whoever_looks_at_many_sees_of_each_status_what_it_comes_to() -> None:
    assert KINDS.keys() == STATUSES.keys()


def test_a_page_uses_words_that_there_are() -> None:
    asked = {
        name
        for file in PAGES.glob("*.j2")
        for name in re.findall(r"""word\(["']([\w.]+)["']\s*[,)]""", file.read_text("utf-8"))
    }
    assert len(asked) > 40
    assert asked <= WORDS["en"].keys()


@pytest.mark.parametrize(
    ("query", "address"),
    [
        ({}, "event"),
        ({"id": "a/b c", "source": ""}, "event?id=a%2Fb%20c"),
        ({"id": '"><script>'}, "event?id=%22%3E%3Cscript%3E"),
    ],
)
def test_a_link_holds_whatever_it_is_given(query: dict[str, str], address: str) -> None:
    assert link("event", **query) == address


def test_a_place_is_filled() -> None:
    assert say("en", "sent_to", n=1, all=2) == "Sent to 1 of 2."
