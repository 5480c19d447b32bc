"""Whether what is deployed is what this tree says."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

from cli.deploy import chalice_state, changes, encryption, package, policies, resources
from cli.deploy.changes import few
from cli.deploy.cloudformation import Stack
from cli.doctor.finding import Patient, Told, check
from cli.stages import LOCAL, OWN_VARIABLES


@check("drift")
def drift(found: Patient) -> Iterator[Told]:
    """What is deployed is not what this tree says: words, rules or code, the settings of `stages.toml`, or queues,
    topics, tables, alarms and the like.
    """
    deployed = _functions(found)
    yield from _code(found, deployed)
    yield from _settings(found, deployed)
    yield from _template(found)


def _remedy(found: Patient) -> str:
    """What to do where the tree is right. Where the stage is, the tree is not the one that was deployed."""
    return (
        f"if this tree is what is meant, deploy it: make deploy STAGE={found.stage} shows what changes,"
        " and asks (the second way: make infra, then chalice deploy)"
    )


def _functions(found: Patient) -> dict[str, Mapping[str, Any]]:
    """The functions that are there, by their names on AWS."""
    client = found.client("lambda")
    deployed: dict[str, Mapping[str, Any]] = {}
    for function in policies.functions(found.routing.lanes, posts=found.routing.posts):
        name = policies.function_name(found.stage, function)
        try:
            deployed[name] = client.get_function_configuration(FunctionName=name)
        except client.exceptions.ResourceNotFoundException:
            continue  # `functions` tells
    return deployed


def _code(found: Patient, deployed: Mapping[str, Mapping[str, Any]]) -> Iterator[Told]:
    """The files that run, against those of this tree."""
    by_code: dict[str, list[str]] = {}
    for name, told in deployed.items():
        by_code.setdefault(told.get("CodeSha256", ""), []).append(name)
    if len(by_code) > 1:
        few_of_them = min(by_code.values(), key=len)
        what = f"other code than in the other functions runs in {few(few_of_them)}"
        yield Told("warning", what, _remedy(found))
    try:
        running = chalice_state.deployed_package(found.stage, found.client)
    except (OSError, zipfile.BadZipFile) as error:
        what = f"the code that runs cannot be fetched ({error})"
        yield Told("warning", what, "look again in a moment")
        return
    if running is None:
        return  # `functions` tells
    entries = {name: running.read(name) for name in running.namelist() if not name.endswith("/")}
    if names := differing_files(entries):
        yield Told("warning", f"what runs has otherwise than here: {few(names)}", _remedy(found))


def differing_files(entries: Mapping[str, bytes]) -> list[str]:
    """The files of this tree that a package has otherwise, or lacks, and those that it has beside them."""
    here = {name: file.read_bytes() for name, file in package.code_entries().items()}
    there = {
        name: content
        for name, content in entries.items()
        if package.is_code(name) and "__pycache__/" not in name and name != package.FINDINGS
    }
    return sorted(name for name in here.keys() | there.keys() if here.get(name) != there.get(name))


def _settings(found: Patient, deployed: Mapping[str, Mapping[str, Any]]) -> Iterator[Told]:
    """What functions know of their stage, against stages.toml."""
    wanted = found.settings.environment
    for name in OWN_VARIABLES:
        if (found.stage, name) == (LOCAL, "HERALDO_API_URL"):
            continue  # `make run` tells its functions
        others = [
            function
            for function, told in deployed.items()
            if told.get("Environment", {}).get("Variables", {}).get(name) != wanted.get(name)
        ]
        if others:
            here = f"is not {wanted[name]!r}" if name in wanted else "is set, and should not be"
            what = f"by stages.toml, {name} {here} in {few(others)}"
            yield Told("warning", what, _remedy(found))


def _template(found: Patient) -> Iterator[Told]:
    """What is around the functions, against the template that was deployed."""
    client = found.client("cloudformation")
    one, infra = f"heraldo-{found.stage}", f"heraldo-{found.stage}-infra"
    mine = resources.infrastructure(found.stage, running=True)
    if theirs := Stack(client, one, _silent).handed_in():
        # In the one stack, what is around the functions may wait for them.
        whole = resources.overlay(found.stage)["Resources"]
        mine = {"Resources": {name: whole[name] for name in mine["Resources"]}}
    else:
        theirs = Stack(client, infra, _silent).handed_in()
    if not theirs:
        yield Told("warning", f"there is no stack {one}, and none {infra}", _remedy(found))
        return
    if found.client("sqs").meta.endpoint_url.startswith("http:"):
        mine = encryption.allow_plain_http(mine)
    if told := differing_resources(theirs, mine):
        what = f"the stack would change: {'; '.join(told)}"
        yield Told("warning", what, _remedy(found))


def differing_resources(theirs: Mapping[str, Any], mine: Mapping[str, Any]) -> list[str]:
    """What a deployed template lacks of this tree's, or has otherwise, in words. Chalice's own is left alone."""
    own = mine["Resources"]
    common = {n: one for n, one in theirs.get("Resources", {}).items() if n in own}
    difference = changes.between({"Resources": common}, {"Resources": own})
    rights = len(difference.gained | difference.lost)
    told = list(changes.in_words(difference))
    return [*told, f"who may do what ({rights})"] if rights else told


def _silent(_: str) -> None:
    pass
