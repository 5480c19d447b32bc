"""An HTTP proxy in front of the local AWS that does what networks and services do on a bad day.

The n-th call of an operation always meets the same fault under the same seed. The proxy keeps the
record against which duplicates are judged: what SNS accepted, whether the worker got to know, and what
the ledger was told.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import re
import select
import signal
import socket
import struct
import threading
import urllib.parse
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MARKER = re.compile(r"K\d{3}-\d{6}")

READ, WRITE, PUBLISH = "BatchGetItem", "BatchWriteItem", "PublishBatch"
ANNOUNCE = "TransactWriteItems"
MAIL, SMS = "SendBulkEmail", "Publish"
DEAD, DELETE, HAND_BACK = "SendMessageBatch", "DeleteMessageBatch", "ChangeMessageVisibilityBatch"
RECEIVE, POLLER_DELETE = "ReceiveMessage", "PollerDelete"

# Per thousand calls. "after": AWS did it, and the worker does not learn of it.
_CALLS = {
    "throttled-400": 15,
    "throttled-429": 10,
    "500-before": 15,
    "500-after": 10,
    "502-not-aws": 5,
    "502-after": 5,
    "reset-before": 10,
    "reset-after": 10,
    "timeout-before": 2,
    "timeout-after": 2,
    "killed-before": 4,
    "killed-after": 4,
}
FAULTS: dict[str, dict[str, int]] = {
    READ: {**_CALLS, "partial": 40},
    WRITE: {**_CALLS, "partial": 40},
    ANNOUNCE: {**_CALLS},
    PUBLISH: {**_CALLS, "partial": 80, "partial-refused": 4, "killed-after": 8},
    MAIL: {**_CALLS, "partial": 80, "partial-refused": 4, "killed-after": 8},
    SMS: {**_CALLS, "killed-after": 8},
    DEAD: {**_CALLS, "partial": 150},
    DELETE: {**_CALLS, "partial": 80},
    HAND_BACK: {**_CALLS, "partial": 80},
    POLLER_DELETE: {"fails": 40},
}
_TIMEOUT = 8.0  # longer than any read timeout of Heraldo's


@dataclass
class Acceptance:
    """SNS, or SES, accepted a publication: (event's marker, topic or channel)."""

    publication: tuple[str, str]
    message_id: str
    worker: str
    invocation: int
    withheld: bool = False
    recorded: bool = False
    repeats_recorded: bool = False


@dataclass(frozen=True)
class Call:
    """One request: what it asks, who asks it, and in which invocation of that worker."""

    operation: str
    body: bytes
    worker: str
    pid: int
    invocation: int
    fault: str
    dice: random.Random


class Faults:
    """Which call meets which fault. Every fault comes up once early in a run, then by chance."""

    def __init__(self, seed: int) -> None:
        self._dice = {op: random.Random(f"{seed}/{op}") for op in FAULTS}
        self._opening: dict[str, list[str]] = {}
        for operation, chances in FAULTS.items():
            opening = [*chances, *["ok"] * 2 * len(chances)]
            self._dice[operation].shuffle(opening)
            self._opening[operation] = opening
        self.calm = False
        self.injected: Counter[str] = Counter()

    def next(self, operation: str) -> tuple[str, random.Random]:
        dice = self._dice.get(operation)
        if dice is None:
            return "ok", random.Random(0)
        opening, chances = self._opening[operation], FAULTS[operation]
        own = random.Random(dice.random())
        if opening:
            fault = opening.pop()
        else:
            others = 1000 - sum(chances.values())
            [fault] = own.choices([*chances, "ok"], weights=[*chances.values(), others])
        if self.calm:
            return "ok", own
        if fault != "ok":
            self.injected[fault.removesuffix("-before").removesuffix("-after")] += 1
        return fault, own


class Proxy:
    """Listens on `url` and forwards to the local AWS, with faults; a context manager."""

    def __init__(self, upstream: str, seed: int) -> None:
        self.upstream = urllib.parse.urlsplit(upstream).netloc
        self.faults = Faults(seed)
        self.lock = threading.Lock()
        self.accepted: list[Acceptance] = []
        self.write_failed: set[tuple[str, int]] = set()
        self.touched: dict[tuple[str, int], set[str]] = {}
        self.doubt: set[tuple[str, int]] = set()
        self.invocations: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.broken: list[str] = []
        self._by_message_id: dict[str, Acceptance] = {}
        handler = type("Handler", (_Handler,), {"proxy": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Proxy:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    # -- the record --------------------------------------------------------------------------------

    def call(self, operation: str, body: bytes, path: str) -> Call:
        """Note that a call has come, and draw its fault. Workers name themselves in the path of
        their endpoint: `/worker/<number>.<generation>.<pid>`."""
        _, who, name, *_ = path.split("/")
        number, generation, pid = name.split(".")
        if who == "poller" and operation == DELETE:
            operation = POLLER_DELETE
        worker = f"{number}.{generation}"
        with self.lock:
            self.calls[operation] += 1
            fault, dice = self.faults.next(operation)
            invocation = self.invocations[worker]
            if operation in (WRITE, ANNOUNCE) and fault not in ("ok", "partial"):
                self.write_failed.add((worker, invocation))
            if operation in (PUBLISH, MAIL, SMS) and fault not in (
                *("ok", "partial", "partial-refused"),
            ):
                self.doubt.add((worker, invocation))
        return Call(operation, body, worker, int(pid), invocation, fault, dice)

    def answered(self, call: Call, body: bytes, sent: bytes) -> None:
        """Note what AWS did; `sent` is the request as it was forwarded."""
        with self.lock:
            if call.operation == RECEIVE and b"ReceiptHandle" in body:
                self.invocations[call.worker] += 1
                markers = set(MARKER.findall(body.decode()))
                self.touched[call.worker, self.invocations[call.worker]] = markers
            elif call.operation == PUBLISH:
                self._accept_published(call, body, sent)
            elif call.operation == MAIL:
                entries = json.loads(sent)["BulkEmailEntries"]
                results = json.loads(body)["BulkEmailEntryResults"]
                for entry, result in zip(entries, results, strict=True):
                    self._accept(call, json.dumps(entry), "email", result["MessageId"])
            elif call.operation == SMS:
                form = dict(urllib.parse.parse_qsl(sent.decode()))
                [message_id] = re.findall(r"<MessageId>([^<]+)<", body.decode())
                self._accept(call, form["Message"], "sms", message_id)
            elif call.operation == WRITE:
                left = json.dumps(json.loads(body).get("UnprocessedItems") or {})
                puts = next(iter(json.loads(sent)["RequestItems"].values()))
                items = [put["PutRequest"]["Item"] for put in puts]
                self._record([item for item in items if item["id"]["S"] not in left])
            elif call.operation == ANNOUNCE:
                writes = json.loads(sent)["TransactItems"]
                self._record([write["Put"]["Item"] for write in writes if "Put" in write])

    def _accept_published(self, call: Call, body: bytes, sent: bytes) -> None:
        form = dict(urllib.parse.parse_qsl(sent.decode()))
        topic = form["TopicArn"].rsplit("-", 1)[1]
        messages = {form[f"{prefix}.Id"]: form[f"{prefix}.Message"] for prefix in _prefixes(form)}
        done = re.findall(r"<Id>([^<]+)</Id>\s*<MessageId>([^<]+)<", body.decode())
        for entry, message_id in done:
            self._accept(call, messages[entry], topic, message_id)

    def _accept(self, call: Call, text: str, where: str, message_id: str) -> None:
        marker = MARKER.search(text)
        assert marker, text
        withheld = call.fault.endswith("-after")
        acceptance = Acceptance(
            (marker[0], where), message_id, call.worker, call.invocation, withheld
        )
        same = [a for a in self.accepted if a.publication == acceptance.publication]
        acceptance.repeats_recorded = any(a.recorded for a in same)
        self.accepted.append(acceptance)
        self._by_message_id[message_id] = acceptance

    def _record(self, items: list[Any]) -> None:
        for item in items:
            if "sent" in item:
                for message_id in json.loads(item["sent"]["S"]).values():
                    if acceptance := self._by_message_id.get(message_id):
                        acceptance.recorded = True


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A worker that was killed leaves a broken line behind; that is what we are here for."""


class _Handler(BaseHTTPRequestHandler):
    proxy: Proxy
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.aws = http.client.HTTPConnection(self.proxy.upstream, timeout=30)

    def finish(self) -> None:
        self.aws.close()
        super().finish()

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        if len(body) < length:  # its sender was killed between the headers and the body
            self.close_connection = True
            return
        target = self.headers.get("X-Amz-Target")
        if target:
            operation = target.rsplit(".", 1)[1]
        elif self.path.endswith("/outbound-bulk-emails"):
            operation = MAIL
        else:
            operation = dict(urllib.parse.parse_qsl(body.decode())).get("Action", "")
        call = self.proxy.call(operation, body, self.path)
        kind, _, when = call.fault.partition("-")
        if when == "after":
            self._forward(call, body)
            self._break(call, kind)
        elif kind == "partial":
            self._partial(call, "true" if when == "refused" else "false")
        elif kind == "ok":
            self._send(*self._forward(call, body))
        else:
            self._break(call, kind)

    def _forward(self, call: Call, body: bytes) -> tuple[int, str, bytes]:
        headers = {
            k: v
            for k, v in self.headers.items()
            if k.lower() not in ("host", "content-length", "connection", "accept-encoding")
        }
        path = "/" + self.path.split("/", 3)[-1] if self.path.count("/") > 2 else "/"
        self.aws.request("POST", path, body, headers)
        answer = self.aws.getresponse()
        content = answer.read()
        if answer.status == 200:
            self.proxy.answered(call, content, body)
        else:
            self.proxy.broken.append(f"{call.operation}: {answer.status} {content[:300]!r}")
        return answer.status, answer.headers.get("Content-Type", ""), content

    def _send(self, status: int, content_type: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(content)

    # -- what goes wrong -----------------------------------------------------------------------------

    def _break(self, call: Call, kind: str) -> None:
        match kind:
            case "throttled":
                status = int(call.fault[-3:])
                self._refuse(call, status, "ThrottlingException")
            case "500" | "fails":
                self._refuse(call, 500, "InternalError")
            case "502":
                self._send(502, "text/plain", b"upstream connect error")
            case "reset":
                self._reset()
            case "timeout":
                # The worker gives up first, or is gone; either way the line becomes readable.
                select.select([self.connection], [], [], _TIMEOUT)
                self._reset()
            case "killed":
                with contextlib.suppress(ProcessLookupError):
                    os.kill(call.pid, signal.SIGKILL)
                self._reset()
            case _:
                raise AssertionError(call.fault)

    def _refuse(self, call: Call, status: int, code: str) -> None:
        if call.operation in (PUBLISH, SMS):
            text = f"<ErrorResponse><Error><Code>{code}</Code></Error></ErrorResponse>"
        else:
            text = json.dumps({"__type": code, "message": "refused by the proxy"})
        is_xml = call.operation in (PUBLISH, SMS)
        self._send(status, "text/xml" if is_xml else _JSON, text.encode())

    def _reset(self) -> None:
        self.close_connection = True
        linger = struct.pack("ii", 1, 0)  # close() sends RST
        with contextlib.suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            os.close(self.connection.detach())

    def _partial(self, call: Call, sender_fault: str) -> None:
        """Forward only some of the entries, and say of the others that they failed."""
        if call.operation == PUBLISH:
            self._partial_publish(call, sender_fault)
            return
        request = json.loads(call.body)
        if call.operation == READ:
            answer = self._partial_read(call, request)
        elif call.operation == MAIL:
            answer = self._partial_mail(call, request, sender_fault)
        elif call.operation == WRITE:
            [(table, entries)] = request["RequestItems"].items()
            kept, held = _split(entries, call.dice)
            answer = {}
            if kept:
                sent = json.dumps({"RequestItems": {table: kept}}).encode()
                answer = json.loads(self._forward(call, sent)[2])
            answer["UnprocessedItems"] = {table: held} if held else {}
        else:
            kept, held = _split(request["Entries"], call.dice)
            answer = {"Successful": []}
            if kept:
                sent = json.dumps({**request, "Entries": kept}).encode()
                answer = json.loads(self._forward(call, sent)[2])
            failed = [{"Id": e["Id"], "Code": "InternalError", "SenderFault": False} for e in held]
            answer["Failed"] = [*answer.get("Failed", []), *failed]
        self._send(200, _JSON, json.dumps(answer).encode())

    def _partial_read(self, call: Call, request: Any) -> Any:
        """Of several tables, leave some keys of each over."""
        tables = request["RequestItems"]
        left: dict[str, Any] = {}
        for table, of in tables.items():
            kept, held = _split(of["Keys"], call.dice)
            if held:
                left[table] = {**of, "Keys": held}
            tables[table] = {**of, "Keys": kept}
        asked = {table: of for table, of in tables.items() if of["Keys"]}
        answer: Any = {"Responses": {table: [] for table in tables}}
        if asked:
            sent = json.dumps({"RequestItems": asked}).encode()
            answer["Responses"] |= json.loads(self._forward(call, sent)[2])["Responses"]
        answer["UnprocessedKeys"] = left
        return answer

    def _partial_mail(self, call: Call, request: Any, sender_fault: str) -> Any:
        """Some entries get through, and the others their status in their place."""
        entries = request["BulkEmailEntries"]
        kept, _ = _split(list(range(len(entries))), call.dice)
        status = "MESSAGE_REJECTED" if sender_fault == "true" else "TRANSIENT_FAILURE"
        results: list[Any] = [{"Status": status, "Error": "no"} for _ in entries]
        if kept:
            sent = json.dumps({**request, "BulkEmailEntries": [entries[n] for n in kept]}).encode()
            done = json.loads(self._forward(call, sent)[2])["BulkEmailEntryResults"]
            for number, result in zip(kept, done, strict=True):
                results[number] = result
        return {"BulkEmailEntryResults": results}

    def _partial_publish(self, call: Call, sender_fault: str) -> None:
        pairs = urllib.parse.parse_qsl(call.body.decode())
        form = dict(pairs)
        kept, held = _split(list(_prefixes(form)), call.dice)
        failed = "".join(
            f"<member><Id>{form[f'{prefix}.Id']}</Id><Code>InternalError</Code>"
            f"<SenderFault>{sender_fault}</SenderFault></member>"
            for prefix in held
        )
        text = "<Successful></Successful><Failed></Failed>"
        text = f"<PublishBatchResponse><PublishBatchResult>{text}</PublishBatchResult></PublishBatchResponse>"
        if kept:
            new = {old: f"{_ENTRY}.{number}" for number, old in enumerate(kept, 1)}
            sent = []
            for key, value in pairs:
                prefix = ".".join(key.split(".")[:3])
                if not key.startswith(_ENTRY):
                    sent.append((key, value))
                elif prefix in new:
                    sent.append((new[prefix] + key[len(prefix) :], value))
            text = self._forward(call, urllib.parse.urlencode(sent).encode())[2].decode()
        assert "</Failed>" in text, text
        self._send(200, "text/xml", text.replace("</Failed>", f"{failed}</Failed>").encode())


_JSON = "application/x-amz-json-1.0"
_ENTRY = "PublishBatchRequestEntries.member"


def _prefixes(form: dict[str, str]) -> Iterator[str]:
    number = 1
    while f"{_ENTRY}.{number}.Id" in form:
        yield f"{_ENTRY}.{number}"
        number += 1


def _split(entries: list[Any], dice: random.Random) -> tuple[list[Any], list[Any]]:
    """Those that go through, and at least one that does not."""
    held = set(dice.sample(range(len(entries)), dice.randint(1, len(entries))))
    kept = [entry for number, entry in enumerate(entries) if number not in held]
    return kept, [entries[number] for number in sorted(held)]
