"""cli/deploy/encryption.py: topics have a key, and nothing is spoken to in the clear."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.rules.reading import routing
from cli.deploy import encryption, policies, resources
from cli.stages import stages

QUEUE, TOPIC = "AWS::SQS::Queue", "AWS::SNS::Topic"


def template(stage: str = "dev") -> dict[str, Any]:
    found: dict[str, Any] = resources.infrastructure(stage)
    return found


def of(kind: str, found: dict[str, Any]) -> dict[str, Any]:
    return {n: one["Properties"] for n, one in found["Resources"].items() if one["Type"] == kind}


@pytest.mark.parametrize("stage", stages())
def test_every_topic_is_encrypted_with_the_stages_own_key(stage: str) -> None:
    found = template(stage)
    topics = of(TOPIC, found)
    assert len(topics) > 3
    for topic in topics.values():
        assert topic["KmsMasterKeyId"] == {"Fn::GetAtt": ["Key", "Arn"]}
    assert found["Resources"]["Key"]["Properties"]["EnableKeyRotation"] is True
    assert of("AWS::KMS::Alias", found)["KeyAlias"]["AliasName"] == f"alias/heraldo-{stage}"


def test_ses_and_cloudwatch_may_use_the_key_for_this_account_and_lanes_through_sns_alone() -> None:
    _, services = template()["Resources"]["Key"]["Properties"]["KeyPolicy"]["Statement"]
    assert services["Principal"] == {"Service": ["ses.amazonaws.com", "cloudwatch.amazonaws.com"]}
    assert services["Condition"] == {
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    }
    for function in policies.functions(routing().lanes):
        statements = policies.policy("dev", function, routing().lanes)["Statement"]
        uses = [s for s in statements if any(a.startswith("kms:") for a in s["Action"])]
        assert len(uses) == (function in routing().lanes)
        for statement in uses:
            assert statement["Condition"] == {
                "ForAnyValue:StringEquals": {"kms:ResourceAliases": ["alias/heraldo-dev"]},
                "StringLike": {"kms:ViaService": ["sns.*.amazonaws.com*"]},
            }


def test_every_queue_and_topic_refuses_plain_http_in_the_one_policy_that_it_may_have() -> None:
    found = template()
    governed: list[str] = []
    for kind, those in (("AWS::SQS::QueuePolicy", "Queues"), ("AWS::SNS::TopicPolicy", "Topics")):
        for policy in of(kind, found).values():
            own = [reference["Ref"] for reference in policy[those]]
            governed += own
            [deny] = [s for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Deny"]
            assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
            assert all(f'"{name}"' in json.dumps(deny["Resource"]) for name in own)
    there = [*of(QUEUE, found), *of(TOPIC, found)]
    assert sorted(governed) == sorted(there), "and no second one, which AWS would put in its place"


def test_a_topic_with_a_policy_of_ours_still_obeys_its_account() -> None:
    policy = of("AWS::SNS::TopicPolicy", template())["UsersTopicPolicy"]
    allow, _ = policy["PolicyDocument"]["Statement"]
    assert allow["Condition"] == {"StringEquals": {"AWS:SourceOwner": {"Ref": "AWS::AccountId"}}}
    assert "SNS:Publish" in allow["Action"]


def test_the_aws_of_this_machine_which_speaks_nothing_else_is_not_refused() -> None:
    before = template()
    found = encryption.allow_plain_http(before)
    assert "SecureTransport" not in json.dumps(found)
    assert "BusQueuePolicy" in found["Resources"]
    assert "OrdersQueuePolicy" not in found["Resources"], "a policy says something"
    assert "SecureTransport" in json.dumps(before)


def test_so_does_the_bucket_of_packages() -> None:
    [deny] = encryption.bucket_policy("packages", "aws-cn")["Statement"]
    assert (deny["Effect"], deny["Action"], deny["Principal"]) == ("Deny", "s3:*", "*")
    assert deny["Resource"] == ["arn:aws-cn:s3:::packages", "arn:aws-cn:s3:::packages/*"]
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
