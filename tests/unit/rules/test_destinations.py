"""chalicelib/rules/destinations.py: where a rule sends to."""

from __future__ import annotations

import pytest

from chalicelib.rules.destinations import CHANNELS, Destination, parse, topic_of, webhook_of


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("topic:users", Destination("topic", "users")),
        ("recipient", Destination("recipient", "", CHANNELS)),
        ("recipient:sms", Destination("recipient", "", ("sms",))),
        ("recipient:push|sms|email", Destination("recipient", "", ("push", "sms", "email"), True)),
        ("person:shop-manager", Destination("person", "shop-manager", CHANNELS)),
        ("person:ana@shop:push", Destination("person", "ana@shop", ("push",))),
        ("person:a:email|sms", Destination("person", "a", ("email", "sms"), True)),
        ("webhook:erp", Destination("webhook", "erp")),
    ],
)
def test_a_destination_is_read(text: str, found: Destination) -> None:
    assert parse(text) == found
    assert topic_of(text) == (found.name if found.kind == "topic" else "")
    assert webhook_of(text) == (found.name if found.kind == "webhook" else "")
    assert found.is_somebody == (found.kind in ("recipient", "person"))


@pytest.mark.parametrize(
    ("text", "whose"),
    [("recipient:sms", "recipient"), ("person:a:sms", "person:a"), ("topic:users", "topic")],
)
def test_the_ledger_names_a_person_and_never_their_locale(text: str, whose: str) -> None:
    assert parse(text).whose == whose


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("users", "write one of topic:users, recipient"),
        ("topic:", "write one of"),
        ("hook:crm", "write one of"),
        ("webhook:", "write one of"),
        ("recipient:", "'' is no channel of a person: they are email, sms, push"),
        ("recipient:mail", "'mail' is no channel"),
        ("recipient:email|", "'' is no channel"),
        ("recipient:sms|sms", "names a channel twice"),
        ("person", "a person is named by an id"),
        ("person:", "a person is named by an id"),
        ("person:a b", "a person is named by an id"),
        ("person:a:fax", "'fax' is no channel"),
    ],
)
def test_what_is_no_destination_is_told_in_its_author_s_words(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse(text)
