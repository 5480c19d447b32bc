"""chalicelib/words/render.py: an event becomes words, and whatever does not render says why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chalicelib.errors import PermanentError
from chalicelib.events.event import parse
from chalicelib.words.render import Message, RenderError, Templates

LAYOUT = "{% set shop = 'Abedul' %}\nHola, {{ name }}:\n\n{% block body %}{% endblock +%}\n\nAdiós"


def render(tmp_path: Path, template: str, locale: str | None = None, **data: Any) -> Message:
    write(tmp_path, "order.shipped/es.j2", template)
    raw = {"type": "order.shipped", "id": "1", "source": "s", "recipient": "c", "data": data}
    return Templates(tmp_path).render(parse(raw), locale)


def write(root: Path, name: str, text: str) -> None:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def blocks(subject: str = "S", body: str = "B", more: str = "") -> str:
    return f"{{% block subject %}}{subject}{{% endblock %}}{{% block body %}}{body}{{% endblock %}}{more}"


def test_a_file_without_a_layout_gives_its_body_block(tmp_path: Path) -> None:
    message = render(tmp_path, blocks("Pedido {{ n }}", "Hola\n\n{{ n }}"), n=7)
    assert (message.subject, message.bodies) == ("Pedido 7", {"default": "Hola\n\n7"})


def test_a_layout_is_around_the_body_and_its_settings_reach_every_block(tmp_path: Path) -> None:
    write(tmp_path, "_layouts/p.j2", LAYOUT)
    sms = "{% block sms %}{{ shop }}: {{ n }}{% endblock %}"
    template = '{% extends "_layouts/p.j2" %}' + blocks("{{ shop }}", "\nTu pedido.\n", sms)
    message = render(tmp_path, template, name="Lucía", n=7)
    assert message.subject == "Abedul"
    assert message.bodies == {"default": "Hola, Lucía:\n\nTu pedido.\n\nAdiós", "sms": "Abedul: 7"}


def test_a_push_block_becomes_what_apple_and_google_want(tmp_path: Path) -> None:
    message = render(tmp_path, blocks(more="{% block push %}¡Ya está!{% endblock %}"))
    alert = {"title": "S", "body": "¡Ya está!"}
    fcm = {"fcmV1Message": {"message": {"notification": alert}}}
    assert json.loads(message.bodies["GCM"]) == fcm
    assert json.loads(message.bodies["APNS"]) == {"aps": {"alert": alert}}


@pytest.mark.parametrize(
    "value", ["a\nb", "a\r\nBcc: x@y.es", "a\u2028b", "a\x00b", "a\x85b", "  a \t b  "]
)
def test_data_never_puts_a_line_break_into_a_subject(tmp_path: Path, value: str) -> None:
    subject = render(tmp_path, blocks("{{ v }}"), v=value).subject
    assert subject.isprintable()
    assert subject.startswith("a ")


@pytest.mark.parametrize("value", ["{{ 7*7 }}", "{% for x in y %}", "{# x #}", "{{ event.data }}"])
def test_data_never_becomes_a_template(tmp_path: Path, value: str) -> None:
    message = render(tmp_path, blocks("{{ v }}", "{{ v }}"), v=value)
    assert (message.subject, message.bodies["default"]) == (value, value)


def test_accents_and_emoji_survive(tmp_path: Path) -> None:
    words = "¿Qué tal, señor Núñez? 🛒 — 12 €"
    assert render(tmp_path, blocks(body="{{ v }}"), v=words).bodies["default"] == words


def test_keys_of_the_data_win_over_methods(tmp_path: Path) -> None:
    assert render(tmp_path, blocks("{{ o.items }}"), o={"items": 3}).subject == "3"


@pytest.mark.parametrize(
    ("template", "data", "reason", "said"),
    [
        (blocks("{{ n }}"), {}, "missing-data", "n is missing"),
        (blocks("{{ o.id }}"), {"o": {}}, "missing-data", "o.id is missing"),
        (blocks("{{ o.id }}"), {"o": None}, "missing-data", "o"),
        (blocks("{{ n"), {}, "template", "es.j2:1"),
        ("{% block body %}x{% endblock %}", {}, "template", "no block subject"),
        ("{% block subject %}x{% endblock %}", {}, "template", "no block body"),
        ('{% extends "_layouts/none.j2" %}' + blocks(), {}, "template", "_layouts/none.j2"),
        (blocks("{{ n|munny }}"), {"n": 1}, "template", "munny"),
        (blocks("{{ ''.__class__ }}"), {}, "template", "sandbox"),
        (blocks("{% set o.x = 1 %}x"), {"o": {}}, "template", "attribute"),
        (blocks("{{ n|money }}"), {"n": "mucho"}, "wrong-data", "money"),
        (blocks("{{ n + 1 }}"), {"n": "x"}, "wrong-data", "a text and a number cannot be added"),
        (blocks("{{ n }}"), {"n": "x" * 100}, "subject", "100 characters"),
        (blocks(" "), {}, "subject", "empty"),
        (
            blocks(more="{% block sms %}{{ n }}{% endblock %}"),
            {"n": "x" * 1601},
            "sms-too-long",
            "1600",
        ),
        (
            blocks("{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}"),
            {},
            "too-large",
            "work",
        ),
        ("{% macro m() %}{{ m() }}{% endmacro %}" + blocks("{{ m() }}"), {}, "too-large", "end"),
    ],
)
def test_what_does_not_render_is_told_with_its_template(
    tmp_path: Path, template: str, data: dict[str, Any], reason: str, said: str
) -> None:
    with pytest.raises(RenderError) as caught:
        render(tmp_path, template, **data)
    assert caught.value.reason == reason
    assert said in str(caught.value)
    assert "templates/order.shipped/es.j2" in str(caught.value)


def test_an_error_shows_no_value(tmp_path: Path) -> None:
    with pytest.raises(RenderError) as caught:
        render(tmp_path, blocks("{{ n + 1 }}{{ secret }}"), n="secreto", secret="secreto")
    assert "secreto" not in str(caught.value)


@pytest.mark.parametrize(
    ("wanted", "there", "found"),
    [
        ("es-MX-u-mu-celsius", "es en", "es"),
        ("es-MX-u-mu-celsius", "es es-MX", "es-MX"),
        ("es_MX", "es es-MX en", "es-MX"),
        ("es-MX", "es es-419 en", "es-419"),
        ("es-ES", "es es-419 en", "es"),
        ("es-419", "es en", "es"),
        ("zh-Hant-TW", "es zh-Hant", "zh-Hant"),
        ("zh-TW", "es zh zh-Hant", "zh-Hant"),
        ("zh-HK", "es zh-Hant", "zh-Hant"),
        ("zh-CN", "es zh zh-Hant", "zh"),
        ("zh-Hant-TW", "es zh", "zh"),
        ("pt-AO", "es pt pt-PT", "pt-PT"),
        ("pt-BR", "es pt pt-PT", "pt"),
        ("en-AU", "es en-GB", "es"),
        ("en-AU", "es en-001 en", "en-001"),
        ("nb-NO", "es no", "no"),
        ("ca-ES-valencia", "es ca", "ca"),
        ("fr-x-private", "es en", "es"),
    ],
)
def test_a_locale_falls_back_to_its_parents_as_cldr_has_them(
    tmp_path: Path, wanted: str, there: str, found: str
) -> None:
    for locale in there.split():
        write(tmp_path, f"a.b/{locale}.j2", blocks())
    assert Templates(tmp_path).words_for("a.b", wanted) == found


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("es", "es"),
        ("es-AR", "es"),
        ("es_MX", "es"),
        ("ES", "es"),
        ("en-GB", "en-GB"),
        ("EN-gb", "en-GB"),
        ("en-US", "es"),
        ("fr", "es"),
        (None, "es"),
    ],
)
def test_a_locale_falls_back_to_its_language_and_then_to_the_default(
    tmp_path: Path, wanted: str | None, found: str
) -> None:
    for locale in ("es", "en-GB"):
        write(tmp_path, f"a.b/{locale}.j2", blocks())
    assert Templates(tmp_path).words_for("a.b", wanted) == found


@pytest.mark.parametrize(
    ("there", "wanted", "audience", "found"),
    [
        ("es en company.es", "es", "", "es"),
        ("es en company.es", "es", "company", "company.es"),
        ("es en company.es", "en", "company", "company.es"),
        ("es en company.es company.en", "en-GB", "company", "company.en"),
        ("es en company.en", None, "company", "company.en"),
        ("es en company.es", "en", "press", "en"),
        ("es en", "en", "company", "en"),
    ],
)
def test_an_audience_gets_its_own_words_where_a_type_has_them(
    tmp_path: Path, there: str, wanted: str | None, audience: str, found: str
) -> None:
    for words in there.split():
        write(tmp_path, f"a.b/{words}.j2", blocks())
    templates = Templates(tmp_path)
    assert templates.words_for("a.b", wanted, audience) == found
    assert set(templates.locales("a.b")) == {"es", "en"}
    message = templates.render(parse({"type": "a.b", "id": "1", "source": "s", "data": {}}), found)
    assert (message.words, message.locale) == (found, found.removeprefix("company."))


def test_an_unknown_type_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match=r"no event type a\.b"):
        Templates(tmp_path).words_for("a.b", "es")


def test_the_version_changes_with_the_words_and_with_what_is_shared(tmp_path: Path) -> None:
    write(tmp_path, "_layouts/p.j2", LAYOUT)
    write(tmp_path, "a.b/es.j2", blocks())

    def version() -> str:
        return Templates(tmp_path).version("a.b/es.j2")

    first = version()
    assert version() == first
    write(tmp_path, "_layouts/p.j2", LAYOUT + "!")
    second = version()
    write(tmp_path, "a.b/es.j2", blocks("T"))
    assert len({first, second, version()}) == 3
