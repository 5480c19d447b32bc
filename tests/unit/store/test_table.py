"""chalicelib/store/table.py: many keys of several tables, and what DynamoDB leaves over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib.errors import TransientError
from chalicelib.stage import Stage
from chalicelib.store import table
from tests.unit.aws_model import Clock

PEOPLE, LEDGER = "heraldo-local-people", "heraldo-local-ledger"


class DynamoDB:
    """Has an item for every key but `nobody`; processes `most` keys a call, in `seconds`."""

    def __init__(self, clock: Clock, most: int = 100, seconds: float = 0.02) -> None:
        self.clock, self.most, self.seconds = clock, most, seconds
        self.calls: list[dict[str, int]] = []

    def batch_get_item(self, RequestItems: Any) -> Any:  # noqa: N803
        self.clock.sleep(self.seconds)
        self.calls.append({name: len(of["Keys"]) for name, of in RequestItems.items()})
        assert all(of["ConsistentRead"] for of in RequestItems.values())
        assert sum(self.calls[-1].values()) <= 100, "DynamoDB takes a hundred keys"
        room = self.most
        found: dict[str, list[Any]] = {}
        left: dict[str, Any] = {}
        for name, of in RequestItems.items():
            done, rest = of["Keys"][:room], of["Keys"][room:]
            room -= len(done)
            found[name] = [
                {**key, "found": {"BOOL": True}} for key in done if key != key_of("nobody")
            ]
            if rest:
                left[name] = {**of, "Keys": rest}
        return {"Responses": found, "UnprocessedKeys": left}


def key_of(name: str) -> dict[str, Any]:
    return {"id": {"S": name}}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(table, "time", found)
    return found


def read(dynamodb: Any, seconds: float = 10, **keys: list[dict[str, Any]]) -> dict[str, list[str]]:
    found = table.read(Stage("local", lambda _: dynamodb), keys, seconds)
    return {name: [item["id"]["S"] for item in items] for name, items in found.items()}


def test_two_tables_are_read_in_one_call(clock: Clock) -> None:
    dynamodb = DynamoDB(clock)
    found = read(dynamodb, ledger=[key_of("e-1"), key_of("nobody")], people=[key_of("cus-1")])
    assert found == {"ledger": ["e-1"], "people": ["cus-1"]}
    assert dynamodb.calls == [{LEDGER: 2, PEOPLE: 1}]


def test_nothing_is_asked_for_nothing(clock: Clock) -> None:
    dynamodb = DynamoDB(clock)
    assert read(dynamodb, ledger=[]) == {"ledger": []}
    assert dynamodb.calls == []


@pytest.mark.parametrize("most", [1, 7, 99, 100])
def test_what_dynamodb_leaves_over_is_asked_for_again(clock: Clock, most: int) -> None:
    dynamodb = DynamoDB(clock, most)
    wanted = [key_of(f"e-{n}") for n in range(150)]
    people = [key_of(f"p-{n}") for n in range(20)]
    found = read(dynamodb, 1000, ledger=wanted, people=people)
    assert sorted(found["ledger"]) == sorted(key["id"]["S"] for key in wanted)
    assert sorted(found["people"]) == sorted(key["id"]["S"] for key in people)


@pytest.mark.parametrize("seconds", [1.0, 5.0, 15.0])
@pytest.mark.parametrize("call", [0.02, 0.9, 4.0])
def test_a_table_that_never_answers_whole_takes_no_longer_than_it_may(
    clock: Clock, seconds: float, call: float
) -> None:
    began = clock.now
    with pytest.raises(
        TransientError, match=r"the ledger and the people cannot be read \(throttled\)"
    ):
        read(DynamoDB(clock, 0, call), seconds, ledger=[key_of("e")], people=[key_of("p")])
    assert clock.now - began <= max(seconds, call)


def refused(**_: Any) -> Any:
    answer: Any = {"Error": {"Code": "AccessDeniedException"}}
    raise ClientError(answer, "BatchGetItem")


def answers(answer: Any) -> Callable[..., Any]:
    return lambda **_: answer


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (refused, "AccessDeniedException"),
        (answers({}), "BadAnswer"),
        (answers([]), "BadAnswer"),
        (answers({"Responses": []}), "BadAnswer"),
        (answers({"Responses": {"elsewhere": []}}), "BadAnswer"),
        (answers({"Responses": {}, "UnprocessedKeys": {LEDGER: {}}}), "BadAnswer"),
    ],
)
def test_a_table_that_cannot_be_read_is_named_with_the_reason(
    clock: Clock, answer: Callable[..., Any], why: str
) -> None:
    dynamodb = type("DynamoDB", (), {"batch_get_item": staticmethod(answer)})
    with pytest.raises(TransientError, match=rf"the ledger cannot be read \({why}\)"):
        read(dynamodb, ledger=[key_of("e")])
