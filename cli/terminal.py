"""How commands show things to a person: aligned columns, ages, questions, progress."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import click

_QUIET_SECONDS: Final = 2.0


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows in aligned columns; the last column may be as long as it likes."""
    widths = [max(len(row[n]) for row in [headers, *rows]) for n in range(len(headers))]
    for row in [headers, *rows]:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        click.secho("  ".join(cells).rstrip(), dim=True if row is headers else None)


def age(since: datetime) -> str:
    """How long ago that was, in its largest unit: `3 h`."""
    seconds = max(0, int((datetime.now(UTC) - since).total_seconds()))
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def count(number: int, one: str, many: str = "") -> str:
    """`1 letter`, `2 letters`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def confirm(question: str, yes: bool) -> None:
    """Ask on a terminal, unless `--yes`; a script has decided by calling.

    Raises
    ------
    click.Abort : the answer was no.
    """
    if not yes and sys.stdin.isatty():
        click.confirm(question, abort=True, err=True)


class Progress:
    """A line on standard error that counts along, once a command takes over two seconds. Threads may
    share it."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._shown = False
        self._lock = threading.Lock()

    def show(self, text: str) -> None:
        if sys.stderr.isatty() and time.monotonic() - self._began > _QUIET_SECONDS:
            with self._lock:
                click.echo(f"\r\x1b[K{text}", nl=False, err=True)
                self._shown = True

    def end(self) -> None:
        if self._shown:
            click.echo("\r\x1b[K", nl=False, err=True)
            self._shown = False
