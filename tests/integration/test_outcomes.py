"""Outcomes on moto: what lanes and receipts write to the ledger comes through its stream to a listener."""

from __future__ import annotations

import json
from typing import Any

from chalicelib import aws, names
from chalicelib.door import receipts
from chalicelib.lanes.dispatch import dispatch
from chalicelib.plan.compose import event_tag
from chalicelib.relay import outcomes
from tests.factories import ACCOUNT, REGION, shipped
from tests.integration.aws_fixture import Stage, client
from tests.mails import said


def listen(stage: Stage) -> None:
    """Give the ledger its stream, and put what is said on the bus into a queue."""
    stage.dynamodb.update_table(
        TableName=names.table("local", "ledger"),
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    stage.sqs.create_queue(QueueName="hears")
    events = client("events")
    events.put_rule(Name="hears", EventPattern=json.dumps({"source": ["heraldo.local"]}))
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:hears"
    events.put_targets(Rule="hears", Targets=[{"Id": "1", "Arn": arn}])


def written() -> list[dict[str, Any]]:
    """The records of the ledger's stream, as Lambda would hand them over."""
    streams = client("dynamodbstreams")
    [stream] = streams.list_streams(TableName=names.table("local", "ledger"))["Streams"]
    arn = stream["StreamArn"]
    [shard] = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    iterator = streams.get_shard_iterator(
        StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    found: list[dict[str, Any]] = streams.get_records(ShardIterator=iterator)["Records"]
    return found


def heard(stage: Stage) -> list[dict[str, Any]]:
    url = stage.queue_url("hears")
    found: list[dict[str, Any]] = []
    while got := stage.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in got:
            found.append(json.loads(message["Body"]))
            stage.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def test_published_failed_and_bounced_are_told(stage: Stage) -> None:
    listen(stage)
    stage.send(shipped(1, email="ana@example.com"), dedup="1")
    stage.send(
        "no event", dedup="2", group="h", attributes={"event_id": "e-2", "event_source": "s"}
    )
    dispatch(aws.stage(), stage.receive(), "orders", lambda: 30_000)
    bounce = said("Bounce", event=event_tag("e-1", "/shop"), message_id="m-9")
    url = stage.queue_url(names.queue("local", names.RECEIPTS))
    stage.sqs.send_message(QueueUrl=url, MessageBody=json.dumps(bounce))
    got = stage.sqs.receive_message(QueueUrl=url, AttributeNames=["All"])["Messages"]
    record = {
        "messageId": got[0]["MessageId"],
        "receiptHandle": got[0]["ReceiptHandle"],
        "body": got[0]["Body"],
        "attributes": got[0]["Attributes"],
        "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{names.queue('local', names.RECEIPTS)}",
    }
    receipts.drain(aws.hurried_stage(), [record], lambda: 30_000)

    outcomes.drain(aws.stage(), written(), lambda: 30_000)
    told = {one["detail-type"]: one["detail"] for one in heard(stage)}
    assert told.keys() == {
        *("heraldo.event.published", "heraldo.event.failed", "heraldo.mail.bounced")
    }
    published = told["heraldo.event.published"]
    assert published["subject"] == "e-1"
    assert published["data"]["messages"].keys() == {"topic:users/es"}
    assert published["data"]["tag"] == told["heraldo.mail.bounced"]["data"]["tag"]
    assert told["heraldo.event.failed"]["subject"] == "e-2"
    assert told["heraldo.event.failed"]["data"]["reason"]
    assert "ana@example.com" not in json.dumps(told)


def test_what_lambda_hands_over_twice_has_the_same_id(stage: Stage) -> None:
    listen(stage)
    stage.send(shipped(1), dedup="1")
    dispatch(aws.stage(), stage.receive(), "orders", lambda: 30_000)
    records = written()
    outcomes.drain(aws.stage(), records, lambda: 30_000)
    outcomes.drain(aws.stage(), records, lambda: 30_000)
    first, second = heard(stage)
    assert first["detail"] == second["detail"]
