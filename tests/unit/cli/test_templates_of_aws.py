"""What is deployed, by AWS's own schemas: the local AWS takes what AWS would not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cli.deploy import resources
from cli.stages import stages

CFN_LINT = Path(sys.executable).with_name("cfn-lint")


@pytest.mark.parametrize("stage", stages())
def test_the_infrastructure_of_a_stage_is_valid(tmp_path: Path, stage: str) -> None:
    file = tmp_path / "infra.yaml"
    resources.write(resources.infrastructure(stage), file)
    done = subprocess.run(
        [CFN_LINT, "--regions", "us-east-1", "eu-west-1", "sa-east-1", "--template", file],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout + done.stderr == ""
    assert done.returncode == 0
