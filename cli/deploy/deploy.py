"""Brings a stage to AWS (or to the local one): the packaged stack, or only what is around it.

python -m cli.deploy.deploy --stage dev          everything, as one stack: heraldo-dev
python -m cli.deploy.deploy --stage dev --infra  queues, topics, tables: heraldo-dev-infra,
                                          for a plain `chalice deploy --stage dev` after it
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import botocore.session
import click
from botocore.exceptions import BotoCoreError, ClientError

from cli.deploy import package, resources
from cli.stages import STAGE

_CAPABILITIES: Final = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]

Clients = Callable[[str], Any]
Say = Callable[[str], None]


class DeployError(Exception):
    """What failed, and why, for the person who typed the command."""


@dataclass(frozen=True, slots=True)
class Stack:
    """A deployed stack: its name and its outputs."""

    name: str
    outputs: dict[str, str]


def deploy(built: package.Package, clients: Clients, say: Say = print) -> Stack:
    """Create or update the one stack that holds everything of the package's stage."""
    bucket = _bucket(clients)
    code = built.zip_file.read_bytes()
    key = f"{built.stage}/{hashlib.sha256(code).hexdigest()}.zip"
    clients("s3").put_object(Bucket=bucket, Key=key, Body=code)
    template = json.loads(json.dumps(built.template))
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = {"Bucket": bucket, "Key": key}
    body = json.dumps(template, separators=(",", ":"))
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html:
    # 51,200 bytes in the request, 1 MB from S3.
    template_key = f"{built.stage}/{hashlib.sha256(body.encode()).hexdigest()}.json"
    clients("s3").put_object(Bucket=bucket, Key=template_key, Body=body.encode())
    endpoint = clients("s3").meta.endpoint_url
    url = f"{endpoint}/{bucket}/{template_key}"
    return _apply(clients("cloudformation"), f"heraldo-{built.stage}", say, TemplateURL=url)


def deploy_infra(stage: str, clients: Clients, say: Say = print) -> Stack:
    """Create or update the stack that holds what a plain `chalice deploy` needs around it."""
    package.refuse_a_broken_tree()
    body = json.dumps(resources.infrastructure(stage), separators=(",", ":"))
    return _apply(clients("cloudformation"), f"heraldo-{stage}-infra", say, TemplateBody=body)


def _bucket(clients: Clients) -> str:
    """The account's bucket for packages, made when it is not there."""
    account = clients("sts").get_caller_identity()["Account"]
    s3 = clients("s3")
    region = s3.meta.region_name
    bucket = f"heraldo-packages-{account}-{region}"
    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("404", "NoSuchBucket"):
            raise
        place = {} if region == "us-east-1" else {"LocationConstraint": region}
        s3.create_bucket(Bucket=bucket, **({"CreateBucketConfiguration": place} if place else {}))
        s3.put_public_access_block(
            Bucket=bucket,
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": True,
                "IgnorePublicAcls": True,
                "BlockPublicPolicy": True,
                "RestrictPublicBuckets": True,
            },
        )
    return bucket


def _apply(cloudformation: Any, name: str, say: Say, **template: str) -> Stack:
    status = _status(cloudformation, name)
    if status == "ROLLBACK_COMPLETE":
        # The remains of a create that failed: AWS lets nobody update them.
        cloudformation.delete_stack(StackName=name)
        _wait(cloudformation, name, set(), lambda _: None)
        status = None
    known = _event_ids(cloudformation, name) if status else set()
    request = {"StackName": name, "Capabilities": _CAPABILITIES, **template}
    try:
        if status is None:
            cloudformation.create_stack(**request)
        else:
            cloudformation.update_stack(**request)
    except ClientError as error:
        if "No updates are to be performed" not in str(error):
            raise
        say(f"{name}: nothing has changed")
    else:
        ended = _wait(cloudformation, name, known, say)
        if ended not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            reasons = _reasons(cloudformation, name, known)
            raise DeployError(f"{name} was not deployed ({ended}):\n" + "\n".join(reasons))
    stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    return Stack(name, outputs)


def _status(cloudformation: Any, name: str) -> str | None:
    try:
        status = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    return None if status == "DELETE_COMPLETE" else str(status)


def _wait(cloudformation: Any, name: str, known: set[str], say: Say) -> str | None:
    """Report each resource as it is done; return the stack's status once it has settled."""
    seen = set(known)
    pause = 0.1
    while True:
        status = _status(cloudformation, name)
        for event in reversed(_events(cloudformation, name) if status else []):
            if event["EventId"] not in seen:
                seen.add(event["EventId"])
                if event["ResourceStatus"].endswith(("_COMPLETE", "_FAILED")):
                    kind = event["ResourceType"].removeprefix("AWS::")
                    say(f"  {event['ResourceStatus']:<16} {kind}  {event['LogicalResourceId']}")
        if status is None or not status.endswith("_IN_PROGRESS"):
            return status
        time.sleep(pause)
        pause = min(pause * 1.5, 2.0)


def _events(cloudformation: Any, name: str) -> list[dict[str, Any]]:
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=name)
    return [event for page in pages for event in page["StackEvents"]]


def _event_ids(cloudformation: Any, name: str) -> set[str]:
    return {event["EventId"] for event in _events(cloudformation, name)}


def _reasons(cloudformation: Any, name: str, known: set[str]) -> list[str]:
    found = [
        f"  {event['LogicalResourceId']}: {event['ResourceStatusReason']}"
        for event in reversed(_events(cloudformation, name))
        if event["EventId"] not in known
        and event["ResourceStatus"].endswith("_FAILED")
        and "cancelled" not in event.get("ResourceStatusReason", "cancelled")
    ]
    return found or ["  CloudFormation gave no reason; see the stack's events"]


@click.command()
@click.option("--stage", type=STAGE, required=True)
@click.option("--infra", is_flag=True, help="Only what a plain `chalice deploy` needs around it.")
def main(stage: str, infra: bool) -> None:
    """Deploy a stage with the AWS configuration of this shell (profile, region, endpoint)."""
    clients = botocore.session.get_session().create_client
    try:
        done = deploy_infra(stage, clients) if infra else deploy(package.build(stage), clients)
    except (DeployError, package.PackageError, BotoCoreError, ClientError) as error:
        raise click.ClickException(str(error)) from None
    print(f"{done.name} is deployed")
    if url := done.outputs.get("EndpointURL"):
        print(f"API: {url.rstrip('/')}")


if __name__ == "__main__":
    main()
