"""EventBridge as a door: events put on the bus, and CloudWatch alarms made readable.

Nobody waits for an answer here, so an event that cannot be accepted goes to a dead-letter queue with
its reason, where `./heraldo dead-letters` shows it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from chalicelib import aws, intake, log, names, queues
from chalicelib.errors import PermanentError, TransientError
from chalicelib.intake import Accepted
from chalicelib.queues import DeadLetter, Received
from chalicelib.routing import routing

DETAIL_TYPE: Final = "Heraldo Event"
ALARM: Final = "aws.alarm"
# Where an event is dead-lettered whose type, and so whose lane, cannot be told.
_LANE_OF_LAST_RESORT: Final = "alerts"


def take_event(envelope: Mapping[str, Any]) -> None:
    """Accept an event that was put on the bus with detail-type `Heraldo Event`.

    The detail is an event as over HTTP. EventBridge's id makes it idempotent where it has none.

    Raises
    ------
    TransientError : neither the event nor its dead letter could be queued; Lambda tries again.
    """
    detail = envelope.get("detail")
    raw: dict[str, Any] = dict(detail) if isinstance(detail, Mapping) else {}
    raw.setdefault("id", envelope["id"])
    raw.setdefault("source", f"eventbridge:{envelope.get('source', '')}"[:256])
    _take(raw, envelope)


def take_alarm(envelope: Mapping[str, Any]) -> None:
    """Accept a CloudWatch alarm's change of state as an `aws.alarm` event.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html

    Raises
    ------
    TransientError : as `take_event`.
    """
    detail = envelope["detail"]
    state = detail.get("state") or {}
    data: dict[str, Any] = {
        "name": detail.get("alarmName", ""),
        "state": state.get("value", ""),
        "previous": (detail.get("previousState") or {}).get("value", ""),
        "reason": state.get("reason", ""),
        "since": state.get("timestamp") or envelope.get("time", ""),
        "region": envelope.get("region", ""),
        "account": envelope.get("account", ""),
    }
    description = (detail.get("configuration") or {}).get("description")
    if description:
        data["description"] = description
    raw = {
        "id": envelope["id"],
        "source": "eventbridge:aws.cloudwatch",
        "type": ALARM,
        "subject": f"alarm {data['name']}"[:1024],
        "time": envelope.get("time"),
        "data": data,
    }
    _take(raw, envelope)


def _take(raw: dict[str, Any], envelope: Mapping[str, Any]) -> None:
    try:
        checked = intake.check(raw, default_source="eventbridge")
    except PermanentError as error:
        _dead_letter(raw, envelope, error)
        return
    [result] = intake.accept([checked])
    if isinstance(result, TransientError):
        # Lambda would try twice more and then forget it; a dead letter stays until it is redriven.
        _dead_letter(raw, envelope, PermanentError("unavailable", str(result)))
    elif not isinstance(result, Accepted):
        _dead_letter(raw, envelope, result)


def _dead_letter(raw: dict[str, Any], envelope: Mapping[str, Any], error: PermanentError) -> None:
    event_type = raw.get("type")
    event_type = event_type if isinstance(event_type, str) else ""
    try:
        lane = routing().lane(event_type)
    except PermanentError:
        lane = _LANE_OF_LAST_RESORT
    # Its ordering key, as far as it can be read: a redrive keeps what the event asked for.
    names_of_keys = ("partitionkey", "recipient", "subject", "type")
    keys = (v for name in names_of_keys if isinstance(v := raw.get(name), str) and v)
    message = Received(
        message_id=envelope["id"],
        receipt_handle="",
        body=json.dumps(raw, ensure_ascii=False, separators=(",", ":")),
        group=intake.group_id(next(keys, envelope["id"])),
        receives=1,
        attributes={},
    )
    letter = DeadLetter(
        message,
        error.reason,
        str(error),
        str(raw["id"])[:256],
        str(raw["source"])[:256],
        event_type,
    )
    url = intake.queue_url(names.dead_queue(names.stage(), lane))
    if not queues.dead_letter(aws.sqs(), url, [letter]):
        raise TransientError("the dead letter was not queued")
    log.warning("dead-lettered", lane=lane, event=envelope["id"], reason=error.reason)
