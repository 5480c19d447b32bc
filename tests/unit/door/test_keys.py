"""chalicelib/door/keys.py: what a key may, and who signed a request."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from chalicelib.door import keys
from chalicelib.door.http import Problem, Request
from chalicelib.stage import Stage
from tests.unit.door.fake_aws import SECRET, FakeAws, connected

NOWHERE = Stage("local", lambda service: None)


def key_of(**item: str) -> keys.Key:
    given = {"name": "shop", "scope": "send", **item}
    return keys._from_item({name: {"S": value} for name, value in given.items()})


@pytest.mark.parametrize(
    ("sources", "source", "may"),
    [
        ("shop", "shop", True),
        ("shop", "shop/returns", True),
        ("shop", "shop-2", False),
        ("shop", "/shop", False),
        ("shop", "Shop", False),
        ("shop", "", False),
        ("shop/returns", "shop", False),
        ("/shop/", "/shop/returns", True),
        ("/", "/anything", True),
        ("https://abedul.example", "https://abedul.example/shop", True),
        ("https://abedul.example", "https://abedul.example.org", False),
        ("shop /pos", "/pos/1", True),
        ("shop *", "warehouse", True),
    ],
)
def test_a_key_speaks_for_its_sources_and_what_lies_beneath(
    sources: str, source: str, may: bool
) -> None:
    assert key_of(source=sources).may_source(source) is may


def test_a_key_from_before_keys_had_sources_works_as_it_did() -> None:
    key = key_of()
    assert key.source == "shop"
    assert key.may_source("/whatever")


def test_the_first_source_is_that_of_an_event_which_names_none() -> None:
    assert key_of(source="/pos shop").source == "/pos"


@pytest.mark.parametrize(
    ("types", "event_type", "may"),
    [
        ("", "order.shipped", True),
        ("offer.*", "offer.published", True),
        ("offer.*", "offers.published", False),
        ("offer.*", "order.shipped", False),
        ("order.shipped", "order.shipped", True),
        ("order.shipped", "order.shipped.again", False),
        ("offer.* order.shipped", "order.shipped", True),
        ("offer.* order.shipped", "order.placed", False),
    ],
)
def test_a_key_is_for_its_types_and_where_it_names_none_for_all(
    types: str, event_type: str, may: bool
) -> None:
    assert (key_of(types=types) if types else key_of()).may_type(event_type) is may


@pytest.mark.parametrize(
    ("headers", "scope", "status", "slug"),
    [
        ({}, "send", 401, "no-key"),
        ({"authorization": "Basic c2hvcDpzaG9w"}, "send", 401, "no-key"),
        ({"authorization": "Bearer hk_nobody-knows-this-key"}, "send", 401, "unknown-key"),
        ({"authorization": f"Bearer {SECRET}"}, "admin", 403, "scope"),
    ],
)
def test_who_is_refused_learns_why_and_how_to_show_a_key(
    headers: dict[str, str], scope: str, status: int, slug: str
) -> None:
    with connected() as connect:
        fake = FakeAws()
        connect(fake)
        with pytest.raises(Problem) as refused:
            keys.require(Request(headers, b"", fake.request().stage), scope)
    assert (refused.value.status, refused.value.slug) == (status, slug)
    challenge = {"WWW-Authenticate": 'Bearer realm="heraldo"'} if status == 401 else {}
    assert refused.value.headers == challenge


SIGNERS: dict[str, str] = {
    "arn:aws:iam::123456789012:user/warehouse": "warehouse",
    "arn:aws:iam::123456789012:user/division/north/warehouse": "warehouse",
    "arn:aws:sts::123456789012:assumed-role/shop/somebody": "shop",
    "arn:aws:sts::123456789012:assumed-role/shop/warehouse": "shop",
    "arn:aws:sts::123456789012:assumed-role/shop/a@b.example": "shop",
    "arn:aws-cn:sts::123456789012:federated-user/ana": "ana",
    "arn:aws:iam::123456789012:root": "root",
}


@pytest.mark.parametrize("arn", SIGNERS)
def test_who_signed_is_known_by_user_or_role_and_speaks_for_that_alone(
    monkeypatch: pytest.MonkeyPatch, arn: str
) -> None:
    monkeypatch.setenv("HERALDO_AUTH", "iam")
    key = keys.require(Request({}, b"", NOWHERE, caller_arn=arn), "send")
    assert (key.name, key.source) == (SIGNERS[arn], SIGNERS[arn])
    assert key.may("read")
    assert key.may_source(f"{key.name}/returns")
    assert not key.may_source("/shop")
    assert not key.test


def test_a_request_without_a_signature_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERALDO_AUTH", "iam")
    bearer: dict[str, Any] = {"authorization": "Bearer hk_0123456789abcdef"}
    with pytest.raises(Problem) as refused:
        keys.require(Request(bearer, b"", NOWHERE), "send")
    assert refused.value.status == 401


def test_a_guesser_does_not_fill_the_workers_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "_CACHE_KEYS", 5)
    keys._cache.clear()
    with connected() as connect:
        fake = FakeAws()
        connect(fake)
        for number in range(20):
            bearer = {"authorization": f"Bearer hk_guess-number-{number:06}"}
            with pytest.raises(Problem, match="not known"):
                keys.require(Request(bearer, b"", fake.request().stage), "send")
            assert len(keys._cache) <= 5
        assert fake.calls == ["GetItem"] * 20


@pytest.mark.parametrize(
    ("secret", "seconds"),
    [(SECRET, keys.CACHE_SECONDS), ("hk_nobody-knows-this-key", keys.UNKNOWN_SECONDS)],
)
def test_what_was_read_of_a_key_is_trusted_for_so_long_and_no_longer(
    secret: str, seconds: int
) -> None:
    with connected() as connect:
        fake = FakeAws()
        connect(fake)

        def reads() -> int:
            before = len(fake.calls)
            bearer = Request({"authorization": f"Bearer {secret}"}, b"", fake.request().stage)
            with contextlib.suppress(Problem):
                keys.require(bearer, "send")
            return len(fake.calls) - before

        assert reads() == 1
        fake.clock.now += seconds - 1
        assert reads() == 0
        fake.clock.now += 1
        assert reads() == 1


def test_how_long_a_key_is_trusted_is_what_the_guide_says() -> None:
    assert (keys.CACHE_SECONDS, keys.UNKNOWN_SECONDS) == (60, 3)
