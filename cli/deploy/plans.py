"""What a change does to the rules: what becomes of each sample and example in one tree and in another.

Both are planned by the code as it is now, each with its own rules and templates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from chalicelib.errors import PermanentError
from chalicelib.events.event import Event
from chalicelib.plan.compose import compose
from chalicelib.plan.plan import plan
from chalicelib.plan.reach import ANYBODY
from chalicelib.rules.reading import RoutingError, load, text_of
from chalicelib.rules.routing import Routing
from chalicelib.words.render import Templates
from cli.lint.examples import ExamplesError, read
from cli.paths import ROUTING
from cli.words.samples import TroubleError, sample

# What a plan says beside words: those are told by themselves.
_TOLD: Final = ("starts", "stops", "suppressed", "withheld")
_HOURS: Final = "hours"


def changes(before: Path, after: Path, stage: str) -> dict[str, list[str]]:
    """What becomes otherwise of events in a stage, and of which: event types, and examples by their names.

    Raises
    ------
    RoutingError : the rules of one of the trees cannot be read.
    """
    text = text_of(after / ROUTING)
    old, new = load(text_of(before / ROUTING), stage), load(text, stage)
    trees = (old, Templates(before / "templates")), (new, Templates(after / "templates"))
    now = datetime.now(UTC)
    found: dict[str, list[str]] = {}
    for name, event in _cases(after, load(text, None)):
        if any(event.type not in templates.types for _, templates in trees):
            continue  # an event type that comes or goes
        was, is_now = (_fate(event, *tree, now) for tree in trees)
        if told := "; ".join(_differing(was, is_now)):
            found.setdefault(told, []).append(name)
    return found


def _cases(root: Path, routing: Routing) -> Iterator[tuple[str, Event]]:
    for event_type in Templates(root / "templates").types:
        try:
            yield event_type, sample(root, event_type)
        except TroubleError:
            continue  # lint tells
    try:
        examples = read(root, routing)
    except (ExamplesError, RoutingError):
        return  # lint tells
    for example in examples:
        yield f"{example.event.type} ({example.name})", example.event


def _fate(event: Event, routing: Routing, templates: Templates, now: datetime) -> dict[str, Any]:
    try:
        lane = routing.lane(event.type)
        composed = compose(event, lane, routing, templates, str, ANYBODY)
        found = plan(event, lane, composed, routing, shop=templates.environment.time_zone, now=now)
    except PermanentError as error:
        return {"refused": str(error)}
    where = {
        "/".join(message[part] for part in ("destination", "locale") if part in message)
        for message in found["messages"]
    }
    digests = {
        f"{to} in a digest of {rule.name}" for rule in composed.decision.digests for to in rule.to
    }
    told = {name: _text(found[name]) for name in _TOLD if found.get(name)}
    return {
        "lane": lane,
        "to": frozenset(where | digests),
        **told,
        **_category(event, lane, routing),
    }


def _category(event: Event, lane: str, routing: Routing) -> dict[str, Any]:
    """What a category says beyond what a plan of this moment shows."""
    found = routing.category(event.type, lane)
    flags = [name for name in ("commercial", "critical") if getattr(found, name)]
    told: dict[str, Any] = {
        "category": "" if found.name == lane else found.name,
        "is": ", ".join(flags),
        "channels": ", ".join(f"{k} {'on' if on else 'off'}" for k, on in found.channels.items()),
        _HOURS: found.hours,
        "cap": found.cap.text if found.cap else "",
    }
    return {name: value for name, value in told.items() if value}


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} ({why})" for name, why in value.items())
    return value if isinstance(value, str) else ", ".join(value)


def _differing(was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for name in dict.fromkeys((*was, *now)):
        old, new = was.get(name), now.get(name)
        if old == new:
            continue
        if name == "to":
            old, new = old or frozenset(), new or frozenset()
            yield ", ".join(
                [f"+{to}" for to in sorted(new - old)] + [f"-{to}" for to in sorted(old - new)]
            )
        elif name == _HOURS:
            yield "other quiet hours, or another send window"
        elif name == "lane" and old and new:
            yield f"lane {old} → {new}"
        else:
            yield f"{name}: {old or 'none'} → {new or 'none'}"
