"""./heraldo doctor: what it finds in what AWS answers, in shapes that botocore knows."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Mapping
from typing import Any

import pytest

from chalicelib import names
from chalicelib.names import Place
from chalicelib.rules import reading
from cli.deploy import package, policies, resources
from cli.doctor.checks.permissions import questions
from cli.doctor.finding import Check, Patient, table
from cli.doctor.look import examine, patient
from cli.paths import ROOT
from cli.stages import Settings
from tests.factories import ACCOUNT
from tests.unit.cli.account import STAGE, Account

ROUTING = (ROOT / "chalicelib" / "routing.toml").read_text("utf-8")
UUID = "0123abcd-0123-0123-0123-0123456789ab"


def found(code: str, answers: Mapping[str, Any], **changes: Any) -> list[tuple[str, str]]:
    """What one check finds: severity and problem."""
    settings: dict[str, Any] = {"sender": "Abedul <hola@abedul.example>"}
    settings |= {"api_url": "https://x.example", "alarms_to": ("ops@example.com",)}
    settings |= changes.pop("settings", {})
    target: Any = Account(answers)
    looked_at = Patient(
        target,
        Settings(STAGE, **settings),
        reading.load(ROUTING + changes.pop("routing", ""), STAGE),
        changes.pop("reached_by", ("email", "sms", "push")),
        changes.pop("commercial_mail", False),
    )
    told = list(table()[code].look(looked_at))
    assert all(one.remedy for one in told)
    return [(one.severity, one.problem) for one in told]


HEALTHY = {
    "ProductionAccessEnabled": True,
    "SendingEnabled": True,
    "EnforcementStatus": "HEALTHY",
    "SendQuota": {"Max24HourSend": 50_000.0, "MaxSendRate": 14.0, "SentLast24Hours": 10.0},
}
VERIFIED = {
    "VerifiedForSendingStatus": True,
    "DkimAttributes": {"Status": "SUCCESS", "Tokens": ["t1", "t2", "t3"]},
}
TELLS = {
    "EventDestinations": [
        {
            "Name": "receipts",
            "Enabled": True,
            "MatchingEventTypes": ["BOUNCE"],
            "SnsDestination": {"TopicArn": f"arn:aws:sns:eu-west-1:{ACCOUNT}:heraldo-dev-receipts"},
        }
    ]
}
SMS: dict[str, Any] = {
    "GetMetricStatistics": {"Datapoints": []},
    "GetSMSSandboxAccountStatus": {"IsInSandbox": False},
    "GetSMSAttributes": {"attributes": {"MonthlySpendLimit": "100"}},
}
FUNCTION = {
    "State": "Active",
    "Runtime": "python3.13",
    "CodeSha256": "x",
    "Environment": {
        "Variables": {
            "HERALDO_STAGE": STAGE,
            "HERALDO_API_URL": "https://x.example",
            "HERALDO_SENDER": "Abedul <hola@abedul.example>",
        }
    },
}


def function(params: Mapping[str, Any]) -> dict[str, Any]:
    """A function as it is deployed, whose role is called as it is."""
    name = params["url_path"].split("/")[-2]
    return {**FUNCTION, "Role": f"arn:aws:iam::{ACCOUNT}:role/{name}"}


def role_policy(params: Mapping[str, Any]) -> dict[str, Any]:
    """The policy of a function's role, as it is in git."""
    role = params["body"]["RoleName"]
    name = policies.API if role == f"heraldo-{STAGE}" else role.removeprefix(f"heraldo-{STAGE}-")
    document = policies.policy(STAGE, name, reading.load(ROUTING, STAGE).lanes)
    return {"RoleName": role, "PolicyName": "own", "PolicyDocument": json.dumps(document)}


def lacking(params: Mapping[str, Any]) -> dict[str, Any]:
    """The same without its first statement, with another in its place."""
    found = role_policy(params)
    document = json.loads(found["PolicyDocument"])
    document["Statement"][0] = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    return found | {"PolicyDocument": json.dumps(document)}


def template(change: str = "") -> dict[str, Any]:
    """What CloudFormation says was handed in, or something else by one property."""
    found = resources.overlay(STAGE)
    found["Resources"]["Chalice"] = {"Type": "AWS::Lambda::Function", "Properties": {}}
    if change:
        del found["Resources"][change]["Properties"]["DatapointsToAlarm"]
    return {"TemplateBody": json.dumps(found)}


STACK = {
    "Stacks": [
        {
            "StackName": f"heraldo-{STAGE}",
            "StackStatus": "UPDATE_COMPLETE",
            "CreationTime": "2026-11-26T09:00:00Z",
        }
    ]
}
DENIED = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:heraldo-dev-orders-dead.fifo"
RATE: dict[str, Any] = {
    "ServiceName": "Amazon SNS",
    "QuotaName": "Publish API requests",
    "Value": 300.0,
    "Adjustable": True,
    "Period": {"PeriodValue": 1, "PeriodUnit": "SECOND"},
    "UsageMetric": {
        "MetricNamespace": "AWS/Usage",
        "MetricName": "CallCount",
        "MetricDimensions": {"Service": "SNS"},
        "MetricStatisticRecommendation": "Sum",
    },
}
COUNT = RATE | {
    "ServiceName": "AWS Lambda",
    "QuotaName": "Concurrent executions",
    "Value": 1000.0,
    "Adjustable": False,
    "UsageMetric": {"MetricNamespace": "AWS/Lambda", "MetricName": "ConcurrentExecutions"},
}


def used(most: float) -> dict[str, Any]:
    """What CloudWatch says of the first of all metrics."""
    return {"MetricDataResults": [{"Id": "q0", "Values": [most / 2, most]}]}


@pytest.fixture(autouse=True)
def running(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """The code that runs, which is that of this tree."""
    entries = {name: file.read_bytes() for name, file in package.code_entries().items()}
    entries |= {"jinja2/__init__.py": b"", package.FINDINGS: b"[]"}
    monkeypatch.setattr(
        "cli.deploy.chalice_state.deployed_package",
        lambda *_: zipfile.ZipFile(io.BytesIO(package.zipped(entries, 0))),
    )
    return entries


MAPPINGS = {"EventSourceMappings": [{"UUID": UUID, "State": "Enabled"}]}
TABLE = {"Table": {"TableName": "people"}}
BACKED_UP = {
    "ContinuousBackupsDescription": {
        "ContinuousBackupsStatus": "ENABLED",
        "PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "ENABLED"},
    }
}

ALARMS = {"TopicArn": f"arn:aws:sns:eu-west-1:{ACCOUNT}:{names.topic(STAGE, names.ALARMS)}"}
PENDING = {
    "Subscriptions": [
        {
            "SubscriptionArn": "PendingConfirmation",
            "Protocol": "email",
            "Endpoint": "ops@example.com",
        }
    ]
}

KEY = {"name": {"S": "shop"}, "created": {"S": "2025-11-26T10:00:00+00:00"}}

# What is wrong, by name: the check, what AWS answers, what else is so; what is found.
CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any], str, str]] = {
    "nobody sends": ("mail-sender", {}, {"settings": {"sender": None}}, "error", "no sender"),
    "a key that nobody uses": (
        "keys",
        {"Scan": {"Items": [KEY | {"used": {"S": "2026-01-02"}}]}},
        {},
        "warning",
        "the key shop was not used since 2026-01-02",
    ),
    "a key that nobody ever used": (
        "keys",
        {"Scan": {"Items": [KEY]}},
        {},
        "warning",
        "the key shop was not used since 2025-11-26",
    ),
    "nobody to tell of alarms": (
        "alarms",
        {},
        {"settings": {"alarms_to": ()}},
        "warning",
        "through Heraldo alone",
    ),
    "alarms told to nobody yet": (
        "alarms",
        {"ListTopics": {"Topics": []}},
        {},
        "error",
        "is not there",
    ),
    "an address that has not confirmed": (
        "alarms",
        {"ListTopics": {"Topics": [ALARMS]}, "ListSubscriptionsByTopic": PENDING},
        {},
        "warning",
        "ops@example.com does not hear of alarms yet",
    ),
    "nowhere to stop advertising": (
        "mail-public-address",
        {},
        {"settings": {"api_url": None}, "commercial_mail": True},
        "error",
        "it waits in its lane",
    ),
    "nowhere to choose": (
        "mail-public-address",
        {},
        {"settings": {"api_url": None}},
        "warning",
        "no link to what their readers want",
    ),
    "a domain that SES does not know": (
        "mail-identity",
        {"GetEmailIdentity": "NotFoundException"},
        {},
        "error",
        "does not know abedul.example",
    ),
    "a domain that is not verified": (
        "mail-identity",
        {"GetEmailIdentity": VERIFIED | {"VerifiedForSendingStatus": False}},
        {},
        "error",
        "has not seen yet that abedul.example is yours",
    ),
    "mails that are not signed": (
        "mail-identity",
        {"GetEmailIdentity": VERIFIED | {"DkimAttributes": {"Status": "FAILED", "Tokens": []}}},
        {},
        "warning",
        "not signed",
    ),
    "the sandbox": (
        "mail-account",
        {"GetAccount": HEALTHY | {"ProductionAccessEnabled": False}},
        {},
        "error",
        "sandbox",
    ),
    "a paused account": (
        "mail-account",
        {"GetAccount": HEALTHY | {"SendingEnabled": False, "EnforcementStatus": "SHUTDOWN"}},
        {},
        "error",
        "paused",
    ),
    "an account under review": (
        "mail-account",
        {"GetAccount": HEALTHY | {"EnforcementStatus": "PROBATION"}},
        {},
        "warning",
        "under review",
    ),
    "a quota that is nearly used up": (
        "mail-account",
        {
            "GetAccount": HEALTHY
            | {
                "SendQuota": {
                    "Max24HourSend": 200.0,
                    "MaxSendRate": 1.0,
                    "SentLast24Hours": 190.0,
                }
            }
        },
        {},
        "warning",
        "190 of the 200",
    ),
    "no configuration set": (
        "mail-configuration",
        {"GetConfigurationSet": "NotFoundException"},
        {},
        "error",
        "no configuration set heraldo-dev",
    ),
    "a configuration set that is off": (
        "mail-configuration",
        {
            "GetConfigurationSet": {"SendingOptions": {"SendingEnabled": False}},
            "GetConfigurationSetEventDestinations": TELLS,
        },
        {},
        "error",
        "switched off",
    ),
    "bounces that nobody hears of": (
        "mail-configuration",
        {"GetConfigurationSet": {}, "GetConfigurationSetEventDestinations": {}},
        {},
        "warning",
        "tells nobody of bounces",
    ),
    "the SMS sandbox": (
        "sms-account",
        SMS | {"GetSMSSandboxAccountStatus": {"IsInSandbox": True}},
        {},
        "error",
        "SMS sandbox",
    ),
    "a dollar for SMS": (
        "sms-account",
        SMS | {"GetSMSAttributes": {"attributes": {}}},
        {},
        "error",
        "$1 a month",
    ),
    "little left for SMS": (
        "sms-account",
        SMS | {"GetMetricStatistics": {"Datapoints": [{"Maximum": 90.0}]}},
        {},
        "warning",
        "$90.00 of the $100",
    ),
    "a rate that is nearly used up": (
        "quotas",
        {"ListServiceQuotas": {"Quotas": [RATE]}, "GetMetricData": used(0.8 * 300 * 60)},
        {},
        "warning",
        "Amazon SNS: 240 of 300 were used (Publish API requests)",
    ),
    "a number that is nearly used up": (
        "quotas",
        {"ListServiceQuotas": {"Quotas": [COUNT]}, "GetMetricData": used(999)},
        {},
        "warning",
        "AWS Lambda: 999 of 1,000 were used (Concurrent executions)",
    ),
    "a role that lacks something": (
        "permissions",
        {
            "GetFunctionConfiguration": function,
            "ListRolePolicies": {"PolicyNames": ["own"]},
            "GetRolePolicy": lacking,
        },
        {},
        "error",
        "heraldo-dev lacks permissions: sqs:GetQueueUrl on heraldo-dev-alerts.fifo",
    ),
    "a stage that was never deployed": (
        "drift",
        {
            "GetFunctionConfiguration": "ResourceNotFoundException",
            "DescribeStacks": "Stack does not exist",
        },
        {},
        "warning",
        "there is no stack heraldo-dev, and none heraldo-dev-infra",
    ),
    "an alarm that is another": (
        "drift",
        {
            "GetFunctionConfiguration": FUNCTION,
            "DescribeStacks": STACK,
            "GetTemplate": template("RemindersDeadAlarm"),
        },
        {},
        "warning",
        "the stack would change: ~ alarm heraldo-dev-reminders-dead-letters: DatapointsToAlarm",
    ),
    "another sender": (
        "drift",
        {
            "GetFunctionConfiguration": FUNCTION,
            "DescribeStacks": STACK,
            "GetTemplate": template(),
        },
        {"settings": {"sender": "Abedul <otra@abedul.example>"}},
        "warning",
        "by stages.toml, HERALDO_SENDER is not 'Abedul <otra@abedul.example>' in heraldo-dev,",
    ),
    "an app that is off": (
        "push-applications",
        {
            "ListPlatformApplications": {
                "PlatformApplications": [
                    {
                        "PlatformApplicationArn": f"arn:aws:sns:eu-west-1:{ACCOUNT}:app/APNS/shop",
                        "Attributes": {"Enabled": "false"},
                    }
                ]
            }
        },
        {},
        "error",
        "app APNS/shop switched off",
    ),
    "few functions at once": (
        "concurrency",
        {
            "GetAccountSettings": {"AccountLimit": {"ConcurrentExecutions": 10}},
            "GetFunctionConcurrency": {},
        },
        {},
        "warning",
        "runs 10 functions",
    ),
    "a function that may not run": (
        "concurrency",
        {
            "GetAccountSettings": {"AccountLimit": {"ConcurrentExecutions": 1000}},
            "GetFunctionConcurrency": {"ReservedConcurrentExecutions": 0},
        },
        {},
        "error",
        "may not run",
    ),
    "a function that is not there": (
        "functions",
        {"GetFunctionConfiguration": "ResourceNotFoundException"},
        {},
        "error",
        "is not there",
    ),
    "a function that failed": (
        "functions",
        {
            "GetFunctionConfiguration": FUNCTION | {"State": "Failed"},
            "ListEventSourceMappings": MAPPINGS,
        },
        {},
        "error",
        "is failed",
    ),
    "an old runtime": (
        "functions",
        {
            "GetFunctionConfiguration": FUNCTION | {"Runtime": "python3.9"},
            "ListEventSourceMappings": MAPPINGS,
        },
        {},
        "warning",
        "supports python3.9 until 2025-12-15",
    ),
    "a source that is off": (
        "functions",
        {
            "GetFunctionConfiguration": FUNCTION,
            "ListEventSourceMappings": {
                "EventSourceMappings": [{"UUID": UUID, "State": "Disabled"}]
            },
        },
        {},
        "error",
        "gets no messages",
    ),
    "a source that was never made": (
        "functions",
        {
            "GetFunctionConfiguration": FUNCTION,
            "ListEventSourceMappings": {"EventSourceMappings": []},
        },
        {"settings": {"outcomes": True}},
        "error",
        "hears of nothing that it should tell the bus",
    ),
    "a table that is not there": (
        "tables",
        {"DescribeTable": "ResourceNotFoundException"},
        {},
        "error",
        "is not there",
    ),
    "no secrets": ("tables", {"DescribeTable": TABLE, "GetItem": {}}, {}, "error", "no secrets"),
    "no way back": (
        "backups",
        {
            "DescribeContinuousBackups": {
                "ContinuousBackupsDescription": {"ContinuousBackupsStatus": "DISABLED"}
            }
        },
        {},
        "warning",
        "cannot be put back",
    ),
    "queues that are not there": (
        "dead-letters",
        {"GetQueueUrl": "AWS.SimpleQueueService.NonExistentQueue"},
        {},
        "error",
        "are not there",
    ),
    "dead letters": (
        "dead-letters",
        {
            "GetQueueUrl": {"QueueUrl": "https://q"},
            "GetQueueAttributes": {"Attributes": {"ApproximateNumberOfMessages": "2"}},
        },
        {},
        "warning",
        "2 dead letters of orders",
    ),
    "topics that are not there": (
        "topics",
        {"ListTopics": {"Topics": []}},
        {},
        "error",
        "is not there",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_keeps_things_from_being_delivered_is_told(name: str) -> None:
    code, answers, more, severity, problem = CASES[name]
    told = found(code, answers, **dict(more))
    assert told, "nothing was found"
    assert told[0][0] == severity
    assert problem in told[0][1]


TOPICS = ("users", "company", "alerts", "verify")
WELL: dict[str, Any] = {
    "GetEmailIdentity": VERIFIED,
    "GetAccount": HEALTHY,
    "GetConfigurationSet": {"SendingOptions": {"SendingEnabled": True}},
    "GetConfigurationSetEventDestinations": TELLS,
    **SMS,
    "ListPlatformApplications": {"PlatformApplications": []},
    "GetAccountSettings": {"AccountLimit": {"ConcurrentExecutions": 1000}},
    "GetFunctionConcurrency": {},
    "GetFunctionConfiguration": function,
    "ListRolePolicies": {"PolicyNames": ["own"]},
    "GetRolePolicy": role_policy,
    "SimulatePrincipalPolicy": {
        "EvaluationResults": [
            {
                "EvalActionName": "sqs:SendMessage",
                "EvalResourceName": DENIED,
                "EvalDecision": "allowed",
            }
        ]
    },
    "DescribeStacks": STACK,
    "GetTemplate": template(),
    "ListServiceQuotas": {"Quotas": [RATE, COUNT]},
    "GetMetricData": used(100),
    "ListEventSourceMappings": MAPPINGS,
    "DescribeTable": TABLE,
    "GetItem": {"Item": {"id": {"S": "secrets"}}},
    "Scan": {"Items": [KEY | {"used": {"S": "2999-01-01"}}]},
    "DescribeContinuousBackups": BACKED_UP,
    "GetQueueUrl": {"QueueUrl": "https://q"},
    "GetQueueAttributes": {"Attributes": {"ApproximateNumberOfMessages": "0"}},
    "ListTopics": {
        "Topics": [
            {"TopicArn": f"arn:aws:sns:eu-west-1:{ACCOUNT}:{names.topic(STAGE, topic)}"}
            for topic in (*TOPICS, names.ALARMS)
        ]
    },
    "ListSubscriptionsByTopic": {
        "Subscriptions": [
            {
                "SubscriptionArn": f"arn:aws:sns:eu-west-1:{ACCOUNT}:t:1",
                "Protocol": "email",
                "Endpoint": "ops@example.com",
            }
        ]
    },
    "GetSubscriptionAttributes": {"Attributes": {"ConfirmationWasAuthenticated": "true"}},
}


@pytest.mark.parametrize("code", table())
def test_where_all_is_well_nothing_is_found(code: str) -> None:
    assert found(code, WELL) == []


@pytest.mark.parametrize(
    ("subscriptions", "severity", "problem"),
    [
        ([], "warning", "nobody hears the topic"),
        (["PendingConfirmation"], "warning", "1 subscription wait to be confirmed"),
        (
            [f"arn:aws:sns:eu-west-1:{ACCOUNT}:t:1", "PendingConfirmation"],
            "warning",
            "1 subscription of the topic",
        ),
    ],
)
def test_who_hears_a_topic_counts(subscriptions: list[str], severity: str, problem: str) -> None:
    listed = [
        {"SubscriptionArn": arn, "Protocol": "email", "Endpoint": "ops@example.com"}
        for arn in subscriptions
    ]
    told = found("topics", WELL | {"ListSubscriptionsByTopic": {"Subscriptions": listed}})
    assert told[0][0] == severity
    assert problem in told[0][1]


def test_a_subscription_that_anybody_can_end_is_told() -> None:
    answers = WELL | {"GetSubscriptionAttributes": {"Attributes": {}}}
    assert "can be ended by anybody" in found("topics-anybody-can-leave", answers)[0][1]


def test_what_may_not_be_asked_is_a_finding_and_the_rest_is_looked_at() -> None:
    target: Any = Account(
        WELL | {"GetAccount": "AccessDeniedException", "GetQueueUrl": "Throttling"}
    )
    rules = reading.read(ROOT / "chalicelib" / "routing.toml", STAGE)
    looked_at = patient(target, rules)
    told = {one.code: one.problem for one in examine(looked_at, lambda _: None)}
    assert told["mail-account"] == "may not ask GetAccount"
    assert told["dead-letters"] == "could not be looked at (Throttling)"
    undeclared = {"mail-public-address", "mail-sender", "alarms", "drift"}
    assert told.keys() == {"mail-account", "dead-letters", *undeclared}


def test_a_stage_is_reached_as_its_rules_say() -> None:
    rules = reading.read(ROOT / "chalicelib" / "routing.toml", STAGE)
    target: Any = Account({})
    looked_at = patient(target, rules)
    assert looked_at.reached_by == ["email", "sms", "push"]
    assert not looked_at.commercial_mail
    text = (ROOT / "chalicelib" / "routing.toml").read_text("utf-8")
    offers = text.replace('to = ["topic:users"]', 'to = ["recipient:email"]')
    assert patient(target, reading.load(offers, STAGE)).commercial_mail


def test_the_table_of_the_docs_is_that_of_the_checks() -> None:
    page = (ROOT / "docs" / "doctor.md").read_text("utf-8")
    rows = [row for row in page.splitlines() if row.startswith("| `")]
    checks = sorted(table().values(), key=lambda check: check.code)
    assert rows == [f"| `{c.code}` | {c.about} |" for c in checks]


@pytest.mark.parametrize("check", table().values(), ids=lambda check: check.code)
def test_every_check_says_what_it_looks_for(check: Check) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", check.code)
    assert re.fullmatch(r".+\.", check.about)


def test_every_check_has_found_something_in_these_tests() -> None:
    tried = {case[0] for case in CASES.values()} | {"topics", "topics-anybody-can-leave"}
    assert table().keys() - tried == set()


def test_a_webhook_of_the_stage_without_a_secret_is_told() -> None:
    answers = {"DescribeTable": TABLE, "GetItem": {}}
    line = '[webhooks]\nerp = { dev = "https://erp.example/in" }\ncrm = { prod = "https://c.example" }\n'
    told = [problem for _, problem in found("tables", answers, routing=line)]
    assert told == [
        "the stage has no secrets",
        "webhook erp has no secret: what is for it waits",
    ]


def test_code_that_is_another_is_told_by_its_files(running: dict[str, bytes]) -> None:
    running["templates/order.shipped/es.j2"] = b"Other words"
    running["templates/order.gone/es.j2"] = b"Words of a type that is none any more"
    del running["chalicelib/routing.toml"]
    [(severity, problem)] = found("drift", WELL)
    assert severity == "warning"
    assert problem == (
        "what runs has otherwise than here: chalicelib/routing.toml, templates/order.gone/es.j2,"
        " templates/order.shipped/es.j2"
    )


def test_a_function_that_runs_other_code_is_told() -> None:
    def one_is_older(params: Mapping[str, Any]) -> dict[str, Any]:
        found = function(params)
        return found | ({"CodeSha256": "old"} if found["Role"].endswith("orders") else {})

    told = found("drift", WELL | {"GetFunctionConfiguration": one_is_older})
    assert told == [
        ("warning", "other code than in the other functions runs in heraldo-dev-orders")
    ]


def test_what_a_role_has_and_something_else_forbids_is_told() -> None:
    results = [
        {
            "EvalActionName": "sqs:SendMessage",
            "EvalDecision": "explicitDeny",
            "ResourceSpecificResults": [
                {"EvalResourceName": DENIED, "EvalResourceDecision": "explicitDeny"},
                # The lane of orders has no right to this one, and was asked all the same.
                {"EvalResourceName": f"{DENIED}x", "EvalResourceDecision": "implicitDeny"},
            ],
        }
    ]
    told = found("permissions", WELL | {"SimulatePrincipalPolicy": {"EvaluationResults": results}})
    assert told[0] == (
        "error",
        "heraldo-dev-orders may not: sqs:SendMessage on heraldo-dev-orders-dead.fifo",
    )


def test_what_lets_a_role_do_more_is_a_warning() -> None:
    told = found("permissions", WELL | {"GetRolePolicy": lacking})
    assert ("warning", "heraldo-dev may do what it never does: s3:* on *") in told


@pytest.mark.parametrize("function_", policies.functions(reading.load(ROUTING, STAGE).lanes))
def test_of_every_right_it_is_asked_with_what_its_condition_wants(function_: str) -> None:
    statements = policies.policy(STAGE, function_, reading.load(ROUTING, STAGE).lanes)["Statement"]
    asked = questions(statements, Place("aws-cn", "cn-north-1", ACCOUNT))
    pairs = {pair for of, _ in asked for pair in of}
    actions = {action.replace("*", "") for s in statements for action in s["Action"]}
    assert {action for action, _ in pairs} == actions
    assert not [on for _, on in pairs if "*" in on and on != "*"]
    assert {on.split(":")[1] for _, on in pairs if on != "*"} == {"aws-cn"}
    conditions = [s["Condition"] for s in statements if "Condition" in s]
    assert len([context for _, context in asked if context]) == len(conditions)
