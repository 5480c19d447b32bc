"""Many events from a file or a pipe, in requests of many, so that nothing is sent twice.

An event without an id gets one made of its line's number and text: the same file run again, after an
interruption or not, is taken once.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any, Final

import click

from cli.target import Target, Unreachable

REQUEST_EVENTS: Final = 250
REQUEST_BYTES: Final = 900_000
_TRIES: Final = 6


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


def send(target: Target, lines: IO[str], summary: Summary) -> Iterator[int]:
    """Send every line of JSON Lines; yields how many lines were dealt with, request by request.

    `summary` is kept up as it goes, so that it is true at an interruption too.

    Raises
    ------
    Unreachable : Heraldo does not answer, or takes nothing, after several tries.
    """
    for batch in _batches(lines, summary):
        before = summary.lines
        _send_batch(target, batch, summary)
        yield summary.lines - before


def _batches(lines: IO[str], summary: Summary) -> Iterator[list[tuple[int, dict[str, Any]]]]:
    batch: list[tuple[int, dict[str, Any]]] = []
    size = 0
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text:
            continue
        try:
            event = json.loads(text)
            if not isinstance(event, dict):
                raise ValueError
        except ValueError:
            summary.refused.append((number, "is not a JSON object"))
            continue
        if event.get("id") is None:
            event["id"] = "line-" + hashlib.sha256(f"{number}\n{text}".encode()).hexdigest()[:32]
        length = len(json.dumps(event, ensure_ascii=False).encode())
        if batch and (len(batch) == REQUEST_EVENTS or size + length > REQUEST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append((number, event))
        size += length
    if batch:
        yield batch


def _send_batch(target: Target, batch: list[tuple[int, dict[str, Any]]], summary: Summary) -> None:
    """Send until every event has a final answer; what was not taken is tried again."""
    for turn in range(_TRIES):
        if turn:
            time.sleep(0.5 * 2**turn)
        try:
            status, answer = target.call("POST", "/events/batch", [event for _, event in batch])
        except Unreachable:
            if turn == _TRIES - 1:
                raise
            continue
        if status in (429, 502, 503, 504) and turn < _TRIES - 1:
            continue
        if status != 200 or not isinstance(answer, list):
            title = answer.get("title") if isinstance(answer, dict) else None
            detail = answer.get("detail") if isinstance(answer, dict) else None
            raise click.ClickException(
                f"{title or 'The request failed'} ({status}). {detail or ''}"
            )
        again = []
        for (number, event), result in zip(batch, answer, strict=True):
            if result["status"] == "accepted":
                summary.accepted += 1
            elif result["status"] == "duplicate":
                summary.duplicate += 1
            elif result["status"] == "unavailable":
                again.append((number, event))
            else:
                summary.refused.append((number, _problem(result["problem"])))
        batch = again
        if not batch:
            return
    summary.refused += [(number, "was not taken; run the command again") for number, _ in batch]


def _problem(problem: dict[str, Any]) -> str:
    errors = [f"{e['field']}: {e['problem']}" for e in problem.get("errors", [])]
    return "; ".join(errors) or str(problem["detail"])
