"""How commands show the API who they are."""

from __future__ import annotations

from typing import Any

import pytest

from cli import target as targets
from cli.stages import Settings
from cli.target import Target


class Pool:
    """A pool that answers nothing, and keeps what it was asked."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}

    def request(self, _method: str, _url: str, *, body: Any, headers: dict[str, str]) -> Any:
        del body
        self.headers = headers
        return type("Answer", (), {"status": 200, "data": b"{}"})


@pytest.mark.parametrize("auth", ["keys", "iam"])
def test_a_stage_is_shown_a_key_or_a_signature(auth: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Pool()
    monkeypatch.setattr(targets, "_pool", lambda: pool)
    monkeypatch.setattr(targets, "stages", lambda: {"dev": Settings("dev", auth=auth)})
    target = Target("dev", "https://api.example/api", "hk_1", "http://127.0.0.1:1", "eu-west-1")
    assert target.call("POST", "/events?dry_run=true", {"type": "a"}) == (200, {})
    proof = pool.headers["Authorization"]
    if auth == "keys":
        assert proof == "Bearer hk_1"
    else:
        assert proof.startswith("AWS4-HMAC-SHA256 Credential=test/")
        assert "/eu-west-1/execute-api/aws4_request" in proof
        assert "X-Amz-Date" in pool.headers
    assert pool.headers["Content-Type"] == "application/json"
