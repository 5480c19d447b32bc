"""What is lost with a stage: counted before it is taken away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from botocore.exceptions import ClientError

from chalicelib import names
from chalicelib.store import holds
from cli.deploy import remains
from cli.deploy.cloudformation import Resource
from cli.deploy.kept import TOPIC, Account
from cli.deploy.remains import Clients, Kind
from cli.terminal import count

# What is in the tables, of which AWS counts the items every six hours.
_TABLES: Final = {
    "people": "people, their addresses, what they want, and secrets",
    "ledger": "what became of events",
    "keys": "callers' keys",
    "holds": "events until their time, runs of journeys, and the audit log",
}


def told(
    there: list[tuple[Kind, str]], clients: Clients, account: Account, stage: str, bucket: str
) -> Iterator[str]:
    """A line for each thing that somebody may miss."""
    of: dict[str, list[str]] = {}
    for kind, one in there:
        of.setdefault(kind.name, []).append(one)
    for url in of.get("queue", ()):
        name = remains.called(url)
        if number := account.messages(url):
            what = "dead letter" if name.removesuffix(".fifo").endswith("-dead") else "event"
            yield f"{count(number, what)} in {name}"
    tables = set(of.get("table", ()))
    if names.table(stage, "holds") in tables and (number := _held(clients, stage)):
        yield f"{count(number, 'event')} held until their time"
    for arn in of.get("journey", ()):
        if number := _running(clients, arn):
            yield f"{count(number, 'run')} of journey {remains.called(arn)}"
    for arn in of.get("topic", ()):
        if remains.called(arn) == names.topic(stage, names.RECEIPTS):
            continue  # a queue of the stage's hears it
        if number := account.holds(Resource("", TOPIC, arn)):
            yield f"{count(number, 'subscription')} to {remains.called(arn)}"
    for table in sorted(tables):
        yield _table(clients, table, stage)
    packages = list(remains.packages(clients, stage, bucket))
    if packages:
        size = sum(package.get("Size", 0) for package in packages) / 1e6
        yield f"{count(len(packages), 'file')} in {bucket}, {size:.1f} MB: what was deployed"


def _held(clients: Clients, stage: str) -> int:
    return sum(
        page["Count"]
        for shard in range(holds.SHARDS)
        for page in clients("dynamodb")
        .get_paginator("query")
        .paginate(
            TableName=names.table(stage, "holds"),
            IndexName=holds.INDEX,
            Select="COUNT",
            KeyConditionExpression="#open = :shard",
            ExpressionAttributeNames={"#open": holds.INDEX},
            ExpressionAttributeValues={":shard": {"S": str(shard)}},
        )
    )


def _running(clients: Clients, arn: str) -> int:
    pages = clients("stepfunctions").get_paginator("list_executions")
    try:
        found = pages.paginate(stateMachineArn=arn, statusFilter="RUNNING")
        return sum(len(page["executions"]) for page in found)
    except ClientError as error:
        if error.response["Error"]["Code"] != "StateMachineDoesNotExist":
            raise
        return 0


def _table(clients: Clients, table: str, stage: str) -> str:
    found: dict[str, Any] = clients("dynamodb").describe_table(TableName=table)["Table"]
    what = _TABLES.get(table.removeprefix(f"heraldo-{stage}-"), "")
    told = f"table {table}, about {count(found['ItemCount'], 'item')}"
    return f"{told}: {what}" if what else told
