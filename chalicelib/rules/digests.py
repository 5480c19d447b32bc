"""How a rule gathers what it would send: `digest = { window = "30m", key = "data.order.id" }`. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Any, Final

from chalicelib.events.event import EXTENSION_NAME, KNOWN
from chalicelib.regex import regex
from chalicelib.rules.hours import DAY_MINUTES, minute_of, next_time
from chalicelib.rules.patterns import Pattern, PatternError, compile_pattern
from chalicelib.values import dataclass

KEYS: Final = ("window", "every", "at", "key", "resolved", "same")
SHAPE: Final = '{ window = "30m" } or { at = "08:00" }'
# What is held is remembered for a month beyond its time; nobody waits longer for a digest.
LONGEST: Final = timedelta(days=365)
_SPAN: Final = regex(r"(\d{1,9})(s|m|h|d)\Z")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_PATH: Final = regex(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_-]+)*\Z")
_EXTENSION: Final = regex(EXTENSION_NAME)


@dataclass(frozen=True, slots=True)
class Digest:
    """What falls into one window goes out together at its end: `window` after the first, or the next time
    that a clock shows `at` (minutes since midnight). No window ends before `every` has passed since the
    one before.

    `key` is the path of what belongs together; by default the recipient, or else the ordering key. What
    matches `resolved` settles what came before it in the window and has the same value under `same`.
    """

    window: timedelta | None = None
    at: int | None = None
    every: timedelta = timedelta(0)
    key: str = ""
    resolved: Pattern | None = None
    same: str = ""

    def due(self, now: datetime, zone: tzinfo, last: datetime | None = None) -> datetime:
        """When a window ends (UTC) that opens at `now` (aware), where the one before ended at `last`."""
        if self.at is not None:
            return next_time(now, self.at, zone)
        assert self.window is not None  # noqa: S101 - one of the two is there
        ends = now + self.window
        return max(ends, last + self.every) if last is not None else ends


def value_at(attributes: Mapping[str, Any], path: str) -> Any:
    """What stands under a dotted path; None where nothing does."""
    found: Any = attributes
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def read(raw: object) -> Digest:
    """The digest of a rule in routing.toml.

    Raises
    ------
    ValueError : the key of the rule that is wrong (`digest.window`), and the problem, as its author may read it.
    """
    if not isinstance(raw, Mapping):
        raise ValueError("digest", f"must be a table, such as {SHAPE}")
    for name in raw:
        if name not in KEYS:
            from chalicelib.spelling import did_you_mean

            near = did_you_mean(str(name), KEYS) or f"; it may have {', '.join(KEYS)}"
            raise ValueError(f"digest.{name}", f"unknown key {name!r}{near}")
    if ("window" in raw) == ("at" in raw):
        raise ValueError("digest", f"needs a window or a time of day, not both: write {SHAPE}")
    if "at" in raw and "every" in raw:
        raise ValueError("digest.every", "goes with a window: take it out, at comes once a day")
    if "same" in raw and "resolved" not in raw:
        raise ValueError("digest.same", "says what resolved settles: add resolved, or take it out")
    return Digest(
        _span("window", raw["window"]) if "window" in raw else None,
        _at(raw["at"]) if "at" in raw else None,
        _span("every", raw["every"]) if "every" in raw else timedelta(0),
        _path("key", raw["key"]) if "key" in raw else "",
        _resolved(raw["resolved"]) if "resolved" in raw else None,
        _path("same", raw["same"]) if "same" in raw else "",
    )


def _span(name: str, text: object) -> timedelta:
    match = _SPAN.match(text) if isinstance(text, str) else None
    if match is None:
        shape = "a number of s, m, h or d, such as '30m'"
        raise ValueError(f"digest.{name}", f"{name} must be {shape}")
    found = timedelta(**{_UNITS[match[2]]: int(match[1])})
    if not found:
        raise ValueError(
            f"digest.{name}", f"{name} has no length: leave out digest to send at once"
        )
    if found > LONGEST:
        raise ValueError(f"digest.{name}", f"{name} is of a year at the most")
    return found


def _at(text: object) -> int:
    minute = minute_of(text) if isinstance(text, str) else None
    if minute is None or minute == DAY_MINUTES:
        raise ValueError("digest.at", "at must be a time of day of 00:00 to 23:59, such as '08:00'")
    return minute


def _path(name: str, text: object) -> str:
    where = f"digest.{name}"
    if not isinstance(text, str) or not _PATH.match(text):
        raise ValueError(where, f"{name} must be a path, such as 'data.order.id' or 'type'")
    first, _, rest = text.partition(".")
    if first == "data" and not rest:
        raise ValueError(where, f"{name}: name what of the data, such as 'data.order.id'")
    if first in ("email", "phone"):
        raise ValueError(
            where, f"{name}: no rule sees {first}; leave it out to gather by recipient"
        )
    if first not in KNOWN and (rest or not _EXTENSION.match(first)):
        raise ValueError(where, f"{name}: events have no {first}; did you mean 'data.{text}'?")
    return text


def _resolved(raw: object) -> Pattern:
    if not isinstance(raw, Mapping):
        shape = "must be a pattern, such as { data.state = ['OK'] }"
        raise ValueError("digest.resolved", f"resolved {shape}")
    try:
        return compile_pattern(raw)
    except PatternError as error:
        path = f"digest.resolved.{error.path}" if error.path else "digest.resolved"
        raise ValueError(path, f"{path.removeprefix('digest.')}: {error.problem}") from None
