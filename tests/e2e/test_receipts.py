"""What SES says of a mail reaches the deployed function, and stops the address that it bounced from."""

from __future__ import annotations

import json
import time
from typing import Any

from chalicelib import names
from chalicelib.plan.compose import event_tag
from tests.e2e.conftest import Stack
from tests.factories import sample
from tests.mails import said
from tests.patience import PATIENCE


def event(unique: str, number: int) -> dict[str, Any]:
    found = {"type": "order.placed", "id": f"{unique}-{number}", "source": "local"}
    data = sample("order.placed")["data"]
    return {**found, "recipient": unique, "email": f"{unique}@example.com", "data": data}


def tell(stack: Stack, message: dict[str, Any]) -> None:
    """Publish what SES would, where SES would."""
    topics = [topic["TopicArn"] for topic in stack.client("sns").list_topics()["Topics"]]
    [topic] = [arn for arn in topics if arn.endswith(names.topic("local", names.RECEIPTS))]
    stack.client("sns").publish(TopicArn=topic, Message=json.dumps(message))


def life(stack: Stack, event_id: str, wanted: str) -> dict[str, Any]:
    """An event's life, once it has something of this name."""
    deadline = time.monotonic() + PATIENCE
    while True:
        _, found = stack.call("GET", f"/events/{event_id}")
        if found.get(wanted) or time.monotonic() > deadline:
            return dict(found)
        time.sleep(0.1)


def test_a_bounce_before_its_record_and_twice_is_shown_once_and_stops_the_address(
    stack: Stack, unique: str
) -> None:
    first = event(unique, 1)
    bounce = said("Bounce", first["email"], event=event_tag(first["id"], "local"))
    tell(stack, bounce)
    tell(stack, bounce)
    deadline = time.monotonic() + PATIENCE
    while not bounced(stack, first) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert bounced(stack, first)
    second = {**event(unique, 2), "email": f"other-{unique}@example.com"}
    assert stack.call("POST", "/events", second)[0] == 202
    assert life(stack, second["id"], "messages")["outcomes"] == {"recipient:email": "awaited"}
    tell(
        stack,
        said("Complaint", second["email"], event=event_tag(second["id"], "local"), person=unique),
    )
    found = life(stack, second["id"], "receipts")
    assert [one["status"] for one in found["receipts"]] == ["complained"]
    assert stack.call("POST", "/events", first)[0] == 202
    assert life(stack, first["id"], "withheld")["reason"] == "address-stopped"


def bounced(stack: Stack, one: dict[str, Any]) -> list[Any]:
    """The receipts in the ledger of an event that there is no record of."""
    answer = stack.client("dynamodb").query(
        TableName=names.table("local", "ledger"),
        KeyConditionExpression="id = :id",
        ExpressionAttributeValues={":id": {"S": f"receipts\n{event_tag(one['id'], 'local')}"}},
    )
    return list(answer["Items"])
