"""A message as an e-mail: its text, and the HTML that is made of it, or of block html."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from chalicelib.events.event import parse
from chalicelib.words.mail import PREVIEW_CHARACTERS, Links, Mail, preview
from chalicelib.words.render import RenderError, Templates

LINKS = Links(unsubscribe="https://a.example/u/1", preferences="https://a.example/p/1")
FILES: Mapping[str, str] = {
    "_layouts/shop.j2": '{% set name = "Abedul & Co." %}{% set url = "https://abedul.example" %}',
    "_layouts/personal.j2": '{% import "_layouts/shop.j2" as shop %}\n'
    "{% macro bold(text) %}*{{ text }}*{% endmacro %}"
    "Hola, {{ name }}:\n\n{% block body %}{% endblock +%}\n\nUn saludo,\n{{ shop.name }}\n{{ shop.url }}",
    "_mail/layout.j2": "{% set content = content|styled('p { margin: 0 }') %}{{ subject }}|{{ preview }}"
    "|{{ content }}|{{ shop.name }}{% for words, url in links %}|{{ words }} {{ url }}{% endfor %}",
    "_mail/es.j2": '{% set preferences = "Elegir" %}{% set unsubscribe = "Baja" %}',
    "_mail/en.j2": '{% set preferences = "Choose" %}{% set unsubscribe = "Stop" %}',
}
SUBJECT = "{% block subject %}Tu <pedido>{% endblock %}"
PERSONAL = '{% extends "_layouts/personal.j2" %}' + SUBJECT
BODY = "{% block body %}Gracias{% endblock %}"


def mail(
    folder: Path,
    template: str,
    links: Links = LINKS,
    locale: str = "es",
    files: Mapping[str, str] = FILES,
    **data: Any,
) -> Mail:
    for name, text in {**files, f"a.b/{locale}.j2": template}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    templates = Templates(folder)
    return templates.mail(templates.render(parse({"type": "a.b", "data": data}), locale), links)


def test_a_text_is_laid_out_and_its_signature_left_to_the_foot(tmp_path: Path) -> None:
    made = mail(tmp_path, PERSONAL + BODY, Links(), name="<Lucía>")
    text = "Hola, <Lucía>:\n\nGracias\n\nUn saludo,\nAbedul & Co.\nhttps://abedul.example"
    assert made.text == text
    assert made.html == (
        "Tu &lt;pedido&gt;|Gracias Un saludo, Abedul &amp; Co. https://abedul.example|"
        '<p style="margin: 0">Hola, &lt;Lucía&gt;:</p>\n<p style="margin: 0">Gracias</p>\n'
        '<p style="margin: 0">Un saludo,<br>Abedul &amp; Co.</p>|Abedul &amp; Co.'
    )


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ("Abedul & Co.\nhttps://abedul.example", "<p>Gracias</p>"),
        ("https://abedul.example", "<p>Gracias</p>"),
        ("Adiós,\nhttps://abedul.example", "<p>Gracias</p>\n<p>Adiós,</p>"),
        # What leads to the shop is no signature.
        ("Entra:\nhttps://abedul.example", '<p>Gracias</p>\n<a class="button" href="https://abedul.example">Entra</a>'),
        ("Adiós,\nAbedul", "<p>Gracias</p>\n<p>Adiós,<br>Abedul</p>"),
    ],
)  # fmt: skip
def test_what_ends_in_the_shops_address_is_a_signature(tmp_path: Path, end: str, said: str) -> None:
    template = SUBJECT + f"{{% block body %}}Gracias\n\n{end}{{% endblock %}}"
    plain = {**FILES, "_mail/layout.j2": "{{ content }}"}
    assert mail(tmp_path, template, files=plain).html == said


@pytest.mark.parametrize(
    ("links", "locale", "text", "foot"),
    [
        (Links(), "es", "", ""),
        (LINKS, "es", "\n\nElegir: https://a.example/p/1\nBaja: https://a.example/u/1",
         "|Elegir https://a.example/p/1|Baja https://a.example/u/1"),
        (Links(unsubscribe="https://a.example/u"), "es-MX", "\n\nBaja: https://a.example/u",
         "|Baja https://a.example/u"),
        (Links(preferences="https://a.example/p"), "en", "\n\nChoose: https://a.example/p",
         "|Choose https://a.example/p"),
        # A language without words of its own has those of the default.
        (Links(preferences="https://a.example/p"), "ca", "\n\nElegir: https://a.example/p",
         "|Elegir https://a.example/p"),
    ],
)  # fmt: skip
def test_links_stand_at_the_foot_in_the_mails_language(
    tmp_path: Path, links: Links, locale: str, text: str, foot: str
) -> None:
    made = mail(tmp_path, SUBJECT + BODY, links, locale)
    assert made.text == f"Gracias{text}"
    assert made.html.partition("|Abedul &amp; Co.")[2] == foot


def test_block_email_is_what_a_mail_says(tmp_path: Path) -> None:
    made = mail(tmp_path, SUBJECT + BODY + "{% block email %}Otra cosa{% endblock %}", Links())
    assert made.text == "Otra cosa"
    assert '<p style="margin: 0">Otra cosa</p>' in made.html


def test_without_a_layout_a_mail_is_its_text(tmp_path: Path) -> None:
    made = mail(tmp_path, SUBJECT + BODY, files={})
    assert made == Mail("Gracias\n\nhttps://a.example/p/1\nhttps://a.example/u/1", "")


# -- block html ------------------------------------------------------------------------------------


def html(text: str) -> str:
    return PERSONAL + BODY + f"{{% block html %}}{text}{{% endblock %}}"


def test_block_html_stands_where_the_layout_has_the_body(tmp_path: Path) -> None:
    made = mail(tmp_path, html("<h2>{{ what }}</h2>"), name="R&D", what="<b>")
    assert made.text.startswith("Hola, R&D:\n\nGracias\n\nUn saludo")
    assert made.html.split("|")[2] == (
        '<p style="margin: 0">Hola, R&amp;D:</p>\n<h2>&lt;b&gt;</h2>\n'
        '<p style="margin: 0">Un saludo,<br>Abedul &amp; Co.</p>'
    )


def test_block_html_without_a_layout_is_all_that_there_is(tmp_path: Path) -> None:
    template = SUBJECT + BODY + "{% block html %}<h2>{{ what }}</h2>{% endblock %}"
    assert mail(tmp_path, template, what="x").html.split("|")[2] == "<h2>x</h2>"


@pytest.mark.parametrize(
    "expression",
    [
        "{{ v }}",
        "{{ v|upper|lower }}",
        "{{ v|truncate(40) }}",
        "{{ v ~ '' }}",
        "{{ [v]|join(', ') }}",
        "{{ '%s'|format(v) }}",
        "{{ '{}'.format(v) }}",
        "{{ [v]|listed }}",
        "{{ 1|plural(v, v) }}",
        "{% set x %}{{ v }}{% endset %}{{ x }}",
        "{% macro m(x) %}{{ x }}{% endmacro %}{{ m(v) }}",
        "{{ w }}",
        "{{ bold(v) }}",
        "{{ l.bold(v) }}",
        "{% filter lower %}{{ v }}{% endfilter %}",
        "{{ self.body() }}",
        "{% for x in [v] %}{{ x }}{% endfor %}",
        "{{ v|replace('x', v) }}",
        "{{ none|default(v, true) }}",
        "{{ v if v else '' }}",
        "{{ event.subject }}",
    ],
)
def test_whatever_is_printed_in_html_is_escaped(tmp_path: Path, expression: str) -> None:
    head = '{% extends "_layouts/personal.j2" %}{% import "_layouts/l.j2" as l with context %}'
    head += '{% from "_layouts/l.j2" import bold %}{% set w = v %}'
    body = "{% block body %}{{ v }}{% endblock %}"
    files = {**FILES, "_layouts/l.j2": "{% macro bold(text) %}{{ text }}{% endmacro %}"}
    template = f"{head}{SUBJECT}{body}{{% block html %}}[{expression}]{{% endblock %}}"
    for name, text in {**files, "a.b/es.j2": template}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    hostile = "<script>x</script>"
    event = parse({"type": "a.b", "subject": hostile, "data": {"name": "n", "v": hostile}})
    templates = Templates(tmp_path)
    said = templates.mail(templates.render(event, "es")).html
    assert "<script" not in said
    assert "&lt;script&gt;x&lt;/script&gt;" in said


def test_the_text_of_a_type_with_block_html_is_not_escaped(tmp_path: Path) -> None:
    template = (
        PERSONAL + "{% block body %}{{ v }}{% endblock %}{% block html %}{{ v }}{% endblock %}"
    )
    made = mail(tmp_path, template, name="n", v="<b>")
    assert "<b>" in made.text
    assert "&lt;b&gt;" in made.html


@pytest.mark.parametrize(
    ("inside", "told"),
    [
        ("\n{{ gone }}", "data.gone is missing (a.b/es.j2:2)"),
        ("\n{{ v }}", "data.v is null (a.b/es.j2:2)"),
        ("{{ o }}", "data.o is an object: print one of its fields (a.b/es.j2:1)"),
        ("{{ o.p|money }}", "data.o.p money expects a number such as 19.9, not a list (a.b/es.j2:1)"),
        ("{% for i in range(9999) %}{% for i in range(9999) %}{% endfor %}{% endfor %}",
         "None the template does too much work: over 100,000 loop turns, macro calls and filters (a.b/es.j2:1)"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_block_html_is_told_with_its_field(
    tmp_path: Path, inside: str, told: str
) -> None:
    with pytest.raises(RenderError) as caught:
        mail(tmp_path, html(inside), name="n", v=None, o={"p": []})
    first = caught.value.first
    assert f"{first.field} {first.problem} ({first.place})" == told


def test_a_field_that_is_empty_in_block_html_alone_is_told(tmp_path: Path) -> None:
    for name, text in {**FILES, "a.b/es.j2": html("{{ v }}")}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    event = parse({"type": "a.b", "data": {"name": "n", "v": ""}})
    templates = Templates(tmp_path)
    assert templates.render(event, "es").gaps
    assert [gap.field for gap in templates.gaps(event, "es")] == ["data.v"]


# -- what an inbox shows ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Hola, Lucía:\n\nTu pedido va de camino.", "Tu pedido va de camino."),
        ("Hi Lucía,\n\nYour order\nis on its way.", "Your order is on its way."),
        ("Tu pedido va de camino.\n\nAdiós", "Tu pedido va de camino. Adiós"),
        ("Hola:", "Hola:"),
        (f"Hola:\n\n{'x' * 500}", "x" * (PREVIEW_CHARACTERS - 1) + "…"),
        ("", ""),
    ],
)
def test_an_inbox_shows_what_comes_after_the_greeting(text: str, shown: str) -> None:
    assert preview(text) == shown
