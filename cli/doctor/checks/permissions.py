"""Whether functions may do what they do."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from chalicelib.names import Place
from chalicelib.side_by_side import side_by_side
from cli.deploy import policies
from cli.deploy.changes import Right, rights_in
from cli.doctor.finding import Patient, Told, check
from cli.stages import LOCAL

Statement = Mapping[str, Any]
Pair = tuple[str, str]  # an action, and a resource
Question = tuple[frozenset[Pair], tuple[Mapping[str, Any], ...]]  # pairs, and a context

_AT_ONCE: Final = 4
_SHOWN: Final = 3


@check("permissions")
def permitted(found: Patient) -> Iterator[Told]:
    """A function may not do what it does, or may do more: its role is not what `.chalice/policies/` says, or
    something else forbids it, as a permissions boundary does.
    """
    roles = _roles(found)
    whole = {}
    for function, role in roles.items():
        wanted, deployed = _wanted(found, function), _deployed(found.client("iam"), role)
        lacks, has = compared(wanted, deployed)
        name = policies.function_name(found.stage, function)
        if lacks:
            remedy = f"deploy the stage, which mends the role {role}"
            yield Told("error", f"{name} lacks permissions: {_in_words(lacks)}", remedy)
        else:
            whole[function] = role
        if has:
            remedy = f"deploy the stage, or take it out of the role {role}"
            yield Told("warning", f"{name} may do what it never does: {_in_words(has)}", remedy)
    if found.stage != LOCAL:
        yield from _forbidden(found, whole)


def _roles(found: Patient) -> dict[str, str]:
    """The roles of the functions that are there."""
    client = found.client("lambda")
    roles = {}
    for function in policies.functions(found.routing.lanes, posts=found.routing.posts):
        name = policies.function_name(found.stage, function)
        try:
            told = client.get_function_configuration(FunctionName=name)
        except client.exceptions.ResourceNotFoundException:
            continue  # `functions` tells
        roles[function] = told["Role"].rsplit("/", 1)[-1]
    return roles


def _wanted(found: Patient, function: str) -> list[Mapping[str, Any]]:
    lanes, posts = found.routing.lanes, found.routing.posts
    return [policies.policy(found.stage, function, lanes, posts=posts)]


def _deployed(iam: Any, role: str) -> list[Mapping[str, Any]]:
    """All policies that stand in a role itself."""
    pages = iam.get_paginator("list_role_policies").paginate(RoleName=role)
    names = [name for page in pages for name in page["PolicyNames"]]
    return [iam.get_role_policy(RoleName=role, PolicyName=n)["PolicyDocument"] for n in names]


def compared(
    wanted: Sequence[Mapping[str, Any]], deployed: Sequence[Mapping[str, Any]]
) -> tuple[list[Right], list[Right]]:
    """What a role lacks to do what it should, and what lets it do more. A Deny counts the other way round."""
    mine, theirs = (
        {right for document in of for right in rights_in(document, "")} for of in (wanted, deployed)
    )
    lacks = [r for r in mine - theirs if r.effect == "Allow"]
    lacks += [r for r in theirs - mine if r.effect == "Deny"]
    has = [r for r in theirs - mine if r.effect == "Allow"]
    has += [r for r in mine - theirs if r.effect == "Deny"]
    return lacks, has


def _in_words(rights: Collection[Right]) -> str:
    return _few(f"{right.action} on {right.on}" for right in rights)


def _few(told: Iterator[str]) -> str:
    lines = sorted(set(told))
    more = f" and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
    return ", ".join(lines[:_SHOWN]) + more


# --- What AWS itself says -------------------------------------------------------------------------


def _forbidden(found: Patient, roles: Mapping[str, str]) -> Iterator[Told]:
    """What a role has, and may not do all the same: AWS is asked of each action on each resource.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
    """
    iam, place = found.client("iam"), found.target.handle().place
    asked = [
        (function, role, question)
        for function, role in roles.items()
        for question in questions(_wanted(found, function)[0]["Statement"], place)
    ]
    answers = side_by_side(
        lambda one: _denied(iam, place.role_arn(one[1]), one[2]), asked, _AT_ONCE
    )
    denied: dict[str, set[Pair]] = {}
    for (function, _, _), pairs in zip(asked, answers, strict=True):
        denied.setdefault(function, set()).update(pairs)
    for function, pairs in denied.items():
        if pairs:
            what = _few(f"{action} on {on.split(':', 5)[-1]}" for action, on in pairs)
            name = policies.function_name(found.stage, function)
            remedy = (
                f"its role {roles[function]} has it, so something else forbids it: a permissions boundary, a"
                " policy of the organization, a Deny in another policy; ask whoever administers the account"
            )
            yield Told("error", f"{name} may not: {what}", remedy)


def questions(statements: Sequence[Statement], place: Place) -> list[Question]:
    """What to ask of a role: the pairs of one service together, those under a condition by themselves."""
    together: dict[str, set[Pair]] = {}
    found: list[Question] = []
    for one in statements:
        if one["Effect"] != "Allow":
            continue
        resources = [_concrete(resource, place) for resource in one.get("Resource", ["*"])]
        pairs = {(action.replace("*", ""), on) for action in one["Action"] for on in resources}
        if "Condition" in one:
            found.append((frozenset(pairs), _context(one["Condition"])))
        else:
            together.setdefault(one["Action"][0].partition(":")[0], set()).update(pairs)
    return [*((frozenset(pairs), ()) for pairs in together.values()), *found]


def _concrete(pattern: str, place: Place) -> str:
    """One ARN that a pattern of the policies stands for."""
    if pattern == "*":
        return pattern
    _, _, service, region, account, rest = pattern.split(":", 5)
    where = (place.region if region else "", place.account if account else "")
    return ":".join(("arn", place.partition, service, *where, rest.replace("*", "x")))


def _context(condition: Mapping[str, Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """The context of a request that meets a condition."""
    return tuple(
        {
            "ContextKeyName": key,
            "ContextKeyType": "stringList" if test.startswith("For") else "string",
            "ContextKeyValues": [
                value.replace("*", "x")
                for value in (values if isinstance(values, list) else [values])
            ],
        }
        for test, keys in condition.items()
        for key, values in keys.items()
    )


def _denied(iam: Any, role_arn: str, question: Question) -> set[Pair]:
    """Of these pairs, those that AWS says are denied."""
    pairs, context = question
    pages = iam.get_paginator("simulate_principal_policy").paginate(
        PolicySourceArn=role_arn,
        ActionNames=sorted({action for action, _ in pairs}),
        ResourceArns=sorted({on for _, on in pairs}),
        ContextEntries=list(context),
    )
    denied = {
        (result["EvalActionName"], on)
        for page in pages
        for result in page["EvaluationResults"]
        for on, decision in _decisions(result)
        if decision != "allowed"
    }
    return denied & pairs


def _decisions(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    by_resource = result.get("ResourceSpecificResults") or ()
    if by_resource:
        return [(one["EvalResourceName"], one["EvalResourceDecision"]) for one in by_resource]
    return [(result.get("EvalResourceName", "*"), result["EvalDecision"])]
