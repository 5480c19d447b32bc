"""In which region a stage is talked to."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any, Final

import botocore.session
from botocore.exceptions import UnknownRegionError

from cli.stages import stages

REMEDY: Final = (
    "Set AWS_PROFILE, or the AWS_… variables; a stage's region may stand in stages.toml."
)


def of_stage(stage: str) -> str | None:
    """The region that is fixed for a stage, else the shell's; None leaves it to botocore.

    AWS_REGION wins over AWS_DEFAULT_REGION and the profile, as AWS's own tools have it; botocore does
    not know it.
    https://docs.aws.amazon.com/sdkref/latest/guide/feature-region.html
    """
    return stages()[stage].region or os.environ.get("AWS_REGION") or None


def partition(region: str | None) -> str:
    """The partition of a region, which names in it begin with: `aws`, `aws-cn`, `aws-us-gov` …

    Where none is given, or one that botocore does not know yet, it is the one that most regions are in.
    """
    if region is None:
        return "aws"
    try:
        found: str = botocore.session.get_session().get_partition_for_region(region)
    except UnknownRegionError:
        return "aws"
    return found


def clients(stage: str) -> Callable[[str], Any]:
    """What makes the clients of a stage's account, with the AWS configuration of this shell."""
    session = botocore.session.get_session()
    return functools.cache(functools.partial(session.create_client, region_name=of_stage(stage)))
