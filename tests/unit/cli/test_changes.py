"""What a deploy is about to change, told of two templates and of two trees."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

import pytest

from cli.deploy import changes, plans, resources
from cli.deploy.changes import Right
from cli.paths import ROOT, ROUTING

STAGE = "dev"
NOW = resources.infrastructure(STAGE)


@pytest.fixture
def new() -> dict[str, Any]:
    return copy.deepcopy(NOW)


def told(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    difference = changes.between(old, new)
    return [*changes.in_words(difference), *changes.rights_in_words(difference)]


def test_the_same_template_changes_nothing(new: dict[str, Any]) -> None:
    assert not changes.between(NOW, new)
    assert told(NOW, new) == []


def test_what_comes_and_goes_is_called_by_its_name(new: dict[str, Any]) -> None:
    for name in ("AlertsTopic", "AlertsTopicPolicy"):
        del new["Resources"][name]
    for name in ("stock", "stock-dead"):
        queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": f"heraldo-dev-{name}.fifo"}}
        new["Resources"][name] = queue
    lines = told(NOW, new)
    assert lines[:3] == [
        "+ 2 queues (heraldo-dev-stock.fifo, heraldo-dev-stock-dead.fifo)",
        "- topic heraldo-dev-alerts",
        "- topic policy AlertsTopicPolicy",
    ]
    assert all(line.startswith("- AlertsTopicPolicy") for line in lines[3:])


def test_what_changes_is_told_by_its_properties(new: dict[str, Any]) -> None:
    for lane in ("Orders", "Alerts"):
        new["Resources"][f"{lane}Queue"]["Properties"]["VisibilityTimeout"] = 60
    redrive = new["Resources"]["OrdersQueue"]["Properties"]["RedrivePolicy"]
    redrive["maxReceiveCount"] = 3
    new["Description"] = "Another"
    assert told(NOW, new) == [
        "~ queue heraldo-dev-orders.fifo: VisibilityTimeout, RedrivePolicy.maxReceiveCount",
        "~ queue heraldo-dev-alerts.fifo: VisibilityTimeout",
        "~ Description of the template",
    ]


def test_a_right_is_told_by_who_may_do_what_to_what(new: dict[str, Any]) -> None:
    policy = new["Resources"]["WakerRole"]["Properties"]["Policies"][0]["PolicyDocument"]
    policy["Statement"][0]["Action"] = ["sqs:SendMessage", "sqs:PurgeQueue"]
    open_to_all, _ = new["Resources"]["BusQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    del open_to_all["Condition"]
    lines = told(NOW, new)
    assert "+ heraldo-dev-waker: sqs:PurgeQueue on heraldo-dev-*" in lines
    who = "BusQueuePolicy, for events.amazonaws.com: sqs:SendMessage on heraldo-dev-bus"
    assert f"+ {who}" in lines
    assert any(line.startswith(f"- {who} if {{") for line in lines)


def test_a_function_is_told_of_by_its_code_and_a_new_one_with_all_it_may_do() -> None:
    def template(key: str, *names: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in names:
            allowed = {
                "Effect": "Allow",
                "Action": ["sqs:SendMessage", "sns:Publish"],
                "Resource": "*",
            }
            found[f"{name}Role"] = {
                "Type": "AWS::IAM::Role",
                "Properties": {"Policies": [{"PolicyDocument": {"Statement": [allowed]}}]},
            }
            code = {"Bucket": "b", "Key": key}
            role = {"Fn::GetAtt": [f"{name}Role", "Arn"]}
            found[name] = {
                "Type": changes.FUNCTION,
                "Properties": {
                    "FunctionName": f"heraldo-dev-{name}",
                    "CodeUri": code,
                    "Role": role,
                },
            }
        return {"Resources": found}

    assert told(template("1", "a"), template("2", "a", "b")) == [
        "+ role bRole",
        "+ function heraldo-dev-b",
        "~ the code of 1 function",
        "+ heraldo-dev-b, with itself: 2 rights (sns, sqs)",
    ]


def test_what_is_denied_or_excepted_reads_as_that() -> None:
    denied = {"Effect": "Deny", "NotAction": "s3:*", "NotResource": ["arn:aws:s3:::mine"]}
    assert list(changes.rights_in({"Statement": denied}, "me")) == [
        Right("me", "Deny", "all but s3:*", "all but mine")
    ]


def test_a_first_deploy_says_what_it_makes() -> None:
    told = changes.made(changes.between({}, NOW))
    assert "4 tables" in told
    assert "3 journeys" in told


# -- rules -----------------------------------------------------------------------------------------


@pytest.fixture
def before(tmp_path: Path) -> Path:
    """This tree's words and rules, as they were before."""
    for part in ("templates", "chalicelib"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("*.py"))
    return tmp_path


def rewrite(tree: Path, old: str, new: str) -> None:
    text = (tree / ROUTING).read_text("utf-8")
    assert old in text
    (tree / ROUTING).write_text(text.replace(old, new), "utf-8")


def test_the_same_rules_send_everything_where_it_went(before: Path) -> None:
    assert plans.changes(before, ROOT, STAGE) == {}


def test_where_an_event_goes_otherwise_is_told_of_its_sample_and_examples(before: Path) -> None:
    rewrite(before, 'to = ["topic:company"]\nstop = true', 'to = ["topic:alerts"]\nstop = true')
    [(said, of)] = plans.changes(before, ROOT, STAGE).items()
    assert said == "+topic:company/es, -topic:alerts/es"
    assert of[0] == "order.unpaid"
    assert all(name.startswith("order.unpaid (") for name in of[1:])
    assert len(of) > 1


def test_another_lane_and_what_a_category_says_are_told(before: Path) -> None:
    rewrite(before, '"payment.*"]', '"payment.*", "cart.*"]')
    rewrite(before, '["cart.*", "reminder.*", "heraldo.*"]', '["reminder.*", "heraldo.*"]')
    found = plans.changes(before, ROOT, STAGE)
    assert "cart.abandoned" in found["lane orders → reminders"]


def test_other_hours_are_told_whatever_the_time_is(before: Path) -> None:
    rewrite(
        before,
        "commercial = true }",
        'commercial = true, quiet = "00:00-00:01", cap = "3 per 7 days" }',
    )
    found = plans.changes(before, ROOT, STAGE)
    [of] = {tuple(names) for told, names in found.items() if "other quiet hours" in told}
    assert "offer.published" in of


def test_rules_of_a_shape_that_is_no_more_read_are_an_error(before: Path) -> None:
    rewrite(before, "[lanes]\n", "[lanes]\norders = 1\n")
    with pytest.raises(plans.RoutingError):
        plans.changes(before, ROOT, STAGE)


def test_an_event_type_that_is_new_is_left_to_the_words(before: Path) -> None:
    shutil.rmtree(before / "templates" / "order.unpaid")
    rewrite(before, 'to = ["topic:company"]\nstop = true', 'to = ["topic:alerts"]\nstop = true')
    assert plans.changes(before, ROOT, STAGE) == {}


def test_what_no_longer_renders_is_refused(before: Path) -> None:
    words = before / "templates" / "order.unpaid" / "es.j2"
    text = words.read_text("utf-8").replace("{% block body %}", "{% block body %}{{ nowhere }}")
    words.write_text(text, "utf-8")
    [(said, of)] = plans.changes(before, ROOT, STAGE).items()
    assert said.startswith("refused: ")
    assert "nowhere" in said
    assert of[0] == "order.unpaid"
