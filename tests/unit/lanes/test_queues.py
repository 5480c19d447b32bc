"""chalicelib/lanes/queues.py: what fits into a dead-letter queue."""

from __future__ import annotations

import pytest

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
