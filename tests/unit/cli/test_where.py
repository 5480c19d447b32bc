"""Which local stack a command means, where several run from one clone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cli.stack import where


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(where, "HOME", tmp_path)
    monkeypatch.setattr(where, "LOCAL", tmp_path / "local.json")
    monkeypatch.delenv("HERALDO_PORT", raising=False)
    return tmp_path


def start(port: int) -> None:
    where.home(port).mkdir(exist_ok=True)
    where.write(port, {"endpoint_url": f"http://127.0.0.1:{port}"})
    os.utime(where.written(port), (port, port))


def meant() -> str:
    return str(where.running()["endpoint_url"]).rpartition(":")[2]


def test_the_one_that_was_started_last_is_meant() -> None:
    start(4566)
    start(4600)
    assert meant() == "4600"


def test_the_port_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    start(4566)
    start(4600)
    monkeypatch.setenv("HERALDO_PORT", "4566")
    assert meant() == "4566"
    monkeypatch.setenv("HERALDO_PORT", "4700")
    with pytest.raises(FileNotFoundError):
        where.running()


def test_when_one_ends_another_that_runs_is_meant() -> None:
    for port in (4566, 4600, 4700):
        start(port)
    where.forget(4700)
    assert meant() == "4600"
    where.forget(4566)
    assert meant() == "4600"
    where.forget(4600)
    with pytest.raises(FileNotFoundError):
        where.running()


def test_one_that_never_came_up_takes_nothing_away() -> None:
    start(4566)
    where.forget(4600)
    assert meant() == "4566"


def test_the_key_is_for_its_owner_alone(home: Path) -> None:
    start(4566)
    for file in (home / "local.json", where.written(4566)):
        assert file.stat().st_mode & 0o077 == 0
