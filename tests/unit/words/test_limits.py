"""chalicelib/words/limits.py: SMS parts, subjects, sizes."""

import pytest

from chalicelib.words import limits


@pytest.mark.parametrize(
    ("text", "encoding", "parts", "forcing"),
    [
        ("", "GSM-7", 1, ()),
        ("a" * 160, "GSM-7", 1, ()),
        ("a" * 161, "GSM-7", 2, ()),
        ("a" * 306, "GSM-7", 2, ()),
        ("a" * 307, "GSM-7", 3, ()),
        ("€" * 80, "GSM-7", 1, ()),
        ("€" * 81, "GSM-7", 2, ()),
        ("¿Qué? ¡Año!", "GSM-7", 1, ()),
        ("Está", "UCS-2", 1, ("á",)),
        ("á" * 70, "UCS-2", 1, ("á",)),
        ("á" * 71, "UCS-2", 2, ("á",)),
        ("más día", "UCS-2", 1, ("á", "í")),
        ("📦" * 35, "UCS-2", 1, ("📦",)),
        ("📦" * 36, "UCS-2", 2, ("📦",)),
        # What takes two units is never torn across the border of two parts.
        ("a" * 152 + "€" + "b" * 152, "GSM-7", 3, ()),
        ("a" * 151 + "€" + "b" * 153, "GSM-7", 2, ()),
        ("]" * 153, "GSM-7", 3, ()),
        ("á" + "a" * 65 + "😀" + "b" * 66, "UCS-2", 3, ("á", "😀")),
    ],
)
def test_an_sms_is_counted_as_operators_count_it(
    text: str, encoding: str, parts: int, forcing: tuple[str, ...]
) -> None:
    sms = limits.sms(text)
    assert (sms.encoding, sms.parts, sms.forcing) == (encoding, parts, forcing)


@pytest.mark.parametrize(
    ("subject", "problem"),
    [
        ("Tu pedido", None),
        ("ñ" * 99, None),
        ("ñ" * 100, "100 characters"),
        ("", "empty"),
        ("a\nb", "line breaks"),
        ("a\u2028b", "line breaks"),
        ("a\x00b", "control"),
        ("a\x85b", "control"),
    ],
)
def test_a_subject_is_what_sns_takes(subject: str, problem: str | None) -> None:
    found = limits.subject_problem(subject)
    assert found is None if problem is None else problem in (found or "")


def test_a_size_is_in_bytes_and_counts_attributes() -> None:
    assert limits.size("ñ", "año", {"locale": "es"}) == 2 + 4 + len("localeStringes")
