"""What people got on the local stack: as its lists tell it, and as a file keeps it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cli.paths import ROOT
from cli.stack import inbox
from cli.stack.inbox import Delivery, Persons

MAILS = "/_ministack/ses/messages"
TEXTS = "/_ministack/sns/sms-messages"


class Lists(dict[str, Any]):
    """The local AWS's lists by their paths, and where they are asked for."""

    url = ""


@pytest.fixture
def lists() -> Iterator[Lists]:
    found = Lists({MAILS: {"messages": {}}, TEXTS: {"sms_messages": {}}})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(found[self.path.partition("?")[0]]).encode())

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        found.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield found
        server.shutdown()


def mail(number: int, html: str = "") -> dict[str, Any]:
    return {
        "Timestamp": 1_800_000_000.0 + number,
        "To": [f"cus-{number}@example.com"],
        "Subject": f"Pedido {number}",
        "BodyText": "Hola",
        "BodyHtml": html,
        "MessageId": f"mail-{number}",
    }


def text(number: int) -> dict[str, Any]:
    phone = f"+3460000000{number}"
    return {"PhoneNumber": phone, "Message": "Va de camino", "MessageId": f"sms-{number}"}


def test_mails_are_told_as_they_came_whichever_account_they_are_listed_under(lists: Lists) -> None:
    lists[MAILS] = {"messages": {"a": [mail(3), mail(1)], "b": [mail(2, "<p>Hola</p>")]}}
    found = Persons(lists.url).new()
    assert [d["message_id"] for d in found] == ["mail-1", "mail-2", "mail-3"]
    assert [d.get("html") for d in found] == [None, "<p>Hola</p>", None]
    assert {(d["channel"], d["message"]) for d in found} == {("email", "Hola")}
    assert (found[0]["to"], found[0]["subject"]) == ("cus-1@example.com", "Pedido 1")


def test_text_messages_are_told_with_their_numbers(lists: Lists) -> None:
    lists[TEXTS] = {"sms_messages": {"x": [text(1)], "y": [text(2)]}}
    found = Persons(lists.url).new()
    assert [(d["channel"], d["to"]) for d in found] == [
        ("sms", "+34600000001"),
        ("sms", "+34600000002"),
    ]
    assert "topic" not in found[0]


def test_each_is_told_once_however_often_the_lists_are_looked_at(lists: Lists) -> None:
    lists[MAILS] = {"messages": {"a": [mail(1)]}}
    persons = Persons(lists.url)
    assert len(persons.new()) == 1
    assert persons.new() == []
    lists[MAILS]["messages"]["a"].append(mail(2))
    lists[TEXTS] = {"sms_messages": {"x": [text(1)]}}
    assert {d["message_id"] for d in persons.new()} == {"mail-2", "sms-1"}


def test_a_local_aws_that_is_gone_or_says_something_else_is_an_error(lists: Lists) -> None:
    lists[MAILS] = {}
    with pytest.raises(ValueError, match="has no messages"):
        Persons(lists.url).new()
    with pytest.raises(OSError, match="refused"):
        Persons("http://127.0.0.1:1").new()


def test_lines_of_two_threads_are_never_written_into_each_other(tmp_path: Path) -> None:
    file = tmp_path / "inbox.jsonl"
    shown: list[str] = []

    def keep(number: int) -> None:
        delivery = Delivery(
            channel="email",
            to="cus-1@example.com",
            subject=str(number),
            message="ñ" * 20_000,  # more than a file object writes at once
            attributes={},
            message_id=str(number),
            received_at="2026-12-01T00:00:00+00:00",
        )
        inbox.keep(file, [delivery], lambda entry: shown.append(entry["message_id"]))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(keep, range(100)))
    kept = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert sorted(int(d["message_id"]) for d in kept) == list(range(100))
    assert sorted(shown, key=int) == [str(n) for n in range(100)]


@pytest.mark.parametrize(("code", "said"), [(0, ""), (1, "No browser could be started here")])
def test_a_mail_is_kept_in_a_file_that_a_browser_shows(
    tmp_path: Path, code: int, said: str
) -> None:
    program, file = tmp_path / "browser", tmp_path / "new" / "inbox.html"
    program.write_text(f"#!/bin/sh\nexit {code}\n", "utf-8")
    program.chmod(0o755)
    ran = subprocess.run(
        [
            *(sys.executable, "-c"),
            "import sys, pathlib; from cli import browser;"
            "browser.show('<p>¡Hola!</p>', pathlib.Path(sys.argv[1]))",
            file,
        ],
        cwd=ROOT,
        env={"PATH": str(tmp_path), "BROWSER": str(program), "LANG": "C.UTF-8"},
        check=True,
        capture_output=True,
        text=True,
    )
    assert file.read_text("utf-8") == "<p>¡Hola!</p>"
    assert (ran.stdout, ran.stderr.partition(";")[0].strip()) == ("", said)
