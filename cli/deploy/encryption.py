"""What is encrypted with the stage's own key, and what refuses to be spoken to in the clear."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Final

from chalicelib import names

Resources = dict[str, dict[str, Any]]

_QUEUE: Final = "AWS::SQS::Queue"
_TOPIC: Final = "AWS::SNS::Topic"
_POLICIES: Final = {"AWS::SQS::QueuePolicy": "Queues", "AWS::SNS::TopicPolicy": "Topics"}
_PLAIN: Final = "RefusePlainHttp"
# Who publishes to topics of ours beside our own functions:
# https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services
_SERVICES: Final = ("ses.amazonaws.com", "cloudwatch.amazonaws.com")
USES: Final = ("kms:GenerateDataKey*", "kms:Decrypt")
"""What publishing to an encrypted topic takes of its key."""
# What SNS lets the account do with a topic that has no policy of its own:
# https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html
_OWNERS: Final = (
    *("SNS:GetTopicAttributes", "SNS:SetTopicAttributes", "SNS:AddPermission"),
    *("SNS:RemovePermission", "SNS:DeleteTopic", "SNS:Subscribe"),
    *("SNS:ListSubscriptionsByTopic", "SNS:Publish"),
)


def encrypt_topics(stage: str, resources: Resources) -> None:
    """Give a stage a key, and have each of its topics use it. Queues and tables are encrypted as they are, by keys
    of AWS's own; a topic's would be one into which neither SES nor CloudWatch could publish.

    The key goes with the stack: a topic holds nothing that somebody would have to read later.
    """
    resources["Key"] = {
        "Type": "AWS::KMS::Key",
        "Properties": {
            "Description": f"Heraldo's topics of stage {stage}",
            "EnableKeyRotation": True,
            "KeyPolicy": {"Version": "2012-10-17", "Statement": _may_use()},
        },
    }
    resources["KeyAlias"] = {
        "Type": "AWS::KMS::Alias",
        "Properties": {"AliasName": names.key_alias(stage), "TargetKeyId": {"Ref": "Key"}},
    }
    for found in resources.values():
        if found["Type"] == _TOPIC:
            found["Properties"]["KmsMasterKeyId"] = {"Fn::GetAtt": ["Key", "Arn"]}


def _may_use() -> list[dict[str, Any]]:
    account = {"Ref": "AWS::AccountId"}
    # https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
    administers = {
        "Effect": "Allow",
        "Principal": {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}},
        "Action": "kms:*",
        "Resource": "*",
    }
    publish = {
        "Effect": "Allow",
        "Principal": {"Service": list(_SERVICES)},
        "Action": list(USES),
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:SourceAccount": account}},
    }
    return [administers, publish]


def refuse_plain_http(resources: Resources) -> None:
    """Have every queue and topic refuse what does not come by TLS.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-security-best-practices.html
    https://docs.aws.amazon.com/sns/latest/dg/sns-security-best-practices.html#enforce-encryption-data-in-transit
    """
    governed: set[str] = set()
    for found in list(resources.values()):
        if (those := _POLICIES.get(found["Type"])) is None:
            continue
        own = [reference["Ref"] for reference in found["Properties"][those]]
        governed.update(own)
        kind = resources[own[0]]["Type"]
        statements = found["Properties"]["PolicyDocument"]["Statement"]
        statements.append(_refusal(kind, own))
    for name, found in list(resources.items()):
        if found["Type"] in (_QUEUE, _TOPIC) and name not in governed:
            resources[f"{name}Policy"] = _policy(found["Type"], name)


def _policy(kind: str, name: str) -> dict[str, Any]:
    """The policy of a queue or a topic that has none: what its owner may anyway, but not in the clear."""
    statements = [_refusal(kind, [name])]
    if kind == _TOPIC:
        owner = {"StringEquals": {"AWS:SourceOwner": {"Ref": "AWS::AccountId"}}}
        allowed = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": list(_OWNERS)}
        statements.insert(0, {**allowed, "Resource": {"Ref": name}, "Condition": owner})
    policy, those = next(
        (policy, those) for policy, those in _POLICIES.items() if policy == f"{kind}Policy"
    )
    document = {"Version": "2012-10-17", "Statement": statements}
    return {"Type": policy, "Properties": {those: [{"Ref": name}], "PolicyDocument": document}}


def _refusal(kind: str, of: list[str]) -> dict[str, Any]:
    queues = kind == _QUEUE
    arns = [{"Fn::GetAtt": [name, "Arn"]} if queues else {"Ref": name} for name in of]
    return {
        "Sid": _PLAIN,
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*" if queues else "sns:Publish",
        "Resource": arns[0] if len(arns) == 1 else arns,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def bucket_policy(bucket: str, partition: str) -> dict[str, Any]:
    """What has a bucket refuse plain HTTP.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/security-best-practices.html
    """
    arn = f"arn:{partition}:s3:::{bucket}"
    refusal = {**_refusal(_QUEUE, []), "Action": "s3:*", "Resource": [arn, f"{arn}/*"]}
    return {"Version": "2012-10-17", "Statement": [refusal]}


def allow_plain_http(template: Mapping[str, Any]) -> dict[str, Any]:
    """The same template for an AWS that speaks nothing else: the one on this machine."""
    found = copy.deepcopy(dict(template))
    for name, resource in list(found["Resources"].items()):
        if resource["Type"] not in _POLICIES:
            continue
        document = resource["Properties"]["PolicyDocument"]
        document["Statement"] = [one for one in document["Statement"] if one.get("Sid") != _PLAIN]
        if not document["Statement"]:
            del found["Resources"][name]
    return found
