"""One post to a server outside of AWS, signed as Standard Webhooks has it, and what came of it.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

The line is opened here and not by a library, because of what must be known of it: that it leads to the Internet,
looked at after the name was resolved and before anything was said; that no redirect leads elsewhere; and that all
of it ends in time, however slowly somebody answers.
"""

from __future__ import annotations

import base64
import email.utils
import functools
import hashlib
import hmac
import http.client
import io
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from chalicelib.events import hosts
from chalicelib.regex import regex
from chalicelib.store import webhooks
from chalicelib.values import dataclass

SECONDS = 10.0
"""How long a post may take, from the name's resolution to the answer's last header."""
_PRINTABLE: Final = regex(r"[ -~]*\Z")
# What went wrong where there was no answer, the narrower kinds first.
_WORDS: Final[Sequence[tuple[type[Exception], str]]] = (
    (TimeoutError, "timeout"),
    (socket.gaierror, "no-such-host"),
    (ssl.SSLCertVerificationError, "certificate"),
    (ssl.SSLError, "tls"),
    (ConnectionRefusedError, "refused"),
    (http.client.HTTPException, "no-answer"),
    (ConnectionError, "no-answer"),
    (OSError, "unreachable"),
)
TIMEOUT: Final = "timeout"
NOT_PUBLIC: Final = "not-public"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a post: a `status` of HTTP, or why there was none, in a word. `retry_after` is in seconds, where
    its receiver asks for that."""

    status: int = 0
    why: str = ""
    retry_after: float | None = None

    @property
    def word(self) -> str:
        return str(self.status) if self.status else self.why


class _NotPublic(OSError):
    """A name leads into a network that is nobody's but ours."""


def headers(body: bytes, post_id: str, secrets: Sequence[str], now: float) -> dict[str, str]:
    """What proves whose a post is: its id, the time of this try, and a signature for each secret."""
    at = str(int(now))
    signed = b".".join((post_id.encode(), at.encode(), body))
    made = (hmac.digest(webhooks.key_of(secret), signed, hashlib.sha256) for secret in secrets)
    return {
        "webhook-id": post_id,
        "webhook-timestamp": at,
        "webhook-signature": " ".join(f"v1,{base64.b64encode(one).decode()}" for one in made),
    }


def post(url: str, body: bytes, proof: Mapping[str, str], *, anywhere: bool = False) -> Answer:
    """Post `body` with the headers of `proof`. Never raises for what the network or the receiver does.

    `anywhere`: also to this machine and its network.
    """
    until = time.monotonic() + SECONDS
    parts = urlsplit(url)
    try:
        with closing(_line(parts, anywhere, until)) as line:
            line.settimeout(_left(until))
            line.sendall(_request(parts, body, proof))
            answer = http.client.HTTPResponse(_Read(line, until), method="POST")  # type: ignore[arg-type]
            answer.begin()
            return Answer(answer.status, retry_after=_seconds(answer.getheader("Retry-After")))
    except _NotPublic:
        return Answer(why=NOT_PUBLIC)
    except tuple(kind for kind, _ in _WORDS) as error:
        return Answer(why=next(word for kind, word in _WORDS if isinstance(error, kind)))


def _request(parts: SplitResult, body: bytes, proof: Mapping[str, str]) -> bytes:
    asked = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = {
        "Host": parts.netloc,
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "User-Agent": "Heraldo",
        "Accept": "*/*",
        "Connection": "close",
        **proof,
    }
    head = [f"POST {asked} HTTP/1.1", *(f"{name}: {value}" for name, value in lines.items())]
    # None can end its line and begin another.
    assert all(_PRINTABLE.match(line) for line in head), "a header has what no header may"  # noqa: S101
    return "\r\n".join([*head, "", ""]).encode("ascii") + body


def _line(parts: SplitResult, anywhere: bool, until: float) -> socket.socket:
    """A line to the host of a URL, encrypted where that says so."""
    host, secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # All of them: a name that has one address here and one there is no mistake.
    if not anywhere and not all(hosts.is_public(str(address[0])) for *_, address in found):
        raise _NotPublic
    line = _connected(found, until)
    if not secure:
        return line
    try:
        line.settimeout(_left(until))
        return _context().wrap_socket(line, server_hostname=host)
    except BaseException:
        line.close()
        raise


def _connected(found: Sequence[Any], until: float) -> socket.socket:
    """A line to the first of these addresses that takes one, as they were looked at and not asked for again."""
    failure: OSError = socket.gaierror()
    for family, kind, protocol, _, address in found:
        line = socket.socket(family, kind, protocol)
        try:
            line.settimeout(_left(until))
            line.connect(address)
        except OSError as error:
            line.close()
            failure = error
        else:
            return line
    raise failure


@functools.cache
def _context() -> ssl.SSLContext:
    return ssl.create_default_context()


class _Read(io.RawIOBase):
    """An answer as `http.client` reads it, but that all of it has one time. A socket's own timeout is for each
    read, and one byte in nine seconds would never end."""

    def __init__(self, line: socket.socket, until: float) -> None:
        self._line, self._until = line, until

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._line.settimeout(_left(self._until))
        return self._line.recv_into(buffer)


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _seconds(text: str | None) -> float | None:
    """What a Retry-After says: seconds, or a date. https://www.rfc-editor.org/rfc/rfc9110#field.retry-after"""
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        at = email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())
