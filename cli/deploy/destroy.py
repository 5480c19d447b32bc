"""Takes a stage away, with all that it holds, whichever way it was deployed.

python -m cli.deploy.destroy --stage dev [--confirm dev]
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

import click
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

from cli import region
from cli.deploy import chalice_state, identity, losses, remains
from cli.deploy.cloudformation import DeployError, Say, Stack
from cli.deploy.deploy import place
from cli.deploy.kept import Account
from cli.deploy.remains import Clients
from cli.paths import ROOT
from cli.stages import LOCAL, STAGE, stages

# SQS says that a queue is there for a minute after it was deleted, and a table is deleted in the background.
_SECONDS: Final = 180.0


def destroy(stage: str, clients: Clients, say: Say = print, seconds: float = _SECONDS) -> None:
    """Take away everything that is called like a stage, and its packages.

    What another run has left is no trouble, and what is left when this one is interrupted is none to the next.

    Raises
    ------
    DeployError : something is still there, and why.
    """
    _chalice_delete(stage, clients, say)
    for stack in stacks(stage, clients, say):
        stack.delete()
    for kind, one in remains.found(clients, stage):
        remains.take_away(kind, one, clients)
        say(f"  {kind.name} {remains.called(one)} is deleted")
    _empty_bucket(stage, clients, say)
    _wait(stage, clients, say, seconds)


def stacks(stage: str, clients: Clients, say: Say) -> list[Stack]:
    """The stacks of both ways to deploy, there or not."""
    names = (f"heraldo-{stage}", f"heraldo-{stage}-infra")
    return [Stack(clients("cloudformation"), name, say) for name in names]


def _chalice_delete(stage: str, clients: Clients, say: Say) -> None:
    """Have chalice take away what it has made: functions, their roles and what feeds them, and the API."""
    if not next(chalice_state.functions(stage, clients), None):
        return
    say(chalice_state.restore(stage, clients))
    chalice = subprocess.Popen(
        [Path(sys.executable).with_name("chalice"), "delete", "--stage", stage],
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **_region(clients)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert chalice.stdout is not None  # noqa: S101 - for the type checker
    said = []
    for line in chalice.stdout:
        said.append(line)
        say(f"  {line.rstrip()}")
    if chalice.wait():
        raise DeployError(f"`chalice delete --stage {stage}` failed: {''.join(said[-3:]).strip()}")
    (ROOT / ".chalice" / "deployed" / f"{stage}.json").unlink(missing_ok=True)


def _region(clients: Clients) -> dict[str, str]:
    name = str(clients("sts").meta.region_name)
    return {"AWS_DEFAULT_REGION": name, "AWS_REGION": name}


def _empty_bucket(stage: str, clients: Clients, say: Say) -> None:
    """Take the stage's packages away, and the bucket with the last stage's."""
    s3, bucket = clients("s3"), remains.bucket(clients, place(clients).account)
    there = [
        {"Key": one["Key"], "VersionId": one["VersionId"]}
        for one in remains.packages(clients, stage, bucket)
    ]
    for start in range(0, len(there), 1000):
        some: Any = {"Objects": there[start : start + 1000], "Quiet": True}
        refused = s3.delete_objects(Bucket=bucket, Delete=some).get("Errors")
        if refused:
            raise DeployError(f"{bucket}/{refused[0]['Key']} stays: {refused[0]['Message']}")
    if there:
        say(f"  {bucket}/{stage}/ is emptied")
    try:
        if s3.list_object_versions(Bucket=bucket, MaxKeys=1).keys() & {"Versions", "DeleteMarkers"}:
            say(f"  {bucket} stays: it has another stage's packages")
            return
        s3.delete_bucket(Bucket=bucket)
    except s3.exceptions.NoSuchBucket:
        return
    say(f"  {bucket} is deleted")


def _wait(stage: str, clients: Clients, say: Say, seconds: float) -> None:
    """Return once nothing is there by the stage's name any more."""
    until, told = time.monotonic() + seconds, 0
    while left := list(remains.found(clients, stage)):
        names = ", ".join(f"{kind.name} {remains.called(one)}" for kind, one in left)
        if time.monotonic() > until:
            raise DeployError(f"Still there: {names}. Run this again in a few minutes.")
        if len(left) != told:
            say(f"  waiting until AWS has deleted {names}")
            told = len(left)
        time.sleep(min(5.0, seconds))


def _confirmed(stage: str, given: str) -> bool:
    if given or not sys.stdin.isatty():
        return given == stage
    answer: str = click.prompt("To go on, type its name", default="", show_default=False, err=True)
    return answer.strip() == stage


@click.command()
@click.option("--stage", type=STAGE, required=True)
@click.option(
    "--confirm", default="", help="The stage's name once more, where nobody can be asked."
)
def main(stage: str, confirm: str) -> None:
    """Take a stage away, with all that it holds, after saying what that is."""
    clients = region.clients(stage)
    try:
        if stage == LOCAL:
            raise DeployError("Stage local is what `make run` brings up: Ctrl-C takes it away.")
        where = place(clients)
        at = f"account {where.account}, region {where.region}"
        bucket = remains.bucket(clients, where.account)
        there = list(remains.found(clients, stage))
        packages = next(remains.packages(clients, stage, bucket), None)
        if (
            not there
            and not packages
            and not any(s.is_there() for s in stacks(stage, clients, print))
        ):
            print(f"There is nothing of stage {stage} in {at}.")
            return
        print(f"Stage {stage}, {at}: this would be lost")
        for line in losses.told(there, clients, Account(clients, where), stage, bucket):
            print(f"  {line}")
        if not _confirmed(stage, confirm):
            why = f"say CONFIRM={stage}" if not sys.stdin.isatty() else f"that is not {stage!r}"
            raise DeployError(f"Nothing was taken away: {why}.")
        destroy(stage, clients)
    except (NoCredentialsError, NoRegionError) as error:
        raise click.ClickException(f"{error} {region.REMEDY}") from None
    except (DeployError, BotoCoreError, ClientError) as error:
        raise click.ClickException(str(error)) from None
    print(f"Nothing of stage {stage} is left.")
    if sender := stages()[stage].sender:
        domain = identity.domain_of(sender)
        print(f"SES goes on knowing {domain}: that is the account's, and other stages may use it.")


if __name__ == "__main__":
    main()
