"""An AWS that says yes to everything at once, in a process of its own, and counts its calls.

Answers are well formed (botocore parses them as it would AWS's) and cost next to nothing to make, so
that what is measured is the caller. `delay` is what a call takes in a region.
"""

from __future__ import annotations

import json
import re
import socketserver
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar, Final, Self
from urllib.parse import parse_qs

from benchmarks.contenders import email_of, phone_of

_ENTRY_ID: Final = re.compile(r"\.member\.\d+\.Id=([^&]*)")
_ACTION: Final = re.compile(r"(?:^|&)Action=([A-Za-z]+)")
_MESSAGE_ID: Final = "94f6ae6f-9c2c-5ab5-8d6e-f2f0ffd16a8e"


class Handler(socketserver.StreamRequestHandler):
    """One keep-alive connection."""

    disable_nagle_algorithm = True
    wbufsize = -1
    delay: ClassVar[float] = 0.0
    counts: ClassVar[Counter[str]] = Counter()
    lock: ClassVar[threading.Lock] = threading.Lock()

    def handle(self) -> None:
        while line := self.rfile.readline():
            headers: dict[bytes, bytes] = {}
            while (header := self.rfile.readline().rstrip()) != b"":
                name, _, value = header.partition(b":")
                headers[name.lower()] = value.strip()
            if headers.get(b"expect"):  # botocore sends one with large bodies
                self._send(b"HTTP/1.1 100 Continue\r\n\r\n")
            body = self.rfile.read(int(headers.get(b"content-length", b"0")))
            path = line.split()[1].decode()
            if path.startswith("/_noop/"):
                self._answer(json.dumps(self._control(path)).encode(), b"application/json")
                continue
            target = headers.get(b"x-amz-target", b"").decode()
            if target:
                action = target.rpartition(".")[2]
                answer = json.dumps(answer_json(action, body)).encode()
                kind = b"application/x-amz-json-1.0"
            elif path.startswith("/v2/email/"):
                action, answer = answer_ses(path, body)
                kind = b"application/json"
            else:
                text = body.decode()
                found = _ACTION.search(text)
                action = found[1] if found else "Unknown"
                answer, kind = answer_xml(action, text).encode(), b"text/xml"
            with self.lock:
                self.counts[action] += 1
            if self.delay:
                time.sleep(self.delay)
            self._answer(answer, kind)

    def _control(self, path: str) -> Any:
        """`/_noop/delay?seconds=0.005`, `/_noop/counts` (which starts again from nothing)."""
        if path.startswith("/_noop/delay"):
            type(self).delay = float(parse_qs(path.partition("?")[2])["seconds"][0])
            return {}
        with self.lock:
            counts = dict(self.counts)
            self.counts.clear()
        return counts

    def _answer(self, body: bytes, kind: bytes) -> None:
        self._send(
            b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n"
            b"x-amzn-RequestId: 6c4b1f0e-0f0c-5b4e-9d7e-43e3b6a1b9c1\r\n\r\n%s"
            % (kind, len(body), body)
        )

    def _send(self, data: bytes) -> None:
        self.wfile.write(data)
        self.wfile.flush()


def answer_json(action: str, body: bytes) -> dict[str, Any]:
    """DynamoDB and SQS: no event was there before, everybody is known, and everything was taken."""
    if action == "BatchGetItem":
        tables = json.loads(body)["RequestItems"]
        found = {table: people(of["Keys"]) for table, of in tables.items()}
        return {"Responses": found, "UnprocessedKeys": {}}
    if action == "BatchWriteItem":
        return {"UnprocessedItems": {}}
    if action == "GetQueueUrl":
        return {"QueueUrl": f"https://sqs.example/123456789012/{json.loads(body)['QueueName']}"}
    if action in ("DeleteMessageBatch", "ChangeMessageVisibilityBatch", "SendMessageBatch"):
        entries = json.loads(body)["Entries"]
        done = [{"Id": entry["Id"], "MessageId": _MESSAGE_ID} for entry in entries]
        return {"Successful": done, "Failed": []}
    return {}


def people(keys: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Whoever is asked for, each with an address and a number."""
    found = []
    for key in keys:
        kind, _, recipient = key["id"]["S"].partition(":")
        if kind == "person":
            contacts = {"email": {"S": email_of(recipient)}, "phone": {"S": phone_of(recipient)}}
            found.append({**key, **contacts, "version": {"N": "1"}})
    return found


def answer_ses(path: str, body: bytes) -> tuple[str, bytes]:
    """SES: the action, and a message id for each mail."""
    if not path.endswith("outbound-bulk-emails"):
        return "SendEmail", json.dumps({"MessageId": _MESSAGE_ID}).encode()
    each = {"Status": "SUCCESS", "MessageId": _MESSAGE_ID}
    results = [each] * len(json.loads(body)["BulkEmailEntries"])
    return "SendBulkEmail", json.dumps({"BulkEmailEntryResults": results}).encode()


def answer_xml(action: str, body: str) -> str:
    """SNS: a message id for each."""
    if action == "PublishBatch":
        members = "".join(
            f"<member><Id>{found}</Id><MessageId>{_MESSAGE_ID}</MessageId></member>"
            for found in _ENTRY_ID.findall(body)
        )
        result = f"<Successful>{members}</Successful><Failed/>"
    else:
        result = f"<MessageId>{_MESSAGE_ID}</MessageId>"
    return (
        f'<{action}Response xmlns="http://sns.amazonaws.com/doc/2010-03-31/">'
        f"<{action}Result>{result}</{action}Result>"
        "<ResponseMetadata><RequestId>6c4b1f0e</RequestId></ResponseMetadata>"
        f"</{action}Response>"
    )


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


class NoopAws:
    """The endpoint in a process of its own; a context manager that stops it."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.noop_aws"],
            cwd=Path(__file__).resolve().parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate("")

    def delay(self, seconds: float) -> None:
        """How long every call takes from now on."""
        self._ask(f"delay?seconds={seconds}")

    def counts(self) -> Counter[str]:
        """Calls by action since this was last asked."""
        return Counter(self._ask("counts"))

    def _ask(self, what: str) -> Any:
        with urllib.request.urlopen(f"{self.url}/_noop/{what}") as answer:
            return json.load(answer)


def main() -> None:
    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(server.server_address[1], flush=True)
        sys.stdin.read()  # until the parent closes it, or is gone
        server.shutdown()


if __name__ == "__main__":
    main()
