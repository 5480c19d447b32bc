"""Journeys on their way: one item per journey and key says which run there is, by which event it began, and
when an event last stopped it.

A run is only what its item says: an execution of Step Functions of which this does not tell, or that was
stopped since, sends nothing any more. So stopping one is one write, whether it is there yet or not, and
whatever becomes of its execution.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from botocore.exceptions import ClientError

from chalicelib import aws
from chalicelib.errors import HeraldoError
from chalicelib.stage import Stage
from chalicelib.store import table
from chalicelib.store.record import KEEP_SECONDS
from chalicelib.store.run import BEGINS, Run, RunKey, ack_key, from_item, key_of, of_whom

# A journey takes no longer: its definition is deployed with it as its timeout, where it has none.
LONGEST_SECONDS: Final = 90 * 24 * 3600
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
MOST_STOPS: Final = 100


class Stopped(HeraldoError):
    """A run does not begin: an event stopped its key that was accepted later, or it is acknowledged."""


class Taken(HeraldoError):
    """A run does not begin: the key has another, `by`."""

    def __init__(self, by: Run) -> None:
        super().__init__("the key has a run")
        self.by = by


def begin(stage: Stage, run: Run, over: str = "") -> None:
    """Write down that a run begins, unless it must not; once it did, again is the same. `over` names a run
    that is known to have ended.

    Raises
    ------
    Stopped, Taken : it does not begin.
    BotoCoreError, ClientError : it is not known.
    """
    name = stage.table(table.HOLDS)
    expires = {"N": str(int(time.time()) + LONGEST_SECONDS + KEEP_SECONDS)}
    own = {"run": run.run, "started": run.started, "event": run.event, "tag": run.tag}
    own["recipient"] = run.recipient  # nobody's, too: the key's last run may have been somebody's
    changes: list[Any] = [
        {
            "Update": {
                "TableName": name,
                "Key": key_of(run.journey, run.key),
                "UpdateExpression": "SET expires = :expires, "
                + ", ".join(f"#{field} = :{field}" for field in own),
                "ConditionExpression": "(attribute_not_exists(stopped) OR stopped < :started)"
                " AND (attribute_not_exists(#run) OR #run = :run OR #run = :over"
                " OR stopped >= #started)",
                "ExpressionAttributeNames": {f"#{field}": field for field in own},
                "ExpressionAttributeValues": {
                    ":expires": expires,
                    ":over": {"S": over or run.run},
                    **{f":{field}": {"S": text} for field, text in own.items()},
                },
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        },
        {
            "ConditionCheck": {
                "TableName": name,
                "Key": ack_key(run.tag),
                "ConditionExpression": "attribute_not_exists(id)",
            }
        },
    ]
    if run.recipient:
        at = key_of(run.journey, run.key)["id"]
        leads = {"id": {"S": of_whom(run.recipient)}, "at": at, "of": at, "expires": expires}
        changes.append({"Put": {"TableName": name, "Item": leads}})
    try:
        stage.dynamodb.transact_write_items(TransactItems=changes)
    except ClientError as error:
        reasons: Any = error.response.get("CancellationReasons") or ()
        failed = [reason.get("Code") == "ConditionalCheckFailed" for reason in reasons]
        if not any(failed):
            raise
        there = reasons[0].get("Item")
        if failed[1] or (there and from_item(there).stopped >= run.started):
            raise Stopped from None
        if not there:
            raise
        raise Taken(from_item(there)) from None


def stops(stage: Stage, latest: Mapping[RunKey, str]) -> dict[RunKey, dict[str, Any]]:
    """The writes that say that events, the latest of them accepted then, stop these; each fails where a later
    one did."""
    expires = {"N": str(int(time.time()) + LONGEST_SECONDS + KEEP_SECONDS)}
    return {
        (journey, key): {
            "TableName": stage.table(table.HOLDS),
            "Key": key_of(journey, key),
            "UpdateExpression": "SET stopped = :at, expires = :expires",
            "ConditionExpression": "attribute_not_exists(stopped) OR stopped <= :at",
            "ExpressionAttributeValues": {":at": {"S": at}, ":expires": expires},
        }
        for (journey, key), at in latest.items()
    }


def stop(stage: Stage, latest: Mapping[RunKey, str]) -> None:
    """Say that events stop these, as `stops`, in one call; `MOST_STOPS` at the most.

    Raises
    ------
    BotoCoreError, ClientError : it is not said of all.
    """
    left = stops(stage, latest)
    while left:
        writes: list[Any] = [{"Update": update} for update in left.values()]
        try:
            stage.dynamodb.transact_write_items(TransactItems=writes)
        except ClientError as error:
            reasons: Any = error.response.get("CancellationReasons") or ()
            codes = [reason.get("Code") for reason in reasons]
            if "ConditionalCheckFailed" not in codes:
                raise
            # A later event stopped some of them.
            later = zip(list(left), codes, strict=False)
            gone = {key for key, code in later if code == "ConditionalCheckFailed"}
            left = {key: update for key, update in left.items() if key not in gone}
        else:
            return


def acknowledge(stage: Stage, what: str, at: str) -> None:
    """Say that `what` is acknowledged, an event, by its tag, or a run: no run of it, there or to come, sends
    anything any more. Once it is, that stays.

    Raises
    ------
    BotoCoreError, ClientError : it is not said.
    """
    expires = {"N": str(int(time.time()) + LONGEST_SECONDS + KEEP_SECONDS)}
    try:
        stage.dynamodb.put_item(
            TableName=stage.table(table.HOLDS),
            Item={**ack_key(what), "acknowledged": {"S": at}, "expires": expires},
            ConditionExpression="attribute_not_exists(id)",
        )
    except ClientError as error:
        if aws.code_of(error) != "ConditionalCheckFailedException":
            raise


def acknowledged(stage: Stage, what: str) -> str:
    """When an event (by its tag) or a run was acknowledged; empty where it is not.

    Raises
    ------
    BotoCoreError, ClientError : the table does not answer.
    """
    found: Any = stage.dynamodb.get_item(
        TableName=stage.table(table.HOLDS), Key=ack_key(what), ConsistentRead=True
    )
    return str(found["Item"]["acknowledged"]["S"]) if "Item" in found else ""


def find(stage: Stage, journey: str, key: str) -> Run | None:
    """What is kept of a journey's run for a key.

    Raises
    ------
    BotoCoreError, ClientError : the table does not answer.
    """
    found: Any = stage.dynamodb.get_item(
        TableName=stage.table(table.HOLDS), Key=key_of(journey, key), ConsistentRead=True
    )
    return from_item(found["Item"]) if "Item" in found else None


def of_person(stage: Stage, person_id: str) -> list[Run]:
    """The runs that began with an event for a person.

    Raises
    ------
    BotoCoreError, ClientError : the table does not answer.
    """
    name = stage.table(table.HOLDS)
    pages = stage.dynamodb.get_paginator("query").paginate(
        TableName=name,
        KeyConditionExpression="id = :id AND begins_with(#at, :run)",
        ExpressionAttributeNames={"#at": "at"},
        ExpressionAttributeValues={":id": {"S": of_whom(person_id)}, ":run": {"S": BEGINS}},
        ConsistentRead=True,
    )
    found = []
    for key in [item["of"] for page in pages for item in page["Items"]]:
        item = stage.dynamodb.get_item(
            TableName=name, Key={"id": key, "at": {"S": "-"}}, ConsistentRead=True
        ).get("Item", {"id": key})
        found.append(from_item(item))
    return [run for run in found if not run.run or run.recipient == person_id]


def end(stage: Stage, run: Run) -> None:
    """Forget a run that is over, and by which event it began; that its key was stopped is kept.

    Raises
    ------
    BotoCoreError, ClientError : it is not forgotten.
    """
    try:
        stage.dynamodb.update_item(
            TableName=stage.table(table.HOLDS),
            Key=key_of(run.journey, run.key),
            UpdateExpression="REMOVE #run, started, #event, tag, recipient",
            ConditionExpression="#run = :run",
            ExpressionAttributeNames={"#run": "run", "#event": "event"},
            ExpressionAttributeValues={":run": {"S": run.run}},
        )
    except ClientError as error:
        if aws.code_of(error) != "ConditionalCheckFailedException":
            raise


def forget(stage: Stage, run: Run, person_id: str) -> None:
    """Forget all of a run, and what led to it from a person.

    Raises
    ------
    BotoCoreError, ClientError : it is not forgotten.
    """
    name, key = stage.table(table.HOLDS), key_of(run.journey, run.key)
    stage.dynamodb.delete_item(TableName=name, Key=key)
    stage.dynamodb.delete_item(
        TableName=name, Key={"id": {"S": of_whom(person_id)}, "at": key["id"]}
    )
