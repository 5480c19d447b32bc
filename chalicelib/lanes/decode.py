"""Read a queue message: a CloudEvent, a ready-made message from a plain script, or a journey's step."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any, Final

from chalicelib.channels.publication import Publication
from chalicelib.errors import FieldError, InvalidEvent, PermanentError
from chalicelib.events import bounds, event
from chalicelib.events.event import Event
from chalicelib.events.gathered import DIGEST, Gathered
from chalicelib.events.step import Step, is_step, read_step
from chalicelib.regex import regex
from chalicelib.words import limits

_ESCAPED_SURROGATE: Final = regex(r"\\u[dD][89a-fA-F]")
_READY_MADE: Final = frozenset(("sns_topic", "subject", "message"))


def decode(body: str, *, default_id: str, default_source: str) -> Event | Publication | Step:
    """Read the body of a queue message: an event, what is ready to be published as it stands, or a step.

    Raises
    ------
    PermanentError : it is none of these, or a form with something wrong in it. Says what, and shows
        none of the content.
    """
    try:
        raw: Any = _DECODER.decode(body)
    except _NoNumber:
        raise InvalidEvent("not-json", _odd_numbers(body)) from None
    except (ValueError, RecursionError):
        raise PermanentError("not-json", "the message is not JSON") from None
    if _ESCAPED_SURROGATE.search(body) and _has_half_a_character(raw):
        raise PermanentError("not-text", "the message has half a surrogate pair in it")
    if isinstance(raw, dict) and "sns_topic" in raw:
        return _ready_made(raw)
    if isinstance(raw, dict) and "type" not in raw and is_step(raw):
        return read_step(raw)
    if not isinstance(raw, dict) or "type" not in raw:
        raise PermanentError(
            "not-an-event",
            "the message is neither an event (type, data) nor ready-made (sns_topic, message)",
        )
    gathered = raw.pop(DIGEST, None)
    found = event.parse(raw, default_id=default_id, default_source=default_source)
    return found if gathered is None else replace(found, digest=Gathered.read(gathered))


class _NoNumber(Exception):
    """A number that JSON does not have, or that nobody can hold."""


def _float(digits: str) -> float:
    found = float(digits)
    if math.isinf(found):
        raise _NoNumber
    return found


def _int(digits: str) -> int:
    if len(digits) > bounds.DIGITS:
        raise _NoNumber
    return int(digits)


def _constant(_: str) -> None:
    raise _NoNumber


# One for all: `json.loads` with options makes a new decoder for every message.
_DECODER: Final = json.JSONDecoder(parse_float=_float, parse_int=_int, parse_constant=_constant)


def _odd_numbers(body: str) -> list[FieldError]:
    """Where the numbers are that are none: a second reading, for the first does not know."""
    errors: list[FieldError] = []
    stack: list[tuple[Any, str]] = [(bounds.decode(body), "")]
    while stack:
        value, path = stack.pop()
        if isinstance(value, dict):
            for name, inner in value.items():
                shown = event.shown(name, "(field)")
                stack.append((inner, f"{path}.{shown}" if path else shown))
        elif isinstance(value, list):
            stack += [(inner, f"{path}[{n}]") for n, inner in enumerate(value)]
        elif problem := bounds.number_problem(value):
            errors.append(FieldError(path or "message", problem))
    return errors


def _has_half_a_character(raw: Any) -> bool:
    """Whether a JSON escape stands for half a pair: no text, and nothing that SNS could be sent."""
    try:
        json.dumps(raw, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def _ready_made(raw: dict[str, Any]) -> Publication:
    errors = [
        FieldError(event.shown(name, "(field)"), "is not part of a ready-made message")
        for name in raw
        if name not in _READY_MADE
    ]
    topic, subject = raw["sns_topic"], raw.get("subject")
    message: Any = raw.get("message")
    if not isinstance(topic, str) or not topic:
        errors.append(FieldError("sns_topic", "must be the ARN of a topic"))
    if not isinstance(message, str) or not message:
        errors.append(FieldError("message", "is required and must be a non-empty string"))
    if subject is not None and not isinstance(subject, str):
        errors.append(FieldError("subject", "must be a string; leave it out if there is none"))
    elif subject:
        problem = limits.subject_problem(subject)
        if problem:
            errors.append(FieldError("subject", problem))
    if errors:
        raise InvalidEvent("invalid-message", errors)
    found = Publication("topic", topic, subject or None, message, {}, structured=False)
    if found.size > limits.MESSAGE_BYTES:
        raise PermanentError("too-large", "the message is larger than the 256 KiB that SNS takes")
    return found
