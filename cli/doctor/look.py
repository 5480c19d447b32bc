"""A stage looked at from all sides: every check of the table, and what may not be asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import aws
from chalicelib.errors import HeraldoError
from chalicelib.events.event import parse
from chalicelib.rules.destinations import CHANNELS
from chalicelib.rules.destinations import parse as destination
from chalicelib.rules.routing import Routing
from chalicelib.words.render import templates
from cli.doctor.finding import Check, Finding, Patient, table
from cli.stages import LOCAL, stages
from cli.target import Target

_DENIED: Final = frozenset(
    ("AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation")
)


def patient(target: Target, routing: Routing) -> Patient:
    """The stage of a target, with what is declared of it."""
    reached: set[str] = set()
    commercial = False
    for event_type in templates().types:
        sample = templates().root / event_type / "sample.json"
        if not sample.is_file():
            continue
        try:
            event = parse(json.loads(sample.read_text("utf-8")), default_id="sample")
            category = routing.category(event_type, routing.lane(event_type))
        except (HeraldoError, ValueError):
            continue  # lint tells
        for to in routing.decide(event).in_time:
            channels = destination(to).channels
            reached.update(channels)
            commercial |= category.commercial and "email" in channels
    by = [channel for channel in CHANNELS if channel in reached]
    return Patient(target, stages()[target.stage], routing, by, commercial)


def examine(found: Patient, progress: Callable[[str], None]) -> Iterator[Finding]:
    """Everything that would not be delivered today, or soon.

    What may not be asked is a finding, too: nobody is to take silence for health.
    """
    checks = [c for c in table().values() if c.local or found.stage != LOCAL]
    for number, check in enumerate(checks, 1):
        progress(f"{number} of {len(checks)}: {check.code}")
        yield from _run(check, found)


def _run(check: Check, found: Patient) -> Iterator[Finding]:
    try:
        for told in check.look(found):
            yield Finding(check.code, told.severity, told.problem, told.remedy)
    except (ClientError, BotoCoreError) as error:
        code = aws.code_of(error)
        if isinstance(error, ClientError) and code in _DENIED:
            action = f"may not ask {error.operation_name}"
            remedy = "ask whoever administers the account for the right to, which only reads"
        else:
            action, remedy = f"could not be looked at ({code})", "look again in a moment"
        yield Finding(check.code, "warning", action, remedy)
