"""chalicelib/publish.py: several calls, and the time that they may take."""

from __future__ import annotations

from typing import Any

from chalicelib.publish import NOT_TRIED, Publication, publish


class Sns:
    """Takes whatever it is given."""

    def publish_batch(self, **call: Any) -> Any:
        entries = call["PublishBatchRequestEntries"]
        return {"Successful": [{"Id": e["Id"], "MessageId": "m"} for e in entries]}


def test_what_there_is_no_time_for_is_not_tried() -> None:
    large = [Publication("topic", None, "x" * 200_000, {}, False) for _ in range(4)]
    answers = iter([True, False])
    sns: Any = Sns()
    assert [r.message_id for r in publish(sns, large, lambda: next(answers))] == ["m", "m", "", ""]
    assert publish(sns, large, lambda: False)[1:] == [NOT_TRIED] * 3
