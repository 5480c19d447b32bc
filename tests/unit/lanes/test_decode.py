"""chalicelib/lanes/decode.py: the two forms of a queue message."""

import json

import pytest

from chalicelib.channels.publication import Publication
from chalicelib.errors import PermanentError
from chalicelib.events.event import Event
from chalicelib.lanes.decode import decode

TOPIC = "arn:aws:sns:us-east-1:123456789012:heraldo-local-users"


def ready_made(subject: str | None, message: str) -> Publication:
    return Publication("topic", TOPIC, subject, message, {}, structured=False)


def read(body: object) -> Event | Publication:
    text = body if isinstance(body, str) else json.dumps(body)
    return decode(text, default_id="m-1", default_source="queue:orders")


def test_an_event_is_known_by_its_type() -> None:
    found = read({"type": "order.shipped", "data": {}})
    assert isinstance(found, Event)
    assert (found.id, found.source) == ("m-1", "queue:orders")


def test_a_ready_made_message_is_kept_to_the_letter() -> None:
    words = "¡Hola!\n\n\tMañana llega tu pedido \U0001f4e6\r\n"
    assert read({"sns_topic": TOPIC, "subject": "Año", "message": words}) == ready_made(
        "Año", words
    )


def test_an_emoji_written_as_escapes_is_an_emoji() -> None:
    body = f'{{"sns_topic": "{TOPIC}", "message": "\\ud83d\\udce6"}}'
    assert read(body) == ready_made(None, "📦")


def test_a_ready_made_message_needs_no_subject() -> None:
    assert read({"sns_topic": TOPIC, "message": "x"}) == ready_made(None, "x")


@pytest.mark.parametrize(
    ("body", "reason", "said"),
    [
        ("hola", "not-json", "not JSON"),
        ('{"type": "t", "data": {"a": [1, NaN]}}', "not-json", "data.a[1]: is NaN"),
        ('{"type": "t", "data": {"a": -Infinity}}', "not-json", "data.a: is NaN or Infinity"),
        ('{"type": "t", "data": {"a b": {"c": 1e400}}}', "not-json", "data.(field).c: is a number"),
        (
            '{"type": "t", "data": {"a": -1e999}}',
            "not-json",
            "data.a: is a number of more than 308",
        ),
        (
            f'{{"type": "t", "data": {{"a": {"9" * 309}}}}}',
            "not-json",
            "data.a: is a number of more",
        ),
        (f'{{"type": "t", "data": {{"a": {"9" * 5_000}}}}}', "not-json", "data.a: is a number"),
        ("NaN", "not-json", "message: is NaN"),
        ("[" * 100_000, "not-json", "not JSON"),
        ("[]", "not-an-event", "neither"),
        ("{}", "not-an-event", "neither"),
        ({"message": "x"}, "not-an-event", "neither"),
        ({"type": "order.shipped"}, "invalid-event", "data"),
        ({"sns_topic": 7, "message": "x"}, "invalid-message", "sns_topic"),
        ({"sns_topic": TOPIC}, "invalid-message", "message"),
        ({"sns_topic": TOPIC, "message": {"a": 1}}, "invalid-message", "message"),
        ({"sns_topic": TOPIC, "message": ""}, "invalid-message", "message"),
        ({"sns_topic": TOPIC, "message": "x", "subject": 1}, "invalid-message", "subject"),
        ({"sns_topic": TOPIC, "message": "x", "subject": "a\nb"}, "invalid-message", "line breaks"),
        ({"sns_topic": TOPIC, "message": "x", "subject": "s" * 100}, "invalid-message", "99"),
        ({"sns_topic": TOPIC, "message": "x", "extra": 1}, "invalid-message", "extra"),
        ({"sns_topic": TOPIC, "message": "x" * 300_000}, "too-large", "256 KiB"),
        ({"sns_topic": TOPIC, "message": "\ud800"}, "not-text", "surrogate"),
        ({"type": "order.shipped", "data": {"name": "a\udfffb"}}, "not-text", "surrogate"),
    ],
)
def test_what_is_neither_form_is_refused_with_the_reason(
    body: object, reason: str, said: str
) -> None:
    with pytest.raises(PermanentError) as caught:
        read(body)
    assert caught.value.reason == reason
    assert said in str(caught.value)


def test_numbers_that_can_be_held_are_read_as_they_are() -> None:
    found = read(
        '{"type": "t", "data": {"a": 1e308, "b": -0.5, "c": ' + "9" * 308 + ', "d": "NaN"}}'
    )
    assert isinstance(found, Event)
    assert dict(found.data) == {"a": 1e308, "b": -0.5, "c": int("9" * 308), "d": "NaN"}


def test_a_refusal_shows_none_of_the_content() -> None:
    with pytest.raises(PermanentError) as caught:
        read({"sns_topic": TOPIC, "subject": "secreto\n", "message": 12345})
    assert "secreto" not in str(caught.value)
    assert "12345" not in str(caught.value)
