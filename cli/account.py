"""For the commands that talk to AWS themselves: which account, and what its refusals mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
)

from chalicelib.errors import TransientError
from chalicelib.rules import reading
from chalicelib.rules.reading import RoutingError
from chalicelib.rules.routing import Routing
from chalicelib.store import audit
from cli import region
from cli import target as targets
from cli.stages import LOCAL
from cli.target import Target

# What AWS says where there is no such thing.
MISSING = frozenset(
    (
        "AWS.SimpleQueueService.NonExistentQueue",
        "QueueDoesNotExist",
        "ResourceNotFoundException",
        "NotFound",
        "NotFoundException",
    )
)


def account(stage: str | None, *, changes: bool = False) -> Target:
    """The local stack, or a stage on AWS with the caller's own credentials; no API is looked for.

    Says first which account and region a command is about to change, where it changes something.
    """
    if stage is None or stage == LOCAL:
        return targets.target(stage)
    found = Target(stage, "", "", region=region.of_stage(stage))
    if changes:
        with aws_errors(found):
            place = found.handle().place
        click.secho(f"{stage}: account {place.account}, region {place.region}", dim=True, err=True)
    return found


def put_down(target: Target, what: str, subject: str) -> None:
    """Have the audit log say that whoever AWS takes us for does something (`audit.VERBS`) to a subject."""
    arn = target.client("sts").get_caller_identity()["Arn"]
    audit.write(target.handle(), arn.split(":", 5)[-1], what, subject)


def rules(stage: str) -> Routing:
    """The `routing.toml` of this checkout, for a stage."""
    try:
        return reading.read(reading.FILE, stage)
    except RoutingError as error:
        raise click.ClickException(str(error)) from None


@contextmanager
def aws_errors(target: Target) -> Iterator[None]:
    """Tell what AWS refused so that a person knows what to do next."""
    try:
        yield
    except EndpointConnectionError:
        hint = " Is `make run` still running?" if target.stage == "local" else ""
        raise click.ClickException(f"AWS does not answer.{hint}") from None
    except (NoCredentialsError, NoRegionError) as error:
        raise click.ClickException(f"{error}. {region.REMEDY}") from None
    except TransientError as error:
        raise click.ClickException(f"{error}. Try again in a moment.") from None
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        message = str(error.response.get("Error", {}).get("Message", ""))
        if code in MISSING:
            raise click.ClickException(
                f"Stage {target.stage} is not deployed in this account and region ({code})."
            ) from None
        raise click.ClickException(
            f"AWS refused {error.operation_name}: {code}. {message}"
        ) from None
    except BotoCoreError as error:
        raise click.ClickException(f"AWS cannot be reached: {error}") from None
