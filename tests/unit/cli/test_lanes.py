"""cli/lanes.py: how long the oldest message waits, by what CloudWatch says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from chalicelib.patience import Patience
from chalicelib.stage import Stage
from cli.lanes import _oldest
from tests.unit.cli.account import STAGE, Account

NOW = datetime(2026, 11, 26, 9, tzinfo=UTC)


def test_cloudwatch_tells_the_age_of_the_oldest_of_each_lane_that_has_any() -> None:
    told = {
        "MetricDataResults": [
            {"Id": "q0", "Label": "orders", "Values": [95.0, 30.0], "StatusCode": "Complete"},
            {"Id": "q1", "Label": "alerts", "Values": [], "StatusCode": "Complete"},
        ]
    }
    account: Any = Account({"GetMetricData": told})
    stage = Stage(STAGE, account.client)
    found = _oldest(account, stage, ["orders", "alerts"], NOW, Patience(1))
    assert found == {"orders": 95.0}
