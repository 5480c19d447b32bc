"""E-mails to people, by SES: ten in one call, each with words of its own."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from chalicelib import aws, names
from chalicelib.channels.answers import of_failure
from chalicelib.channels.publication import (
    BUSY,
    LATER,
    NO_ADDRESS,
    NOT_TRIED,
    PERSON,
    REFUSED,
    UNSUBSCRIBE,
    Publication,
    Result,
)
from chalicelib.events.addresses import normal_email
from chalicelib.stage import Stage

# SES takes fifty: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendBulkEmail.html
# A wave has ten, and what is in doubt after a lost answer is then no more than that.
BATCH_ENTRIES: Final = 10
# What is wrong with a single mail; everything else is the account's, or passes by itself:
# https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_BulkEmailEntryResult.html
_REFUSED_ENTRY: Final = frozenset(("MESSAGE_REJECTED", "INVALID_PARAMETER"))
_LATER_ENTRY: Final = frozenset(("TRANSIENT_FAILURE", "FAILED"))
# Mails a second and mails a day: https://docs.aws.amazon.com/ses/latest/dg/manage-sending-quotas.html
_BUSY_ENTRY: Final = frozenset(("ACCOUNT_THROTTLED", "ACCOUNT_DAILY_QUOTA_EXCEEDED"))
# And of a whole call: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendBulkEmail.html
_REFUSED_CALL: Final = frozenset(
    ("BadRequest", "MessageRejected", "Validation", "InvalidParameter")
)
# Jinja has rendered the words; SES puts them in as they are, and escapes nothing.
_TEMPLATE: Final = {"Subject": "{{s}}", "Text": "{{t}}", "Html": "{{h}}"}
_TEXT_ONLY: Final = {"Subject": "{{s}}", "Text": "{{t}}"}
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def send(
    stage: Stage, publications: Sequence[Publication], *, in_time: Callable[[], bool], once: bool
) -> list[Result]:
    """Send each to its address; see `registry.Channel`."""
    sender = os.environ.get("HERALDO_SENDER")
    if not sender:  # stages.toml says no `sender`, without which nobody can get a mail
        return [Result(error="NoSender", fault=PERSON)] * len(publications)
    # Nobody gets advertising that they cannot stop: stages.toml says no `api_url`, where they could.
    nowhere = [publication.headers.get(UNSUBSCRIBE) == NO_ADDRESS for publication in publications]
    results = [Result(error="NoPublicAddress", fault=PERSON) if no else NOT_TRIED for no in nowhere]
    for number, positions in enumerate(_batches(publications, nowhere)):
        if number and not in_time():
            break
        batch = [publications[position] for position in positions]
        for position, result in zip(positions, _send(stage, sender, batch, once), strict=True):
            results[position] = result
    return results


def _batches(publications: Sequence[Publication], left_out: Sequence[bool]) -> Iterator[list[int]]:
    """Positions to send together: ten at the most, those with HTML and those without apart."""
    there = [(n, bool(found.html)) for n, found in enumerate(publications) if not left_out[n]]
    for html in (True, False):
        of = [n for n, has_html in there if has_html is html]
        for start in range(0, len(of), BATCH_ENTRIES):
            yield of[start : start + BATCH_ENTRIES]


def _send(stage: Stage, sender: str, batch: Sequence[Publication], once: bool) -> list[Result]:
    ses: Any = stage.ses
    if once:
        ses.close()  # see channels.topics
    template = _TEMPLATE if batch[0].html else _TEXT_ONLY
    asked: dict[str, Any] = {
        "FromEmailAddress": sender,
        "ConfigurationSetName": names.configuration_set(stage.name),
        "DefaultContent": {"Template": {"TemplateContent": template, "TemplateData": "{}"}},
        "DefaultEmailTags": [{"Name": "stage", "Value": stage.name}],
        "BulkEmailEntries": [_entry(publication) for publication in batch],
    }
    if reply_to := os.environ.get("HERALDO_REPLY_TO"):
        asked["ReplyToAddresses"] = [reply_to]
    try:
        answer = ses.send_bulk_email(**asked)
        told = answer["BulkEmailEntryResults"]
        if len(told) != len(batch):
            raise ValueError("not a result for each")
        return [_read(entry) for entry in told]
    except aws.FAILURES as error:
        result = of_failure(error, () if _is_unverified(str(error)) else _REFUSED_CALL)
        if aws.is_throttled(error):
            result = Result(error=result.error, fault=BUSY)
        if len(batch) > 1 and result.fault == REFUSED:
            # SES refused the call as a whole and so sent none of it: one entry may be to blame.
            return [_send(stage, sender, [publication], once)[0] for publication in batch]
        return [result] * len(batch)


def _read(told: Mapping[str, Any]) -> Result:
    """What became of one entry, by SES's word for it. A word that is not known may mean anything."""
    status, message_id = told.get("Status"), told.get("MessageId")
    if status == "SUCCESS" and message_id:
        return Result(message_id=str(message_id))
    if status in _REFUSED_ENTRY and not _is_unverified(str(told.get("Error"))):
        return Result(error=str(status), fault=REFUSED)
    if status in _BUSY_ENTRY:
        return Result(error=str(status), fault=BUSY)
    if status in _LATER_ENTRY:
        return Result(error=str(status), fault=LATER)
    if not status or status == "SUCCESS":
        return Result(error="NoAnswer", fault=LATER, unknown=True)
    return Result(error=str(status), fault=PERSON)


def _is_unverified(said: str) -> bool:
    """Whether a mail was rejected because SES does not know that its sender is who they say, or its
    recipient's address while the account is in the sandbox: a person has that to mend.

    https://docs.aws.amazon.com/ses/latest/dg/troubleshoot-error-messages.html
    """
    return "not verified" in said


def _entry(publication: Publication) -> dict[str, Any]:
    data = {"s": publication.subject or "", "t": publication.message}
    if publication.html:
        data["h"] = publication.html
    entry: dict[str, Any] = {
        "Destination": {"ToAddresses": [normal_email(publication.to)]},
        "ReplacementTags": [
            {"Name": name, "Value": value} for name, value in publication.attributes.items()
        ],
        "ReplacementEmailContent": {
            "ReplacementTemplate": {"ReplacementTemplateData": _ENCODER.encode(data)}
        },
    }
    if publication.headers:
        entry["ReplacementHeaders"] = [
            {"Name": name, "Value": value} for name, value in publication.headers.items()
        ]
    return entry
