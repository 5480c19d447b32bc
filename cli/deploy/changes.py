"""What a deploy changes of a stack: its resources by their names, and what may be done by whom.

Compared are two templates as they are handed in, the deployed one and the new one; what code and words are is
compared elsewhere (cli/deploy/review.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cli.terminal import count

_ROLE: Final = "AWS::IAM::Role"
FUNCTION: Final = "AWS::Serverless::Function"
_NAMES: Final = (
    *("QueueName", "TopicName", "TableName", "FunctionName", "StateMachineName", "AlarmName"),
    *("LogGroupName", "RoleName", "DashboardName", "AliasName", "Name"),
)
_CODE: Final = "CodeUri"
_RIGHTS: Final = ("Policies", "PolicyDocument", "AssumeRolePolicyDocument", "KeyPolicy")
# Words for those of which a stack has several; the others are called as CloudFormation calls them.
_KINDS: Final[Mapping[str, str]] = {
    FUNCTION: "function",
    "AWS::Serverless::Api": "API",
    "AWS::IAM::Role": "role",
    "AWS::Logs::LogGroup": "log group",
    "AWS::Logs::MetricFilter": "log filter",
    "AWS::StepFunctions::StateMachine": "journey",
}
_SHOWN: Final = 6


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource that differs: `what` are the properties, where it was there and still is."""

    kind: str
    name: str
    what: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Right:
    """What somebody may do, or (`Deny`) may not, or what may be done to something."""

    whose: str
    effect: str
    action: str
    on: str
    condition: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """Between two templates. `code` is of how many functions the code is another, `rest` what else is."""

    added: tuple[Resource, ...]
    changed: tuple[Resource, ...]
    removed: tuple[Resource, ...]
    gained: frozenset[Right]
    lost: frozenset[Right]
    code: int = 0
    rest: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any((self.added, self.changed, self.removed, self.code, self.rest)) or bool(
            self.gained | self.lost
        )


def between(old: Mapping[str, Any], new: Mapping[str, Any]) -> Difference:
    """What a stack's template changes when `new` takes the place of `old`; that may be empty."""
    before, after = old.get("Resources", {}), new["Resources"]
    both = before.keys() & after.keys()
    changed = [
        _resource(name, after[name], _differing(before[name], after[name]))
        for name in after
        if name in both
    ]
    rights = rights_of(old), rights_of(new)
    rest = sorted((old.keys() | new.keys()) - {"Resources"})
    return Difference(
        tuple(_resource(name, after[name]) for name in after if name not in both),
        tuple(resource for resource in changed if resource.what),
        tuple(_resource(name, before[name]) for name in before if name not in both),
        frozenset(rights[1] - rights[0]),
        frozenset(rights[0] - rights[1]),
        sum(_code(before[name]) != _code(after[name]) for name in both),
        tuple(name for name in rest if before and old.get(name) != new.get(name)),
    )


def _resource(name: str, definition: Mapping[str, Any], what: tuple[str, ...] = ()) -> Resource:
    return Resource(_kind(definition), _name(name, definition), what)


def _kind(definition: Mapping[str, Any]) -> str:
    kind: str = definition["Type"]
    plain = kind.rpartition("::")[2]
    return _KINDS.get(kind) or re.sub(r"(?<=[a-z])(?=[A-Z])", " ", plain).lower()


def _name(logical_id: str, definition: Mapping[str, Any]) -> str:
    properties = definition.get("Properties", {})
    given = (properties.get(key) for key in _NAMES)
    return next((name for name in given if isinstance(name, str)), logical_id)


def _code(definition: Mapping[str, Any]) -> Any:
    return definition.get("Properties", {}).get(_CODE)


def _differing(old: Any, new: Any, at: str = "") -> tuple[str, ...]:
    """The paths at which two definitions differ, but for code and rights, which are told by themselves."""
    if old == new:
        return ()
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return (at,)
    found: list[str] = []
    for key in dict.fromkeys((*old, *new)):
        if key in (_CODE, *_RIGHTS):
            continue
        here = key if at in ("", "Properties") else f"{at}.{key}"
        found += _differing(old.get(key), new.get(key), here)
    return tuple(found)


# -- rights ----------------------------------------------------------------------------------------


def rights_of(template: Mapping[str, Any]) -> set[Right]:
    """Every right that a template gives or denies."""
    resources = template.get("Resources", {})
    names = {name: _name(name, definition) for name, definition in resources.items()}
    for definition in resources.values():  # a role is called like the function that has it
        role = definition.get("Properties", {}).get("Role")
        if definition["Type"] == FUNCTION and isinstance(role, Mapping):
            names[role["Fn::GetAtt"][0]] = _name("", definition)
    return {
        right
        for name, definition in resources.items()
        for document in _documents(definition.get("Properties", {}))
        for right in rights_in(document, names[name], names)
    }


def _documents(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        if "Statement" in value:
            yield value
        for inner in value.values():
            yield from _documents(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _documents(inner)


def rights_in(
    document: Mapping[str, Any], whose: str, names: Mapping[str, str] | None = None
) -> Iterator[Right]:
    """The rights that a policy gives or denies; `names` are those of what it refers to."""
    for statement in _listed(document["Statement"]):
        who = statement.get("Principal")
        by = f"{whose}, for {_who(who)}" if who and who != "*" else whose
        condition = statement.get("Condition")
        told = json.dumps(condition, sort_keys=True, default=str) if condition else ""
        actions = _listed(statement.get("Action") or statement.get("NotAction"))
        on = _listed(statement.get("Resource") or statement.get("NotResource") or "itself")
        for action in actions:
            for resource in on:
                shown = _shown(resource, names or {})
                shown = f"all but {shown}" if "NotResource" in statement else shown
                name = f"all but {action}" if "NotAction" in statement else action
                yield Right(by, statement["Effect"], name, shown, told)


def _who(principal: Any) -> str:
    found = principal.values() if isinstance(principal, Mapping) else [principal]
    return ", ".join(_shown(one, {}) for names in found for one in _listed(names))


def _shown(resource: Any, names: Mapping[str, str]) -> str:
    """A resource as a person calls it: by its name where the template refers to it, without an ARN's beginning."""
    if isinstance(resource, Mapping):
        if "Ref" in resource:
            return names.get(resource["Ref"], str(resource["Ref"]))
        if "Fn::GetAtt" in resource:
            found = resource["Fn::GetAtt"]
            target = found[0] if isinstance(found, list) else found.partition(".")[0]
            return names.get(target, target)
        resource = resource.get("Fn::Sub", json.dumps(resource, default=str))
    name: str = resource
    parts = re.sub(r"\$\{AWS::\w+\}", "*", name).split(":", 5)
    return parts[5] if len(parts) == 6 and parts[5] != "*" else name


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


# -- in words --------------------------------------------------------------------------------------


def in_words(difference: Difference) -> Iterator[str]:
    """A line for each kind of what comes or goes, for each resource that changes, and for each right."""
    for sign, found in (("+", difference.added), ("-", difference.removed)):
        for kind, names in _by_kind(found).items():
            yield f"{sign} {_of(kind, names)}"
    alike: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for resource in difference.changed:
        alike.setdefault((resource.kind, resource.what), []).append(resource.name)
    for (kind, what), names in alike.items():
        yield f"~ {_of(kind, names)}: {few(what)}"
    if difference.code:
        yield f"~ the code of {count(difference.code, 'function')}"
    if difference.rest:
        yield f"~ {', '.join(difference.rest)} of the template"


def made(difference: Difference) -> str:
    """What a first deploy makes, counted by kind."""
    kinds = _by_kind(difference.added)
    return ", ".join(_count(kind, names) for kind, names in kinds.items())


def rights_in_words(difference: Difference) -> Iterator[str]:
    """A line for what one may do to one thing from now on, or no more; one for all that comes or goes with its owner."""
    whole = {resource.name for resource in (*difference.added, *difference.removed)}
    for sign, found in (("+", difference.gained), ("-", difference.lost)):
        for owner in sorted({_owner(right) for right in found} & whole):
            its = [right for right in found if _owner(right) == owner]
            services = sorted({right.action.partition(":")[0] for right in its})
            yield f"{sign} {owner}, with itself: {count(len(its), 'right')} ({', '.join(services)})"
    grouped: dict[tuple[str, str, str, str, str], list[str]] = {}
    for sign, found in (("+", difference.gained), ("-", difference.lost)):
        for right in sorted(found, key=lambda r: (r.whose, r.on, r.action)):
            if _owner(right) in whole:
                continue
            key = (right.whose, sign, right.effect, right.on, right.condition)
            grouped.setdefault(key, []).append(right.action)
    for (whose, sign, effect, on, condition), actions in sorted(grouped.items()):
        denied = "denied " if effect == "Deny" else ""
        under = f" if {condition}" if condition else ""
        yield f"{sign} {whose}: {denied}{', '.join(actions)} on {on}{under}"


def _of(kind: str, names: list[str]) -> str:
    return f"{kind} {names[0]}" if len(names) == 1 else f"{_count(kind, names)} ({few(names)})"


def _count(kind: str, names: list[str]) -> str:
    return count(len(names), kind, f"{kind[:-1]}ies" if kind.endswith("cy") else "")


def _owner(right: Right) -> str:
    return right.whose.partition(",")[0]


def few(names: tuple[str, ...] | list[str]) -> str:
    """Some names, and how many more there are."""
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _by_kind(found: tuple[Resource, ...]) -> dict[str, list[str]]:
    kinds: dict[str, list[str]] = {}
    for resource in found:
        kinds.setdefault(resource.kind, []).append(resource.name)
    return kinds
