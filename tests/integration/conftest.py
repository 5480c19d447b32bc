"""What the integration tests share: a stage on moto, which is also what `./heraldo` talks to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli import target as targets
from cli.stack import where
from tests.factories import REGION
from tests.integration import aws_fixture
from tests.integration.aws_fixture import Stage


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Stage]:
    local = tmp_path / "local.json"
    found = {"api_url": "", "api_key": "", "endpoint_url": None, "region": REGION}
    local.write_text(json.dumps(found), "utf-8")
    monkeypatch.setattr(where, "LOCAL", local)
    targets._session.cache_clear()
    yield from aws_fixture.stage(monkeypatch)
