"""Rules, hours and addresses as the console tells them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chalicelib.console.rulebook import destination, span_in_words, told
from chalicelib.console.subscribers import masked
from chalicelib.console.visit import Visit
from chalicelib.console.words import WORDS
from chalicelib.door.keys import Key
from chalicelib.journeys import drawing
from chalicelib.patience import Patience
from chalicelib.rules.digests import Digest
from chalicelib.rules.hours import Span
from chalicelib.rules.reading import ALWAYS
from chalicelib.rules.routing import Rule
from chalicelib.rules.telling import ENGLISH
from chalicelib.stage import Stage
from chalicelib.words.asks import Demand

KEY = Key("ana", frozenset(("read",)), ("*",))


def visit(language: str = "en") -> Visit:
    return Visit("GET", "rules", Stage("local", str), Patience(5), KEY, language)


@pytest.mark.parametrize(
    ("text", "en", "es"),
    [
        ("topic:company", "those who follow company", "quienes siguen company"),
        ("webhook:erp", "the server erp", "el servidor erp"),
        (
            "recipient",
            "the recipient, by all that they have and want",
            "el destinatario, por todo lo que tiene y quiere",
        ),
        ("recipient:email", "the recipient, by e-mail", "el destinatario, por correo"),
        ("person:on-call:sms", "on-call, by text message", "on-call, por SMS"),
        (
            "recipient:push|sms",
            "the recipient, by push or else text message, the first that they have and want",
            "el destinatario, por aviso en el teléfono o si no SMS, lo primero que tiene y quiere",
        ),
    ],
)
def test_a_destination_is_told_in_words(text: str, en: str, es: str) -> None:
    assert destination(visit("en"), text) == en
    assert destination(visit("es"), text) == es


@pytest.mark.parametrize(
    ("days", "begin", "end", "told"),
    [
        (range(7), 1320, 480, "22:00–08:00"),
        (range(5), 540, 1200, "Mon–Fri 09:00–20:00"),
        ((5, 6), 0, 1440, "Sat, Sun 00:00–24:00"),
        ((0, 2, 4), 540, 541, "Mon, Wed, Fri 09:00–09:01"),
    ],
)
def test_hours_are_told_as_people_write_them(
    days: tuple[int, ...], begin: int, end: int, told: str
) -> None:
    assert span_in_words(visit(), Span(frozenset(days), begin, end)) == told


@pytest.mark.parametrize(
    ("digest", "said"),
    [
        (Digest(window=timedelta(minutes=30)), "gathers what comes in 30m, and sends it as one"),
        (Digest(at=480), "gathers it, and sends it as one at 08:00"),
    ],
)
def test_a_rule_says_what_it_gathers(digest: Digest, said: str) -> None:
    rule = Rule("news", ALWAYS, ("topic:users",), digest=digest, stop=True)
    found = told(visit(), rule)
    assert found.when == "it is any event"
    assert found.does == (
        "tells: those who follow users",
        said,
        "no later rule is looked at",
    )


@pytest.mark.parametrize(
    ("protocol", "endpoint", "shown"),
    [
        ("email", "eva.sanz@shop.example", "e…@shop.example"),
        ("email-json", "eva@shop.example", "e…@shop.example"),
        ("sms", "+34600111222", "+34…22"),
        ("https", "https://user:secret@shop.example/hook?token=secret", "https://shop.example/…"),
        ("sqs", "arn:aws:sqs:eu-west-1:123456789012:archive", "…archive"),
        ("lambda", "arn:aws:lambda:eu-west-1:123456789012:function:archive", "…archive"),
        ("application", "arn:aws:sns:eu-west-1:123456789012:endpoint/GCM/shop/5e3e9847", "…"),
        ("firehose", "x", "…"),
    ],
)
def test_an_endpoint_can_be_told_from_others_and_not_written_to(
    protocol: str, endpoint: str, shown: str
) -> None:
    assert masked(protocol, endpoint) == shown


def test_there_are_words_for_all_that_rules_and_journeys_and_contracts_may_say() -> None:
    demands = {*Demand.__args__} - {"texts", "sized"}  # type: ignore[attr-defined]
    wanted = {f"told:{english}" for english in ENGLISH}
    wanted |= {f"draw.{word}" for word in drawing.WORDS}
    wanted |= {f"kind.{demand}" for demand in demands}
    for words in WORDS.values():
        assert words.keys() >= wanted
