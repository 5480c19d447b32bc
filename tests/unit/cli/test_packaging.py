"""What is packaged and what it may do, as far as files can tell; e2e deploys it."""

from __future__ import annotations

import importlib.util
import io
import json
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from chalicelib import names
from chalicelib.lanes import settle
from chalicelib.relay.webhooks import GIVE_UP_SECONDS, LONGEST_WAIT
from chalicelib.rules.reading import load, routing
from chalicelib.store import runs
from cli.deploy import (
    bytecode,
    encryption,
    generated,
    kept,
    package,
    policies,
    resources,
    snapshots,
)
from cli.deploy.cloudformation import Resource
from cli.stages import stages

ROOT = Path(__file__).resolve().parents[3]
LANES = tuple(routing().lanes)
FUNCTIONS = policies.functions(LANES)
ALARM = "AWS::CloudWatch::Alarm"


@pytest.mark.parametrize(
    ("path", "content"),
    [(path.relative_to(ROOT).as_posix(), content) for path, content in generated.files().items()],
)
def test_a_committed_file_is_what_make_generate_writes(path: str, content: Any) -> None:
    text = content if path.endswith(".j2") else json.dumps(content, indent=2) + "\n"
    assert (ROOT / path).read_text("utf-8") == text


def test_functions_are_for_arm64_but_for_those_that_run_on_this_machine() -> None:
    config = json.loads((ROOT / ".chalice" / "config.json").read_text("utf-8"))
    named = {
        stage: found.get("lambda_architecture", config["lambda_architecture"])
        for stage, found in config["stages"].items()
    }
    assert named == {"local": "x86_64", "dev": "arm64", "prod": "arm64"}


def test_there_is_no_policy_of_a_function_that_is_gone() -> None:
    written = {path for path in generated.files() if "policies" in path.parts}
    assert set((ROOT / ".chalice" / "policies").rglob("*.json")) == written


def test_every_function_of_the_app_has_a_policy() -> None:
    from app import app

    handlers = {source.name for source in (*app.event_sources, *app.pure_lambda_functions)}
    assert {*handlers, policies.API} == set(FUNCTIONS)


@pytest.mark.parametrize("stage", stages())
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_policy_names_its_stage_and_no_account(stage: str, function: str) -> None:
    for statement in policies.policy(stage, function, LANES)["Statement"]:
        assert "*" not in statement["Action"]
        if statement["Action"] == ["sns:Publish"]:  # to people's numbers and endpoints
            assert statement.get("Resource") == ["arn:*:sns:*:*:endpoint/*"] or (
                statement["NotResource"] == ["arn:*:sns:*:*:*"]
            )
            continue
        if statement["Action"] == ["events:PutEvents"]:  # on the account's bus, in its own name
            assert statement["Condition"] == {
                "ForAllValues:StringEquals": {"events:source": [f"heraldo.{stage}"]}
            }
            continue
        if statement["Action"] == [*encryption.USES]:  # of a key, which has no name but its alias
            [aliases] = statement["Condition"]["ForAnyValue:StringEquals"].values()
            assert aliases == [f"alias/heraldo-{stage}"]
            continue
        for resource in statement["Resource"]:
            if (stage, statement["Action"]) == ("local", ["ses:SendBulkEmail"]):
                assert resource == "*"
                continue
            # AWS knows no resources of these: the list is the account's, a subscription has no name.
            if statement["Action"] in (
                ["ses:DeleteSuppressedDestination"],
                ["sns:GetSubscriptionAttributes", "sns:Unsubscribe"],
            ):
                assert (function, resource) == (names.CONSOLE, "*")
                continue
            assert resource.startswith("arn:*:")
            # The local AWS takes all schedules for those of its group `default`.
            local = "arn:*:scheduler:*:*:schedule/default/*" if stage == "local" else ""
            shared = resource in ("arn:*:ses:*:*:identity/*", local)
            assert f"heraldo-{stage}" in resource or shared


def test_an_inbox_is_read_on_the_local_stack_alone() -> None:
    for stage in stages():
        statements = policies.policy(stage, names.CONSOLE, LANES)["Statement"]
        read = [for_ for s in statements for for_ in s["Resource"] if for_.endswith("-inbox")]
        assert read == (
            ["arn:*:dynamodb:*:*:table/heraldo-local-inbox"] if stage == "local" else []
        )


@pytest.mark.parametrize("lane", LANES)
def test_a_lane_reads_its_own_queue_only(lane: str) -> None:
    reads = [
        resource
        for statement in policies.policy("dev", lane, LANES)["Statement"]
        for resource in statement.get("Resource", ())
        if "sqs:ReceiveMessage" in statement["Action"]
    ]
    assert reads == [f"arn:*:sqs:*:*:heraldo-dev-{lane}.fifo"]


@pytest.mark.parametrize("lane", LANES)
def test_a_lane_may_announce_what_must_not_go_out_twice(lane: str) -> None:
    """A transaction of puts is authorised as puts."""
    allowed = {
        action
        for statement in policies.policy("dev", lane, LANES)["Statement"]
        for action in statement["Action"]
        if any("table/heraldo-dev-ledger" in of for of in statement.get("Resource", ()))
    }
    assert allowed == {"dynamodb:BatchGetItem", "dynamodb:BatchWriteItem", "dynamodb:PutItem"}


@pytest.mark.parametrize("lane", LANES)
def test_a_lane_is_fifo_with_dead_letters_and_time_enough(lane: str) -> None:
    found = resources.infrastructure("dev")["Resources"]
    queue = found[f"{lane.capitalize()}Queue"]["Properties"]
    dead = found[f"{lane.capitalize()}DeadQueue"]["Properties"]
    settings = json.loads((ROOT / ".chalice" / "config.json").read_text("utf-8"))

    assert queue["QueueName"] == names.queue("dev", lane)
    assert dead["QueueName"] == names.dead_queue("dev", lane)
    assert queue["VisibilityTimeout"] >= 6 * settings["lambda_timeout"]
    for settings in (queue, dead):
        assert settings["FifoQueue"] is True
        assert settings["DeduplicationScope"] == "messageGroup"
        assert settings["FifoThroughputLimit"] == "perMessageGroupId"
        assert settings["MessageRetentionPeriod"] == 14 * 24 * 3600
    # At the longest wait between two tries, SQS gives up well after the handler does.
    most = queue["RedrivePolicy"]["maxReceiveCount"]
    assert most == 1000
    assert most * settle.LONGEST_WAIT > 1.2 * settle.GIVE_UP_SECONDS
    assert queue["VisibilityTimeout"] > settle.LONGEST_WAIT
    target = queue["RedrivePolicy"]["deadLetterTargetArn"]
    assert target == {"Fn::GetAtt": [f"{lane.capitalize()}DeadQueue", "Arn"]}


def test_every_line_of_level_error_is_counted_and_the_count_has_an_alarm() -> None:
    found = resources.infrastructure("dev")["Resources"]
    filters = [r["Properties"] for r in found.values() if r["Type"] == "AWS::Logs::MetricFilter"]
    groups = {name for name, r in found.items() if r["Type"] == "AWS::Logs::LogGroup"}
    assert {f["LogGroupName"]["Ref"] for f in filters} == groups
    assert {f["FilterPattern"] for f in filters} == {'{ $.level = "error" }'}
    [metric] = {
        (m["MetricNamespace"], m["MetricName"]) for f in filters for m in f["MetricTransformations"]
    }
    alarm = found["ErrorsAlarm"]["Properties"]
    assert (alarm["Namespace"], alarm["MetricName"]) == metric
    assert (alarm["Statistic"], alarm["Threshold"]) == ("Sum", 0)


@pytest.mark.parametrize("lane", LANES)
def test_a_packaged_lane_does_not_slow_down_where_a_part_of_a_batch_fails(lane: str) -> None:
    start = lane.capitalize()
    events = resources.overlay("dev")["Resources"][start]["Properties"]["Events"]
    source = events[f"{start}SqsEventSource"]["Properties"]
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


TELLING = ("OutcomesStream", "OutcomesDeadQueue", "OutcomesDeadAlarm", "OutcomesAgeAlarm")


def with_outcomes(tmp_path: Path) -> Path:
    """A tree whose stage dev tells the bus of outcomes."""
    return with_dev(tmp_path, "outcomes = true")


def with_dev(tmp_path: Path, setting: str) -> Path:
    """A tree whose stage dev has a setting more."""
    for name in (resources.RESOURCES, resources.PACKAGED, "chalicelib/routing.toml", "stages.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        text = (ROOT / name).read_text("utf-8").replace("[dev]\n", f"[dev]\n{setting}\n")
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


def test_a_stage_that_does_not_tell_of_outcomes_has_no_stream() -> None:
    found = resources.overlay("dev")["Resources"]
    assert not found.keys() & set(TELLING)
    assert "StreamSpecification" not in found["LedgerTable"]["Properties"]


def test_what_is_written_to_the_ledger_is_led_to_the_function_that_tells_of_it(
    tmp_path: Path,
) -> None:
    found = resources.overlay("dev", with_outcomes(tmp_path))["Resources"]
    assert found["LedgerTable"]["Properties"]["StreamSpecification"]
    mapping = found["OutcomesStream"]
    assert mapping["DependsOn"] == "Outcomes"
    assert mapping["Properties"]["FunctionName"] == "heraldo-dev-outcomes"
    # Until an hour before the stream forgets: what is given up on is told, and no bad one keeps the others.
    assert mapping["Properties"]["MaximumRecordAgeInSeconds"] == 23 * 3600
    assert mapping["Properties"]["BisectBatchOnFunctionError"] is True
    assert "MaximumRetryAttempts" not in mapping["Properties"]
    told = policies.policy("dev", names.OUTCOMES, LANES)["Statement"]
    queue = found["OutcomesDeadQueue"]["Properties"]["QueueName"]
    assert any(s["Resource"] == [f"arn:*:sqs:*:*:{queue}"] for s in told)


@pytest.mark.parametrize(
    ("region", "partition"),
    [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov"), ("sa-east-1", "aws")],
)
def test_nothing_names_another_partition_than_that_of_its_region(
    tmp_path: Path, region: str, partition: str
) -> None:
    tree = with_dev(tmp_path, f'region = "{region}"')
    shutil.copytree(ROOT / "journeys", tree / "journeys")
    text = json.dumps(resources.overlay("dev", tree)).replace("${AWS::Partition}", partition)
    assert set(re.findall(r"arn:([^:]+):", text)) == {partition}
    assert f"arn:{partition}:states:::sqs:sendMessage" in text


def test_who_waits_begins_from_a_snapshot_where_the_stage_says_so(tmp_path: Path) -> None:
    def begun(found: dict[str, Any]) -> list[str]:
        return [n for n, one in found["Resources"].items() if "SnapStart" in one["Properties"]]

    assert begun(resources.overlay("dev")) == []
    tree = with_dev(tmp_path, "snap_start = true")
    shutil.copytree(ROOT / "journeys", tree / "journeys")
    found = resources.overlay("dev", tree)
    assert sorted(begun(found)) == ["APIHandler", "Console"]
    # Each version that is kept is paid for.
    assert found["Resources"]["Console"]["Properties"]["VersionDeletionPolicy"] == "Delete"


def test_api_gateway_calls_the_alias_where_versions_are_published() -> None:
    uri = {"Fn::Sub": "arn:…:path/2015-03-31/functions/${APIHandler.Arn}/invocations"}
    template = {
        "Resources": {
            "RestAPI": {"Properties": {"DefinitionBody": {"paths": {"/events": uri}}}},
            "APIHandlerInvokePermission": {"Properties": {"FunctionName": {"Ref": "APIHandler"}}},
        }
    }
    led = json.dumps(snapshots.lead_to_alias(template))
    assert "functions/${APIHandler.Alias}/invocations" in led
    assert '"FunctionName": {"Ref": "APIHandler.Alias"}' in led
    assert "APIHandler.Arn" not in led


def test_a_python_that_there_are_no_snapshots_for_is_refused() -> None:
    with pytest.raises(
        package.PackageError, match=r"needs Python 3\.12 or newer, and this is 3\.11"
    ):
        package.refuse_an_old_python("prod", (3, 11))
    package.refuse_an_old_python("prod", (3, 12))


def test_alarms_tell_whom_the_stage_names_as_they_begin_and_as_they_end(tmp_path: Path) -> None:
    tree = with_dev(tmp_path, 'alarms_to = ["ops@abedul.example", "ana@abedul.example"]')
    found = resources.overlay("dev", tree)["Resources"]
    alarms = [one["Properties"] for one in found.values() if one.get("Type") == ALARM]
    assert len(alarms) > 10
    for alarm in alarms:
        assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "AlarmsTopic"}]
    told = {
        name: one["Properties"]["Endpoint"]
        for name, one in found.items()
        if name.startswith("AlarmsSubscription")
    }
    assert sorted(told.values()) == ["ana@abedul.example", "ops@abedul.example"]
    fewer = resources.overlay("dev", with_dev(tmp_path, 'alarms_to = ["ana@abedul.example"]'))
    kept = [name for name in fewer["Resources"] if name.startswith("AlarmsSubscription")]
    assert [told[name] for name in kept] == ["ana@abedul.example"], "who stays is not asked again"


def test_an_alarm_without_an_address_names_no_action() -> None:
    found = resources.overlay("dev")["Resources"]
    assert "AlarmsTopic" not in found
    assert not any("AlarmActions" in str(one) for one in found.values())


def test_the_dashboard_shows_every_lane_queue_function_and_alarm() -> None:
    found = resources.overlay("dev")["Resources"]
    body = json.loads(found["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"])
    shown = json.dumps(body)
    for lane in (*LANES, *names.INLETS):
        assert f'"{names.queue("dev", lane)}"' in shown
        assert f'"{names.dead_queue("dev", lane)}"' in shown
    for function in FUNCTIONS:
        assert f'"{policies.function_name("dev", function)}"' in shown
    for one in found.values():
        if one.get("Type") == ALARM:
            assert f":alarm:{one['Properties']['AlarmName']}" in shown
    assert set(re.findall(r"\${[^}]*}", shown)) == {
        "${AWS::Region}",
        "${AWS::Partition}",
        "${AWS::AccountId}",
    }
    for widget in body["widgets"]:
        assert widget["x"] + widget["width"] <= 24
    places = [(widget["x"], widget["y"]) for widget in body["widgets"]]
    assert len(set(places)) == len(places)


def test_no_policy_names_a_partition() -> None:
    for folder in ("dev", "local"):
        for file in (ROOT / ".chalice" / "policies" / folder).iterdir():
            assert set(re.findall(r"arn:([^:]+):", file.read_text("utf-8"))) == {"*"}


def test_a_stream_waits_for_its_function(tmp_path: Path) -> None:
    tree = with_outcomes(tmp_path)
    before = resources.infrastructure("dev", tree)["Resources"]
    after = resources.infrastructure("dev", tree, running=True)["Resources"]
    assert after.keys() - before.keys() == {"OutcomesStream"}


@pytest.mark.parametrize("lane", LANES)
def test_a_letter_that_is_gone_within_a_minute_raises_no_alarm(lane: str) -> None:
    """It is in two minutes at the most; `./heraldo verify` counts on that."""
    found = resources.infrastructure("dev")["Resources"]
    alarm = found[f"{resources.camel(lane)}DeadAlarm"]["Properties"]
    assert (alarm["Period"], alarm["DatapointsToAlarm"], alarm["EvaluationPeriods"]) == (60, 3, 3)


def test_a_sweep_that_fails_twice_in_half_an_hour_is_told() -> None:
    """It runs every ten minutes: a minute of every ten has a value at all."""
    alarm = resources.infrastructure("dev")["Resources"]["SweepAlarm"]["Properties"]
    assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": "heraldo-dev-sweep"}]
    assert (alarm["Period"], alarm["DatapointsToAlarm"], alarm["EvaluationPeriods"]) == (60, 2, 30)


def journeys_of(stage: str) -> dict[str, Any]:
    found = resources.overlay(stage)["Resources"]
    kind = "AWS::StepFunctions::StateMachine"
    return {name: one["Properties"] for name, one in found.items() if one.get("Type") == kind}


def test_every_journey_is_deployed_and_ends_some_day() -> None:
    found = journeys_of("dev")
    assert sorted(one["StateMachineName"] for one in found.values()) == [
        "heraldo-dev-abandoned-cart",
        "heraldo-dev-critical-alert",
        "heraldo-dev-unpaid-order",
    ]
    for one in found.values():
        assert one["StateMachineType"] == "STANDARD", (
            "the only one whose runs take longer than minutes"
        )
        assert json.loads(one["DefinitionString"])["TimeoutSeconds"] == runs.LONGEST_SECONDS
        assert one["DefinitionSubstitutions"].keys() == set(LANES)


def test_a_journey_may_send_into_lanes_and_do_nothing_else() -> None:
    """The local AWS does not hold Step Functions to their role."""
    found = resources.overlay("dev")["Resources"]
    [policy] = found["JourneysRole"]["Properties"]["Policies"]
    [may] = policy["PolicyDocument"]["Statement"]
    assert may["Action"] == "sqs:SendMessage"
    assert may["Resource"] == [
        {"Fn::GetAtt": [f"{lane.capitalize()}Queue", "Arn"]} for lane in LANES
    ]
    called = set()
    for one in journeys_of("dev").values():
        states = json.loads(one["DefinitionString"])["States"].values()
        called |= {state["Resource"] for state in states if state["Type"] == "Task"}
    assert called == {"arn:aws:states:::sqs:sendMessage"}


@pytest.mark.parametrize("function", [policies.API, names.BUS, *LANES])
def test_only_lanes_begin_and_end_runs(function: str) -> None:
    statements = policies.policy("dev", function, LANES)["Statement"]
    actions = {a for s in statements for a in s["Action"] if a.startswith("states:")}
    begin_and_end = {"states:StartExecution", "states:DescribeExecution", "states:StopExecution"}
    assert actions == (begin_and_end if function in LANES else set())
    resources_of = [r for s in statements if s["Action"][0] in begin_and_end for r in s["Resource"]]
    assert all(":heraldo-dev-" in resource for resource in resources_of)


POSTING = ("WebhooksQueue", "WebhooksDeadQueue", "WebhooksDeadAlarm", "WebhooksAgeAlarm")
WEBHOOK = """
[webhooks]
erp = { dev = "https://erp.example/in" }
[[rule]]
name = "machines"
to = ["webhook:erp"]
"""


def with_webhooks(tmp_path: Path) -> Path:
    """A tree whose stage dev posts to a webhook."""
    for name in (resources.RESOURCES, resources.PACKAGED, "chalicelib/routing.toml", "stages.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text((ROOT / name).read_text("utf-8"), "utf-8")
    with (tmp_path / "chalicelib/routing.toml").open("a", encoding="utf-8") as file:
        file.write(WEBHOOK)
    return tmp_path


def test_a_stage_that_posts_nothing_has_neither_queue_nor_function_for_it(tmp_path: Path) -> None:
    tree = with_webhooks(tmp_path)
    for found in (resources.overlay("prod", tree), resources.overlay("dev")):
        assert not found["Resources"].keys() & {*POSTING, "Webhooks", "WebhooksLogGroup"}
    assert names.WEBHOOKS not in FUNCTIONS


def test_a_stage_that_posts_has_a_queue_like_a_lane_s_and_a_function_of_its_own(
    tmp_path: Path,
) -> None:
    found = resources.overlay("dev", with_webhooks(tmp_path))["Resources"]
    assert found.keys() >= {*POSTING, "Webhooks", "WebhooksLogGroup"}
    queue = found["WebhooksQueue"]["Properties"]
    assert queue["QueueName"] == names.queue("dev", names.WEBHOOKS)
    assert queue["FifoQueue"] is True
    assert found["WebhooksAgeAlarm"]["Properties"]["Threshold"] == 3600
    events = found["Webhooks"]["Properties"]["Events"]["WebhooksSqsEventSource"]["Properties"]
    assert events["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    # A post may wait ten hours, over three days, and SQS forgets none before that.
    assert queue["MessageRetentionPeriod"] > 2 * GIVE_UP_SECONDS
    assert LONGEST_WAIT < 12 * 3600


def test_the_queue_stays_while_deployed_functions_use_it(tmp_path: Path) -> None:
    deployed = load((with_webhooks(tmp_path) / "chalicelib/routing.toml").read_text("utf-8"), "dev")
    assert resources.infrastructure("dev", also=deployed)["Resources"].keys() >= set(POSTING)


def test_what_is_yet_to_be_posted_is_not_thrown_away_and_the_way_out_is_told() -> None:
    queue = Resource("WebhooksQueue", "AWS::SQS::Queue", "https://sqs/1/heraldo-dev-webhooks.fifo")
    dead = Resource("D", "AWS::SQS::Queue", "https://sqs/1/heraldo-dev-webhooks-dead.fifo")
    assert "webhooks have 2 events yet to be posted" in kept._remedy(queue, 2, "dev")
    assert "dead-letters redrive --lane webhooks --stage dev" in kept._remedy(dead, 1, "dev")


def test_what_posts_reads_what_signs_and_nobody_s_address() -> None:
    statements = policies.policy("dev", names.WEBHOOKS, LANES, posts=True)["Statement"]
    [people] = [s for s in statements if any("-people" in r for r in s["Resource"])]
    assert people["Action"] == ["dynamodb:GetItem"]
    assert people["Condition"] == {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["webhook:*"]}
    }
    actions = {action for s in statements for action in s["Action"]}
    assert not [a for a in actions if a.startswith(("sns:", "ses:", "scheduler:", "iam:"))]


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("posts", [True, False])
def test_a_lane_may_fill_the_queue_of_webhooks_where_there_is_one(lane: str, posts: bool) -> None:
    statements = policies.policy("dev", lane, LANES, posts=posts)["Statement"]
    may = [
        s for s in statements if s.get("Resource") == ["arn:*:sqs:*:*:heraldo-dev-webhooks.fifo"]
    ]
    assert len(may) == posts
    assert all("sqs:SendMessage*" in s["Action"] for s in may)


def test_heraldo_does_not_hear_itself() -> None:
    """What it tells of outcomes is no event for any stage."""
    declared = stages()
    for stage in declared.values():
        pattern = resources.events_pattern(stage, declared)
        assert not any(told.startswith("heraldo.") for told in pattern["detail-type"])


def test_what_holds_something_outlives_its_line_and_its_stack() -> None:
    found = resources.infrastructure("dev")["Resources"]
    holding = ("AWS::SQS::Queue", "AWS::SNS::Topic", "AWS::DynamoDB::Table")
    kept = {name for name, resource in found.items() if resource["Type"] in holding}
    assert len(kept) >= 2 * len(LANES) + 3 + 2
    assert {
        (found[name]["DeletionPolicy"], found[name]["UpdateReplacePolicy"]) for name in kept
    } == {("RetainExceptOnCreate", "Retain")}


@pytest.mark.parametrize("file", ["infra/resources.yaml", "infra/packaged.yaml"])
def test_infrastructure_is_written_in_long_form_only(file: str) -> None:
    tags = [t.tag for t in yaml.scan((ROOT / file).read_text("utf-8")) if hasattr(t, "tag")]
    assert tags == []


def test_every_log_ends_some_day() -> None:
    found = resources.infrastructure("dev")["Resources"].values()
    groups = [r["Properties"] for r in found if r.get("Type") == "AWS::Logs::LogGroup"]
    named = {g["LogGroupName"] for g in groups}
    assert named == {f"/aws/lambda/{policies.function_name('dev', f)}" for f in FUNCTIONS}
    assert all(group["RetentionInDays"] for group in groups)


def test_a_module_is_packaged_with_bytecode_that_loads_whatever_its_time(tmp_path: Path) -> None:
    source = {"deep/er.py": b"def where():\n    raise ValueError\n", "note.txt": b""}
    compiled = bytecode.modules(source)
    assert [Path(name).parent.name for name in compiled] == ["__pycache__"]

    # The source says something else by now: what runs is the bytecode.
    for name, content in {"deep/er.py": b"where = None\n", **compiled}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    spec = importlib.util.spec_from_file_location("er", tmp_path / "deep" / "er.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with pytest.raises(ValueError, match=r"^$") as failure:
        module.where()
    assert failure.traceback[-1].path == tmp_path / "deep" / "er.py"


def test_the_same_entries_make_the_same_zip_in_any_order() -> None:
    entries = {"b.py": b"2", "a.py": b"1", "x.so": b"3"}
    first = package.zipped(entries)
    assert first == package.zipped(dict(reversed(entries.items())))
    opened = zipfile.ZipFile(io.BytesIO(first))
    assert opened.namelist() == ["a.py", "b.py", "x.so"]
    # Lambda runs as another user than the one who packages.
    assert [info.external_attr >> 16 & 0o444 for info in opened.infolist()] == [0o444] * 3
