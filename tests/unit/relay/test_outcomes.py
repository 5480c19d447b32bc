"""What is told of a change in the ledger, and what becomes of what the bus does not take."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from cloudevents.core.formats.json import JSONFormat

from chalicelib.plan.compose import destination_tag, event_tag
from chalicelib.relay import outcomes
from chalicelib.relay.outcomes import Untold
from chalicelib.stage import Stage
from chalicelib.store import statuses
from chalicelib.store.record import Record, to_item

AT = "2026-11-25T10:00:00.000Z"


def item(status: str = statuses.PUBLISHED, at: str = AT, **changes: Any) -> dict[str, Any]:
    """What the ledger keeps of an event that has come to a status."""
    record = Record("order-1", "/shop", type="order.shipped", lane="orders", **changes)
    record.enter(statuses.ACCEPTED, "2026-11-25T09:59:59.000Z")
    record.enter(status, at)
    return to_item(record, "1")


def receipt(kind: str = statuses.BOUNCED) -> dict[str, Any]:
    return {
        "id": {"S": f"receipts\n{event_tag('order-1', '/shop')}"},
        "source": {"S": f"recipient_email/m-1/{kind}/hard"},
        "at": {"S": AT},
        "kind": {"S": kind},
        "detail": {"S": "Permanent General 5.1.1"},
        "expires": {"N": "1"},
    }


def told(new: dict[str, Any], old: dict[str, Any] | None = None) -> dict[str, Any] | None:
    change = {"NewImage": new} | ({"OldImage": old} if old else {})
    return outcomes.outcome("dev", change)


class Bus:
    """EventBridge with answers that were written for it; after them it takes everything."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.calls: list[list[dict[str, Any]]] = []

    def put_events(self, Entries: Sequence[dict[str, Any]]) -> Any:  # noqa: N803
        self.calls.append(list(Entries))
        answer = self.answers.pop(0) if self.answers else [""] * len(Entries)
        if isinstance(answer, Exception):
            raise answer
        return {"Entries": [{"ErrorCode": code} if code else {"EventId": "e"} for code in answer]}

    def stage(self) -> Stage:
        return Stage("dev", lambda _: self)

    @property
    def details(self) -> list[list[str]]:
        return [[json.loads(entry["Detail"])["subject"] for entry in call] for call in self.calls]


def records(*items: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"eventName": "MODIFY", "dynamodb": {"NewImage": new}} for new in items]


def numbered(count: int) -> list[dict[str, Any]]:
    return [{**item(), "id": {"S": f"o-{number}"}} for number in range(count)]


def in_time() -> int:
    return 30_000


@pytest.mark.parametrize("status", outcomes.TOLD)
def test_an_outcome_is_a_cloudevent_that_says_what_the_ledger_says(status: str) -> None:
    found = told(item(status, reason="no-contact", sent={"topic:users/es": "m-1"}, rules=("r",)))
    assert found is not None
    assert found | {"id": ""} == {
        "specversion": "1.0",
        "id": "",
        "source": "heraldo.dev",
        "type": f"heraldo.event.{status}",
        "subject": "order-1",
        "time": AT,
        "datacontenttype": "application/json",
        "data": {
            "id": "order-1",
            "source": "/shop",
            "tag": event_tag("order-1", "/shop"),
            "type": "order.shipped",
            "lane": "orders",
            "status": status,
            "timeline": [
                {"at": "2026-11-25T09:59:59.000Z", "status": "accepted"},
                {"at": AT, "status": status},
            ],
            "rules": ["r"],
            "messages": {"topic:users/es": "m-1"},
            "reason": "no-contact",
        },
    }
    assert reads(found).get_type() == f"heraldo.event.{status}"


def reads(event: dict[str, Any]) -> Any:
    """A CloudEvent as the SDK of cloudevents.io reads it."""
    return JSONFormat().read(None, json.dumps(event))


@pytest.mark.parametrize("kind", outcomes.TOLD_RECEIPTS)
def test_a_receipt_is_told_of_its_mail(kind: str) -> None:
    found = told(receipt(kind))
    assert found is not None
    assert (found["type"], found["subject"], found["time"]) == (f"heraldo.mail.{kind}", "m-1", AT)
    assert found["data"] == {
        "tag": event_tag("order-1", "/shop"),
        "destination": "recipient_email",
        "message_id": "m-1",
        "status": kind,
        "reason": "Permanent General 5.1.1",
    }
    assert reads(found).get_subject() == "m-1"


@pytest.mark.parametrize("kind", [statuses.DELIVERED, statuses.REJECTED])
def test_a_receipt_is_told_of_its_post(kind: str) -> None:
    new = receipt(kind)
    new["source"] = {"S": f"{destination_tag('webhook:erp')}/msg_1/{kind}"}
    found = told(new)
    assert found is not None
    assert (found["type"], found["subject"]) == (f"heraldo.webhook.{kind}", "msg_1")
    assert found["data"]["destination"] == "webhook_erp"


def test_what_is_on_its_way_is_no_outcome() -> None:
    on_its_way = set(statuses.STATUSES) - set(outcomes.TOLD)
    assert on_its_way == {"accepted", "held", "publishing", "retrying", "test"}
    assert [told(item(status)) for status in on_its_way] == [None] * 5
    assert told(receipt(statuses.DELAYED)) is None
    # A pointer to an event that came without an id; and what the table forgets.
    assert told({"id": {"S": "x"}, "source": {"S": "y"}, "event_id": {"S": "z"}}) is None
    assert outcomes.outcome("dev", {"OldImage": item()}) is None


def test_a_test_of_heraldo_itself_is_told_to_nobody() -> None:
    assert told(item() | {"type": {"S": "heraldo.verify"}}) is None


def test_what_is_written_again_as_it_was_is_told_once() -> None:
    assert told(item(), item()) is None
    assert told(item(), item(statuses.RETRYING)) is not None
    assert told(receipt(), receipt()) is None


def test_its_id_follows_from_what_it_tells() -> None:
    first, again = told(item()), told(item(), item(statuses.FAILED))
    assert first and again and first["id"] == again["id"]
    others = [
        told(item(statuses.FAILED)),
        told(item(at="2026-11-25T10:00:01.000Z")),
        told({**item(), "id": {"S": "order-2"}}),
        told({**item(), "source": {"S": "/till"}}),
        told(receipt()),
        told(receipt(statuses.DELIVERED)),
    ]
    ids = {one["id"] for one in others if one}
    assert len(ids) == 6
    assert first["id"] not in ids


def test_what_people_are_called_and_told_is_not_in_it() -> None:
    kept = item(detail="somebody wrote it", sender="till", fields="f", template="t")
    assert {"detail", "sender", "key", "fields", "template"}.isdisjoint((told(kept) or {})["data"])


def test_ten_go_into_a_call() -> None:
    bus = Bus()
    outcomes.drain(bus.stage(), records(*numbered(23)), in_time)
    assert [len(call) for call in bus.calls] == [10, 10, 3]
    assert [one for call in bus.details for one in call] == [f"o-{number}" for number in range(23)]


def test_as_many_go_into_a_call_as_it_has_room_for() -> None:
    long = {f"topic:{number}/es": "m" * 1000 for number in range(100)}
    bus = Bus()
    outcomes.drain(bus.stage(), records(*(item(sent=long) for _ in range(5))), in_time)
    assert [len(call) for call in bus.calls] == [2, 2, 1]


def test_one_that_is_too_large_is_told_to_a_person_and_keeps_nobody(
    capsys: pytest.CaptureFixture[str],
) -> None:
    bus = Bus()
    huge = item(sent={"topic:users/es": "m" * outcomes.BATCH_BYTES})
    outcomes.drain(bus.stage(), records(huge, *numbered(1)), in_time)
    assert bus.details == [["o-0"]]
    assert json.loads(capsys.readouterr().err)["message"] == "an outcome is too large for the bus"


def test_what_the_bus_did_not_take_goes_again_and_the_rest_does_not() -> None:
    bus = Bus(["", "ThrottlingException", ""], [""])
    outcomes.drain(bus.stage(), records(*numbered(3)), in_time)
    assert bus.details == [["o-0", "o-1", "o-2"], ["o-1"]]


def test_what_it_would_never_take_is_told_to_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    bus = Bus(["MalformedDetail"])
    outcomes.drain(bus.stage(), records(*numbered(1)), in_time)
    assert len(bus.calls) == 1
    said = json.loads(capsys.readouterr().err)
    assert (said["level"], said["error"]) == ("error", "MalformedDetail")


@pytest.mark.parametrize(
    "answer", [["InternalFailure"], ["AccessDeniedException"], [], ConnectionError()]
)
def test_where_there_is_no_time_left_lambda_keeps_what_was_not_taken(answer: Any) -> None:
    if isinstance(answer, Exception):
        from botocore.exceptions import EndpointConnectionError

        answer = EndpointConnectionError(endpoint_url="x")
    bus = Bus(answer, answer, answer)
    with pytest.raises(Untold, match="did not take 1 of 1"):
        outcomes.drain(bus.stage(), records(*numbered(1)), lambda: 12_000)


def test_one_that_cannot_be_read_keeps_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    bus = Bus()
    broken = {**item(), "sent": {"S": "{"}}
    outcomes.drain(bus.stage(), records(broken, *numbered(1)), in_time)
    assert bus.details == [["o-0"]]
    assert json.loads(capsys.readouterr().err)["level"] == "error"


def test_nothing_to_tell_asks_nobody() -> None:
    bus = Bus()
    outcomes.drain(bus.stage(), records(item(statuses.ACCEPTED)), in_time)
    assert bus.calls == []


def test_no_record_that_lambda_leaves_out_would_have_been_told() -> None:
    wanted = [json.loads(text)["dynamodb"]["NewImage"] for text in outcomes.filters()]
    for new in [*map(item, statuses.STATUSES), *map(receipt, statuses.RECEIPTS)]:
        passes = any(
            new.get(name, {}).get("S") in of["S"] for one in wanted for name, of in one.items()
        )
        assert passes == (told(new) is not None)
