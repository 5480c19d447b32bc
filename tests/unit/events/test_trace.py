"""chalicelib/events/trace.py: the trace that an event is part of."""

from __future__ import annotations

import pytest

from chalicelib.events.trace import trace_of

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(
    ("traceparent", "trace"),
    [
        (f"00-{TRACE}-00f067aa0ba902b7-01", TRACE),
        (f"cc-{TRACE}-00f067aa0ba902b7-01-what-a-later-version-adds", TRACE),
        (f"00-{TRACE}-00f067aa0ba902b7-01\n", ""),
        (f"00-{TRACE.upper()}-00f067aa0ba902b7-01", ""),
        (f"00-{'0' * 32}-00f067aa0ba902b7-01", ""),
        ("lucia@example.com", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_a_trace_has_the_id_that_w3c_gives_it(traceparent: str | None, trace: str) -> None:
    assert trace_of(traceparent) == trace
