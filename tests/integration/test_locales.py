"""A broadcast in several locales: once per locale of the topic's audience, whatever goes wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib import aws
from chalicelib.lanes.dispatch import Redeliver, dispatch
from chalicelib.rules.reading import load
from tests.factories import sample
from tests.integration.aws_fixture import Stage

ROUTING = """
[lanes]
orders = ["order.*"]
promotions = ["offer.*"]
[topics]
users = { personal = true, locales = ["es", "en"] }
company = { locales = ["en"] }
[[rule]]
name = "offers"
pattern.type = ["offer.published", "order.placed"]
to = ["topic:users"]
[[rule]]
name = "large"
pattern.type = ["order.placed"]
to = ["topic:company"]
"""


@pytest.fixture(autouse=True)
def routing(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = load(ROUTING, "local")
    monkeypatch.setattr("chalicelib.lanes.invocation.routing", lambda _: rules)


def run(stage: Stage, lane: str = "promotions") -> None:
    """One invocation with these rules, as the event source mapping does it."""
    records = stage.receive(lane)
    assert records
    stage.calls.clear()
    dispatch(aws.stage(), records, lane, lambda: 30_000)
    for record in records:
        stage.sqs.delete_message(
            QueueUrl=stage.queue_url(f"heraldo-local-{lane}.fifo"),
            ReceiptHandle=record["receiptHandle"],
        )


def make_visible(stage: Stage, records: list[dict[str, Any]]) -> None:
    for record in records:
        stage.sqs.change_message_visibility(
            QueueUrl=stage.queue_url("heraldo-local-promotions.fifo"),
            ReceiptHandle=record["receiptHandle"],
            VisibilityTimeout=0,
        )


def offer(**attributes: Any) -> dict[str, Any]:
    return {**sample("offer.published"), "id": "o-1", "source": "/shop", **attributes}


def locales(stage: Stage, topic: str = "users") -> dict[str, str]:
    """What arrived, by its `locale` attribute; each at most once."""
    found = stage.delivered(topic)
    tags = [d["MessageAttributes"]["locale"]["Value"] for d in found]
    assert max(Counter(tags).values(), default=0) <= 1
    return {tag: d["Message"] for tag, d in zip(tags, found, strict=True)}


def test_an_offer_goes_out_once_in_each_locale_with_its_attribute(
    stage: Stage,
) -> None:
    stage.send(offer(), lane="promotions", dedup="1")
    run(stage)
    found = locales(stage)
    assert found.keys() == {"es", "en"}
    assert "Ahora: 44,90 €" in found["es"]
    assert "Now: €44.90" in found["en"]
    assert [*stage.ledger("o-1")["messages"]] == ["topic:users/es", "topic:users/en"]
    assert stage.calls.count("PublishBatch") == 1


def test_an_offer_that_names_its_locale_goes_out_in_that_one_only(
    stage: Stage,
) -> None:
    stage.send(offer(locale="en"), lane="promotions", dedup="1")
    run(stage)
    assert locales(stage).keys() == {"en"}


def test_a_customer_is_told_in_one_locale_and_the_company_in_its_own(
    stage: Stage,
) -> None:
    event = {**sample("order.placed"), "id": "p", "source": "/shop", "locale": "es-AR"}
    stage.send(event, dedup="1")
    run(stage, "orders")
    assert locales(stage).keys() == {"es"}
    assert locales(stage, "company").keys() == {"en"}


@pytest.fixture
def sns_refuses_english_once(stage: Stage) -> Iterator[None]:
    """SNS takes the Spanish entry of the next call, and answers that the English one was too much."""
    events = aws.stage().sns.meta.events
    held: list[dict[str, Any]] = []
    done: list[bool] = []

    def take_out(params: dict[str, Any], **_: Any) -> dict[str, Any]:
        if not done:
            entries = params["PublishBatchRequestEntries"]
            for entry in entries:
                if entry["MessageAttributes"]["locale"]["StringValue"] == "en":
                    held.append(entry)
            params["PublishBatchRequestEntries"] = [e for e in entries if e not in held]
        return params

    def refuse(parsed: dict[str, Any], **_: Any) -> None:
        if not done:
            done.append(True)
            parsed["Failed"] = [
                {"Id": entry["Id"], "Code": "Throttled", "SenderFault": False} for entry in held
            ]

    events.register("provide-client-params.sns.PublishBatch", take_out)
    events.register("after-call.sns.PublishBatch", refuse)
    yield
    assert held, "the English entry never came"


@pytest.mark.usefixtures("sns_refuses_english_once")
def test_a_redelivery_publishes_only_the_locale_that_is_missing(
    stage: Stage,
) -> None:
    stage.send(offer(), lane="promotions", dedup="1")
    records = stage.receive("promotions")
    with pytest.raises(Redeliver, match="1 of 1"):
        dispatch(aws.stage(), records, "promotions", lambda: 30_000)
    assert locales(stage).keys() == {"es"}
    assert stage.ledger("o-1")["status"] == "retrying"
    make_visible(stage, records)
    run(stage)
    assert locales(stage).keys() == {"en"}
    assert stage.ledger("o-1")["status"] == "published"
    assert stage.waiting("promotions") == 0
    # And a copy of the event, later, publishes nothing at all.
    stage.send(offer(), lane="promotions", dedup="2")
    run(stage)
    assert locales(stage) == {}
