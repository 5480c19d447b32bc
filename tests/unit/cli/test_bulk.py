"""cli/bulk.py: what may stand in a file of events, and what is said where it may not."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from cli import bulk

GOOD = b'{"type": "order.shipped", "id": "1", "data": {}}\n'


class Heard:
    """Stands where a running Heraldo does, and takes everything."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        self.events += body
        return 200, [{"id": event["id"], "status": "accepted", "lane": "l"} for event in body]


class Pipe(io.BytesIO):
    def seekable(self) -> bool:
        return False


def sent(content: bytes, kind: type[io.BytesIO] = io.BytesIO) -> tuple[list[Any], bulk.Summary]:
    heard, summary = Heard(), bulk.Summary()
    target: Any = heard
    for _ in bulk.send(target, kind(content), summary):
        pass
    return heard.events, summary


@pytest.mark.parametrize("kind", [io.BytesIO, Pipe])
def test_a_byte_order_mark_is_no_content(kind: type[io.BytesIO]) -> None:
    with_mark, _ = sent(b"\xef\xbb\xbf" + GOOD + GOOD, kind)
    without, _ = sent(GOOD + GOOD, kind)
    assert with_mark == without
    assert len(with_mark) == 2


def test_of_a_file_that_is_not_utf_8_nothing_is_sent() -> None:
    heard: Any = Heard()
    content = GOOD + '{"name": "Lucía"}\n'.encode("cp1252")
    with pytest.raises(bulk.NotText, match=r"Line 2 is not UTF-8, at byte 14 \(0xed\)") as refused:
        list(bulk.send(heard, io.BytesIO(content), bulk.Summary()))
    assert "Nothing was sent" in str(refused.value)
    assert heard.events == []


def test_of_a_pipe_that_is_not_utf_8_what_came_before_is_sent() -> None:
    heard: Any = Heard()
    content = GOOD + b'{"name": "Luc\xeda"}\n' + GOOD
    with pytest.raises(bulk.NotText, match="No line from there on"):
        list(bulk.send(heard, Pipe(content), bulk.Summary()))
    assert len(heard.events) == 1


@pytest.mark.parametrize(
    ("mark", "byte"), [(b"\xff\xfe", 1), (b"\xfe\xff", 1), (b"\xef\xbb\xbf\xed", 4)]
)
def test_the_byte_is_counted_from_the_lines_beginning(mark: bytes, byte: int) -> None:
    with pytest.raises(bulk.NotText, match=f"Line 1 is not UTF-8, at byte {byte} "):
        sent(mark + GOOD)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"[]", "is not a JSON object"),
        (b"nonsense", "is not a JSON object"),
        (b"[" * 100_000, "is not a JSON object"),
        (b'{"a": 1' + b"0" * 5_000 + b"}", "is not a JSON object"),
        (b'{"a": "' + b"x" * 900_000 + b'"}', "is larger than 256 KiB"),
    ],
)
def test_a_line_that_cannot_be_sent_is_named_and_the_others_are_sent(
    line: bytes, problem: str
) -> None:
    events, summary = sent(GOOD + line + b"\n" + GOOD)
    assert len(events) == 2
    assert summary.refused == [(2, problem)]


def test_half_a_surrogate_pair_is_for_heraldo_to_refuse() -> None:
    events, _ = sent(b'{"type": "t", "data": {"a": "\\ud83d"}}\n')
    assert events[0]["data"]["a"] == "\ud83d"


def test_a_line_without_an_id_has_the_same_one_every_time() -> None:
    line = json.dumps({"type": "t", "data": {}}).encode() + b"\r\n"
    first, _ = sent(line + line)
    again, _ = sent(line + line)
    assert first == again
    assert len({event["id"] for event in first}) == 2
