"""chalicelib/channels/topics.py: several calls, and the time that they may take."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from chalicelib.channels.topics import NOT_TRIED, Publication, Result, publish


class Sns:
    """Takes whatever it is given, but no call with a NUL in it."""

    def publish_batch(self, **call: Any) -> Any:
        entries = call["PublishBatchRequestEntries"]
        if any("\0" in entry["Message"] for entry in entries):
            problem: Any = {
                "Error": {"Code": "InvalidParameter"},
                "ResponseMetadata": {"HTTPStatusCode": 400},
            }
            raise ClientError(problem, "PublishBatch")
        return {"Successful": [{"Id": e["Id"], "MessageId": "m"} for e in entries]}


def test_what_there_is_no_time_for_is_not_tried() -> None:
    large = [Publication("topic", None, "x" * 200_000, {}, False) for _ in range(4)]
    answers = iter([True, False])
    sns: Any = Sns()
    assert [r.message_id for r in publish(sns, large, lambda: next(answers))] == ["m", "m", "", ""]
    assert publish(sns, large, lambda: False)[1:] == [NOT_TRIED] * 3


def test_an_entry_for_which_sns_refuses_the_whole_call_is_refused_alone() -> None:
    batch = [Publication("topic", None, text, {}, False) for text in ("a", "b\0", "c")]
    sns: Any = Sns()
    results = publish(sns, batch, lambda: True)
    assert [result.message_id for result in results] == ["m", "", "m"]
    assert results[1] == Result(error="InvalidParameter")
