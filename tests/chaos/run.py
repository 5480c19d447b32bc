"""One run of the chaos: events through the packaged lane while everything around it fails.

python -m tests.chaos.run [--events 10000] [--seed N]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chalicelib import names
from cli.deploy import deploy, identity, package
from cli.paths import ROOT
from cli.stack import inbox
from cli.stack.emulator import CREDENTIALS, REGION, Emulator, free_port
from cli.stages import stages
from tests.chaos.proxy import MARKER, Acceptance, Proxy
from tests.factories import customers_hear_by, sample

STAGE, LANE = "local", "orders"
WORKERS = 4
# Above the 7 s after which an invocation is ended, as Lambda's rule is; in AWS it is 180 s.
VISIBILITY = 8
AHEAD = 1500

# What is sent, of a hundred events, and whom it must reach: topics, and recipients by a channel.
TYPES = {
    "order.shipped": (35, ("users",)),
    "payment.failed": (15, ("users", "company")),
    "order.delivered": (18, ("users",)),
    "order.placed": (20, ("users", "email")),
    "payment.confirmed": (10, ("users", "sms")),
    "order.lost": (2, ()),  # no such type: a dead letter
}
ONCE = "order.delivered"
EXTRA_ROUTING = f"""
[types."{ONCE}"]
on_unknown = "skip"

[[rule]]
name = "by-mail"
pattern.type = ["order.placed"]
to = ["recipient:email"]

[[rule]]
name = "by-phone"
pattern.type = ["payment.confirmed"]
to = ["recipient:push|sms"]
"""


# What AWS refuses because that is how it is asked: a message that somebody else has by now, a run that was begun
# already, one whose key has another.
_MEANT = ("ReceiptHandleIsInvalid", "ExecutionAlreadyExists", "TransactionCanceledException")


@dataclass
class Sent:
    """An event as it was put into the lane."""

    marker: str
    key: str
    type: str


@dataclass
class Report:
    """What came of it."""

    seed: int
    events: int
    seconds: float = 0.0
    delivered: int = 0
    lost: list[str] = field(default_factory=list)
    out_of_order: list[str] = field(default_factory=list)
    inside: int = 0
    outside: list[str] = field(default_factory=list)
    skipped: int = 0
    dead: Counter[str] = field(default_factory=Counter)
    ledger_wrong: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    killed: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    accepted: int = 0

    def __str__(self) -> str:
        faults = ", ".join(f"{name} {n}" for name, n in sorted(self.faults.items()))
        dead = ", ".join(f"{reason} {n}" for reason, n in sorted(self.dead.items())) or "none"
        return (
            f"chaos, seed {self.seed}: {self.events} events, {self.delivered} deliveries,"
            f" {self.seconds:.0f} s\n"
            f"  lost {len(self.lost)}, out of order {len(self.out_of_order)}, duplicates"
            f" {self.inside + len(self.outside)}: {self.inside} inside the declared window,"
            f" {len(self.outside)} outside\n"
            f"  not sent again because the type says skip: {self.skipped}; dead letters: {dead}\n"
            f"  workers killed {self.killed}; faults {sum(self.faults.values())}: {faults}\n"
            f"  again: make chaos SEED={self.seed} EVENTS={self.events}"
        )

    @property
    def kept(self) -> bool:
        """Whether every promise was."""
        wrong = (self.lost, self.out_of_order, self.outside, self.ledger_wrong, self.unexpected)
        # What trying again mends makes no dead letter.
        return not any(wrong) and self.dead.keys() <= {"unknown-type", "sns-refused", "ses-refused"}

    def problems(self) -> str:
        return f"dead: {dict(self.dead)}\n" + "\n".join(
            f"{name}: {found[:8]}"
            for name in ("lost", "out_of_order", "outside", "ledger_wrong", "unexpected")
            if (found := getattr(self, name))
        )


class Run:
    """Sends events, lets workers and faults at them, and judges what subscribers received."""

    def __init__(self, emulator: Emulator, folder: Path, events: int, seed: int) -> None:
        self.events, self.seed, self.folder = events, seed, folder
        self.peace = 12 + events / 20
        self.emulator = emulator
        self.sqs, self.sns = emulator.client("sqs"), emulator.client("sns")
        self.dynamodb = emulator.client("dynamodb")
        deploy.deploy_infra(STAGE, emulator.client, say=lambda _: None)
        arns = [t["TopicArn"] for t in self.sns.list_topics()["Topics"]]
        identity.ensure(STAGE, emulator.client, lambda _: None)
        self.persons = inbox.Persons(emulator.endpoint_url)
        self.inbox = inbox.subscribe(
            self.sqs,
            self.sns,
            {name: a for a in arns if (name := a.rsplit("-", 1)[1]) != names.RECEIPTS},
        )
        self.lane = self._queue_url(names.queue(STAGE, LANE))
        self.sqs.set_queue_attributes(
            QueueUrl=self.lane, Attributes={"VisibilityTimeout": str(VISIBILITY)}
        )
        self.sent: list[Sent] = []
        self.deliveries: list[tuple[str, str]] = []
        self.seen: set[str] = set()
        self.pids: dict[str, int] = {}
        self.died: dict[str, int] = {}
        self.report = Report(seed, events)
        self.over = threading.Event()

    def _queue_url(self, name: str) -> str:
        return str(self.sqs.get_queue_url(QueueName=name)["QueueUrl"])

    def go(self, progress: Callable[[str], None]) -> Report:
        begun = time.monotonic()
        with Proxy(self.emulator.endpoint_url, self.seed) as proxy:
            self.proxy = proxy
            workers = self._start_workers(proxy.url)
            threads = [
                threading.Thread(target=target, args=args, daemon=True)
                for target, args in ((self._listen, (workers,)), (self._kill, ()), (self._send, ()))
            ]
            try:
                for thread in threads:
                    thread.start()
                self._receive(threads[2], progress)
            finally:
                self.over.set()
                workers.stdin.close()
                workers.wait(20)
                for thread in threads:
                    thread.join(20)
        self.report.seconds = time.monotonic() - begun
        self._judge(proxy)
        return self.report

    # -- what goes in ------------------------------------------------------------------------------

    def _send(self) -> None:
        dice = random.Random(f"{self.seed}/events")
        keys = [f"cus-{n:03}" for n in range(max(60, self.events // 40))]
        samples = {kind: sample(kind)["data"] for kind in TYPES if kind != "order.lost"}
        kinds, weights = list(TYPES), [weight for weight, _ in TYPES.values()]
        for start in range(0, self.events, 10):
            while len(self.sent) - len(self.seen) > AHEAD and not self.over.wait(0.2):
                pass
            entries = []
            for number in range(start, min(start + 10, self.events)):
                [kind] = dice.choices(kinds, weights)
                key = dice.choice(keys)
                found = Sent(f"K{self.seed % 1000:03}-{number:06}", key, kind)
                self.sent.append(found)
                data = json.loads(json.dumps(samples.get(kind, {"order": {}})))
                data["order"]["id"] = found.marker
                entries.append(self._entry(found, data, str(len(entries))))
                if dice.random() < 0.02:  # a sender that tries again, past FIFO's own window
                    entries.append(self._entry(found, data, f"{len(entries)}"))
            for part in (entries[:10], entries[10:]):
                if part:
                    self.sqs.send_message_batch(QueueUrl=self.lane, Entries=part)

    def _entry(self, event: Sent, data: Any, number: str) -> dict[str, str]:
        body = {
            "specversion": "1.0",
            "type": event.type,
            "source": "/chaos",
            "id": event.marker,
            "recipient": event.key,
            "email": f"{event.key}@example.com",
            "phone": f"+346{int(event.key.removeprefix('cus-')):08d}",
            "data": data,
        }
        return {
            "Id": number,
            "MessageBody": json.dumps(body, ensure_ascii=False),
            "MessageGroupId": event.key,
            "MessageDeduplicationId": f"{event.marker}-{number}",
        }

    # -- workers, and their end --------------------------------------------------------------------

    def _start_workers(self, endpoint_url: str) -> subprocess.Popen[str]:
        code = self.folder / "code"
        with zipfile.ZipFile(package.build(STAGE).zip_file) as built:
            built.extractall(code)
        routing = code / "chalicelib" / "routing.toml"
        rules = customers_hear_by("topic:users", routing.read_text("utf-8"))
        routing.write_text(rules + EXTRA_ROUTING, "utf-8")
        arn = f"arn:aws:sqs:{REGION}:{self.lane.split('/')[-2]}:{names.queue(STAGE, LANE)}"
        return subprocess.Popen(
            [
                ROOT / ".venv-aws" / "bin" / "python",
                Path(__file__).with_name("workers.py"),
                *(str(code), str(WORKERS), self.lane, arn),
            ],
            env={
                **CREDENTIALS,
                "PATH": os.environ["PATH"],
                "AWS_CONFIG_FILE": os.devnull,
                "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
                "AWS_DEFAULT_REGION": REGION,
                "AWS_ENDPOINT_URL": endpoint_url,
                **stages()[STAGE].environment,
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(self.folder / "workers.log").open("w"),
            text=True,
        )

    def _listen(self, workers: subprocess.Popen[str]) -> None:
        for line in workers.stdout or ():
            facts = json.loads(line)
            if "born" in facts:
                self.pids[facts["born"]] = facts["pid"]
            elif "died" in facts:
                self.pids.pop(facts["died"], None)
                self.died[facts["died"]] = self.proxy.invocations[facts["died"]]
                self.report.killed += not self.over.is_set()
            else:
                self.report.unexpected.append(facts["unexpected"])

    def _kill(self) -> None:
        """SIGKILL at moments that have nothing to do with any call."""
        dice = random.Random(f"{self.seed}/kills")
        while not self.over.wait(dice.uniform(1, 6)) and not self.proxy.faults.calm:
            if self.pids:
                try:
                    os.kill(dice.choice(sorted(self.pids.values())), signal.SIGKILL)
                except ProcessLookupError:
                    continue

    # -- what comes out ----------------------------------------------------------------------------

    def _receive(self, sender: threading.Thread, progress: Callable[[str], None]) -> None:
        """Take what subscribers get until the lane is empty. The end runs in peace, so that it
        comes: a key whose event fails again and again waits for hours, as it should."""
        begun = said = time.monotonic()
        limit = begun + 60 + self.events / 10
        while True:
            got = self.sqs.receive_message(
                QueueUrl=self.inbox, MaxNumberOfMessages=10, WaitTimeSeconds=1
            ).get("Messages", [])
            for message in got:
                envelope = json.loads(message["Body"])
                marker = MARKER.search(envelope["Message"])
                assert marker, envelope
                self.deliveries.append((marker[0], envelope["TopicArn"].rsplit("-", 1)[1]))
                self.seen.add(marker[0])
            for person in self.persons.new():
                marker = MARKER.search(person["subject"] + person["message"])
                assert marker, person
                self.deliveries.append((marker[0], person["channel"]))
                self.seen.add(marker[0])
            if got:
                entries = [
                    {"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(got)
                ]
                self.sqs.delete_message_batch(QueueUrl=self.inbox, Entries=entries)
            elif not sender.is_alive() and not self._waiting():
                return
            if len(self.seen) > 0.96 * self.events or time.monotonic() - begun > self.peace:
                self.proxy.faults.calm = True
            if time.monotonic() - said > 2:
                said = time.monotonic()
                calls = sum(self.proxy.calls.values())
                progress(
                    f"{len(self.seen):,} of {self.events:,} events delivered, {calls:,} calls,"
                    f" {sum(self.proxy.faults.injected.values()):,} faults,"
                    f" {self.report.killed} workers killed"
                )
            if time.monotonic() > limit:
                raise AssertionError(
                    f"The lane is not empty after its time: {len(self.seen)} of {self.events}"
                    f" delivered (seed {self.seed}; see {self.folder}/workers.log)"
                )

    def _waiting(self) -> int:
        attributes = self.sqs.get_queue_attributes(QueueUrl=self.lane, AttributeNames=["All"])
        return sum(
            int(value)
            for name, value in attributes["Attributes"].items()
            if name.startswith("ApproximateNumberOfMessages")
        )

    # -- the verdict ---------------------------------------------------------------------------------

    def _judge(self, proxy: Proxy) -> None:
        report = self.report
        report.delivered, report.accepted = len(self.deliveries), len(proxy.accepted)
        report.faults = proxy.faults.injected
        report.unexpected += [b for b in proxy.broken if not any(word in b for word in _MEANT)]
        dead = self._dead_letters()
        report.dead.update(dead.values())
        ledger = self._ledger()
        received = Counter(self.deliveries)
        doubt = self._doubtful(proxy)
        for event in self.sent:
            wanted = {(event.marker, topic) for topic in TYPES[event.type][1]}
            status = ledger.get(event.marker, "")
            if event.marker in dead:
                continue
            if event.type == ONCE and status == "unknown":
                report.skipped += 1
                if event.marker not in doubt:
                    report.lost.append(f"{event.marker} skipped without a doubt")
            elif not wanted or not wanted <= received.keys():
                report.lost.append(f"{event.marker} {event.type} {status}")
            elif status != "published" and event.marker not in doubt:
                report.ledger_wrong.append(f"{event.marker} delivered and {status or 'unknown'}")
        self._judge_order(dead)
        self._judge_duplicates(proxy, received)

    def _judge_order(self, dead: dict[str, str]) -> None:
        first: dict[tuple[str, str], int] = {}
        for moment, delivery in enumerate(self.deliveries):
            first.setdefault(delivery, moment)
        latest: dict[tuple[str, str], tuple[int, str]] = {}
        for event in self.sent:
            for topic in TYPES[event.type][1]:
                moment = first.get((event.marker, topic), -1)
                if event.marker in dead or moment < 0:
                    continue
                before = latest.get((event.key, topic), (-1, ""))
                if moment < before[0]:
                    self.report.out_of_order.append(f"{event.marker} before {before[1]}")
                latest[event.key, topic] = max(before, (moment, event.marker))

    def _judge_duplicates(self, proxy: Proxy, received: Counter[tuple[str, str]]) -> None:
        """Each repetition needs an excuse: nobody who lived on knew of the acceptance before it."""
        once = {event.marker for event in self.sent if event.type == ONCE}
        before: dict[tuple[str, str], Acceptance] = {}
        for acceptance in proxy.accepted:
            earlier = before.get(acceptance.publication)
            before[acceptance.publication] = acceptance
            if earlier is None:
                continue
            marker = acceptance.publication[0]
            excused = not acceptance.repeats_recorded and self._unknown_to_worker(proxy, earlier)
            if marker in once or not excused:
                self.report.outside.append(f"{acceptance.publication}")
            else:
                self.report.inside += 1
        if received != Counter(a.publication for a in proxy.accepted):
            self.report.unexpected.append("subscribers did not get exactly what was accepted")

    def _unknown_to_worker(self, proxy: Proxy, acceptance: Acceptance) -> bool:
        invocation = (acceptance.worker, acceptance.invocation)
        return (
            acceptance.withheld
            or invocation in proxy.write_failed
            or self.died.get(acceptance.worker) == acceptance.invocation
        )

    def _doubtful(self, proxy: Proxy) -> set[str]:
        """Events that were in an invocation which could not learn or record an answer."""
        found: set[str] = set()
        for (worker, invocation), markers in proxy.touched.items():
            broken = (worker, invocation) in proxy.write_failed | proxy.doubt
            if broken or self.died.get(worker) == invocation:
                found |= markers
        return found

    def _dead_letters(self) -> dict[str, str]:
        """The reason of each dead letter by its event."""
        url = self._queue_url(names.dead_queue(STAGE, LANE))
        found: dict[str, str] = {}
        while got := self.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        ).get("Messages"):
            for message in got:
                reason = message.get("MessageAttributes", {}).get("reason", {})
                found[json.loads(message["Body"])["id"]] = reason.get("StringValue", "")
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return found

    def _ledger(self) -> dict[str, str]:
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=names.table(STAGE, "ledger"))
        return {item["id"]["S"]: item["status"]["S"] for page in pages for item in page["Items"]}


def run(
    events: int, seed: int, folder: Path, progress: Callable[[str], None] = lambda _: None
) -> Report:
    """A local AWS of its own, and one run on it."""
    os.environ["HERALDO_STAGE"] = STAGE
    with Emulator(folder, free_port()) as emulator:
        return Run(emulator, folder, events, seed).go(progress)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=None)
    asked = parser.parse_args()
    seed = random.randrange(1000) if asked.seed is None else asked.seed
    print(f"chaos, seed {seed}: {asked.events} events", flush=True)

    def progress(line: str) -> None:
        end = "\r" if sys.stdout.isatty() else "\n"
        print(f"  {line:<100}", end=end, flush=True)

    with tempfile.TemporaryDirectory() as folder:
        report = run(asked.events, seed, Path(folder), progress)
    print(report)
    print(report.problems())
    return 0 if report.kept else 1


if __name__ == "__main__":
    sys.exit(main())
