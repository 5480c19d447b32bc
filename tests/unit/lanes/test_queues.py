"""chalicelib/lanes/queues.py: what comes in, and each call of the queues."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from chalicelib.errors import TransientError
from chalicelib.lanes import queues
from chalicelib.lanes.queues import DeadLetter, Received, _dead_entry
from chalicelib.lanes.waves import MESSAGE_BYTES
from tests.factories import record


@pytest.mark.parametrize(
    ("spare", "has_its_reason"), [(0, False), (40, False), (5_000, True), (MESSAGE_BYTES, True)]
)
def test_a_dead_letter_never_grows_beyond_what_sqs_takes(spare: int, has_its_reason: bool) -> None:
    body = "x" * (MESSAGE_BYTES - spare)
    message = Received.of(record(body))
    entry = _dead_entry(0, DeadLetter(message, "too-large", "ñ" * 2_000, "m", "queue:orders", "t"))
    attributes = entry.get("MessageAttributes", {})
    written = sum(
        len(f"{name}{value['DataType']}{value['StringValue']}".encode())
        for name, value in attributes.items()
    )
    assert len(entry["MessageBody"]) + written <= MESSAGE_BYTES
    assert ("reason" in attributes) == has_its_reason


@pytest.mark.parametrize("odd", ["\x00", "\x0b", "\x1f", "\ud800", "\ufffe", "\uffff"])
def test_what_sqs_does_not_take_in_a_text_is_a_question_mark_in_a_letter_s_attributes(
    odd: str,
) -> None:
    letter = DeadLetter(Received.of(record("x")), "r", f"a{odd}b", f"i{odd}", f"s{odd}", f"t{odd}")
    attributes = _dead_entry(0, letter)["MessageAttributes"]
    assert {name: a["StringValue"] for name, a in attributes.items()} == {
        "reason": "r",
        "detail": "a?b",
        "event_id": "i?",
        "event_source": "s?",
        "event_type": "t?",
    }


def test_what_sqs_takes_stays_as_it_is() -> None:
    text = "a\t\n\r ñ 📦 \ufffd"
    letter = DeadLetter(Received.of(record("x")), "r", text, "i", "s", "t")
    assert _dead_entry(0, letter)["MessageAttributes"]["detail"]["StringValue"] == text


# -- calls -----------------------------------------------------------------------------------------


class Sqs:
    """Takes whatever it is given, but what `refuses` says; keeps each call's entries."""

    def __init__(self, refuses: Callable[[Any], bool] = lambda _: False, breaks: int = 0) -> None:
        self.calls: list[list[Any]] = []
        self._refuses, self._breaks = refuses, breaks

    def _call(self, *, QueueUrl: str, Entries: list[Any]) -> Any:  # noqa: N803
        assert QueueUrl == "url"
        assert 1 <= len(Entries) <= 10
        assert len({entry["Id"] for entry in Entries}) == len(Entries)
        self.calls.append(Entries)
        if len(self.calls) == self._breaks:
            raise ReadTimeoutError(endpoint_url="x")
        failed = [{"Id": entry["Id"]} for entry in Entries if self._refuses(entry)]
        done = [{"Id": entry["Id"]} for entry in Entries if not self._refuses(entry)]
        return {"Successful": done, "Failed": failed} if failed else {"Successful": done}

    delete_message_batch = change_message_visibility_batch = send_message_batch = _call


def messages(count: int) -> list[Received]:
    return [Received.of(record("x", message_id=f"m-{n}", receipt=f"r-{n}")) for n in range(count)]


def letters(*sizes_and_groups: tuple[int, str]) -> list[DeadLetter]:
    return [
        DeadLetter(
            Received.of(record("x" * size, group=group, message_id=f"m-{n}")), "r", "", "i", "s", ""
        )
        for n, (size, group) in enumerate(sizes_and_groups)
    ]


def test_messages_are_deleted_ten_to_a_call() -> None:
    sqs: Any = Sqs()
    queues.delete(sqs, "url", messages(23))
    assert [len(call) for call in sqs.calls] == [10, 10, 3]
    assert [e["ReceiptHandle"] for c in sqs.calls for e in c] == [f"r-{n}" for n in range(23)]
    queues.delete(sqs, "url", [])
    assert len(sqs.calls) == 3


def test_a_deletion_that_sqs_does_not_confirm_is_told() -> None:
    refusing: Any = Sqs(lambda entry: entry["ReceiptHandle"] == "r-2")
    with pytest.raises(TransientError, match="SQS took only a part of the batch"):
        queues.delete(refusing, "url", messages(3))
    broken: Any = Sqs(breaks=1)
    with pytest.raises(TransientError, match=r"SQS did not answer \(ReadTimeoutError\)"):
        queues.delete(broken, "url", messages(3))
    silent: Any = type("Sqs", (), {"delete_message_batch": lambda *_, **__: {}})()
    with pytest.raises(TransientError, match="only a part"):
        queues.delete(silent, "url", messages(3))


def test_each_message_is_handed_back_with_its_own_wait() -> None:
    sqs: Any = Sqs()
    queues.hand_back(sqs, "url", [(message, n) for n, message in enumerate(messages(12))])
    assert [len(call) for call in sqs.calls] == [10, 2]
    pairs = [(e["ReceiptHandle"], e["VisibilityTimeout"]) for c in sqs.calls for e in c]
    assert pairs == [(f"r-{n}", n) for n in range(12)]
    broken: Any = Sqs(breaks=1)
    queues.hand_back(broken, "url", [(message, 0) for message in messages(12)])  # best effort


def test_a_large_dead_letter_travels_alone_and_one_of_each_key_in_a_call() -> None:
    sqs: Any = Sqs()
    sent = letters((600_000, "a"), (600_000, "b"), (10, "a"), (10, "c"))
    assert queues.dead_letter(sqs, "url", sent) == {"m-0", "m-1", "m-2", "m-3"}
    calls = [{entry["MessageDeduplicationId"] for entry in call} for call in sqs.calls]
    assert calls == [{"m-0", "m-3"}, {"m-1", "m-2"}]
    assert all(sum(map(queues.entry_bytes, call)) <= MESSAGE_BYTES for call in sqs.calls)


@pytest.mark.parametrize("how", ["refused", "no answer"])
def test_what_follows_a_letter_that_was_not_taken_is_not_sent(how: str) -> None:
    sqs: Any = Sqs(lambda entry: how == "refused" and entry["MessageDeduplicationId"] == "m-0")
    if how == "no answer":
        sqs = Sqs(breaks=1)
    sent = letters((10, "a"), (10, "a"), (10, "b"), (10, "b"))
    safe = queues.dead_letter(sqs, "url", sent)
    assert safe == ({"m-2", "m-3"} if how == "refused" else set())
    assert len(sqs.calls) == (2 if how == "refused" else 1)


def test_a_key_that_is_stuck_stays_so_and_no_other_key_waits_for_it() -> None:
    sqs: Any = Sqs(lambda entry: entry["MessageDeduplicationId"] == "m-0")
    sent = letters(*[(10, "a")] * 4, *[(10, "b")] * 4)
    assert queues.dead_letter(sqs, "url", sent) == {"m-4", "m-5", "m-6", "m-7"}
    assert [len(call) for call in sqs.calls] == [2, 1, 1, 1]
    short = letters(*[(10, "a")] * 3, (10, "b"))
    assert queues.dead_letter(sqs, "url", short) == {"m-3"}


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"Successful": None},
        {"Successful": [{}]},
        {"Successful": [{"Id": "9"}]},
        {"Successful": [{"Id": "x"}]},
    ],
    ids=str,
)
def test_an_answer_that_is_not_sqs_s_makes_no_letter_safe(answer: Any) -> None:
    sqs: Any = type("Sqs", (), {"send_message_batch": lambda *_, **__: answer})()
    assert queues.dead_letter(sqs, "url", letters((10, "a"))) == set()


def test_what_a_message_weighs_is_its_body_and_its_attributes() -> None:
    entry = {
        "MessageBody": "ñ",
        "MessageAttributes": {
            "año": {"DataType": "String", "StringValue": "é"},
            "b": {"DataType": "Binary", "BinaryValue": b"123"},
        },
    }
    assert queues.entry_bytes(entry) == 2 + (4 + 6 + 2) + (1 + 6 + 3)
    assert queues.entry_bytes({"MessageBody": "abc"}) == 3


# -- what comes in ---------------------------------------------------------------------------------


def test_a_record_is_read_with_what_sqs_says_of_it() -> None:
    found = Received.of(record("b", group="k", receives=7, message_id="m", receipt="r"))
    assert (found.message_id, found.receipt_handle, found.body) == ("m", "r", "b")
    assert (found.group, found.receives, found.sent_at) == ("k", 7, 1_760_000_000.0)
    bare = Received.of({"messageId": "m", "body": "b"})
    assert (bare.group, bare.receives, bare.receipt_handle, bare.attributes) == ("m", 1, "", {})
    assert abs(bare.sent_at - time.time()) < 5


@pytest.mark.parametrize(
    ("carried", "identity"),
    [
        ({}, ("m", "queue:orders")),
        ({"event_id": "e", "event_source": "/s"}, ("e", "/s")),
        ({"event_id": "e"}, ("e", "queue:orders")),
        ({"event_id": "e\nf", "event_source": "x" * 300}, ("m", "queue:orders")),
    ],
)
def test_a_message_without_an_id_is_known_by_what_it_carries_or_by_its_own(
    carried: dict[str, str], identity: tuple[str, str]
) -> None:
    found = Received.of(record("b", message_id="m", attributes=carried))
    assert found.identity("orders") == identity


@pytest.mark.parametrize(
    ("key", "group"),
    [("cus-1", "cus-1"), ("x" * 128, "x" * 128), ("a!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", None)],
)
def test_an_ordering_key_that_sqs_takes_is_the_group(key: str, group: str | None) -> None:
    assert queues.group_id(key) == (group or key)


@pytest.mark.parametrize("key", ["x" * 129, "con espacio", "ñ", "a\n", ""])
def test_any_other_ordering_key_is_hashed(key: str) -> None:
    found = queues.group_id(key)
    assert re.fullmatch("[0-9a-f]{64}", found)
    assert found != queues.group_id(key + "x")


def test_one_event_has_one_deduplication_id_and_no_other_has_it() -> None:
    ids = {
        queues.deduplication_id(i, s) for i, s in (("a", "b"), ("b", "a"), ("a", "c"), ("ab", ""))
    }
    assert len(ids) == 4
    assert queues.deduplication_id("a", "b") in ids
