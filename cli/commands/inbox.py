"""What subscribers received on the local stack.

`make run` subscribes one queue to every topic, looks for the e-mails and text messages that the local AWS
has taken, and writes what arrives to `.heraldo/<port>/inbox.jsonl`, a line per delivery; `./heraldo inbox`
reads that file.
"""

from __future__ import annotations

import datetime
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import click
from botocore.exceptions import BotoCoreError

from cli import browser
from cli.stack import where
from cli.stack.emulator import client
from cli.stack.inbox import LOOKED, QUEUE, Delivery, line

_RECENT: Final = 5.0
_PAUSE: Final = 0.15


class _Tail:
    """The deliveries of a growing file; a line that is still being written waits for its end."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._offset = 0

    def __iter__(self) -> Iterator[Delivery]:
        try:
            with self._file.open("rb") as inbox:
                inbox.seek(self._offset)
                content = inbox.read()
        except FileNotFoundError:
            return
        whole = content[: content.rfind(b"\n") + 1]
        self._offset += len(whole)
        for entry in whole.splitlines():
            yield json.loads(entry)


class _Lanes:
    """Whether anything is still on its way on the local stack."""

    def __init__(self, local: dict[str, Any], looked: Path) -> None:
        self._looked = looked
        self._empty_since = 0.0
        self._sqs = client(
            "sqs",
            local["endpoint_url"],
            connect_timeout=2,
            read_timeout=5,
            retries={"max_attempts": 0},
        )
        inbox = self._sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
        self._urls = [*local["queues"].values(), inbox]

    def are_empty(self) -> bool:
        """Nothing is on its way, and what went to people by themselves was looked for since."""
        if any(map(self._waiting, self._urls)):
            self._empty_since = 0.0
            return False
        self._empty_since = self._empty_since or time.time()
        try:
            return self._looked.stat().st_mtime > self._empty_since
        except FileNotFoundError:
            return False

    def _waiting(self, url: str) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)


def _print(entries: Iterator[Delivery], as_json: bool) -> list[Delivery]:
    shown = list(entries)
    for entry in shown:
        if as_json:
            click.echo(json.dumps(entry, ensure_ascii=False))
        else:
            click.echo(line(entry))
            click.echo("".join(f"    {text}\n" for text in entry["message"].splitlines()))
    return shown


@click.command()
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Also wait for what is on its way; at most this long.",
)
@click.option("--open", "in_browser", is_flag=True, help="Show the latest e-mail in the browser.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def command(wait: float | None, in_browser: bool, as_json: bool) -> None:
    """Show what subscribers received on the local stack.

    With --wait it returns as soon as something has arrived and nothing more is on its way, or when
    the time is over; it fails when nothing at all was received.
    """
    recent = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=_RECENT)
    try:
        local = where.running()
        home = where.home(urlsplit(local["endpoint_url"]).port or 0)
        lanes = _Lanes(local, home / LOOKED)
    except (FileNotFoundError, BotoCoreError):
        raise click.ClickException("The local stack is not running; start it: make run") from None
    tail = _Tail(home / "inbox.jsonl")
    seen = _print(iter(tail), as_json)
    if wait is not None:
        try:
            seen = _follow(lanes, tail, seen, as_json, recent, time.monotonic() + wait)
        except KeyboardInterrupt:
            sys.exit(130)
        except BotoCoreError:
            raise click.ClickException("The local stack has stopped.") from None
    if not seen and wait is not None:
        raise click.ClickException(
            f"Nothing was received within {wait:g} s. Dead letters, or a rule that does not match?"
            " ./heraldo plan TYPE shows what would happen."
        )
    if in_browser:
        _open(seen, home)
    if not seen and not as_json:
        click.echo("Nothing yet. Send something: ./heraldo send order.shipped", file=sys.stderr)


def _open(seen: list[Delivery], home: Path) -> None:
    """Show the HTML of the latest e-mail that has one."""
    html = next((entry["html"] for entry in reversed(seen) if entry.get("html")), None)
    if html is None:
        raise click.ClickException("There is no e-mail with an HTML part in the inbox.")
    file = home / "inbox.html"
    click.echo(f"{file}", err=True)
    browser.show(html, file)


def _follow(
    lanes: _Lanes,
    tail: _Tail,
    seen: list[Delivery],
    as_json: bool,
    recent: datetime.datetime,
    deadline: float,
) -> list[Delivery]:
    while time.monotonic() < deadline:
        arrived = any(datetime.datetime.fromisoformat(e["received_at"]) > recent for e in seen)
        done = arrived and lanes.are_empty()
        seen += _print(iter(tail), as_json)
        if done:
            break
        time.sleep(_PAUSE)
    return seen
