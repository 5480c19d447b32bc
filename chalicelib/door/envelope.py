"""What EventBridge hands over, as the event that it means: one put on the bus, or an alarm's new state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from chalicelib.door.keys import lies_beneath
from chalicelib.errors import FieldError, InvalidEvent, PermanentError
from chalicelib.events.event import MAX_SOURCE
from chalicelib.values import dataclass

DETAIL_TYPE: Final = "Heraldo Event"
ALARM_DETAIL_TYPE: Final = "CloudWatch Alarm State Change"
ALARM: Final = "aws.alarm"
# What CloudWatch says of the state that an alarm has before its first.
_INITIAL: Final = "Unchecked: Initial alarm creation"


@dataclass(frozen=True, slots=True)
class Opened:
    """An event as its sender meant it, who put it on the bus, and when.

    `problem` is what keeps it from being taken, before it was even read.
    """

    id: str
    raw: dict[str, Any]
    sender: str
    time: str | None
    problem: PermanentError | None = None


def opened(body: str, stage: str) -> Opened:
    """Read what lies in the bus's queue of a stage.

    Raises
    ------
    PermanentError : it is nothing that EventBridge hands over.
    """
    try:
        envelope = json.loads(body)
    except (ValueError, RecursionError):
        envelope = None
    if not isinstance(envelope, dict) or not isinstance(envelope.get("id"), str):
        raise PermanentError("not-an-event", "it is no event of EventBridge")
    if envelope.get("detail-type") == ALARM_DETAIL_TYPE:
        return _alarm(envelope)
    return _event(envelope, stage)


def _event(envelope: Mapping[str, Any], stage: str) -> Opened:
    """An event that was put on the bus with detail-type `Heraldo Event`.

    The detail is an event as over HTTP, with the stage that it is meant for. EventBridge's id makes it
    idempotent where it has none, and its time is the event's where it has none. Who puts events on the
    bus speaks for nobody else: a source of the event's own lies beneath theirs.
    """
    detail = envelope.get("detail")
    raw: dict[str, Any] = dict(detail) if isinstance(detail, Mapping) else {}
    meant = raw.pop("stage", None)
    if raw.get("id") is None:
        raw["id"] = envelope["id"]
    theirs, source = _source(envelope), raw.get("source")
    if source is None:
        raw["source"] = theirs
    elif isinstance(source, str) and source and not lies_beneath(source, theirs):
        raw["source"] = f"{theirs}/{source}"
    problem = None
    if meant not in (None, "", stage):
        # Rules of EventBridge look into lists, and so can hand one event to two stages.
        told = f"names no stage of this account; this is {stage}, and an event is meant for one"
        problem = InvalidEvent("wrong-stage", [FieldError("stage", told)])
    return Opened(envelope["id"], raw, theirs, _text(envelope.get("time")) or None, problem)


def _source(envelope: Mapping[str, Any]) -> str:
    """Who put it on the bus, as the URI that a CloudEvents source is."""
    return f"eventbridge:{quote(str(envelope.get('source', '')), safe='/:.@')}"[:MAX_SOURCE]


def _alarm(envelope: Mapping[str, Any]) -> Opened:
    """A CloudWatch alarm's change of state, as an `aws.alarm` event.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html
    """
    detail = _table(envelope.get("detail"))
    state, previous = _table(detail.get("state")), _table(detail.get("previousState"))
    data: dict[str, Any] = {
        "name": _text(detail.get("alarmName")),
        "state": _text(state.get("value")),
        "previous": _text(previous.get("value")),
        # Whether this is the first state that it ever had: nothing was wrong before it.
        "new": _text(previous.get("reason")).startswith(_INITIAL),
        "since": _text(state.get("timestamp")) or _text(envelope.get("time")),
        "region": _text(envelope.get("region")),
        "account": _text(envelope.get("account")),
    }
    more = {
        "reason": state.get("reason"),
        "description": _table(detail.get("configuration")).get("description"),
        # Of a composite alarm: it changed, and does nothing about it.
        "actionsSuppressedBy": state.get("actionsSuppressedBy"),
    }
    data |= {name: text for name, value in more.items() if (text := _text(value))}
    raw = {
        "id": envelope["id"],
        "source": "eventbridge:aws.cloudwatch",
        "type": ALARM,
        "subject": f"alarm {data['name']}"[:1024],
        "time": envelope.get("time"),
        "data": data,
    }
    return Opened(envelope["id"], raw, _source(envelope), None)


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
