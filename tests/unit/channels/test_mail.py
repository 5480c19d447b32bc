"""chalicelib/channels/mail.py: whatever SES answers, each mail has its own result."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from botocore.validate import ParamValidator

from chalicelib.channels import registry
from chalicelib.channels.publication import (
    BUSY,
    LATER,
    NOT_TRIED,
    PERSON,
    REFUSED,
    Publication,
    Result,
)
from chalicelib.stage import Stage


class Ses:
    """Answers with what it is made with; every call is one that botocore would let through."""

    def __init__(self, answer: Callable[[list[Any]], Any]) -> None:
        self._answer = answer
        self.calls: list[Any] = []
        self.closed = 0
        model = botocore.session.get_session().get_service_model("sesv2")
        self._shape = model.operation_model("SendBulkEmail").input_shape

    def send_bulk_email(self, **call: Any) -> Any:
        report = ParamValidator().validate(call, self._shape)
        assert not report.has_errors(), report.generate_report()
        self.calls.append(call)
        return self._answer(call["BulkEmailEntries"])

    def close(self) -> None:
        self.closed += 1


def taken(entries: list[Any]) -> Any:
    return {"BulkEmailEntryResults": [said("SUCCESS", MessageId=address(e)) for e in entries]}


def said(status: str, **more: str) -> dict[str, str]:
    return {"Status": status, **more}


def address(entry: Any) -> str:
    [found] = entry["Destination"]["ToAddresses"]
    return str(found)


def mail(to: str = "a@x.es", html: str = "<p>h</p>", **more: Any) -> Publication:
    tags = {"event": "e1", "destination": "recipient_email"}
    return Publication("email", to, "Sí", "texto", tags, structured=False, html=html, **more)


def refusal(code: str, status: int = 400, message: str = "") -> Exception:
    answer: Any = {"Error": {"Code": code, "Message": message}}
    answer["ResponseMetadata"] = {"HTTPStatusCode": status}
    return ClientError(answer, "SendBulkEmail")


@pytest.fixture(autouse=True)
def _sender(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERALDO_SENDER", "Abedul <hola@abedul.example>")


def send(ses: Any, *mails: Publication, **more: Any) -> list[Result]:
    asked = {"in_time": lambda: True, "once": False, **more}
    return registry.send(Stage("dev", lambda _: ses), mails, **asked)


def test_ten_mails_travel_in_one_call_each_with_its_own_words() -> None:
    ses = Ses(taken)
    results = send(ses, *(mail(f"p{n}@x.es") for n in range(12)))
    assert [len(call["BulkEmailEntries"]) for call in ses.calls] == [10, 2]
    assert [result.message_id for result in results] == [f"p{n}@x.es" for n in range(12)]
    call = ses.calls[0]
    assert call["FromEmailAddress"] == "Abedul <hola@abedul.example>"
    assert call["ConfigurationSetName"] == "heraldo-dev"
    entry = call["BulkEmailEntries"][0]
    data = entry["ReplacementEmailContent"]["ReplacementTemplate"]["ReplacementTemplateData"]
    assert json.loads(data) == {"s": "Sí", "t": "texto", "h": "<p>h</p>"}
    assert {tag["Name"]: tag["Value"] for tag in entry["ReplacementTags"]} == {
        "event": "e1",
        "destination": "recipient_email",
    }
    assert "ReplacementHeaders" not in entry
    assert "ReplyToAddresses" not in call


def test_mails_with_html_and_without_do_not_share_a_call() -> None:
    ses = Ses(taken)
    results = send(ses, mail("a@x.es", html=""), mail("b@x.es"), mail("c@x.es", html=""))
    assert [[address(e) for e in call["BulkEmailEntries"]] for call in ses.calls] == [
        ["b@x.es"],
        ["a@x.es", "c@x.es"],
    ]
    assert [result.message_id for result in results] == ["a@x.es", "b@x.es", "c@x.es"]
    assert "Html" not in ses.calls[1]["DefaultContent"]["Template"]["TemplateContent"]


def test_headers_answers_to_and_domains_go_as_they_must(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERALDO_REPLY_TO", "ayuda@abedul.example")
    ses = Ses(taken)
    send(ses, mail("ana@Señor.ES", headers={"List-Unsubscribe": "<https://x.es/u/1>"}))
    [call] = ses.calls
    [entry] = call["BulkEmailEntries"]
    assert call["ReplyToAddresses"] == ["ayuda@abedul.example"]
    assert address(entry) == "ana@xn--seor-hqa.es"
    assert entry["ReplacementHeaders"] == [
        {"Name": "List-Unsubscribe", "Value": "<https://x.es/u/1>"}
    ]


@pytest.mark.parametrize(
    ("entry", "result"),
    [
        (said("SUCCESS", MessageId="m"), Result(message_id="m")),
        (said("SUCCESS"), Result(error="NoAnswer", fault=LATER, unknown=True)),
        ({}, Result(error="NoAnswer", fault=LATER, unknown=True)),
        (said("MESSAGE_REJECTED", Error="a virus"), Result(error="MESSAGE_REJECTED", fault=REFUSED)),
        (said("INVALID_PARAMETER"), Result(error="INVALID_PARAMETER", fault=REFUSED)),
        (
            said("MESSAGE_REJECTED", Error="Email address is not verified: b@x.es"),
            Result(error="MESSAGE_REJECTED", fault=PERSON),
        ),
        *(
            (said(status), Result(error=status, fault=BUSY))
            for status in ("ACCOUNT_THROTTLED", "ACCOUNT_DAILY_QUOTA_EXCEEDED")
        ),
        *(
            (said(status), Result(error=status, fault=LATER))
            for status in ("TRANSIENT_FAILURE", "FAILED")
        ),
        *(
            (said(status), Result(error=status, fault=PERSON))
            for status in (
                "ACCOUNT_SUSPENDED",
                "ACCOUNT_SENDING_PAUSED",
                "CONFIGURATION_SET_SENDING_PAUSED",
                "CONFIGURATION_SET_NOT_FOUND",
                "MAIL_FROM_DOMAIN_NOT_VERIFIED",
                "A_WORD_OF_TOMORROW",
            )
        ),
    ],
    ids=str,
)  # fmt: skip
def test_an_entry_is_read_by_itself(entry: Any, result: Result) -> None:
    ses = Ses(lambda _: {"BulkEmailEntryResults": [said("SUCCESS", MessageId="1"), entry]})
    assert send(ses, mail("a@x.es"), mail("b@x.es")) == [Result(message_id="1"), result]


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (refusal("TooManyRequestsException", 429), Result(error="TooManyRequestsException", fault=BUSY)),
        (refusal("ThrottlingException"), Result(error="ThrottlingException", fault=BUSY)),
        (refusal("TooManyRequestsException", 503), Result(error="TooManyRequestsException", fault=LATER, unknown=True)),
        (refusal("InternalFailure", 500), Result(error="InternalFailure", fault=LATER, unknown=True)),
        (refusal("SendingPausedException"), Result(error="SendingPausedException", fault=PERSON)),
        (refusal("AccessDeniedException", 403), Result(error="AccessDeniedException", fault=PERSON)),
        (
            refusal("MessageRejected", message="Email address is not verified."),
            Result(error="MessageRejected", fault=PERSON),
        ),
        (ReadTimeoutError(endpoint_url="x"), Result(error="ReadTimeoutError", fault=LATER, unknown=True)),
        (EndpointConnectionError(endpoint_url="x"), Result(error="EndpointConnectionError", fault=LATER)),
        (KeyError("x"), Result(error="BadAnswer", fault=LATER, unknown=True)),
    ],
    ids=str,
)  # fmt: skip
def test_a_call_that_failed_is_the_same_for_all_in_it(error: Exception, result: Result) -> None:
    def failing(_: Any) -> Any:
        raise error

    assert send(Ses(failing), mail("a@x.es"), mail("b@x.es")) == [result, result]


@pytest.mark.parametrize("answer", [{}, {"BulkEmailEntryResults": []}, None, "x"], ids=str)
def test_an_answer_that_does_not_speak_of_each_mail_leaves_all_in_doubt(answer: Any) -> None:
    for result in send(Ses(lambda _: answer), mail("a@x.es"), mail("b@x.es")):
        assert (result.fault, result.unknown) == (LATER, True)


def test_of_a_call_that_was_refused_as_a_whole_each_mail_is_tried_alone() -> None:
    def choosy(entries: list[Any]) -> Any:
        if any(address(entry) == "bad@x.es" for entry in entries):
            raise refusal("BadRequestException")
        return taken(entries)

    ses = Ses(choosy)
    results = send(ses, mail("a@x.es"), mail("bad@x.es"), mail("c@x.es"))
    assert [result.message_id for result in results] == ["a@x.es", "", "c@x.es"]
    assert results[1] == Result(error="BadRequestException", fault=REFUSED)
    assert len(ses.calls) == 4


def test_without_a_sender_mails_wait_for_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HERALDO_SENDER")
    ses = Ses(taken)
    assert send(ses, mail()) == [Result(error="NoSender", fault=PERSON)]
    assert ses.calls == []


def test_advertising_that_nobody_can_stop_waits_for_a_person_and_holds_no_other_mail_up() -> None:
    ses = Ses(taken)
    unstoppable = mail("b@x.es", headers={"List-Unsubscribe": "<>"})
    results = send(ses, mail("a@x.es"), unstoppable, mail("c@x.es"))
    assert [r.message_id for r in results] == ["a@x.es", "", "c@x.es"]
    assert results[1] == Result(error="NoPublicAddress", fault=PERSON)
    assert len(ses.calls) == 1


def test_without_time_for_another_call_the_rest_is_not_tried() -> None:
    ses = Ses(taken)
    results = send(ses, *(mail(f"p{n}@x.es") for n in range(11)), in_time=lambda: False)
    assert len(ses.calls) == 1
    assert results[10] == NOT_TRIED


def test_what_must_not_go_out_twice_takes_a_new_connection() -> None:
    ses = Ses(taken)
    send(ses, mail(), once=True)
    assert ses.closed == 1
