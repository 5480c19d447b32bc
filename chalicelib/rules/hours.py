"""When a category may be sent: quiet hours and send windows, on somebody's own clock. Pure.

What is decided by the clock on the wall is looked for on the wall: where clocks change, a time can come
twice or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

from chalicelib.regex import regex
from chalicelib.values import dataclass

QUIET_HOURS: Final = "quiet-hours"
SEND_WINDOW: Final = "send-window"
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SHAPE: Final = '"22:00-08:00" or "mon-fri 09:00-20:00"'
_SPAN: Final = regex(
    r"(?:(?P<days>[a-z]{3}(?:-[a-z]{3})?(?:,[a-z]{3}(?:-[a-z]{3})?)*) )?"
    r"(?P<begin>[0-2]\d:[0-5]\d)-(?P<end>[0-2]\d:[0-5]\d)\Z"
)
_TIME: Final = regex(r"([0-2]\d):([0-5]\d)\Z")
DAY_MINUTES: Final = 24 * 60
# A week has every span once, unless clocks leave a day out, as Samoa's did in 2011.
_AHEAD: Final = 16


@dataclass(frozen=True, slots=True)
class Span:
    """A time of day on some days of the week (Monday is 0), in minutes since midnight; one that ends before
    it begins goes on into the next day."""

    days: frozenset[int]
    begin: int
    end: int

    def has(self, wall: datetime) -> bool:
        """Whether a time on the wall is in it."""
        minute, day = wall.hour * 60 + wall.minute, wall.weekday()
        if self.begin < self.end:
            return day in self.days and self.begin <= minute < self.end
        return (day in self.days and minute >= self.begin) or (
            (day - 1) % 7 in self.days and minute < self.end
        )


@dataclass(frozen=True, slots=True)
class Hours:
    """Nothing is sent in what is `quiet`, and where there are `windows`, nothing outside of them."""

    quiet: tuple[Span, ...] = ()
    windows: tuple[Span, ...] = ()

    def closed_by(self, moment: datetime, zone: tzinfo) -> str:
        """Why nothing is sent at a moment (aware): `QUIET_HOURS`, `SEND_WINDOW`, or nothing."""
        wall = moment.astimezone(zone)
        if any(span.has(wall) for span in self.quiet):
            return QUIET_HOURS
        if self.windows and not any(span.has(wall) for span in self.windows):
            return SEND_WINDOW
        return ""

    def opens(self, moment: datetime, zone: tzinfo) -> datetime:
        """The first moment (in UTC) from this one (aware) on at which something may be sent."""
        moment = moment.astimezone(UTC)
        if not self.closed_by(moment, zone):
            return moment
        first = moment.astimezone(zone).date()
        times = {span.end for span in self.quiet} | {span.begin for span in self.windows}
        found: list[datetime] = []
        for number in range(-1, _AHEAD):
            for time in times:
                found += _moments(first + timedelta(days=number), time % DAY_MINUTES, zone)
            open_ones = [m for m in found if m > moment and not self.closed_by(m, zone)]
            # One day more, for a time that comes twice is on the list of a single day.
            if open_ones and min(open_ones).astimezone(zone).date() < first + timedelta(number):
                return min(open_ones)
        return min(open_ones)


def _moments(day: date, minute: int, zone: tzinfo) -> Iterable[datetime]:
    """When the wall shows a time on a day: once, twice, or where it is left out, the moments at which
    something else is shown in its place."""
    wall = datetime(day.year, day.month, day.day, minute // 60, minute % 60)
    both = sorted({wall.replace(tzinfo=zone, fold=f).astimezone(UTC) for f in (0, 1)})
    yield from both
    if len(both) == 2 and both[0].astimezone(zone).replace(tzinfo=None) != wall:
        # Left out: the clock jumps somewhere between the two.
        step = both[0]
        while step < both[1]:
            step += timedelta(minutes=1)
            yield step


def next_time(moment: datetime, minute: int, zone: tzinfo) -> datetime:
    """The first moment (in UTC) after this one (aware) at which the wall shows a minute of the day; what it
    shows twice counts the first time, and what it leaves out as much later as the clock is put on."""
    day = moment.astimezone(zone)
    while True:
        wall = datetime(day.year, day.month, day.day, minute // 60, minute % 60, tzinfo=zone)
        if wall.astimezone(UTC) > moment:
            return wall.astimezone(UTC)
        day += timedelta(days=1)


def minute_of(text: str) -> int | None:
    """The minute of a day of `08:00`, up to that of 24:00; None where it is no time of day."""
    match = _TIME.match(text)
    minute = int(match[1]) * 60 + int(match[2]) if match else DAY_MINUTES + 1
    return minute if minute <= DAY_MINUTES else None


def read(quiet: object, window: object) -> Hours | None:
    """The hours that a category has in routing.toml; None where it has none.

    Raises
    ------
    ValueError : `key`, and what is wrong with it, as its author may read it.
    """
    found = Hours(_spans("quiet", quiet), _spans("window", window))
    if not found.quiet and not found.windows:
        return None
    week = (datetime(2024, 1, 1) + timedelta(minutes=m) for m in range(7 * DAY_MINUTES))
    if all(found.closed_by(wall.replace(tzinfo=UTC), UTC) for wall in week):
        raise ValueError("window" if found.windows else "quiet", "leaves no time to send at all")
    return found


def _spans(key: str, given: object) -> tuple[Span, ...]:
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, Sequence) or not all(isinstance(text, str) for text in texts):
        raise ValueError(key, f"must be a span of time, such as {SHAPE}, or a list of them")
    return tuple(_span(key, text) for text in texts)


def _span(key: str, text: str) -> Span:
    match = _SPAN.match(text)
    if match is None:
        raise ValueError(key, f"{text!r} is no span of time: write it as {SHAPE}")
    begin, end = (_minute(key, text, match[name]) for name in ("begin", "end"))
    if begin % DAY_MINUTES == end % DAY_MINUTES and not (begin == 0 and end == DAY_MINUTES):
        raise ValueError(key, f"{text!r} has no length; a whole day is 00:00-24:00")
    if begin == DAY_MINUTES:
        raise ValueError(key, f"{text!r} begins at 24:00: write 00:00")
    return Span(frozenset(_days(key, text, match["days"])), begin, end)


def _minute(key: str, text: str, time: str) -> int:
    minute = minute_of(time)
    if minute is None:
        raise ValueError(key, f"{text!r}: there is no {time}")
    return minute


def _days(key: str, text: str, days: str | None) -> Iterable[int]:
    if days is None:
        return range(7)
    found: set[int] = set()
    for part in days.split(","):
        first, _, last = part.partition("-")
        for name in filter(None, (first, last)):
            if name not in DAYS:
                raise ValueError(key, f"{text!r}: {name!r} is no day; they are {', '.join(DAYS)}")
        begin, end = DAYS.index(first), DAYS.index(last or first)
        found.update((begin + n) % 7 for n in range((end - begin) % 7 + 1))
    return found
