"""What a shell is offered to complete."""

from __future__ import annotations

import pytest
from click.shell_completion import ShellComplete

from cli.main import main


@pytest.mark.parametrize(
    ("words", "start", "offered"),
    [
        ([], "sen", ["send"]),
        (["send"], "order.s", ["order.shipped"]),
        (["plan"], "payment.", ["payment.confirmed", "payment.failed", "payment.reminder"]),
        (["event-types"], "_", []),
        (["keys", "create"], "--sc", ["--scope"]),
        (["preview"], "order.p", ["order.placed"]),
        (["preview", "--locale"], "", ["en", "es"]),
        (["subscribe"], "u", ["users"]),
        (["plan", "--stage"], "p", ["prod"]),
    ],
)
def test_a_shell_completes_whatever_has_names(
    words: list[str], start: str, offered: list[str]
) -> None:
    found = ShellComplete(main, {}, "heraldo", "_HERALDO_COMPLETE").get_completions(words, start)
    assert [item.value for item in found] == offered
