"""chalicelib/channels/webhooks.py: ten to a call, each in its group, and nothing is ever in doubt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from botocore.validate import ParamValidator

from chalicelib import names
from chalicelib.channels import registry
from chalicelib.channels.publication import (
    LATER,
    NOT_TRIED,
    PERSON,
    POST_EVENT,
    POST_GROUP,
    POST_ID,
    REFUSED,
    Publication,
    Result,
)
from chalicelib.channels.webhooks import BATCH_BYTES
from chalicelib.stage import Stage


def post(number: int, body: str = "{}", to: str = "erp") -> Publication:
    about = {POST_ID: f"msg_{number}", POST_GROUP: f"g{number}", POST_EVENT: f"t{number}"}
    return Publication("webhook", to, None, body, about, structured=False)


def all_taken(entries: list[Any]) -> Any:
    return {"Successful": [{"Id": e["Id"], "MessageId": "m"} for e in entries]}


class Sqs:
    def __init__(self, answer: Callable[[list[Any]], Any] = all_taken) -> None:
        self._answer = answer
        self.calls: list[list[Any]] = []
        model = botocore.session.get_session().get_service_model("sqs")
        self._shape = model.operation_model("SendMessageBatch").input_shape

    def get_queue_url(self, QueueName: str) -> Any:  # noqa: N803
        assert QueueName == names.queue("dev", names.WEBHOOKS) == "heraldo-dev-webhooks.fifo"
        return {"QueueUrl": f"https://sqs/1/{QueueName}"}

    def send_message_batch(self, **call: Any) -> Any:
        report = ParamValidator().validate(call, self._shape)
        assert not report.has_errors(), report.generate_report()
        self.calls.append(call["Entries"])
        return self._answer(call["Entries"])


def send(sqs: Sqs, *of: Publication, **more: Any) -> list[Result]:
    asked = {"in_time": lambda: True, "once": False, **more}
    return registry.send(Stage("dev", lambda _: sqs), of, **asked)


def test_what_is_posted_lies_in_the_queue_to_the_byte_with_what_says_where_it_goes() -> None:
    sqs = Sqs()
    assert send(sqs, post(1, '{"a": 1}')) == [Result(message_id="msg_1")]
    [[entry]] = sqs.calls
    assert entry["MessageBody"] == '{"a": 1}'
    assert (entry["MessageGroupId"], entry["MessageDeduplicationId"]) == ("g1", "msg_1")
    carried = {name: found["StringValue"] for name, found in entry["MessageAttributes"].items()}
    assert carried == {"webhook": "erp", "webhook-id": "msg_1", "event": "t1"}


def test_ten_go_into_one_call() -> None:
    sqs = Sqs()
    found = send(sqs, *(post(n) for n in range(23)))
    assert [len(call) for call in sqs.calls] == [10, 10, 3]
    assert [result.message_id for result in found] == [f"msg_{n}" for n in range(23)]


def test_large_ones_go_into_a_call_of_their_own() -> None:
    sqs = Sqs()
    send(sqs, *(post(n, "x" * 400_000) for n in range(5)))
    assert [len(call) for call in sqs.calls] == [2, 2, 1]
    assert all(sum(len(e["MessageBody"]) for e in call) < BATCH_BYTES for call in sqs.calls)


def refusing(code: str, status: int = 400, only: str = "") -> Callable[[list[Any]], Any]:
    def answer(entries: list[Any]) -> Any:
        if only in [entry["MessageDeduplicationId"] for entry in entries] or not only:
            said: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
            raise ClientError(said, "SendMessageBatch")
        return all_taken(entries)

    return answer


def timing_out(_: list[Any]) -> Any:
    raise ReadTimeoutError(endpoint_url="https://sqs")


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (refusing("ThrottlingException"), Result(error="ThrottlingException", fault=LATER)),
        (refusing("InternalError", 500), Result(error="InternalError", fault=LATER)),
        (refusing("AccessDenied", 403), Result(error="AccessDenied", fault=PERSON)),
        (refusing("QueueDoesNotExist"), Result(error="QueueDoesNotExist", fault=PERSON)),
        (timing_out, Result(error="ReadTimeoutError", fault=LATER)),
        (lambda _: {}, Result(error="NoAnswer", fault=LATER)),
        (lambda _: None, Result(error="BadAnswer", fault=LATER)),
        (
            lambda _: {"Failed": [{"Id": "0", "Code": "InternalError", "SenderFault": False}]},
            Result(error="InternalError", fault=LATER),
        ),
    ],
)
def test_what_the_queue_does_not_take_is_known_not_to_be_in_doubt(
    answer: Any, found: Result
) -> None:
    """A second copy is dropped by SQS, and after five minutes by its receiver, who knows its id."""
    assert send(Sqs(answer), post(1), once=True) == [found]


def test_one_that_sqs_refuses_takes_no_other_with_it() -> None:
    found = send(Sqs(refusing("InvalidParameterValue", only="msg_2")), post(1), post(2), post(3))
    assert [r.message_id for r in found] == ["msg_1", "", "msg_3"]
    assert found[1].fault == REFUSED


def test_what_there_is_no_time_for_is_not_tried() -> None:
    found = send(Sqs(), *(post(n) for n in range(11)), in_time=lambda: False)
    assert found[10] == NOT_TRIED
    assert all(result.message_id for result in found[:10])
