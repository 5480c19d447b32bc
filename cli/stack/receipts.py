"""What SES would say of the mails that the local AWS has taken: it takes them, and says nothing afterwards.

Every mail is delivered, unless it goes to the addresses of SES's mailbox simulator, which do here what they
do on AWS: https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html#send-email-simulator
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from chalicelib import names
from chalicelib.plan.compose import destination_tag, event_tag
from chalicelib.stage import Stage
from chalicelib.store import people, table
from chalicelib.store.record import Record, from_item

SIMULATOR: Final = "simulator.amazonses.com"
# A lane records what it sent within moments; what it did not record in that time was sent by others.
_SECONDS: Final = 120
_BOUNCES: Final = {"bounce": ("Permanent", "General"), "ooto": ("Transient", "General")}


class Receipts:
    """Tells the topic of receipts of every mail, once the ledger says which event it was about."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._waiting: dict[str, tuple[str, float]] = {}  # message ids: to whom, and until when

    def sent(self, message_id: str, to: str) -> None:
        self._waiting[message_id] = (to, time.monotonic() + _SECONDS)

    def tell(self) -> None:
        """Publish what can be told by now.

        Raises
        ------
        BotoCoreError, ClientError : the local AWS does not answer.
        """
        if not self._waiting:
            return
        topic = self._stage.topic_arn(names.RECEIPTS)
        for record in self._records():
            for destination, message_id in record.sent.items():
                if found := self._waiting.pop(message_id, None):
                    mail = self._mail(record, destination, message_id, found[0])
                    for said in _said(found[0]):
                        self._stage.sns.publish(
                            TopicArn=topic, Message=json.dumps({**said, "mail": mail})
                        )
        now = time.monotonic()
        self._waiting = {name: one for name, one in self._waiting.items() if one[1] > now}

    def _records(self) -> Iterator[Record]:
        name = self._stage.table(table.LEDGER)
        for page in self._stage.dynamodb.get_paginator("scan").paginate(TableName=name):
            yield from (from_item(item) for item in page["Items"] if "status" in item)

    def _mail(self, record: Record, destination: str, message_id: str, to: str) -> dict[str, Any]:
        tags = {
            "stage": [self._stage.name],
            "event": [event_tag(record.id, record.source)],
            "destination": [destination_tag(destination)],
        }
        for person in self._whose(to):
            tags["person"] = [base64.urlsafe_b64encode(person.encode()).decode().rstrip("=")]
        return {"messageId": message_id, "timestamp": _now(), "destination": [to], "tags": tags}

    def _whose(self, to: str) -> Iterable[str]:
        """Whose address it is. SES has that in a tag, which the local AWS does not keep."""
        pages = self._stage.dynamodb.get_paginator("scan").paginate(
            TableName=self._stage.table(table.PEOPLE),
            FilterExpression="email = :to",
            ExpressionAttributeValues={":to": {"S": to}},
        )
        return [people.from_item(item).id for page in pages for item in page["Items"]][:1]


def _said(to: str) -> list[Mapping[str, Any]]:
    """What SES says of a mail to this address.

    https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
    """
    box, _, domain = to.partition("@")
    box = box.partition("+")[0] if domain == SIMULATOR else ""
    delivery = {"eventType": "Delivery", "delivery": {"timestamp": _now(), "recipients": [to]}}
    if box in _BOUNCES:
        kind, detail = _BOUNCES[box]
        bounce = {"bounceType": kind, "bounceSubType": detail, "timestamp": _now()}
        return [{"eventType": "Bounce", "bounce": bounce}]
    if box == "complaint":
        complaint = {"complaintFeedbackType": "abuse", "timestamp": _now()}
        return [delivery, {"eventType": "Complaint", "complaint": complaint}]
    return [delivery]


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
