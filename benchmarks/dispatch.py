"""What a notification costs: Heraldo's handler against the textbook ways, in one run.

    make bench                              everything below
    python -m benchmarks.dispatch           CPU, calls and throughput, as ratios
    python -m benchmarks.dispatch --by email  the same for mails (or sms) to ten customers' own addresses
    python -m benchmarks.dispatch --profile where Heraldo's CPU goes
    python -m benchmarks.dispatch --cold    what a cold start costs

Each contender (benchmarks/contenders.py) is one worker process; the AWS it talks to is another one
that does nothing (benchmarks/noop_aws.py). CPU is the worker's own process time, user and system. The
rounds alternate, so that whatever else this machine does falls on all of them; figures are medians,
and a ratio is the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import environment

ROUNDS: Final = 11
SECONDS_A_ROUND: Final = 0.25
DELAY: Final = 0.005
NAMES: Final = {
    "heraldo": "Heraldo",
    "powertools": "(b) Powertools FIFO + idempotency, a call each",
    "publish_each": "(a) a call each, no guarantee",
    "bare_batch": "(c) one bare call for all, no guarantee",
}
# What Heraldo has to reach against each: CPU, calls, throughput at 5 ms a call.
TARGETS: Final[dict[str, dict[str, tuple[float | None, ...]]]] = {
    "topic": {"powertools": (6, 10, 8), "publish_each": (2, None, None)},
    "email": {"powertools": (4, None, None)},
    "sms": {},
}
# How many calls a notification may take at the most.
CALLS: Final = {"topic": 0.3, "email": 0.4, "sms": 1.3}
# Where a call for many is none, there is no third.
WITHOUT: Final = {"sms": "bare_batch"}
SENT: Final = {
    "topic": ("Publish", "PublishBatch"),
    "email": ("SendEmail", "SendBulkEmail"),
    "sms": ("Publish",),
}

GROUPS: Final = {
    "botocore": "botocore: serialize, sign, parse",
    "chalicelib/aws": "botocore: serialize, sign, parse",
    "urllib3": "HTTP",
    "http/": "HTTP",
    "email/": "HTTP",
    "socket": "HTTP",
    "chalicelib/words/environment": "render",
    "chalicelib/words/render": "render",
    "chalicelib/words/filters": "render",
    "templates": "render",
    "jinja2": "render",
    "babel": "render",
    "chalicelib/rules/routing": "route",
    "chalicelib/rules/patterns/rule_index": "route",
    "chalicelib/rules/patterns/conditions": "route",
    "chalicelib/store/ledger": "ledger items",
    "chalicelib": "decode and dispatch",
    "app": "decode and dispatch",
    "chalice": "Chalice",
    "json": "JSON",
}


def main() -> None:
    parser = argparse.ArgumentParser(description="What a notification costs.")
    parser.add_argument("--profile", action="store_true", help="where Heraldo's CPU goes")
    parser.add_argument("--cold", action="store_true", help="what a cold start costs")
    parser.add_argument("--by", choices=list(SENT), default="topic", help="how customers hear")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"alternated rounds ({ROUNDS})")
    asked = parser.parse_args()
    environment.enter()
    if asked.profile:
        profile(asked.by)
    elif asked.cold:
        from benchmarks import cold

        cold.measure()
    else:
        compare(asked.rounds, asked.by)


def compare(rounds: int, by: str) -> None:
    from benchmarks.noop_aws import NoopAws
    from benchmarks.worker import BATCH, Worker

    packages = ("aws-lambda-powertools", "boto3", "botocore", "Jinja2")
    print(
        f"Python {platform.python_version()}, "
        + ", ".join(f"{name} {version(name)}" for name in packages)
    )
    print(
        f"Batches of {BATCH} order.shipped by {by}, {BATCH} ordering keys. Warming up …", flush=True
    )
    names = [name for name in NAMES if name != WITHOUT.get(by)]
    with NoopAws() as aws:
        workers = {name: Worker(name, aws.url, by) for name in names}
        sizes = {}
        for name, worker in workers.items():
            worker.run(10)
            sizes[name] = max(5, round(SECONDS_A_ROUND / (worker.run(10)["cpu"] / 10)))
            sent = aws.counts()
            if not any(sent[action] for action in SENT[by]):
                raise SystemExit(f"{NAMES[name]} sent nothing: there is nothing to compare")

        cpu: dict[str, list[float]] = {name: [] for name in names}
        calls: dict[str, float] = {}
        order = list(names)
        for number in range(rounds):
            print(f"  CPU, round {number + 1} of {rounds}", flush=True)
            for name in order:
                took = workers[name].run(sizes[name])["cpu"]
                cpu[name].append(took / sizes[name] / BATCH * 1000)
                calls[name] = sum(aws.counts().values()) / sizes[name] / BATCH
            order.reverse()

        aws.delay(DELAY)
        speed: dict[str, list[float]] = {name: [] for name in names}
        for number in range(3):
            print(
                f"  throughput at {DELAY * 1000:.0f} ms a call, round {number + 1} of 3", flush=True
            )
            for name in order:
                batches = max(3, round(1 / (calls[name] * BATCH * (DELAY + 0.001))))
                speed[name].append(batches * BATCH / workers[name].run(batches)["wall"])
        for worker in workers.values():
            worker.close()
    report(by, cpu, calls, speed)


def report(
    by: str,
    cpu: dict[str, list[float]],
    calls: dict[str, float],
    speed: dict[str, list[float]],
) -> None:
    print(f"\n{'per notification':50} {'CPU ms':>8} {'(min–max)':>14} {'calls':>7} {'per s':>7}")
    for name in cpu:
        words = NAMES[name]
        span = f"({min(cpu[name]):.3f}–{max(cpu[name]):.3f})"
        print(
            f"{words:50} {median(cpu[name]):8.3f} {span:>14} {calls[name]:7.2f}"
            f" {median(speed[name]):7.0f}"
        )
    print(f"\n{'Heraldo against':50} {'less CPU':>9} {'fewer calls':>12} {'faster':>8}")
    missed = []
    if calls["heraldo"] > CALLS[by] + 0.005:
        missed.append(f"{calls['heraldo']:.2f} calls a notification, wanted {CALLS[by]}")
    for name in list(cpu)[1:]:
        words = NAMES[name]
        found = (
            median(other / own for own, other in zip(cpu["heraldo"], cpu[name], strict=True)),
            calls[name] / calls["heraldo"],
            median(speed["heraldo"]) / median(speed[name]),
        )
        print(f"{words:50} {found[0]:8.2f}x {found[1]:11.2f}x {found[2]:7.2f}x")
        for what, value, target in zip(
            ("CPU", "calls", "throughput"), found, TARGETS[by].get(name, (None,) * 3), strict=True
        ):
            if target is not None and value < target:
                missed.append(f"{what} against {words}: {value:.2f}, wanted {target}")
    if "bare_batch" in cpu:
        print("\nA bare call keeps no ledger: the difference to (c) is what the promises cost.")
    for line in missed:
        print(f"Below target: {line}")
    sys.exit(bool(missed))


def profile(by: str) -> None:
    import pstats

    from benchmarks.noop_aws import NoopAws
    from benchmarks.worker import BATCH, Worker

    batches = 100
    with tempfile.TemporaryDirectory() as folder, NoopAws() as aws:
        file = Path(folder) / "profile"
        worker = Worker("heraldo", aws.url, by)
        worker.run(20)
        worker.run(batches, str(file))
        worker.close()
        stats = pstats.Stats(str(file))
    modules: dict[str, float] = {}
    functions: list[tuple[float, str]] = []
    for (path, _, function), (_, _, own, _, callers) in stats.stats.items():  # type: ignore[attr-defined]
        if path == "~":  # what is built in counts for the Python that calls it
            for (caller, _, _), (_, _, part, _) in callers.items():
                modules[module_of(caller)] = modules.get(module_of(caller), 0) + part
        else:
            modules[module_of(path)] = modules.get(module_of(path), 0) + own
        functions.append((own, f"{module_of(path)}: {function}"))
    total = sum(modules.values())
    groups: dict[str, float] = {}
    for module, own in modules.items():
        group = next(
            (words for start, words in GROUPS.items() if module.startswith(start)), "other"
        )
        groups[group] = groups.get(group, 0) + own
    print(f"{batches * BATCH} notifications, {total:.2f} s under the profiler")
    print("(which makes much of small functions: take it for the order, not for the share)")
    for title, found in (("what for", groups), ("by module", modules)):
        print(f"\n{title}")
        for name, own in sorted(found.items(), key=lambda entry: -entry[1])[:20]:
            print(f"  {own / total:6.1%}  {name}")
    print("\nby function")
    for own, function in sorted(functions, reverse=True)[:20]:
        print(f"  {own / total:6.1%}  {function}")


def module_of(path: str) -> str:
    """The module that a file is, as short as it can be said."""
    if path == "~":
        return "built in"
    parts = Path(path).with_suffix("").parts
    for start in ("chalicelib", "templates", "site-packages", "python3.11", "benchmarks"):
        if start in parts:
            at = parts.index(start)
            return "/".join(parts[at if start in ("chalicelib", "templates") else at + 1 :])
    return Path(path).stem


if __name__ == "__main__":
    main()
