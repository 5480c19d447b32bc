"""Caps in a lane, on moto: nobody gets more of a category than it says, each event counts once, across lanes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chalicelib import aws, names
from chalicelib.door import cancelling
from chalicelib.events.event import parse
from chalicelib.lanes import persons
from chalicelib.lanes.dispatch import Redeliver, dispatch
from chalicelib.plan.compose import event_tag
from chalicelib.plan.timing import outlook
from chalicelib.rules import reading
from chalicelib.store import counting, holds
from chalicelib.store.counts import Count
from tests.factories import customers_hear_by, sample
from tests.integration.aws_fixture import Stage, lanes_at

NOW = datetime.now(UTC).replace(microsecond=0)
Clock = Callable[[timedelta], None]
Rules = Callable[[str, str], None]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """How long after NOW it is in the lanes; NOW is when the test begins, for all tests take longer than a window."""
    monkeypatch.setattr(f"{__name__}.NOW", datetime.now(UTC).replace(microsecond=0))

    def put_on(after: timedelta) -> None:
        lanes_at(monkeypatch, NOW + after)

    put_on(timedelta(0))
    return put_on


@pytest.fixture
def rules(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Rules:
    """The shipped rules, with a cap for orders and what happens above it; customers hear by SMS, which moto has."""
    shipped = (Path(reading.__file__).parents[1] / "routing.toml").read_text("utf-8")

    def write(cap: str = "", over: str = "suppress") -> None:
        lane = 'orders = ["order.*", "payment.*"]'
        capped = (
            f'orders = {{ types = ["order.*", "payment.*"], cap = "{cap}", over_cap = "{over}" }}'
        )
        text = customers_hear_by("recipient:sms", shipped)
        assert lane in text
        file = tmp_path / "capped.toml"
        file.write_text(text.replace(lane, capped) if cap else text, "utf-8")
        monkeypatch.setattr(reading, "FILE", file)
        reading.routing.cache_clear()

    write()
    return write


def send(stage: Stage, name: str, group: str = "c-1", total: float = 10, **more: Any) -> None:
    raw = {**sample("order.placed"), "id": name, "source": "shop", "recipient": "c-1", **more}
    raw["data"] = {**raw["data"], "order": {**raw["data"]["order"], "total": total}}
    stage.send(raw, group=group, dedup=name)


def statuses(stage: Stage, *ids: str) -> list[str]:
    return [stage.ledger(event_id)["status"] for event_id in ids]


@pytest.fixture(autouse=True)
def ana(stage: Stage, rules: Rules) -> None:
    person = {"id": {"S": "person:c-1"}, "phone": {"S": "+34600111222"}}
    stage.dynamodb.put_item(TableName=names.table("local", "people"), Item=person)


def test_what_is_too_many_is_suppressed_and_there_is_room_again_later(
    stage: Stage, clock: Clock, rules: Rules
) -> None:
    rules("2 per 7 days", "suppress")
    for number in range(3):
        send(stage, f"e-{number}")
        stage.handle()
    assert statuses(stage, "e-0", "e-1", "e-2") == ["published", "published", "suppressed"]
    told = stage.ledger("e-2")
    assert (told["reason"], told["withheld"]) == ("capped", {"recipient:sms": "capped"})
    assert "2 per 7 days" in told["detail"]
    clock(timedelta(days=7, seconds=1))
    send(stage, "e-3")
    stage.handle()
    assert statuses(stage, "e-3") == ["published"]


def test_what_is_deferred_goes_out_when_there_is_room(
    stage: Stage, clock: Clock, rules: Rules
) -> None:
    rules("1 per day", "defer")
    for number in range(3):
        send(stage, f"e-{number}")
        stage.handle()
    assert statuses(stage, "e-0", "e-1", "e-2") == ["published", "held", "held"]
    assert stage.ledger("e-1")["held"]["why"] == "capped"
    for day, expected in ((1, ["published", "held"]), (2, ["published", "published"])):
        clock(timedelta(days=day, minutes=day))
        stage.send(holds.wake_body(event_tag("e-1", "shop")), group="c-1", dedup=f"w-{day}")
        stage.handle()
        assert statuses(stage, "e-1", "e-2") == expected


def test_a_batch_of_one_person_counts_each_event(stage: Stage, clock: Clock, rules: Rules) -> None:
    rules("2 per day", "suppress")
    for number in range(4):
        send(stage, f"e-{number}", deliverat=(NOW + timedelta(hours=1)).isoformat())
        stage.handle()
    clock(timedelta(hours=2))
    stage.send(holds.wake_body(event_tag("e-0", "shop")), group="c-1", dedup="wake")
    stage.handle()
    found = statuses(stage, "e-0", "e-1", "e-2", "e-3")
    assert found == ["published", "published", "suppressed", "suppressed"]


def test_another_lane_that_counted_meanwhile_is_not_overwritten(
    stage: Stage, clock: Clock, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules("1 per day", "suppress")
    write = counting.write

    def second(*args: Any) -> None:
        """Another lane's worker has read the same, and is quicker."""
        monkeypatch.setattr(counting, "write", write)
        other = Count("person:c-1", "orders", {}).with_event("another", NOW)
        write(args[0], [(other, NOW + timedelta(days=1))])
        write(*args)

    monkeypatch.setattr(counting, "write", second)
    send(stage, "e-0")
    with pytest.raises(Redeliver):
        stage.handle()
    [back] = next(filter(None, iter(stage.receive, None)))
    dispatch(aws.stage(), [back], "orders", lambda: 30_000)
    assert statuses(stage, "e-0") == ["suppressed"]


def test_a_try_that_failed_after_it_was_counted_counts_once(
    stage: Stage, clock: Clock, rules: Rules
) -> None:
    rules("1 per day", "suppress")
    tag = event_tag("e-0", "shop")
    before = Count("person:c-1", "orders", {}).with_event(tag, NOW)
    counting.write(aws.stage(), [(before, NOW + timedelta(days=1))])
    send(stage, "e-0")
    stage.handle()
    assert statuses(stage, "e-0") == ["published"]
    send(stage, "e-1")
    stage.handle()
    assert statuses(stage, "e-1") == ["suppressed"]


def test_the_company_hears_of_it_all_the_same(stage: Stage, clock: Clock, rules: Rules) -> None:
    rules("1 per day", "defer")
    for number in range(2):
        send(stage, f"e-{number}", total=900)
        stage.handle()
    told = stage.ledger("e-1")
    assert told["status"] == "published"
    assert [name.partition("/")[0] for name in told["messages"]] == ["topic:company"]
    assert told["withheld"] == {"recipient:sms": "capped"}


def test_a_plan_says_what_the_lane_does_where_the_company_hears_of_it(
    stage: Stage, clock: Clock, rules: Rules
) -> None:
    rules("1 per day", "defer")
    send(stage, "e-0", total=900)
    stage.handle()
    event = parse({**sample("order.placed"), "id": "e-1", "source": "shop", "recipient": "c-1"})
    found, category = reading.routing("local"), reading.routing("local").categories["orders"]
    known = persons.read(aws.stage(), found, "orders", [event], 10)
    both = outlook(event, category, ("recipient:sms", "topic:company/es"), known, None, NOW)
    assert (both.wait, both.capped) == (None, ("recipient:sms",))
    alone = outlook(event, category, ("recipient:sms",), known, None, NOW)
    assert alone.wait is not None
    assert alone.wait.until > NOW + timedelta(days=1)
    company = outlook(event, category, ("topic:company/es",), known, None, NOW)
    assert (company.wait, company.capped, company.count) == (None, (), None)


def test_an_event_in_the_lane_of_another_type_is_counted_as_its_lane_has_it(
    stage: Stage, clock: Clock, rules: Rules
) -> None:
    """Whoever may write to a queue decides what goes through its lane."""
    rules("1 per day", "suppress")
    for number in range(2):
        raw = {
            **sample("cart.abandoned"),
            "id": f"e-{number}",
            "source": "shop",
            "recipient": "c-1",
        }
        stage.send(raw, group="c-1", dedup=f"e-{number}")
        stage.handle()
    assert statuses(stage, "e-0", "e-1") == ["published", "suppressed"]


def test_it_costs_one_call_more_for_a_whole_batch(stage: Stage, clock: Clock, rules: Rules) -> None:
    def calls_of(batch: str) -> list[str]:
        stage.calls.clear()
        for number in range(5):
            person = {"recipient": f"p-{number}", "phone": "+34600111222"}
            send(stage, f"{batch}-{number}", group=f"g-{number}", **person)
        stage.handle()
        return sorted(stage.calls)

    calls_of("first")  # which makes the secret by which addresses are known
    without = calls_of("a")
    rules("1 per day", "suppress")
    assert calls_of("b") == sorted([*without, "TransactWriteItems"])


def test_whoever_is_erased_is_counted_no_more(stage: Stage, clock: Clock, rules: Rules) -> None:
    rules("1 per day", "suppress")
    send(stage, "e-0")
    stage.handle()
    assert "c-1" in str(stage.dynamodb.scan(TableName=names.table("local", "holds"))["Items"])
    cancelling.erase(aws.stage(), "c-1")
    assert "c-1" not in str(stage.dynamodb.scan(TableName=names.table("local", "holds"))["Items"])
