"""Somebody is on it: an event is acknowledged, and what its journey would still send is not.

By `POST /events/{id}/ack` with a key, or by the link that its messages may have (`event.ack_url`), whose GET
shows and whose POST acknowledges.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from botocore.exceptions import ClientError

from chalicelib.door import page
from chalicelib.door.http import Answer, Request
from chalicelib.errors import TransientError
from chalicelib.events.step import run_of
from chalicelib.patience import Patience
from chalicelib.plan.compose import event_tag
from chalicelib.plan.journeys import START
from chalicelib.stage import Stage
from chalicelib.store import runs, statuses, tokens
from chalicelib.store.record import Record, now_text
from chalicelib.store.tokens import TokenError


def can_be(record: Record) -> bool:
    """Whether an event has begun a journey or is a step of one, or may begin one yet."""
    names = (*record.sent, *record.unknown, *record.withheld)
    started = any(name.startswith(START) for name in names)
    unsettled = record.status not in statuses.SETTLED
    return started or unsettled or bool(run_of(record.id, record.source))


def acknowledge(stage: Stage, patience: Patience, record: Record) -> str:
    """Have an event's journey send nothing more; gives since when it does not.

    Raises
    ------
    TransientError, ClientError : it is not known whether it does.
    """
    return _acknowledge(stage, patience, record.id, record.source)


def since(stage: Stage, patience: Patience, record: Record) -> str:
    """Since when an event is acknowledged; empty where it is not.

    Raises
    ------
    TransientError, ClientError : it is not known.
    """
    names = (*record.sent, *record.unknown)
    if not any(name.startswith(START) for name in names) and not run_of(record.id, record.source):
        return ""
    return _since(stage, patience, record.id, record.source)


def show(request: Request, token: str) -> Answer:
    """`GET /a/{token}`: whether to acknowledge."""
    return _page(request, token, _since, done=False)


def post(request: Request, token: str) -> Answer:
    """`POST /a/{token}`: acknowledge."""
    return _page(request, token, _acknowledge, done=True)


def _page(
    request: Request, token: str, does: Callable[[Stage, Patience, str, str], str], *, done: bool
) -> Answer:
    try:
        ack = page.by_token(request, lambda keys: tokens.read_ack(keys, token, time.time()))
        at = does(request.stage, request.patience, ack.event_id, ack.source)
    except TokenError as error:
        locale = error.locale or page.asked_locale(request)
        return page.sorry(locale, 410 if error.is_old else 404)
    except (TransientError, ClientError):
        return page.sorry(page.asked_locale(request), 503)
    return page.page("acknowledge", ack.locale, at=at, done=done)


def _acknowledge(stage: Stage, patience: Patience, event_id: str, source: str) -> str:
    what, at = _what(event_id, source), now_text()
    patience.ask(lambda: runs.acknowledge(stage, what, at))
    return _since(stage, patience, event_id, source)


def _since(stage: Stage, patience: Patience, event_id: str, source: str) -> str:
    what = _what(event_id, source)
    return patience.ask(lambda: runs.acknowledged(stage, what))


def _what(event_id: str, source: str) -> str:
    """What is acknowledged: of a step, its run; else the event, by its tag."""
    return run_of(event_id, source) or event_tag(event_id, source)
