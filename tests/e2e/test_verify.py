"""./heraldo verify against the deployed package: what passes, what it finds broken, and what it leaves behind."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from chalicelib import names
from chalicelib.names import Place
from chalicelib.stage import Stage as Handle
from cli import target as targets
from cli.commands.verify import command
from cli.target import Target
from cli.verify import access, letters, marks, report
from cli.verify.listener import Listener
from cli.verify.marks import Mark
from cli.verify.run import Run
from tests.e2e.conftest import Stack

CHECKS = [
    *("plan", "delivery", "lanes", "duplicates", "poison", "redrive"),
    *("order", "delivered", "once", "throughput", "latency", "alarms", "taken away"),
]
Verify = Callable[..., Result]


@pytest.fixture(scope="module")
def stack(stack_alone: Stack) -> Stack:
    """What is left behind is counted."""
    return stack_alone


@pytest.fixture
def target(stack: Stack) -> Target:
    facts = stack.local
    return Target("local", facts["api_url"], "", facts["endpoint_url"], facts["region"])


@pytest.fixture
def verify(target: Target, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Verify:
    """Runs the command on the stack, with few events."""
    monkeypatch.setattr(targets, "target", lambda _: target)
    monkeypatch.setattr(report.Report, "keep", _keeper(report.Report.keep, tmp_path))

    def run(*options: str) -> Result:
        return CliRunner().invoke(command, ["--events", "60", *options])

    return run


def _keeper(keep: Callable[..., Path], folder: Path) -> Callable[[report.Report], Path]:
    return lambda found: keep(found, folder)


@pytest.fixture(autouse=True)
def nothing_is_left(stack: Stack) -> Iterator[None]:
    yield
    queues = stack.client("sqs").list_queues(QueueNamePrefix="heraldo-local-verify-")
    assert queues.get("QueueUrls", []) == []
    assert subscriptions(stack) == []
    keys = stack.client("dynamodb").scan(TableName="heraldo-local-keys")["Items"]
    assert [key["name"]["S"] for key in keys if key["name"]["S"].startswith("verify-")] == []
    assert dead_letters(stack) == 0


def subscriptions(stack: Stack) -> list[Any]:
    sns = stack.client("sns")
    topic = stack.local["topics"]["verify"]
    return list(sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"])


def dead_letters(stack: Stack) -> int:
    sqs = stack.client("sqs")
    url = sqs.get_queue_url(QueueName=names.dead_queue("local", "reminders"))["QueueUrl"]
    wanted = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    got = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=wanted)["Attributes"]
    return sum(int(number) for number in got.values())


def test_a_stage_that_is_well_passes_and_is_measured(
    stack: Stack, verify: Verify, tmp_path: Path
) -> None:
    done = verify("--json")
    found = json.loads(done.stdout)
    assert [check["name"] for check in found["checks"]] == CHECKS
    assert [c for c in found["checks"] if c["passed"] is not True] == []
    assert (done.exit_code, found["passed"], found["stage"]) == (0, True, "local")
    figures = {check["name"]: check["figures"] for check in found["checks"]}
    assert figures["delivered"] == {"events": 60, "lost": 0}
    assert figures["throughput"]["per_second"] > 0
    for measured in figures["latency"].values():
        assert 0 < measured["p50"] <= measured["p95"] <= measured["p99"] < 60_000
    [kept] = tmp_path.glob("local-*.json")
    assert json.loads(kept.read_text("utf-8")) == found
    # Nobody else heard of it: the inbox hears every other topic.
    stack.received(lambda _: True, 0)
    assert [d for d in stack.deliveries if d.get("topic") == "verify"] == []


def failures(done: Result) -> dict[str, str]:
    """What did not pass, by the check's name; all else that was tried did."""
    found = json.loads(done.stdout)
    assert done.exit_code == 1
    assert not found["passed"]
    assert found["checks"][-1]["passed"], "nothing is left behind"
    return {c["name"]: c["said"] for c in found["checks"] if c["passed"] is False}


@contextmanager
def switched_off(stack: Stack, lane: str) -> Iterator[None]:
    """While nobody drains the queue of a lane."""
    functions = stack.client("lambda")
    [mapping] = functions.list_event_source_mappings(FunctionName=f"heraldo-local-{lane}")[
        "EventSourceMappings"
    ]
    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    try:
        yield
    finally:
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)


@contextmanager
def forbidden(stack: Stack, function: str, action: str) -> Iterator[None]:
    """While a function may not do something."""
    iam = stack.client("iam")
    arn = stack.client("lambda").get_function_configuration(FunctionName=function)["Role"]
    role = arn.rsplit("/", 1)[-1]
    deny = {"Effect": "Deny", "Action": action, "Resource": "*"}
    iam.put_role_policy(
        RoleName=role,
        PolicyName="broken",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [deny]}),
    )
    try:
        yield
    finally:
        iam.delete_role_policy(RoleName=role, PolicyName="broken")


def test_a_lane_that_nobody_drains_is_found_at_once(stack: Stack, verify: Verify) -> None:
    with switched_off(stack, "reminders"):
        done = verify("--json", "--timeout", "6")
    assert failures(done).keys() == {"delivery"}
    said = failures(done)["delivery"]
    assert "lies in heraldo-local-reminders.fifo, and nobody takes it out" in said
    assert "./heraldo doctor" in said
    untried = [c["name"] for c in json.loads(done.stdout)["checks"] if c["passed"] is None]
    assert untried == CHECKS[2:-2]


def test_a_lane_that_lacks_a_permission_is_found_by_its_name(stack: Stack, verify: Verify) -> None:
    with forbidden(stack, "heraldo-local-promotions", "sns:Publish*"):
        done = verify("--json", "--timeout", "10")
    found = failures(done)
    assert found.keys() == {"lanes"}
    assert found["lanes"].startswith("promotions delivers nothing: the ledger says retrying, needs")


def test_a_lane_that_forgets_what_it_sent_is_found(stack: Stack, verify: Verify) -> None:
    """Without the ledger nothing is lost, and it must not pass for well either."""
    with forbidden(stack, "heraldo-local-reminders", "dynamodb:BatchGetItem"):
        done = verify("--json", "--timeout", "6")
    assert failures(done).keys() == {"delivery"}


def test_where_somebody_else_hears_it_nothing_is_sent(stack: Stack, verify: Verify) -> None:
    sns, sqs = stack.client("sns"), stack.client("sqs")
    url = sqs.create_queue(QueueName="archive-of-everything")["QueueUrl"]
    wanted = {"QueueUrl": url, "AttributeNames": ["QueueArn"]}
    arn = sqs.get_queue_attributes(**wanted)["Attributes"]["QueueArn"]
    topic = stack.local["topics"]["verify"]
    theirs = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)["SubscriptionArn"]
    try:
        found = failures(verify("--json"))
        assert found.keys() == {"plan"}
        assert f"{arn} hears the topic verify, too" in found["plan"]
        assert "Messages" not in sqs.receive_message(QueueUrl=url)
    finally:
        sns.unsubscribe(SubscriptionArn=theirs)
        sqs.delete_queue(QueueUrl=url)


def test_an_alarm_that_goes_off_at_once_is_left_alone(stack: Stack, verify: Verify) -> None:
    """As a stage has it that was deployed before its alarms waited for three minutes."""
    cloudwatch = stack.client("cloudwatch")
    name = "heraldo-local-reminders-dead-letters"
    assert letters.alarm_minutes(cloudwatch, "local", "reminders") == letters.PATIENT
    [alarm] = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    kept = {
        key: alarm[key]
        for key in (
            *(
                "AlarmName",
                "AlarmDescription",
                "Namespace",
                "MetricName",
                "Dimensions",
                "Statistic",
            ),
            *("Period", "Threshold", "ComparisonOperator", "TreatMissingData"),
        )
    }
    cloudwatch.put_metric_alarm(**kept, EvaluationPeriods=1, DatapointsToAlarm=1)
    try:
        done = verify("--json")
        assert failures(done) == {}
        untried = {
            c["name"]: c["said"] for c in json.loads(done.stdout)["checks"] if c["passed"] is None
        }
        assert untried.keys() == {"poison", "redrive"}
        assert "would raise it. Deploy the stage" in untried["poison"]
    finally:
        cloudwatch.put_metric_alarm(**kept, EvaluationPeriods=3, DatapointsToAlarm=3)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_whoever_stops_it_leaves_nothing_behind(
    number: signal.Signals, verify: Verify, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the worst moment: while its letter is dead."""
    put_back = letters.put_back

    def stopped(*arguments: Any) -> Any:
        os.kill(os.getpid(), number)
        return put_back(*arguments)

    monkeypatch.setattr(letters, "put_back", stopped)
    done = verify()
    assert done.exit_code == 130, done.output
    assert "✓ lanes" in done.stdout
    assert "✓ taken away" in done.stdout
    assert "Interrupted." in done.stderr


def test_what_a_killed_run_left_is_taken_away_and_what_another_uses_is_not(
    stack: Stack, verify: Verify, target: Target
) -> None:
    handle = Handle("local", stack.client, Place("aws", "us-east-1", "000000000000"))
    killed = "20200101t000000-abcdef"
    beside = marks.run_name(datetime.now(UTC))
    for run in (killed, beside):
        left = Listener(handle, run)
        left.open()
        left._over.set()
        began = marks.begun(run)
        assert began is not None
        access.create(target, run, began)
        mark = Mark("poison", "k", 2)
        handle.sqs.send_message(
            QueueUrl=handle.dead_queue_url("reminders"),
            MessageBody=json.dumps({**mark.event(run), "source": f"verify-{run}"}),
            MessageGroupId=run,
            MessageDeduplicationId=run,
        )
    try:
        done = verify()
        assert done.exit_code == 0, done.output
        assert f"Removed the queue heraldo-local-verify-{killed}" in done.stderr
        assert f"Revoked the key of a run that was killed: {killed}" in done.stderr
        assert "Removed the dead letter" in done.stderr
        assert [one["Endpoint"].rsplit(":")[-1] for one in subscriptions(stack)] == [
            f"heraldo-local-verify-{beside}"
        ]
        assert dead_letters(stack) == 1
    finally:
        left.close()
        access.revoke(target, beside)
        letters.take_away(handle, "reminders", lambda letter: beside in letter.id)


def test_two_runs_beside_each_other_do_not_mix(verify: Verify, target: Target) -> None:
    from chalicelib.rules import reading

    name = marks.run_name(datetime.now(UTC))
    key = access.create(target, name, datetime.now(UTC))
    other = Target("local", target.api_url, key, target.endpoint_url, target.region)
    run = Run(other, reading.read(reading.FILE, "local"), name, 20, 30, lambda _: None)
    run.listener.open()
    try:
        checks = run.checks()
        assert next(checks).passed
        assert next(checks).passed
        assert verify().exit_code == 0
        assert [check for check in checks if check.passed is not True] == []
    finally:
        run.listener.close()
        access.revoke(target, name)
