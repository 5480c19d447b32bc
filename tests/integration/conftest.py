"""What the integration tests share: a stage on moto."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration import aws_fixture
from tests.integration.aws_fixture import Stage


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    yield from aws_fixture.stage(monkeypatch)
