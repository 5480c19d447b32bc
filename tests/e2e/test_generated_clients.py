"""GET /openapi.json makes clients: three generators, what they made imported or compiled, and sent with."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from chalicelib.words.render import templates
from tests.e2e.conftest import ROOT, Stack, is_to

BIN = ROOT / ".venv-clients" / "bin"
MODULES = ROOT / ".venv-clients" / "npm" / "node_modules"
CLIENTS = ROOT / "tests" / "clients"


@pytest.fixture
def folder(stack: Stack, tmp_path: Path) -> Path:
    """A folder of somebody who wants a client: the document, and what they wrote themselves."""
    status, document = stack.call("GET", "/openapi.json", key="")
    assert status == 200
    (tmp_path / "openapi.json").write_text(json.dumps(document), "utf-8")
    for file in CLIENTS.iterdir():
        shutil.copy(file, tmp_path)
    (tmp_path / "node_modules").symlink_to(MODULES)
    return tmp_path


def run(folder: Path, *command: str | Path, **environment: str) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env={"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + (done.stderr if command[0] == "openapi-python-client" else "")


def sent(stack: Stack, folder: Path, unique: str, *command: str | Path) -> Any:
    said = run(
        folder,
        *command,
        HERALDO_API_URL=stack.local["api_url"],
        HERALDO_API_KEY=stack.local["api_key"],
        EVENT_ID=unique,
    )
    return json.loads(said)


def accepted(unique: str, lane: str) -> list[Any]:
    return [202, {"id": unique, "status": "accepted", "lane": lane}]


def test_openapi_python_client(stack: Stack, folder: Path, unique: str) -> None:
    command = ("openapi-python-client", "generate", "--path", "openapi.json")
    said = run(folder, *command, "--output-path", "generated", "--meta", "none")
    assert "Unable" not in said
    assert "WARNING" not in said.upper()
    found = sent(stack, folder, unique, "python", "send.py")
    assert found == {
        "one": accepted(unique, "orders"),
        "batch": ["accepted"] * len(templates().types),
        "life": unique,
        "types": list(templates().types),
    }
    [delivery] = stack.received(is_to(unique))
    assert delivery["channel"] == "email"


def test_datamodel_codegen(stack: Stack, folder: Path, unique: str) -> None:
    run(
        folder,
        *("datamodel-codegen", "--input", "openapi.json", "--input-file-type", "openapi"),
        *("--output", "models.py", "--output-model-type", "pydantic_v2.BaseModel"),
        *("--formatters", "ruff-format"),
    )
    events = json.loads(run(folder, "python", "validate.py"))
    assert [event["type"] for event in events] == list(templates().types)
    batch = [{**event, "id": f"{unique}-{n}"} for n, event in enumerate(events)]
    status, results = stack.call("POST", "/events/batch", batch)
    assert (status, {result["status"] for result in results}) == (200, {"accepted"})


def test_openapi_typescript(stack: Stack, folder: Path, unique: str) -> None:
    run(folder, "node_modules/.bin/openapi-typescript", "openapi.json", "-o", "schema.d.ts")
    strict = ("--strict", "--target", "es2022", "--module", "nodenext")
    run(folder, "node_modules/.bin/tsc", *strict, "send.ts")
    assert sent(stack, folder, unique, "node", "send.js") == {
        "one": accepted(unique, "reminders"),
        "batch": ["duplicate", ["time"]],
        "refused": [422, "id"],
        "life": [unique, "accepted"],
        "types": ["reminder.due"],
    }
