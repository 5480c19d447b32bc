"""Held events that are all due in one minute: whether every one goes out, in order per key, and how soon.

    .venv/bin/python -m benchmarks.held [--number 10000] [--keys 200]

The packaged stack on the local AWS, in by HTTP in batches of 500. The local AWS looks for due schedules every ten
seconds and gives a FIFO queue one worker, so the time is an upper bound and says nothing of AWS.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import urllib.request
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[1]))


BATCH: Final = 500
ROOT: Final = Path(__file__).parents[1]
# How long nothing may come out before it is given up.
PATIENCE: Final = 120.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--number", type=int, default=10_000)
    parser.add_argument("--keys", type=int, default=200)
    given = parser.parse_args()
    from cli import setup
    from cli.deploy import package
    from cli.stack import local
    from cli.stack.emulator import Emulator, free_port

    setup.ensure("aws")
    with (
        tempfile.TemporaryDirectory() as home,
        Emulator(Path(home), free_port()) as emulator,
    ):
        facts, _ = local.set_up(emulator, package.build(local.STAGE))
        minute, seconds = _send(facts, given.number, given.keys)
        print(f"{given.number:,} held in {seconds:.0f} s, {given.number / seconds:,.0f} a second")
        _watch(emulator.endpoint_url, given.number, minute)


def _send(facts: Any, number: int, keys: int) -> tuple[datetime, float]:
    """Have so many events held that are due in one minute; gives when that begins, and the seconds it took."""
    sample = json.loads((ROOT / "templates" / "order.placed" / "sample.json").read_text("utf-8"))
    # What is sent at fifty a second at the least is held before it is due.
    minute = datetime.now(UTC) + timedelta(seconds=30 + number / 50)
    begun = time.monotonic()
    for first in range(0, number, BATCH):
        events = []
        for n in range(first, min(first + BATCH, number)):
            order = {**sample["data"]["order"], "id": f"K{n % keys}-{n // keys}"}
            at = minute + timedelta(seconds=60 * n / number)
            events.append(
                {
                    "type": "order.placed",
                    "id": f"held-{n}",
                    "recipient": f"c-{n % keys}",
                    "email": f"c{n % keys}@example.com",
                    "deliverat": at.isoformat(timespec="milliseconds"),
                    "data": {**sample["data"], "order": order},
                }
            )
        left = events
        while left:  # what the door has no time for is sent again, as every sender does
            answers = _post(facts, left)
            left = [e for e, a in zip(left, answers, strict=True) if a["status"] == "rejected"]
    return minute, time.monotonic() - begun


def _post(facts: Any, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    headers = {
        "Authorization": f"Bearer {facts['api_key']}",
        "Content-Type": "application/json",
    }
    url = f"{facts['api_url']}/events/batch"
    request = urllib.request.Request(url, json.dumps(events).encode(), headers)
    begun = time.monotonic()
    with urllib.request.urlopen(request, timeout=60) as answer:
        found: list[dict[str, Any]] = json.load(answer)
    refused = sum(one["status"] == "rejected" for one in found)
    print(
        f"  {len(events)} answered in {time.monotonic() - begun:.1f} s, {refused} again", flush=True
    )
    return found


def _watch(endpoint: str, number: int, minute: datetime) -> None:
    """Wait for all mails, and say whether each came once and in order."""
    from cli.stack.inbox import Persons

    mails = Persons(endpoint)
    seen: list[str] = []
    due = minute + timedelta(minutes=1)
    time.sleep((minute - datetime.now(UTC)).total_seconds())
    changed = time.monotonic()
    while len(seen) < number:
        new = [mail["subject"] for mail in mails.new()]
        if new or datetime.now(UTC) < due:
            changed = time.monotonic()
        seen += new
        since = (datetime.now(UTC) - minute).total_seconds()
        print(f"  {len(seen):,} after {since:.0f} s", flush=True)
        if time.monotonic() - changed > PATIENCE:
            break
        time.sleep(5)
    late = (datetime.now(UTC) - due).total_seconds()
    by_key: dict[str, list[int]] = defaultdict(list)
    for subject in seen:
        key, _, position = next(w for w in subject.split() if w.startswith("K")).partition("-")
        by_key[key].append(int(position.rstrip(".,:!")))
    ordered = sum(found == sorted(found) for found in by_key.values())
    once = sum(len(set(found)) == len(found) for found in by_key.values())
    print(f"{len(seen):,} of {number:,} went out, the last {late:.0f} s after its time")
    print(f"in order {ordered} of {len(by_key)} keys, each once {once} of {len(by_key)}")


if __name__ == "__main__":
    main()
