"""What is deployed, by AWS's own schemas: the local AWS takes what AWS would not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cli.deploy import resources
from cli.paths import ROOT
from cli.stages import stages

CFN_LINT = Path(sys.executable).with_name("cfn-lint")


SETTINGS = 'outcomes = true\nalarms_to = ["ops@abedul.example"]'
WEBHOOK = """
[webhooks]
erp = { dev = "https://erp.example/in" }
[[rule]]
name = "machines"
to = ["webhook:erp"]
"""


@pytest.mark.parametrize("stage", stages())
def test_the_infrastructure_of_a_stage_is_valid(tmp_path: Path, stage: str) -> None:
    lint(tmp_path, resources.infrastructure(stage))


def test_that_of_a_stage_with_every_setting_is_valid(tmp_path: Path) -> None:
    for name in (resources.RESOURCES, "chalicelib/routing.toml", "stages.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        text = (ROOT / name).read_text("utf-8").replace("[dev]\n", f"[dev]\n{SETTINGS}\n")
        if name.endswith("routing.toml"):
            text += WEBHOOK
        (tmp_path / name).write_text(text, "utf-8")
    lint(tmp_path, resources.infrastructure("dev", tmp_path, running=True))


def lint(tmp_path: Path, template: dict[str, Any]) -> None:
    """Find nothing wrong with a template."""
    file = tmp_path / "template.yaml"
    resources.write(template, file)
    done = subprocess.run(
        [CFN_LINT, "--regions", "us-east-1", "eu-west-1", "sa-east-1", "--template", file],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout + done.stderr == ""
    assert done.returncode == 0
