"""chalicelib/door/notification.py: what SES says of a mail, as the receipt that it is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.door import notification
from chalicelib.errors import PermanentError
from chalicelib.store import statuses, stops
from tests.mails import AT, enveloped, said

KINDS: dict[str, tuple[dict[str, Any], str, str, str]] = {
    "a delivery": (said("Delivery"), statuses.DELIVERED, stops.DELIVERY, ""),
    "a hard bounce": (
        said("Bounce"),
        statuses.BOUNCED,
        stops.HARD_BOUNCE,
        "Permanent General 5.1.1",
    ),
    "a soft bounce": (
        said("Bounce", bounceType="Transient", bounceSubType="MailboxFull", bouncedRecipients=[]),
        statuses.BOUNCED,
        stops.SOFT_BOUNCE,
        "Transient MailboxFull",
    ),
    "one of which nobody knows": (
        said("Bounce", bounceType="Undetermined", bounceSubType="Undetermined"),
        statuses.BOUNCED,
        stops.SOFT_BOUNCE,
        "Undetermined Undetermined 5.1.1",
    ),
    "a complaint": (said("Complaint"), statuses.COMPLAINED, stops.COMPLAINT, "abuse"),
    "a delay": (said("DeliveryDelay"), statuses.DELAYED, "", "MailboxFull 4.4.1"),
    "a rejection": (said("Reject"), statuses.REJECTED, "", "Bad content"),
    "a template": (said("Rendering Failure"), statuses.REJECTED, "", "Rendering Failure"),
}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("wrapped", [False, True])
def test_every_word_of_ses_is_a_receipt(name: str, wrapped: bool) -> None:
    message, kind, effect, detail = KINDS[name]
    found = notification.read(enveloped(message) if wrapped else json.dumps(message), "local")
    assert found is not None
    assert (found.kind, found.effect, found.detail) == (kind, effect, detail)
    assert (found.event, found.destination, found.message_id) == (
        "0" * 32,
        "recipient_email",
        "m-1",
    )
    assert found.address == "ana@example.com"
    assert found.at == AT


def test_whose_address_it_was_stands_in_a_tag() -> None:
    found = notification.read(json.dumps(said("Delivery", person="cliente ñ/1")), "local")
    assert found is not None
    assert found.person == "cliente ñ/1"


@pytest.mark.parametrize(
    "body",
    [
        "Successfully validated SNS topic for Amazon SES event publishing.",
        json.dumps(said("Send")),
        json.dumps(said("Open")),
        json.dumps(said("Complaint", complaintFeedbackType="not-spam")),
    ],
)
def test_what_is_not_kept_is_no_mistake(body: str) -> None:
    assert notification.read(body, "local") is None


def without(path: str) -> str:
    message = said("Bounce")
    *way, last = path.split(".")
    part: Any = message
    for name in way:
        part = part[name]
    del part[last]
    return json.dumps(message)


@pytest.mark.parametrize(
    ("body", "reason", "said_of_it"),
    [
        ("x", "not-a-receipt", "no JSON object"),
        ("[" * 100_000, "not-a-receipt", "no JSON object"),
        ("{}", "not-a-receipt", "nothing that SES says"),
        (json.dumps({"eventType": "Bounce"}), "invalid-receipt", "bounce: is required"),
        (without("mail"), "not-ours", "mail.tags.event"),
        (without("mail.tags.event"), "not-ours", "mail.tags.event"),
        (without("mail.destination"), "invalid-receipt", "mail.destination"),
        (without("mail.messageId"), "invalid-receipt", "mail.messageId"),
        (without("bounce.bounceType"), "invalid-receipt", "Permanent, Transient"),
        (json.dumps(said("Bounce", timestamp="yesterday")), "invalid-receipt", "a moment"),
        (json.dumps(said("Bounce", event="../x")), "invalid-receipt", "mail.tags"),
        (json.dumps(said("Bounce", destination="a/b")), "invalid-receipt", "mail.tags"),
        (json.dumps(said("Bounce", message_id="a/b")), "invalid-receipt", "mail.messageId"),
        (json.dumps(said("Bounce", stage="prod")), "wrong-stage", "this is local"),
    ],
)
def test_what_is_no_receipt_says_why_and_shows_nobody(
    body: str, reason: str, said_of_it: str
) -> None:
    with pytest.raises(PermanentError) as refused:
        notification.read(body, "local")
    assert refused.value.reason == reason
    assert said_of_it in str(refused.value)
    assert "ana@" not in str(refused.value)


def test_of_ses_words_only_its_own_are_kept() -> None:
    """A mail server's answer may name its user, and a stranger may write anything there."""
    strange = {"bounceSubType": "ana@example.com", "bouncedRecipients": [{"status": "5.1.1 ana"}]}
    found = notification.read(json.dumps(said("Bounce", **strange)), "local")
    assert found is not None
    assert found.detail == "Permanent"
