"""Who has infra/deployer-policy.json and nothing else brings a stage up, changes it and takes it away."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError

from cli.paths import ROOT
from cli.stack.emulator import REGION, Emulator
from tests.e2e.test_changes import edit
from tests.e2e.test_deploy import PATIENT_CHALICE, STAGE, mappings, shell
from tests.e2e.test_destroy import everything

POLICY = (ROOT / "infra" / "deployer-policy.json").read_text("utf-8")
# The local AWS looks for the names of these in the request's path, where they are not, and does not say which
# function a mapping is of; and it calls rules of the default bus otherwise. That AWS knows both is in its service authorization reference.
_ASKED_OF_ALL = (
    "lambda:CreateFunction",
    "lambda:CreateEventSourceMapping",
    "lambda:UpdateEventSourceMapping",
    "lambda:DeleteEventSourceMapping",
    "lambda:GetEventSourceMapping",
    "events:PutTargets",
    "events:RemoveTargets",
    "events:ListTargetsByRule",
)


class Deployer:
    """A user of the local AWS who has this policy alone, but for what that asks otherwise than AWS."""

    def __init__(self, emulator: Emulator) -> None:
        self._endpoint = emulator.endpoint_url
        iam = emulator.client("iam")
        iam.create_user(UserName="deployer")
        policy = json.loads(POLICY)
        for statement in policy["Statement"]:
            if statement["Sid"] == "Rules":
                statement["Resource"].append("arn:aws:events:*:*:rule/default/heraldo-*")
        policy["Statement"].append({"Effect": "Allow", "Action": _ASKED_OF_ALL, "Resource": "*"})
        asked = {"UserName": "deployer", "PolicyName": "deploy"}
        iam.put_user_policy(**asked, PolicyDocument=json.dumps(policy))
        key = iam.create_access_key(UserName="deployer")["AccessKey"]
        self.environment = {
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        }

    def client(self, service: str) -> Any:
        return botocore.session.get_session().create_client(
            service,
            region_name=REGION,
            endpoint_url=self._endpoint,
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
        )


@pytest.fixture
def deployer(emulator: Emulator) -> Deployer:
    return Deployer(emulator)


def refused(call: Any, **asked: Any) -> bool:
    """Whether AWS lets nobody of these rights do that; other troubles are none of its."""
    with pytest.raises(ClientError) as failure:
        call(**asked)
    code = failure.value.response["Error"]["Code"]
    return "AccessDenied" in code or code in ("AuthorizationError", "AuthorizationErrorException")


def test_the_one_stack(tree: Path, emulator: Emulator, deployer: Deployer) -> None:
    sender = '[dev]\nsender = "Abedul <hola@abedul.example>"\n'
    stages = tree / "stages.toml"
    stages.write_text(stages.read_text("utf-8").replace("[dev]\n", sender), "utf-8")
    shell(tree, emulator, "make", "deploy", f"STAGE={STAGE}", **deployer.environment)
    edit(tree)
    said = shell(tree, emulator, "make", "deploy", f"STAGE={STAGE}", **deployer.environment)
    assert "Words: 1 message of 1 event type say something else" in said
    assert f"heraldo-{STAGE}-stock.fifo" in mappings(emulator)

    may = deployer.client("dynamodb")
    people = {"TableName": f"heraldo-{STAGE}-people"}
    assert refused(may.scan, **people)
    assert refused(may.delete_item, **people, Key={"id": {"S": "person:1"}})
    assert refused(
        may.get_item,
        TableName=f"heraldo-{STAGE}-ledger",
        Key={"id": {"S": "1"}, "source": {"S": "s"}},
    )
    assert may.get_item(**people, Key={"id": {"S": "secrets"}})["Item"]
    queue = f"http://sqs/000000000000/heraldo-{STAGE}-orders.fifo"
    assert refused(deployer.client("sqs").receive_message, QueueUrl=queue)

    shell(
        tree, emulator, "make", "destroy", f"STAGE={STAGE}", CONFIRM=STAGE, **deployer.environment
    )
    assert everything(emulator) == set()


def test_infrastructure_and_plain_chalice(
    tree: Path, emulator: Emulator, deployer: Deployer
) -> None:
    chalice = (".venv/bin/python", "-c", PATIENT_CHALICE, "deploy", "--stage", STAGE)
    shell(tree, emulator, "make", "infra", f"STAGE={STAGE}", **deployer.environment)
    shell(tree, emulator, *chalice, **deployer.environment)
    edit(tree)
    said = shell(tree, emulator, "make", "infra", f"STAGE={STAGE}", **deployer.environment)
    assert f"+ function heraldo-{STAGE}-stock" in said
    shell(tree, emulator, *chalice, **deployer.environment)
    assert f"heraldo-{STAGE}-stock.fifo" in mappings(emulator)
    shell(
        tree, emulator, "make", "destroy", f"STAGE={STAGE}", CONFIRM=STAGE, **deployer.environment
    )
    assert everything(emulator) == set()


def test_what_is_not_heraldos_is_out_of_reach(emulator: Emulator, deployer: Deployer) -> None:
    aws = emulator.client
    aws("sqs").create_queue(QueueName="shop-orders")
    aws("s3").create_bucket(Bucket="shop-invoices")
    aws("logs").create_log_group(logGroupName="/aws/lambda/shop")
    topic = aws("sns").create_topic(Name="shop-news")["TopicArn"]
    url = aws("sqs").get_queue_url(QueueName="shop-orders")["QueueUrl"]
    trust = {"Statement": [], "Version": "2012-10-17"}
    mine = deployer.client
    assert refused(mine("sqs").delete_queue, QueueUrl=url)
    assert refused(mine("sns").delete_topic, TopicArn=topic)
    assert refused(mine("s3").list_objects_v2, Bucket="shop-invoices")
    assert refused(mine("s3").delete_bucket, Bucket="shop-invoices")
    assert refused(mine("logs").delete_log_group, logGroupName="/aws/lambda/shop")
    assert refused(mine("lambda").delete_function, FunctionName="shop")
    assert refused(mine("dynamodb").delete_table, TableName="shop-orders")
    assert refused(mine("cloudformation").delete_stack, StackName="shop")
    assert refused(
        mine("iam").create_role, RoleName="shop", AssumeRolePolicyDocument=json.dumps(trust)
    )
    assert refused(mine("iam").create_user, UserName="shop")
    assert refused(
        mine("iam").attach_role_policy,
        RoleName=f"heraldo-{STAGE}",
        PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess",
    )
    assert refused(mine("scheduler").delete_schedule_group, Name="shop")
    assert refused(
        mine("stepfunctions").delete_state_machine,
        stateMachineArn="arn:aws:states:us-east-1:000000000000:stateMachine:shop",
    )
    assert refused(mine("events").delete_rule, Name="shop")
    assert refused(
        mine("sesv2").send_email,
        Content={"Simple": {"Subject": {"Data": "x"}, "Body": {}}},
        FromEmailAddress="a@b.example",
        Destination={"ToAddresses": ["a@b.example"]},
    )
