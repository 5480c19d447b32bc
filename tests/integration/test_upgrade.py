"""What an older version left in queues and tables, dealt with by this one.

tests/integration/older/<commit>.json has what that commit's code wrote, word for word: an event that it published, one
that waits in its queue, and (where it could) one that is held, for a person that it knew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from chalice.test import Client

from chalicelib import aws
from chalicelib.lanes import sweeping
from tests.integration.aws_fixture import Stage
from tests.integration.test_api import get, post
from tests.integration.test_held import HOUR, call, door, later  # noqa: F401 - fixtures

FOLDER = Path(__file__).parent / "older"
# What both versions were asked with: the key is in the older one's table.
SECRET = "hk_an-older-version-wrote-this-key"
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}")


@dataclass
class Older:
    """What is left: `published`, `waiting` and `held` are the bodies of the three events."""

    commit: str
    waiting: dict[str, Any]
    published: dict[str, Any]
    wakes: list[dict[str, str]] = field(default_factory=list)


@pytest.fixture(params=sorted(file.stem for file in FOLDER.glob("*.json")))
def older(request: pytest.FixtureRequest, stage: Stage) -> Older:
    """A stage as an older version left it just now."""
    text = (FOLDER / f"{request.param}.json").read_text("utf-8")
    begun = min(datetime.fromisoformat(found + "Z") for found in MOMENT.findall(text))
    since = datetime.now(UTC) - begun

    def moved(match: re.Match[str]) -> str:
        moment = datetime.fromisoformat(match[0] + "Z") + since
        return moment.isoformat(timespec="milliseconds").removesuffix("+00:00")

    found = json.loads(MOMENT.sub(moved, text))
    for table, items in found["tables"].items():
        for item in items:
            if "expires" in item:
                item["expires"]["N"] = str(int(item["expires"]["N"]) + int(since.total_seconds()))
            stage.dynamodb.put_item(TableName=f"heraldo-local-{table}", Item=item)
    [message] = found["messages"]
    stage.send(message["body"], group=message["group"], dedup="w", attributes=message["attributes"])
    waiting = message["body"]
    published = json.loads(json.dumps(waiting).replace("older-waiting", "older-published"))
    return Older(found["commit"], waiting, published, found.get("wakes", []))


def needs_holds(older: Older) -> None:
    if not older.wakes:
        pytest.skip(f"{older.commit} could not hold anything yet")


def test_what_waits_in_a_queue_is_published_once(older: Older, stage: Stage) -> None:
    stage.handle()
    assert len(stage.delivered("users")) == 1
    life = stage.ledger("older-waiting")
    assert [entry["status"] for entry in life["timeline"]] == ["accepted", "published"]
    stage.send(older.waiting, group="c-1", dedup="again")
    stage.handle()
    assert stage.delivered("users") == []


def test_what_was_published_is_not_published_again(older: Older, stage: Stage) -> None:
    stage.handle()
    stage.delivered("users")
    stage.send(older.published, group="c-1", dedup="p")
    stage.handle()
    assert stage.delivered("users") == []
    assert stage.waiting() == 0


def test_the_door_knows_its_keys_and_its_events(
    door: Client,  # noqa: F811
    older: Older,
    stage: Stage,
) -> None:
    for raw in (older.published, older.waiting):
        answer = post(door, raw, secret=SECRET)
        assert (answer.status_code, answer.json_body["status"]) == (200, "duplicate")
    # What it is compared by was written otherwise before; then its id alone counts.
    other = {**older.published, "recipient": "c-2"}
    assert post(door, other, secret=SECRET).status_code == (409 if older.wakes else 200)
    assert get(door, "/events/older-published", SECRET).json_body["status"] == "published"
    assert post(door, {**older.published, "id": "new"}, secret=SECRET).status_code == 202


def test_what_is_held_goes_out_when_it_is_woken(
    older: Older,
    stage: Stage,
    later: Callable[[timedelta], None],  # noqa: F811
) -> None:
    needs_holds(older)
    stage.handle()
    stage.delivered("users")
    [wake] = older.wakes
    stage.send(wake, group="c-1", dedup="early")
    stage.handle()
    assert stage.delivered("users") == []
    later(HOUR + timedelta(minutes=1))
    stage.send(wake, group="c-1", dedup="late")
    stage.handle()
    assert len(stage.delivered("users")) == 1
    assert stage.ledger("older-held")["status"] == "published"


def test_what_is_held_and_overdue_is_found_by_the_sweep(
    older: Older, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs_holds(older)
    monkeypatch.setattr(sweeping, "LATE", -2 * HOUR)  # as if it were two hours later
    assert sweeping.sweep(aws.stage()) == 1


def test_what_is_held_can_be_cancelled(
    door: Client,  # noqa: F811
    older: Older,
    stage: Stage,
    later: Callable[[timedelta], None],  # noqa: F811
) -> None:
    needs_holds(older)
    found = call(door, "GET", "/events/older-held", SECRET).json_body
    assert (found["status"], found["held"]["why"]) == ("held", "deliverat")
    assert call(door, "DELETE", "/events/older-held", SECRET).json_body["status"] == "cancelled"
    stage.handle()
    stage.delivered("users")
    later(2 * HOUR)
    stage.send(older.wakes[0], group="c-1", dedup="late")
    stage.handle()
    assert stage.delivered("users") == []


def test_people_are_known(
    door: Client,  # noqa: F811
    older: Older,
) -> None:
    needs_holds(older)
    found = call(door, "GET", "/recipients/c-1", SECRET).json_body
    assert (found["locale"], found["time_zone"], found["email"]) == (
        "en",
        "Europe/Madrid",
        "ana@example.com",
    )
    assert found["preferences"]["promotions"]["email"] is False
