"""`auth = "iam"` in stages.toml: callers sign their requests, and no key is asked for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from chalicelib.stage import Stage
from chalicelib.store import secrets, tokens
from chalicelib.store.tokens import Grant
from cli.deploy import package
from cli.stack import local
from cli.stack.emulator import CREDENTIALS, REGION, Emulator, free_port
from tests.e2e.conftest import copied
from tests.factories import sample
from tests.patience import PATIENCE

ROOT_USER = Credentials(CREDENTIALS["AWS_ACCESS_KEY_ID"], CREDENTIALS["AWS_SECRET_ACCESS_KEY"])


@pytest.fixture(scope="module")
def signed_tree(built: package.Package, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree with a stage of which stages.toml says that callers sign."""
    tree = copied(tmp_path_factory.mktemp("signed") / "tree", built)
    file = tree / "stages.toml"
    text = file.read_text("utf-8")
    assert "[local]\n" in text
    file.write_text(text.replace("[local]\n", '[local]\nauth = "iam"\n'), "utf-8")
    return tree


@pytest.fixture(scope="module")
def signed_package(signed_tree: Path) -> package.Package:
    folder = signed_tree.parent / "package"
    environment = {"PATH": os.environ["PATH"], "HOME": str(signed_tree.parent)}
    for command in (["cli.deploy.generated"], ["cli.deploy.package", "--stage", "local"]):
        out = ["--out", str(folder)] if "--stage" in command else []
        subprocess.run(
            [sys.executable, "-m", *command, *out],
            cwd=signed_tree,
            env=environment,
            check=True,
            capture_output=True,
        )
    template = json.loads((folder / "sam.json").read_text("utf-8"))
    return package.Package("local", template, folder / "deployment.zip")


@pytest.fixture(scope="module")
def running(
    signed_package: package.Package, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Emulator, local.Local]]:
    with Emulator(tmp_path_factory.mktemp("aws"), free_port()) as emulator:
        facts, _ = local.set_up(emulator, signed_package)
        yield emulator, facts


def call(
    facts: local.Local,
    method: str,
    path: str,
    body: Any = None,
    credentials: Credentials | None = None,
    **headers: str,
) -> tuple[int, dict[str, Any]]:
    data = b"" if body is None else json.dumps(body).encode()
    request = AWSRequest(method, facts["api_url"] + path, headers, data)
    if data:
        request.headers["Content-Type"] = "application/json"
    if credentials:
        SigV4Auth(credentials, "execute-api", REGION).add_auth(request)
    sent = urllib.request.Request(
        request.url, data or None, dict(request.headers.items()), method=method
    )
    try:
        with urllib.request.urlopen(sent, timeout=PATIENCE) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refusal:
        return refusal.code, json.load(refusal)


def test_the_keyed_addresses_ask_for_a_signature_and_the_others_do_not(
    signed_package: package.Package,
) -> None:
    body = signed_package.template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]
    [(scheme, definition)] = body["securityDefinitions"].items()
    assert definition["x-amazon-apigateway-authtype"] == "awsSigv4"
    signed = {
        (path, method)
        for path, methods in body["paths"].items()
        for method, operation in methods.items()
        if {scheme: []} in operation.get("security", [])
    }
    assert signed == {
        ("/events", "post"),
        ("/events/batch", "post"),
        ("/events/{event_id}", "get"),
        ("/events/{event_id}", "head"),
        ("/events/{event_id}", "delete"),
        ("/events/{event_id}/ack", "post"),
        ("/event-types", "get"),
        ("/event-types", "head"),
        *(
            ("/recipients/{recipient_id}", method)
            for method in ("get", "head", "put", "patch", "delete")
        ),
    }


def test_a_signature_is_needed_and_enough(running: tuple[Emulator, local.Local]) -> None:
    _, facts = running
    event = {**sample("order.shipped"), "id": "signed"}
    del event["source"]
    key = f"Bearer {facts['api_key']}"

    assert call(facts, "GET", "/health")[0] == 200
    assert call(facts, "GET", "/openapi.json")[1]["security"] == [{"signature": []}]
    # API Gateway has one answer for an address that is not there and for a missing signature.
    status, problem = call(facts, "POST", "/events", event)
    assert (status, "signature" in problem["detail"]) == (404, True)
    assert call(facts, "POST", "/events", event, Authorization=key)[0] in (401, 403)
    assert call(facts, "POST", "/events", event, ROOT_USER)[0] == 202
    status, life = call(facts, "GET", "/events/signed", credentials=ROOT_USER)
    assert (status, life["source"]) == (200, "root")


def test_the_pages_at_the_foot_of_a_mail_are_for_everybody(
    running: tuple[Emulator, local.Local],
) -> None:
    emulator, facts = running
    keys = secrets.made(Stage("local", emulator.client)).tokens
    token = tokens.sign(keys, Grant("person:c-1", "promotions", "email", "en"), time.time())
    link = f"{facts['api_url']}/u/{token}"
    with urllib.request.urlopen(link, timeout=PATIENCE) as shown:
        assert "Stop getting these messages?" in shown.read().decode()
    with urllib.request.urlopen(link, b"List-Unsubscribe=One-Click", timeout=PATIENCE) as done:
        assert (done.status, "you will get no more" in done.read().decode()) == (200, True)
    with urllib.request.urlopen(link.replace("/u/", "/p/"), timeout=PATIENCE) as shown:
        assert "What you hear about" in shown.read().decode()
    status, kept = call(facts, "GET", "/recipients/c-1", credentials=ROOT_USER)
    assert (status, kept["preferences"]) == (200, {"promotions": {"email": False}})


def test_what_a_caller_may_do_is_said_by_its_iam_policy(
    running: tuple[Emulator, local.Local],
) -> None:
    emulator, facts = running
    iam = emulator.client("iam")
    iam.create_user(UserName="warehouse")
    policy = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Action": "execute-api:Invoke",
            "Resource": "arn:aws:execute-api:*:*:*/api/POST/events",
        },
    }
    iam.put_user_policy(UserName="warehouse", PolicyName="send", PolicyDocument=json.dumps(policy))
    made = iam.create_access_key(UserName="warehouse")["AccessKey"]
    warehouse = Credentials(made["AccessKeyId"], made["SecretAccessKey"])
    event = {**sample("order.shipped"), "id": "from-the-warehouse"}
    del event["source"]
    forged = Credentials(warehouse.access_key, "another secret")

    assert call(facts, "POST", "/events", event, forged)[0] == 403
    assert call(facts, "POST", "/events", event, warehouse)[0] == 202
    status, problem = call(facts, "POST", "/events", {**event, "source": "/shop"}, warehouse)
    assert (status, problem["type"]) == (403, "urn:heraldo:problem:source")
    assert call(facts, "GET", "/event-types", credentials=warehouse)[0] == 403
    life = call(facts, "GET", "/events/from-the-warehouse", credentials=ROOT_USER)[1]
    assert life["source"] == "warehouse"


def test_the_command_line_signs_by_itself(
    running: tuple[Emulator, local.Local], signed_tree: Path
) -> None:
    _, facts = running
    (signed_tree / ".heraldo" / "local.json").write_text(json.dumps(facts), "utf-8")
    environment = {"PATH": os.environ["PATH"], "HOME": str(signed_tree.parent)}

    def heraldo(*words: str) -> Any:
        done = subprocess.run(
            ["./heraldo", *words, "--json"],
            cwd=signed_tree,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    assert heraldo("send", "order.shipped", "--id", "by-hand")["status"] == "accepted"
    assert heraldo("status", "by-hand")["source"] == "root"
    assert heraldo("verify", "--events", "20")["passed"]
