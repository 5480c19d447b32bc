"""chalicelib/console/session.py: who is let in by a cookie, and which forms are a session's own."""

from __future__ import annotations

import pytest

from chalicelib.console import session

NEW, OLD, OTHER = b"n" * 32, b"o" * 32, b"x" * 32
HASH = "ab" * 32
NOW = 1_800_000_000.0


def test_a_cookie_is_good_for_a_working_day() -> None:
    cookie = session.sign([NEW, OLD], HASH, NOW)
    assert session.read([NEW, OLD], cookie, NOW + session.SECONDS - 1) == HASH
    assert session.read([NEW, OLD], cookie, NOW + session.SECONDS) == ""


def test_one_that_was_signed_before_a_rotation_is_believed_and_a_forgers_is_not() -> None:
    before = session.sign([OLD], HASH, NOW)
    assert session.read([NEW, OLD], before, NOW) == HASH
    assert session.read([NEW, OLD], session.sign([OTHER], HASH, NOW), NOW) == ""


@pytest.mark.parametrize(
    "change",
    [
        lambda cookie: "",
        lambda cookie: cookie[:-1],
        lambda cookie: cookie.replace("ab", "cd", 1),
        lambda cookie: cookie.replace(".18", ".19", 1),
        lambda cookie: "é" + cookie[1:],
        lambda cookie: cookie.rpartition(".")[0],
        lambda cookie: "." * 200,
    ],
)
def test_nothing_of_it_can_be_changed(change: object) -> None:
    cookie = session.sign([NEW], HASH, NOW)
    assert callable(change)
    assert session.read([NEW], change(cookie), NOW) == ""


def test_a_form_is_of_its_session_alone() -> None:
    mine, other = session.sign([NEW], HASH, NOW), session.sign([NEW], HASH, NOW + 1)
    token = session.form_token([NEW], mine)
    assert session.is_form_token([NEW], mine, token)
    assert session.is_form_token([OTHER, NEW], mine, token)
    assert not session.is_form_token([NEW], other, token)
    assert not session.is_form_token([OTHER], mine, token)
    assert not session.is_form_token([NEW], mine, "")
    assert not session.is_form_token([NEW], mine, "ñ")


def test_what_signs_a_session_signs_no_form_and_no_link() -> None:
    cookie = session.sign([NEW], HASH, NOW)
    assert session.form_token([NEW], cookie) not in cookie
