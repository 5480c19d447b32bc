"""Many events from a file or a pipe, in requests of many, so that nothing is sent twice.

An event without an id gets one made of its line's number and text: the same file run again, after an
interruption or not, is taken once. Events of one ordering key keep their order: what stands behind one
that Heraldo could not take is not sent.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any, Final

import click

from chalicelib.events.event import ORDERED_BY
from cli.target import Target, Unreachable

REQUEST_EVENTS: Final = 250
REQUEST_BYTES: Final = 900_000
_TRIES: Final = 6
_MARK: Final = "\ufeff".encode()  # what some editors put before a text: no content


class NotText(click.ClickException):
    """A line is not UTF-8."""


@dataclass
class Summary:
    """What became of the lines: counts, and each line that was not taken with its problem."""

    accepted: int = 0
    duplicate: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)

    @property
    def lines(self) -> int:
        return self.accepted + self.duplicate + len(self.refused)

    def as_json(self) -> dict[str, Any]:
        refused = [{"line": line, "problem": problem} for line, problem in sorted(self.refused)]
        return {"accepted": self.accepted, "duplicate": self.duplicate, "refused": refused}


@dataclass(frozen=True)
class Line:
    """An event, the number of its line, and what it is in order with."""

    number: int
    event: dict[str, Any]
    size: int

    @property
    def key(self) -> str:
        found = (self.event.get(name) for name in ORDERED_BY)
        return next((key for key in found if isinstance(key, str) and key), "")


def send(target: Target, lines: IO[bytes], summary: Summary) -> Iterator[int]:
    """Send every line of JSON Lines; yields how many lines were dealt with, request by request.

    `summary` is kept up as it goes, so that it is true at an interruption too.

    Raises
    ------
    Unreachable : Heraldo does not answer, or takes nothing, after several tries.
    NotText : a line is not UTF-8. Of a file nothing was sent, of a pipe what came before.
    """
    if lines.seekable():
        start = lines.tell()
        for _ in _texts(lines):
            pass
        lines.seek(start)
    stuck: dict[str, int] = {}  # by ordering key, the line that was not taken
    for batch in _batches(lines, summary):
        before = summary.lines
        _send_batch(target, _not_behind(batch, stuck, summary), summary, stuck)
        yield summary.lines - before


def _not_behind(batch: list[Line], stuck: dict[str, int], summary: Summary) -> list[Line]:
    """What may be sent: a line behind one of its key that was not taken would overtake it."""
    ready = []
    for line in batch:
        if line.key in stuck:
            problem = f"waits behind line {stuck[line.key]}; run the command again"
            summary.refused.append((line.number, problem))
        else:
            ready.append(line)
    return ready


def _texts(lines: IO[bytes]) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(lines, 1):
        content = line.removeprefix(_MARK) if number == 1 else line
        try:
            text = content.decode("utf-8").strip()
        except UnicodeDecodeError as error:
            byte = error.start + len(line) - len(content)
            raise NotText(
                f"Line {number} is not UTF-8, at byte {byte + 1} (0x{line[byte]:02x}): "
                f"save it as UTF-8. {'Nothing was' if lines.seekable() else 'No line from there on was'} sent."
            ) from None
        if text:
            yield number, text


def _batches(lines: IO[bytes], summary: Summary) -> Iterator[list[Line]]:
    batch: list[Line] = []
    size = 0
    try:
        for number, text in _texts(lines):
            try:
                line = _line(number, text)
            except ValueError as error:
                summary.refused.append((number, str(error)))
                continue
            if batch and (len(batch) == REQUEST_EVENTS or size + line.size > REQUEST_BYTES):
                yield batch
                batch, size = [], 0
            batch.append(line)
            size += line.size
    except NotText:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def _line(number: int, text: str) -> Line:
    """The event of a line; raises ValueError with the problem, which shows nothing of it."""
    try:
        event = json.loads(text)
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict):
        raise ValueError("is not a JSON object")
    if event.get("id") is None:
        event["id"] = "line-" + hashlib.sha256(f"{number}\n{text}".encode()).hexdigest()[:32]
    size = len(json.dumps(event, ensure_ascii=False).encode(errors="backslashreplace"))
    if size > REQUEST_BYTES:
        raise ValueError("is larger than 256 KiB")
    return Line(number, event, size)


def _send_batch(target: Target, batch: list[Line], summary: Summary, stuck: dict[str, int]) -> None:
    """Send until every event has a final answer; what was not taken is tried again, in its order."""
    for turn in range(_TRIES):
        if not batch:
            return
        if turn:
            time.sleep(0.5 * 2**turn)
        try:
            status, answer = target.call("POST", "/events/batch", [line.event for line in batch])
        except Unreachable:
            if turn == _TRIES - 1:
                raise
            continue
        if status in (429, 500, 502, 503, 504) and turn < _TRIES - 1:
            continue
        if status != 200 or not isinstance(answer, list):
            title = answer.get("title") if isinstance(answer, dict) else None
            detail = answer.get("detail") if isinstance(answer, dict) else None
            raise click.ClickException(
                f"{title or 'The request failed'} ({status}). {detail or ''}"
            )
        again = []
        for line, result in zip(batch, answer, strict=True):
            if result["status"] == "accepted":
                summary.accepted += 1
            elif result["status"] == "duplicate":
                summary.duplicate += 1
            elif result["status"] == "unavailable":
                again.append(line)
            else:
                summary.refused.append((line.number, _problem(result["problem"])))
        batch = again
    for line in batch:
        summary.refused.append((line.number, "was not taken; run the command again"))
        stuck.setdefault(line.key, line.number)


def _problem(problem: dict[str, Any]) -> str:
    errors = [f"{e['field']}: {e['problem']}" for e in problem.get("errors", [])]
    return "; ".join(errors) or str(problem["detail"])
