"""What has a time to come, on the deployed package: the scheduler wakes its lane, and nothing before that."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib import names
from tests.e2e.conftest import Stack, is_to, to
from tests.factories import sample


def reminder(name: str, number: int, at: datetime) -> dict[str, Any]:
    found = {
        **sample("order.placed"),
        **to(name),
        "id": f"{name}-{number}",
        "deliverat": at.isoformat(),
    }
    found.pop("source", None)
    found["data"] = {**found["data"], "order": {**found["data"]["order"], "id": f"P-{number}"}}
    return found


def status(stack: Stack, event_id: str) -> str:
    code, found = stack.call("GET", f"/events/{event_id}")
    assert code == 200
    return str(found["status"])


def schedules(stack: Stack) -> list[str]:
    found = stack.client("scheduler").list_schedules(GroupName=names.schedules("local"))
    return [schedule["Name"] for schedule in found["Schedules"]]


def test_what_is_held_goes_out_at_its_time_in_order_and_what_is_cancelled_does_not(
    stack: Stack, unique: str
) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=20)
    # The later one first, and one that is cancelled between them.
    for number, ahead in ((2, 2), (1, 1), (3, 0)):
        at = soon + timedelta(seconds=ahead)
        code, answer = stack.call("POST", "/events", reminder(unique, number, at))
        assert (code, answer["status"]) == (202, "accepted")
        assert datetime.fromisoformat(answer["held_until"]) - at < timedelta(milliseconds=1)
    _, found = stack.call("GET", f"/events/{unique}-1")
    assert (found["status"], found["held"]["why"]) == ("held", "deliverat")
    code, cancelled = stack.call("DELETE", f"/events/{unique}-3")
    assert (code, cancelled["status"]) == (200, "cancelled")
    assert stack.call("DELETE", f"/events/{unique}-3")[0] == 200  # twice is once
    mails = stack.received(is_to(unique), 2)
    assert datetime.now(UTC) >= soon
    assert ["P-1" in mails[0]["message"], "P-2" in mails[1]["message"]] == [True, True]
    assert [status(stack, f"{unique}-{n}") for n in (1, 2, 3)] == [
        "published",
        "published",
        "cancelled",
    ]
    assert stack.call("DELETE", f"/events/{unique}-1")[1]["type"].endswith("not-held")
    # A later event of the key is behind all of them, so that nothing else can still come.
    last = reminder(unique, 4, datetime.now(UTC) - timedelta(seconds=1))
    last.pop("deliverat")
    assert stack.call("POST", "/events", last)[0] == 202
    mails = stack.received(is_to(unique), 3)
    assert len(mails) == 3
    assert "P-4" in mails[2]["message"]


def test_whoever_is_erased_gets_nothing_of_what_waits_for_them(stack: Stack, unique: str) -> None:
    later = datetime.now(UTC) + timedelta(days=200)
    assert stack.call("POST", "/events", reminder(unique, 1, later))[0] == 202
    assert len([name for name in schedules(stack) if name]) >= 1
    assert stack.call("PUT", f"/recipients/{unique}", {"locale": "es"})[0] in (200, 201)
    assert stack.call("DELETE", f"/recipients/{unique}")[0] == 204
    assert status(stack, f"{unique}-1") == "cancelled"
    kept = stack.client("dynamodb").scan(TableName=names.table("local", "holds"))["Items"]
    assert [item for item in kept if unique in str(item)] == []


@pytest.mark.parametrize(
    ("deliverat", "problem"),
    [
        ("2026-02-30T10:00:00Z", "deliverat"),
        ("2126-01-01T10:00:00Z", "deliverat"),
        ("tomorrow", "deliverat"),
    ],
)
def test_a_time_that_cannot_be_is_refused_with_its_name(
    stack: Stack, unique: str, deliverat: str, problem: str
) -> None:
    raw = {**reminder(unique, 1, datetime.now(UTC)), "deliverat": deliverat}
    code, refusal = stack.call("POST", "/events", raw)
    assert code == 422
    assert [error["field"] for error in refusal["errors"]] == [problem]
    assert stack.call("GET", f"/events/{unique}-1")[0] == 404
