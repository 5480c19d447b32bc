"""chalicelib/plan/gathering.py: which window an event falls into, and what a window comes to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from chalicelib.events.event import Event, parse
from chalicelib.events.gathered import LISTED, LISTED_BYTES
from chalicelib.lanes.decode import decode
from chalicelib.plan import gathering
from chalicelib.plan.reach import Known
from chalicelib.rules.digests import Digest
from chalicelib.rules.patterns import compile_pattern
from chalicelib.rules.reading import load
from chalicelib.store.people import Person

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
MADRID = ZoneInfo("Europe/Madrid")
ROUTING = """
[lanes]
orders = {lane}
[topics]
users = {{}}
[[rule]]
name = "x"
pattern.type = ["order.placed", "order.shipped"]
to = {to}
digest = {digest}
"""


def share_of(
    digest: str,
    *,
    to: str = '["topic:users"]',
    lane: str = '["order.*"]',
    now: datetime = NOW,
    known: Known | None = None,
    last: datetime | None = None,
    **more: Any,
) -> gathering.Share:
    """What the rule gathers of an event; `last` is when its group's latest window ended."""
    routing = load(ROUTING.format(digest=digest, to=to, lane=lane), None)
    event = made(**more)
    known = known or Known()
    if last is not None:
        known.windows[gathering.group_of(event, routing.rules[0], routing, known)] = last
    [found] = gathering.shares(event, routing.decide(event), routing, "orders", known, MADRID, now)
    return found


def made(**more: Any) -> Event:
    raw = {"type": "order.placed", "id": "e-1", "source": "/shop", "subject": "s", "data": {}}
    return parse({**raw, **more})


# name: (the digest, what else, when the window ends)
WINDOWS: dict[str, tuple[str, dict[str, Any], str]] = {
    "so long after the first": ('{ window = "30m" }', {}, "2026-11-25T12:30"),
    "the next time that the clock shows it": ('{ at = "08:00" }', {}, "2026-11-26T07:00"),
    "today, where it is yet to come": ('{ at = "18:00" }', {}, "2026-11-25T17:00"),
    "tomorrow, at that very moment": ('{ at = "13:00" }', {}, "2026-11-26T12:00"),
    "an open one does not move": (
        '{ window = "30m" }', {"last": NOW + timedelta(minutes=1)}, "2026-11-25T12:01",
    ),
    "no sooner than every after the last": (
        '{ window = "1m", every = "15m" }', {"last": NOW - timedelta(minutes=2)}, "2026-11-25T12:13",
    ),
    "at once where the last is long ago": (
        '{ window = "1m", every = "15m" }', {"last": NOW - timedelta(hours=2)}, "2026-11-25T12:01",
    ),
    "whole seconds, and none too early": (
        '{ window = "1s" }', {"now": NOW + timedelta(milliseconds=1)}, "2026-11-25T12:00:02",
    ),
    "when quiet hours are over": (
        '{ window = "30m" }',
        {"lane": '{ types = ["order.*"], quiet = "13:10-08:00" }'},
        "2026-11-26T07:00",
    ),
    "in quiet hours, of what is critical": (
        '{ window = "30m" }', {"lane": '{ types = ["order.*"], critical = true }'}, "2026-11-25T12:30",
    ),
    "once, where a time comes twice": (
        '{ at = "02:30" }', {"now": datetime(2026, 10, 25, 0, 45, tzinfo=UTC)}, "2026-10-26T01:30",
    ),
    "later, where a time is left out": (
        '{ at = "02:30" }', {"now": datetime(2026, 3, 29, 0, 0, tzinfo=UTC)}, "2026-03-29T01:30",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WINDOWS)
def test_a_window_ends(name: str) -> None:
    digest, more, expected = WINDOWS[name]
    found = share_of(digest, **more)
    assert found.due == datetime.fromisoformat(expected).replace(tzinfo=UTC)
    assert found.opens == ("last" not in more or more["last"] <= NOW)
    assert gathering.window_parts(found.window) == (found.group, "x", found.due)


def test_the_recipients_clock_counts_where_it_goes_to_them() -> None:
    known = Known({"c-1": Person("c-1", time_zone="America/Santiago")})
    own = share_of('{ at = "08:00" }', to='["recipient:sms"]', known=known, recipient="c-1")
    assert own.due.astimezone(ZoneInfo("America/Santiago")).hour == 8
    shops = share_of('{ at = "08:00" }', known=known, recipient="c-1")
    assert shops.due.astimezone(MADRID).hour == 8


# name: (the digest, its destination, two events, whether they belong together)
PAIRS: dict[str, tuple[str, str, dict[str, Any], dict[str, Any], bool]] = {
    "one recipient": ("", "topic:users", {"recipient": "a"}, {"recipient": "a", "subject": "t"}, True),
    "two recipients": ("", "topic:users", {"recipient": "a"}, {"recipient": "b"}, False),
    "no recipient, one ordering key": ("", "topic:users", {}, {}, True),
    "no recipient, two ordering keys": ("", "topic:users", {}, {"subject": "t"}, False),
    "one value": ("data.id", "topic:users", {"data": {"id": 1}}, {"data": {"id": 1}, "recipient": "a"}, True),
    "two values": ("data.id", "topic:users", {"data": {"id": 1}}, {"data": {"id": 2}}, False),
    "a number and its text": ("data.id", "topic:users", {"data": {"id": 1}}, {"data": {"id": "1"}}, False),
    "no value": ("data.id", "topic:users", {}, {"data": {"id": None}}, True),
    "two types": ("subject", "topic:users", {}, {"type": "order.shipped"}, False),
    "one value for two people": ("subject", "recipient:sms", {"recipient": "a"}, {"recipient": "b"}, False),
    "one value for two addresses": (
        "subject", "recipient:email", {"email": "a@example.com"}, {"email": "b@example.com"}, False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PAIRS)
def test_events_belong_together(name: str) -> None:
    key, to, one, other, together = PAIRS[name]
    digest = f'{{ window = "1m"{f", key = {json.dumps(key)}" if key else ""} }}'
    known = Known(hash_of=lambda address: address[::-1])
    groups = {share_of(digest, to=f'["{to}"]', known=known, **e).group for e in (one, other)}
    assert len(groups) == (1 if together else 2)
    assert all(len(group) <= 128 for group in groups)


@dataclass(frozen=True)
class Kept:
    tag: str
    event: str
    accepted: str = "2026-11-25T12:00:00.000Z 000"


def kept(tag: str, **more: Any) -> Kept:
    raw = {"type": "order.placed", "id": tag, "source": "/shop", "data": {}}
    return Kept(tag, json.dumps({**raw, **more}))


def alarm(tag: str, of: str = "a") -> Kept:
    """An alarm, or what resolves it: `ok…`."""
    return kept(tag, data={"state": "OK" if tag.startswith("ok") else "ALARM", "name": of})


# name: (what is in the window, what goes out)
RESOLVED: dict[str, tuple[list[Kept], list[str]]] = {
    "an alarm": ([alarm("on")], ["on"]),
    "an alarm that is over": ([alarm("on"), alarm("ok")], []),
    "what ends one that was told": ([alarm("ok")], ["ok"]),
    "one that came back": ([alarm("on"), alarm("ok"), alarm("on2")], ["on2"]),
    "one that was told, and flaps": ([alarm("ok"), alarm("on"), alarm("ok2")], ["ok"]),
    "several of one, over": ([alarm("on"), alarm("on2"), alarm("ok")], []),
    "another": ([alarm("on"), alarm("ok", "b")], ["on", "ok"]),
    "one of two": ([alarm("on"), alarm("on2", "b"), alarm("ok")], ["on2"]),
}


@pytest.mark.parametrize("name", RESOLVED)
def test_what_is_over_before_the_window_ends_is_left_out(name: str) -> None:
    members, expected = RESOLVED[name]
    resolved = compile_pattern({"data": {"state": ["OK"]}})
    digest = Digest(timedelta(minutes=1), resolved=resolved, same="data.name")
    found = gathering.left_out(members, digest, NOW)
    assert [member.tag for member in members if member.tag not in found] == expected
    assert set(found.values()) <= {gathering.RESOLVED}


def read(text: str) -> Event:
    found = decode(text, default_id="", default_source="")
    assert isinstance(found, Event)
    return found


def test_a_digest_of_thousands_lists_the_first_and_counts_all() -> None:
    members = [kept(f"e-{n}", data={"n": n}) for n in range(4000)]
    found = read(gathering.merged("x", members, "digest-1"))
    assert found.digest is not None
    assert (found.id, found.data["n"], found.digest.count) == ("digest-1", 3999, 4000)
    assert [one["id"] for one in found.digest.events] == [f"e-{n}" for n in range(LISTED)]
    assert found.digest.events[0]["time"] == "2026-11-25T12:00:00.000Z"
    assert read(found.to_json()) == found


def test_a_digest_of_large_events_lists_as_much_as_there_is_room_for() -> None:
    members = [kept(f"e-{n}", data={"text": "ñ" * 20_000}) for n in range(9)]
    text = gathering.merged("x", members, "digest-1")
    found = read(text)
    assert found.digest is not None
    assert (len(found.digest.events), found.digest.count) == (3, 9)
    assert len(text.encode()) < LISTED_BYTES + 50_000


def test_one_alone_has_no_list_and_what_its_event_said_but_when() -> None:
    later, end = "2026-11-25T13:00:00Z", "2026-11-25T14:00:00Z"
    found = read(gathering.merged("x", [kept("a", deliverat=later, expirytime=end)], "digest-1"))
    assert found.digest is not None
    assert (found.digest.count, found.digest.events) == (1, ())
    assert (found.deliverat, found.expirytime) == (None, end)


def test_a_digest_expires_with_the_last_of_its_events() -> None:
    ends = ["2026-11-25T14:00:00Z", "2026-11-25T17:00:00+02:00", "2026-11-25T13:00:00Z"]
    members = [kept(str(n), expirytime=end) for n, end in enumerate(ends)]
    assert read(gathering.merged("x", members, "d")).expirytime == ends[1]
    assert read(gathering.merged("x", [*members, kept("z")], "d")).expirytime is None
