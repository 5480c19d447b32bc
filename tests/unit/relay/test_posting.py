"""chalicelib/relay/posting.py: what a post says, and that it proves whose it is."""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from chalicelib.relay import posting

# The example of the reference libraries:
# https://github.com/standard-webhooks/standard-webhooks/blob/main/libraries/python/tests/test_webhooks.py
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + base64.b64encode(b"0" * 32).decode()
BODY = b'{"test": 2432232314}'


def test_a_signature_is_that_of_the_published_example() -> None:
    made = posting.headers(BODY, "msg_p5jXN8AQM9LWM0D4loKWxJek", [SECRET], 1614265330.9)
    assert made == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@given(body=st.binary(max_size=200), secrets=st.permutations([SECRET, OTHER]))
def test_the_reference_library_verifies_what_is_signed_with_any_of_two_secrets(
    body: bytes, secrets: Sequence[str]
) -> None:
    text = body.hex()
    made = posting.headers(f'"{text}"'.encode(), "msg_1", secrets, time.time())
    for secret in secrets:
        assert Webhook(secret).verify(f'"{text}"', made) == text
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(f'"{text}x"', made)


@pytest.mark.parametrize(
    ("url", "first", "host"),
    [
        ("https://erp.example", b"POST / HTTP/1.1", b"Host: erp.example"),
        ("https://erp.example:8443/in/a", b"POST /in/a HTTP/1.1", b"Host: erp.example:8443"),
        ("https://erp.example/in?key=1&b=%20", b"POST /in?key=1&b=%20 HTTP/1.1", b"Host: erp.example"),
        ("https://[2606:4700::1111]/", b"POST / HTTP/1.1", b"Host: [2606:4700::1111]"),
    ],
)  # fmt: skip
def test_a_request_asks_for_all_of_the_url(url: str, first: bytes, host: bytes) -> None:
    asked = posting._request(urlsplit(url), b"{}", {"webhook-id": "msg_1"})
    head, _, body = asked.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert (lines[0], body) == (first, b"{}")
    assert {host, b"Content-Length: 2", b"webhook-id: msg_1"} <= set(lines)


@pytest.mark.parametrize("odd", ["a\r\nX-Other: 1", "a\nb", "a\x00", "ñ"])
def test_nothing_ends_a_header_and_begins_another(odd: str) -> None:
    with pytest.raises(AssertionError, match="no header may"):
        posting._request(urlsplit("https://erp.example/"), b"{}", {"webhook-id": odd})


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("", None),
        ("120", 120.0),
        ("0", 0.0),
        ("99999999999999999999", 999999999.0),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("٣", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
    ],
)
def test_a_retry_after_is_read(text: str | None, seconds: float | None) -> None:
    assert posting._seconds(text) == seconds


def test_a_retry_after_may_be_a_date_to_come() -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(minutes=10), usegmt=True)
    assert 590 < (posting._seconds(at) or 0) <= 600
