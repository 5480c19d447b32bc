"""CloudFormation for what there is one of for every lane, topic and function; `infra/` has the rest.

Every number below is a choice or a limit; the limits' source is the page named beside them.
  Queues:  https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
  Lambda:  https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from chalicelib import names
from chalicelib.door import envelope
from chalicelib.relay import outcomes
from chalicelib.rules import reading
from chalicelib.rules.reading import Problem, RoutingError
from chalicelib.rules.routing import Routing
from cli import region
from cli.deploy import dashboard, encryption, journeys, policies, snapshots
from cli.paths import ROOT, ROUTING
from cli.stages import Settings, stages

Resources = dict[str, dict[str, Any]]

RESOURCES: Final = "infra/resources.yaml"
PACKAGED: Final = "infra/packaged.yaml"
_LOG_DAYS: Final = 30
_METRICS: Final = "Heraldo"
LANE_HANDLER: Final = "chalicelib.lanes.entry.handle"
# Taken out of the template, they stay in the account with what they hold. A create that fails takes
# them away again.
_KEPT: Final = {"DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain"}
# perMessageGroupId is high-throughput FIFO:
#   https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/enable-high-throughput-fifo.html
# Content-based deduplication serves senders that give no id of their own (EventBridge Scheduler
# cannot); an explicit id still wins.
# 1209600 s (14 days) and 1048576 bytes (1 MiB) are the most SQS takes.
_FIFO: Final = {
    "FifoQueue": True,
    "ContentBasedDeduplication": True,
    "DeduplicationScope": "messageGroup",
    "FifoThroughputLimit": "perMessageGroupId",
    "MessageRetentionPeriod": 1209600,
    "MaximumMessageSize": 1048576,
    "SqsManagedSseEnabled": True,
}
_STANDARD: Final = {"MessageRetentionPeriod": 1209600, "SqsManagedSseEnabled": True}
# Six times the functions' 30 s, as Lambda asks for.
_VISIBILITY: Final = 180
# A handler gives an event up itself, by its age and its own failures, and dead-letters what kills its
# workers (chalicelib/lanes). This is for what it cannot even look at, such as a message that waits while
# the ledger cannot be read: at two minutes a time it is a day and a half.
_MOST_RECEIVES: Final = 1000
# For how many minutes a lane's letter lies there before anybody is told: what `./heraldo verify` has die, and
# takes away within seconds, can be in two of them at the most (docs/decisions/0030-verify.md).
_LIES: Final = (3, 3)


def infrastructure(
    stage: str, root: Path = ROOT, *, also: Routing | None = None, running: bool = False
) -> dict[str, Any]:
    """All that a stage needs around its functions, as one template.

    `also` has lanes, topics and webhooks that are needed for a while, although they are no longer declared.
    `running`: the function that tells of outcomes is there already, so that the stream can be led to it.

    Raises
    ------
    RoutingError, StagesError : what is declared cannot be read, or clashes with what `infra/` has.
    """
    routing = reading.read(root / ROUTING, stage)
    if also is not None:
        lanes, topics = {**also.lanes, **routing.lanes}, {**also.topics, **routing.topics}
        webhooks = routing.webhooks if routing.posts else also.webhooks
        routing = Routing(lanes, topics, routing.rules, webhooks=webhooks)
    declared = stages(root)
    patterns = {
        "EventsPattern": json.dumps(events_pattern(declared[stage], declared)),
        "AlarmsPattern": json.dumps(alarms_pattern(declared[stage])),
    }
    template: dict[str, Any] = _read(root / RESOURCES, stage, **patterns)
    for inlet in names.INLETS:
        template["Resources"].update(_inlet(stage, inlet))
    if routing.posts:
        template["Resources"].update(_webhooks(stage))
    if declared[stage].outcomes:
        _tell_outcomes(stage, template["Resources"], running)
    problems: list[Problem] = []
    for name, line, found in _declared(stage, routing):
        for logical_id in found.keys() & template["Resources"].keys():
            problem = (
                f"{name}: its {logical_id} is there already, here or in infra/: call it otherwise"
            )
            problems.append(Problem(line, "", problem))
        template["Resources"].update(found)
    if problems:
        raise RoutingError(problems)
    queues = {lane: f"{camel(lane)}Queue" for lane in routing.lanes}
    machines = journeys.resources(stage, root, queues, region.partition(declared[stage].region))
    template["Resources"].update(machines)
    for logical_id, found in machines.items():
        if found["Type"] == journeys.MACHINE:
            name = found["Properties"]["StateMachineName"]
            template["Resources"][f"{logical_id}Alarm"] = _journey_alarm(name, logical_id)
    for function in policies.functions(routing.lanes, posts=routing.posts):
        template["Resources"].update(_log_group(stage, function))
    template["Resources"]["ErrorsAlarm"] = _errors_alarm(stage)
    template["Resources"]["SweepAlarm"] = _sweep_alarm(stage)
    if declared[stage].alarms_to:
        _tell_alarms(stage, declared[stage].alarms_to, template["Resources"])
    functions = policies.functions(routing.lanes, posts=routing.posts)
    template["Resources"]["Dashboard"] = dashboard.dashboard(
        stage, routing.lanes, functions, template["Resources"]
    )
    encryption.encrypt_topics(stage, template["Resources"])
    encryption.refuse_plain_http(template["Resources"])
    return template


def overlay(stage: str, root: Path = ROOT) -> dict[str, Any]:
    """What is merged into chalice's template: the infrastructure, and what chalice does not know of.

    Raises
    ------
    RoutingError, StagesError : as `infrastructure`.
    """
    packaged = _read(root / PACKAGED, stage)
    template = packaged | infrastructure(stage, root, running=True)
    template["Resources"] |= packaged["Resources"]
    if "OutcomesStream" in template["Resources"]:
        template["Resources"]["OutcomesStream"]["DependsOn"] = camel(names.OUTCOMES)
    routing = reading.read(root / ROUTING, stage)
    mapped = (*routing.lanes, *names.INLETS, names.WEBHOOKS)
    begin_from_snapshots = snapshots.FUNCTIONS if stages(root)[stage].snap_start else ()
    for function in policies.functions(routing.lanes, posts=routing.posts):
        template["Resources"] |= _function(
            stage,
            function,
            mapped=function in mapped,
            lane=function in routing.lanes,
            snapshot=function in begin_from_snapshots,
        )
    return template


def write(template: Mapping[str, Any], file: Path) -> None:
    """Write the whole of a template where it can be read and reviewed."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(dict(template), sort_keys=False, width=100), "utf-8")


def camel(name: str) -> str:
    """A name as it begins a logical id: `vip-users` is VipUsers."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("-"))


def _read(file: Path, stage: str, **words: str) -> dict[str, Any]:
    text = file.read_text("utf-8")
    for word, meaning in {"Stage": stage, **words}.items():
        text = text.replace(f"${{{word}}}", meaning)
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def events_pattern(stage: Settings, declared: Collection[str]) -> dict[str, Any]:
    """Which events on the bus are a stage's: those that name it; and for one stage those that name none,
    or one that there is not, so that a slip of the pen is told instead of lost."""
    named: list[Any] = [stage.name]
    if stage.unnamed_events:
        named += [{"exists": False}, None, {"anything-but": list(declared)}]
    return {"detail-type": [envelope.DETAIL_TYPE], "detail": {"stage": named}}


def alarms_pattern(stage: Settings) -> dict[str, Any]:
    """Which alarms of the account a stage tells of: by how their names begin."""
    return {
        "source": ["aws.cloudwatch"],
        "detail-type": [envelope.ALARM_DETAIL_TYPE],
        "detail": {"alarmName": [{"prefix": start} for start in stage.alarms]},
    }


def _declared(stage: str, routing: Routing) -> list[tuple[str, int, Resources]]:
    """What follows from each line of the declaration, with its name and line."""
    lanes = [
        (f"lane {lane.name}", lane.line, _lane(stage, lane.name)) for lane in routing.lanes.values()
    ]
    topics = [
        (f"topic {topic.name}", topic.line, _topic(stage, topic.name))
        for topic in routing.topics.values()
    ]
    return lanes + topics


def _lane(stage: str, lane: str) -> Resources:
    start = camel(lane)
    queue, dead = names.queue(stage, lane), names.dead_queue(stage, lane)
    redrive = {
        "deadLetterTargetArn": {"Fn::GetAtt": [f"{start}DeadQueue", "Arn"]},
        "maxReceiveCount": _MOST_RECEIVES,
    }
    properties = {"VisibilityTimeout": _VISIBILITY, "RedrivePolicy": redrive}
    return {
        f"{start}Queue": _resource("SQS::Queue", {"QueueName": queue, **_FIFO, **properties}, True),
        f"{start}DeadQueue": _resource("SQS::Queue", {"QueueName": dead, **_FIFO}, True),
        f"{start}DeadAlarm": queue_alarm(
            f"heraldo-{stage}-{lane}-dead-letters",
            f"An event was given up on: ./heraldo dead-letters list --stage {stage}",
            f"{start}DeadQueue",
            "ApproximateNumberOfMessagesVisible",
            above=0,
            of=_LIES,
        ),
        f"{start}AgeAlarm": queue_alarm(
            f"heraldo-{stage}-{lane}-delayed",
            "The oldest event of the lane has waited for more than 15 minutes",
            f"{start}Queue",
            "ApproximateAgeOfOldestMessage",
            above=900,
        ),
    }


# What lies in the inlets' queues, as their alarms say it.
_TOLD: Final = {names.BUS: "An event on the bus", names.RECEIPTS: "A receipt of SES"}


def _inlet(stage: str, inlet: str) -> Resources:
    """A standard queue with its dead letters, and what is said of them and of its function. Who may put
    something in stands in `infra/`."""
    start, what = camel(inlet), _TOLD[inlet]
    redrive = {
        "deadLetterTargetArn": {"Fn::GetAtt": [f"{start}DeadQueue", "Arn"]},
        "maxReceiveCount": _MOST_RECEIVES,
    }
    queue = {"QueueName": names.queue(stage, inlet), "VisibilityTimeout": _VISIBILITY, **_STANDARD}
    dead = {"QueueName": names.dead_queue(stage, inlet), **_STANDARD}
    function = policies.function_name(stage, inlet)
    errors = {
        "Namespace": "AWS/Lambda",
        "MetricName": "Errors",
        "Dimensions": [{"Name": "FunctionName", "Value": function}],
        "Statistic": "Sum",
    }
    return {
        f"{start}Queue": _resource("SQS::Queue", {**queue, "RedrivePolicy": redrive}, True),
        f"{start}DeadQueue": _resource("SQS::Queue", dead, True),
        f"{start}DeadAlarm": queue_alarm(
            f"heraldo-{stage}-{inlet}-dead-letters",
            f"{what} was given up on: ./heraldo dead-letters list --stage {stage}",
            f"{start}DeadQueue",
            "ApproximateNumberOfMessagesVisible",
            above=0,
        ),
        f"{start}AgeAlarm": queue_alarm(
            f"heraldo-{stage}-{inlet}-delayed",
            f"{what} has waited for more than 15 minutes",
            f"{start}Queue",
            "ApproximateAgeOfOldestMessage",
            above=900,
        ),
        # A batch of which a part has to wait counts as an error, so one alone is no reason to get up.
        f"{start}ErrorsAlarm": _alarm(
            f"heraldo-{stage}-{inlet}-errors",
            f"The function {function} fails again and again; its log says why",
            errors,
            above=0,
            of=(3, 5),
        ),
    }


def _webhooks(stage: str) -> Resources:
    """What is posted waits in a queue like a lane's, and by its function's own count of days."""
    found = _lane(stage, names.WEBHOOKS)
    dead, age = (found[f"Webhooks{alarm}Alarm"]["Properties"] for alarm in ("Dead", "Age"))
    list_them = f"./heraldo dead-letters list --lane {names.WEBHOOKS} --stage {stage}"
    dead["AlarmDescription"] = f"A webhook has not taken what was posted to it: {list_them}"
    log = policies.function_name(stage, names.WEBHOOKS)
    age["AlarmDescription"] = f"A webhook has taken nothing for an hour; the log of {log} says why"
    age["Threshold"] = 3600
    return found


def _tell_outcomes(stage: str, resources: Resources, running: bool) -> None:
    """Lead what is written to the ledger to the function that tells of it, in a stage that says `outcomes`.

    What could not be told within 23 hours, one before the stream forgets it, is given up on.
    https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html
    """
    function = policies.function_name(stage, names.OUTCOMES)
    seen = {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    resources["LedgerTable"]["Properties"]["StreamSpecification"] = seen
    dead = {"QueueName": names.lost_outcomes(stage), **_STANDARD}
    resources["OutcomesDeadQueue"] = _resource("SQS::Queue", dead, True)
    resources["OutcomesDeadAlarm"] = queue_alarm(
        f"heraldo-{stage}-outcomes-dead-letters",
        f"Outcomes could not be told on the bus for 23 hours; the log of {function} says why",
        "OutcomesDeadQueue",
        "ApproximateNumberOfMessagesVisible",
        above=0,
    )
    age = {
        "Namespace": "AWS/Lambda",
        "MetricName": "IteratorAge",
        "Dimensions": [{"Name": "FunctionName", "Value": function}],
        "Statistic": "Maximum",
    }
    resources["OutcomesAgeAlarm"] = _alarm(
        f"heraldo-{stage}-outcomes-delayed",
        f"The bus has not been told of outcomes for 15 minutes; the log of {function} says why",
        age,
        above=900_000,
    )
    if running:
        mapping = {
            "FunctionName": function,
            "EventSourceArn": {"Fn::GetAtt": ["LedgerTable", "StreamArn"]},
            # With what was written since there is a stream.
            "StartingPosition": "TRIM_HORIZON",
            "BatchSize": 100,
            "MaximumBatchingWindowInSeconds": 1,
            "FilterCriteria": {"Filters": [{"Pattern": one} for one in outcomes.filters()]},
            "BisectBatchOnFunctionError": True,
            "MaximumRecordAgeInSeconds": 23 * 3600,
            "DestinationConfig": {
                "OnFailure": {"Destination": {"Fn::GetAtt": ["OutcomesDeadQueue", "Arn"]}}
            },
        }
        resources["OutcomesStream"] = _resource("Lambda::EventSourceMapping", mapping)


def _topic(stage: str, topic: str) -> Resources:
    properties = {"TopicName": names.topic(stage, topic)}
    return {f"{camel(topic)}Topic": _resource("SNS::Topic", properties, True)}


def _log_group(stage: str, function: str) -> Resources:
    """Declared so that it has an end date; the functions may write to it but not create any.

    Its filter counts the lines of level `error` (chalicelib/log.py), those of all functions in one metric.
    """
    name = f"/aws/lambda/{policies.function_name(stage, function)}"
    group = _log_group_id(function)
    counted = {
        "LogGroupName": {"Ref": group},
        "FilterPattern": '{ $.level = "error" }',
        "MetricTransformations": [
            {"MetricNamespace": _METRICS, "MetricName": f"{stage}-errors", "MetricValue": "1"}
        ],
    }
    return {
        group: _resource("Logs::LogGroup", {"LogGroupName": name, "RetentionInDays": _LOG_DAYS}),
        f"{group}Errors": _resource("Logs::MetricFilter", counted),
    }


def _errors_alarm(stage: str) -> dict[str, Any]:
    """Says that a person has something to mend: SNS refuses every event for want of a permission, a
    key or a topic, a dead-letter queue takes nothing, or Heraldo stumbles over itself."""
    return _alarm(
        f"heraldo-{stage}-errors",
        "Events wait for a person, or something unexpected happened: the logs' lines of level error say what",
        {"Namespace": _METRICS, "MetricName": f"{stage}-errors", "Statistic": "Sum"},
        above=0,
    )


def _sweep_alarm(stage: str) -> dict[str, Any]:
    """Says that nobody looks for what is overdue, which is done every ten minutes."""
    function = policies.function_name(stage, names.SWEEP)
    measured = {
        "Namespace": "AWS/Lambda",
        "MetricName": "Errors",
        "Dimensions": [{"Name": "FunctionName", "Value": function}],
        "Statistic": "Sum",
    }
    about = f"Nobody looks for held events that are overdue; the log of {function} says why"
    return _alarm(f"heraldo-{stage}-sweep-errors", about, measured, above=0, of=(2, 30))


def _journey_alarm(machine: str, logical_id: str) -> dict[str, Any]:
    """Says that a run did not come to its end: https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html"""
    measured = {
        "Namespace": "AWS/States",
        "MetricName": "ExecutionsFailed",
        "Dimensions": [{"Name": "StateMachineArn", "Value": {"Ref": logical_id}}],
        "Statistic": "Sum",
    }
    about = f"A run of {machine} failed; Step Functions show why"
    return _alarm(f"{machine}-failed", about, measured, above=0)


def _tell_alarms(stage: str, addresses: Collection[str], resources: Resources) -> None:
    """Have every alarm tell these addresses, as it begins and as it is over, by a topic into which CloudWatch
    alone publishes: no lane is needed for it.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
    """
    resources["AlarmsTopic"] = _resource(
        "SNS::Topic", {"TopicName": names.topic(stage, names.ALARMS)}
    )
    alarm = f"arn:${{AWS::Partition}}:cloudwatch:${{AWS::Region}}:${{AWS::AccountId}}:alarm:heraldo-{stage}-*"
    may = {
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": {"Ref": "AlarmsTopic"},
        "Condition": {
            "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
            "ArnLike": {"aws:SourceArn": {"Fn::Sub": alarm}},
        },
    }
    document = {"Version": "2012-10-17", "Statement": [may]}
    resources["AlarmsTopicPolicy"] = _resource(
        "SNS::TopicPolicy", {"Topics": [{"Ref": "AlarmsTopic"}], "PolicyDocument": document}
    )
    for address in addresses:
        properties = {"TopicArn": {"Ref": "AlarmsTopic"}, "Protocol": "email", "Endpoint": address}
        # By its address, for who stays subscribed must not be asked to confirm once more.
        own = hashlib.sha256(address.encode()).hexdigest()[:8]
        resources[f"AlarmsSubscription{own}"] = _resource("SNS::Subscription", properties)
    for found in resources.values():
        if found["Type"] == "AWS::CloudWatch::Alarm":
            # Each in an object of its own: CloudFormation takes no aliases of YAML.
            for state in ("AlarmActions", "OKActions"):
                found["Properties"][state] = [{"Ref": "AlarmsTopic"}]


def _log_group_id(function: str) -> str:
    return f"{'Api' if function == policies.API else camel(function)}LogGroup"


def _function(stage: str, function: str, *, mapped: bool, lane: bool, snapshot: bool) -> Resources:
    """A fixed name, on which policies and log groups count, and what the function waits for.

    The queue replaces chalice's ARN by name with a reference, so that the mapping waits for it.
    """
    start = camel(function)
    properties: dict[str, Any] = {"FunctionName": policies.function_name(stage, function)}
    if mapped:
        # With this type of response Lambda polls on at full speed where a part of a batch failed; the
        # handlers raise with and without it: docs/decisions/0003-partial-failure.md.
        source = {
            "Queue": {"Fn::Sub": f"${{{start}Queue.Arn}}"},
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
        }
        properties["Events"] = {f"{start}SqsEventSource": {"Properties": source}}
    if lane:
        properties["Handler"] = LANE_HANDLER
    if snapshot:
        properties |= snapshots.properties()
    logical_id = "APIHandler" if function == policies.API else start
    return {logical_id: {"DependsOn": [_log_group_id(function)], "Properties": properties}}


def queue_alarm(
    name: str,
    about: str,
    queue: str,
    metric: str,
    *,
    above: int,
    of: tuple[int, int] | None = None,
) -> dict[str, Any]:
    """An alarm on a queue's metric. It names no action: every change of an alarm's state is an event
    on the account's default bus.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html
    """
    dimension = {"Name": "QueueName", "Value": {"Fn::GetAtt": [queue, "QueueName"]}}
    measured = {"Namespace": "AWS/SQS", "MetricName": metric, "Dimensions": [dimension]}
    return _alarm(name, about, {**measured, "Statistic": "Maximum"}, above=above, of=of)


def _alarm(
    name: str,
    about: str,
    measured: dict[str, Any],
    *,
    above: int,
    of: tuple[int, int] | None = None,
) -> dict[str, Any]:
    """An alarm for a minute above; `of`: for so many minutes out of so many."""
    minutes = {"EvaluationPeriods": 1}
    if of is not None:
        minutes = {"DatapointsToAlarm": of[0], "EvaluationPeriods": of[1]}
    return _resource(
        "CloudWatch::Alarm",
        {
            "AlarmName": name,
            "AlarmDescription": about,
            **measured,
            "Period": 60,
            **minutes,
            "Threshold": above,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "notBreaching",
        },
    )


def _resource(kind: str, properties: dict[str, Any], kept: bool = False) -> dict[str, Any]:
    return {"Type": f"AWS::{kind}", **(_KEPT if kept else {}), "Properties": properties}
