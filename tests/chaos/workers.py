"""Lambda's part in the chaos: worker processes that hand a lane's batches to the packaged handler.

Run with the packaged code's folder as its argument. One process imports the code once and forks the
workers, as a killed one is replaced at once; each receives from the lane's queue, calls `app.orders`
with the raw SQS event, and deletes the batch where the handler did not raise. An invocation that takes
too long is ended by SIGALRM, which nothing survives, as Lambda's time-out. Ends when its input does.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
import traceback
from typing import Any

INVOCATION = 7.0


def main() -> None:
    sys.path.insert(0, sys.argv[1])
    count, queue_url, arn = int(sys.argv[2]), sys.argv[3], sys.argv[4]
    import app
    from chalicelib import aws
    from chalicelib.rules import reading
    from chalicelib.words import render

    for service in ("sns", "sqs", "dynamodb"):
        aws.client(service)
    reading.routing(aws.stage().name)
    render.templates()
    parent, endpoint_url = os.getpid(), os.environ["AWS_ENDPOINT_URL"]
    numbers: dict[int, tuple[int, int]] = {}

    def fork(number: int, generation: int) -> None:
        pid = os.fork()
        if pid == 0:
            try:
                aws.client.cache_clear()
                aws.stage.cache_clear()
                name = f"{number}.{generation}.{os.getpid()}"
                poller = connect(aws, f"{endpoint_url}/poller/{name}")
                os.environ["AWS_ENDPOINT_URL"] = f"{endpoint_url}/worker/{name}"
                work(app, poller, queue_url, arn, parent)
            except Exception:
                traceback.print_exc()
            finally:
                os._exit(1)
        numbers[pid] = (number, generation)
        say(born=f"{number}.{generation}", pid=pid)

    ending = threading.Event()

    def wait_for_the_end() -> None:
        sys.stdin.read()
        ending.set()
        for pid in list(numbers):
            os.kill(pid, signal.SIGKILL)

    for number in range(count):
        fork(number, 0)
    threading.Thread(target=wait_for_the_end, daemon=True).start()
    while numbers:
        pid, status = os.wait()
        number, generation = numbers.pop(pid)
        say(died=f"{number}.{generation}", signal=os.WTERMSIG(status))
        if not ending.is_set():
            fork(number, generation + 1)


def connect(aws: Any, endpoint_url: str) -> Any:
    from botocore.config import Config

    config = Config(retries={"max_attempts": 0})
    return aws._session().create_client("sqs", endpoint_url=endpoint_url, config=config)


def work(app: Any, poller: Any, queue_url: str, arn: str, parent: int) -> None:
    while os.getppid() == parent:
        got = poller.receive_message(
            QueueUrl=queue_url,
            MaxNumberOfMessages=10,
            WaitTimeSeconds=1,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        ).get("Messages", [])
        if not got:
            continue
        signal.setitimer(signal.ITIMER_REAL, INVOCATION)
        try:
            app.orders({"Records": [record(m, arn) for m in got]}, Context())
        except Exception as error:
            if type(error).__name__ not in ("Redeliver", "TransientError"):
                say(unexpected=f"{type(error).__name__}: {error}")
        else:
            delete(poller, queue_url, got)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)


def delete(poller: Any, queue_url: str, got: list[Any]) -> None:
    from botocore.exceptions import ClientError

    entries = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(got)]
    with contextlib.suppress(ClientError):  # then they come again, and the ledger knows them
        poller.delete_message_batch(QueueUrl=queue_url, Entries=entries)


def record(message: Any, arn: str) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {
            name: {"stringValue": value["StringValue"], "dataType": value["DataType"]}
            for name, value in message.get("MessageAttributes", {}).items()
        },
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": arn.split(":")[3],
    }


class Context:
    """Lambda's context, as far as handlers use it."""

    aws_request_id = "chaos"

    def __init__(self) -> None:
        self.deadline = time.monotonic() + INVOCATION

    def get_remaining_time_in_millis(self) -> int:
        return int((self.deadline - time.monotonic()) * 1000)


def say(**facts: Any) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
