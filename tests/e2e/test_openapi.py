"""What GET /openapi.json says is what the deployed API does: schemathesis, with all its checks.

Everything runs side by side, because the local AWS takes 50 ms for each request and as many requests
at once as come. `HERALDO_SCHEMATHESIS=full` covers every event type (some minutes) instead of three.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from chalicelib.door import http
from chalicelib.words.render import templates
from tests.e2e.conftest import Stack

FULL = os.environ.get("HERALDO_SCHEMATHESIS") == "full"
SEEDS = (1, 2, 3, 4, 5, 6) if FULL else (1, 2)
EXAMPLES = 200 if FULL else 50
# An array of objects with sums, a number that may be a text, and a list of texts.
COVERED = templates().types if FULL else ("order.placed", "payment.failed", "promotion.started")


def of_one_type(document: dict[str, Any], event_type: str) -> dict[str, Any]:
    """The document with one address and one event type: its part of the coverage phase."""
    schemas = document["components"]["schemas"]
    mapping = schemas["Event"]["discriminator"]["mapping"]
    events = {ref.rsplit("/", 1)[1] for ref in mapping.values()}
    name = mapping[event_type].rsplit("/", 1)[1]
    others = {n: s for n, s in schemas.items() if n == name or n not in events}
    return {
        **document,
        "paths": {"/events": document["paths"]["/events"]},
        "components": {
            **document["components"],
            "schemas": {**others, "Event": {"$ref": f"#/components/schemas/{name}"}},
        },
    }


def test_the_document_says_what_the_api_does(stack: Stack, tmp_path: Path) -> None:
    status, document = stack.call("GET", "/openapi.json", key="")
    assert status == 200
    assert document["servers"] == [{"url": stack.local["api_url"]}]

    # TRACE is no method that an API of API Gateway can have: such a request never gets to ours.
    methods = sorted(http.METHODS - {"HEAD"})  # which schemathesis leaves out
    # The schemas of events let through all that the door accepts, and a little more: whether an event
    # becomes words is decided by rendering it. So what is valid may be refused, if as such.
    accepted = [*("2xx", "401", "403", "404", "409", "429", "5xx"), "422"]
    (tmp_path / "schemathesis.toml").write_text(
        f"[phases.coverage]\nunexpected-methods = {json.dumps(methods)}\n"
        f"[checks.positive_data_acceptance]\nexpected-statuses = {json.dumps(accepted)}\n",
        "utf-8",
    )

    def run(name: str, given: dict[str, Any], *options: str) -> tuple[str, int, str]:
        file = tmp_path / f"{name}.json"
        file.write_text(json.dumps(given), "utf-8")
        done = subprocess.run(
            [
                *(Path(sys.executable).with_name("schemathesis"), "run", file),
                *("--url", stack.local["api_url"], "--checks", "all", "--no-color"),
                *("--header", f"Authorization: Bearer {stack.local['api_key']}"),
                *("--continue-on-failure", "--suppress-health-check", "all"),
                # The local AWS starts a process for each request that comes at once.
                *("--request-timeout", "60", *options),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        return name, done.returncode, done.stdout + done.stderr

    shared = {**document, "paths": {p: i for p, i in document["paths"].items() if p != "/events"}}
    fuzzing = ("--phases", "examples,fuzzing,stateful", "-n", str(EXAMPLES), "--workers", "5")
    with ThreadPoolExecutor(16) as pool:
        runs = [pool.submit(run, f"seed-{s}", document, *fuzzing, "--seed", str(s)) for s in SEEDS]
        runs += [
            pool.submit(run, event_type, of_one_type(document, event_type), "--phases", "coverage")
            for event_type in COVERED
        ]
        if FULL:
            runs.append(
                pool.submit(run, "others", shared, "--phases", "coverage", "--workers", "5")
            )
        failed = [r.result() for r in runs if r.result()[1] != 0]
    if failed:
        pytest.fail("\n\n".join(f"{name}:\n{said[-6000:]}" for name, _, said in failed))
