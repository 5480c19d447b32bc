"""A stage is taken away, whichever way it was deployed, and nothing of it is left on the local AWS."""

from __future__ import annotations

import json
import time
from pathlib import Path

from chalicelib.stage import Stage
from chalicelib.store import holds
from chalicelib.store.holds import Hold
from cli.stack.emulator import Emulator
from tests.e2e.test_changes import at_a_terminal
from tests.e2e.test_deploy import STAGE, chalice_deploy, deliver, run, shell, url
from tests.patience import PATIENCE

DESTROY = ("make", "destroy", f"STAGE={STAGE}")
FIRST_LINE = f"Stage {STAGE}, account 000000000000, region us-east-1: this would be lost"
NOTHING = f"There is nothing of stage {STAGE} in account 000000000000, region us-east-1."


def everything(emulator: Emulator) -> set[str]:
    """Whatever the account has that is called heraldo, and every API."""
    listed = {
        "sqs": ("list_queues", "QueueUrls", None),
        "sns": ("list_topics", "Topics", "TopicArn"),
        "dynamodb": ("list_tables", "TableNames", None),
        "lambda": ("list_functions", "Functions", "FunctionName"),
        "iam": ("list_roles", "Roles", "RoleName"),
        "s3": ("list_buckets", "Buckets", "Name"),
        "scheduler": ("list_schedule_groups", "ScheduleGroups", "Name"),
        "stepfunctions": ("list_state_machines", "stateMachines", "name"),
        "logs": ("describe_log_groups", "logGroups", "logGroupName"),
        "events": ("list_rules", "Rules", "Name"),
        "cloudwatch": ("describe_alarms", "MetricAlarms", "AlarmName"),
        "sesv2": ("list_configuration_sets", "ConfigurationSets", None),
        "apigateway": ("get_rest_apis", "items", "name"),
    }
    found = set()
    for service, (operation, key, name) in listed.items():
        for one in getattr(emulator.client(service), operation)().get(key, ()):
            found.add(f"{service}: {one[name] if name else one}")
    stacks = emulator.client("cloudformation").describe_stacks()["Stacks"]
    found |= {f"stack: {s['StackName']}" for s in stacks if s["StackStatus"] != "DELETE_COMPLETE"}
    mappings = emulator.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    found |= {f"mapping: {m['FunctionArn']}" for m in mappings if m["State"] != "Deleting"}
    schedules = emulator.client("scheduler").list_schedules()["Schedules"]
    found |= {f"schedule: {s['GroupName']} heraldo" for s in schedules}
    ours = "heraldo-local-inbox"  # with which these tests hear
    return {one for one in found if "heraldo" in one and not one.endswith(ours)}


def use(emulator: Emulator, tmp_path: Path) -> None:
    """Leave something of all that a stage keeps: a run of a journey, a held event, a dead letter."""
    assert len(deliver(emulator, tmp_path, tmp_path.name)) == 2
    at = "2126-01-01T00:00:00.000Z"
    hold = Hold("alerts", "g", at, at, "0" * 32, "later", "shop", event="{}")
    writes = [{"Put": put} for put in holds.puts(Stage(STAGE, emulator.client), hold)]
    emulator.client("dynamodb").transact_write_items(TransactItems=writes)
    emulator.client("sqs").send_message(
        QueueUrl=url(emulator, f"heraldo-{STAGE}-orders-dead.fifo"),
        MessageBody="x",
        MessageGroupId="g",
    )
    # The worker that delivered has written the last line of its log when its message is gone.
    lane = url(emulator, f"heraldo-{STAGE}-alerts.fifo")
    until = time.monotonic() + PATIENCE
    while messages(emulator, lane) and time.monotonic() < until:
        time.sleep(0.05)


def messages(emulator: Emulator, queue: str) -> int:
    """How many messages a queue has, in a worker's hands or not."""
    counted = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    found = emulator.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])
    return sum(int(found["Attributes"][name]) for name in counted)


LOST = (
    FIRST_LINE,
    f"1 dead letter in heraldo-{STAGE}-orders-dead.fifo",
    "1 event held until their time",
    f"1 run of journey heraldo-{STAGE}-critical-alert",
    f"1 subscription to heraldo-{STAGE}-company",
    f"table heraldo-{STAGE}-people, about ",
    f"table heraldo-{STAGE}-ledger, about ",
    f"table heraldo-{STAGE}-keys, about ",
)


def test_the_one_stack_goes_with_all_that_it_holds(
    tree: Path, emulator: Emulator, tmp_path: Path
) -> None:
    shell(tree, emulator, "make", "deploy", f"STAGE={STAGE}")
    use(emulator, tmp_path)
    there = everything(emulator)

    code, said = run(tree, emulator, *DESTROY)  # nobody can be asked
    assert code != 0
    assert all(line in said for line in LOST), said
    assert " in heraldo-packages-000000000000-us-east-1, " in said
    assert f"Nothing was taken away: say CONFIRM={STAGE}." in said
    code, said = at_a_terminal(tree, emulator, "y", *DESTROY)
    assert code != 0
    assert f"Nothing was taken away: that is not '{STAGE}'." in said
    assert everything(emulator) == there

    code, said = at_a_terminal(tree, emulator, STAGE, *DESTROY)
    assert code == 0, said
    assert f"heraldo-{STAGE} is deleted" in said
    assert f"Nothing of stage {STAGE} is left." in said
    assert everything(emulator) == set()
    assert NOTHING in shell(tree, emulator, *DESTROY)


def test_infrastructure_and_plain_chalice_go_with_all_that_they_hold(
    tree: Path, emulator: Emulator, tmp_path: Path
) -> None:
    file = tree / "stages.toml"
    sender = '[dev]\nsender = "Abedul <hola@abedul.example>"\n'
    file.write_text(file.read_text("utf-8").replace("[dev]\n", sender), "utf-8")
    shell(tree, emulator, "make", "infra", f"STAGE={STAGE}")
    chalice_deploy(tree, emulator)
    use(emulator, tmp_path)
    (tree / ".chalice" / "deployed" / f"{STAGE}.json").unlink()  # another machine's deploy

    said = shell(tree, emulator, *DESTROY, CONFIRM=STAGE)
    assert all(line in said for line in LOST), said
    assert (
        f"Deleting function: arn:aws:lambda:us-east-1:000000000000:function:heraldo-{STAGE}" in said
    )
    assert f"heraldo-{STAGE}-infra is deleted" in said
    assert "SES goes on knowing abedul.example" in said
    assert everything(emulator) == set()
    assert not (tree / ".chalice" / "deployed" / f"{STAGE}.json").exists()


def test_what_an_interrupted_run_left_is_found_by_the_next(tree: Path, emulator: Emulator) -> None:
    aws = emulator.client
    aws("sqs").create_queue(
        QueueName=f"heraldo-{STAGE}-orders-dead.fifo", Attributes={"FifoQueue": "true"}
    )
    aws("sqs").create_queue(QueueName=f"heraldo-{STAGE}2-orders")  # another stage's
    allowed = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Service": "lambda.amazonaws.com"},
    }
    trust = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    may = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}],
        }
    )
    aws("iam").create_role(RoleName=f"heraldo-{STAGE}-sweep", AssumeRolePolicyDocument=trust)
    aws("iam").put_role_policy(
        RoleName=f"heraldo-{STAGE}-sweep", PolicyName="p", PolicyDocument=may
    )
    aws("events").put_rule(Name=f"heraldo-{STAGE}-sweep", ScheduleExpression="rate(1 day)")
    target = {"Id": "1", "Arn": "arn:aws:lambda:us-east-1:000000000000:function:f"}
    aws("events").put_targets(Rule=f"heraldo-{STAGE}-sweep", Targets=[target])
    aws("logs").create_log_group(logGroupName=f"/aws/lambda/heraldo-{STAGE}")
    aws("sesv2").create_configuration_set(ConfigurationSetName=f"heraldo-{STAGE}")
    bucket = "heraldo-packages-000000000000-us-east-1"
    aws("s3").create_bucket(Bucket=bucket)
    for key in (f"{STAGE}/a.zip", f"{STAGE}2/a.zip"):
        aws("s3").put_object(Bucket=bucket, Key=key, Body=b"x")

    said = shell(tree, emulator, *DESTROY, CONFIRM=STAGE)
    assert f"  role heraldo-{STAGE}-sweep is deleted" in said
    assert f"{bucket} stays: it has another stage's packages" in said
    left = everything(emulator)
    assert left == {f"sqs: {url(emulator, f'heraldo-{STAGE}2-orders')}", f"s3: {bucket}"}
    assert [o["Key"] for o in aws("s3").list_objects_v2(Bucket=bucket)["Contents"]] == [
        f"{STAGE}2/a.zip"
    ]


def test_the_stage_of_this_machine_is_not_destroyed(tree: Path, emulator: Emulator) -> None:
    code, said = run(tree, emulator, "make", "destroy", "STAGE=local", CONFIRM="local")
    assert code != 0
    assert "Stage local is what `make run` brings up" in said
