"""A lane under load, simulated: how long events take from being accepted to being sent, and what they wait for.

    .venv-bench/bin/python -m benchmarks.scale --rate 1000 --keys 10000
    .venv-bench/bin/python -m benchmarks.scale --table          loads and keys side by side (docs/scale.md)
    .venv-bench/bin/python -m benchmarks.scale --check          the same beside the packaged handler on the local AWS

Discrete events (simpy), with AWS's limits as docs/scale.md has them. A queue hands a key to one worker at a time; a
worker takes up to ten messages, of the key that waits longest first; a batch takes a call to read, one for each
wave to publish, and one to record.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from bisect import bisect
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

import simpy

sys.path.insert(0, str(Path(__file__).parents[1]))

BATCH: Final = 10
_CORE_MB: Final = 1769
_QUIET_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Setting:
    """What is simulated. Times are in seconds, rates a second.

    `by_turns`: a worker takes one message of each key before it takes a second, as the local AWS has it; AWS hands out as
    many of one key as it can:
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html
    `skew`: how much more the first keys get than the last (0: all the same; 1: Zipf's). `backlog`: all are there
    from the beginning, none comes.
    """

    events: int = 100_000
    rate: float = 100.0
    keys: int = 1_000
    skew: float = 0.0
    seed: int = 1
    call: float = 0.005
    cpu: float = 0.00045
    memory: int = 1_024
    overhead: float = 0.002  # to hand a batch over
    first: int = 5  # workers at once, at the beginning
    more: float = 300 / 60  # and so many more each second, as long as there is work
    concurrency: int = 1_000
    door: float = 10_000.0
    partition: float = 300.0  # messages a second of one ordering key: its events share no call
    channel: float = 30_000.0
    backlog: bool = False
    by_turns: bool = False


@dataclass(slots=True)
class Result:
    """What came of it: seconds from accepted to sent at three percentiles, and for what was waited."""

    sent: int
    per_second: float
    p50: float
    p95: float
    p99: float
    workers: int
    batch: float
    waited_for: dict[str, float]

    @property
    def most(self) -> str:
        """What was waited for the longest."""
        name, seconds = max(self.waited_for.items(), key=lambda pair: pair[1])
        return name if seconds > 0.001 * self.sent else "nothing"


class _Bucket:
    """So many a second and no more, in order."""

    def __init__(self, env: simpy.Environment, rate: float) -> None:
        self._env, self._rate, self._free = env, rate, 0.0

    def wait(self, number: int) -> float:
        """For how long `number` more have to wait."""
        self._free = max(self._free, self._env.now) + number / self._rate
        return max(0.0, self._free - number / self._rate - self._env.now)


@dataclass(slots=True)
class _Lane:
    setting: Setting
    env: simpy.Environment
    waiting: dict[int, deque[float]] = field(default_factory=dict)  # by key, when each was accepted
    ready: deque[int] = field(default_factory=deque)  # keys that no worker has, the longest first
    busy: int = 0
    asleep: list[Any] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    order: list[tuple[int, float]] = field(default_factory=list)
    batches: int = 0
    most_busy: int = 0
    waited: dict[str, float] = field(
        default_factory=lambda: {
            "the door": 0.0,
            "its key": 0.0,
            "workers": 0.0,
            "the channel": 0.0,
        }
    )

    def put(self, key: int) -> None:
        there = self.waiting.get(key)
        if there is None:
            self.waiting[key] = deque((self.env.now,))
            self.ready.append(key)
            if self.asleep:
                self.asleep.pop().succeed()
        else:
            there.append(self.env.now)

    def take(self) -> list[tuple[int, list[float]]]:
        """Up to ten messages of keys that nobody else has: they are this worker's until it is done."""
        batch: dict[int, list[float]] = {}
        room = BATCH
        each = 1 if self.setting.by_turns else BATCH
        while self.ready and room:
            key = self.ready.popleft()
            there = self.waiting[key]
            batch[key] = [there.popleft() for _ in range(min(room, each, len(there)))]
            room -= len(batch[key])
        while room and any(self.waiting[key] for key in batch):  # by turns, and there is room yet
            for key, own in batch.items():
                if room and self.waiting[key]:
                    own.append(self.waiting[key].popleft())
                    room -= 1
        return list(batch.items())

    def give_back(self, batch: list[tuple[int, list[float]]]) -> None:
        for key, _ in batch:
            if self.waiting[key]:
                self.ready.append(key)
                if self.asleep:
                    self.asleep.pop().succeed()
            else:
                del self.waiting[key]


def simulate(setting: Setting, progress: Any = None) -> Result:
    """Let all events pass, and tell what came of it. The same seed gives the same."""
    env = simpy.Environment()
    lane = _Lane(setting, env)
    channel = _Bucket(env, setting.channel)
    dice = random.Random(setting.seed)
    key_of = _keys(setting, dice)
    if setting.backlog:
        for _ in range(setting.events):
            lane.put(key_of())
    else:
        env.process(_arrive(env, lane, setting, dice, key_of))
    hands: list[int] = []
    env.process(_scale(env, lane, setting, channel, hands))
    began = time.monotonic()
    while len(lane.latencies) < setting.events:
        env.step()
        if (
            progress
            and len(lane.latencies) % 10_000 == 0
            and time.monotonic() - began > _QUIET_SECONDS
        ):
            progress(len(lane.latencies))
    return _result(lane, env.now)


def _keys(setting: Setting, dice: random.Random) -> Any:
    if not setting.skew:
        return lambda: dice.randrange(setting.keys)
    weights = list(accumulate(1 / (n + 1) ** setting.skew for n in range(setting.keys)))
    return lambda: bisect(weights, dice.random() * weights[-1])


def _arrive(
    env: simpy.Environment, lane: _Lane, setting: Setting, dice: random.Random, key_of: Any
) -> Iterator[Any]:
    """Events come by chance, and through the door as fast as it lets them."""
    door = _Bucket(env, setting.door)
    partitions: dict[int, _Bucket] = {}
    due = 0.0
    for _ in range(setting.events):
        due += dice.expovariate(setting.rate)
        if due > env.now:
            yield env.timeout(due - env.now)
        key = key_of()
        late = door.wait(1)
        if setting.keys <= 10_000:
            late = max(late, partitions.setdefault(key, _Bucket(env, setting.partition)).wait(1))
        if late:
            lane.waited["the door"] += late
            env.process(_let_in(env, lane, key, late))
        else:
            lane.put(key)


def _let_in(env: simpy.Environment, lane: _Lane, key: int, late: float) -> Iterator[Any]:
    yield env.timeout(late)
    lane.put(key)


def _scale(
    env: simpy.Environment, lane: _Lane, setting: Setting, channel: _Bucket, hands: list[int]
) -> Iterator[Any]:
    """As many workers as Lambda begins with, and more of them as long as something waits."""
    for _ in range(min(setting.first, setting.concurrency)):
        env.process(_work(env, lane, setting, channel))
        hands.append(1)
    while len(hands) < setting.concurrency and setting.more:
        yield env.timeout(1 / setting.more)
        if lane.ready:
            env.process(_work(env, lane, setting, channel))
            hands.append(1)


def _work(env: simpy.Environment, lane: _Lane, setting: Setting, channel: _Bucket) -> Iterator[Any]:
    share = min(1.0, setting.memory / _CORE_MB)
    while True:
        batch = lane.take()
        if not batch:
            woken = env.event()
            lane.asleep.append(woken)
            yield woken
            continue
        lane.busy += 1
        lane.batches += 1
        lane.most_busy = max(lane.most_busy, lane.busy)
        number = sum(len(own) for _, own in batch)
        taken = env.now
        yield env.timeout(setting.overhead + setting.call)
        for wave in range(max(len(own) for _, own in batch)):
            of_wave = [(key, own[wave]) for key, own in batch if wave < len(own)]
            late = channel.wait(len(of_wave))
            lane.waited["the channel"] += late * len(of_wave)
            yield env.timeout(late + setting.call + setting.cpu * len(of_wave) / share)
            for key, accepted in of_wave:
                lane.latencies.append(env.now - accepted)
                lane.order.append((key, accepted))
                # Before it was taken it waited for a worker, or for what was before it in its key; and where the
                # channel takes no more, that is what holds all others up.
                behind = "its key" if wave or lane.waiting[key] else "workers"
                lane.waited["the channel" if late else behind] += taken - accepted
        yield env.timeout(setting.call)
        assert number
        lane.busy -= 1
        lane.give_back(batch)


def _result(lane: _Lane, now: float) -> Result:
    found = sorted(lane.latencies)

    def at(share: float) -> float:
        return found[min(len(found) - 1, int(share * len(found)))]

    return Result(
        len(found),
        len(found) / now,
        at(0.5),
        at(0.95),
        at(0.99),
        lane.most_busy,
        len(found) / lane.batches,
        lane.waited,
    )


# -- what is shown ---------------------------------------------------------------------------------

LOADS: Final = (1 / 60, 1, 10, 100, 1_000, 5_000, 10_000, 30_000)
_WAYS: Final = {
    "one key for all": {"keys": 1},
    "100 keys": {"keys": 100},
    "a key per customer": {"keys": 100_000},
}
_HEADER: Final = f"{'events/s':>9} {'sent/s':>8} {'p50':>8} {'p95':>8} {'p99':>8} {'workers':>8} {'batch':>6}  waits for"


def _row(setting: Setting, found: Result) -> str:
    times = " ".join(f"{_told(seconds):>8}" for seconds in (found.p50, found.p95, found.p99))
    load = f"{setting.rate:,.3g}" if setting.rate < 1 else f"{setting.rate:,.0f}"
    return f"{load:>9} {found.per_second:8,.1f} {times} {found.workers:8} {found.batch:6.1f}  {found.most}"


def _told(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _table(events: int, seed: int) -> None:
    for name, way in _WAYS.items():
        print(f"\n{name}\n{_HEADER}", flush=True)
        for rate in LOADS:
            # A minute of each load, and enough events where that is few.
            number = int(min(events, max(2_000, rate * 60)))
            setting = replace(Setting(), events=number, rate=rate, seed=seed, door=1e9, **way)
            print(_row(setting, simulate(setting)), flush=True)


def _check() -> None:
    """Five workers on a full queue, 5 ms a call, simulated and real; 20 ms are the local AWS's to hand a batch over."""
    from benchmarks import environment, ordering

    environment.enter()
    print(f"{'ordering keys':>14} {'simulated':>10} {'measured':>9} {'ratio':>6}")
    for keys, rate, _, _ in ordering.measured():
        setting = Setting(
            events=ordering.MESSAGES,
            keys=keys,
            backlog=True,
            first=ordering.WORKERS,
            more=0,
            memory=_CORE_MB,
            overhead=0.02,
            by_turns=True,
        )
        found = simulate(setting).per_second
        print(f"{keys:14} {found:10.0f} {rate:9.0f} {found / rate:6.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    known = Setting()
    parser.add_argument("--events", type=int, default=known.events)
    parser.add_argument("--rate", type=float, default=known.rate, help="events a second")
    parser.add_argument("--keys", type=int, default=known.keys, help="ordering keys")
    parser.add_argument("--skew", type=float, default=0.0, help="0: all keys alike; 1: Zipf")
    parser.add_argument("--concurrency", type=int, default=known.concurrency)
    parser.add_argument("--door", type=float, default=known.door, help="events/s let in")
    parser.add_argument("--channel", type=float, default=known.channel, help="messages/s sent")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--table", action="store_true", help="loads and keys side by side")
    parser.add_argument("--check", action="store_true", help="beside the local AWS (a minute)")
    asked = parser.parse_args()
    if asked.check:
        _check()
        return
    if asked.table:
        _table(asked.events, asked.seed)
        return
    names = ("events", "rate", "keys", "skew", "concurrency", "door", "channel", "seed")
    setting = Setting(**{name: getattr(asked, name) for name in names})

    def progress(sent: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{sent:,} of {setting.events:,}", end="", file=sys.stderr, flush=True)

    found = simulate(setting, progress)
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr)
    if asked.json:
        print(json.dumps({**asdict(found), "most": found.most}))
    else:
        print(f"{_HEADER}\n{_row(setting, found)}")


if __name__ == "__main__":
    main()
