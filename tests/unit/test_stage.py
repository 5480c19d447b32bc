"""chalicelib/stage.py: what a stage has is named and found, and asked for once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from chalicelib.names import Place
from chalicelib.stage import Stage

PLACE = Place("aws-cn", "cn-north-1", "111122223333")


class Sqs:
    meta = SimpleNamespace(
        endpoint_url="https://sqs.example", partition="aws-cn", region_name="cn-north-1"
    )

    def __init__(self) -> None:
        self.asked: list[str] = []

    def get_queue_url(self, QueueName: str) -> Any:  # noqa: N803
        self.asked.append(QueueName)
        return {"QueueUrl": f"https://elsewhere/111122223333/{QueueName}"}


class Sts:
    asked = 0

    def get_caller_identity(self) -> Any:
        self.asked += 1
        return {"Arn": "arn:aws-cn:iam::111122223333:user/ana"}


def test_the_address_of_a_stage_s_queues_is_asked_for_once() -> None:
    sqs = Sqs()
    stage = Stage("dev", lambda _: sqs)
    assert stage.queue_url("orders") == "https://elsewhere/111122223333/heraldo-dev-orders.fifo"
    assert stage.dead_queue_url("alerts").endswith("/111122223333/heraldo-dev-alerts-dead.fifo")
    assert sqs.asked == ["heraldo-dev-orders.fifo"]


def test_who_knows_where_a_stage_is_asks_nobody() -> None:
    sqs = Sqs()
    stage = Stage("dev", lambda _: sqs).at(PLACE)
    assert stage.queue_url("orders") == "https://sqs.example/111122223333/heraldo-dev-orders.fifo"
    assert stage.topic_arn("users") == "arn:aws-cn:sns:cn-north-1:111122223333:heraldo-dev-users"
    assert sqs.asked == []


def test_where_a_stage_is_is_asked_for_once() -> None:
    sts, sqs = Sts(), Sqs()
    clients: dict[str, Any] = {"sts": sts, "sqs": sqs}
    stage = Stage("dev", clients.__getitem__)
    assert stage.topic_arn("users") == "arn:aws-cn:sns:cn-north-1:111122223333:heraldo-dev-users"
    assert stage.place == PLACE
    assert sts.asked == 1


def test_a_client_is_made_when_it_is_first_needed_and_kept() -> None:
    made: list[str] = []

    def client(service: str) -> Any:
        made.append(service)
        return object()

    stage = Stage("dev", client)
    assert stage.table("ledger") == "heraldo-dev-ledger"
    assert made == []
    assert stage.sns is stage.sns
    assert stage.dynamodb is stage.dynamodb
    assert made == ["sns", "dynamodb"]
