"""A server of somebody else's to which events are posted, and which answers as it is told."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks.webhooks import Webhook


@dataclass
class Heard:
    """One request, as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    def verified(self, secret: str) -> Any:
        """What it says, once the reference library has verified whose it is."""
        return Webhook(secret).verify(self.body.decode(), dict(self.headers))


@dataclass
class Endpoint:
    """Answers in turn what `answers` has (a status with its headers), and then 204. `url` leads to it. While `gate`
    is not set it hears, and answers nothing."""

    url: str = ""
    heard: list[Heard] = field(default_factory=list)
    arrived: queue.SimpleQueue[Heard] = field(default_factory=queue.SimpleQueue)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    dripping: bool = False
    most_at_once: int = 0


@contextmanager
def endpoint(*statuses: int, context: Any = None) -> Iterator[Endpoint]:
    """A running endpoint on this machine; over TLS with a `context`."""
    found = Endpoint(answers=[(status, {}) for status in statuses])
    found.gate.set()
    over = threading.Event()
    lock = threading.Lock()
    now = 0

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            nonlocal now
            body = self.rfile.read(int(self.headers["Content-Length"]))
            one = Heard(self.path, {n.lower(): v for n, v in self.headers.items()}, body)
            with lock:
                now += 1
                found.most_at_once = max(found.most_at_once, now)
                found.heard.append(one)
                found.arrived.put(one)
                status, headers = found.answers.pop(0) if found.answers else (204, {})
            while not (found.gate.wait(0.05) or over.is_set()):
                pass
            with lock:
                now -= 1
            try:
                if found.dripping:
                    self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                    while not over.wait(0.05):
                        self.wfile.write(b"x")
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(b"a body that nobody reads" * 1000)
            except OSError:
                pass

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    scheme = "https" if context is not None else "http"
    found.url = f"{scheme}://localhost:{server.server_port}/in"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join()
