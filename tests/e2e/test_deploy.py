"""Both ways to deploy, as docs/deploy.md has them, from a shell, on the local AWS with IAM enforced."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cli.stack import inbox
from cli.stack.emulator import Emulator
from tests.e2e.conftest import shell_environment

STAGE = "dev"
# chalice looks every 5 s whether a function is active; the local AWS is quicker than that.
CHALICE = (
    "import time; nap = time.sleep; time.sleep = lambda seconds: nap(min(seconds, 0.1));"
    " from chalice.cli import main; main()"
)


def shell(tree: Path, emulator: Emulator, *command: str) -> str:
    done = subprocess.run(
        command,
        cwd=tree,
        env=shell_environment(emulator),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def deliver(emulator: Emulator, tmp_path: Path, subject: str) -> list[inbox.Delivery]:
    """Queue a CloudEvent as a script does, and wait for what subscribers get."""
    sqs, sns = emulator.client("sqs"), emulator.client("sns")
    topics = {t["TopicArn"].rsplit("-", 1)[1]: t["TopicArn"] for t in sns.list_topics()["Topics"]}
    queue = inbox.subscribe(sqs, sns, topics)
    sample = Path(__file__).parents[2] / "templates" / "critical.alert" / "sample.json"
    event: dict[str, Any] = json.loads(sample.read_text("utf-8"))
    event |= {"specversion": "1.0", "id": subject}
    event["data"]["summary"] = subject
    sqs.send_message(
        QueueUrl=sqs.get_queue_url(QueueName=f"heraldo-{STAGE}-alerts.fifo")["QueueUrl"],
        MessageBody=json.dumps(event),
        MessageGroupId="g",
    )
    found: list[inbox.Delivery] = []
    for _ in range(20):
        inbox.receive(sqs, queue, tmp_path / "inbox.jsonl", found.append, wait=1)
        if len(found) == 2:
            break
    return found


def mappings(emulator: Emulator) -> dict[str, str]:
    found = emulator.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    return {
        m["EventSourceArn"].rsplit(":", 1)[1]: m["FunctionArn"].rsplit(":", 1)[1] for m in found
    }


EXPECTED_MAPPINGS = {
    f"heraldo-{STAGE}-{lane}.fifo": f"heraldo-{STAGE}-{lane}"
    for lane in ("orders", "promotions", "reminders", "alerts")
}


def test_infrastructure_and_then_plain_chalice_deploy(
    tree: Path, emulator: Emulator, tmp_path: Path
) -> None:
    said = shell(tree, emulator, "make", "infra", f"STAGE={STAGE}")
    assert f"heraldo-{STAGE}-infra is deployed" in said
    shell(tree, emulator, ".venv/bin/python", "-c", CHALICE, "deploy", "--stage", STAGE)

    assert mappings(emulator) == EXPECTED_MAPPINGS
    delivered = deliver(emulator, tmp_path, "Llega por chalice deploy, ¿eh?")
    assert {d["topic"] for d in delivered} == {
        f"heraldo-{STAGE}-alerts",
        f"heraldo-{STAGE}-company",
    }
    assert all("Llega por chalice deploy, ¿eh?" in d["message"] for d in delivered)

    assert "nothing has changed" in shell(tree, emulator, "make", "infra", f"STAGE={STAGE}")


def test_the_single_packaged_stack(tree: Path, emulator: Emulator, tmp_path: Path) -> None:
    said = shell(tree, emulator, "make", "deploy", f"STAGE={STAGE}")
    assert "CREATE_COMPLETE  Lambda::Function  Orders" in said
    assert f"heraldo-{STAGE} is deployed\nAPI: https://" in said

    assert mappings(emulator) == EXPECTED_MAPPINGS
    delivered = deliver(emulator, tmp_path, "Llega por la pila, ¿eh?")
    assert len(delivered) == 2
    assert all("Llega por la pila, ¿eh?" in d["message"] for d in delivered)

    assert "nothing has changed" in shell(tree, emulator, "make", "deploy", f"STAGE={STAGE}")


def test_a_deploy_that_fails_says_which_resource_and_why(tree: Path, emulator: Emulator) -> None:
    resources = tree / "infra" / "resources.yaml"
    text = resources.read_text("utf-8")
    wrong = "{Type: AWS::SQS::Queue, Properties: {MessageRetentionPeriod: 1}}"
    resources.write_text(f"{text}\n  WrongQueue: {wrong}\n")

    with pytest.raises(AssertionError) as failure:
        shell(tree, emulator, "make", "infra", f"STAGE={STAGE}")

    said = str(failure.value)
    assert f"heraldo-{STAGE}-infra was not deployed (ROLLBACK_COMPLETE)" in said
    assert "WrongQueue: " in said
    assert "MessageRetentionPeriod" in said

    resources.write_text(text)
    assert "is deployed" in shell(tree, emulator, "make", "infra", f"STAGE={STAGE}")
