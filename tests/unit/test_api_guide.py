"""docs/api.md: the Python that people copy, run as it stands."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from cli.paths import ROOT

SAMPLE = re.search(
    "## From Python, with nothing installed.*?```python\n(.*?)```",
    (ROOT / "docs" / "api.md").read_text("utf-8"),
    re.DOTALL,
)
ACCEPTED = {"id": "payment-4711", "status": "accepted", "lane": "orders"}
# Status, content type and body; None: the connection is cut.
Answer = tuple[int, str, str] | None
GOOD: Answer = (202, "application/json", json.dumps(ACCEPTED))
HTML = "<html><body>503 Service Temporarily Unavailable</body></html>"


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., list[Any]]]:
    """A server that gives these answers, one after the other; the list of what it was sent."""
    answers: list[Answer] = []
    heard: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard.append((self.path, self.headers["Authorization"], json.loads(body)))
            answer = answers.pop(0)
            if answer is None:
                self.connection.close()
                return
            status, kind, text = answer
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    monkeypatch.setenv("HERALDO_API_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("HERALDO_API_KEY", "hk_key")
    monkeypatch.setattr(time, "sleep", lambda _: None)

    def give(*given: Answer) -> list[Any]:
        answers.extend(given)
        return heard

    yield give
    server.shutdown()
    server.server_close()
    thread.join()


def run() -> None:
    assert SAMPLE is not None
    exec(compile(SAMPLE[1], "docs/api.md", "exec"), {"__name__": "sample"})


@pytest.mark.parametrize(
    "before",
    [
        (),
        ((503, "text/html", HTML),),
        ((502, "text/plain", ""), (429, "application/json", "{}")),
        ((500, "application/problem+json", '{"status": 500}'), None),
    ],
)
def test_the_sample_sends_until_it_is_accepted(
    answering: Callable[..., list[Any]],
    capsys: pytest.CaptureFixture[str],
    before: tuple[Answer, ...],
) -> None:
    heard = answering(*before, GOOD)
    run()
    assert capsys.readouterr().out.strip() == str(ACCEPTED)
    assert [sent[:2] for sent in heard] == [("/events", "Bearer hk_key")] * (len(before) + 1)
    assert {sent[2]["id"] for sent in heard} == {"payment-4711"}


def test_the_sample_says_what_was_refused(answering: Callable[..., list[Any]]) -> None:
    answering((422, "application/problem+json", '{"title": "The event cannot be accepted"}'))
    with pytest.raises(ValueError, match="The event cannot be accepted"):
        run()


def test_the_sample_gives_up_in_the_end(answering: Callable[..., list[Any]]) -> None:
    answering(*[(503, "text/html", HTML)] * 5)
    with pytest.raises(TimeoutError, match="Temporarily Unavailable"):
        run()
