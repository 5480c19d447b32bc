"""Every status that an event can have, and what it means. The API's document and docs/api.md say the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ACCEPTED: Final = "accepted"
HELD: Final = "held"
GATHERED: Final = "gathered"
PUBLISHING: Final = "publishing"
RETRYING: Final = "retrying"
PUBLISHED: Final = "published"
SUPPRESSED: Final = "suppressed"
EXPIRED: Final = "expired"
UNKNOWN: Final = "unknown"
TEST: Final = "test"
CANCELLED: Final = "cancelled"
FAILED: Final = "failed"

STATUSES: Final[Mapping[str, str]] = {
    ACCEPTED: "taken, and on its way through its lane",
    HELD: "kept until its time: `held` says until when, and why; it can be cancelled",
    GATHERED: "kept for a digest, or gone out in one: `digests` says until when it waits, and which it was",
    PUBLISHING: "its channels are being asked; written only for types with `on_unknown = skip`, and where a first-of form has chosen a channel",
    RETRYING: "kept in its lane and its order to be tried again; `reason` and `detail` say why",
    PUBLISHED: "sent to every destination but those that are `withheld`",
    SUPPRESSED: "sent to nobody: `reason` and `detail` say why",
    EXPIRED: "not sent: its `expirytime` was past",
    UNKNOWN: "sent, but nobody knows whether to all: `unknown` names the doubtful, and the type says skip",
    TEST: "sent with a test key: rendered, and published to nobody",
    CANCELLED: "not sent: somebody cancelled it, or erased whom it was for, before its time",
    FAILED: "given up: it lies in the dead-letter queue until it is redriven",
}
# Last words. `failed` is not among them: a redrive can still change it.
SETTLED: Final = frozenset((PUBLISHED, SUPPRESSED, EXPIRED, UNKNOWN, TEST, CANCELLED, GATHERED))
# What an event comes by again and again while it waits.
WAITING: Final = frozenset((PUBLISHING, RETRYING))

# What became of a single mail, or of whatever went by another channel. The gravest word counts, so the order
# is from the lightest to the gravest.
NONE: Final = "none"
AWAITED: Final = "awaited"
DELAYED: Final = "delayed"
DELIVERED: Final = "delivered"
REJECTED: Final = "rejected"
BOUNCED: Final = "bounced"
COMPLAINED: Final = "complained"

RECEIPTS: Final[Mapping[str, str]] = {
    NONE: "its channel tells nothing afterwards: topics, SMS and push have no receipts",
    AWAITED: "SES has taken the mail, and has said nothing of it yet; a post is on its way",
    DELAYED: "the mail has not arrived yet, and SES goes on trying; a webhook has not taken it yet, and it is posted again",
    DELIVERED: "the recipient's mail server has taken the mail, or the webhook the post",
    REJECTED: "SES has taken the mail, and then did not send it; a webhook has not taken it in three days, or is gone, and it is a dead letter",
    BOUNCED: "the mail did not arrive, or the recipient's mail server sent it back",
    COMPLAINED: "the recipient reported the mail as unwanted",
}
