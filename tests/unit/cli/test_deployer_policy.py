"""infra/deployer-policy.json against what AWS says: its actions exist, and it has what CloudFormation needs of whoever
deploys. The local AWS makes a stack's resources without asking whether its caller may."""

from __future__ import annotations

import fnmatch
import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cfnlint
import pytest

from cli.deploy import resources
from cli.paths import ROOT
from cli.stages import stages

DATA = Path(cfnlint.__file__).parent / "data"
TEXT = (ROOT / "infra" / "deployer-policy.json").read_text("utf-8")
STATEMENTS: list[dict[str, Any]] = json.loads(TEXT)["Statement"]
PATTERNS = sorted({action for statement in STATEMENTS for action in statement["Action"]})

# What chalice and SAM add to the infrastructure.
FUNCTIONS = (
    *("AWS::Lambda::Function", "AWS::Lambda::Permission", "AWS::Lambda::EventSourceMapping"),
    *("AWS::Lambda::Version", "AWS::Lambda::Alias"),
    *("AWS::ApiGateway::RestApi", "AWS::ApiGateway::Deployment", "AWS::ApiGateway::Stage"),
    *("AWS::Events::Rule", "AWS::IAM::Role"),
)
# What a type's handlers do with properties that no template of ours has: replicas and imports of tables, keys of
# one's own, networks, file systems, layers, code signing, deliveries of logs, attached policies and boundaries …
_UNUSED = {
    "dynamodb": (
        "AssociateTableReplica BatchWriteItem CreateTableReplica DeleteItem "
        "DeleteResourcePolicy DisableKinesisStreamingDestination "
        "EnableKinesisStreamingDestination ImportTable PutResourcePolicy Scan "
        "UpdateContributorInsights UpdateItem UpdateKinesisStreamingDestination "
    ),
    "codedeploy": "*",
    "kinesis": "*",
    "kms": "*",
    "ec2": "*",
    "elasticfilesystem": "*",
    "s3files": "*",
    "firehose": "*",
    "iam": (
        "AttachRolePolicy CreateServiceLinkedRole DeleteRolePermissionsBoundary "
        "PutRolePermissionsBoundary UpdateRoleDescription "
    ),
    "lambda": (
        "AssociateRuntimeAlias DeleteFunctionCodeSigningConfig PassCapacityProvider "
        "PutFunctionCodeSigningConfig PutFunctionRecursionConfig "
        "PutFunctionScalingConfig PutRuntimeManagementConfig "
        "DeleteProvisionedConcurrencyConfig PutProvisionedConcurrencyConfig "
    ),
    "logs": (
        "AssociateKmsKey CreateLogDelivery CreateLogStream DeleteDataProtectionPolicy "
        "DeleteIndexPolicy DeleteResourcePolicy DeleteRetentionPolicy "
        "DescribeLogStreams DescribeResourcePolicies DisassociateKmsKey "
        "PutBearerTokenAuthentication PutDataProtectionPolicy PutIndexPolicy "
        "PutLogEvents PutLogGroupDeletionProtection PutResourcePolicy "
    ),
    "s3": "GetObjectMetadata REST.PUT.OBJECT",
    "ses": (
        "PutConfigurationSetArchivingOptions PutConfigurationSetDeliveryOptions "
        "PutConfigurationSetReputationOptions PutConfigurationSetSendingOptions "
        "PutConfigurationSetTrackingOptions PutConfigurationSetVdmOptions "
    ),
    "sns": "PutDataProtectionPolicy",
    "apigateway": "UpdateRestApiPolicy",
}
UNUSED = [f"{service}:{name}" for service, names in _UNUSED.items() for name in names.split()]


def matches(action: str, patterns: list[str]) -> bool:
    """As IAM has it, whatever the case."""
    return any(fnmatch.fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)


@functools.cache
def handlers() -> dict[str, set[str]]:
    """What CloudFormation does with a resource of each type, as the type's schema has it."""
    found: dict[str, set[str]] = {}
    for file in (DATA / "schemas" / "resources").glob("*.json"):
        schema = json.loads(file.read_text("utf-8"))
        for handler, said in schema.get("handlers", {}).items():
            if handler != "list":
                found.setdefault(schema["typeName"], set()).update(said["permissions"])
    return found


def types() -> Iterator[str]:
    templates = [resources.infrastructure(stage, running=True) for stage in stages()]
    for template in templates:
        yield from (definition["Type"] for definition in template["Resources"].values())
    yield from FUNCTIONS


@pytest.mark.parametrize("kind", sorted(set(types())))
def test_it_has_what_cloudformation_does_with_a(kind: str) -> None:
    needed = handlers()[kind]
    missing = {action for action in needed if not matches(action, [*PATTERNS, *UNUSED])}
    assert not missing, (
        f"add them to infra/deployer-policy.json, or say here that they are not used: {missing}"
    )


def test_nothing_is_said_to_be_unused_that_it_has() -> None:
    assert [action for action in UNUSED if matches(action, PATTERNS)] == []
    asked = set().union(*(handlers()[kind] for kind in types()))
    assert [
        unused for unused in UNUSED if not any(fnmatch.fnmatchcase(a, unused) for a in asked)
    ] == []


@pytest.mark.parametrize("pattern", PATTERNS)
def test_there_is_such_an_action(pattern: str) -> None:
    known = json.loads((DATA / "AdditionalSpecs" / "Policies.json").read_text("utf-8"))
    service, _, name = pattern.lower().partition(":")
    assert any(fnmatch.fnmatchcase(action, name) for action in known[service]["Actions"])


def test_it_fits_into_a_managed_policy() -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html: 6,144 without white space."""
    assert len("".join(TEXT.split())) <= 6144


def test_everything_is_heraldos_but_for_what_has_no_name() -> None:
    # A key has no name before its alias is made; it is CloudFormation that makes both.
    open_to_all = {"WithoutNames", "Mappings", "MappingTags", "Apis", "Senders", "TheirKey"}
    for statement in STATEMENTS:
        if statement["Sid"] not in open_to_all:
            others = [
                r for r in statement["Resource"] if "heraldo-" not in r and ":transform/" not in r
            ]
            assert others == [], statement["Sid"]
    [without] = [s for s in STATEMENTS if s["Sid"] == "WithoutNames"]
    changing = [
        a
        for a in without["Action"]
        if not a.partition(":")[2].startswith(("List", "Describe", "Get"))
    ]
    assert changing == ["sns:Unsubscribe", "sns:SetSubscriptionAttributes"]


def test_keys_are_made_and_changed_by_cloudformation_alone() -> None:
    uses = [s for s in STATEMENTS if any(action.startswith("kms:") for action in s["Action"])]
    assert [s["Condition"] for s in uses] == [
        {"ForAnyValue:StringEquals": {"aws:CalledVia": ["cloudformation.amazonaws.com"]}}
    ]


def test_of_what_tables_have_it_reads_the_secrets_alone_and_when_held_events_are_due() -> None:
    reading = ("GetItem", "BatchGetItem", "Query", "Scan", "GetRecords", "PartiQLSelect")
    reads = {
        statement["Sid"]: statement
        for statement in STATEMENTS
        for action in statement["Action"]
        for name in reading
        if fnmatch.fnmatchcase(f"dynamodb:{name}", action)
    }
    assert reads.keys() == {"Secrets", "Held"}
    [(_, condition)] = reads["Secrets"]["Condition"].items()
    assert condition == {"dynamodb:LeadingKeys": ["secrets", "webhook:*"]}
    assert reads["Held"]["Resource"] == ["arn:*:dynamodb:*:*:table/heraldo-*-holds/index/open"]
