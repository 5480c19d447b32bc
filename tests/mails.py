"""What SES says of a mail, in the shape that AWS documents.

https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-examples.html
"""

from __future__ import annotations

import base64
import json
from typing import Any, Final

AT: Final = "2026-11-22T10:00:00.000Z"


def said(
    kind: str,
    to: str = "ana@example.com",
    *,
    event: str = "0" * 32,
    destination: str = "recipient_email",
    message_id: str = "m-1",
    person: str = "",
    stage: str = "local",
    **part: Any,
) -> dict[str, Any]:
    """One of SES's events about a mail that Heraldo sent."""
    tags = {
        "ses:operation": ["SendBulkTemplatedEmail"],
        "ses:configuration-set": [f"heraldo-{stage}"],
        "stage": [stage],
        "event": [event],
        "destination": [destination],
    }
    if person:
        tags["person"] = [base64.urlsafe_b64encode(person.encode()).decode().rstrip("=")]
    mail = {
        "timestamp": AT,
        "messageId": message_id,
        "source": "Abedul <hola@abedul.example>",
        "sendingAccountId": "123456789012",
        "destination": [to],
        "headersTruncated": False,
        "headers": [{"name": "Subject", "value": "Tu pedido"}],
        "tags": tags,
    }
    return {"eventType": kind, "mail": mail, **_part(kind, to, part)}


def _part(kind: str, to: str, part: dict[str, Any]) -> dict[str, Any]:
    recipients = [{"emailAddress": to}]
    if kind == "Bounce":
        bounced = [{**recipients[0], "action": "failed", "status": "5.1.1"}]
        shape = {
            "bounceType": "Permanent",
            "bounceSubType": "General",
            "bouncedRecipients": bounced,
            "timestamp": AT,
            "feedbackId": "f",
            "reportingMTA": "dsn; mta.example.com",
        }
        return {"bounce": {**shape, **part}}
    if kind == "Complaint":
        shape = {
            "complainedRecipients": recipients,
            "timestamp": AT,
            "feedbackId": "f",
            "complaintFeedbackType": "abuse",
        }
        return {"complaint": {**shape, **part}}
    if kind == "DeliveryDelay":
        delayed = [{**recipients[0], "status": "4.4.1", "diagnosticCode": f"smtp; 451 {to}"}]
        shape = {"delayType": "MailboxFull", "delayedRecipients": delayed, "timestamp": AT}
        return {"deliveryDelay": {**shape, **part}}
    if kind == "Reject":
        return {"reject": {"reason": "Bad content", **part}}
    if kind == "Rendering Failure":
        return {"failure": {"errorMessage": f"x of {to}", "templateName": "t", **part}}
    shape = {"timestamp": AT, "recipients": [to], "smtpResponse": f"250 ok {to}"}
    return {kind[0].lower() + kind[1:]: {**shape, **part}}


def enveloped(message: dict[str, Any]) -> str:
    """The same in SNS's envelope, where a subscription is not raw."""
    return json.dumps(
        {
            "Type": "Notification",
            "MessageId": "n",
            "TopicArn": "arn:aws:sns:us-east-1:123456789012:heraldo-local-receipts",
            "Subject": "Amazon SES Email Event Notification",
            "Message": json.dumps(message),
            "Timestamp": AT,
        }
    )
