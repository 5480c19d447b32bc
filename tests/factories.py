"""Events as SQS hands them to Lambda; chalice.test's own lack what FIFO queues add."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

ACCOUNT = "123456789012"
REGION = "us-east-1"

_numbers = itertools.count(1)
# Where a rule sends what is its recipient's own.
_TO_RECIPIENT = re.compile(r'\["recipient[^]]*\]')


def customers_hear_by(destination: str, routing: str) -> str:
    """The text of a routing.toml whose customers are reached by another destination, and by no second one.

    For who counts what arrives: at a topic there are subscribers.
    """
    before, found, after = routing.partition('[[rule]]\nname = "on-its-way"')
    changed = f"{before}[[rule]]{after.partition('[[rule]]')[2]}" if found else before
    changed, times = _TO_RECIPIENT.subn(f'["{destination}"]', changed)
    assert times, "no rule sends anything to its recipient"
    return changed


def record(
    body: Any,
    *,
    group: str = "g",
    lane: str = "orders",
    receives: int = 1,
    message_id: str | None = None,
    receipt: str | None = None,
    attributes: dict[str, str] | None = None,
) -> dict[str, Any]:
    """One record of an SQS Lambda event; `body` is JSON-encoded unless it is text already."""
    found = message_id or f"m-{next(_numbers)}"
    return {
        "messageId": found,
        "receiptHandle": receipt or f"receipt-{found}",
        "body": body if isinstance(body, str) else json.dumps(body, ensure_ascii=False),
        "attributes": {
            "ApproximateReceiveCount": str(receives),
            "MessageGroupId": group,
            "MessageDeduplicationId": f"dedup-{found}",
            "SequenceNumber": "1",
            "SentTimestamp": "1760000000000",
            "SenderId": ACCOUNT,
            "ApproximateFirstReceiveTimestamp": "1760000000000",
        },
        "messageAttributes": {
            name: {"stringValue": value, "dataType": "String"}
            for name, value in (attributes or {}).items()
        },
        "md5OfBody": "",
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:heraldo-local-{lane}.fifo",
        "awsRegion": REGION,
    }


def shipped(number: int, *, recipient: str | None = None, **attributes: Any) -> dict[str, Any]:
    """An order.shipped event that renders; `number` stands in its subject."""
    return {
        "specversion": "1.0",
        "type": "order.shipped",
        "source": "/shop",
        "id": f"e-{number}",
        "recipient": recipient or f"cus-{number}",
        "data": {**sample("order.shipped")["data"]},
        **attributes,
    }


def sample(event_type: str) -> dict[str, Any]:
    """The whole sample event of a type."""
    from pathlib import Path

    file = Path(__file__).parent.parent / "templates" / event_type / "sample.json"
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found
