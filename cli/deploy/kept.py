"""Queues, topics and tables hold something: nothing that does is taken out, and what is there is found.

CloudFormation leaves them in the account when their line goes (DeletionPolicy), under a name that is
fixed. So before a stack is changed, what is taken out must be empty; after it, what was empty all the
time is deleted; and what is there by the name of something new is adopted.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

from botocore.exceptions import ClientError

from chalicelib import names
from chalicelib.names import Place
from chalicelib.store import holds
from cli.deploy.cloudformation import DeployError, Resource, Say, Stack
from cli.terminal import count

QUEUE: Final = "AWS::SQS::Queue"
TOPIC: Final = "AWS::SNS::Topic"
_TABLE: Final = "AWS::DynamoDB::Table"
_IDENTITY: Final = {
    QUEUE: ("QueueName", "FifoQueue"),
    TOPIC: ("TopicName",),
    _TABLE: ("TableName", "KeySchema", "AttributeDefinitions", "BillingMode"),
}
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html:
# the three counts are right a minute after the last message was sent.
_COUNTS: Final = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
_LANE_QUEUE: Final = re.compile(r"heraldo-(?P<stage>.+)-(?P<lane>[a-z0-9]+)\.fifo\Z")
QUIET_SECONDS: Final = 60.0
_MISSING: Final = (
    "AWS.SimpleQueueService.NonExistentQueue",
    "QueueDoesNotExist",
    "NotFound",
    "ResourceNotFoundException",
)


class Account:
    """What the stage's account has of queues, topics and tables."""

    def __init__(self, clients: Any, place: Place) -> None:
        self._sqs, self._sns = clients("sqs"), clients("sns")
        self._dynamodb = clients("dynamodb")
        self._place = place

    def find(self, definition: Mapping[str, Any]) -> dict[str, str] | None:
        """What CloudFormation identifies a resource by, if there is one by the name that it is to have."""
        kind, properties = definition["Type"], definition.get("Properties", {})
        name = properties.get({QUEUE: "QueueName", TOPIC: "TopicName"}.get(kind, "TableName"))
        try:
            if kind == QUEUE and name:
                return {"QueueUrl": self._sqs.get_queue_url(QueueName=name)["QueueUrl"]}
            if kind == TOPIC and name:
                arn = self._place.topic_arn(name)
                self._sns.get_topic_attributes(TopicArn=arn)
                return {"TopicArn": arn}
            if kind == _TABLE and name:
                self._dynamodb.describe_table(TableName=name)
                return {"TableName": name}
        except ClientError as error:
            if error.response["Error"]["Code"] not in _MISSING:
                raise
        return None

    def holds(self, resource: Resource) -> int:
        """How many messages a queue has, with the events that its lane holds, or subscriptions a topic; none
        where it is gone."""
        try:
            if resource.kind == QUEUE:
                held = self._held(resource.physical_id.rpartition("/")[2])
                return self.messages(resource.physical_id) + held
            pages = self._sns.get_paginator("list_subscriptions_by_topic").paginate(
                TopicArn=resource.physical_id
            )
            # One that nobody has confirmed yet hears nothing, and ends by itself.
            arns = [s["SubscriptionArn"] for page in pages for s in page["Subscriptions"]]
            return sum(arn.startswith("arn:") for arn in arns)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _MISSING:
                raise
            return 0

    def messages(self, url: str) -> int:
        """How many messages a queue has, in flight or not."""
        got = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(_COUNTS))
        return sum(int(got["Attributes"][name]) for name in _COUNTS)

    def _held(self, queue: str) -> int:
        """How many events a queue's lane holds until their time."""
        match = _LANE_QUEUE.match(queue)
        if match is None:
            return 0
        place = holds.place(match["lane"], "")
        try:
            return sum(
                item["id"]["S"].startswith(place)
                for shard in range(holds.SHARDS)
                for page in self._dynamodb.get_paginator("query").paginate(
                    TableName=names.table(match["stage"], "holds"),
                    IndexName=holds.INDEX,
                    KeyConditionExpression="#open = :shard",
                    ExpressionAttributeNames={"#open": holds.INDEX},
                    ExpressionAttributeValues={":shard": {"S": str(shard)}},
                )
                for item in page["Items"]
            )
        except ClientError as error:  # a stage from before there were holds
            if error.response["Error"]["Code"] not in _MISSING:
                raise
            return 0

    def delete(self, resource: Resource) -> None:
        """Delete a queue or a topic, and whatever is in it."""
        if resource.kind == QUEUE:
            self._sqs.delete_queue(QueueUrl=resource.physical_id)
        else:
            self._sns.delete_topic(TopicArn=resource.physical_id)


def taken_out(stack: Stack, template: Mapping[str, Any]) -> list[Resource]:
    """The queues and topics of a stack that a new template does not have."""
    return [
        resource
        for resource in stack.resources()
        if resource.kind in (QUEUE, TOPIC) and resource.logical_id not in template["Resources"]
    ]


def refuse_what_holds(account: Account, gone: list[Resource], stage: str) -> None:
    """Return where all of these are empty.

    Raises
    ------
    DeployError : naming each that is not, with the way to empty it.
    """
    full = [(resource, number) for resource in gone if (number := account.holds(resource))]
    if full:
        told = [f"  {_remedy(resource, number, stage)}" for resource, number in full]
        first = "Nothing was changed. What routing.toml no longer has still holds something:"
        raise DeployError("\n".join([first, *told]))


def _remedy(resource: Resource, number: int, stage: str) -> str:
    """How to empty what is taken out. Its line has to come back for that: commands know no other."""
    at = "" if stage == "local" else f" --stage {stage}"
    name = name_of(resource)
    short = name.removeprefix(f"heraldo-{stage}-").removesuffix(".fifo")
    if resource.kind == TOPIC:
        return (
            f"topic {short} has {count(number, 'subscription')}. Put its line back, and end them:"
            f" ./heraldo subscriptions {short}{at}, ./heraldo unsubscribe ARN{at}"
        )
    lane = short.removesuffix("-dead")
    if short == names.WEBHOOKS:
        return (
            f"webhooks have {count(number, 'event')} yet to be posted. Put their lines back and wait: what they do"
            f" not take in three days is a dead letter; or throw it away:"
            f" aws sqs purge-queue --queue-url {resource.physical_id}"
        )
    if lane != short:
        return (
            f"lane {lane} has {count(number, 'dead letter')}. Put its line back, and"
            f" ./heraldo dead-letters redrive --lane {lane}{at}; or throw them away:"
            f" aws sqs purge-queue --queue-url {resource.physical_id}"
        )
    return (
        f"lane {lane} has {count(number, 'event')} waiting. Put its line back and wait: they go out while"
        " the lane is there. If others keep coming, deploy it with a type that nobody sends first, its own"
        f' types in another lane: {lane} = ["{lane}.none"]'
    )


def name_of(resource: Resource) -> str:
    """The name of a queue, by its URL, or of a topic, by its ARN."""
    return resource.physical_id.rsplit("/", 1)[-1].rsplit(":", 1)[-1]


def adopt(stack: Stack, account: Account, template: Mapping[str, Any], hand_in: Any) -> None:
    """Take in what is in the account by the names of what the template adds.

    Raises
    ------
    DeployError : it cannot be taken in.
    """
    there = {resource.logical_id for resource in stack.resources()}
    found = dict(_found(account, template, there))
    if not found:
        return
    base: dict[str, Any] = stack.template() if there else {**template, "Resources": {}}
    added = {name: _alone(template["Resources"][name]) for name in found}
    whole = {**base, "Resources": {**base["Resources"], **added}}
    if not there:  # an import makes resources only
        whole = {name: whole[name] for name in ("AWSTemplateFormatVersion", "Resources")}
    asked = [
        {
            "LogicalResourceId": name,
            "ResourceType": template["Resources"][name]["Type"],
            "ResourceIdentifier": identifier,
        }
        for name, identifier in found.items()
    ]
    stack.adopt(hand_in(whole), asked)


def _found(
    account: Account, template: Mapping[str, Any], there: set[str]
) -> Iterator[tuple[str, dict[str, str]]]:
    for name, definition in template["Resources"].items():
        if name not in there and definition.get("Type") in (QUEUE, TOPIC, _TABLE):
            identifier = account.find(definition)
            if identifier is not None:
                yield name, identifier


def _alone(definition: Mapping[str, Any]) -> dict[str, Any]:
    """A definition with what makes it the one that it is, and no more.

    An import changes nothing; what the template says beyond that has to be news to the update that
    follows, or it would never be applied.
    """
    kept = _IDENTITY[definition["Type"]]
    properties = {k: v for k, v in definition["Properties"].items() if k in kept}
    return {**definition, "Properties": properties}


def delete_what_stayed_empty(
    account: Account, gone: list[Resource], say: Say, quiet: float = QUIET_SECONDS
) -> None:
    """Delete what was taken out, once it has been seen to be empty for `quiet` seconds.

    What somebody left something in meanwhile stays, and is told.
    """
    if not gone:
        return
    names = ", ".join(name_of(resource) for resource in gone)
    say(f"{names}: taken out; deleted if nothing comes in for {quiet:.0f} s")
    until = time.monotonic() + quiet
    waiting = list(gone)
    while waiting:
        for resource in list(waiting):
            if number := account.holds(resource):
                waiting.remove(resource)
                say(f"  {name_of(resource)} stays: it got {count(number, 'message')} meanwhile")
        left = until - time.monotonic()
        if left <= 0:
            break
        time.sleep(min(5.0, left))
    for resource in waiting:
        account.delete(resource)
        say(f"  {name_of(resource)} is deleted")
