"""EventBridge as a door: events put on the bus, and CloudWatch alarms made readable.

Nobody waits for an answer here, so an event that cannot be accepted goes to a dead-letter queue with
its reason, where `./heraldo dead-letters` shows it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from chalicelib import log
from chalicelib.door import intake
from chalicelib.door.intake import Accepted
from chalicelib.door.keys import lies_beneath
from chalicelib.errors import PermanentError, TransientError
from chalicelib.events.event import MAX_ID, MAX_SOURCE, ORDERED_BY
from chalicelib.lanes import queues
from chalicelib.lanes.queues import DeadLetter, Received
from chalicelib.patience import Patience
from chalicelib.rules.reading import routing
from chalicelib.stage import Stage

DETAIL_TYPE: Final = "Heraldo Event"
ALARM: Final = "aws.alarm"
# Where an event is dead-lettered whose type, and so whose lane, cannot be told.
_LANE_OF_LAST_RESORT: Final = "alerts"
# Seconds in which an event must begin to be taken, and then its dead letter: with what their last
# calls take (`http.ANSWER_SECONDS`), less than the function has.
_SECONDS: Final = 9.0


def take_event(stage: Stage, envelope: Mapping[str, Any]) -> None:
    """Accept an event that was put on the bus with detail-type `Heraldo Event`.

    The detail is an event as over HTTP. EventBridge's id makes it idempotent where it has none. Who
    puts events on the bus speaks for nobody else: a source of the event's own lies beneath theirs.

    Raises
    ------
    TransientError : neither the event nor its dead letter could be queued; Lambda tries again.
    """
    detail = envelope.get("detail")
    raw: dict[str, Any] = dict(detail) if isinstance(detail, Mapping) else {}
    if raw.get("id") is None:
        raw["id"] = envelope["id"]
    theirs, source = _source(envelope), raw.get("source")
    if source is None:
        raw["source"] = theirs
    elif isinstance(source, str) and source and not lies_beneath(source, theirs):
        raw["source"] = f"{theirs}/{source}"
    _take(stage, raw, envelope)


def _source(envelope: Mapping[str, Any]) -> str:
    """Who put it on the bus, as the URI that a CloudEvents source is."""
    return f"eventbridge:{quote(str(envelope.get('source', '')), safe='/:.@')}"[:MAX_SOURCE]


def take_alarm(stage: Stage, envelope: Mapping[str, Any]) -> None:
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
    _take(stage, raw, envelope)


def _take(stage: Stage, raw: dict[str, Any], envelope: Mapping[str, Any]) -> None:
    try:
        checked = intake.check(raw, routing(stage.name), default_source="eventbridge")
    except PermanentError as error:
        _dead_letter(stage, raw, envelope, error)
        return
    [result] = intake.accept(stage, [checked], _source(envelope), Patience(_SECONDS))
    if isinstance(result, TransientError):
        # Lambda would try twice more and then forget it; a dead letter stays until it is redriven.
        _dead_letter(stage, raw, envelope, PermanentError("unavailable", str(result)))
    elif not isinstance(result, Accepted):
        _dead_letter(stage, raw, envelope, result)


def _dead_letter(
    stage: Stage, raw: dict[str, Any], envelope: Mapping[str, Any], error: PermanentError
) -> None:
    event_type = _text(raw.get("type"))
    try:
        lane = routing(stage.name).lane(event_type)
    except PermanentError:
        lane = _LANE_OF_LAST_RESORT
    body = json.dumps(raw, ensure_ascii=False, separators=(",", ":"))
    # Its ordering key, as far as it can be read: a redrive keeps what the event asked for.
    keys = (_text(raw.get(name)) for name in ORDERED_BY)
    message = Received(
        message_id=envelope["id"],
        receipt_handle="",
        body=queues.REFUSED.sub(lambda found: f"\\u{ord(found[0]):04x}", body),
        group=queues.group_id(next(filter(None, keys), envelope["id"])),
        receives=1,
        attributes={},
    )
    letter = DeadLetter(
        message,
        error.reason,
        _text(str(error)),
        _text(raw["id"])[:MAX_ID],
        _text(raw["source"])[:MAX_SOURCE],
        event_type[:MAX_ID],
    )

    def put() -> None:
        if not queues.dead_letter(stage.sqs, stage.dead_queue_url(lane), [letter]):
            raise TransientError("the dead letter was not queued")

    Patience(_SECONDS).ask(put)
    log.warning("dead-lettered", lane=lane, event=envelope["id"], reason=error.reason)


def _text(value: object) -> str:
    """A text as SQS takes it in an attribute; nothing for what is no text."""
    return queues.REFUSED.sub("?", value) if isinstance(value, str) else ""
