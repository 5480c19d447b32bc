"""Whether text messages and pushes go out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from cli.audience import subscriptions, topic_arns
from cli.doctor.finding import Patient, Told, check

_SANDBOX: Final = (
    "https://docs.aws.amazon.com/sns/latest/dg/sns-sms-sandbox-moving-to-production.html"
)
# What a new account may spend on SMS in a month, in dollars:
# https://docs.aws.amazon.com/sns/latest/dg/channels-sms-awssupport-spend-threshold.html
_FIRST_LIMIT: Final = 1
# From this share on there is little left for the rest of the month.
_NEAR: Final = 0.8


@check("sms-account", local=False)
def account(found: Patient) -> Iterator[Told]:
    """SNS is in its SMS sandbox, or has hardly anything to spend on SMS this month: it takes them and sends none."""
    if "sms" not in found.reached_by and not _sms_subscribers(found):
        return
    sns = found.client("sns")
    if sns.get_sms_sandbox_account_status()["IsInSandbox"]:
        what = "SNS is in its SMS sandbox: verified numbers alone get text messages"
        yield Told("error", what, f"move it to production: {_SANDBOX}")
    said = sns.get_sms_attributes(attributes=["MonthlySpendLimit"])["attributes"]
    limit = float(said.get("MonthlySpendLimit") or _FIRST_LIMIT)
    if limit <= _FIRST_LIMIT:
        what = f"SNS stops sending SMS at ${limit:g} a month"
        yield Told(
            "error", what, "ask AWS for more: Service Quotas, Amazon SNS, Account spend threshold"
        )
    elif (spent := _spent(found)) >= _NEAR * limit:
        what = f"${spent:,.2f} of the ${limit:,.0f} that SNS may spend on SMS this month are spent"
        yield Told("warning", what, "raise it: SNS, Mobile, Text messaging, Account spend limit")


def _spent(found: Patient) -> float:
    """What SMS have cost since the month began, in dollars:
    https://docs.aws.amazon.com/sns/latest/dg/sms_stats_cloudwatch.html
    """
    now = datetime.now(UTC)
    told = found.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/SNS",
        MetricName="SMSMonthToDateSpentUSD",
        StartTime=max(now - timedelta(days=1), now.replace(day=1, hour=0, minute=0, second=0)),
        EndTime=now,
        Period=3600,
        Statistics=["Maximum"],
    )
    return max((point["Maximum"] for point in told["Datapoints"]), default=0.0)


def _sms_subscribers(found: Patient) -> bool:
    arns = topic_arns(found.target)
    declared = {name: arns[name] for name in found.routing.topics if name in arns}
    return any(one.protocol == "sms" for one in subscriptions(found.target, declared))


@check("push-applications", local=False)
def applications(found: Patient) -> Iterator[Told]:
    """An app that pushes go to is switched off at SNS, as after its certificate or key has expired."""
    if "push" not in found.reached_by:
        return
    for page in found.client("sns").get_paginator("list_platform_applications").paginate():
        for one in page["PlatformApplications"]:
            if one["Attributes"].get("Enabled", "true").lower() != "true":
                name = one["PlatformApplicationArn"].partition(":app/")[2]
                remedy = "give it a key that is valid: SNS, Mobile, Push notifications"
                yield Told(
                    "error", f"SNS has the app {name} switched off: it gets no pushes", remedy
                )
