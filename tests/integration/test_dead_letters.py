"""./heraldo dead-letters on moto: what is listed, shown, and put back."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from chalicelib import aws
from chalicelib.door import bus
from chalicelib.door.envelope import DETAIL_TYPE
from chalicelib.letters import letters
from cli import target as targets
from cli.commands.dead_letters import command
from tests.factories import REGION, sample, shipped
from tests.integration.aws_fixture import Stage, needing_nothing
from tests.integration.test_dispatch import run


@pytest.fixture
def stage(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(letters, "WAIT_SECONDS", 0)  # moto's empty answers are never a mistake
    return stage


def heraldo(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == code, (result.output, result.exception)
    return result


def heraldo_json(*arguments: str, code: int = 0) -> Any:
    return json.loads(heraldo(*arguments, "--json", code=code).stdout)


def bad(number: int, *, recipient: str = "cus", **attributes: Any) -> dict[str, Any]:
    """An event whose data lacks what the template needs."""
    return shipped(number, recipient=recipient, **{"data": {}, **attributes})


def die(stage: Stage, *events: Any, group: str = "cus", lane: str = "orders") -> None:
    """Send events that the lane will give up on, and let it: they have waited for a week."""
    for event in events:
        name = event["id"] if isinstance(event, dict) and "id" in event else str(event)
        stage.send(event, group=group, dedup=name, lane=lane)
    while stage.waiting(lane):
        run(stage, lane, age=timedelta(days=8))


def drain(stage: Stage, lane: str = "orders") -> None:
    while stage.waiting(lane):
        run(stage, lane)


def dead_ids(lane: str = "orders") -> list[str]:
    found = heraldo_json("list", "--all", "--lane", lane)
    return [letter["id"] for group in found["groups"] for letter in group["letters"]]


@pytest.fixture
def mend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Make order.shipped need nothing, as an author does who mends a template."""
    return lambda: needing_nothing(monkeypatch, tmp_path, "cli.commands.dead_letters")


@contextmanager
def on_call(event: str, do: Callable[..., Any]) -> Iterator[None]:
    """Have botocore call `do` at this point of every call that a command makes."""
    events = targets._session(targets.target(None)).events
    events.register(event, do)
    try:
        yield
    finally:
        events.unregister(event, do)


def ctrl_c(**_: Any) -> None:
    raise KeyboardInterrupt


def test_without_dead_letters_the_list_says_so(stage: Stage) -> None:
    assert "No dead letters" in heraldo("list").output
    assert heraldo_json("list") == {"count": 0, "unseen": {}, "groups": []}


def test_the_list_groups_all_lanes_by_type_and_reason(stage: Stage) -> None:
    die(stage, bad(1), bad(2))
    die(stage, {"type": "offer.gone", "id": "o", "data": {}}, lane="promotions")
    die(stage, "no es JSON", group="other")
    found = heraldo_json("list")
    assert {(g["type"], g["reason"], g["lane"]): g["count"] for g in found["groups"]} == {
        ("order.shipped", "missing-data", "orders"): 2,
        ("offer.gone", "unknown-type", "promotions"): 1,
        ("(unreadable)", "not-json", "orders"): 1,
    }
    assert "letters" not in found["groups"][0]
    text = heraldo("list").output
    assert "COUNT" in text and "missing-data" in text
    assert "e-1" in heraldo("list", "--all").output


def test_looking_leaves_the_letters_visible(stage: Stage) -> None:
    die(stage, bad(1), bad(2))
    for _ in range(2):
        assert dead_ids() == ["e-1", "e-2"]
    assert [json.loads(m["Body"])["id"] for m in stage.dead()] == ["e-1", "e-2"]


def test_letters_that_did_not_fit_into_one_answer_with_their_key_are_listed_too(
    stage: Stage,
) -> None:
    for key in ("a", "b", "c"):
        die(stage, *(bad(f"{key}{n}", recipient=key) for n in range(7)), group=key)
    assert sorted(dead_ids()) == sorted(f"e-{key}{n}" for key in "abc" for n in range(7))


def test_of_a_key_with_more_than_ten_the_list_says_how_many_it_cannot_show(stage: Stage) -> None:
    die(stage, *(bad(n) for n in range(14)))
    found = heraldo_json("list")
    assert (found["count"], found["unseen"]) == (10, {"orders": 4})
    assert "and 4 more in lane orders" in heraldo("list").stderr


def test_show_gives_the_event_the_error_and_what_is_still_wrong(stage: Stage) -> None:
    die(stage, bad(1))
    text = heraldo("show", "e-1").output
    assert "missing-data" in text and '"recipient": "cus"' in text
    assert "it would fail again" in text
    found = heraldo_json("show", "e-1")
    assert found["event"]["id"] == "e-1"
    assert found["now"]["fails"] is True


def test_show_renders_with_the_mended_template(stage: Stage, mend: Any) -> None:
    die(stage, bad(1))
    mend()
    found = heraldo_json("show", "e-1")
    assert found["now"]["messages"]["topic:users/es"] == {"subject": "Va", "body": "e-1"}
    assert "it would go to topic:users/es" in heraldo("show", "e-1").output


def test_show_of_an_unknown_id_names_the_nearest(stage: Stage) -> None:
    die(stage, bad("12345"))
    assert "did you mean e-12345" in heraldo("show", "e-12346", code=1).output


def test_a_letter_that_sqs_moved_itself_is_told_by_the_ledger_or_as_not_survived(
    stage: Stage,
) -> None:
    url = stage.queue_url("heraldo-local-orders-dead.fifo")
    stage.sqs.send_message(
        QueueUrl=url,
        MessageBody=json.dumps(shipped(1)),
        MessageGroupId="a",
        MessageDeduplicationId="1",
    )
    [group] = heraldo_json("list", "--all")["groups"]
    assert (group["type"], group["reason"]) == ("order.shipped", "no-handler-survived")
    assert "no handler survived it" in group["letters"][0]["detail"]
    stage.dynamodb.put_item(
        TableName="heraldo-local-ledger",
        Item={
            name: {"S": value}
            for name, value in {
                "id": "e-1",
                "source": "/shop",
                "status": "retrying",
                "reason": "retrying",
                "detail": "Throttling",
            }.items()
        },
    )
    [group] = heraldo_json("list", "--all")["groups"]
    assert (group["reason"], group["letters"][0]["detail"]) == ("retrying", "Throttling")
    heraldo("redrive")
    drain(stage)
    assert len(stage.delivered("users")) == 1
    assert dead_ids() == []


def test_a_message_without_an_id_keeps_its_identity_when_redriven(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    arn = stage.topic_arn("company")
    stage.sns.delete_topic(TopicArn=arn)
    message_id = stage.send({"sns_topic": arn, "message": "hola"}, dedup="1")
    run(stage, age=timedelta(days=8))
    assert dead_ids() == [message_id]
    stage.sns.create_topic(Name="heraldo-local-company")
    heraldo("redrive")
    drain(stage)
    assert [step["status"] for step in stage.ledger(message_id)["timeline"]] == [
        "failed",
        "published",
    ]


def test_a_redrive_after_a_mended_template_sends_exactly_what_was_missed(
    stage: Stage, mend: Any
) -> None:
    stage.send(shipped(0, recipient="cus"), group="cus", dedup="ok")
    die(stage, bad(1), bad(2))
    assert len(stage.delivered("users")) == 1
    mend()
    assert heraldo_json("redrive")["moved"] == ["e-1", "e-2"]
    drain(stage)
    delivered = [
        json.loads(d["Message"]) if d["Message"][0] == "{" else d["Message"]
        for d in stage.delivered("users")
    ]
    assert delivered == ["e-1", "e-2"]
    assert dead_ids() == []
    assert stage.ledger("e-1")["status"] == "published"


def test_a_destination_that_got_its_message_does_not_get_it_again(stage: Stage) -> None:
    arn = stage.topic_arn("company")
    stage.sns.delete_topic(TopicArn=arn)
    die(stage, {**sample("payment.failed"), "id": "p", "source": "/s"})
    assert len(stage.delivered("users")) == 1
    stage.sns.create_topic(Name="heraldo-local-company")
    stage.sns.subscribe(
        TopicArn=arn, Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:123456789012:inbox-company"
    )
    plan = heraldo_json("redrive", "--dry-run")
    assert [letter["now"]["sends"] for letter in plan["would_go"]] == [["topic:company/es"]]
    heraldo("redrive", "--yes")
    drain(stage)
    assert (len(stage.delivered("users")), len(stage.delivered("company"))) == (0, 1)


def test_what_would_fail_again_stays_where_it_is(stage: Stage) -> None:
    die(stage, bad(1))
    result = heraldo("redrive", code=1)
    assert "1 dead letter stays, because it would fail again" in result.output
    assert "e-1" in result.output
    assert dead_ids() == ["e-1"]
    assert stage.waiting() == 0


def test_what_would_fail_again_goes_with_force_and_does_not_go_round_for_ever(
    stage: Stage,
) -> None:
    die(stage, bad(1))
    assert heraldo_json("redrive", "--force")["moved"] == ["e-1"]
    assert stage.waiting() == 1
    drain(stage)
    assert dead_ids() == ["e-1"]


def test_a_dry_run_says_what_would_go_and_what_would_stay_and_moves_nothing(
    stage: Stage, mend: Any
) -> None:
    die(stage, bad(1), "no es JSON")
    mend()
    text = heraldo("redrive", "--dry-run", code=1)
    assert "e-1  order.shipped  → topic:users/es" in text.output
    assert "the message is not JSON" in text.output
    assert len(dead_ids()) == 2
    assert stage.waiting() == 0


@pytest.mark.parametrize(
    ("options", "moved"),
    [
        (["--type", "order.shipped"], {"e-1", "e-2"}),
        (["--reason", "unknown-type"], {"o"}),
        (["--id", "e-2", "--id", "o"], {"e-2", "o"}),
        (["--lane", "promotions"], {"o"}),
        (["--type", "order.shipped", "--reason", "unknown-type"], set()),
    ],
)
def test_a_redrive_moves_only_what_was_meant(
    stage: Stage, options: list[str], moved: set[str]
) -> None:
    die(stage, bad(1), bad(2))
    die(stage, {"type": "offer.gone", "id": "o", "data": {}}, lane="promotions")
    assert set(heraldo_json("redrive", "--force", *options)["moved"]) == moved


def test_an_id_that_is_not_there_is_an_error_and_moves_nothing(stage: Stage, mend: Any) -> None:
    die(stage, bad(1))
    mend()
    assert "No dead letter has the id nope" in heraldo("redrive", "--id", "nope", code=1).output
    assert dead_ids() == ["e-1"]


def test_a_key_with_thirty_dead_letters_is_redriven_whole_and_in_order(
    stage: Stage, mend: Any
) -> None:
    die(stage, *(bad(n) for n in range(30)))
    die(stage, *(bad(f"x{n}", recipient="other") for n in range(5)), group="other")
    mend()
    found = heraldo_json("redrive", "--rate", "500")
    assert (len(found["moved"]), found["unseen"]) == (35, 0)
    drain(stage)
    texts = [delivery["Message"] for delivery in stage.delivered("users")]
    assert [t for t in texts if "x" not in t] == [f"e-{n}" for n in range(30)]
    assert [t for t in texts if "x" in t] == [f"e-x{n}" for n in range(5)]


def test_what_stays_does_not_hide_what_can_go_while_they_are_ten_together(
    stage: Stage, mend: Any
) -> None:
    die(stage, *([f"nicht JSON {n}" for n in range(6)]), *(bad(n) for n in range(3)))
    die(stage, *(bad(f"y{n}", recipient="y") for n in range(8)), group="y")
    mend()
    found = heraldo_json("redrive", code=1)
    assert len(found["moved"]) == 11
    assert len(found["still_failing"]) == 6


def test_when_ten_that_stay_hide_more_the_redrive_says_so(stage: Stage, mend: Any) -> None:
    die(stage, *[f"kein JSON {n}" for n in range(10)], bad(1))
    mend()
    result = heraldo("redrive", code=1)
    assert "1 more could not be reached" in result.output


@pytest.mark.parametrize("handled_between", [False, True])
def test_a_redrive_that_was_cut_off_before_deleting_is_run_again_and_sends_once(
    stage: Stage, mend: Any, handled_between: bool
) -> None:
    die(stage, bad(1), bad(2))
    mend()
    with on_call("before-call.sqs.DeleteMessageBatch", ctrl_c):
        result = heraldo("redrive", code=130)
    assert "Interrupted" in result.output
    assert stage.waiting() == 1
    assert dead_ids() == ["e-1", "e-2"]
    if handled_between:
        drain(stage)
    heraldo("redrive")
    drain(stage)
    assert [d["Message"] for d in stage.delivered("users")] == ["e-1", "e-2"]
    assert dead_ids() == []


def test_ctrl_c_while_looking_leaves_the_letters_visible(stage: Stage) -> None:
    die(stage, bad(1))
    calls = itertools.count(1)

    def ctrl_c_at_the_second(**_: Any) -> None:
        if next(calls) == 2:
            raise KeyboardInterrupt

    with on_call("before-call.sqs.ReceiveMessage", ctrl_c_at_the_second):
        heraldo("list", "--lane", "orders", code=1)
    assert len(stage.dead()) == 1


def test_what_follows_a_letter_that_sqs_refuses_waits_behind_it(stage: Stage, mend: Any) -> None:
    die(stage, bad(1), bad(2))
    die(stage, bad(3, recipient="other"), group="other")
    mend()

    def take_out(params: dict[str, Any], **_: Any) -> None:
        params["Entries"] = [e for e in params["Entries"] if '"e-1"' not in e["MessageBody"]]

    def refuse(parsed: dict[str, Any], **_: Any) -> None:
        answered = {done["Id"] for done in parsed["Successful"]}
        failed = [n for n in ("0", "1") if n not in answered]
        parsed["Failed"] = [
            {"Id": n, "SenderFault": False, "Code": "InternalError"} for n in failed
        ]

    with (
        on_call("provide-client-params.sqs.SendMessageBatch", take_out),
        on_call("after-call.sqs.SendMessageBatch", refuse),
    ):
        result = heraldo_json("redrive", code=1)
    assert result["moved"] == ["e-3"]
    assert result["refused"] == [{"id": "e-1", "problem": "InternalError"}]
    assert heraldo_json("redrive")["moved"] == ["e-1", "e-2"]


def test_a_slow_rate_spreads_the_letters(stage: Stage, mend: Any) -> None:
    die(stage, *(bad(n) for n in range(4)))
    mend()
    began = time.monotonic()
    heraldo("redrive", "--rate", "10")
    assert time.monotonic() - began >= 0.3


def test_a_stage_that_is_not_deployed_is_named(stage: Stage) -> None:
    assert "Stage prod is not deployed" in heraldo("list", "--stage", "prod", code=1).output


BUS_DEAD = "heraldo-local-bus-dead"


def on_the_bus(event_id: str, **detail: Any) -> str:
    event = {"type": "order.shipped", "data": sample("order.shipped")["data"], **detail}
    envelope = {"id": event_id, "source": "shop", "time": "2026-12-03T08:12:41Z", "detail": event}
    return json.dumps({**envelope, "detail-type": DETAIL_TYPE})


def die_on_the_bus(stage: Stage, body: str, **attributes: str) -> None:
    about = {n: {"DataType": "String", "StringValue": v} for n, v in attributes.items()}
    stage.sqs.send_message(
        QueueUrl=stage.queue_url(BUS_DEAD), MessageBody=body, MessageAttributes=about
    )


def test_the_bus_has_dead_letters_as_a_lane_has(stage: Stage) -> None:
    die_on_the_bus(stage, on_the_bus("e-1"))  # which SQS has moved: no function survived it
    die_on_the_bus(
        stage,
        on_the_bus("e-2"),
        ERROR_CODE="NO_PERMISSIONS",
        ERROR_MESSAGE="may not send",
        RULE_ARN="arn:x",
    )
    die_on_the_bus(stage, on_the_bus("e-3", stage="prod"), reason="wrong-stage", detail="stage: …")
    die_on_the_bus(stage, "no JSON", reason="not-an-event")

    found = heraldo_json("list", "--all", "--lane", "bus")
    letters = [letter for group in found["groups"] for letter in group["letters"]]
    assert sorted((letter["type"], letter["reason"]) for letter in letters) == [
        ("(unreadable)", "not-an-event"),
        ("(unreadable)", "wrong-stage"),
        ("order.shipped", "no-handler-survived"),
        ("order.shipped", "not-delivered"),
    ]
    details = {letter["id"]: letter["detail"] for letter in letters}
    assert details["e-2"] == "NO_PERMISSIONS: may not send"
    assert {letter["source"] for letter in letters if letter["id"] in ("e-1", "e-2")} == {
        "eventbridge:shop"
    }
    shown = heraldo_json("show", "e-1")
    assert shown["now"]["sends"] == ["topic:users/es"]
    assert heraldo_json("list")["count"] == 4


def test_what_died_on_the_bus_goes_back_to_the_bus(stage: Stage) -> None:
    die_on_the_bus(stage, on_the_bus("e-1"), ERROR_CODE="NO_PERMISSIONS", ERROR_MESSAGE="no")
    die_on_the_bus(stage, "no JSON", reason="not-an-event")
    said = heraldo_json("redrive", "--lane", "bus", "--yes", code=1)
    assert said["moved"] == ["e-1"]
    assert len(said["still_failing"]) == 1

    bus.drain(aws.stage(), stage.receive("bus"), lambda: 30_000)
    run(stage, "orders")
    [delivery] = stage.delivered("users")
    assert delivery["MessageAttributes"]["event_type"]["Value"] == "order.shipped"
