"""The template filters, called as a template calls them."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import jinja2
import pytest

from chalicelib.words.environment import make_environment
from chalicelib.words.filters import FILTERS, FilterError

ENVIRONMENT = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)
ENVIRONMENT.filters.update(FILTERS)


def written(expression: str, value: object = None, locale: str = "es", **more: Any) -> str:
    template = ENVIRONMENT.from_string("{{ " + expression + " }}")
    return template.render(value=value, locale=locale, **more)


@pytest.mark.parametrize(
    ("value", "currency", "es", "en"),
    [
        (0, "EUR", "0,00 €", "€0.00"),
        (19.9, "EUR", "19,90 €", "€19.90"),
        ("19.90", "EUR", "19,90 €", "€19.90"),
        (Decimal("19.90"), "EUR", "19,90 €", "€19.90"),
        (1234.5, "EUR", "1.234,50 €", "€1,234.50"),
        (-3.2, "EUR", "-3,20 €", "-€3.20"),
        ("-3.20", "EUR", "-3,20 €", "-€3.20"),
        (123456789012.34, "EUR", "123.456.789.012,34 €", "€123,456,789,012.34"),
        (0.125, "EUR", "0,13 €", "€0.13"),
        (1.005, "EUR", "1,01 €", "€1.01"),
        (-0.001, "EUR", "0,00 €", "€0.00"),
        (1e-12, "EUR", "0,00 €", "€0.00"),
        (12.5, "USD", "12,50 US$", "$12.50"),
        (1250, "JPY", "1.250 JPY", "¥1,250"),
    ],
)
def test_money_is_written_as_its_locale_writes_it(
    value: object, currency: str, es: str, en: str
) -> None:
    assert written(f"value|money('{currency}')", value, "es") == es
    assert written(f"value|money('{currency}')", value, "en") == en


@pytest.mark.parametrize(
    ("value", "currency", "locale", "text"),
    [
        (1234.5, "ARS", "en", "ARS 1,234.50"),
        (-1234.5, "ARS", "en", "-ARS 1,234.50"),
        (1234.5, "USD", "en", "$1,234.50"),
        (1234.5, "MXN", "en", "MX$1,234.50"),
        (5, "CHF", "de-CH", "CHF 5.00"),
        (5, "ARS", "ja", "ARS 5.00"),
        (1234.5, "ARS", "es-AR", "$1.234,50"),
        (5, "XXZ", "ja", "XXZ 5.00"),
    ],
)
def test_a_currency_in_letters_stands_apart_from_the_digits(
    value: float, currency: str, locale: str, text: str
) -> None:
    assert written(f"value|money('{currency}')", value, locale) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0.30000000000000004", "0,30 €"),
        ("19." + "9" * 400, "20,00 €"),
        (0.30000000000000004, "0,30 €"),
    ],
)
def test_an_amount_may_have_any_number_of_decimals(value: object, text: str) -> None:
    assert written("value|money", value) == text


@pytest.mark.parametrize(
    "value",
    [
        True,
        None,
        [19.9],
        {"amount": 19.9},
        "",
        "19,90",
        "19.90 €",
        " 19.90",
        "19.90\n",
        "1e999999",
        "1_000",
        "١٩",
        "NaN",
        "Infinity",
        float("nan"),
        float("inf"),
        10**15,
        -1e300,
    ],
)
@pytest.mark.parametrize("call", ["money", "plural('artículo', 'artículos')"])
def test_what_is_no_number_is_refused_by_the_name_of_the_filter(call: str, value: object) -> None:
    with pytest.raises(FilterError, match=rf"^{call[:5]}\w* expects a number"):
        written(f"value|{call}", value)


@pytest.mark.parametrize("currency", ["EURO", "eur", "€", "", None, 978, ["EUR"]])
def test_an_unknown_currency_is_refused(currency: object) -> None:
    with pytest.raises(FilterError, match="money expects a currency by its ISO 4217 code"):
        written("1|money(value)", currency)


@pytest.mark.parametrize(
    ("call", "es", "en"),
    [
        ("date", "3 de diciembre de 2026", "December 3, 2026"),
        ("date('short')", "3/12/26", "12/3/26"),
        ("date('medium')", "3 dic 2026", "Dec 3, 2026"),
        ("date('full')", "jueves, 3 de diciembre de 2026", "Thursday, December 3, 2026"),
        ("date('day')", "jueves 3 de diciembre", "Thursday, December 3"),
    ],
)
@pytest.mark.parametrize(
    "value", ["2026-12-03", "2026-12-03T23:59:59Z", "2026-12-03T00:30:00+02:00", "2026-12-03 08:00"]
)
def test_a_date_is_the_one_that_was_written(call: str, value: str, es: str, en: str) -> None:
    assert written(f"value|{call}", value, "es") == es
    assert written(f"value|{call}", value, "en") == en


@pytest.mark.parametrize(
    ("value", "call", "es", "en"),
    [
        (
            "2026-12-03T15:05:59+01:00",
            "datetime",
            "3 de diciembre de 2026, 15:05",
            "December 3, 2026, 3:05 PM",
        ),
        ("2026-12-03T09:05", "datetime('medium')", "3 dic 2026, 9:05", "Dec 3, 2026, 9:05 AM"),
        ("2026-12-03T09:05:00Z", "datetime('short')", "3/12/26, 9:05 UTC", "12/3/26, 9:05 AM UTC"),
        (
            "2026-12-03T09:05:00.123456+00:00",
            "datetime('full')",
            "jueves, 3 de diciembre de 2026, 9:05 UTC",
            "Thursday, December 3, 2026, 9:05 AM UTC",
        ),
    ],
)
def test_a_time_keeps_the_clock_it_was_written_with_and_names_utc(
    value: str, call: str, es: str, en: str
) -> None:
    assert written(f"value|{call}", value, "es") == es
    assert written(f"value|{call}", value, "en") == en


@pytest.mark.parametrize(
    "value",
    [
        *("", "mañana", "03/12/2026", "2026-13-01", "2026-02-30", "2026-12-03T25:00", None),
        # Numbers that are neither seconds nor milliseconds since 1970 for certain.
        *(0, 1, -1, True, 20261203, 202612031830, 20261203183000, 10**18, 1e300, float("nan")),
    ],
)
@pytest.mark.parametrize("call", ["date", "datetime", "relative"])
def test_what_is_no_date_is_refused_by_the_name_of_the_filter(call: str, value: object) -> None:
    with pytest.raises(FilterError, match=rf"^{call} expects an ISO 8601 date"):
        written(f"value|{call}", value)


@pytest.mark.parametrize("value", [1763820786, 1763820786.9, 1763820786123])
def test_seconds_and_milliseconds_since_1970_are_moments_in_utc(value: float) -> None:
    assert written("value|date", value) == "22 de noviembre de 2025"
    assert written("value|datetime('short')", value) == "22/11/25, 14:13 UTC"
    event = {"time": "2025-11-21T10:00:00Z"}
    assert written("value|relative", value, event=event) == "mañana"


# The event is of 02:00 UTC on the 2nd, when it is still the 1st in Mexico.
@pytest.mark.parametrize(
    ("expression", "zone", "text"),
    [
        ("'2026-12-03'|relative", "America/Mexico_City", "dentro de 2 días"),
        ("'2026-12-03'|relative", "Europe/Madrid", "mañana"),
        ("'2026-12-03'|relative", None, "mañana"),
        ("'2026-12-03T01:00:00Z'|relative", "America/Mexico_City", "mañana"),
        ("'2026-12-03T01:00:00+09:00'|relative", "America/Mexico_City", "mañana"),
        ("'2026-12-03T01:00:00Z'|datetime('short')", "America/Mexico_City", "2/12/26, 19:00"),
        ("'2026-12-03T01:00:00Z'|datetime('short')", None, "3/12/26, 1:00 UTC"),
        ("'2026-07-03T01:00:00Z'|datetime('short')", "Europe/Madrid", "3/7/26, 3:00"),
        ("'2026-12-03T01:00:00+09:00'|datetime('short')", "Europe/Madrid", "3/12/26, 1:00"),
        ("'2026-12-03T01:00'|datetime('short')", "Europe/Madrid", "3/12/26, 1:00"),
        ("'2026-12-03T01:00:00Z'|date", "America/Mexico_City", "2 de diciembre de 2026"),
        ("'2026-12-03'|date", "America/Mexico_City", "3 de diciembre de 2026"),
        ("1763820786|datetime('short')", "Europe/Madrid", "22/11/25, 15:13"),
        ("'0001-01-01T00:00:00Z'|date", "America/Mexico_City", "1 de enero de 1"),
    ],
)
def test_a_shop_has_a_time_zone(expression: str, zone: str | None, text: str) -> None:
    shop = "{% set name = 'x' %}" + (f"{{% set time_zone = '{zone}' %}}" if zone else "")
    environment = make_environment(jinja2.DictLoader({"_layouts/shop.j2": shop}))
    template = environment.from_string("{{ " + expression + " }}")
    assert template.render(locale="es", event={"time": "2026-12-02T02:00:00Z"}) == text


@pytest.mark.parametrize("zone", ["Europe/Madird", "../etc/passwd", "", 7])
def test_a_time_zone_that_is_none_is_told_with_its_file(zone: object) -> None:
    shop = f"{{% set time_zone = {zone!r} %}}"
    environment = make_environment(jinja2.DictLoader({"_layouts/shop.j2": shop}))
    template = environment.from_string("{{ '2026-12-03T01:00:00Z'|date }}")
    with pytest.raises(FilterError, match=r"time_zone in templates/_layouts/shop\.j2 is no time"):
        template.render(locale="es")


def test_a_date_without_a_time_is_no_datetime() -> None:
    with pytest.raises(FilterError, match="datetime expects a date with a time"):
        written("value|datetime", "2026-12-03")


@pytest.mark.parametrize("call", ["date('largo')", "datetime('day')", "date('yyyy')"])
def test_an_unknown_style_is_refused(call: str) -> None:
    with pytest.raises(FilterError, match=r"expects a style of short, medium, long, full"):
        written(f"value|{call}", "2026-12-03T10:00")


@pytest.mark.parametrize(
    ("value", "es", "en"),
    [
        ("2026-12-01", "hoy", "today"),
        ("2026-12-02", "mañana", "tomorrow"),
        ("2026-11-30", "ayer", "yesterday"),
        ("2026-12-04", "dentro de 3 días", "in 3 days"),
        ("2026-12-07", "dentro de 6 días", "in 6 days"),
        ("2026-11-29", "hace 2 días", "2 days ago"),
        ("2027-12-01", "dentro de 365 días", "in 365 days"),
        ("2026-12-02T00:30:00+01:00", "mañana", "tomorrow"),
        # When it is 22:30 in Madrid it is already tomorrow in Tokyo: counted on Tokyo's clock.
        ("2026-12-02T12:00:00+09:00", "hoy", "today"),
    ],
)
def test_relative_counts_days_from_the_time_of_the_event(value: str, es: str, en: str) -> None:
    event = {"time": "2026-12-01T22:30:00+01:00"}
    assert written("value|relative", value, "es", event=event) == es
    assert written("value|relative", value, "en", event=event) == en


def test_relative_words_that_only_es_and_en_have_are_days_elsewhere() -> None:
    event = {"time": "2026-12-01T10:00:00Z"}
    assert written("value|relative", "2026-12-02", "ca", event=event) == "d’aquí a 1 dia"


@pytest.mark.parametrize("more", [{}, {"event": {"type": "reminder.due"}}])
def test_relative_counts_from_today_where_the_event_has_no_time(more: dict[str, Any]) -> None:
    day = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=5)
    # Four, should midnight fall between the two readings of the clock.
    assert written("value|relative", str(day), **more) in ("dentro de 5 días", "dentro de 4 días")


@pytest.mark.parametrize(
    ("value", "es", "en"),
    [
        ([], "", ""),
        (["pan"], "pan", "pan"),
        (["pan", "sal"], "pan y sal", "pan and sal"),
        (["pan", "aceite", "sal"], "pan, aceite y sal", "pan, aceite, and sal"),
        (["té", "infusiones"], "té e infusiones", "té and infusiones"),
        (["madres", "hijas"], "madres e hijas", "madres and hijas"),
        (["agua", "hielo"], "agua y hielo", "agua and hielo"),
        (["años", "índices 📈"], "años e índices 📈", "años and índices 📈"),
        ([3, 4.5], "3 y 4.5", "3 and 4.5"),
    ],
)
def test_a_list_is_joined_as_one_would_say_it(value: list[object], es: str, en: str) -> None:
    assert written("value|listed", value, "es") == es
    assert written("value|listed", value, "en") == en


def test_listed_takes_what_map_gives() -> None:
    value = [{"name": "Lámpara"}, {"name": "Taza"}]
    assert written("value|map(attribute='name')|listed", value) == "Lámpara y Taza"


@pytest.mark.parametrize("value", ["pan", None, 3, {"a": 1}, [None], [True], [["a"]], [{"a": 1}]])
def test_what_is_no_list_of_texts_is_refused(value: object) -> None:
    with pytest.raises(FilterError, match="listed expects a list"):
        written("value|listed", value)


@pytest.mark.parametrize(
    ("value", "es", "en"),
    [
        (0, "0 años", "0 years"),
        (1, "1 año", "1 year"),
        (2, "2 años", "2 years"),
        ("1", "1 año", "1 year"),
        (1.5, "1,5 años", "1.5 years"),
        (-3, "-3 años", "-3 years"),
        (12345, "12.345 años", "12,345 years"),
        (1000000, "1.000.000 años", "1,000,000 years"),
    ],
)
def test_plural_gives_the_number_and_its_word(value: object, es: str, en: str) -> None:
    assert written("value|plural('año', 'años')", value, "es") == es
    assert written("value|plural('year', 'years')", value, "en") == en


@pytest.mark.parametrize(
    ("locale", "forms"),
    [
        ("pl", {1: "plik", 2: "pliki", 5: "plików", 22: "pliki", 112: "plików", 1.5: "pliku"}),
        ("es", {1: "plik", 2: "pliku", 1_000_000: "plików"}),
        ("ar", {0: "zero", 1: "plik", 2: "two", 3: "pliki", 11: "plików", 100: "pliku"}),
    ],
)
def test_plural_knows_the_forms_of_a_language_by_cldrs_names(
    locale: str, forms: dict[float, str]
) -> None:
    call = "plural('plik', 'plików', zero='zero', two='two', few='pliki', other='pliku')"
    for number, form in forms.items():
        assert written(f"value|{call}", number, locale).split(" ")[1] == form


def test_a_form_that_is_left_out_is_that_of_the_others() -> None:
    assert written("value|plural(one='plik', other='pliki')", 5, "pl") == "5 pliki"
    assert written("value|plural('plik', 'pliki')", 3, "pl") == "3 pliki"


@pytest.mark.parametrize(
    ("call", "lacking"),
    [("plural", "one and many"), ("plural('a')", "many"), ("plural(many='a')", "one")],
)
def test_plural_says_which_words_it_needs_whatever_the_number(call: str, lacking: str) -> None:
    with pytest.raises(FilterError, match=f"plural needs {lacking}: write"):
        written(f"1|{call}")


@pytest.mark.parametrize(
    "value",
    [
        "https://abedul.example",
        "http://localhost:8080/p/A-1042?x=1&y=2#z",
        "https://abedul.example/añil/☕",
        "HTTPS://ABEDUL.EXAMPLE/",
    ],
)
def test_a_link_stays_as_it_is(value: str) -> None:
    assert written("value|link", value) == value


@pytest.mark.parametrize(
    "value",
    [
        "",
        "abedul.example",
        "/p/A-1042",
        "//abedul.example",
        "https://",
        "https:///p",
        "https://[",
        "https://ana:secreto@abedul.example/",
        "https://abedul.example/" + "a" * 1000,
        "javascript:alert(1)",
        "mailto:hola@abedul.example",
        "https://abedul.example/a b",
        "https://abedul.example/\nBcc: x",
        " https://abedul.example",
        'https://abedul.example/"onclick',
        None,
        7,
        ["https://abedul.example"],
    ],
)
def test_what_is_no_link_is_refused(value: object) -> None:
    with pytest.raises(FilterError, match="link expects a URL that starts with https://"):
        written("value|link", value)


@pytest.mark.parametrize(
    "call", ["money", "date", "datetime", "relative", "listed", "plural('a', 'b')", "link"]
)
def test_a_missing_value_is_named_by_every_filter(call: str) -> None:
    with pytest.raises(jinja2.UndefinedError, match="'dict object' has no attribute 'total'"):
        written(f"value.total|{call}", {})


def test_a_currency_that_is_not_known_here_is_written_by_its_code() -> None:
    assert written("1.5|money('XXZ')") == "1,50 XXZ"


@pytest.mark.parametrize(
    ("value", "length", "text"),
    [
        ("corto", 5, "corto"),
        ("una manta de lana", 12, "una manta..."),
        ("una manta de lana", 11, "una..."),
        ("unamantadelana", 10, "unamant..."),
        (1234567, 5, "12..."),
        ("abcdef", 2, ".."),
    ],
)
def test_truncate_never_goes_beyond_its_length(value: object, length: int, text: str) -> None:
    found = written(f"value|truncate({length})", value)
    assert found == text
    assert len(found) <= length


@pytest.mark.parametrize(
    "value",
    ["2026-12-03t18:30:00z", "2026-12-03T18:30:60Z", "2026-12-03T18:30:00.1234567891-00:00"],
)
def test_every_form_of_rfc_3339_is_a_date(value: str) -> None:
    assert written("value|date", value) == "3 de diciembre de 2026"


@pytest.mark.parametrize("value", ["20261203", "2026-W49-4", "2026-12-03x18:30:00Z", "2026-02-30"])
def test_other_forms_that_python_would_read_are_no_dates(value: str) -> None:
    with pytest.raises(FilterError, match="date expects an ISO 8601 date"):
        written("value|date", value)


def test_a_missing_currency_is_named() -> None:
    with pytest.raises(jinja2.UndefinedError, match="'currency'"):
        written("1|money(value.currency)", {})


@pytest.mark.parametrize(
    ("call", "value"),
    [
        ("money", "4242 4242 4242 4242"),
        ("date", "4242 4242 4242 4242"),
        ("link", "4242 4242 4242 4242"),
        ("listed", {"4242": 1}),
    ],
)
def test_no_message_shows_the_value(call: str, value: object) -> None:
    with pytest.raises(FilterError) as caught:
        written(f"value|{call}", value)
    assert "4242" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("call", ["money", "date", "datetime", "relative"])
@pytest.mark.parametrize("locale", ["es", "en", "fr"])
def test_spaces_are_plain_so_that_an_sms_stays_in_the_gsm_alphabet(call: str, locale: str) -> None:
    value = 1234.5 if call == "money" else "2026-12-03T15:05:00"
    text = written(f"value|{call}", value, locale)
    assert "\u00a0" not in text
    assert "\u202f" not in text


@pytest.mark.parametrize("locale", ["es-MX", "es_MX"])
def test_a_regional_locale_is_written_its_own_way(locale: str) -> None:
    assert written("value|money('MXN')", 1234.5, locale) == "$1,234.50"


def test_an_unknown_locale_is_refused() -> None:
    with pytest.raises(FilterError, match="there is no such locale"):
        written("1|money", locale="zz")


def test_a_file_imported_without_context_is_told_what_to_do() -> None:
    macros = "{% macro price(value) %}{{ value|money }}{% endmacro %}"
    environment = ENVIRONMENT.overlay(loader=jinja2.DictLoader({"macros.j2": macros}))
    page = "{% import 'macros.j2' as m %}{{ m.price(1) }}"
    with pytest.raises(FilterError, match="`with context`"):
        environment.from_string(page).render(locale="es")


def test_a_template_without_amounts_and_dates_does_not_load_babel() -> None:
    program = (
        "import sys, jinja2\n"
        "from chalicelib.words.filters import FILTERS\n"
        "environment = jinja2.Environment()\n"
        "environment.filters.update(FILTERS)\n"
        "template = environment.from_string('{{ url|link }}{{ price|money if price else 0 }}')\n"
        "assert template.render(url='https://abedul.example', locale='es')\n"
        "print('babel' in sys.modules)\n"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=root)
    assert (done.stdout, done.stderr) == ("False\n", "")
