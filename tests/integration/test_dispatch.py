"""chalicelib/lanes/dispatch.py on moto: what a lane does with a batch."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from chalicelib import aws
from chalicelib.lanes.dispatch import Redeliver, dispatch
from chalicelib.words.render import Templates
from tests.factories import sample, shipped
from tests.integration.aws_fixture import Stage


def run(
    stage: Stage, lane: str = "orders", remaining: int = 30_000, age: timedelta = timedelta()
) -> None:
    """One invocation as the event source mapping does it: deletes the batch unless it raises. Its
    messages were sent so long ago."""
    records = stage.receive(lane)
    for record in records:
        sent = int(record["attributes"]["SentTimestamp"]) - age // timedelta(milliseconds=1)
        record["attributes"]["SentTimestamp"] = str(sent)
    stage.calls.clear()
    dispatch(aws.stage(), records, lane, lambda: remaining)
    for record in records:
        stage.sqs.delete_message(
            QueueUrl=stage.queue_url(f"heraldo-local-{lane}.fifo"),
            ReceiptHandle=record["receiptHandle"],
        )


def test_an_event_is_delivered_in_spanish_with_its_attributes(stage: Stage) -> None:
    stage.send(shipped(1), dedup="1")
    run(stage)
    [delivery] = stage.delivered("users")
    assert "Lucía" in delivery["Message"] or "Hola" in delivery["Message"]
    attributes = {k: v["Value"] for k, v in delivery["MessageAttributes"].items()}
    assert attributes == {
        "event_type": "order.shipped",
        "locale": "es",
        "recipient": "cus-1",
        "category": "orders",
        "AWS.SNS.SMS.SMSType": "Transactional",
    }
    assert stage.waiting() == 0


def test_what_goes_through_a_commercial_lane_says_so_to_phones(stage: Stage) -> None:
    event = {**sample("offer.published"), "id": "o", "source": "/s"}
    stage.send(event, dedup="1", lane="promotions")
    run(stage, "promotions")
    [delivery] = stage.delivered("users")
    assert delivery["MessageAttributes"]["AWS.SNS.SMS.SMSType"]["Value"] == "Promotional"


def test_ten_events_to_one_topic_take_three_calls(stage: Stage) -> None:
    for n in range(10):
        stage.send(shipped(n), group=f"cus-{n}", dedup=str(n))
    run(stage)
    assert stage.calls == ["BatchGetItem", "PublishBatch", "BatchWriteItem"]
    assert len(stage.delivered("users")) == 10


def test_events_of_one_key_never_share_a_publish_call(stage: Stage) -> None:
    for n in range(3):
        stage.send(shipped(n, recipient="one"), group="one", dedup=str(n))
    stage.send(shipped(9), group="other", dedup="9")
    run(stage)
    assert stage.calls.count("PublishBatch") == 3
    assert len(stage.delivered("users")) == 4


def test_the_ledger_tells_what_became_of_an_event(stage: Stage) -> None:
    stage.send(shipped(1), dedup="1")
    run(stage)
    found = stage.ledger("e-1")
    assert found["status"] == "published"
    assert found["rules"] == ["customers"]
    assert list(found["messages"]) == ["topic:users/es"]
    assert found["template"]
    assert "cus-1" not in json.dumps(found)


def test_a_redelivered_event_is_not_published_again(stage: Stage) -> None:
    for copy in ("1", "2"):
        stage.send(shipped(1), dedup=copy)
        run(stage)
    assert len(stage.delivered("users")) == 1
    assert stage.waiting() == 0


def test_the_same_event_twice_in_one_batch_is_published_once(stage: Stage) -> None:
    stage.send(shipped(1), dedup="1")
    stage.send(shipped(1), dedup="2")
    run(stage)
    assert len(stage.delivered("users")) == 1
    assert stage.waiting() == 0


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("no es JSON", "not-json"),
        ({"hello": 1}, "not-an-event"),
        ({"type": "order.lost", "data": {}}, "unknown-type"),
        ({"type": "order.shipped", "data": {}}, "missing-data"),
        (
            {"sns_topic": "arn:aws:sns:us-east-1:999999999999:other", "message": "secreto"},
            "foreign-topic",
        ),
    ],
)
def test_what_cannot_be_mended_is_dead_lettered_at_once_and_frees_its_key(
    stage: Stage, body: object, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = stage.send(body, dedup="bad")
    stage.send(shipped(1), dedup="good")
    run(stage)
    [letter] = stage.dead()
    assert letter["MessageAttributes"]["reason"]["StringValue"] == reason
    assert json.loads(letter["Body"]) == body if isinstance(body, dict) else letter["Body"] == body
    assert len(stage.delivered("users")) == 1
    assert stage.waiting() == 0
    assert stage.ledger(bad)["status"] == "failed"
    logged = capsys.readouterr().err
    assert reason in logged
    assert "secreto" not in logged


def test_where_a_topic_is_gone_the_event_waits_a_person_is_told_and_others_are_done(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.sns.delete_topic(TopicArn=stage.topic_arn("company"))
    stage.send({**sample("payment.failed"), "id": "p", "source": "/s"}, group="a", dedup="p")
    stage.send(shipped(1), group="b", dedup="1")
    with pytest.raises(Redeliver, match=r"1 of 2 .*NotFound \(topic:company/es\)"):
        run(stage)
    assert stage.dead() == []
    found = stage.ledger("p")
    assert (found["status"], found["reason"]) == ("retrying", "needs-mending")
    assert found["detail"] == "NotFound (topic:company/es)"
    # The customer's half went out and is remembered, so only the company's is tried again.
    assert list(found["messages"]) == ["topic:users/es", "start:unpaid-order"]
    assert len(stage.delivered("users")) == 2
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert {
        "level": "error",
        "message": "needs mending",
        "lane": "orders",
        "error": "NotFound",
        "detail": "NotFound (topic:company/es)",
    } in told


def test_what_failed_for_a_week_is_dead_lettered_before_sqs_forgets_it(stage: Stage) -> None:
    stage.sns.delete_topic(TopicArn=stage.topic_arn("company"))
    stage.send({**sample("payment.failed"), "id": "p", "source": "/s"}, dedup="p")
    run(stage, age=timedelta(days=8))
    [letter] = stage.dead()
    assert letter["MessageAttributes"]["reason"]["StringValue"] == "gave-up"
    assert stage.ledger("p")["status"] == "failed"


def test_what_cannot_be_finished_in_time_is_handed_back(stage: Stage) -> None:
    stage.send(shipped(1), dedup="1")
    with pytest.raises(Redeliver, match="1 of 1"):
        run(stage, remaining=1_000)
    assert stage.calls == ["BatchGetItem", "ChangeMessageVisibilityBatch"]
    run(stage)
    assert len(stage.delivered("users")) == 1


def test_an_expired_event_is_recorded_and_not_sent(stage: Stage) -> None:
    stage.send(shipped(1, expirytime="2020-01-01T00:00:00Z"), dedup="1")
    run(stage)
    assert stage.delivered("users") == []
    assert stage.ledger("e-1")["status"] == "expired"


def test_a_ready_made_message_arrives_byte_for_byte(stage: Stage) -> None:
    words = "¿Qué tal, señor Núñez?\n\n\tTu carrito te espera… 🛒\r\n"
    body = {"sns_topic": stage.topic_arn("company"), "subject": "Año nuevo", "message": words}
    message_id = stage.send(body, dedup="1")
    run(stage)
    [delivery] = stage.delivered("company")
    assert (delivery["Subject"], delivery["Message"]) == ("Año nuevo", words)
    assert stage.ledger(message_id)["status"] == "published"


def test_an_event_that_no_rule_wants_is_suppressed_for_a_recorded_reason(stage: Stage) -> None:
    event = {**sample("update.announced"), "id": "u", "source": "/s"}
    event["data"] = {k: v for k, v in event["data"].items() if k != "audience"}
    stage.send(event, dedup="1", lane="alerts")
    run(stage, "alerts")
    found = stage.ledger("u")
    assert found["status"] == "suppressed"
    assert found["detail"].startswith(
        "no rule matches; announcements-to-users: data.audience: wanted"
    )
    assert "found nothing" in found["detail"]


def test_a_mistake_of_ours_takes_nobody_else_with_it(
    stage: Stage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def broken_filter(value: object) -> str:
        raise RuntimeError(f"a programmer's mistake, with {value} in its message")

    good = "{% block subject %}S{% endblock %}{% block body %}B{% endblock %}"
    for name, text in (("order.shipped", good), ("order.placed", good + "{{ name|broken }}")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "es.j2").write_text(text, encoding="utf-8")
    own = Templates(tmp_path)
    own.environment.filters["broken"] = broken_filter
    monkeypatch.setattr("chalicelib.lanes.invocation.templates", lambda: own)

    bad = {"type": "order.placed", "id": "bad", "source": "/s", "data": {"name": "secreto"}}
    stage.send(bad, group="a", dedup="bad")
    stage.send(shipped(1), group="b", dedup="good")
    run(stage)
    [letter] = stage.dead()
    assert letter["MessageAttributes"]["reason"]["StringValue"] == "unexpected"
    assert len(stage.delivered("users")) == 1
    assert stage.waiting() == 0
    logged = capsys.readouterr().err
    assert "test_dispatch.py" in logged  # where it went wrong
    assert "secreto" not in logged


@pytest.mark.parametrize(
    ("body", "attributes"),
    [
        ({"type": "x" * 500_000, "data": {}}, {}),
        ({"type": "order.\u0000", "data": {}}, {}),
        ({"type": "order.shipped", "data": {}, **{f"F{n}": 1 for n in range(60_000)}}, {}),
        ({"sns_topic": "t", "message": "m", "k" * 500_000: 1}, {}),
        ({"type": "order.lost", "data": {}}, {"event_id": "i" * 5000, "event_source": "s" * 3000}),
        ({"type": "ñ" * 256, "data": {}}, {}),
        ({"type": "../order.shipped", "data": {}}, {}),
        ('{"type": "order.lost\\ufffe", "data": {"\\ufffe": 1}}', {}),
        ('{"type": "order.shipped", "data": {"total": NaN}}', {}),
    ],
)
def test_no_message_is_so_odd_that_the_rest_of_its_batch_is_not_recorded(
    stage: Stage, body: dict[str, object], attributes: dict[str, str]
) -> None:
    stage.send(shipped(1), group="good", dedup="1")
    stage.send(body, group="odd", dedup="2", attributes=attributes)
    run(stage)
    assert stage.ledger("e-1")["status"] == "published"
    [letter] = stage.dead()
    assert letter["MessageAttributes"]["reason"]["StringValue"] != "unexpected"
    assert (
        stage.ledger(letter["MessageAttributes"]["event_id"]["StringValue"])["status"] == "failed"
    )
