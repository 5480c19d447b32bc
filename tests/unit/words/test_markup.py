"""A text as HTML, and the looks that its tags are given."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.words.markup import BUTTON_CHARACTERS, FACT_CHARACTERS, from_text, styled

URL = "https://abedul.example/p/A-1042"
BUTTON = f'<a class="button" href="{URL}">'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hola", "<p>Hola</p>"),
        ("Uno\n\nDos", "<p>Uno</p>\n<p>Dos</p>"),
        ("Un saludo,\nAbedul", "<p>Un saludo,<br>Abedul</p>"),
        ("- uno\n- dos", "<ul>\n<li>uno</li>\n<li>dos</li>\n</ul>"),
        ("Esto:\n- uno\nY nada más", "<p>Esto:</p>\n<ul>\n<li>uno</li>\n</ul>\n<p>Y nada más</p>"),
        ("-uno", "<p>-uno</p>"),
        ("<b>&\"'", "<p>&lt;b&gt;&amp;&#34;&#39;</p>"),
    ],
)
def test_a_text_becomes_paragraphs_and_lists(text: str, expected: str) -> None:
    assert from_text(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"Ver mi pedido:\n{URL}", f"{BUTTON}Ver mi pedido</a>"),
        (f"Gracias.\nVer mi pedido:\n{URL}", f"<p>Gracias.</p>\n{BUTTON}Ver mi pedido</a>"),
        (f"{'x' * BUTTON_CHARACTERS}:\n{URL}", f"{BUTTON}{'x' * BUTTON_CHARACTERS}</a>"),
        # A second one is a link: a mail has one thing to do.
        (
            f"Ver:\n{URL}\n\nPagar:\n{URL}",
            f'{BUTTON}Ver</a>\n<p><a href="{URL}">Pagar</a></p>',
        ),
        (f"Ver:\n{URL}\nPagar:\n{URL}", f'{BUTTON}Ver</a>\n<p><a href="{URL}">Pagar</a></p>'),
    ],
)
def test_a_short_line_before_a_url_is_a_button(text: str, expected: str) -> None:
    assert from_text(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        f"{'x' * (BUTTON_CHARACTERS + 1)}:\n{URL}",  # too long for a button
        f"Aquí\n{URL}",
        f"Aquí:\n\n{URL}",
        f"Aquí:\n{URL} y más",
        f"- Aquí:\n{URL}",
        "Aquí:\njavascript:alert(1)",
        "Aquí:\nftp://abedul.example",
    ],
)
def test_anything_else_before_a_url_is_none(text: str) -> None:
    assert "button" not in from_text(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (URL, f'<a href="{URL}">abedul.example/p/A-1042</a>'),
        ("En https://a.example/.", 'En <a href="https://a.example/">a.example</a>.'),
        (
            "(https://a.example/x?y=1&z=2)",
            '(<a href="https://a.example/x?y=1&amp;z=2">a.example/x?y=1&amp;z=2</a>)',
        ),
        ("«https://a.example/x».", '«<a href="https://a.example/x">a.example/x</a>».'),
        ('"https://a.example/x"', '&#34;<a href="https://a.example/x">a.example/x</a>&#34;'),
        ("<https://a.example/x>", '&lt;<a href="https://a.example/x">a.example/x</a>&gt;'),
        ("a hola@a.example.", 'a <a href="mailto:hola@a.example">hola@a.example</a>.'),
        ("javascript://a.example", "javascript://a.example"),
        ("@abedul", "@abedul"),
    ],
)
def test_addresses_in_a_text_are_links(text: str, expected: str) -> None:
    assert from_text(text) == f"<p>{expected}</p>"


def test_lines_with_a_name_before_a_colon_are_facts() -> None:
    fact = '<tr><th class="fact" scope="row">{}</th><td class="fact">{}</td></tr>'
    assert from_text("Envío: 4,95 €\nTotal: 119,85 €\nGracias").split("\n") == [
        '<table class="facts">',
        fact.format("Envío", "4,95 €"),
        fact.format("Total", "119,85 €"),
        "</table>",
        "<p>Gracias</p>",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Total: 119,85 €",
        "Total: 119,85 €\nGracias",
        "A las 10:30\nA las 11:30",
        f"{'x' * (FACT_CHARACTERS + 1)}: 1\n{'y' * (FACT_CHARACTERS + 1)}: 2",
    ],
)
def test_a_single_line_with_a_colon_is_a_sentence(text: str) -> None:
    assert "<table" not in from_text(text)


LINES = st.lists(
    st.one_of(
        st.text(max_size=20).map(lambda text: " ".join(text.split())),
        st.sampled_from(
            ["", "", "- x", "Aquí:", URL, "https://a.example/:", "a: b", "c: d:", "<b>"]
        ),
    ),
    max_size=12,
)


@given(LINES)
def test_every_text_becomes_html_that_says_the_same(lines: list[str]) -> None:
    """But for what lists, facts, buttons and links show otherwise: "- ", ":", "https://"."""
    text = re.sub(r"\n\n+", "\n\n", "\n".join(lines)).strip("\n")
    said = html.unescape(re.sub(r"<[^<>]*>", "", from_text(text)))
    shown = r"https?://|(?m:^- )|[\s:/]"
    without_urls = text.replace(URL, "").replace("https://a.example/:", "")
    kept = re.sub(shown, "", said).replace("abedul.examplepA-1042", "").replace("a.example", "")
    assert kept == re.sub(shown, "", without_urls)


RULES = "p { margin: 0 } td, th { padding: 8px } td.amount { text-align: right } a.button { color: #fff }"


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>x</p>", '<p style="margin: 0">x</p>'),
        ("<b>x</b>", "<b>x</b>"),
        ("<td>x</td>", '<td style="padding: 8px">x</td>'),
        ('<td class="amount">', '<td class="amount" style="text-align: right">'),
        ('<td class="else">', '<td class="else" style="padding: 8px">'),
        ('<p style="margin: 9px">', '<p style="margin: 9px">'),
        ('<p title="a > b">', '<p title="a > b" style="margin: 0">'),
        ("a < p > b", "a < p > b"),
        (
            '<a class="button" href="u">x</a>',
            '<table class="button" border="0" cellpadding="0" cellspacing="0" role="presentation"><tr>'
            '<td class="button" style="padding: 8px"><a class="button" href="u" style="color: #fff">x</a>'
            "</td></tr></table>",
        ),
    ],
)
def test_rules_are_written_into_the_tags_that_they_are_about(html: str, expected: str) -> None:
    assert styled(html, RULES) == expected
