"""chalicelib/lanes/persons.py: the links that a mail to somebody carries."""

from __future__ import annotations

import time
from typing import Any

import pytest

from chalicelib.errors import PermanentError
from chalicelib.lanes import persons
from chalicelib.plan.reach import no_links
from chalicelib.rules.routing import Category
from chalicelib.stage import Stage
from chalicelib.store import people, secrets, tokens
from chalicelib.store.tokens import Grant

ADDRESS = "https://events.example/v1"
KEYS = (b"k" * 32,)
ORDERS = Category("orders")
OFFERS = Category("promotions", commercial=True)
ALERTS = Category("alerts", critical=True)


class Dynamo:
    """All that is asked of DynamoDB for links: the secrets."""

    def get_item(self, **_: Any) -> Any:
        said = {"addresses": "aa" * 32, "tokens": KEYS[0].hex()}
        return {"Item": {name: {"S": text} for name, text in said.items()}}


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setenv("HERALDO_API_URL", ADDRESS + "/")
    dynamo = Dynamo()
    return Stage("local", lambda _: dynamo)


def links(stage: Stage, who: str, category: Category) -> tuple[str, str]:
    keys = [people.key_of(who.removeprefix(people.PERSON))]
    found = persons.known(stage, keys, [], False).links(who, category, "email", "es")
    return found.unsubscribe, found.preferences


def test_a_link_opens_what_the_mail_was_about_to_whom_it_was_for(stage: Stage) -> None:
    stop, choose = links(stage, "person:c-1", OFFERS)
    assert stop.startswith(f"{ADDRESS}/u/")
    assert choose.startswith(f"{ADDRESS}/p/")
    for link in (stop, choose):
        grant = tokens.read(KEYS, link.rpartition("/")[2], time.time())
        assert grant == Grant("person:c-1", "promotions", "email", "es")


def test_only_advertising_has_a_link_that_stops_its_kind(stage: Stage) -> None:
    stop, choose = links(stage, "person:c-1", ORDERS)
    assert (stop, bool(choose)) == ("", True)


def test_what_is_critical_has_no_link(stage: Stage) -> None:
    assert links(stage, "person:c-1", ALERTS) == ("", "")


def test_advertising_that_no_link_could_stop_is_not_sent(stage: Stage) -> None:
    """An id of 256 characters may have 768 bytes, and a header has less room."""
    who = people.PERSON + "漢" * 256
    with pytest.raises(PermanentError) as refused:
        links(stage, who, OFFERS)
    assert refused.value.reason == "no-way-to-stop"
    assert links(stage, who, ORDERS) == ("", "")


def test_what_goes_to_topics_alone_asks_for_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERALDO_API_URL", ADDRESS)

    def refuse(service: str) -> Any:
        raise AssertionError(f"{service} was asked")

    assert persons.known(Stage("local", refuse), [], [], False).links is no_links


def test_a_secret_that_is_forgotten_fades(stage: Stage) -> None:
    secret = {"addresses": {"S": "aa"}, "tokens": {"S": "bb cc"}}
    soon, before = int(time.time()) + 60, int(time.time()) - 1
    for until, believed in ((soon, (b"\xbb", b"\xcc", b"\xdd")), (before, (b"\xbb", b"\xcc"))):
        found = secrets._from_item({**secret, "fading": {"S": f"dd {until}"}})
        assert found.tokens == believed
