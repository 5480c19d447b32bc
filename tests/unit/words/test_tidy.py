"""chalicelib/words/tidy.py: spaces, line breaks, what nobody sees and what costs a part."""

from __future__ import annotations

import pytest

from chalicelib.words import limits, tidy


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("  a \n\t b ", "a b"),
        ("a\rb\x85c\u2028d\u2029e\x0bf\x1cg", "a b c d e f g"),
        ("a\u00a0b\u202fc", "a b c"),
        # Nothing turns the rest of a subject around: "factura‮fdp.exe" would read "facturaexe.pdf".
        ("factura\u202efdp.exe", "facturafdp.exe"),
        ("a\u202a\u202b\u202c\u202d\u202eb\u2066\u2067\u2068\u2069c", "abc"),
        ("שלום\u200e 12", "שלום\u200e 12"),  # a mark belongs to what is written
        ("Inés 👩‍👩‍👧", "Inés 👩‍👩‍👧"),
    ],
)
def test_one_line_is_one_line_and_runs_one_way(text: str, line: str) -> None:
    assert tidy.one_line(text) == line


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"])  # fmt: skip
def test_every_line_break_of_unicode_is_one_in_a_body(line_break: str) -> None:
    assert tidy.body(f"Calle 1{line_break}Piso 2") == "Calle 1\nPiso 2"


def test_a_body_has_no_control_characters_and_no_runs_of_blank_lines() -> None:
    assert tidy.body("\n a\x00b\x7f\tc\n \n\n\n\nd\n") == "ab\tc\n\nd"


NFD = "el nin\u0303o"


@pytest.mark.parametrize(
    ("text", "sms"),
    [
        (NFD, "el niño"),
        ("a\u200bb\u200ec\ufeffd\u00ade", "abcde"),
        ("pago\u202efdp", "pagofdp"),
        (
            "Inés 👩‍👩‍👧 " + "x" * 70,
            "Inés 👩‍👩‍👧 " + "x" * 70,
        ),  # no part is saved: emoji stay whole
        ("3 d’abril", "3 d’abril"),  # nor here: it is one part either way
        ("3 d’abril" + "x" * 70, "3 d'abril" + "x" * 70),
        ("“Luz” – 2 × «Taza»…" + "x" * 70, '"Luz" - 2 x "Taza"...' + "x" * 70),
        ("’Está’" + "x" * 70, "’Está’" + "x" * 70),  # á costs the part, whatever stands beside it
        ("ok\u200d\ufe0f" + "x" * 70, "ok" + "x" * 70),
    ],
)
def test_an_sms_is_composed_and_typography_gives_way_where_it_costs_a_part(
    text: str, sms: str
) -> None:
    found = tidy.sms(text)
    assert found == sms
    assert limits.sms(found).parts <= limits.sms(text).parts


def test_a_body_that_goes_out_as_an_sms_keeps_its_lines_and_pays_for_no_typography() -> None:
    body = "Hola:\n\n12\u00a0€ – “ya”" + "x" * 70
    assert tidy.whole_sms(body) == 'Hola:\n\n12 € - "ya"' + "x" * 70
    assert tidy.whole_sms("Hola:\n\nya") == "Hola:\n\nya"


LONG = "x" * 70


@pytest.mark.parametrize(
    ("text", "parts", "sms"),
    [
        ("Está aquí, Íñigo" + LONG, 0, "Está aquí, Íñigo" + LONG),  # it may cost what it costs
        ("Está aquí", 1, "Está aquí"),  # it fits as it is
        ("Está aquí, Íñigo" + LONG, 2, "Está aquí, Íñigo" + LONG),
        ("Está aquí, Íñigo" + LONG, 1, "Esta aqui, Iñigo" + LONG),  # ñ is in GSM-7, Í is not
        ("José, ça va…" + LONG, 1, "José, ca va..." + LONG),
        ("Ærø Łódź" + LONG, 1, "Ærø Łódź" + LONG),  # Ł is no L with a mark: nothing is won
        ("Está 📦" + LONG, 1, "Está 📦" + LONG),  # nor here
        ("Está" + "x" * 160, 1, "Está" + "x" * 160),  # too long either way
    ],
)
def test_accents_give_way_only_where_an_sms_would_cost_more_than_it_may(
    text: str, parts: int, sms: str
) -> None:
    assert tidy.affordable(text, parts) == sms
