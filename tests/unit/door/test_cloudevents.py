"""chalicelib/door/cloudevents.py: one event, however it travels."""

from __future__ import annotations

import json

from chalicelib.door import cloudevents
from chalicelib.door.http import Request
from chalicelib.events.event import parse
from chalicelib.stage import Stage
from chalicelib.store import fingerprint

NOWHERE = Stage("local", lambda service: None)


def test_structured_and_binary_mode_say_the_same() -> None:
    raw = {"specversion": "1.0", "type": "t", "id": "1", "source": "/s", "priority": 5}
    data = {"amount": 120.0, "at": "2026-11-22T10:00:00Z"}
    structured = Request(
        {"content-type": "application/cloudevents+json"},
        json.dumps({**raw, "data": data}).encode(),
        NOWHERE,
    )
    headers = {f"ce-{name}": str(value) for name, value in raw.items()}
    binary = Request(
        {**headers, "content-type": "application/json; charset=utf-8"},
        json.dumps(data).encode(),
        NOWHERE,
    )
    one, other = (parse(cloudevents.read_event(request)) for request in (structured, binary))
    assert fingerprint.of(one) == fingerprint.of(other)
    assert other.datacontenttype == "application/json; charset=utf-8"
