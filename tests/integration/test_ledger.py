"""chalicelib/store/ledger.py on moto: DynamoDB's own word on conditions, keys and transactions."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib import aws
from chalicelib.store import ledger, statuses
from chalicelib.store.record import KEEP_SECONDS, Record
from tests.integration.aws_fixture import Stage


def record(event_id: str = "e", **known: Any) -> Record:
    return Record(event_id, "/s", **{"status": statuses.RETRYING, "type": "order.once", **known})


def known(event_id: str = "e") -> Record:
    return ledger.read(aws.stage(), [(event_id, "/s")], 5)[(event_id, "/s")]


def announce(*records: Record) -> dict[Any, str]:
    return ledger.announce(aws.stage(), records, 5)


def write(*records: Record) -> list[Record]:
    return ledger.write(aws.stage(), records, 5)


def test_who_announced_writes_and_nobody_else(stage: Stage) -> None:
    mine, theirs = record(), record()
    assert announce(mine) == {}
    assert announce(theirs) == {theirs.key: ledger.TAKEN}
    mine.status = statuses.PUBLISHED
    assert write(mine) == []
    theirs.status = statuses.FAILED
    assert write(theirs) == [theirs]
    assert known().status == statuses.PUBLISHED
    assert known().turn == mine.turn


def test_a_turn_that_was_read_is_taken_over(stage: Stage) -> None:
    announce(record())
    first, second = known(), known()
    assert announce(first) == {}
    assert announce(second) == {second.key: ledger.TAKEN}
    # An announcement whose answer was lost is announced again, or taken back.
    assert announce(first) == {}
    assert write(first) == []


def test_a_turn_taken_from_one_leaves_the_others_theirs(stage: Stage) -> None:
    announce(record("b"))
    three = [record(name) for name in "abc"]
    assert announce(*three) == {("b", "/s"): ledger.TAKEN}
    assert {known("a").turn, known("c").turn} == {three[0].turn}
    assert known("b").turn != three[1].turn


def test_an_event_without_a_turn_is_written_whoever_wrote_before(stage: Stage) -> None:
    assert write(record(status=statuses.ACCEPTED)) == []
    assert write(record(status=statuses.PUBLISHED), *(record(f"e{n}") for n in range(30))) == []
    assert known().status == statuses.PUBLISHED
    assert len(ledger.read(aws.stage(), [(f"e{n}", "/s") for n in range(30)], 5)) == 30


def test_what_is_written_goes_in_thirty_days(stage: Stage) -> None:
    announce(record("held"))
    write(record("free"))
    import time

    for name in ("held", "free"):
        item = stage.dynamodb.get_item(
            TableName="heraldo-local-ledger", Key={"id": {"S": name}, "source": {"S": "/s"}}
        )["Item"]
        assert abs(int(item["expires"]["N"]) - time.time() - KEEP_SECONDS) < 60


def test_an_id_is_found_for_each_source_that_used_it(stage: Stage) -> None:
    for source in ("/b", "/a"):
        write(Record("e", source, statuses.PUBLISHED))
    write(record("other"))
    stage.dynamodb.put_item(
        TableName="heraldo-local-ledger", Item={"id": {"S": "e"}, "source": {"S": "/pointer"}}
    )
    assert [found.source for found in ledger.find(aws.stage(), "e")] == ["/a", "/b"]
    assert ledger.find(aws.stage(), "nobody") == []


@pytest.mark.parametrize("call", ["read", "find", "announce", "write"])
def test_a_ledger_that_is_not_there_is_said(stage: Stage, call: str) -> None:
    stage.dynamodb.delete_table(TableName="heraldo-local-ledger")
    if call == "write":
        found = record()
        assert ledger.write(aws.stage(), [found], 0) == [found]
    elif call == "announce":
        found = record()
        assert ledger.announce(aws.stage(), [found], 0) == {found.key: "ResourceNotFoundException"}
    else:
        asked: Any = [("e", "/s")] if call == "read" else "e"
        more = [0] if call == "read" else []
        with pytest.raises(ledger.TransientError, match=r"the ledger cannot be read \(Resource"):
            getattr(ledger, call)(aws.stage(), asked, *more)
