"""The ledger newest first, on moto: what every page shows, and what it costs."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib import aws
from chalicelib.patience import Patience
from chalicelib.store import ledger, listing, table
from chalicelib.store.listing import Wanted
from chalicelib.store.record import Record, from_item, text_of
from chalicelib.store.shares import SHARDS, place, shard_of
from tests.integration.aws_fixture import Stage

BEGAN = datetime(2026, 3, 1, tzinfo=UTC)
WHOSE = [f"{n:032x}" for n in (7, 16**28 * 9, 16**28 * 25)]


def some(number: int, whose: Sequence[str] = ("", "", *WHOSE)) -> list[Record]:
    """Records of all kinds, in no order."""
    chance = random.Random(1)
    found = []
    for n in range(number):
        record = Record(f"e-{n}", "/shop", lane=chance.choice(["orders", "alerts"]))
        record.type = chance.choice(["order.placed", "order.shipped"])
        record.whose = chance.choice(whose)
        record.rules = tuple(chance.sample(["vip", "vip-users", "company"], chance.randrange(3)))
        # Many at one moment.
        at = BEGAN + timedelta(seconds=chance.randrange(max(1, number // 4)))
        record.enter("accepted", text_of(at))
        if chance.random() < 0.8:
            record.enter(chance.choice(["published", "suppressed"]), text_of(at))
        found.append(record)
    return found


def ordered(records: list[Record]) -> list[str]:
    def at(record: Record) -> str:
        return place(record.timeline[0].split(" ")[0], record.id, record.source)

    return [record.id for record in sorted(records, key=at, reverse=True)]


def pages(wanted: Wanted, count: int) -> Iterator[list[str]]:
    before = ""
    while True:
        found = listing.newest(aws.stage(), wanted, count, Patience(30), before)
        yield [from_item(item).id for item in found.items]
        before = found.before
        if not before:
            return


FILTERS: dict[str, tuple[Wanted, Any]] = {
    "all": (Wanted(), lambda r: True),
    "status": (Wanted(status="suppressed"), lambda r: r.status == "suppressed"),
    "type": (Wanted(type="order.placed"), lambda r: r.type == "order.placed"),
    "lane": (Wanted(lane="alerts"), lambda r: r.lane == "alerts"),
    "rule": (Wanted(rule="vip"), lambda r: "vip" in r.rules),
    "recipient": (Wanted(whose=WHOSE[1]), lambda r: r.whose == WHOSE[1]),
    "several": (
        Wanted(status="published", lane="orders", rule="company"),
        lambda r: (r.status, r.lane) == ("published", "orders") and "company" in r.rules,
    ),
    "time": (
        Wanted(since="2026-03-01T00:00:20.000Z", until="2026-03-01T00:00:40.000Z"),
        lambda r: "2026-03-01T00:00:20" <= r.timeline[0] < "2026-03-01T00:00:40.001",
    ),
    "nothing": (Wanted(status="failed"), lambda r: False),
}


@pytest.mark.parametrize("name", FILTERS)
def test_the_pages_together_are_all_that_is_wanted_the_newest_first(
    stage: Stage, name: str
) -> None:
    wanted, is_wanted = FILTERS[name]
    records = some(300)
    assert not ledger.write(aws.stage(), records, 30)
    right = ordered([record for record in records if is_wanted(record)])
    for count in (7, 40, 1000):
        shown = list(pages(wanted, count))
        assert [one for page in shown for one in page] == right
        assert all(len(page) == count for page in shown[:-1])


def test_a_page_costs_as_much_among_many_as_among_few(stage: Stage) -> None:
    costs = []
    records = some(600, whose=[""])
    for part in (records[:40], records):
        assert not ledger.write(aws.stage(), part, 30)
        stage.calls.clear()
        listing.newest(aws.stage(), Wanted(), 40, Patience(30))
        costs.append(stage.calls.count("Query"))
    assert costs == [SHARDS, SHARDS]


def test_what_one_recipient_got_takes_one_look(stage: Stage) -> None:
    ledger.write(aws.stage(), some(300), 30)
    stage.calls.clear()
    listing.newest(aws.stage(), Wanted(whose=WHOSE[0]), 10, Patience(30))
    assert stage.calls == ["Query"]


def test_a_look_that_would_take_too_long_says_how_far_it_came(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DynamoDB looks through a megabyte at a time; here it is three events."""
    real, records = listing._query, some(200)
    ledger.write(aws.stage(), records, 30)

    def little(*asked: Any) -> Any:
        return real(*asked[:4], 3, asked[5])

    monkeypatch.setattr(listing, "_query", little)
    wanted = Wanted(status="suppressed", rule="company")
    right = [r for r in records if r.status == "suppressed" and "company" in r.rules]
    found = listing.newest(aws.stage(), wanted, 40, Patience(30))
    assert not found.is_whole and found.before
    shown = [one for page in pages(wanted, 40) for one in page]
    assert shown == ordered(right)


def test_what_has_no_place_in_time_is_not_listed(stage: Stage) -> None:
    receipt = {"id": {"S": "receipts\nx"}, "source": {"S": "a/b/c"}, "at": {"S": "2026"}}
    table.write(aws.stage(), table.LEDGER, [receipt], 5)
    assert listing.newest(aws.stage(), Wanted(), 10, Patience(5)).items == []


def test_a_place_beyond_the_time_that_is_wanted_has_nothing_before_it(stage: Stage) -> None:
    ledger.write(aws.stage(), some(20), 5)
    wanted = Wanted(since="2026-03-01T00:00:02.000Z")
    assert not listing.newest(aws.stage(), wanted, 10, Patience(5), "2026-03-01").items


def test_a_span_is_counted_whole_or_by_a_fair_sample(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = some(800, whose=[""])
    ledger.write(aws.stage(), records, 30)
    end = BEGAN + timedelta(seconds=200)
    found, is_all = listing.sample(aws.stage(), BEGAN, end, Patience(30), 4)
    assert is_all
    assert sum(len(one.items) for one in found) == 800
    assert {one.weight for one in found} == {1.0}
    for number, one in enumerate(found):
        edges = (BEGAN + timedelta(seconds=50 * n) for n in (number, number + 1))
        first, last = map(text_of, edges)
        assert all(first <= item["at"]["S"] < last for item in one.items)
    monkeypatch.setattr(listing, "_ROWS", 160)  # forty for each quarter
    stage.calls.clear()
    found, is_all = listing.sample(aws.stage(), BEGAN, end, Patience(30), 4)
    assert not is_all
    assert stage.calls.count("Query") == SHARDS + 4
    assert all(len(one.items) <= 40 for one in found)
    assert sum(len(one.items) * one.weight for one in found) == pytest.approx(800, rel=0.4)


def test_events_are_spread_over_all_shares() -> None:
    by_id = [shard_of(f"event-{n}", "") for n in range(1600)]
    assert {min(by_id.count(str(n)), 60) for n in range(SHARDS)} == {60}
    assert {shard_of(f"event-{n}", WHOSE[1]) for n in range(50)} == {shard_of("", WHOSE[1])}
