"""The two families of errors, and the one shape in which wrong input is told.

An error is *transient* when trying again can mend it (throttling, a time-out, a 5xx) and *permanent*
when it cannot (a bad payload, an unknown event type, a template that does not render). The lanes keep
a transiently failed event in its place and dead-letter a permanently failed one at once, because only
the second kind would block its ordering key for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.values import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field that is wrong, and what to do about it. Never holds the field's value."""

    field: str
    problem: str


class HeraldoError(Exception):
    """Base of every error that Heraldo raises on purpose."""


class TransientError(HeraldoError):
    """Trying again later can mend it."""


class PermanentError(HeraldoError):
    """Trying again cannot mend it.

    `reason` is a short, stable slug (`unknown-type`, `missing-data`, …) by which dead letters are
    grouped; the message is for people and shows no content.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class InvalidEvent(PermanentError):
    """The event itself is wrong: names every field at fault with its remedy."""

    def __init__(self, reason: str, errors: Sequence[FieldError]) -> None:
        super().__init__(reason, "; ".join(f"{e.field}: {e.problem}" for e in errors))
        self.errors = tuple(errors)
