"""Text messages to numbers, by SNS: one call each."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from chalicelib import aws
from chalicelib.channels.answers import of_failure
from chalicelib.channels.publication import LATER, NOT_TRIED, Publication, Result
from chalicelib.stage import Stage


def send(
    stage: Stage, publications: Sequence[Publication], *, in_time: Callable[[], bool], once: bool
) -> list[Result]:
    """Send each to its number; see `registry.Channel`."""
    return each(stage.sns, publications, _asked, in_time, once)


def each(
    sns: Any,
    publications: Sequence[Publication],
    asked: Callable[[Publication], dict[str, Any]],
    in_time: Callable[[], bool],
    once: bool,
) -> list[Result]:
    """Publish each by a call of its own, which `asked` gives the parameters of."""
    results = [NOT_TRIED] * len(publications)
    for number, publication in enumerate(publications):
        if number and not in_time():
            break
        if once:
            sns.close()  # see channels.topics
        try:
            answer = sns.publish(**asked(publication))
        except aws.FAILURES as error:
            results[number] = of_failure(error)
            continue
        message_id = answer.get("MessageId") if isinstance(answer, dict) else None
        lost = Result(error="NoAnswer", fault=LATER, unknown=True)
        results[number] = Result(message_id=str(message_id)) if message_id else lost
    return results


def _asked(publication: Publication) -> dict[str, Any]:
    attributes = dict(publication.attributes)
    if sender := os.environ.get("HERALDO_SMS_SENDER"):
        attributes["AWS.SNS.SMS.SenderID"] = sender
    return {
        "PhoneNumber": publication.to,
        "Message": publication.message,
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
        },
    }
