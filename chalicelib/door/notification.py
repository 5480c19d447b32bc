"""What SES says of a mail, as the receipt that it is.

https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
"""

from __future__ import annotations

import base64
import binascii
import email.utils
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from chalicelib.errors import FieldError, InvalidEvent, PermanentError
from chalicelib.events.addresses import email_problem, normal_email
from chalicelib.regex import regex
from chalicelib.store import statuses, stops
from chalicelib.store.receipts import Receipt
from chalicelib.store.record import text_of
from chalicelib.values import dataclass

# What SES publishes where it has been told to publish: an event destination, a topic of an identity.
_GREETING: Final = "Successfully validated SNS topic for Amazon SES event publishing."
# Of no interest, should somebody have SES tell it all the same.
_IGNORED: Final = ("Send", "Open", "Click", "Subscription", "AmazonSnsSubscriptionSucceeded")
# Somebody took a mail out of the spam again: the opposite of a complaint.
_NO_COMPLAINT: Final = "not-spam"
_BOUNCES: Final = {
    "Permanent": stops.HARD_BOUNCE,
    "Transient": stops.SOFT_BOUNCE,
    "Undetermined": stops.SOFT_BOUNCE,
}
# Tags as `plan.compose` makes them; a message id as SES does, which stands in a key.
_EVENT: Final = regex(r"[0-9a-f]{32}\Z")
_DESTINATION: Final = regex(r"[A-Za-z0-9_-]{1,256}\Z")
_MESSAGE_ID: Final = regex(r"[A-Za-z0-9._@=+-]{1,200}\Z")
# SES's words and the codes of mail servers (MailboxFull, 5.1.1). What else stands there may name somebody.
_WORD: Final = regex(r"[A-Za-z][A-Za-z -]{0,63}\Z")
_STATUS: Final = regex(r"\d(\.\d{1,3}){2}\Z")


@dataclass(frozen=True, slots=True)
class _Told:
    """What became of the mail, what that does to its address, and SES's words for it."""

    kind: str
    effect: str = ""
    words: tuple[str, ...] = ()


def read(body: str, stage: str) -> Receipt | None:
    """Read what lies in the receipts' queue of a stage: SES's own words, or those words in SNS's envelope.
    None where they say nothing that is kept.

    Raises
    ------
    PermanentError : SES says no such thing, or not of a mail of this stage. Shows no address.
    """
    text = _message(body)
    if text.strip() == _GREETING:
        return None
    said = _json(text)
    name = said.get("eventType") or said.get("notificationType")
    if name in _IGNORED:
        return None
    if not isinstance(name, str) or name not in _PARTS:
        raise PermanentError("not-a-receipt", "it says nothing that SES says of a mail")
    part_name, reader = _PARTS[name]
    part = said.get(part_name)
    if not isinstance(part, Mapping):
        raise _invalid(part_name, "is required, with what SES says")
    told = reader(part)
    if told is None:
        return None
    return _receipt(_object(said.get("mail")), told, part.get("timestamp"), stage)


def _receipt(mail: Mapping[str, Any], told: _Told, at: Any, stage: str) -> Receipt:
    tags = _object(mail.get("tags"))
    event, destination = _tag(tags, "event"), _tag(tags, "destination")
    if not event:
        raise PermanentError("not-ours", "mail.tags.event: is missing, so Heraldo did not send it")
    if _tag(tags, "stage") not in ("", stage):
        raise PermanentError("wrong-stage", f"mail.tags.stage: is another; this is {stage}")
    message_id = mail.get("messageId")
    if not _EVENT.match(event) or not _DESTINATION.match(destination):
        raise _invalid("mail.tags", "event and destination are not as Heraldo writes them")
    if not isinstance(message_id, str) or not _MESSAGE_ID.match(message_id):
        raise _invalid("mail.messageId", "must be the id that SES gave the mail")
    return Receipt(
        event=event,
        destination=destination,
        message_id=message_id,
        kind=told.kind,
        # Of what was rejected, SES says no more than when it was sent.
        at=_moment(mail.get("timestamp") if at is None else at),
        detail=" ".join(filter(None, told.words)),
        address=_address(mail.get("destination")),
        person=_person(_tag(tags, "person")),
        effect=told.effect,
    )


def _bounce(part: Mapping[str, Any]) -> _Told:
    kind = part.get("bounceType")
    if not isinstance(kind, str) or kind not in _BOUNCES:
        raise _invalid("bounce.bounceType", f"must be one of {', '.join(_BOUNCES)}")
    words = (kind, _word(part.get("bounceSubType")), _status(part.get("bouncedRecipients")))
    return _Told(statuses.BOUNCED, _BOUNCES[kind], words)


def _complaint(part: Mapping[str, Any]) -> _Told | None:
    feedback = _word(part.get("complaintFeedbackType"))
    if feedback == _NO_COMPLAINT:
        return None
    words = (feedback, _word(part.get("complaintSubType")))
    return _Told(statuses.COMPLAINED, stops.COMPLAINT, words)


def _delivery(_: Mapping[str, Any]) -> _Told:
    return _Told(statuses.DELIVERED, stops.DELIVERY)


def _delay(part: Mapping[str, Any]) -> _Told:
    words = (_word(part.get("delayType")), _status(part.get("delayedRecipients")))
    return _Told(statuses.DELAYED, words=words)


def _reject(part: Mapping[str, Any]) -> _Told:
    return _Told(statuses.REJECTED, words=(_word(part.get("reason")),))


def _failure(_: Mapping[str, Any]) -> _Told:
    return _Told(statuses.REJECTED, words=("Rendering Failure",))


# By SES's name: the field in which it says more, and who reads that.
_PARTS: Final[Mapping[str, tuple[str, Callable[[Mapping[str, Any]], _Told | None]]]] = {
    "Bounce": ("bounce", _bounce),
    "Complaint": ("complaint", _complaint),
    "Delivery": ("delivery", _delivery),
    "DeliveryDelay": ("deliveryDelay", _delay),
    "Reject": ("reject", _reject),
    "Rendering Failure": ("failure", _failure),
}


def _message(body: str) -> str:
    """What somebody published: the message in SNS's envelope, or the body itself where it has none.

    https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
    """
    if not body.lstrip().startswith("{"):
        return body
    envelope = _json(body)
    if envelope.get("Type") == "Notification" and isinstance(envelope.get("Message"), str):
        return str(envelope["Message"])
    return body


def _json(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise PermanentError("not-a-receipt", "it is no JSON object")
    return found


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _tag(tags: Mapping[str, Any], name: str) -> str:
    """A tag's value; SES gives a list for each."""
    values = tags.get(name)
    first = values[0] if isinstance(values, list) and values else values
    return first if isinstance(first, str) else ""


def _address(destination: Any) -> str:
    """The address that the mail went to. That of a bounce may be another, where somebody forwards."""
    one = destination[0] if isinstance(destination, list) and len(destination) == 1 else None
    address = email.utils.parseaddr(one)[1] if isinstance(one, str) else ""
    if not address or email_problem(address):
        raise _invalid("mail.destination", "must be the one address that the mail went to")
    return normal_email(address)


def _person(tag: str) -> str:
    """Whose address it was, by the shop's id; nothing where that does not fit into a tag."""
    try:
        return base64.urlsafe_b64decode(tag + "=" * (-len(tag) % 4)).decode()
    except (binascii.Error, ValueError):
        return ""


def _moment(value: Any) -> str:
    try:
        return text_of(datetime.fromisoformat(value).astimezone(UTC))
    except (TypeError, ValueError, OverflowError):
        raise _invalid("timestamp", "must be a moment, such as 2026-12-03T08:12:41.985Z") from None


def _word(value: Any) -> str:
    return value if isinstance(value, str) and _WORD.match(value) else ""


def _status(recipients: Any) -> str:
    first = recipients[0] if isinstance(recipients, list) and recipients else None
    status = _object(first).get("status")
    return status if isinstance(status, str) and _STATUS.match(status) else ""


def _invalid(name: str, problem: str) -> InvalidEvent:
    return InvalidEvent("invalid-receipt", [FieldError(name, problem)])
