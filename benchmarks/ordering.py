"""How a lane's throughput grows with the number of ordering keys, on the local stack.

    python -m benchmarks.ordering

FIFO hands one message group to one worker at a time. With the constant group id of the common example
a lane has one worker that publishes one message after the other, however many workers there are; with
a key per customer a batch holds many keys, which are published together, and batches run in parallel.

The queue is the local AWS's; SNS and DynamoDB are an endpoint where each call takes 5 ms. The
emulator would give a FIFO queue one worker, so the workers are driven here: each receives up to ten
messages, runs the packaged handler on them and deletes them, as Lambda's event source does.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import environment

KEYS: Final = (1, 2, 5, 10, 50)
WORKERS: Final = 5
SECONDS: Final = 4.0
MESSAGES: Final = 4_000
DELAY: Final = 0.005
IDLE: Final = 0.05  # often enough to find work, and seldom enough not to keep the emulator busy
LANE: Final = "heraldo-local-orders.fifo"
ATTRIBUTES: Final = {
    "FifoQueue": "true",
    "ContentBasedDeduplication": "true",
    "DeduplicationScope": "messageGroup",
    "FifoThroughputLimit": "perMessageGroupId",
    "VisibilityTimeout": "180",
}


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    environment.enter()
    print(f"{WORKERS} workers, {DELAY * 1000:.0f} ms a call, {SECONDS:.0f} s each", flush=True)
    print(
        f"\n{'ordering keys':>14} {'per s':>7} {'times':>7} {'batches at once':>16} {'messages each':>14}"
    )
    alone = 0.0
    for keys, rate, busy, size in measured():
        alone = alone or rate
        what = "1 (constant)" if keys == 1 else str(keys)
        print(f"{what:>14} {rate:7.0f} {rate / alone:6.1f}x {busy:16.1f} {size:14.1f}", flush=True)


def measured() -> Iterator[tuple[int, float, float, float]]:
    """For each number of keys, messages per second, batches in hand at a time, and messages in each."""
    from benchmarks import contenders
    from benchmarks.noop_aws import NoopAws
    from cli import setup
    from cli.stack.emulator import Emulator, free_port

    setup.ensure("aws")
    with (
        tempfile.TemporaryDirectory() as home,
        Emulator(Path(home), free_port()) as emulator,
        NoopAws() as aws,
    ):
        aws.delay(DELAY)
        sqs = emulator.client("sqs")
        variables = {
            **contenders.environment_variables(aws.url),
            "AWS_ENDPOINT_URL_SQS": emulator.endpoint_url,
        }
        workers = [
            subprocess.Popen(
                [sys.executable, "-m", "benchmarks.ordering", "worker"],
                cwd=contenders.ROOT,
                env=variables,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(WORKERS)
        ]
        for keys in KEYS:
            url = sqs.create_queue(QueueName=LANE, Attributes=ATTRIBUTES)["QueueUrl"]
            fill(sqs, url, keys)
            yield keys, *drain(workers, url)
            sqs.delete_queue(QueueUrl=url)
        for worker in workers:
            worker.communicate("")


def fill(sqs: Any, url: str, keys: int) -> None:
    """Queue more than the workers can deal with, the keys by turns."""
    from benchmarks.worker import shipped

    for start in range(0, MESSAGES, 10):
        entries = [
            {
                "Id": str(number),
                "MessageBody": json.dumps(shipped(number), ensure_ascii=False),
                "MessageGroupId": f"key-{number % keys}",
                "MessageDeduplicationId": f"{keys}-{number}",
            }
            for number in range(start, start + 10)
        ]
        sqs.send_message_batch(QueueUrl=url, Entries=entries)


def drain(workers: list[subprocess.Popen[str]], url: str) -> tuple[float, float, float]:
    """Messages handled per second; on average, batches in hand at a time and messages in each."""
    for worker in workers:
        assert worker.stdin is not None
        print(url, file=worker.stdin, flush=True)
    handled = busy = longest = batches = 0.0
    for worker in workers:
        assert worker.stdout is not None
        line = worker.stdout.readline()
        if not line:
            raise SystemExit("a worker died; what it said stands above")
        found = json.loads(line)
        handled += found["handled"]
        busy += found["busy"]
        batches += found["batches"]
        longest = max(longest, found["seconds"])
    return handled / longest, busy / longest, handled / max(1, batches)


def work() -> None:
    """One worker: for every queue URL on stdin, drain it for a while."""
    from benchmarks import contenders
    from chalicelib import aws

    handler, context = contenders.heraldo("topic"), contenders.Context()
    sqs = aws.stage().sqs
    for line in sys.stdin:
        url = line.strip()
        handled, batches, busy = 0, 0, 0.0
        start = time.perf_counter()
        finish = start
        while time.perf_counter() - start < SECONDS:
            got = sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=10,
                AttributeNames=["All"],
                WaitTimeSeconds=0,
            ).get("Messages", [])
            if not got:  # every key is in another worker's hands, or nothing is left
                time.sleep(IDLE)
                continue
            began = time.perf_counter()
            records = [record_of(message) for message in got]
            with Path(os.devnull).open("w") as log, contextlib.redirect_stderr(log):
                handler({"Records": records}, context)
            busy += time.perf_counter() - began
            entries: Any = [
                {"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]}
                for n, message in enumerate(got)
            ]
            sqs.delete_message_batch(QueueUrl=url, Entries=entries)
            handled += len(got)
            batches += 1
            finish = time.perf_counter()
        seconds = finish - start  # up to the last message: the queue may be empty before time is up
        found = {"handled": handled, "batches": batches, "busy": busy, "seconds": seconds}
        print(json.dumps(found), flush=True)


def record_of(message: Any) -> dict[str, Any]:
    """A received message as Lambda's event source passes it on."""
    from tests.factories import ACCOUNT, REGION

    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{LANE}",
        "awsRegion": REGION,
    }


if __name__ == "__main__":
    work() if sys.argv[1:] == ["worker"] else main()
