"""./heraldo keys on moto: what is stored, listed and revoked."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from click.testing import CliRunner, Result

from chalicelib import aws
from chalicelib.door import keys
from chalicelib.door.http import Problem, Request
from cli.commands.keys import command
from tests.integration.aws_fixture import Stage


def heraldo(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == code, (result.output, result.exception)
    return result


def create(name: str = "shop", *options: str) -> str:
    options = options or ("--scope", "send")
    key = json.loads(heraldo("create", "--name", name, *options, "--json").stdout)["key"]
    assert isinstance(key, str)
    return key


def bearer(key: str) -> Request:
    return Request({"authorization": f"Bearer {key}"}, b"", aws.stage())


def items(stage: Stage) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stage.dynamodb.scan(TableName="heraldo-local-keys")["Items"]
    return found


def test_a_created_key_opens_the_door_for_what_it_is_meant_for(stage: Stage) -> None:
    key = create("shop", "--scope", "send", "--scope", "read", "--types", "order.*", "--test")
    found = keys.require(bearer(key), "send")
    assert (found.name, found.scopes, found.types, found.test) == (
        "shop",
        {"send", "read"},
        ("order.*",),
        True,
    )
    with pytest.raises(Problem) as refused:
        keys.require(bearer(create("reader", "--scope", "read")), "send")
    assert refused.value.status == 403


def listed() -> dict[str, Any]:
    [found] = json.loads(heraldo("list", "--json").stdout)["keys"]
    assert isinstance(found, dict)
    return found


def test_the_day_of_its_last_use_is_put_down_once_a_day(stage: Stage) -> None:
    key = create()
    assert listed()["last_used"] is None
    assert "never" in heraldo("list").stdout
    stage.calls.clear()
    for _ in range(3):
        keys._cache.clear()  # as another worker has it
        keys.require(bearer(key), "send")
    assert stage.calls == ["GetItem", "UpdateItem", "GetItem", "GetItem"]
    assert listed()["last_used"] == f"{datetime.now(UTC):%Y-%m-%d}"


def test_a_use_that_cannot_be_put_down_refuses_nobody(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    key = create()

    def broken(**_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://dynamodb")

    events = aws.stage().dynamodb.meta.events
    events.register("before-call.dynamodb.UpdateItem", broken)
    try:
        assert keys.require(bearer(key), "send").name == "shop"
    finally:
        events.unregister("before-call.dynamodb.UpdateItem", broken)
    assert "EndpointConnectionError" in capsys.readouterr().err


def test_a_key_that_is_revoked_as_it_is_used_does_not_come_back(stage: Stage) -> None:
    key = create()
    heraldo("revoke", "shop", "--yes")
    keys._note_use(aws.stage(), keys.hash_of(key), "")
    assert items(stage) == []


def test_the_key_is_shown_once_and_only_its_hash_is_stored(stage: Stage) -> None:
    result = heraldo("create", "--name", "shop", "--scope", "send")
    key = result.stdout.strip()
    assert re.fullmatch(r"hk_[A-Za-z0-9_-]{32,}", key)
    assert "cannot be shown again" in result.stderr
    [item] = items(stage)
    assert item["hash"] == {"S": hashlib.sha256(key.encode()).hexdigest()}
    assert key[3:-4] not in json.dumps(item)
    for listed in (heraldo("list").output, heraldo("list", "--json").output):
        assert key[-4:] in listed
        assert key[3:-4] not in listed
        assert item["hash"]["S"] not in listed


def test_the_list_shows_names_scopes_and_types(stage: Stage) -> None:
    assert "No keys" in heraldo("list").output
    create("shop", "--scope", "send,read", "--types", "order.*,payment.failed")
    create("archive", "--scope", "read")
    listed = json.loads(heraldo("list", "--json").stdout)["keys"]
    assert [(k["name"], k["scopes"], k["types"]) for k in listed] == [
        ("archive", ["read"], []),
        ("shop", ["send", "read"], ["order.*", "payment.failed"]),
    ]
    assert "order.* payment.failed" in heraldo("list").output


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--name", "Shop", "--scope", "send"], "lower-case"),
        (["--name", "a b", "--scope", "send"], "lower-case"),
        (["--name", "shop"], "--scope"),
        (["--name", "shop", "--scope", "sned"], "did you mean send"),
        (["--name", "shop", "--scope", "x"], "the scopes are send, read, people, admin"),
        (
            ["--name", "shop", "--scope", "send", "--types", "order.shiped"],
            "did you mean order.shipped",
        ),
        (["--name", "shop", "--scope", "send", "--types", "ordr.*"], "did you mean order.*"),
        (["--name", "shop", "--scope", "send", "--types", "*"], "leave the option out"),
        (["--name", "shop", "--scope", "send", "--source", "a b%"], "no URI reference"),
        (["--name", "shop", "--scope", "send", "--source", "/" * 257], "no URI reference"),
        (["--name", "shop", "--scope", "send", "--source", "eventbridge:x"], "over the bus"),
    ],
)
def test_a_wrong_key_is_refused_with_the_remedy(
    stage: Stage, options: list[str], problem: str
) -> None:
    result = heraldo("create", *options, code=2)
    assert problem in " ".join(result.output.split())
    assert items(stage) == []


@pytest.mark.parametrize(
    ("options", "sources"),
    [
        ((), ["shop"]),
        (("--source", "/shop"), ["/shop"]),
        (("--source", "/shop", "--source", "pos"), ["/shop", "pos"]),
        (("--source", "/shop,pos"), ["/shop", "pos"]),
        (("--source", "*"), ["shop", "*"]),
        (("--source", "*", "--source", "pos"), ["pos", "*"]),
    ],
)
def test_a_key_is_made_for_its_name_or_for_the_sources_that_are_given(
    stage: Stage, options: tuple[str, ...], sources: list[str]
) -> None:
    key = create("shop", "--scope", "send", *options)
    assert list(keys.require(bearer(key), "send").sources) == sources
    [listed] = json.loads(heraldo("list", "--json").stdout)["keys"]
    assert listed["sources"] == sources
    assert " ".join(sources) in heraldo("list").output


def test_a_successor_takes_the_source_over_and_nobody_does_so_unaware(stage: Stage) -> None:
    create("shop")
    create("shop-2027", "--scope", "send", "--source", "shop")
    heraldo("revoke", "shop")
    refused = heraldo("create", "--name", "shop", "--scope", "send", code=1)
    assert "The key shop-2027 speaks for shop" in refused.output
    assert "--source shop to share it" in refused.output
    create("shop", "--scope", "send", "--source", "shop")


def test_a_key_from_before_keys_had_sources_is_listed_with_what_it_may(stage: Stage) -> None:
    item = {"hash": {"S": "0" * 64}, "name": {"S": "old"}, "scope": {"S": "send"}}
    stage.dynamodb.put_item(TableName="heraldo-local-keys", Item=item)
    [listed] = json.loads(heraldo("list", "--json").stdout)["keys"]
    assert listed["sources"] == ["old", "*"]
    create("shop")  # which an old key could speak for, as for any


def test_a_name_is_taken_once(stage: Stage) -> None:
    create("shop")
    refused = heraldo("create", "--name", "shop", "--scope", "read", code=1)
    assert "a key named shop already" in refused.output
    assert len(items(stage)) == 1


def test_a_key_that_expires_is_refused_from_then_on(stage: Stage) -> None:
    key = create()
    [item] = items(stage)
    for seconds, known in ((60, True), (-1, False)):
        ends = {"expires": {"N": str(int(time.time()) + seconds)}}
        stage.dynamodb.put_item(TableName="heraldo-local-keys", Item=item | ends)
        keys._cache.clear()
        if known:
            assert keys.require(bearer(key), "send").name == "shop"
        else:
            with pytest.raises(Problem, match="not known"):
                keys.require(bearer(key), "send")


def test_a_revoked_key_is_refused_once_the_cache_is_over(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = create("shop")
    keys.require(bearer(key), "send")
    assert "within 60 seconds" in heraldo("revoke", "shop").output
    keys.require(bearer(key), "send")
    later = time.monotonic() + keys.CACHE_SECONDS + 1
    monkeypatch.setattr(time, "monotonic", lambda: later)
    with pytest.raises(Problem) as refused:
        keys.require(bearer(key), "send")
    assert refused.value.status == 401


@pytest.mark.parametrize("by", ["name", "id", "key"])
def test_a_key_is_revoked_by_its_name_its_id_or_itself(stage: Stage, by: str) -> None:
    key = create("shop")
    create("other")
    wanted = {"name": "shop", "id": keys.hash_of(key)[:6], "key": key}[by]
    shown = json.loads(heraldo("revoke", wanted, "--json").stdout)
    assert (shown["name"], shown["in_force_within_seconds"]) == ("shop", 60)
    assert [item["name"]["S"] for item in items(stage)] == ["other"]


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        ("shopp", "did you mean shop"),
        ("hk_thisisnosuchkeyatall", "no key like this"),
        ("0", "no key 0"),
    ],
)
def test_what_is_no_key_is_not_revoked(stage: Stage, wanted: str, problem: str) -> None:
    create("shop")
    result = heraldo("revoke", wanted, code=1)
    assert problem in result.output
    assert "thisisno" not in result.output
    assert len(items(stage)) == 1


@pytest.mark.parametrize(("answer", "left"), [("n", 1), ("y", 0)])
def test_on_a_terminal_it_asks_before_it_revokes(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, answer: str, left: int
) -> None:
    create("shop")
    ours, theirs = os.openpty()
    os.write(ours, f"{answer}\n".encode())
    with open(theirs, encoding="utf-8") as terminal:  # noqa: PTH123 - a file descriptor
        monkeypatch.setattr(sys, "stdin", terminal)
        with pytest.raises(SystemExit) as ended:
            command.main(["revoke", "shop"])
    os.close(ours)
    assert ended.value.code == left
    assert len(items(stage)) == left
