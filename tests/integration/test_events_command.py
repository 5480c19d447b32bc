"""./heraldo events on moto: counted by status, and listed."""

from __future__ import annotations

import json
from typing import Any

from click.testing import CliRunner, Result

from chalicelib.store import statuses
from chalicelib.store.record import Record, to_item
from cli.commands.events import command
from tests.integration.aws_fixture import Stage


def heraldo(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == code, (result.output, result.exception)
    return result


def put(
    stage: Stage, event_id: str, status: str, event_type: str = "order.shipped", **more: Any
) -> None:
    record = Record(event_id, "/s", type=event_type, lane="orders", **more)
    record.enter(status, f"2026-01-01T00:00:{len(event_id):02}.000Z")
    stage.dynamodb.put_item(TableName="heraldo-local-ledger", Item=to_item(record, "1"))


def test_events_are_counted_by_status_and_nothing_else_of_the_ledger_is(stage: Stage) -> None:
    assert "There is no event" in heraldo().output
    pointer = {"id": {"S": "content\nx"}, "source": {"S": "/s"}, "event_id": {"S": "a"}}
    stage.dynamodb.put_item(TableName="heraldo-local-ledger", Item=pointer)
    for number in range(3):
        put(stage, f"p{number}", statuses.PUBLISHED)
    put(stage, "u", statuses.UNKNOWN)
    assert json.loads(heraldo("--json").stdout) == {"counts": {"published": 3, "unknown": 1}}
    text = heraldo().output
    assert text.index("published") < text.index("unknown")
    assert statuses.STATUSES["unknown"] in text


def test_those_of_a_status_are_listed_oldest_first_with_what_is_not_known(stage: Stage) -> None:
    put(stage, "later", statuses.UNKNOWN, unknown=("topic:users/es", "topic:company/es"))
    put(stage, "old", statuses.UNKNOWN, "order.delivered", unknown=("topic:users/en",))
    put(stage, "p", statuses.PUBLISHED)
    result = heraldo("--status", "unknown")
    assert result.stdout.splitlines() == [
        "2026-01-01T00:00:03.000Z  order.delivered  old  from /s",
        "  may have gone out to topic:users/en",
        "2026-01-01T00:00:05.000Z  order.shipped  later  from /s",
        "  may have gone out to topic:users/es, topic:company/es",
    ]
    assert "2 events unknown" in result.stderr
    found = json.loads(heraldo("--status", "unknown", "--json").stdout)
    assert found["counts"] == {"unknown": 2}
    assert [(e["id"], e["unknown"]) for e in found["events"]] == [
        ("old", ["topic:users/en"]),
        ("later", ["topic:users/es", "topic:company/es"]),
    ]
    only = json.loads(heraldo("--status", "unknown", "--type", "order.delivered", "--json").stdout)
    assert [event["id"] for event in only["events"]] == ["old"]


def test_where_there_is_none_of_a_status_it_says_so(stage: Stage) -> None:
    put(stage, "p", statuses.PUBLISHED)
    assert "0 events unknown" in heraldo("--status", "unknown").stdout
    result = CliRunner().invoke(command, ["--status", "unknwon"])
    assert result.exit_code == 2
    assert "'unknown'" in result.output


def test_a_ledger_of_many_pages_is_read_whole(stage: Stage) -> None:
    for number in range(30):
        put(stage, f"e{number}", statuses.FAILED, detail="x" * 90_000)
    assert json.loads(heraldo("--json").stdout)["counts"] == {"failed": 30}
