"""chalicelib/channels/sms.py and push.py: one call each, and whatever SNS answers, a result each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from botocore.validate import ParamValidator

from chalicelib.channels import registry
from chalicelib.channels.publication import (
    GONE,
    LATER,
    NOT_TRIED,
    PERSON,
    REFUSED,
    Publication,
    Result,
)
from chalicelib.stage import Stage

SMS = Publication(
    "sms", "+34600111222", None, "hola", {"AWS.SNS.SMS.SMSType": "Promotional"}, False
)
ENDPOINT = "arn:aws:sns:eu-west-1:1:endpoint/GCM/shop/one"
PUSH = Publication("push", ENDPOINT, None, '{"default": "s"}', {})


class Sns:
    def __init__(self, answer: Callable[[], Any] = lambda: {"MessageId": "m"}) -> None:
        self._answer = answer
        self.calls: list[Any] = []
        self.closed = 0
        model = botocore.session.get_session().get_service_model("sns")
        self._shape = model.operation_model("Publish").input_shape

    def publish(self, **call: Any) -> Any:
        report = ParamValidator().validate(call, self._shape)
        assert not report.has_errors(), report.generate_report()
        self.calls.append(call)
        return self._answer()

    def close(self) -> None:
        self.closed += 1


def send(sns: Any, *of: Publication, **more: Any) -> list[Result]:
    asked = {"in_time": lambda: True, "once": False, **more}
    return registry.send(Stage("dev", lambda _: sns), of, **asked)


def failing(code: str, status: int = 400) -> Sns:
    def answer() -> Any:
        said: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
        raise ClientError(said, "Publish")

    return Sns(answer)


def test_a_text_goes_to_its_number_as_its_category_travels(monkeypatch: pytest.MonkeyPatch) -> None:
    sns = Sns()
    assert send(sns, SMS) == [Result(message_id="m")]
    [call] = sns.calls
    assert (call["PhoneNumber"], call["Message"]) == ("+34600111222", "hola")
    assert call["MessageAttributes"] == {
        "AWS.SNS.SMS.SMSType": {"DataType": "String", "StringValue": "Promotional"}
    }
    monkeypatch.setenv("HERALDO_SMS_SENDER", "Abedul")
    send(sns, SMS)
    sender = sns.calls[1]["MessageAttributes"]["AWS.SNS.SMS.SenderID"]["StringValue"]
    assert sender == "Abedul"


def test_a_notification_goes_to_its_endpoint() -> None:
    sns = Sns()
    assert send(sns, PUSH) == [Result(message_id="m")]
    assert sns.calls == [
        {"TargetArn": ENDPOINT, "Message": '{"default": "s"}', "MessageStructure": "json"}
    ]


@pytest.mark.parametrize(
    ("code", "status", "of_sms", "of_push"),
    [
        ("Throttling", 400, LATER, LATER),
        ("InternalError", 500, LATER, LATER),
        ("InvalidParameter", 400, REFUSED, REFUSED),
        ("AuthorizationError", 403, PERSON, PERSON),
        ("EndpointDisabled", 400, PERSON, GONE),
        ("EndpointDisabledException", 400, PERSON, GONE),
        ("NotFound", 404, PERSON, GONE),
    ],
)
def test_what_sns_refuses_is_told_by_its_word(
    code: str, status: int, of_sms: str, of_push: str
) -> None:
    [sms], [push] = (send(failing(code, status), of) for of in (SMS, PUSH))
    assert (sms.fault, push.fault) == (of_sms, of_push)
    assert sms.error == push.error == code


def test_one_that_fails_takes_no_other_with_it() -> None:
    answers: list[Any] = [
        {"MessageId": "1"},
        ReadTimeoutError(endpoint_url="x"),
        {},
        {"MessageId": "4"},
    ]

    def answer() -> Any:
        found = answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    results = send(Sns(answer), SMS, SMS, SMS, SMS)
    assert [(result.message_id, result.unknown) for result in results] == [
        ("1", False),
        ("", True),
        ("", True),
        ("4", False),
    ]


def test_without_time_for_another_call_the_rest_is_not_tried() -> None:
    sns = Sns()
    assert send(sns, SMS, SMS, in_time=lambda: False) == [Result(message_id="m"), NOT_TRIED]
    assert len(sns.calls) == 1


def test_what_must_not_go_out_twice_takes_new_connections() -> None:
    sns = Sns()
    send(sns, SMS, SMS, once=True)
    assert sns.closed == 2
