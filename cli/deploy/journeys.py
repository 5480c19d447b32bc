"""Journeys as they are deployed: a state machine for each, and the one role with which they send into lanes.

A run stays on the definition that it began with, whatever is deployed meanwhile:
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-statemachines.html#concepts-statemachines-updating
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import ClientError

from chalicelib import names
from chalicelib.store import runs
from cli.deploy.cloudformation import DeployError, Resource, Say
from cli.journeys import definition, shapes
from cli.terminal import count

MACHINE: Final = "AWS::StepFunctions::StateMachine"
_ROLE: Final = "JourneysRole"
_GONE: Final = ("StateMachineDoesNotExist",)


def resources(
    stage: str, root: Path, lanes: Mapping[str, str], partition: str = "aws"
) -> dict[str, Any]:
    """The state machines of a tree; `lanes` has the logical id of each lane's queue.

    Definitions name what they call as most regions do. In another `partition` its name is another.

    Raises
    ------
    DefinitionError : one of them cannot be read.
    """
    there = definition.names(root)
    found: dict[str, Any] = {_ROLE: _role(stage, lanes.values())} if there else {}
    for name in there:
        raw = dict(definition.read(root, name).raw)
        raw.setdefault("TimeoutSeconds", runs.LONGEST_SECONDS)
        properties = {
            "StateMachineName": names.state_machine(stage, name),
            "StateMachineType": "STANDARD",
            "RoleArn": {"Fn::GetAtt": [_ROLE, "Arn"]},
            "DefinitionString": json.dumps(raw, ensure_ascii=False).replace(
                shapes.RESOURCE, shapes.RESOURCE.replace("arn:aws:", f"arn:{partition}:")
            ),
            # A reference to a queue is its URL.
            "DefinitionSubstitutions": {lane: {"Ref": queue} for lane, queue in lanes.items()},
        }
        logical_id = "".join(part.capitalize() for part in name.split("-")) + "Journey"
        found[logical_id] = {"Type": MACHINE, "Properties": properties}
    return found


def _role(stage: str, queues: Collection[str]) -> dict[str, Any]:
    trusted = {
        "Effect": "Allow",
        "Principal": {"Service": "states.amazonaws.com"},
        "Action": "sts:AssumeRole",
        # https://docs.aws.amazon.com/step-functions/latest/dg/procedure-create-iam-role.html#prevent-cross-service-confused-deputy
        "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
    }
    may = {
        "Effect": "Allow",
        "Action": "sqs:SendMessage",
        "Resource": [{"Fn::GetAtt": [queue, "Arn"]} for queue in queues],
    }
    version = "2012-10-17"
    sends = {"PolicyName": "send", "PolicyDocument": {"Version": version, "Statement": [may]}}
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "RoleName": names.journeys(stage),
            "AssumeRolePolicyDocument": {"Version": version, "Statement": [trusted]},
            "Policies": [sends],
        },
    }


def tell_taken_out(
    there: Sequence[Resource], template: Mapping[str, Any], states: Any, say: Say
) -> None:
    """Say how many runs end because their journey is `there` and no longer in the template.

    Raises
    ------
    DeployError : they cannot be counted.
    """
    gone = [
        resource.physical_id
        for resource in there
        if resource.kind == MACHINE and resource.logical_id not in template["Resources"]
    ]
    for arn in gone:
        try:
            pages = states.get_paginator("list_executions").paginate(
                stateMachineArn=arn, statusFilter="RUNNING"
            )
            number = sum(len(page["executions"]) for page in pages)
        except ClientError as error:
            if error.response["Error"]["Code"] in _GONE:
                continue
            raise DeployError(f"the runs of {arn} cannot be counted: {error}") from None
        say(f"{arn.rpartition(':')[2]}: taken out, which ends {count(number, 'run')} of it")
