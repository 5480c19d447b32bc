"""A tiny AWS in memory that answers on the wire, below botocore: one FIFO lane, its dead-letter queue, two
topics, mails, text messages and pushes to people, and the ledger, on a clock of its own, with a plan of
what goes wrong at which call.

Nothing of Heraldo's is replaced: requests are serialized, retried and parsed by botocore as ever.
"""

from __future__ import annotations

import io
import itertools
import json
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

from tests.factories import ACCOUNT, REGION

LANE = "orders"
QUEUE = f"heraldo-local-{LANE}.fifo"
LEDGER, PEOPLE = "heraldo-local-ledger", "heraldo-local-people"
HOLDS = "heraldo-local-holds"
# Everybody whom events are for can be reached in both ways, unless `Cloud.contacts` says otherwise.
EMAIL, NUMBER = "r@example.com", "+34600111222"
CONTACTS: Mapping[str, str] = {"email": EMAIL, "phone": NUMBER}
ENDPOINT = f"arn:aws:sns:{REGION}:{ACCOUNT}:endpoint/GCM/shop/"
VISIBILITY = 180.0
MAX_RECEIVES = 1000
INVOCATION = 30.0
LATENCY = 0.02

READ = "BatchGetItem"
PUBLISH = "PublishBatch"
MAIL = "SendBulkEmail"
SMS = "Publish"  # and pushes
FORGET = "UpdateItem"
WRITE = "BatchWriteItem"
ANNOUNCE = "TransactWriteItems"
DEAD = "SendMessageBatch"
DELETE = "DeleteMessageBatch"
HAND_BACK = "ChangeMessageVisibilityBatch"
# What the event source mapping does after an invocation that did not raise.
POLLER_DELETE = "PollerDelete"

_READ_TIMEOUT = {
    READ: 2.0,
    WRITE: 2.0,
    ANNOUNCE: 2.0,
    PUBLISH: 5.0,
    MAIL: 10.0,
    SMS: 5.0,
    FORGET: 2.0,
    DEAD: 3.0,
    DELETE: 3.0,
    HAND_BACK: 3.0,
}

# What can happen to a call. "after": AWS did it, and the worker does not learn of it.
WHOLE_CALL = (
    "throttled-400",
    "throttled-429",
    "500-before",
    "500-after",
    "502-not-aws",
    "reset-before",
    "reset-after",
    "timeout-before",
    "timeout-after",
    "no-connection",
    "garbled-after",
    "slow",
    "killed-before",
    "killed-after",
)
PARTIAL = ("partial",)
PARTIAL_PUBLISH = ("partial", "partial-throttled", "partial-refused", "partial-silent")
FAULTS: Mapping[str, tuple[str, ...]] = {
    READ: (*WHOLE_CALL, *PARTIAL),
    PUBLISH: (*WHOLE_CALL, *PARTIAL_PUBLISH),
    MAIL: (*WHOLE_CALL, *PARTIAL_PUBLISH),
    SMS: WHOLE_CALL,
    FORGET: WHOLE_CALL,
    WRITE: (*WHOLE_CALL, *PARTIAL),
    ANNOUNCE: (*WHOLE_CALL, *PARTIAL),
    DEAD: (*WHOLE_CALL, *PARTIAL),
    DELETE: (*WHOLE_CALL, *PARTIAL),
    HAND_BACK: (*WHOLE_CALL, *PARTIAL),
    POLLER_DELETE: ("fails", "partial"),
}


class _Refused(Exception):
    """A write of which a condition does not hold."""


class _Gone(Exception):
    """An endpoint whose app was removed."""


class Killed(BaseException):
    """The worker is gone: nothing that runs in it afterwards reaches AWS."""


@dataclass(frozen=True)
class Fault:
    """`mask` chooses the entries of a partial failure, bit by bit; `seconds` how slow is slow. One that
    is `refused` is so with this `code` and `status`."""

    name: str = "ok"
    mask: int = 0
    seconds: float = 0.0
    code: str = ""
    status: int = 0

    def hits(self, position: int) -> bool:
        return bool(self.mask >> position & 1)


@dataclass
class Clock:
    """Stands where `time` stands; nobody waits."""

    now: float = 1_800_000_000.0
    advanced: Callable[[], None] = lambda: None

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.advanced()


@dataclass
class Message:
    id: str
    body: str
    group: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    sent_at: float = 0.0
    receives: int = 0
    visible_at: float = 0.0
    receipt: str = ""


@dataclass
class Invocation:
    """What befell one invocation that may excuse a duplicate."""

    killed: bool = False
    write_failed: bool = False


@dataclass
class Acceptance:
    """SNS said yes, to itself at least."""

    text: str
    topic: str
    locale: str
    message_id: str
    invocation: Invocation
    withheld: bool = False
    recorded: bool = False
    repeats_recorded: bool = False

    @property
    def publication(self) -> tuple[str, str, str]:
        return (self.text, self.topic, self.locale)


class Cloud:
    """The lane's AWS. `faults` are used up call by call; without one, a call just works."""

    def __init__(self, faults: Mapping[str, list[Fault]]) -> None:
        self.clock = Clock(advanced=self._check_deadline)
        self.queue: list[Message] = []
        self.dead: list[Message] = []
        self.ledger: dict[tuple[str, str], dict[str, Any]] = {}
        self.accepted: list[Acceptance] = []
        # What is kept of every person, as the attributes of their item; endpoints that are gone.
        self.contacts: dict[str, str] = dict(CONTACTS)
        self.gone: set[str] = set()
        self.calls: list[str] = []
        self.violations: list[str] = []
        self.doubtful: set[str] = set()
        self.refused: set[str] = set()
        # Texts that no worker survives publishing.
        self.killers: set[str] = set()
        # Called once, before AWS sees a call of that operation.
        self.meanwhile: dict[str, Callable[[], None]] = {}
        # Until when an operation is down, and how.
        self.down: dict[str, tuple[float, Fault]] = {}
        self.invocation = Invocation()
        self.invocations: list[Invocation] = []
        self._faults = {operation: iter(list(plan)) for operation, plan in faults.items()}
        self._deadline = float("inf")
        self._dead_seen: set[str] = set()
        self._numbers = itertools.count(1)

    # -- the lane's queue and its poller -----------------------------------------------------------

    def send(self, body: str, group: str) -> str:
        message = Message(f"m-{next(self._numbers)}", body, group, sent_at=self.clock.now)
        self.queue.append(message)
        return message.id

    def receive(self, most: int) -> list[dict[str, Any]]:
        """What Lambda would be handed next; waits for it. Nothing once the queue is empty."""
        while not (batch := self._visible(most)) and self.queue:
            self.clock.now = min(m.visible_at for m in self.queue if m.visible_at > self.clock.now)
        for message in batch:
            message.receives += 1
            message.visible_at = self.clock.now + VISIBILITY
            message.receipt = f"r-{next(self._numbers)}"
        return [_record(message) for message in batch]

    def _visible(self, most: int) -> list[Message]:
        now = self.clock.now
        for message in [m for m in self.queue if m.receives >= MAX_RECEIVES]:
            if message.visible_at <= now:
                self.queue.remove(message)
                self.dead.append(message)
        in_flight = {m.group for m in self.queue if m.visible_at > now}
        return [m for m in self.queue if m.group not in in_flight][:most]

    def start(self) -> Callable[[], int]:
        """Begin an invocation; returns its `get_remaining_time_in_millis`."""
        self.invocation = Invocation()
        self.invocations.append(self.invocation)
        self._deadline = self.clock.now + INVOCATION
        return lambda: int((self._deadline - self.clock.now) * 1000)

    def finish(self, records: list[dict[str, Any]], raised: bool) -> None:
        self._deadline = float("inf")
        if raised:
            return
        fault = self._next(POLLER_DELETE)
        for position, record in enumerate(records):
            if fault.name == "ok" or (fault.name == "partial" and not fault.hits(position)):
                self._delete(record["receiptHandle"])

    def _check_deadline(self) -> None:
        if self.clock.now >= self._deadline:
            self._kill()

    def _kill(self) -> None:
        self.invocation.killed = True
        raise Killed

    # -- the wire ----------------------------------------------------------------------------------

    def answer(self, request: Any, event_name: str) -> AWSResponse:
        """botocore's `before-send`."""
        operation = event_name.rsplit(".", 1)[1]
        if self.invocation.killed:  # whatever unwinds in a dead worker sends nothing
            raise Killed
        self.calls.append(operation)
        if operation in self.meanwhile:
            self.meanwhile.pop(operation)()
        fault = self._next(operation)
        if operation in (WRITE, ANNOUNCE) and fault.name != "ok":
            # What was left over is written again, if there is the time for it.
            late = self._deadline - self.clock.now < 5
            self.invocation.write_failed |= fault.name != "partial" or late
        if fault.name == "killed-before":
            self._kill()
        self.clock.sleep(fault.seconds if fault.name == "slow" else LATENCY)
        raw = request.body if isinstance(request.body, str) else request.body.decode()
        if operation in (PUBLISH, MAIL, SMS) and fault.name in _DOUBT:
            self.doubtful |= set(_told(operation, raw))
        if fault.name in _NOT_DONE or fault.name == "refused":
            return self._refuse(operation, fault, request.url)
        try:
            answer = self._do(operation, raw, fault)
        except _Refused as refused:
            error = {
                "__type": "TransactionCanceledException",
                "CancellationReasons": refused.args[0],
            }
            return wire_response(request.url, 400, json.dumps(error))
        except _Gone:
            return _error(operation, request.url, 400, "EndpointDisabled")
        if fault.name.endswith("-after"):
            if fault.name == "killed-after":
                self._kill()
            if fault.name == "garbled-after":
                return wire_response(request.url, 200, answer[: len(answer) // 2])
            return self._refuse(operation, fault, request.url)
        return wire_response(request.url, 200, answer)

    def _next(self, operation: str) -> Fault:
        until, fault = self.down.get(operation, (0.0, Fault()))
        if self.clock.now < until:
            return fault
        return next(self._faults.get(operation, iter(())), Fault())

    def _refuse(self, operation: str, fault: Fault, url: str) -> AWSResponse:
        match fault.name.removesuffix("-before").removesuffix("-after"):
            case "refused":
                return _error(operation, url, fault.status, fault.code)
            case "throttled-400":
                return _error(operation, url, 400, "ThrottlingException")
            case "throttled-429":
                return _error(operation, url, 429, "TooManyRequestsException")
            case "500":
                return _error(operation, url, 500, "InternalError")
            case "502-not-aws":
                return wire_response(url, 502, "upstream connect error")
            case "reset":
                raise ConnectionClosedError(endpoint_url=url)
            case "timeout":
                self.clock.sleep(_READ_TIMEOUT[operation])
                raise ReadTimeoutError(endpoint_url=url)
            case "no-connection":
                raise EndpointConnectionError(endpoint_url=url)
        raise AssertionError(fault)

    # -- what the services do ----------------------------------------------------------------------

    def _do(self, operation: str, raw: str, fault: Fault) -> str:
        if operation == PUBLISH:
            return self._publish(raw, fault)
        if operation == MAIL:
            return self._mail(raw, fault)
        if operation == SMS:
            [text] = _told(operation, raw)
            endpoint = dict(urllib.parse.parse_qsl(raw)).get("TargetArn", "")
            if endpoint in self.gone:
                raise _Gone
            way = f"push {endpoint.removeprefix(ENDPOINT)}" if endpoint else "sms"
            message_id = self._accept(text, way, "", fault.name.endswith("-after"))
            return _PUBLISHED.format(message_id)
        request = json.loads(raw)
        if operation == READ:
            return self._read(request, fault)
        if operation == WRITE:
            return self._write(request, fault)
        if operation == FORGET:
            return self._forget(request)
        if operation == ANNOUNCE:
            return self._announce(request, fault)
        done, failed = [], []
        for position, entry in enumerate(request["Entries"]):
            if fault.name == "partial" and fault.hits(position):
                failed.append({"Id": entry["Id"], "Code": "InternalError", "SenderFault": False})
                continue
            if operation == DEAD:
                self._dead_letter(entry)
            elif operation == DELETE:
                self._delete(entry["ReceiptHandle"])
            else:
                self._hand_back(entry["ReceiptHandle"], entry["VisibilityTimeout"])
            done.append({"Id": entry["Id"], "MessageId": "x", "MD5OfMessageBody": ""})
        return json.dumps({"Successful": done, "Failed": failed})

    def _read(self, request: Any, fault: Fault) -> str:
        found: dict[str, list[Any]] = {table: [] for table in request["RequestItems"]}
        left: dict[str, Any] = {}
        keys = [(t, key) for t, of in request["RequestItems"].items() for key in of["Keys"]]
        for position, (table, key) in enumerate(keys):
            if fault.name == "partial" and fault.hits(position):
                left.setdefault(table, {"Keys": []})["Keys"].append(key)
            elif table == PEOPLE:
                contacts = {name: {"S": value} for name, value in self.contacts.items()}
                found[table].append({**key, **contacts, "version": {"N": "1"}})
            elif table == HOLDS:
                continue  # no journey is under way
            elif item := self.ledger.get((key["id"]["S"], key["source"]["S"])):
                found[table].append(item)
        return json.dumps({"Responses": found, "UnprocessedKeys": left})

    def _write(self, request: Any, fault: Fault) -> str:
        puts = request["RequestItems"][LEDGER]
        keys = [
            (p["PutRequest"]["Item"]["id"]["S"], p["PutRequest"]["Item"]["source"]["S"])
            for p in puts
        ]
        if len(keys) > 25 or len(set(keys)) != len(keys):
            self.violations.append(f"DynamoDB would refuse this write: {keys}")
        left = []
        for position, (key, put) in enumerate(zip(keys, puts, strict=True)):
            if fault.name == "partial" and fault.hits(position):
                left.append(put)
                continue
            self._keep(key, put["PutRequest"]["Item"])
        return json.dumps({"UnprocessedItems": {LEDGER: left} if left else {}})

    def _forget(self, request: Any) -> str:
        """Change a person's endpoints, if they are those that were read."""
        assert request["ConditionExpression"] == "push = :before"
        values = request["ExpressionAttributeValues"]
        if self.contacts.get("push") != values[":before"]["S"]:
            raise _Refused([])
        if ":after" in values:
            self.contacts["push"] = values[":after"]["S"]
        else:
            del self.contacts["push"]
        return "{}"

    def _keep(self, key: tuple[str, str], item: dict[str, Any]) -> None:
        if len(json.dumps(item).encode()) > 8_000:
            self.violations.append(f"an item grows without end: {item}")
        self.ledger[key] = item
        ids = set(json.loads(item["sent"]["S"]).values()) if "sent" in item else set()
        for acceptance in self.accepted:
            acceptance.recorded |= acceptance.message_id in ids

    def _announce(self, request: Any, fault: Fault) -> str:
        """All of these, if every condition holds: that nobody else has the turn. A rival's transaction
        stands in the way of a partial failure."""
        if all("Update" in write for write in request["TransactItems"]):  # they stop journeys
            for write in request["TransactItems"]:
                assert write["Update"]["UpdateExpression"].startswith("SET stopped = :at")
            return "{}"
        puts = [write["Put"] for write in request["TransactItems"]]
        reasons = []
        for put in puts:
            assert put["ConditionExpression"] == _TURN
            values = [value["S"] for value in put["ExpressionAttributeValues"].values()]
            there = self.ledger.get((put["Item"]["id"]["S"], put["Item"]["source"]["S"]), {})
            held = "turn" not in there or there["turn"]["S"] in values
            reasons.append({"Code": "None" if held else "ConditionalCheckFailed"})
        if fault.name == "partial":
            for position, reason in enumerate(reasons):
                if fault.hits(position) and reason["Code"] == "None":
                    reason["Code"] = "TransactionConflict"
        if any(reason["Code"] != "None" for reason in reasons):
            raise _Refused(reasons)
        for put in puts:
            self._keep((put["Item"]["id"]["S"], put["Item"]["source"]["S"]), put["Item"])
        return "{}"

    def _publish(self, raw: str, fault: Fault) -> str:
        form = dict(urllib.parse.parse_qsl(raw))
        topic = form["TopicArn"].rsplit("-", 1)[1]
        entries = list(_entries(form))
        if self.killers & {_text(entry["Message"]) for entry in entries}:
            self._kill()
        size = sum(len(e["Message"].encode()) + len(e.get("Subject", "").encode()) for e in entries)
        if len(entries) > 10 or size > 256 * 1024:
            self.violations.append(f"SNS would refuse {len(entries)} entries of {size} bytes")
        done, failed = "", ""
        for position, entry in enumerate(entries):
            identity = f"<Id>{escape(entry['Id'])}</Id>"
            if fault.name.startswith("partial") and fault.hits(position):
                code, sender = _ENTRY_FAILURES[fault.name]
                if code:
                    fault_of = f"<Code>{code}</Code><SenderFault>{sender}</SenderFault>"
                    failed += f"<member>{identity}{fault_of}</member>"
                    if fault.name == "partial-refused":
                        self.refused.add(_text(entry["Message"]))
                    continue
            silent = fault.name == "partial-silent" and fault.hits(position)
            withheld = silent or fault.name.endswith("-after")
            text, locale = _text(entry["Message"]), entry.get("locale", "")
            message_id = self._accept(text, topic, locale, withheld)
            if silent:
                continue
            done += f"<member>{identity}<MessageId>{message_id}</MessageId></member>"
        result = f"<Successful>{done}</Successful><Failed>{failed}</Failed>"
        return (
            '<PublishBatchResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/">'
            f"<PublishBatchResult>{result}</PublishBatchResult>"
            "<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></PublishBatchResponse>"
        )

    def _mail(self, raw: str, fault: Fault) -> str:
        told = _told(MAIL, raw)
        if len(told) > 10:
            self.violations.append(f"{len(told)} mails in doubt at once")
        results: list[dict[str, str]] = []
        for position, text in enumerate(told):
            if fault.name.startswith("partial") and fault.hits(position):
                status = _MAIL_FAILURES[fault.name]
                if status:
                    results.append({"Status": status, "Error": "no"})
                    if fault.name == "partial-refused":
                        self.refused.add(text)
                else:
                    self._accept(text, "email", "", True)
                    results.append({})
                continue
            message_id = self._accept(text, "email", "", fault.name.endswith("-after"))
            results.append({"Status": "SUCCESS", "MessageId": message_id})
        return json.dumps({"BulkEmailEntryResults": results})

    def _accept(self, text: str, topic: str, locale: str, withheld: bool) -> str:
        """Take a publication; gives its id."""
        message_id = f"m-{next(self._numbers)}"
        acceptance = Acceptance(
            text=text,
            topic=topic,
            locale=locale,
            message_id=message_id,
            invocation=self.invocation,
            withheld=withheld,
        )
        same = [a for a in self.accepted if a.publication == acceptance.publication]
        acceptance.repeats_recorded = any(a.recorded for a in same)
        self.accepted.append(acceptance)
        return message_id

    def _dead_letter(self, entry: Any) -> None:
        if entry["MessageDeduplicationId"] in self._dead_seen:
            return
        self._dead_seen.add(entry["MessageDeduplicationId"])
        attributes = {k: v["StringValue"] for k, v in entry["MessageAttributes"].items()}
        message_id, body = entry["MessageDeduplicationId"], entry["MessageBody"]
        self.dead.append(Message(message_id, body, entry["MessageGroupId"], attributes))

    def _delete(self, receipt: str) -> None:
        self.queue = [m for m in self.queue if m.receipt != receipt]

    def _hand_back(self, receipt: str, seconds: int) -> None:
        for message in self.queue:
            if message.receipt == receipt:
                message.visible_at = self.clock.now + seconds


_TURN = "attribute_not_exists(turn) OR turn IN (:before, :mine)"
_NOT_DONE = frozenset(
    n for n in WHOLE_CALL if n.endswith("-before") or n.startswith(("throttled", "502", "no-conn"))
)
# Where a publish may have worked and may not, for all that the worker can know.
_DOUBT = frozenset(
    n
    for n in FAULTS[PUBLISH]
    if n.startswith(("500", "502", "reset", "timeout", "garbled", "partial-silent"))
)
_ENTRY_FAILURES = {
    "partial": ("InternalError", "false"),
    "partial-throttled": ("Throttled", "true"),
    "partial-refused": ("InvalidParameter", "true"),
    "partial-silent": ("", ""),
}


_MAIL_FAILURES = {
    "partial": "TRANSIENT_FAILURE",
    "partial-throttled": "ACCOUNT_THROTTLED",
    "partial-refused": "MESSAGE_REJECTED",
    "partial-silent": "",
}
_PUBLISHED = (
    '<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>{}'
    "</MessageId></PublishResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata>"
    "</PublishResponse>"
)


def _told(operation: str, raw: str) -> list[str]:
    """What the messages of a call say."""
    if operation == MAIL:
        contents = [e["ReplacementEmailContent"] for e in json.loads(raw)["BulkEmailEntries"]]
        datas = [c["ReplacementTemplate"]["ReplacementTemplateData"] for c in contents]
        return [_text(json.loads(data)["t"]) for data in datas]
    form = dict(urllib.parse.parse_qsl(raw))
    if operation == SMS and "TargetArn" in form:
        android = json.loads(json.loads(form["Message"])["GCM"])
        return [_text(android["fcmV1Message"]["message"]["notification"]["body"])]
    if operation == SMS:
        assert form["PhoneNumber"] == NUMBER
        return [_text(form["Message"])]
    return [_text(entry["Message"]) for entry in _entries(form)]


def _entries(form: Mapping[str, str]) -> Iterator[dict[str, str]]:
    for number in itertools.count(1):
        prefix = f"PublishBatchRequestEntries.member.{number}."
        entry = {k.removeprefix(prefix): v for k, v in form.items() if k.startswith(prefix)}
        if not entry:
            return
        for key, name in list(entry.items()):
            if key.endswith(".Name"):
                entry[name] = entry[key.replace(".Name", ".Value.StringValue")]
        yield entry


def _text(message: str) -> str:
    """What the message says, up to the padding that makes some large."""
    text: str = json.loads(message)["default"] if message.startswith("{") else message
    return text.split(" ", 1)[0]


class _Raw(io.BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def wire_response(
    url: str, status: int, body: str | bytes, headers: Mapping[str, str] | None = None
) -> AWSResponse:
    """What botocore's `before-send` may give in AWS's place."""
    raw = body if isinstance(body, bytes) else body.encode()
    return AWSResponse(url, status, dict(headers or {}), _Raw(raw))


def _error(operation: str, url: str, status: int, code: str) -> AWSResponse:
    if operation in (PUBLISH, SMS):
        text = f"<ErrorResponse><Error><Code>{code}</Code></Error></ErrorResponse>"
        return wire_response(url, status, text)
    return wire_response(url, status, json.dumps({"__type": code, "message": "no"}))


def _record(message: Message) -> dict[str, Any]:
    return {
        "messageId": message.id,
        "receiptHandle": message.receipt,
        "body": message.body,
        "attributes": {
            "ApproximateReceiveCount": str(message.receives),
            "MessageGroupId": message.group,
            "SentTimestamp": str(int(message.sent_at * 1000)),
        },
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{QUEUE}",
        "awsRegion": REGION,
    }
