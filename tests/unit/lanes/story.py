"""What a lane is given in the tests, and the promises that hold whatever becomes of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib import aws
from chalicelib.errors import TransientError
from chalicelib.lanes import dispatch
from chalicelib.stage import Stage
from chalicelib.store import statuses
from chalicelib.store.record import EventKey
from tests.factories import ACCOUNT, REGION
from tests.unit.aws_model import LANE, Acceptance, Cloud, Fault, Killed, Message

ROUTING = """
[lanes]
orders = ["order.*"]

[topics]
users = { personal = true }
company = { locales = ["es", "en"] }

[types."order.once"]
on_unknown = "skip"

[types."order.both-once"]
on_unknown = "skip"

[[rule]]
name = "quiet"
pattern.type = ["order.quiet"]
suppress = true

[types."order.mailed-once"]
on_unknown = "skip"

[types."order.first-once"]
on_unknown = "skip"

[[rule]]
name = "mailed"
pattern.type = [{ prefix = "order.mailed" }]
to = ["recipient:email"]
stop = true

[[rule]]
name = "texted"
pattern.type = ["order.texted"]
to = ["recipient:sms"]
stop = true

[[rule]]
name = "first"
pattern.type = [{ prefix = "order.first" }]
to = ["recipient:push|sms|email"]
stop = true

[[rule]]
name = "every-way"
pattern.type = ["order.every-way"]
to = ["recipient"]

[[rule]]
name = "customers"
to = ["topic:users"]

[[rule]]
name = "company"
pattern.type = [{ prefix = "order.both" }]
to = ["topic:company"]
"""

USERS = ("users", "es")
MAIL, SMS = ("email", ""), ("sms", "")
COMPANY = (("company", "es"), ("company", "en"))


@dataclass(frozen=True)
class Kind:
    """A kind of event: where it goes, and what else becomes of it."""

    to: tuple[tuple[str, str], ...] = ()
    status: str = statuses.PUBLISHED
    reason: str = ""
    skip: bool = False


KINDS: Mapping[str, Kind] = {
    "order.one": Kind((USERS,)),
    "order.both": Kind((USERS, *COMPANY)),
    "order.once": Kind((USERS,), skip=True),
    "order.both-once": Kind((USERS, *COMPANY), skip=True),
    "order.mailed": Kind((MAIL,)),
    "order.mailed-once": Kind((MAIL,), skip=True),
    "order.texted": Kind((SMS,)),
    "order.first": Kind((SMS,)),
    "order.first-once": Kind((SMS,), skip=True),
    "order.every-way": Kind((USERS, MAIL, SMS)),
    "order.quiet": Kind(status=statuses.SUPPRESSED),
    "order.late": Kind(status=statuses.EXPIRED),
    "order.unheard-of": Kind(status=statuses.FAILED, reason="unknown-type"),
    "not-json": Kind(status=statuses.FAILED, reason="not-json"),
    "foreign": Kind(status=statuses.FAILED, reason="foreign-topic"),
    "ready-made": Kind((("company", ""),)),
    "large": Kind((("company", ""),)),
}
ORDINARY = (
    "order.one",
    "order.both",
    "order.once",
    "order.both-once",
    "order.mailed",
    "order.every-way",
)


@dataclass
class Story:
    """What was sent, in order, and what became of it."""

    cloud: Cloud
    sent: list[tuple[str, str, str]] = field(default_factory=list)  # event, group, kind

    def send(self, group: str, kind: str, event: str = "") -> str:
        name = event or f"e{len(self.sent):02}"
        message_id = self.cloud.send(_body(kind, name), group)
        self.sent.append((name, group, kind))
        self.keys.setdefault(
            name,
            (name, "/t") if kind.startswith("order.") else (message_id, f"queue:{LANE}"),
        )
        return name

    keys: dict[str, EventKey] = field(default_factory=dict)

    def drive(self, batches: list[int], most: int = 400, rest: bool = True) -> None:
        """Invoke the lane until its queue is empty, so often at the `most`."""
        sizes = iter(batches)
        for _ in range(most):
            records = self.cloud.receive(next(sizes, 10))
            if not records:
                return
            raised = True
            remaining = self.cloud.start()
            try:
                dispatch.dispatch(Stage("local", aws.client), records, LANE, remaining)
                raised = False
            except (dispatch.Redeliver, TransientError, Killed):
                pass
            self.cloud.finish(records, raised)
        assert not rest, "the lane does not come to rest"

    # -- the promises ------------------------------------------------------------------------------

    def check(self) -> None:
        assert self.cloud.violations == []
        for event, _, kind in self.sent:
            self._check_not_lost(event, KINDS[kind])
        self.check_duplicates()
        self.check_order()
        self._check_letters()

    def _check_not_lost(self, event: str, kind: Kind) -> None:
        key = self.keys[event]
        item = self.cloud.ledger.get(key, {})
        status = item.get("status", {}).get("S", "")
        accepted = {(a.topic, a.locale) for a in self.cloud.accepted if a.text == event}
        dead = [m for m in self.cloud.dead if event in m.body or m.id == key[0]]
        assert accepted <= set(kind.to)
        unwritten = any(i.write_failed or i.killed for i in self.cloud.invocations)
        if dead:
            assert len(dead) <= sum(name == event for name, _, _ in self.sent)
            for letter in dead:
                self._check_reason(event, letter, kind)
            assert status in (statuses.FAILED, statuses.PUBLISHED, statuses.UNKNOWN) or unwritten
            return
        assert kind.status != statuses.FAILED, "should be dead-lettered"
        if status == statuses.UNKNOWN:
            assert kind.skip
            assert self.is_doubtful(event), "skipped although SNS's answer was known"
            # Each publication has its own fate: what was not in doubt has gone out.
            unknown = set(item["unknown"]["S"].split())
            sent = json.loads(item["sent"]["S"]) if "sent" in item else {}
            assert len(unknown) + len(sent) == len(kind.to)
            assert set(sent.values()) <= {a.message_id for a in self.cloud.accepted}
        elif kind.status == statuses.PUBLISHED:
            assert accepted == set(kind.to), f"{event} is lost ({status})"
            assert status == statuses.PUBLISHED or unwritten
        else:
            assert status == kind.status or unwritten
        if status == statuses.PUBLISHED and kind.to:
            real = {a.message_id for a in self.cloud.accepted if a.text == event}
            sent = json.loads(item["sent"]["S"])
            assert len(sent) == len(kind.to)
            assert set(sent.values()) <= real

    def _check_reason(self, event: str, letter: Message, kind: Kind) -> None:
        """Nothing dies of what trying again mends."""
        reason = letter.attributes.get("reason")
        if reason in ("sns-refused", "ses-refused"):
            assert event in self.cloud.refused, "given up for what trying again mends"
        elif reason == "kills-its-worker":
            assert sum(i.killed for i in self.cloud.invocations) >= 5
        else:
            assert reason
            assert reason == kind.reason

    def is_doubtful(self, event: str) -> bool:
        broken = any(i.killed or i.write_failed for i in self.cloud.invocations)
        return broken or event in self.cloud.doubtful

    def check_duplicates(self) -> None:
        once = {event for event, _, kind in self.sent if KINDS[kind].skip}
        last: dict[tuple[str, str, str], Acceptance] = {}
        for acceptance in self.cloud.accepted:
            before = last.get(acceptance.publication)
            last[acceptance.publication] = acceptance
            if before is None:
                continue
            assert acceptance.text not in once, f"{acceptance.text} twice, which skip forbids"
            assert not acceptance.repeats_recorded, f"{acceptance.text}: the ledger knew"
            excused = before.withheld or before.invocation.killed or before.invocation.write_failed
            assert excused, f"{acceptance.text} twice without an excuse"

    def check_order(self) -> None:
        first: dict[str, list[int]] = {}
        seen: set[tuple[str, str, str]] = set()
        for moment, acceptance in enumerate(self.cloud.accepted):
            if acceptance.publication not in seen:
                seen.add(acceptance.publication)
                first.setdefault(acceptance.text, []).append(moment)
        dead = {event for event, _, _ in self.sent for m in self.cloud.dead if event in m.body}
        latest: dict[str, tuple[int, str]] = {}
        for event, group, _ in dict.fromkeys(self.sent):
            if event in dead or event not in first:
                continue
            moment, before = latest.get(group, (-1, ""))
            if before != event:
                assert first[event][0] > moment, f"{event} overtook {before}"
            latest[group] = max((first[event][-1], event), (moment, before))

    def _check_letters(self) -> None:
        """Letters of one key lie in the dead-letter queue as they were sent, for a redrive."""
        sent = [event for event, _, _ in dict.fromkeys(self.sent)]
        for group in {group for _, group, _ in self.sent}:
            letters = [m for m in self.cloud.dead if m.group == group]
            # A second copy of an event that was not deleted in time may make a second letter.
            numbers = [n for m in letters for n, e in enumerate(sent) if e in m.body]
            numbers = list(dict.fromkeys(numbers))
            assert numbers == sorted(numbers), f"letters of {group} out of order"


def _body(kind: str, name: str) -> str:
    arn = f"arn:aws:sns:{REGION}:{ACCOUNT}:heraldo-local-company"
    if kind == "not-json":
        return f"{name} {{"
    if kind == "foreign":
        return json.dumps({"sns_topic": arn.replace("local", "prod"), "message": name})
    if kind == "ready-made":
        return json.dumps({"sns_topic": arn, "message": name})
    if kind == "large":
        return json.dumps({"sns_topic": arn, "message": f"{name} " + "x" * 120_000})
    event: dict[str, Any] = {"type": kind, "source": "/t", "id": name, "recipient": "r", "data": {}}
    if kind == "order.late":
        event["expirytime"] = "2020-01-01T00:00:00Z"
    return json.dumps(event)


def told(lane: Callable[[Cloud], None], kinds: list[str], **plan: list[Fault]) -> Story:
    """One key's events, what goes wrong on their way, and the end of it."""
    story = Story(Cloud(plan))
    lane(story.cloud)
    for kind in kinds:
        story.send("a", kind)
    story.drive([])
    story.check()
    return story


def texts(story: Story) -> list[str]:
    return [acceptance.text for acceptance in story.cloud.accepted]
