"""./heraldo doctor: what it finds in what AWS answers, in shapes that botocore knows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from chalicelib import names
from chalicelib.rules import reading
from cli.doctor.finding import Check, Patient, table
from cli.doctor.look import examine, patient
from cli.paths import ROOT
from cli.stages import Settings
from tests.factories import ACCOUNT
from tests.unit.cli.account import STAGE, Account

UUID = "0123abcd-0123-0123-0123-0123456789ab"


def found(code: str, answers: Mapping[str, Any], **changes: Any) -> list[tuple[str, str]]:
    """What one check finds: severity and problem."""
    settings = {"sender": "Abedul <hola@abedul.example>", "api_url": "https://x.example"}
    settings |= changes.pop("settings", {})
    target: Any = Account(answers)
    looked_at = Patient(
        target,
        Settings(STAGE, **settings),
        reading.read(ROOT / "chalicelib" / "routing.toml", STAGE),
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
SMS = {
    "GetSMSSandboxAccountStatus": {"IsInSandbox": False},
    "GetSMSAttributes": {"attributes": {"MonthlySpendLimit": "100"}},
}
FUNCTION = {"State": "Active", "Runtime": "python3.13"}
MAPPINGS = {"EventSourceMappings": [{"UUID": UUID, "State": "Enabled"}]}
TABLE = {"Table": {"TableName": "people"}}
BACKED_UP = {
    "ContinuousBackupsDescription": {
        "ContinuousBackupsStatus": "ENABLED",
        "PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "ENABLED"},
    }
}

# What is wrong, by name: the check, what AWS answers, what else is so; what is found.
CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any], str, str]] = {
    "nobody sends": ("mail-sender", {}, {"settings": {"sender": None}}, "error", "no sender"),
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


TOPICS = ("users", "company", "alerts")
WELL: dict[str, Any] = {
    "GetEmailIdentity": VERIFIED,
    "GetAccount": HEALTHY,
    "GetConfigurationSet": {"SendingOptions": {"SendingEnabled": True}},
    "GetConfigurationSetEventDestinations": TELLS,
    **SMS,
    "ListPlatformApplications": {"PlatformApplications": []},
    "GetAccountSettings": {"AccountLimit": {"ConcurrentExecutions": 1000}},
    "GetFunctionConcurrency": {},
    "GetFunctionConfiguration": FUNCTION,
    "ListEventSourceMappings": MAPPINGS,
    "DescribeTable": TABLE,
    "GetItem": {"Item": {"id": {"S": "secrets"}}},
    "DescribeContinuousBackups": BACKED_UP,
    "GetQueueUrl": {"QueueUrl": "https://q"},
    "GetQueueAttributes": {"Attributes": {"ApproximateNumberOfMessages": "0"}},
    "ListTopics": {
        "Topics": [
            {"TopicArn": f"arn:aws:sns:eu-west-1:{ACCOUNT}:{names.topic(STAGE, topic)}"}
            for topic in TOPICS
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
    assert told.keys() == {"mail-account", "dead-letters", "mail-public-address", "mail-sender"}


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
