"""Whether queues are drained, and the functions that do it run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

from botocore.exceptions import ClientError

from chalicelib import aws, names
from cli.account import MISSING
from cli.deploy import policies
from cli.doctor.finding import Patient, Told, check
from cli.terminal import count

# When Lambda ends its support, as of November 2026:
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html#runtimes-supported
_ENDS: Final = {
    "python3.9": date(2025, 12, 15),
    "python3.10": date(2026, 10, 31),
    "python3.11": date(2027, 6, 30),
    "python3.12": date(2028, 10, 31),
    "python3.13": date(2029, 6, 30),
    "python3.14": date(2029, 6, 30),
}
_SOON: Final = timedelta(days=180)
# A new account's, in some regions; lanes would take it from one another.
_FEW_AT_ONCE: Final = 50


@check("dead-letters")
def dead_letters(found: Patient) -> Iterator[Told]:
    """Events were given up on, and lie in a dead-letter queue; or a queue is not there."""
    sqs = found.client("sqs")
    posts = (names.WEBHOOKS,) if found.routing.posts else ()
    for lane in (*found.routing.lanes, *names.INLETS, *posts):
        try:
            url = sqs.get_queue_url(QueueName=names.dead_queue(found.stage, lane))["QueueUrl"]
        except ClientError as error:
            if aws.code_of(error) not in MISSING:
                raise
            yield Told("error", f"the queues of {lane} are not there", "deploy the stage")
            continue
        asked = sqs.get_queue_attributes(
            QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"]
        )
        number = int(asked["Attributes"]["ApproximateNumberOfMessages"])
        if number:
            what = f"{count(number, 'dead letter')} of {lane}"
            yield Told("warning", what, f"./heraldo dead-letters list --stage {found.stage}")


@check("functions")
def functions(found: Patient) -> Iterator[Told]:
    """A function is missing, is not active, gets no messages, may not run, or its runtime is near its end."""
    client = found.client("lambda")
    for function in policies.functions(found.routing.lanes, posts=found.routing.posts):
        name = policies.function_name(found.stage, function)
        try:
            told = client.get_function_configuration(FunctionName=name)
        except client.exceptions.ResourceNotFoundException:
            yield Told("error", f"the function {name} is not there", "deploy the stage")
            continue
        state = told.get("State", "Active")
        if state not in ("Active", "Inactive"):
            yield Told("error", f"the function {name} is {state.lower()}", "deploy the stage again")
        ends = _ENDS.get(told.get("Runtime", ""))
        if ends is not None and ends - date.today() < _SOON:
            what = f"Lambda supports {told['Runtime']} until {ends}, and {name} runs on it"
            yield Told("warning", what, "deploy with a newer Python")
        if function == policies.API:
            continue
        mappings = client.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
        if function == names.OUTCOMES and found.settings.outcomes and not mappings:
            remedy = f"deploy the stage again: make deploy, or make infra, STAGE={found.stage}"
            yield Told("error", f"{name} hears of nothing that it should tell the bus", remedy)
        for mapping in mappings:
            if mapping.get("State") in ("Disabled", "Disabling"):
                remedy = (
                    f"aws lambda update-event-source-mapping --enabled --uuid {mapping['UUID']}"
                )
                yield Told("error", f"{name} gets no messages: its source is switched off", remedy)


@check("concurrency", local=False)
def concurrency(found: Patient) -> Iterator[Told]:
    """The account runs few functions at once, or keeps a lane from running at all."""
    client = found.client("lambda")
    most = client.get_account_settings()["AccountLimit"]["ConcurrentExecutions"]
    if most < _FEW_AT_ONCE:
        what = f"the account runs {most} functions at once: a burst in one lane stops the others"
        remedy = "ask AWS for more: Service Quotas, AWS Lambda, Concurrent executions"
        yield Told("warning", what, remedy)
    for function in policies.functions(found.routing.lanes, posts=found.routing.posts):
        name = policies.function_name(found.stage, function)
        told = client.get_function_concurrency(FunctionName=name)
        if told.get("ReservedConcurrentExecutions") == 0:
            remedy = f"aws lambda delete-function-concurrency --function-name {name}"
            yield Told("error", f"{name} may not run: its concurrency is 0", remedy)
