"""What `make deploy` and `make infra` tell before they change anything, and that they ask at a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

from cli.paths import ROUTING
from cli.stack.emulator import Emulator
from tests.e2e.conftest import shell_environment
from tests.e2e.test_deploy import STAGE, chalice_deploy, declare, mappings, run, shell


def at_a_terminal(tree: Path, emulator: Emulator, answer: str, *command: str) -> tuple[int, str]:
    """Run a command whose streams are a terminal, and answer what it asks."""
    ours, its = pty.openpty()
    process = subprocess.Popen(
        command,
        cwd=tree,
        env=shell_environment(emulator),
        stdin=its,
        stdout=its,
        stderr=its,
        start_new_session=True,
    )
    os.close(its)
    said, answered = "", False
    while True:
        try:
            got = os.read(ours, 65536)
        except OSError:  # it has ended
            break
        said += got.decode("utf-8", "replace")
        if not answered and said.rstrip().endswith(("[y/N]:", "To go on, type its name:")):
            answered = True
            os.write(ours, f"{answer}\n".encode())
    os.close(ours)
    return process.wait(), said


def edit(tree: Path) -> None:
    """Other words, another destination, a lane and a topic more, and another answer to mails."""
    declare(tree)
    routing = tree / ROUTING
    text = routing.read_text("utf-8")
    was = 'to = ["topic:company"]\nstop = true'
    assert was in text
    now = 'to = ["topic:company", "topic:buyers"]\nstop = true'
    routing.write_text(text.replace(was, now), "utf-8")
    words = tree / "templates" / "order.shipped" / "es.j2"
    text = words.read_text("utf-8").replace("{% block subject %}", "{% block subject %}Ya: ", 1)
    words.write_text(text, "utf-8")
    stages = tree / "stages.toml"
    text = stages.read_text("utf-8").replace("[dev]\n", '[dev]\nreply_to = "hola@abedul.example"\n')
    stages.write_text(text, "utf-8")


WORDS = (
    "Words: 1 message of 1 event type say something else",
    "- 📦 Tu pedido A-1042 va de camino",
    "+ Ya: 📦 Tu pedido A-1042 va de camino",
)
RULES = "+topic:buyers/es: order.unpaid, order.unpaid ("


def test_the_one_stack(tree: Path, emulator: Emulator) -> None:
    command = ("make", "deploy", f"STAGE={STAGE}")
    code, said = at_a_terminal(tree, emulator, "n", *command)
    assert f"heraldo-{STAGE} is new. It gets" in said
    assert "4 tables" in said
    assert "10 functions" in said
    assert code != 0
    assert "Nothing was changed." in said
    assert emulator.client("s3").list_buckets()["Buckets"] == []
    assert emulator.client("cloudformation").describe_stacks()["Stacks"] == []

    shell(tree, emulator, *command)  # nobody sits there
    code, said = at_a_terminal(tree, emulator, "", *command)
    assert (code, f"heraldo-{STAGE}: nothing would change" in said) == (0, True), said
    assert "[y/N]" not in said

    edit(tree)
    code, said = at_a_terminal(tree, emulator, "n", *command)
    assert code != 0
    assert f"heraldo-{STAGE}-stock.fifo" not in mappings(emulator)
    said = shell(tree, emulator, *command)
    for told in (
        f"heraldo-{STAGE} would change:",
        "+ 4 queues (",
        f"+ topic heraldo-{STAGE}-buyers",
        "~ 10 functions (",
        "Environment.Variables.HERALDO_REPLY_TO",
        "~ the code of 10 functions",
        f"+ heraldo-{STAGE}-sweep: sqs:GetQueueUrl, sqs:SendMessage* on heraldo-{STAGE}-stock.fifo",
        f"+ heraldo-{STAGE}-stock, with itself: ",
        *WORDS,
        RULES,
    ):
        assert told in said, told
    assert f"heraldo-{STAGE}-stock.fifo" in mappings(emulator)
    code, said = run(tree, emulator, *command, YES="1")
    assert (code, "nothing would change" in said) == (0, True), said


def test_infrastructure_and_plain_chalice(tree: Path, emulator: Emulator) -> None:
    command = ("make", "infra", f"STAGE={STAGE}")
    said = shell(tree, emulator, *command)
    assert f"heraldo-{STAGE}-infra is new. It gets" in said
    chalice_deploy(tree, emulator)

    edit(tree)
    said = shell(tree, emulator, *command, YES="1")
    own, _, chalices = said.partition(f"And `chalice deploy --stage {STAGE}` after it:")
    assert f"+ topic heraldo-{STAGE}-buyers" in own
    for told in (
        f"+ function heraldo-{STAGE}-stock",
        f"+ heraldo-{STAGE}-sweep: sqs:GetQueueUrl, sqs:SendMessage* on heraldo-{STAGE}-stock.fifo",
        *WORDS,
        RULES,
    ):
        assert told in chalices, told

    chalice_deploy(tree, emulator)
    said = shell(tree, emulator, *command)
    assert f"heraldo-{STAGE}-infra: nothing would change" in said
    assert "Words: no sample says anything else" in said
    assert "Rules: every sample and example goes where it went" in said
    assert "Who may do what" not in said
