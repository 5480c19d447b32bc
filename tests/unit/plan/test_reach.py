"""chalicelib/plan/reach.py: whom an event reaches and where, and why nobody."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.events.event import Event, parse
from chalicelib.plan.reach import Known, asks_for, reach
from chalicelib.rules.destinations import parse as destination
from chalicelib.rules.routing import Category
from chalicelib.store.people import Person, Stop

ANA, BEA = "ana@example.com", "bea@example.com"
NUMBER, ENDPOINT = "+34600111222", "arn:aws:sns:eu-west-1:1:endpoint/GCM/shop/one"
OTHER = "arn:aws:sns:eu-west-1:1:endpoint/APNS/shop/two"
WHOLE = Person("c", email=ANA, phone=NUMBER, push=(ENDPOINT,))
ORDERS = Category("orders")


def hash_of(address: str) -> str:
    return f"#{address}"


def event(**attributes: Any) -> Event:
    raw = {"type": "t", "data": {}, "id": "1", "source": "s", "recipient": "c", **attributes}
    return parse({name: value for name, value in raw.items() if value is not None})


def known(*persons: Person, **more: Any) -> Known:
    return Known({person.id: person for person in persons}, hash_of=hash_of, **more)


def stopped(address: str) -> dict[str, Stop]:
    return {"email": Stop(hash_of(address), "bounced", "2026-01-01T00:00:00Z")}


def names(text: str, of: Event, by: Known, **more: Any) -> tuple[list[str], dict[str, str]]:
    contacts, missed = reach(of, destination(text), ORDERS, by, **more)
    return [f"{c.name.partition('/')[0]}={c.to}" for c in contacts], missed


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("recipient", [f"recipient:email={ANA}", f"recipient:sms={NUMBER}", f"recipient:push={ENDPOINT}"]),
        ("recipient:sms", [f"recipient:sms={NUMBER}"]),
        ("recipient:push|sms|email", [f"recipient:push={ENDPOINT}"]),
        ("recipient:email|sms", [f"recipient:email={ANA}"]),
        ("person:c:email", [f"person:c:email={ANA}"]),
    ],
)  # fmt: skip
def test_a_destination_leads_to_the_contacts_of_its_channels(text: str, found: list[str]) -> None:
    assert names(text, event(), known(WHOLE)) == (found, {})


@pytest.mark.parametrize(
    ("text", "person", "found", "missed"),
    [
        # One channel, several, the first of several: who has none of them is told once.
        ("recipient:email", Person("c"), [], {"recipient:email": "no-contact"}),
        ("recipient", Person("c"), [], {"recipient": "no-contact"}),
        ("recipient:push|sms", Person("c"), [], {"recipient:push|sms": "no-contact"}),
        # That somebody has no telephone is no news where the mail goes out.
        ("recipient", Person("c", email=ANA), [f"recipient:email={ANA}"], {}),
        ("recipient:push|email", Person("c", email=ANA), [f"recipient:email={ANA}"], {}),
        # What somebody does not want, is.
        (
            "recipient",
            Person("c", email=ANA, phone=NUMBER, preferences={"orders": {"sms": False}}),
            [f"recipient:email={ANA}"],
            {"recipient:sms": "opted-out"},
        ),
        (
            "recipient:sms|email",
            Person("c", email=ANA, phone=NUMBER, preferences={"orders": {"sms": False}}),
            [f"recipient:email={ANA}"],
            {"recipient:sms": "opted-out"},
        ),
        (
            "recipient:email",
            Person("c", email=ANA, stopped=stopped(ANA)),
            [],
            {"recipient:email": "address-stopped"},
        ),
        # A stop is an address's, and a new address has none.
        ("recipient:email", Person("c", email=ANA, stopped=stopped(BEA)), [f"recipient:email={ANA}"], {}),
    ],
)  # fmt: skip
def test_why_somebody_is_not_reached(
    text: str, person: Person, found: list[str], missed: dict[str, str]
) -> None:
    assert names(text, event(), known(person)) == (found, missed)


def test_an_address_that_comes_with_the_event_is_used_whatever_is_known() -> None:
    found = names("recipient:email", event(email=BEA), known(WHOLE))
    assert found == ([f"recipient:email={BEA}"], {})
    nobody = names("recipient", event(recipient=None, email=BEA), known())
    assert nobody == ([f"recipient:email={BEA}"], {})
    [contact], _ = reach(
        event(recipient=None, email=BEA), destination("recipient:email"), ORDERS, known()
    )
    assert contact.who == f"address:{hash_of(BEA)}"


def test_an_address_that_comes_with_the_event_is_nobody_s_of_the_company() -> None:
    assert names("person:boss:email", event(email=BEA), known()) == (
        [],
        {"person:boss:email": "no-contact"},
    )


def test_what_was_said_of_an_address_counts_beside_what_its_person_says() -> None:
    at = {hash_of(BEA): Person("", stopped=stopped(BEA))}
    found = names("recipient:email", event(email=BEA), known(WHOLE, addresses=at))
    assert found == ([], {"recipient:email": "address-stopped"})
    off = {hash_of(BEA): Person("", preferences={"orders": {"email": False}})}
    found = names("recipient:email", event(email=BEA), known(WHOLE, addresses=off))
    assert found == ([], {"recipient:email": "opted-out"})


def test_the_locale_is_the_event_s_else_the_person_s_and_never_the_customer_s_for_the_company() -> (
    None
):
    ana = Person("c", locale="en", email=ANA)
    for of, text, locale in (
        (event(), "recipient:email", "en"),
        (event(locale="es-AR"), "recipient:email", "es-AR"),
        (event(locale="es-AR"), "person:c:email", "en"),
    ):
        [contact], _ = reach(of, destination(text), ORDERS, known(ana))
        assert contact.locale == locale
    [contact], _ = reach(
        event(locale="en"), destination("person:c"), ORDERS, known(Person("c", email=ANA))
    )
    assert contact.locale is None


def test_each_of_a_person_s_endpoints_has_a_name_that_does_not_say_where_it_is() -> None:
    contacts, _ = reach(
        event(), destination("recipient:push"), ORDERS, known(Person("c", push=(ENDPOINT, OTHER)))
    )
    assert len({contact.name for contact in contacts}) == 2
    assert all(contact.name.startswith("recipient:push/") for contact in contacts)
    assert not any("endpoint" in contact.name for contact in contacts)


def test_what_a_first_of_form_chose_stays_chosen() -> None:
    text = "recipient:push|sms|email"
    assert names(text, event(), known(WHOLE), chosen="sms") == ([f"recipient:sms={NUMBER}"], {})
    moved = Person("c", email=ANA)  # the number is gone since, and the SMS may have gone out
    assert names(text, event(), known(moved), chosen="sms") == ([], {"recipient:sms": "no-contact"})


def test_a_device_that_is_gone_is_passed_over() -> None:
    person = Person("c", push=(ENDPOINT,), phone=NUMBER)
    [gone], _ = reach(event(), destination("recipient:push"), ORDERS, known(person))
    found = names(
        "recipient:push|sms", event(), known(person), withheld={gone.name: "endpoint-gone"}
    )
    assert found == ([f"recipient:sms={NUMBER}"], {"recipient:push": "endpoint-gone"})


def test_where_nobody_was_asked_everybody_has_every_contact() -> None:
    found, missed = names("recipient", event(), Known(assumed=True))
    assert [name.partition("=")[0] for name in found] == [
        "recipient:email",
        "recipient:sms",
        "recipient:push",
    ]
    assert not missed


@pytest.mark.parametrize(
    ("of", "to", "found"),
    [
        (event(), ("topic:users",), (set(), set())),
        (event(), ("recipient:sms", "person:boss"), ({"c", "boss"}, set())),
        (event(email=ANA, phone=NUMBER), ("recipient",), ({"c"}, {ANA, NUMBER})),
        (event(email=ANA), ("person:boss",), ({"boss"}, set())),
        (event(recipient=None), ("recipient",), (set(), set())),
        # DynamoDB would refuse the key, and the whole batch with it.
        (event(recipient="ñ" * 1000), ("recipient",), (set(), set())),
    ],
)
def test_what_must_be_known_is_what_the_destinations_lead_to(
    of: Event, to: tuple[str, ...], found: tuple[set[str], set[str]]
) -> None:
    assert asks_for(of, to) == found
