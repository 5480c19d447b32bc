"""chalicelib/channels/topics.py: whatever SNS answers, each publication has its own result."""

from __future__ import annotations

import json
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore
import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)

from chalicelib import aws
from chalicelib.channels import registry, topics
from chalicelib.channels.publication import LATER, NOT_TRIED, PERSON, REFUSED, Publication, Result
from chalicelib.stage import Stage
from tests.factories import REGION
from tests.unit.aws_model import wire_response

TOPIC = f"arn:aws:sns:{REGION}:123456789012:heraldo-local-users"


def publication(text: str, to: str = TOPIC) -> Publication:
    return Publication("topic", to, None, text, {"locale": "es"}, False)


class Sns:
    """Answers a publish with what it is made with: an answer, an error, or one of these by call."""

    def __init__(self, answer: Callable[[list[Any]], Any]) -> None:
        self._answer = answer
        self.calls: list[list[str]] = []
        self.closed = 0

    def publish_batch(self, **call: Any) -> Any:
        entries = call["PublishBatchRequestEntries"]
        self.calls.append([entry["Message"][:1] for entry in entries])
        return self._answer(entries)

    def close(self) -> None:
        self.closed += 1


def taken(entries: list[Any]) -> Any:
    return {"Successful": [{"Id": e["Id"], "MessageId": f"m-{e['Message'][:1]}"} for e in entries]}


def send(sns: Any, *texts: str, in_time: Callable[[], bool] = lambda: True) -> list[Result]:
    stage = Stage("local", lambda _: sns)
    return registry.send(stage, [publication(t) for t in texts], in_time=in_time, once=False)


def refusal(code: str, status: int) -> Exception:
    answer: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "PublishBatch")


def raising(error: Exception) -> Sns:
    def answer(_: Any) -> Any:
        raise error

    return Sns(answer)


# -- calls -----------------------------------------------------------------------------------------


def test_ten_travel_together_and_large_ones_alone() -> None:
    sns = Sns(taken)
    send(sns, *"abcdefghijklm")
    assert [len(call) for call in sns.calls] == [10, 3]
    sns = Sns(taken)
    send(sns, "a" * 200_000, "b", "c" * 200_000)
    assert sns.calls == [["a", "b"], ["c"]]


def test_a_batch_has_no_more_bytes_than_sns_takes() -> None:
    attributes = len("locale") + len("String") + len("es")
    sns = Sns(taken)
    send(sns, "a" * (128 * 1024 - attributes), "b" * (128 * 1024 - attributes))
    assert sns.calls == [["a", "b"]]
    sns = Sns(taken)
    send(sns, "a" * (128 * 1024 - attributes), "b" * (128 * 1024 - attributes + 1))
    assert sns.calls == [["a"], ["b"]]


def test_each_topic_has_calls_of_its_own_and_each_publication_its_own_result() -> None:
    sns = Sns(taken)
    stage = Stage("local", lambda _: sns)
    mixed = [publication("a"), publication("b", TOPIC + "2"), publication("c")]
    results = registry.send(stage, mixed, in_time=lambda: True, once=False)
    assert [result.message_id for result in results] == ["m-a", "m-b", "m-c"]
    assert sns.calls == [["a", "c"], ["b"]]


def test_what_there_is_no_time_for_is_not_tried() -> None:
    large = [letter * 200_000 for letter in "abcd"]
    answers = iter([True, False])
    results = send(Sns(taken), *large, in_time=lambda: next(answers))
    assert [result.message_id for result in results] == ["m-a", "m-b", "", ""]
    assert results[2:] == [NOT_TRIED] * 2
    assert send(Sns(taken), *large, in_time=lambda: False)[1:] == [NOT_TRIED] * 3


def test_an_entry_for_which_sns_refuses_the_whole_call_is_refused_alone() -> None:
    def answer(entries: list[Any]) -> Any:
        if any("\0" in entry["Message"] for entry in entries):
            raise refusal("InvalidParameter", 400)
        return taken(entries)

    results = send(Sns(answer), "a", "b\0", "c")
    assert [result.message_id for result in results] == ["m-a", "", "m-c"]
    assert results[1] == Result(error="InvalidParameter", fault=REFUSED)


@pytest.mark.parametrize("once", [True, False])
def test_what_may_not_go_out_twice_is_sent_over_a_new_connection(once: bool) -> None:
    sns = Sns(taken)
    stage = Stage("local", lambda _: sns)
    registry.send(stage, [publication("a" * 200_000)] * 2, in_time=lambda: True, once=once)
    assert sns.closed == (2 if once else 0)


# -- what went wrong -------------------------------------------------------------------------------

CALLS = [
    (refusal("Throttled", 429), LATER, False),
    (refusal("ThrottledException", 429), LATER, False),
    (refusal("ThrottlingException", 400), LATER, False),
    (refusal("KMSThrottling", 400), LATER, False),
    (refusal("KMSThrottlingException", 400), LATER, False),
    (refusal("ExpiredToken", 403), LATER, False),
    (refusal("ExpiredTokenException", 403), LATER, False),
    (refusal("SomethingNew", 429), LATER, False),
    (refusal("InternalError", 500), LATER, True),
    (refusal("ServiceUnavailable", 503), LATER, True),
    (refusal("Throttling", 503), LATER, True),
    (refusal("AuthorizationError", 403), PERSON, False),
    (refusal("AuthorizationErrorException", 403), PERSON, False),
    (refusal("InvalidClientTokenId", 403), PERSON, False),
    (refusal("SignatureDoesNotMatch", 403), PERSON, False),
    (refusal("InvalidSecurity", 403), PERSON, False),
    (refusal("OptInRequired", 403), PERSON, False),
    (refusal("NotFound", 404), PERSON, False),
    (refusal("NotFoundException", 404), PERSON, False),
    (refusal("KMSDisabled", 400), PERSON, False),
    (refusal("KMSAccessDenied", 400), PERSON, False),
    (refusal("SomethingNew", 400), PERSON, False),
    (refusal("InvalidParameter", 400), REFUSED, False),
    (refusal("InvalidParameterException", 400), REFUSED, False),
    (refusal("ValidationException", 400), REFUSED, False),
    (refusal("BatchRequestTooLong", 400), REFUSED, False),
    (EndpointConnectionError(endpoint_url="x"), LATER, False),
    (NoCredentialsError(), PERSON, False),
    (ReadTimeoutError(endpoint_url="x"), LATER, True),
    (ConnectionClosedError(endpoint_url="x"), LATER, True),
    (KeyError("PublishBatchResult"), LATER, True),
]


@pytest.mark.parametrize(("error", "fault", "unknown"), CALLS, ids=lambda v: getattr(v, "args", v))
def test_a_call_that_fails_means_the_same_for_each_of_its_entries(
    error: Exception, fault: str, unknown: bool
) -> None:
    for result in send(raising(error), "a", "b"):
        assert (result.fault, result.unknown, result.message_id) == (fault, unknown, "")
        assert result.error


@pytest.mark.parametrize(
    ("code", "sender", "fault"),
    [
        ("InternalError", False, LATER),
        ("SomethingNew", False, LATER),
        ("Throttled", True, LATER),
        ("ThrottledException", True, LATER),
        ("AuthorizationError", True, PERSON),
        ("KMSDisabled", True, PERSON),
        ("InvalidParameter", True, REFUSED),
        ("SomethingNew", True, REFUSED),
    ],
)
def test_an_entry_that_fails_alone_is_known_to_be_unsent(
    code: str, sender: bool, fault: str
) -> None:
    def answer(entries: list[Any]) -> Any:
        return {**taken(entries[1:]), "Failed": [{"Id": "0", "Code": code, "SenderFault": sender}]}

    first, second = send(Sns(answer), "a", "b")
    assert first == Result(error=code, fault=fault)
    assert second == Result(message_id="m-b")


STRANGE = [
    {},
    {"Successful": None, "Failed": None},
    {"Successful": [{}]},
    {"Successful": [{"Id": "0"}]},
    {"Successful": [{"Id": "7", "MessageId": "m"}]},
    {"Successful": [{"Id": "one", "MessageId": "m"}]},
    {"Successful": [{"Id": "-1", "MessageId": "m"}]},
    {"Failed": [{"Code": "Throttled"}]},
]


@pytest.mark.parametrize("answer", STRANGE, ids=str)
def test_what_an_answer_does_not_speak_of_is_unknown(answer: Any) -> None:
    assert send(Sns(lambda _: answer), "a") == [Result(error="NoAnswer", fault=LATER, unknown=True)]


# -- on the wire -----------------------------------------------------------------------------------


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Clients of one's own, made with the credentials of nobody."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    aws._session.cache_clear()
    aws.client.cache_clear()
    yield monkeypatch
    aws._session.cache_clear()
    aws.client.cache_clear()


def answering(body: str | bytes, seen: list[Any] | None = None, **headers: str) -> Any:
    """SNS's client, for which every call is answered with this body under HTTP 200."""

    def answer(request: Any, **_: Any) -> Any:
        if seen is not None:
            seen.append(request)
        return wire_response(request.url, 200, body, headers)

    client = aws.client("sns")
    client.meta.events.register("before-send.sns.PublishBatch", answer)
    return client


WRAPPED = '<PublishBatchResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/">{}</PublishBatchResponse>'
NOT_SNS = [
    "<html><body>It works!</body></html>",
    "<a><b>1</b><b>2</b></a>",
    "<PublishBatchResponse/>",
    WRAPPED.format("<PublishBatchResult/>"),
    WRAPPED.format("<PublishBatchResult>text</PublishBatchResult>"),
    WRAPPED.format("<PublishBatchResult><Successful>text</Successful></PublishBatchResult>"),
    WRAPPED.format("<PublishBatchResult><Successful><member/></Successful></PublishBatchResult>"),
    WRAPPED.format("<PublishBatchResult/><PublishBatchResult/>"),
    '<?xml version="1.0"?><ErrorResponse><Error><Code>X</Code></Error></ErrorResponse>',
    "",
    " ",
    "null",
    '{"Successful": []}',
    "\x00\x01",
]


@pytest.mark.parametrize("body", NOT_SNS)
def test_an_answer_that_is_not_sns_s_leaves_the_outcome_unknown(
    wire: pytest.MonkeyPatch, body: str
) -> None:
    for result in send(answering(body), "a", "b"):
        assert (result.message_id, result.fault, result.unknown) == ("", LATER, True)


def other_protocol(wire: pytest.MonkeyPatch, folder: Path, protocol: str, **metadata: str) -> None:
    """Make botocore speak to SNS as one that is told so by its model would."""
    [model] = (Path(botocore.__file__).parent / "data" / "sns").glob("*/service-2.json*")
    own = folder / "sns" / model.parent.name
    own.mkdir(parents=True)
    shutil.copy(model, own)
    import gzip

    copied = own / model.name
    raw = gzip.decompress(copied.read_bytes()) if model.suffix == ".gz" else copied.read_bytes()
    copied.unlink()
    found = json.loads(raw)
    found["metadata"] |= {"protocol": protocol, "protocols": [protocol], **metadata}
    (own / "service-2.json").write_text(json.dumps(found), "utf-8")
    wire.setenv("AWS_DATA_PATH", str(folder))


def test_sns_is_understood_where_botocore_speaks_json_to_it(
    wire: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other_protocol(wire, tmp_path, "json", jsonVersion="1.0", targetPrefix="SNS")
    seen: list[Any] = []
    failed = {"Id": "1", "Code": "ThrottledException", "SenderFault": True}
    body = json.dumps({"Successful": [{"Id": "0", "MessageId": "m"}], "Failed": [failed]})
    client = answering(body, seen)
    assert send(client, "ñ", "b") == [
        Result(message_id="m"),
        Result(error="ThrottledException", fault=LATER),
    ]
    [request] = seen
    assert json.loads(request.body)["PublishBatchRequestEntries"][0]["Message"] == "ñ"


def test_sns_is_understood_where_botocore_speaks_cbor_to_it(
    wire: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other_protocol(wire, tmp_path, "smithy-rpc-v2-cbor", targetPrefix="SNS")
    seen: list[Any] = []
    body = _cbor({"Successful": [{"Id": "0", "MessageId": "m"}], "Failed": []})
    client = answering(body, seen, **{"smithy-protocol": "rpc-v2-cbor"})
    assert send(client, "ñ") == [Result(message_id="m")]
    [request] = seen
    assert _cbor("ñ") in request.body


def _cbor(value: Any) -> bytes:
    """RFC 8949, for what is short."""
    if isinstance(value, str):
        text = value.encode()
        return bytes([0x60 + len(text)]) + text
    if isinstance(value, list):
        return bytes([0x80 + len(value)]) + b"".join(map(_cbor, value))
    return bytes([0xA0 + len(value)]) + b"".join(_cbor(k) + _cbor(v) for k, v in value.items())


def test_the_client_speaks_the_form_that_it_encodes_itself(wire: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    send(answering("", seen), "a b")
    [request] = seen
    assert "Message=%61%20%62" in (
        request.body if isinstance(request.body, str) else request.body.decode()
    )


def test_a_connection_that_sns_closed_meanwhile_leaves_nothing_in_doubt(
    wire: pytest.MonkeyPatch,
) -> None:
    """The worker was frozen, SNS closed the line, and the worker's kernel never heard of it."""
    yes = WRAPPED.format(
        "<PublishBatchResult><Successful><member><Id>0</Id><MessageId>m</MessageId></member>"
        "</Successful></PublishBatchResult>"
    )
    with _Forgetful(yes.encode()) as url:
        wire.setenv("AWS_ENDPOINT_URL", url)
        stage = Stage("local", aws.client)

        def once() -> list[Result]:
            return topics.send(stage, [publication("a")], in_time=lambda: True, once=True)

        assert once() == [Result(message_id="m")]
        assert once() == [Result(message_id="m")]


class _Forgetful:
    """A server that answers the first request of a connection, and drops it at the second."""

    def __init__(self, body: bytes) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nContent-Type: text/xml\r\n\r\n"
        self._answer = head.encode() + body
        self._socket = socket.create_server(("127.0.0.1", 0))

    def __enter__(self) -> str:
        threading.Thread(target=self._serve, daemon=True).start()
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(line,), daemon=True).start()

    def _talk(self, line: socket.socket) -> None:
        with line, line.makefile("rb") as requests:
            self._read(requests)
            line.sendall(self._answer)
            self._read(requests)  # and drop the line

    @staticmethod
    def _read(requests: Any) -> None:
        length = 0
        while (header := requests.readline()) not in (b"", b"\r\n"):
            name, _, value = header.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        requests.read(length)
