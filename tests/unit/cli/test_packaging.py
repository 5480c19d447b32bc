"""What is packaged and what it may do, as far as files can tell; e2e deploys it."""

from __future__ import annotations

import importlib.util
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from chalicelib import names
from chalicelib.lanes import settle
from chalicelib.rules.reading import routing
from cli.deploy import generated, package, policies, resources
from cli.stages import stages

ROOT = Path(__file__).resolve().parents[3]
LANES = tuple(routing().lanes)
FUNCTIONS = policies.functions(LANES)


@pytest.mark.parametrize(
    ("path", "content"),
    [(path.relative_to(ROOT).as_posix(), content) for path, content in generated.files().items()],
)
def test_a_committed_file_is_what_make_generate_writes(path: str, content: Any) -> None:
    text = content if path.endswith(".j2") else json.dumps(content, indent=2) + "\n"
    assert (ROOT / path).read_text("utf-8") == text


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
            assert statement.get("Resource") == ["arn:aws:sns:*:*:endpoint/*"] or (
                statement["NotResource"] == ["arn:aws:sns:*:*:*"]
            )
            continue
        if statement["Action"] == ["events:PutEvents"]:  # on the account's bus, in its own name
            assert statement["Condition"] == {
                "ForAllValues:StringEquals": {"events:source": [f"heraldo.{stage}"]}
            }
            continue
        for resource in statement["Resource"]:
            if (stage, statement["Action"]) == ("local", ["ses:SendBulkEmail"]):
                assert resource == "*"
                continue
            assert resource.startswith("arn:aws:")
            # The local AWS takes all schedules for those of its group `default`.
            local = "arn:aws:scheduler:*:*:schedule/default/*" if stage == "local" else ""
            shared = resource in ("arn:aws:ses:*:*:identity/*", local)
            assert f"heraldo-{stage}" in resource or shared


@pytest.mark.parametrize("lane", LANES)
def test_a_lane_reads_its_own_queue_only(lane: str) -> None:
    reads = [
        resource
        for statement in policies.policy("dev", lane, LANES)["Statement"]
        for resource in statement.get("Resource", ())
        if "sqs:ReceiveMessage" in statement["Action"]
    ]
    assert reads == [f"arn:aws:sqs:*:*:heraldo-dev-{lane}.fifo"]


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
    for name in (resources.RESOURCES, resources.PACKAGED, "chalicelib/routing.toml", "stages.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        text = (ROOT / name).read_text("utf-8").replace("[dev]\n", "[dev]\noutcomes = true\n")
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
    assert any(s["Resource"] == [f"arn:aws:sqs:*:*:{queue}"] for s in told)


def test_a_stream_waits_for_its_function(tmp_path: Path) -> None:
    tree = with_outcomes(tmp_path)
    before = resources.infrastructure("dev", tree)["Resources"]
    after = resources.infrastructure("dev", tree, running=True)["Resources"]
    assert after.keys() - before.keys() == {"OutcomesStream"}


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
    compiled = package.compiled(source)
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
