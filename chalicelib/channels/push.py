"""Notifications to the apps on people's devices, by SNS's platform endpoints: one call each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from chalicelib.channels.publication import GONE, PERSON, Publication, Result
from chalicelib.channels.sms import each
from chalicelib.stage import Stage

# What SNS says of an endpoint whose app was removed, or that was deleted itself:
# https://docs.aws.amazon.com/sns/latest/api/API_Publish.html#API_Publish_Errors
_GONE: Final = ("EndpointDisabled", "NotFound")


def send(
    stage: Stage, publications: Sequence[Publication], *, in_time: Callable[[], bool], once: bool
) -> list[Result]:
    """Send each to its endpoint; see `registry.Channel`. One that is not there any more is GONE."""
    return [_read(found) for found in each(stage.sns, publications, _asked, in_time, once)]


def _read(result: Result) -> Result:
    gone = result.fault == PERSON and result.error.removesuffix("Exception") in _GONE
    return Result(error=result.error, fault=GONE) if gone else result


def _asked(publication: Publication) -> dict[str, Any]:
    return {
        "TargetArn": publication.to,
        "Message": publication.message,
        "MessageStructure": "json",
    }
