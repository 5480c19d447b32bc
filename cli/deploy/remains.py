"""Whatever an account has that is called like a stage: found by name, and taken away kind by kind.

What CloudFormation and chalice take away themselves is here too, so that what an interrupted run left is found
by the next one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import ClientError

Clients = Callable[[str], Any]

_GONE: Final = (
    *("404", "NoSuchEntity", "NoSuchBucket", "NotFound", "NotFoundException"),
    *("ResourceNotFoundException", "ResourceInUseException", "ResourceNotFound"),
    *("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"),
)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of thing: how those of a stage are found, and how one is taken away, both by an id that says its name."""

    name: str
    find: Callable[[Clients, str], Iterator[str]]
    delete: Callable[[Clients, str], object]


def is_of(name: str, stage: str) -> bool:
    """Whether something is called like a stage. A stage's name has no hyphen, so that `dev` is not `dev2`."""
    own = f"heraldo-{stage}"
    return name == own or name.startswith(f"{own}-")


def found(clients: Clients, stage: str) -> Iterator[tuple[Kind, str]]:
    """Everything that is called like a stage, in the order in which it may be taken away."""
    for kind in KINDS:
        for one in kind.find(clients, stage):
            yield kind, one


def take_away(kind: Kind, one: str, clients: Clients) -> None:
    """Take one thing away, if it is still there; what is being deleted already is let be."""
    try:
        kind.delete(clients, one)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _GONE:
            raise


def called(one: str) -> str:
    """What something is called, of the URL or ARN that it is found by."""
    return one if one.startswith("/") else one.rsplit("/", 1)[-1].rsplit(":", 1)[-1]


# -- each kind -------------------------------------------------------------------------------------


def _all(client: Any, operation: str, key: str, **asked: Any) -> Iterator[Any]:
    for page in client.get_paginator(operation).paginate(**asked):
        yield from page.get(key, ())


def _mappings(clients: Clients, stage: str) -> Iterator[str]:
    for one in _all(clients("lambda"), "list_event_source_mappings", "EventSourceMappings"):
        if is_of(one["FunctionArn"].split(":")[6], stage) and one["State"] != "Deleting":
            yield one["UUID"]


def _functions(clients: Clients, stage: str) -> Iterator[str]:
    for one in _all(clients("lambda"), "list_functions", "Functions"):
        if is_of(one["FunctionName"], stage):
            yield one["FunctionName"]


def _rules(clients: Clients, stage: str) -> Iterator[str]:
    for one in _all(clients("events"), "list_rules", "Rules", NamePrefix=f"heraldo-{stage}"):
        if is_of(one["Name"], stage):
            yield one["Name"]


def _delete_rule(clients: Clients, name: str) -> None:
    events = clients("events")
    if targets := [target["Id"] for target in events.list_targets_by_rule(Rule=name)["Targets"]]:
        events.remove_targets(Rule=name, Ids=targets)
    events.delete_rule(Name=name)


def _machines(clients: Clients, stage: str) -> Iterator[str]:
    for one in _all(clients("stepfunctions"), "list_state_machines", "stateMachines"):
        if is_of(one["name"], stage):
            yield one["stateMachineArn"]


def _groups(clients: Clients, stage: str) -> Iterator[str]:
    asked = {"NamePrefix": f"heraldo-{stage}"}
    for one in _all(clients("scheduler"), "list_schedule_groups", "ScheduleGroups", **asked):
        if is_of(one["Name"], stage) and one["State"] != "DELETING":
            yield one["Name"]


def _roles(clients: Clients, stage: str) -> Iterator[str]:
    for one in _all(clients("iam"), "list_roles", "Roles"):
        if is_of(one["RoleName"], stage):
            yield one["RoleName"]


def _delete_role(clients: Clients, name: str) -> None:
    iam = clients("iam")
    for policy in _all(iam, "list_role_policies", "PolicyNames", RoleName=name):
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    for policy in _all(iam, "list_attached_role_policies", "AttachedPolicies", RoleName=name):
        iam.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
    iam.delete_role(RoleName=name)


def _topics(clients: Clients, stage: str) -> Iterator[str]:
    for one in _all(clients("sns"), "list_topics", "Topics"):
        if is_of(called(one["TopicArn"]), stage):
            yield one["TopicArn"]


def _queues(clients: Clients, stage: str) -> Iterator[str]:
    asked = {"QueueNamePrefix": f"heraldo-{stage}-"}
    yield from _all(clients("sqs"), "list_queues", "QueueUrls", **asked)


def _tables(clients: Clients, stage: str) -> Iterator[str]:
    for name in _all(clients("dynamodb"), "list_tables", "TableNames"):
        if is_of(name, stage):
            yield name


def _logs(clients: Clients, stage: str) -> Iterator[str]:
    start = "/aws/lambda/"
    asked = {"logGroupNamePrefix": f"{start}heraldo-{stage}"}
    for one in _all(clients("logs"), "describe_log_groups", "logGroups", **asked):
        if is_of(one["logGroupName"].removeprefix(start), stage):
            yield one["logGroupName"]


def _dashboards(clients: Clients, stage: str) -> Iterator[str]:
    asked = {"DashboardNamePrefix": f"heraldo-{stage}"}
    for one in _all(clients("cloudwatch"), "list_dashboards", "DashboardEntries", **asked):
        if is_of(one["DashboardName"], stage):
            yield one["DashboardName"]


def _alarms(clients: Clients, stage: str) -> Iterator[str]:
    asked = {"AlarmNamePrefix": f"heraldo-{stage}-"}
    for one in _all(clients("cloudwatch"), "describe_alarms", "MetricAlarms", **asked):
        yield one["AlarmName"]


def _mail_sets(clients: Clients, stage: str) -> Iterator[str]:
    asked: dict[str, str] = {}
    while True:  # botocore has no paginator for it
        page = clients("sesv2").list_configuration_sets(**asked)
        yield from (name for name in page["ConfigurationSets"] if is_of(name, stage))
        if not page.get("NextToken"):
            return
        asked = {"NextToken": page["NextToken"]}


def bucket(clients: Clients, account: str) -> str:
    """The account's bucket for packages of this region."""
    return f"heraldo-packages-{account}-{clients('s3').meta.region_name}"


def packages(clients: Clients, stage: str, bucket: str) -> Iterator[dict[str, Any]]:
    """What the bucket has of a stage, all of its versions; nothing where there is no bucket."""
    with contextlib.suppress(clients("s3").exceptions.NoSuchBucket):
        pages = clients("s3").get_paginator("list_object_versions")
        for page in pages.paginate(Bucket=bucket, Prefix=f"{stage}/"):
            yield from (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))


KINDS: Final = (
    Kind(
        "event source mapping",
        _mappings,
        lambda c, u: c("lambda").delete_event_source_mapping(UUID=u),
    ),
    Kind("rule", _rules, _delete_rule),
    Kind("function", _functions, lambda c, n: c("lambda").delete_function(FunctionName=n)),
    Kind(
        "journey",
        _machines,
        lambda c, a: c("stepfunctions").delete_state_machine(stateMachineArn=a),
    ),
    Kind("group of schedules", _groups, lambda c, n: c("scheduler").delete_schedule_group(Name=n)),
    Kind("role", _roles, _delete_role),
    Kind("topic", _topics, lambda c, a: c("sns").delete_topic(TopicArn=a)),
    Kind("queue", _queues, lambda c, u: c("sqs").delete_queue(QueueUrl=u)),
    Kind("table", _tables, lambda c, n: c("dynamodb").delete_table(TableName=n)),
    Kind("log group", _logs, lambda c, n: c("logs").delete_log_group(logGroupName=n)),
    Kind(
        "dashboard",
        _dashboards,
        lambda c, n: c("cloudwatch").delete_dashboards(DashboardNames=[n]),
    ),
    Kind("alarm", _alarms, lambda c, n: c("cloudwatch").delete_alarms(AlarmNames=[n])),
    Kind(
        "configuration set of SES",
        _mail_sets,
        lambda c, n: c("sesv2").delete_configuration_set(ConfigurationSetName=n),
    ),
)
