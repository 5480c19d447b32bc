"""What a rule gathers, on the deployed package: a storm that is few messages, woken by the scheduler."""

from __future__ import annotations

import io
import json
import re
import time
import zipfile
from typing import Any

import pytest

from chalicelib.rules import reading
from cli.deploy.package import Package
from cli.stack.inbox import Delivery
from tests.e2e.conftest import Stack
from tests.factories import sample
from tests.patience import PATIENCE

EVENTS = 400
RULE = """
[[rule]]
name = "storm"
pattern.type = ["critical.alert"]
pattern.data.service = [{ prefix = "t-" }]
to = ["topic:company"]
digest = { window = "12s", key = "data.service" }
stop = true

[[rule]]
"""


@pytest.fixture
def gathering(stack: Stack, built: Package) -> None:
    """The lane of alerts has a rule that gathers those of services of this test's, which no other sends."""
    zipped = io.BytesIO()
    rules = reading.FILE.read_text("utf-8").replace("[[rule]]\n", RULE, 1)
    with zipfile.ZipFile(built.zip_file) as package, zipfile.ZipFile(zipped, "w") as changed:
        for entry in package.infolist():
            body = package.read(entry)
            if entry.filename == "chalicelib/routing.toml":
                body = rules.encode()
            changed.writestr(entry, body)
    functions = stack.client("lambda")
    functions.update_function_code(FunctionName="heraldo-local-alerts", ZipFile=zipped.getvalue())


def alert(name: str, number: int) -> dict[str, Any]:
    data = {**sample("critical.alert")["data"], "service": name, "summary": f"Fallo {number}"}
    return {"type": "critical.alert", "id": f"{name}-{number}", "source": "/shop", "data": data}


def count_of(message: Delivery) -> int:
    """How many events a message is about."""
    several = re.match(r"(\d+) alertas:", message["message"])
    return int(several[1]) if several else 1


@pytest.mark.usefixtures("gathering")
def test_a_storm_is_few_messages_that_count_all_of_it(stack: Stack, unique: str) -> None:
    queue, sqs = stack.local["queues"]["alerts"], stack.client("sqs")
    for begin in range(0, EVENTS, 10):
        entries = [
            {
                "Id": str(number),
                "MessageBody": json.dumps(alert(unique, number)),
                "MessageGroupId": f"{unique}-{number % 10}",
                "MessageDeduplicationId": f"{unique}-{number}",
            }
            for number in range(begin, begin + 10)
        ]
        answer = sqs.send_message_batch(QueueUrl=queue, Entries=entries)
        assert not answer.get("Failed")
    deadline = time.monotonic() + PATIENCE
    told: list[Delivery] = []
    while sum(map(count_of, told)) < EVENTS and time.monotonic() < deadline:
        told = stack.received(lambda d: unique in d["message"], len(told) + 1)
    assert sum(map(count_of, told)) == EVENTS
    assert len(told) <= 10
    assert told[0]["message"].count("\n- ") == min(100, count_of(told[0]))
    code, found = stack.call("GET", f"/events/{unique}-{EVENTS - 1}")
    assert (code, found["status"]) == (200, "gathered")
    [digest] = found["digests"]
    assert (digest["rule"], digest["status"]) == ("storm", "published")
    code, found = stack.call("GET", f"/events/{digest['id']}")
    assert (code, list(found["messages"])) == (200, ["topic:company/es"])
    assert json.dumps(found).count(unique) == 0
