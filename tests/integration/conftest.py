"""What the integration tests share: a stage on moto, which is also what `./heraldo` talks to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.rules import reading
from cli import target as targets
from cli.stack import where
from tests.factories import REGION, customers_hear_by
from tests.integration import aws_fixture
from tests.integration.aws_fixture import Stage


@pytest.fixture(autouse=True)
def customers_are_a_topic(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """The shipped rules, but that what is a customer's own goes to a topic: these tests count what arrives
    there, and moto sends no e-mails in bulk."""
    text = customers_hear_by("topic:users", reading.FILE.read_text("utf-8"))
    file = tmp_path / "routing.toml"
    file.write_text(text, "utf-8")
    monkeypatch.setattr(reading, "FILE", file)
    reading.routing.cache_clear()
    yield
    reading.routing.cache_clear()


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Stage]:
    local = tmp_path / "local.json"
    found = {"api_url": "", "api_key": "", "endpoint_url": None, "region": REGION}
    local.write_text(json.dumps(found), "utf-8")
    monkeypatch.setattr(where, "LOCAL", local)
    targets._session.cache_clear()
    yield from aws_fixture.stage(monkeypatch)
