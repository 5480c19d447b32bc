"""./heraldo doctor on the deployed package: nothing where all is as in git, and what is not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.rules import reading
from cli.deploy import policies
from cli.doctor.checks import permissions
from cli.doctor.finding import Patient, Told, table
from cli.doctor.look import patient
from cli.target import Target
from tests.e2e.conftest import Stack


@pytest.fixture(scope="module")
def stack(stack_alone: Stack) -> Stack:
    """The doctor looks at all that there is."""
    return stack_alone


@pytest.fixture
def looked_at(stack: Stack) -> Patient:
    facts = stack.local
    target = Target("local", facts["api_url"], "", facts["endpoint_url"], facts["region"])
    return patient(target, reading.read(reading.FILE, "local"))


def told(looked_at: Patient, code: str) -> list[Told]:
    return list(table()[code].look(looked_at))


@pytest.mark.parametrize("code", [check.code for check in table().values() if check.local])
def test_of_what_was_just_deployed_nothing_is_found(looked_at: Patient, code: str) -> None:
    assert told(looked_at, code) == []


@pytest.fixture
def role(stack: Stack) -> Iterator[str]:
    """The role of a lane, as it is again afterwards."""
    functions, iam = stack.client("lambda"), stack.client("iam")
    arn = functions.get_function_configuration(FunctionName="heraldo-local-orders")["Role"]
    name: str = arn.rsplit("/", 1)[-1]
    [policy] = iam.list_role_policies(RoleName=name)["PolicyNames"]
    before = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
    yield name
    for other in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        if other != policy:
            iam.delete_role_policy(RoleName=name, PolicyName=other)
    iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(before))


def change(stack: Stack, role: str, statement: dict[str, Any]) -> None:
    document = {"Version": "2012-10-17", "Statement": [statement]}
    iam = stack.client("iam")
    iam.put_role_policy(RoleName=role, PolicyName="by-hand", PolicyDocument=json.dumps(document))


def test_a_permission_that_was_taken_away_is_told(
    stack: Stack, looked_at: Patient, role: str
) -> None:
    iam = stack.client("iam")
    [policy] = iam.list_role_policies(RoleName=role)["PolicyNames"]
    document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
    document["Statement"] = [s for s in document["Statement"] if "sns:Publish*" not in s["Action"]]
    iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(document))
    first = told(looked_at, "permissions")[0]
    assert first.severity == "error"
    assert first.problem == (
        "heraldo-local-orders lacks permissions: sns:Publish* on heraldo-local-*"
    )


def test_what_was_allowed_by_hand_is_told(stack: Stack, looked_at: Patient, role: str) -> None:
    change(stack, role, {"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
    [found] = told(looked_at, "permissions")
    assert found.severity == "warning"
    assert found.problem == "heraldo-local-orders may do what it never does: s3:* on *"


def test_what_aws_says_of_a_role_is_what_it_may(
    stack: Stack, looked_at: Patient, role: str
) -> None:
    """The local AWS looks at one resource a call, and at no context: the rest only AWS can tell."""
    place = looked_at.target.handle().place
    statements = policies.policy("local", "orders", looked_at.routing.lanes)["Statement"]
    questions = permissions.questions(statements, place)
    asked = [pair for pairs, context in questions for pair in sorted(pairs) if not context]
    assert len(asked) > 20

    def denied() -> set[tuple[str, str]]:
        iam, arn = stack.client("iam"), place.role_arn(role)
        each = (permissions._denied(iam, arn, (frozenset([pair]), ())) for pair in asked)
        return {pair for found in each for pair in found}

    assert denied() == set()
    change(stack, role, {"Effect": "Deny", "Action": "sqs:DeleteMessage*", "Resource": "*"})
    assert {action for action, _ in denied()} == {"sqs:DeleteMessage"}


def test_a_function_that_was_told_something_else_by_hand_is_told(
    stack: Stack, looked_at: Patient
) -> None:
    functions = stack.client("lambda")
    name = "heraldo-local-alerts"
    before = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    other = {**before, "HERALDO_SENDER": "Otra <otra@abedul.example>"}
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": other})
    try:
        [found] = told(looked_at, "drift")
        assert found.problem.startswith("by stages.toml, HERALDO_SENDER is not 'Abedul <hola@")
        assert found.problem.endswith(f"in {name}")
    finally:
        functions.update_function_configuration(
            FunctionName=name, Environment={"Variables": before}
        )


def test_what_is_declared_and_not_deployed_is_told(
    looked_at: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.deploy.resources._LIES", (5, 5))
    problem = told(looked_at, "drift")[0].problem
    assert problem.startswith("the stack would change: ~ 4 alarms (heraldo-local-orders-dead")
    assert "DatapointsToAlarm, EvaluationPeriods" in problem
