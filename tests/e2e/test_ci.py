"""The pipeline in docs/ci runs as it stands: its shape is GitHub's, and each of its commands is run as it is there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.paths import ROOT
from cli.stack.emulator import Emulator
from tests.e2e.conftest import shell_environment

FOLDER = ROOT / "docs" / "ci"
WORKFLOW = FOLDER / "github-actions.yml"
JOBS: dict[str, Any] = yaml.safe_load(WORKFLOW.read_text("utf-8"))["jobs"]
TRUST = FOLDER / "github-trust.json"
# What stands for the commands that are GitHub's own.
GH = '#!/bin/sh\nprintf "%s " "$@" > "$GH_ASKED"\n'


def test_its_shape_is_that_of_a_workflow() -> None:
    command = (Path(sys.executable).with_name("check-jsonschema"), "--builtin-schema")
    done = subprocess.run(
        [*command, "vendor.github-workflows", WORKFLOW], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def git(tree: Path, *command: str) -> str:
    who = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false")
    done = subprocess.run(
        ["git", *who, *command], cwd=tree, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def base(tree: Path) -> str:
    """The commit that a pull request goes into, which changes a subject."""
    git(tree, "init", "-q")
    git(tree, "add", ".")
    git(tree, "commit", "-qm", "before")
    words = tree / "templates" / "order.shipped" / "es.j2"
    text = words.read_text("utf-8").replace("{% block subject %}", "{% block subject %}Ya: ", 1)
    words.write_text(text, "utf-8")
    git(tree, "commit", "-qam", "after")
    return git(tree, "rev-parse", "HEAD~1")


def steps(job: str) -> list[dict[str, Any]]:
    return [step for step in JOBS[job]["steps"] if "run" in step]


def run(tree: Path, step: dict[str, Any], values: dict[str, str], **more: str) -> None:
    """Run a step as a runner does, with these in the place of GitHub's expressions."""
    assert "${{" not in step["run"], "what a pull request says must not be part of a command"
    env = {
        name: re.sub(r"\$\{\{ (.+?) \}\}", lambda match: values[match[1]], value)
        for name, value in step.get("env", {}).items()
    }
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=tree,
        env={"PATH": os.environ["PATH"], "HOME": str(tree), "CI": "true", **env, **more},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_it_does_with_a_pull_request(tree: Path, base: str, tmp_path: Path) -> None:
    gh = tmp_path / "bin" / "gh"
    gh.parent.mkdir()
    gh.write_text(GH, "utf-8")
    gh.chmod(0o755)
    values = {
        "github.event.pull_request.base.sha": base,
        "github.event.pull_request.number": "7",
        "github.token": "t",
    }
    path = f"{gh.parent}{os.pathsep}{os.environ['PATH']}"
    for step in steps("check"):
        run(tree, step, values, PATH=path, GH_ASKED=str(tmp_path / "asked"))
    comment = (tree / "comment.md").read_text("utf-8")
    assert "━━ order.shipped in es" in comment
    assert "+ Ya: 📦" in comment
    asked = (tmp_path / "asked").read_text("utf-8")
    assert asked == "pr comment 7 --edit-last --create-if-none --body-file comment.md "


def test_words_that_do_not_render_are_told_and_fail_it(tree: Path, base: str) -> None:
    words = tree / "templates" / "order.shipped" / "es.j2"
    words.write_text(
        words.read_text("utf-8").replace("tracking.carrier", "tracking.nobody"), "utf-8"
    )
    [step] = [step for step in steps("check") if "preview" in step["run"]]
    with pytest.raises(AssertionError):
        run(tree, step, {"github.event.pull_request.base.sha": base})
    assert "does not render any more" in (tree / "words.md").read_text("utf-8")


def test_it_deploys(tree: Path, emulator: Emulator) -> None:
    [step] = steps("deploy")
    run(tree, step, {}, **shell_environment(emulator))
    stacks = emulator.client("cloudformation").describe_stacks()["Stacks"]
    assert [stack["StackName"] for stack in stacks] == ["heraldo-prod"]


def test_who_it_is_in_aws_is_a_role_for_its_environment_alone(emulator: Emulator) -> None:
    text = TRUST.read_text("utf-8").replace("ACCOUNT", "000000000000")
    [statement] = json.loads(text)["Statement"]
    about = statement["Condition"]["StringEquals"]
    subject = about["token.actions.githubusercontent.com:sub"]
    assert subject.endswith(f":environment:{JOBS['deploy']['environment']}")
    assert JOBS["deploy"]["permissions"]["id-token"] == "write"
    made = emulator.client("iam").create_role(
        RoleName="deploy-heraldo", AssumeRolePolicyDocument=text
    )
    assert made["Role"]["RoleName"] == "deploy-heraldo"
