"""What every command of `./heraldo` has in common."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest
from click.testing import CliRunner

from cli.main import main
from cli.paths import ROOT


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["lnt"], "did you mean lint"),
        (["dead-leters", "list"], "did you mean dead-letters"),
        (["keys", "lst"], "did you mean list"),
        (["dead-letters", "redrve"], "did you mean redrive"),
        (["xyzzy"], "there are send, status"),
    ],
)
def test_a_misspelt_command_gets_the_nearest(words: list[str], meant: str) -> None:
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2
    assert meant in done.output


def on_a_terminal(**environment: str) -> str:
    """What `./heraldo plan` prints on a terminal."""
    master, slave = pty.openpty()
    done = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "plan", "order.placed"],
        cwd=ROOT,
        env={**os.environ, "TERM": "xterm", **environment},
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    said = b""
    try:
        while some := os.read(master, 65536):
            said += some
    except OSError:  # how a terminal says that nobody writes to it any more
        pass
    finally:
        os.close(master)
    assert done.wait(60) == 0
    return said.decode()


def test_a_terminal_gets_colour_unless_it_wants_none() -> None:
    assert "\x1b[" in on_a_terminal()
    assert "\x1b[" not in on_a_terminal(NO_COLOR="1")
