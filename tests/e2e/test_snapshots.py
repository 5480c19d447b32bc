"""Functions that begin from a snapshot, on the local AWS: versions are published, and called by their alias."""

from __future__ import annotations

import copy
import dataclasses
import urllib.request
from collections.abc import Iterator

import pytest

from chalicelib import names
from cli.deploy import package, snapshots
from tests.e2e.conftest import Stack, deployed, is_to, to
from tests.factories import sample

FUNCTIONS = ("heraldo-local", "heraldo-local-console")


@pytest.fixture(scope="module")
def stack(built: package.Package, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The packaged stack as `snap_start` makes it. The local AWS runs every Python on the one that there is."""
    template = copy.deepcopy(built.template)
    for logical_id in ("APIHandler", "Console"):
        properties = template["Resources"][logical_id]["Properties"]
        properties |= snapshots.properties() | {"Runtime": "python3.13"}
    made = dataclasses.replace(built, template=snapshots.lead_to_alias(template))
    with deployed(made, tmp_path_factory.mktemp("snapshots")) as up:
        yield up


@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_is_called_is_a_version_with_a_snapshot(stack: Stack, function: str) -> None:
    functions = stack.client("lambda")
    version = functions.get_alias(FunctionName=function, Name=names.LIVE)["FunctionVersion"]
    found = functions.get_function_configuration(FunctionName=function, Qualifier=version)
    assert found["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"}


def test_an_event_is_accepted_and_delivered(stack: Stack, unique: str) -> None:
    status, answer = stack.call("POST", "/events", {**sample("order.shipped"), **to(unique)})
    assert (status, answer["status"]) == (202, "accepted")
    [mail] = stack.received(is_to(unique))
    assert mail["subject"]


def test_nobody_calls_anything_but_versions(stack: Stack) -> None:
    """API Gateway the API, and the API the console; each worker says in the name of its log what it is."""
    with urllib.request.urlopen(f"{stack.local['api_url']}/console/sign-in") as answer:
        assert answer.status == 200
        assert "Heraldo" in answer.read().decode()
    for function in FUNCTIONS:
        listed = stack.client("logs").describe_log_streams(logGroupName=f"/aws/lambda/{function}")
        names = [one["logStreamName"] for one in listed["logStreams"]]
        assert names
        assert not [name for name in names if "[$LATEST]" in name]
