"""chalicelib/events/event.py: what an event may look like, and what is said where it does not."""

from datetime import UTC, datetime

import pytest

from chalicelib.errors import InvalidEvent
from chalicelib.events.event import parse

GOOD = {"type": "order.shipped", "data": {"a": 1}}


def problems(raw: object) -> dict[str, str]:
    with pytest.raises(InvalidEvent) as caught:
        parse(raw)
    return {error.field: error.problem for error in caught.value.errors}


def test_type_and_data_are_enough() -> None:
    event = parse(GOOD, default_id="i", default_source="s")
    assert (event.id, event.source, event.type, event.data) == ("i", "s", "order.shipped", {"a": 1})


@pytest.mark.parametrize(
    ("attributes", "key"),
    [
        ({"partitionkey": "p", "recipient": "r", "subject": "s"}, "p"),
        ({"recipient": "r", "subject": "s"}, "r"),
        ({"subject": "s"}, "s"),
        ({}, "order.shipped"),
    ],
)
def test_the_ordering_key_is_the_most_specific_there_is(
    attributes: dict[str, str], key: str
) -> None:
    assert parse(GOOD | attributes).ordering_key == key


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"type": None}, "type", "is required"),
        ({"type": ""}, "type", "is required"),
        ({"type": 7}, "type", "is required"),
        ({"data": None}, "data", "is required"),
        ({"data": [1]}, "data", "must be a JSON object"),
        ({"data": "x"}, "data", "must be a JSON object"),
        ({"data_base64": "eA=="}, "data_base64", "send data as a JSON object"),
        ({"specversion": "0.3"}, "specversion", '"1.0"'),
        ({"specversion": 1.0}, "specversion", '"1.0"'),
        ({"datacontenttype": "text/xml"}, "datacontenttype", "application/json"),
        ({"id": ""}, "id", "non-empty"),
        ({"id": 7}, "id", "non-empty string"),
        ({"id": "x" * 257}, "id", "256"),
        ({"id": "a\nb"}, "id", "control characters"),
        ({"source": "x" * 257}, "source", "256"),
        ({"subject": ""}, "subject", "leave it out"),
        ({"recipient": 42}, "recipient", "non-empty string"),
        ({"recipient": "a\r\nBcc: x"}, "recipient", "line breaks"),
        ({"locale": "español"}, "locale", "es-AR"),
        ({"locale": "es/../../x"}, "locale", "language tag"),
        ({"time": "yesterday"}, "time", "RFC 3339"),
        ({"time": "2026-11-22T10:00:00"}, "time", "offset"),
        ({"expirytime": "2026-11-22"}, "expirytime", "RFC 3339"),
        ({"expirytime": 1}, "expirytime", "non-empty string"),
        ({"deliverat": "2999-01-01T00:00:00Z"}, "deliverat", "more than a year ahead"),
        ({"deliverat": "2026-02-30T10:00:00Z"}, "deliverat", "RFC 3339"),
        (
            {"deliverat": "2026-11-22T10:00:00Z", "expirytime": "2026-11-22T11:00:00+01:00"},
            "expirytime",
            "past before deliverat",
        ),
        ({"partitionkey": "x" * 1025}, "partitionkey", "1024"),
        ({"email": "not an address"}, "email", "ana@example.com"),
        ({"email": "Ana <ana@example.com>"}, "email", "no e-mail address"),
        ({"email": "ñandú@example.com"}, "email", "ASCII"),
        ({"email": "a@localhost"}, "email", "no domain"),
        ({"email": "a@x..com"}, "email", "no domain"),
        ({"email": "a" * 65 + "@example.com"}, "email", "254"),
        ({"email": "a@example.com\nBcc: b@example.com"}, "email", "line breaks"),
        ({"phone": "600 111 222"}, "phone", "+34600111222"),
        ({"phone": "+0034600111222"}, "phone", "international form"),
        ({"phone": "+34"}, "phone", "international form"),
        ({"myField": "x"}, "myField", "put your own fields in data"),
        ({"my_field": "x"}, "my_field", "put your own fields in data"),
        ({"extension": {"a": 1}}, "extension", "structured values in data"),
        ({"extension": 1.5}, "extension", "a string, an integer or a boolean"),
        ({"extension": 2**31}, "extension", "32 bits"),
        ({"a\nb": "x"}, "(attribute)", "lower-case"),
    ],
)
def test_a_wrong_attribute_is_named_with_its_remedy(
    change: dict[str, object], field: str, said: str
) -> None:
    raw = {k: v for k, v in (GOOD | change).items() if not (k in ("type", "data") and v is None)}
    assert said in problems(raw)[field]


@pytest.mark.parametrize("raw", [None, 1, "x", [GOOD]])
def test_what_is_no_object_is_no_event(raw: object) -> None:
    assert problems(raw) == {"event": "must be a JSON object"}


def test_every_mistake_is_told_at_once() -> None:
    assert set(problems({"id": "", "time": "x", "data": 3})) == {"type", "data", "id", "time"}


def test_unknown_extensions_are_kept() -> None:
    event = parse(GOOD | {"campaign": "verano", "priority": 3, "vip": True, "none": None})
    assert event.extensions == {"campaign": "verano", "priority": 3, "vip": True}
    assert event.attributes()["campaign"] == "verano"


def test_an_address_is_written_as_it_is_sent_to() -> None:
    event = parse(GOOD | {"email": "Ana@Jamón.Example", "phone": "+34600111222"})
    assert (event.email, event.phone) == ("Ana@xn--jamn-sqa.example", "+34600111222")


def test_the_type_of_the_data_and_its_schema_stay_with_the_event() -> None:
    event = parse(
        GOOD
        | {
            "datacontenttype": "Application/JSON; charset=utf-8",
            "dataschema": "https://a.example/1",
        }
    )
    assert event.attributes()["datacontenttype"] == "Application/JSON; charset=utf-8"
    assert event.attributes()["dataschema"] == "https://a.example/1"


@pytest.mark.parametrize(
    ("media", "is_json"),
    [
        ("application/json", True),
        ("APPLICATION/JSON", True),
        ("application/vnd.shop.v1+JSON;charset=utf-8", True),
        ("text/json ; charset=utf-8", True),
        ("application/xml", False),
        ("application/jsonp", False),
        ("json", False),
        ("", False),
        (7, False),
        ("application/json\n", False),
        ("application/json; x=" + "a" * 1024, False),
    ],
)
def test_the_case_of_a_media_type_does_not_count(media: object, is_json: bool) -> None:
    from chalicelib.events import event

    assert event.is_json(media) is is_json


def test_an_event_survives_its_way_through_the_queue() -> None:
    event = parse(
        GOOD
        | {"id": "1", "source": "/s", "subject": "¿ñ?", "time": "2026-11-22T10:00:00Z", "x": 1}
        | {"datacontenttype": "application/json", "dataschema": "https://a.example/1"}
    )
    import json

    assert parse(json.loads(event.to_json())) == event


@pytest.mark.parametrize(
    ("expirytime", "expired"),
    [
        ("2026-11-22T09:59:59Z", True),
        ("2026-11-22T10:00:00Z", True),
        ("2026-11-22T10:00:01Z", False),
        ("2026-11-22T11:30:00+02:00", True),
    ],
)
def test_an_event_expires_at_its_expirytime(expirytime: str, expired: bool) -> None:
    event = parse(GOOD | {"expirytime": expirytime})
    assert event.expired(datetime(2026, 11, 22, 10, tzinfo=UTC)) is expired


@pytest.mark.parametrize(
    "locale", ["es", "es-MX", "es_MX", "es-419", "zh-Hant-TW", "es-MX-u-mu-celsius", "de-DE-u-co-phonebk-x-a"]
)  # fmt: skip
def test_a_locale_is_a_language_tag_with_what_phones_add_to_it(locale: str) -> None:
    assert parse({"type": "a.b", "data": {}, "locale": locale}).locale == locale
