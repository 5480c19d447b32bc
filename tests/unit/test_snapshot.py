"""What is done before a snapshot: all that is the same for all, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cli.paths import ROOT

TOLD = """
import json, socket
def refuse(*_, **__):
    raise AssertionError("it asks somebody")
socket.socket.connect = refuse
import app
from chalicelib import aws
from chalicelib.words.render import templates
print(json.dumps({
    "clients": aws.client.cache_info().currsize,
    "stages": aws.stage.cache_info().currsize + aws.hurried_stage.cache_info().currsize,
    "known": sorted(key[1] for key in aws._session().get_component("data_loader")._cache if key[0] == "load_service_model"),
    "compiled": len(templates().environment.cache),
}))
"""


def told(version: str, function: str = "heraldo-local", **more: str) -> dict[str, Any]:
    """What a process of Lambda has when it is about to wait for its first event."""
    environment = {
        "PATH": "",
        "PYTHONPATH": str(ROOT),
        "HERALDO_STAGE": "local",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_LAMBDA_FUNCTION_NAME": function,
        "AWS_LAMBDA_FUNCTION_VERSION": version,
        **more,
    }
    done = subprocess.run(
        [sys.executable, "-c", TOLD], env=environment, cwd=ROOT, capture_output=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("function", ["heraldo-local", "heraldo-local-console"])
def test_a_version_has_all_words_and_models_and_neither_clients_nor_credentials(
    function: str,
) -> None:
    found = told("7", function)
    assert found["compiled"] > 40
    assert {"dynamodb", "sqs", "lambda"} <= set(found["known"])
    assert (found["clients"], found["stages"]) == (0, 0)


def test_what_is_no_version_waits_until_it_is_asked() -> None:
    found = told("$LATEST")
    assert (found["compiled"], found["known"], found["clients"]) == (0, [], 0)


def test_what_is_random_begins_anew_in_each_that_begins_from_a_snapshot(tmp_path: Path) -> None:
    hooks = tmp_path / "snapshot_restore_py.py"
    hooks.write_text(
        "def register_after_restore(function):\n    print(function.__qualname__)\n", "utf-8"
    )
    code = "from chalicelib.snapshot import prepare\nprepare()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={
            "PATH": "",
            "PYTHONPATH": f"{ROOT}:{tmp_path}",
            "HERALDO_STAGE": "local",
            "AWS_DEFAULT_REGION": "us-east-1",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "Random.seed\n"
