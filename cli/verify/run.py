"""One run: events through the door and the lanes of a stage, and what came of each."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Final

import click
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import aws, names
from chalicelib.errors import HeraldoError
from chalicelib.lanes.queues import group_id
from chalicelib.letters.redrive import Redrive
from chalicelib.letters.verdict import Judge
from chalicelib.rules.routing import Routing
from chalicelib.store import ledger, statuses
from chalicelib.store.record import Record
from chalicelib.words.render import templates
from cli import bulk
from cli.account import put_down
from cli.target import Target, path_part
from cli.terminal import count
from cli.verify import figures, letters, listener, marks
from cli.verify.listener import Arrival, Listener
from cli.verify.marks import Mark
from cli.verify.report import Check

# Events that are sent one by one, each once the one before it has come.
ALONE: Final = 20
_KEYS: Final = 50
_SENDERS: Final = 4
_READ_SECONDS: Final = 60.0
# How long the door may not know a key that was just made, or be busy.
_DOOR_SECONDS: Final = 15.0
_BUSY: Final = (429, 500, 502, 503, 504)
# How long it is waited, after all has come, for what should not.
_LINGER: Final = 2.0
_SHOWN: Final = 3

_RULE: Final = (
    "chalicelib/routing.toml needs heraldo.* in a lane, `verify = {}` in [topics], and a rule with"
    ' pattern.type = ["heraldo.verify"] and to = ["topic:verify"]; then deploy'
)


class _Failed(HeraldoError):
    """A check that did not pass, and why."""


class _Untried(HeraldoError):
    """A check that cannot be tried, and why."""


_Said = tuple[str, Mapping[str, Any]]


class Run:
    """The checks of one run, in their order. `patience` is how many seconds an event may take to come."""

    def __init__(
        self,
        target: Target,
        routing: Routing,
        name: str,
        events: int,
        patience: float,
        show: Callable[[str], None],
    ) -> None:
        self._target = target
        self._stage = target.handle()
        self._routing = routing
        self._judge = Judge(self._stage, routing, templates(), _READ_SECONDS)
        self._run = name
        self._events = events
        self._patience = patience
        self._show = show
        self._lane = ""
        self._source = ""
        self.dead: set[str] = set()
        """Events that may lie among the dead letters of the lane."""
        self.listener = Listener(self._stage, name)
        self._began = datetime.now(UTC)

    @property
    def lane(self) -> str:
        """The lane of verify's events, once the door has told it."""
        return self._lane

    def checks(self) -> Iterator[Check]:
        """Every check, as it is done. Without the first two there is nothing to be learnt from the others."""
        known = ("plan", "delivery", "lanes", "duplicates", "poison", "redrive")
        vital = known[:2]
        stopped = False
        for name in known:
            check = (
                Check(name, None, "not tried") if stopped else self._checked(name, self._of(name))
            )
            stopped |= name in vital and check.passed is False
            yield check
        if stopped:
            for name in ("order", "delivered", "once", "throughput", "latency"):
                yield Check(name, None, "not tried")
        else:
            yield from self._burst()
        yield self._checked("alarms", self._alarms)

    def _of(self, name: str) -> Callable[[], _Said]:
        found: Callable[[], _Said] = getattr(self, f"_{name}")
        return found

    def _checked(self, name: str, attempt: Callable[[], _Said]) -> Check:
        self._show(f"{name} …")
        try:
            said, measured = attempt()
        except _Untried as why:
            return Check(name, None, str(why))
        except (BotoCoreError, ClientError) as error:
            return Check(name, False, f"AWS refused it: {aws.code_of(error)}")
        except click.ClickException as error:
            return Check(name, False, error.format_message())
        except HeraldoError as error:
            return Check(name, False, str(error))
        return Check(name, True, said, measured)

    # --- One by one -------------------------------------------------------------------------------

    def _plan(self) -> _Said:
        """That what is sent comes back to this run alone, by the rules that are deployed."""
        status, plan = self._ask("POST", "/events?dry_run=true", self._first.event(self._run))
        if status == 403:
            raise _Failed(f"the door refuses {names.VERIFY_TYPE}: {_problem(plan)}")
        if status != 200:
            what = f"the door knows no {names.VERIFY_TYPE} that can be sent ({_problem(plan)})"
            raise _Failed(f"{what}. Have templates/{names.VERIFY_TYPE}/ as it ships, and deploy")
        to = [*plan["destinations"], *plan.get("starts", ()), *plan.get("stops", ())]
        if f"topic:{names.VERIFY}" not in to:
            raise _Failed(f"no rule that is deployed sends it to topic:{names.VERIFY}. {_RULE}")
        if others := [name for name in to if name != f"topic:{names.VERIFY}"]:
            by = [
                rule["name"]
                for rule in plan["rules"]
                if rule["matched"] and rule["name"] != names.VERIFY
            ]
            what = f"it would reach {', '.join(others)}, too (rules: {', '.join(by)})"
            raise _Failed(
                f"{what}. Nothing was sent. Leave {names.VERIFY_TYPE} out of their pattern"
            )
        if held := plan.get("held"):
            what = f"it would be held until {held['until']} ({held['why']})"
            way = f'[types."{names.VERIFY_TYPE}"] category = "alerts" in chalicelib/routing.toml lets it through'
            raise _Failed(f"{what}. {way}")
        bodies = [body for message in plan["messages"] for body in message["bodies"].values()]
        if (self._run, self._first) not in map(marks.read, bodies):
            what = f"templates/{names.VERIFY_TYPE}/ has lost the line by which it is known again"
            raise _Failed(f"{what}: {{{{ run }}}} {{{{ part }}}} {{{{ key }}}} {{{{ number }}}}")
        if heard := listener.others(self._stage):
            raise _Failed(
                f"{heard[0]} hears the topic {names.VERIFY}, too, and nobody is to. Nothing was sent."
                f" ./heraldo subscriptions {names.VERIFY}{self._at} shows who; ./heraldo unsubscribe ends it"
            )
        self._lane = plan["lane"]
        return f"by lane {self._lane} to topic {names.VERIFY}, which nobody else hears", {}

    def _delivery(self) -> _Said:
        """That an event comes through, and the API says so of it."""
        # A subscription that was just made may not be in force yet.
        probes = [Mark("delivery", "k", number) for number in (1, 2, 3)]
        sent: list[Mark] = []
        for probe in probes:
            self._send(probe)
            sent.append(probe)
            if self._come([probe], self._patience / len(probes), all_of=sent):
                break
        arrived = figures.sort(self.listener.arrived).once
        came = [probe for probe in sent if probe in arrived]
        if not came:
            raise _Failed(f"nothing came within {self._patience:g} s: {self._why_not(sent[0])}")
        life = self._life(came[0])
        self._source = str(life.get("source", ""))
        if life.get("status") != statuses.PUBLISHED:
            raise _Failed(f"it came, and the API says of it: {life.get('status')}")
        if arrived[came[0]].message_id not in life["messages"].values():
            raise _Failed("it came, and the API knows it under another id of SNS's")
        seconds = self._latencies(came)
        took = f" after {seconds[0]:.2f} s" if seconds else ""
        late = (
            "" if came[0] == sent[0] else f"; {len(sent) - 1} before the subscription was in force"
        )
        return f"sent by HTTP, it came{took}{late}", {
            "seconds": round(seconds[0], 3) if seconds else None
        }

    def _lanes(self) -> _Said:
        """That every lane delivers what a plain script puts into its queue."""
        sent: dict[str, Mark] = {}
        refused: list[str] = []
        for lane in self._routing.lanes:
            mark = Mark("lanes", lane, 1)
            try:
                self._put(lane, self._event(mark), mark.id(self._run))
                sent[lane] = mark
            except (BotoCoreError, ClientError) as error:
                refused.append(f"the queue of {lane} takes nothing ({aws.code_of(error)})")
        self._come(list(sent.values()), self._patience)
        arrived = figures.sort(self.listener.arrived).once
        for lane, mark in sent.items():
            if mark not in arrived:
                refused.append(f"{lane} delivers nothing: {self._why_not(mark, lane)}")
        if refused:
            raise _Failed("; ".join(refused))
        said = f"put into the queues of {', '.join(sent)}, an event came out of each"
        return said, {"lanes": list(sent)}

    def _duplicates(self) -> _Said:
        """That what is sent three times, by both ways, comes once."""
        twice, last = Mark("duplicates", "k", 1), Mark("duplicates", "k", 2)
        self._send(twice)
        status, answer = self._ask("POST", "/events", twice.event(self._run))
        if (status, answer.get("status")) != (200, "duplicate"):
            raise _Failed(f"sent again, the door answers {status} {answer.get('status')}")
        self._put(self._lane, self._event(twice), f"{twice.id(self._run)}-again")
        self._once(twice, last)
        return "sent again, and put into the queue once more: it came once", {}

    def _poison(self) -> _Said:
        """That what can never be rendered dies with its reason, and keeps nobody."""
        minutes = self._alarm_minutes()
        if minutes is not None and minutes < letters.PATIENT:
            raise _Untried(
                f"not tried: {self._alarm} goes off after {count(minutes, 'minute')}, and this would"
                " raise it. Deploy the stage: it then waits for three"
            )
        before, after, other = (Mark("poison", key, n) for key, n in (("k", 1), ("k", 3), ("o", 1)))
        event = self._event(self._poisoned)
        del event["data"]["number"]
        self._send(before)
        self.dead.add(event["id"])
        self._put(self._lane, event, event["id"])
        self._send(after)
        self._send(other)
        letter = letters.find(self._stage, self._lane, event["id"], self._patience, self._show)
        if letter is None:
            raise _Failed(
                f"no dead letter within {self._patience:g} s: {self._why_not(self._poisoned)}"
            )
        # At once, so that it lies there for no longer than it must.
        self._as_it_was = letters.put_back(self._stage, self._judge, self._lane, letter.id)
        whole = json.dumps(self._event(self._poisoned))
        put_down(self._target, "redrive", f"id={letter.id}")
        self._mended = letters.put_back(self._stage, self._judge, self._lane, letter.id, whole)
        lay = (datetime.now(UTC) - letter.died).total_seconds()
        if self._mended.moved:
            self.dead.discard(event["id"])
        if not self._come([before, after, other], self._patience):
            arrived = figures.sort(self.listener.arrived).once
            late = next(mark for mark in (before, after, other) if mark not in arrived)
            raise _Failed(f"an event beside it did not come: {self._why_not(late)}")
        said = f"dead for {lay:.1f} s, with the reason {letter.reason}"
        told = {"reason": letter.reason, "dead_seconds": round(lay, 3)}
        return f"{said}; events before, behind and beside it came", told

    def _redrive(self) -> _Said:
        """That a dead letter goes back once it is mended, not before, and comes once."""
        if self._as_it_was is None or self._mended is None:
            raise _Untried("not tried: there was no dead letter")
        if self._as_it_was.moved or not self._as_it_was.still_failing:
            raise _Failed("put back as it was, it went, and would only die again")
        if not self._mended.moved:
            why = [str(verdict.fails) for _, verdict in self._mended.still_failing]
            raise _Failed(f"mended, it was not put back: {'; '.join(why) or 'it was not found'}")
        self._once(self._poisoned, Mark("poison", "k", 4))
        return "as it was it would fail again, and stayed; mended and put back, it came once", {}

    # --- Many at once -----------------------------------------------------------------------------

    def _burst(self) -> Iterator[Check]:
        """Many events of many keys as fast as the door takes them, and some one by one."""
        alone = self._checked("alone", self._one_by_one)
        keys = min(_KEYS, max(1, self._events // 10))
        sent = [Mark("burst", f"k{n % keys}", n // keys + 1) for n in range(self._events)]
        try:
            door = self._send_all(sent, keys)
        except (click.ClickException, HeraldoError) as error:
            said = error.format_message() if isinstance(error, click.ClickException) else str(error)
            yield Check("delivered", False, said)
            return
        self._come(sent, self._patience)
        time.sleep(_LINGER)
        arrivals = [one for one in self.listener.arrived if one.mark.part == "burst"]
        found = figures.sort(arrivals)
        yield self._ordered(arrivals, keys)
        yield self._delivered(sent, found.once)
        yield _once_each(found)
        yield self._checked("throughput", lambda: self._throughput(sent, found.once, door))
        yield self._checked("latency", lambda: self._latency(sent, alone))

    def _one_by_one(self) -> _Said:
        sent = [Mark("alone", f"k{number}", 1) for number in range(ALONE)]
        for number, mark in enumerate(sent, 1):
            self._send(mark)
            self._show(f"{number} of {ALONE} one by one")
            if not self._come([mark], self._patience):
                raise _Failed(f"one of those sent one by one did not come: {self._why_not(mark)}")
        return "", figures.percentiles(self._latencies(sent))

    def _send_all(self, sent: Sequence[Mark], keys: int) -> float:
        """Send all, several keys at a time and each in its order; says how many seconds the door took."""
        senders = min(_SENDERS, keys)
        lines: list[list[str]] = [[] for _ in range(senders)]
        for mark in sent:
            lines[int(mark.key[1:]) % senders].append(json.dumps(mark.event(self._run)))
        summaries = [bulk.Summary() for _ in lines]

        def send(number: int) -> None:
            text = io.BytesIO("\n".join(lines[number]).encode())
            for _ in bulk.send(self._target, text, summaries[number]):
                self._show(f"{sum(one.lines for one in summaries):,} of {len(sent):,} sent")

        began = time.monotonic()
        with ThreadPoolExecutor(senders) as pool:
            list(pool.map(send, range(senders)))
        refused = [problem for one in summaries for _, problem in one.refused]
        if refused:
            raise _Failed(f"the door did not take {len(refused)} of {len(sent)}: {refused[0]}")
        return time.monotonic() - began

    def _ordered(self, arrivals: Sequence[Arrival], keys: int) -> Check:
        late, swapped = figures.overtaken(arrivals), figures.swapped(arrivals)
        told = {"keys": keys, "overtaken": len(late), "swapped_by_sns": len(swapped)}
        if late:
            first = ", ".join(mark.id(self._run) for mark in late[:_SHOWN])
            said = f"{count(len(late), 'event was', 'events were')} told to SNS after a later one of their key: {first}"
            return Check("order", False, said, told)
        best = f"; SNS handed over {len(swapped)} in another, as it may" if swapped else ""
        return Check(
            "order", True, f"each of {count(keys, 'key')} in the order of its events{best}", told
        )

    def _delivered(self, sent: Sequence[Mark], once: Collection[Mark]) -> Check:
        lost = [mark for mark in sent if mark not in once]
        told = {"events": len(sent), "lost": len(lost)}
        if lost:
            said = f"{len(lost)} of {len(sent):,} did not come: {self._why_not(lost[0])}"
            return Check("delivered", False, said, told)
        return Check("delivered", True, f"all {len(sent):,} events came", told)

    def _throughput(self, sent: Sequence[Mark], once: Mapping[Mark, Arrival], door: float) -> _Said:
        accepted = self._accepted(sent)
        came = [once[mark].came for mark in sent if mark in once]
        if not accepted or not came:
            raise _Untried("nothing to measure")
        seconds = max(max(came) - min(accepted.values()), 0.001)
        by_door, through = len(sent) / door, len(came) / seconds
        said = f"{through:,.0f} events a second, accepted to delivered ({len(came):,} in {seconds:.1f} s);"
        told = {
            "events": len(came),
            "seconds": round(seconds, 3),
            "per_second": round(through, 1),
            "door_per_second": round(by_door, 1),
        }
        return f"{said} the door took {by_door:,.0f} a second", told

    def _latency(self, sent: Sequence[Mark], alone: Check) -> _Said:
        if not alone.passed:
            raise _Failed(alone.said)
        seconds = self._latencies(sent)
        if not seconds:
            raise _Untried("nothing to measure")
        burst = figures.percentiles(seconds)
        said = f"one by one {_in_words(alone.figures)}; in the burst {_in_words(burst)}"
        told = {"one_by_one_ms": dict(alone.figures), "burst_ms": burst}
        return said, told

    # --- The end ----------------------------------------------------------------------------------

    def _alarms(self) -> _Said:
        """That nobody was woken: of what CloudWatch knows by now."""
        client = self._target.client("cloudwatch")
        prefix = f"heraldo-{self._stage.name}-"
        pages = client.get_paginator("describe_alarms").paginate(AlarmNamePrefix=prefix)
        found = [alarm for page in pages for alarm in page.get("MetricAlarms", [])]
        gone_off = [
            alarm["AlarmName"]
            for alarm in found
            if alarm["StateValue"] == "ALARM" and alarm["StateUpdatedTimestamp"] >= self._began
        ]
        if gone_off:
            raise _Failed(f"while this ran, {', '.join(gone_off)} went off")
        return f"none of {len(found)} went off", {"alarms": len(found)}

    # --- Tools ------------------------------------------------------------------------------------

    _first: Final = Mark("delivery", "k", 1)
    _poisoned: Final = Mark("poison", "k", 2)
    _as_it_was: Redrive | None = None
    _mended: Redrive | None = None

    @property
    def _at(self) -> str:
        return "" if self._stage.name == "local" else f" --stage {self._stage.name}"

    @property
    def _alarm(self) -> str:
        return f"heraldo-{self._stage.name}-{self._lane}-dead-letters"

    def _alarm_minutes(self) -> int | None:
        try:
            client = self._target.client("cloudwatch")
            return letters.alarm_minutes(client, self._stage.name, self._lane)
        except (BotoCoreError, ClientError) as error:
            why = f"not tried: CloudWatch does not say after how long {self._alarm} goes off"
            raise _Untried(f"{why} ({aws.code_of(error)})") from None

    def _event(self, mark: Mark) -> dict[str, Any]:
        """The event as it is in a lane's queue."""
        return {**mark.event(self._run), "source": self._source}

    def _send(self, mark: Mark) -> None:
        status, answer = self._ask("POST", "/events", mark.event(self._run))
        if status != 202:
            raise _Failed(f"the door did not take it: {status} {_problem(answer)}")

    def _ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Call the API; waits where it is busy, or does not know the key yet."""
        until, pause = time.monotonic() + _DOOR_SECONDS, 0.25
        while True:
            status, answer = self._target.call(method, path, body)
            if status not in (*_BUSY, 401) or time.monotonic() > until:
                return status, answer if isinstance(answer, dict) else {}
            time.sleep(pause)
            pause = min(2 * pause, 4.0)

    def _put(self, lane: str, event: Mapping[str, Any], deduplication: str) -> None:
        self._stage.sqs.send_message(
            QueueUrl=self._stage.queue_url(lane),
            MessageBody=json.dumps(event),
            MessageGroupId=group_id(event["partitionkey"]),
            MessageDeduplicationId=deduplication,
        )

    def _come(
        self, wanted: Sequence[Mark], seconds: float, all_of: Sequence[Mark] | None = None
    ) -> bool:
        """Wait until all that is wanted has come, or one of `all_of`; says whether it has."""
        missing = set(wanted)

        def enough(arrivals: Sequence[Arrival]) -> bool:
            came = {one.mark for one in arrivals}
            return missing <= came or bool(all_of and came & set(all_of))

        def show(_: int) -> None:
            came = {one.mark for one in self.listener.arrived}
            self._show(f"{len(missing & came):,} of {len(missing):,} have come")

        return self.listener.wait(enough, seconds, show)

    def _once(self, mark: Mark, last: Mark) -> None:
        """That an event came, and was published once. Behind `last`, which is sent now, nothing more of it is to
        come: they have one ordering key."""
        self._send(last)
        if not self._come([mark, last], self._patience):
            arrived = figures.sort(self.listener.arrived).once
            late = next(one for one in (mark, last) if one not in arrived)
            raise _Failed(f"it did not come: {self._why_not(late)}")
        if mark in figures.sort(self.listener.arrived).published_twice:
            raise _Failed("it was published twice")

    def _life(self, mark: Mark) -> dict[str, Any]:
        """What the API says of an event, once that is its last word: it is written down after it went out."""
        until = time.monotonic() + _DOOR_SECONDS
        while True:
            status, life = self._ask("GET", f"/events/{path_part(mark.id(self._run))}")
            if status != 200:
                raise _Failed(f"it came, and the API does not say so: {status} {_problem(life)}")
            if life["status"] != statuses.ACCEPTED or time.monotonic() > until:
                return dict(life)
            time.sleep(0.25)

    def _records(self, sent: Sequence[Mark]) -> dict[Mark, Record]:
        keys = {(mark.id(self._run), self._source): mark for mark in sent}
        found = ledger.read(self._stage, list(keys), _READ_SECONDS)
        return {keys[key]: record for key, record in found.items()}

    def _accepted(self, sent: Sequence[Mark]) -> dict[Mark, float]:
        """When the door took them, as the ledger has it."""
        return {
            mark: datetime.fromisoformat(record.accepted).timestamp()
            for mark, record in self._records(sent).items()
            if record.accepted
        }

    def _latencies(self, sent: Sequence[Mark]) -> list[float]:
        """From accepted (the ledger) to delivered (SQS, which had it from SNS), in seconds: both by AWS's clocks."""
        once, accepted = figures.sort(self.listener.arrived).once, self._accepted(sent)
        return [once[m].came - accepted[m] for m in sent if m in once and m in accepted]

    def _why_not(self, mark: Mark, lane: str = "") -> str:
        """What is known of an event that did not come."""
        lane = lane or self._lane
        found = ledger.find(self._stage, mark.id(self._run))
        doctor = f"./heraldo doctor{self._at} looks for the cause"
        waits = f"it lies in {names.queue(self._stage.name, lane)}, and nobody takes it out"
        if not found or found[0].status == statuses.ACCEPTED:
            return f"{waits}. {doctor}"
        record = found[0]
        why = f", {record.reason}: {record.detail}" if record.reason else ""
        if record.status == statuses.PUBLISHED:
            ids = ", ".join(record.sent.values())
            return f"SNS took it as {ids}, and did not hand it over"
        return f"the ledger says {record.status}{why}. {doctor}"


def _once_each(found: figures.Sorted) -> Check:
    told = {"published_twice": len(found.published_twice), "delivered_twice_by_sns": 0}
    told["delivered_twice_by_sns"] = len(found.delivered_twice)
    if found.published_twice:
        twice = count(len(found.published_twice), "event was", "events were")
        return Check("once", False, f"{twice} published twice", told)
    again = (
        f"; SNS handed over {len(found.delivered_twice)} twice, as it may"
        if found.delivered_twice
        else ""
    )
    return Check("once", True, f"none was published twice{again}", told)


def _in_words(measured: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value:,.0f} ms" for name, value in measured.items())


def _problem(answer: Mapping[str, Any]) -> str:
    errors = [f"{e['field']} {e['problem']}" for e in answer.get("errors", [])]
    return "; ".join(errors) or str(answer.get("detail") or answer.get("title") or "no reason")
