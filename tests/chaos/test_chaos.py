"""The small form of `make chaos`: every fault at least once, a few hundred events."""

from __future__ import annotations

import os
from pathlib import Path

from tests.chaos.run import run


def test_whatever_breaks_subscribers_get_everything_in_order_and_once(tmp_path: Path) -> None:
    report = run(300, int(os.environ.get("SEED", "7")), tmp_path)
    print(report)
    assert report.kept, f"{report}\n{report.problems()}"
    assert report.killed
    assert {"partial", "reset", "500", "throttled", "timeout", "502"} <= {
        name.partition("-")[0] for name in report.faults
    }
