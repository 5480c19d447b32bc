"""How near the account is to what AWS lets it do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cli.doctor.finding import Patient, Told, check

# Those that Heraldo uses, by the names of Service Quotas. What is measured of them:
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-Quotas-Visualize-Alarms.html
_SERVICES: Final = (
    *("lambda", "sqs", "sns", "dynamodb", "ses", "apigateway"),
    *("events", "scheduler", "states", "kms"),
)
# From this share on there is little left for a better day.
_NEAR: Final = 0.8
_LOOKED_BACK: Final = timedelta(days=1)
_MINUTE: Final = 60
_METRICS_A_CALL: Final = 50  # of a day's minutes: 100,800 values are the most
_UNITS: Final = {"SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86_400}


@check("quotas", local=False)
def quotas(found: Patient) -> Iterator[Told]:
    """Within a minute of the last day the account used four fifths or more of a quota of a service that Heraldo
    uses, of those whose use AWS measures.
    """
    client = found.client("service-quotas")
    measured = [
        quota
        for service in _SERVICES
        for page in client.get_paginator("list_service_quotas").paginate(ServiceCode=service)
        for quota in page["Quotas"]
        if quota.get("UsageMetric", {}).get("MetricName") and quota.get("Value")
    ]
    peaks = _peaks(found.client("cloudwatch"), measured)
    for quota, peak in zip(measured, peaks, strict=True):
        used = peak * _share_of_a_minute(quota)
        if used >= _NEAR * quota["Value"]:
            service, name = quota["ServiceName"], quota["QuotaName"]
            what = f"{service}: {used:,.4g} of {quota['Value']:,.4g} were used ({name})"
            more = "ask AWS for more" if quota.get("Adjustable") else "AWS gives no more: spread it"
            yield Told("warning", what, f"{more}: Service Quotas, {service}, {name}")


def _share_of_a_minute(quota: Mapping[str, Any]) -> float:
    """What a quota that is for a second, say, is measured in: sums of a minute."""
    period = quota.get("Period")
    if not period or quota["UsageMetric"].get("MetricStatisticRecommendation") != "Sum":
        return 1.0
    return float(_UNITS.get(period["PeriodUnit"], _MINUTE) * period["PeriodValue"] / _MINUTE)


def _peaks(cloudwatch: Any, measured: Sequence[Mapping[str, Any]]) -> list[float]:
    """The most that was used of each within a minute."""
    now = datetime.now(UTC)
    found: dict[str, float] = {}
    queries = [_query(f"q{number}", quota["UsageMetric"]) for number, quota in enumerate(measured)]
    for start in range(0, len(queries), _METRICS_A_CALL):
        pages = cloudwatch.get_paginator("get_metric_data").paginate(
            MetricDataQueries=queries[start : start + _METRICS_A_CALL],
            StartTime=now - _LOOKED_BACK,
            EndTime=now,
        )
        for page in pages:
            for result in page["MetricDataResults"]:
                values = (found.get(result["Id"], 0.0), *result["Values"])
                found[result["Id"]] = max(values)
    return [found.get(query["Id"], 0.0) for query in queries]


def _query(name: str, metric: Mapping[str, Any]) -> dict[str, Any]:
    dimensions = metric.get("MetricDimensions", {})
    return {
        "Id": name,
        "MetricStat": {
            "Metric": {
                "Namespace": metric["MetricNamespace"],
                "MetricName": metric["MetricName"],
                "Dimensions": [{"Name": n, "Value": v} for n, v in dimensions.items()],
            },
            "Period": _MINUTE,
            "Stat": metric.get("MetricStatisticRecommendation") or "Maximum",
        },
    }
