"""./heraldo cost: units, prices, and what is told of them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner

from chalicelib.words.render import templates
from cli.commands.cost import command
from cli.cost.calls import Calls
from cli.cost.model import dollars, monthly, prices, regions, units

MAIL = Calls(
    {"PutItem": 1, "SendMessageBatch": 1},
    {"BatchGetItem": 1, "SendBulkEmail": 1, "BatchWriteItem": 1},
    reads=3,
    writes=4,
    channels={"email": 1},
    parts=0,
    held=False,
    starts=(),
)


def used(calls: Calls = MAIL, **changed: Any) -> dict[str, float]:
    return units(calls, **{"batch": 1, "together": 1, "memory": 512, "transitions": 0, **changed})


def cost(*arguments: str) -> Any:
    result = CliRunner().invoke(command, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_each_region_has_a_price_for_everything_and_each_service_a_page() -> None:
    first = prices(regions()[0])
    for region in regions():
        known = prices(region)
        assert known.of.keys() == first.of.keys()
        assert all(price > 0 for price in known.of.values())
        services = {unit.partition(".")[0] for unit in known.of}
        assert services == known.pages.keys()
        assert all(page.startswith("https://aws.amazon.com/") for page in known.pages.values())
        assert known.as_of.startswith("20")


def test_an_event_alone_pays_for_every_request() -> None:
    found = used()
    assert found["api_gateway.requests"] == 1
    assert found["lambda.requests"] == 2
    assert found["sqs.requests"] == 3
    assert (found["dynamodb.writes"], found["dynamodb.reads"], found["ses.mails"]) == (4, 3, 1)


def test_what_comes_together_shares_requests_and_not_what_is_written() -> None:
    alone, shared = used(), used(batch=500, together=10)
    assert shared["api_gateway.requests"] == 1 / 500
    assert shared["sqs.requests"] == pytest.approx(1 / 10 + 2 / 10)
    assert shared["lambda.seconds"] < alone["lambda.seconds"] / 5
    for unit in ("dynamodb.writes", "dynamodb.reads", "ses.mails"):
        assert shared[unit] == alone[unit]


def test_more_memory_is_less_time() -> None:
    """And so no dearer, as long as the time is spent computing: 5 ms of each call are not."""
    small, large = used(memory=512)["lambda.seconds"], used(memory=1769)["lambda.seconds"]
    assert small < large < 3 * small


def test_dollars_are_units_times_prices_with_messages_apart() -> None:
    known = prices("us-east-1")
    found = dollars({"sqs.requests": 2, "ses.mails": 1}, known, 50_000)
    assert found == {"messages": pytest.approx(5.0), "sqs": pytest.approx(0.05)}
    assert list(found) == ["messages", "sqs"], "the dearest first"


def test_what_waits_and_what_is_posted_costs_more() -> None:
    held = replace(MAIL, held=True, writes=18, door={"TransactWriteItems": 1, "CreateSchedule": 1})
    assert used(held)["scheduler.schedules"] == 1
    posted = replace(MAIL, channels={"webhook": 1})
    assert used(posted)["lambda.requests"] == 3
    assert used(posted)["lambda.seconds"] > used()["lambda.seconds"]


def test_every_type_has_a_cost() -> None:
    found = cost()["types"]
    assert found.keys() == set(templates().types)
    for told in found.values():
        assert told["total"] == pytest.approx(sum(told["services"].values()), abs=0.001)
        assert told["total"] == pytest.approx(told["heraldo"] + told["messages"], abs=0.001)


def test_snapshots_cost_for_as_long_as_they_are_kept() -> None:
    """1.5046 $ for a million seconds of a gigabyte: https://aws.amazon.com/lambda/pricing/"""
    known = prices("us-east-1")
    without = monthly(known, alarms=1, queues=1)
    kept = monthly(known, alarms=1, queues=1, snapshots=2.0)
    assert "snapshots" not in without
    assert kept["snapshots"] == pytest.approx(2 * 2.592 * 1.5046)
    assert kept == without | {"snapshots": kept["snapshots"]}


def test_a_journey_costs_its_transitions_to_the_end() -> None:
    found = cost("cart.abandoned", "critical.alert")["types"]
    assert found["cart.abandoned"]["services"]["step_functions"] == 7 * 25
    assert found["critical.alert"]["services"]["step_functions"] == 149 * 25


def test_a_text_message_costs_what_is_said() -> None:
    free, paid = (cost("critical.escalated", *more) for more in ((), ("--sms", "0.05")))
    parts = free["types"]["critical.escalated"]["sms_parts"]
    assert parts
    more = paid["types"]["critical.escalated"]["messages"]
    assert more == pytest.approx(0.05 * parts * 1_000_000)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("order.shiped",), "did you mean order.shipped"),
        (("--region", "us-est-1"), "there are those of us-east-1, eu-west-1"),
        (("--together", "11"), "1<=x<=10"),
        (("--events", "0"), "x>=1"),
    ],
)
def test_what_cannot_be_computed_is_told(arguments: tuple[str, ...], said: str) -> None:
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 2
    assert said in result.output


def test_shares_are_told_for_people() -> None:
    shown = CliRunner().invoke(command, ["order.shipped", "--events", "50000"]).stdout
    assert "50,000 × order.shipped" in shown
    assert "%" in shown
    assert "list prices as of" in shown
    assert "\x1b" not in shown
