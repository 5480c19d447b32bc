"""chalicelib/store/tokens.py: what stands behind the links of a mail, and cannot be made up."""

from __future__ import annotations

import pytest

from chalicelib.store.tokens import CHARACTERS, DAYS, Grant, TokenError, read, sign

NEW, OLD, OTHER = (bytes([n]) * 32 for n in (1, 2, 3))
NOW = 1_700_000_000.0
GRANT = Grant("person:cliente-ñ", "promotions", "email", "es-AR")


def test_a_token_says_what_was_signed() -> None:
    assert read((NEW,), sign((NEW,), GRANT, NOW), NOW) == GRANT


def test_a_key_that_was_replaced_is_still_believed_and_one_that_was_forgotten_is_not() -> None:
    token = sign((OLD,), GRANT, NOW)
    assert read((NEW, OLD), token, NOW) == GRANT
    with pytest.raises(TokenError):
        read((NEW, OTHER), token, NOW)


def test_no_character_of_it_can_be_another() -> None:
    token = sign((NEW,), GRANT, NOW)
    for at, found in enumerate(token):
        other = "B" if found == "A" else "A"
        for altered in (token[:at] + other + token[at + 1 :], token[:at] + token[at + 1 :]):
            with pytest.raises(TokenError):
                read((NEW,), altered, NOW)


def test_every_bit_of_the_end_counts() -> None:
    """The last character of base64 has bits that decode to nothing."""
    token = sign((NEW,), GRANT, NOW)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    good = [a for a in alphabet if _reads(token[:-1] + a)]
    assert good == [token[-1]]


def _reads(token: str) -> bool:
    try:
        read((NEW,), token, NOW)
    except TokenError:
        return False
    return True


@pytest.mark.parametrize(
    "token", ["", ".", "a", "a.b", "é.é", "=.=", "A" * 5000, "..", "WyJ4Il0.", "%00.%00", "a b.c"]
)
def test_what_is_no_token_is_none(token: str) -> None:
    with pytest.raises(TokenError) as refused:
        read((NEW,), token, NOW)
    assert not refused.value.is_old


def test_after_its_time_it_is_too_old() -> None:
    token = sign((NEW,), GRANT, NOW)
    assert read((NEW,), token, NOW + DAYS * 86_400) == GRANT
    with pytest.raises(TokenError) as refused:
        read((NEW,), token, NOW + (DAYS + 1) * 86_400)
    assert refused.value.is_old
    assert refused.value.locale == "es-AR"


def test_what_would_not_fit_into_a_header_is_no_token() -> None:
    token = sign((NEW,), Grant("person:" + "x" * 256, "promotions", "email", "es"), NOW)
    assert 0 < len(token) <= CHARACTERS
    assert sign((NEW,), Grant("person:" + "ñ" * 400, "promotions", "email", "es"), NOW) == ""
