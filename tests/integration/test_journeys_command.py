"""./heraldo journeys list, show and stop on moto: what is under way, where it stands, and its end."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from chalicelib import aws, names
from chalicelib.channels.journeys import is_running
from chalicelib.plan.compose import event_tag
from chalicelib.store import runs
from chalicelib.store.run import Run, run_name
from cli.commands.journeys import command
from cli.deploy import journeys
from cli.deploy.cloudformation import Resource
from cli.paths import ROOT
from tests.factories import ACCOUNT, REGION, sample
from tests.integration.aws_fixture import Stage

PLACE = names.Place("aws", REGION, ACCOUNT)


def heraldo(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == code, (result.output, result.exception)
    return result


def begin(stage: Stage, person: str) -> str:
    """A cart is left; gives its run."""
    raw = {**sample("cart.abandoned"), "id": f"cart-{person}", "source": "/s", "recipient": person}
    stage.send(raw, lane="reminders", group=person, dedup=f"cart-{person}")
    stage.handle("reminders")
    return run_name("abandoned-cart", person, event_tag(f"cart-{person}", "/s"))


def test_the_journeys_of_a_stage_are_listed_with_their_runs(stage: Stage) -> None:
    begin(stage, "c-1")
    begin(stage, "c-2")
    text = heraldo("list").output
    assert "abandoned-cart" in text
    found = json.loads(heraldo("list", "--json").output)["journeys"]
    assert {j["name"]: (j["running"], j["key"]) for j in found} == {
        "abandoned-cart": (2, "recipient"),
        "unpaid-order": (0, "data.order.id"),
        "critical-alert": (0, "id"),
    }
    assert found[0]["started_by"] == ["a-cart-is-left"]
    assert found[0]["stopped_by"] == ["an-order-ends-the-wait-for-a-cart"]


def test_the_runs_of_a_journey_are_shown_with_what_began_them(stage: Stage) -> None:
    assert "No run of abandoned-cart is under way" in heraldo("show", "abandoned-cart").output
    first, second = begin(stage, "c-1"), begin(stage, "c-2")
    found = json.loads(heraldo("show", "abandoned-cart", "--json").output)["runs"]
    assert {(run["key"], run["run"], run["event"]["id"]) for run in found} == {
        ("c-1", first, "cart-c-1"),
        ("c-2", second, "cart-c-2"),
    }
    text = heraldo("show", "abandoned-cart", "--most", "1").output
    assert "--most shows them" in text


def test_the_run_of_a_key_is_shown_on_its_way(stage: Stage) -> None:
    run = begin(stage, "c-1")
    shown = json.loads(heraldo("show", "abandoned-cart", "c-1", "--json").output)
    assert (shown["run"], shown["status"], shown["stopped"]) == (run, "RUNNING", None)
    assert f"running, run {run}" in heraldo("show", "abandoned-cart", "c-1").output
    assert "No run of abandoned-cart is known for c-9" in (
        heraldo("show", "abandoned-cart", "c-9", code=1).output
    )


def test_a_run_is_stopped_and_starts_anew_with_the_next_cart(stage: Stage) -> None:
    run, other = begin(stage, "c-1"), begin(stage, "c-2")
    assert "ended  1 run of abandoned-cart" in heraldo("stop", "abandoned-cart", "c-1").output
    handle = aws.stage().at(PLACE)
    assert [is_running(handle, "abandoned-cart", r) for r in (run, other)] == [False, True]
    kept = runs.find(handle, "abandoned-cart", "c-1")
    assert kept is not None
    assert (kept.run, kept.event) == ("", "")
    assert "No run" in heraldo("stop", "abandoned-cart", "c-1", code=1).output


def test_all_runs_of_a_journey_are_stopped(stage: Stage) -> None:
    begun = [begin(stage, f"c-{number}") for number in range(3)]
    answer = json.loads(heraldo("stop", "abandoned-cart", "--all", "--yes", "--json").output)
    assert answer == {"ended": 3}
    handle = aws.stage().at(PLACE)
    assert not any(is_running(handle, "abandoned-cart", run) for run in begun)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("show", "abandonedcart"), "there is no journey 'abandonedcart'; did you mean"),
        (("stop", "nothing", "c-1"), "there is no journey 'nothing'"),
        (("stop", "abandoned-cart"), "Say for which KEY, or --all"),
        (("stop", "abandoned-cart", "c-1", "--all"), "Say for which KEY, or --all"),
    ],
)
def test_what_cannot_be_is_said(stage: Stage, arguments: tuple[str, ...], told: str) -> None:
    assert stage is not None
    assert told in heraldo(*arguments, code=2).output


def test_who_takes_a_journey_away_is_told_how_many_runs_that_ends(stage: Stage) -> None:
    template = journeys.resources("local", ROOT, {"reminders": "RemindersQueue"})
    there = [
        Resource(name, journeys.MACHINE, PLACE.state_machine_arn(f"heraldo-local-{journey}"))
        for name, journey in (
            ("AbandonedCartJourney", "abandoned-cart"),
            ("UnpaidOrderJourney", "unpaid-order"),
            ("GoneJourney", "of-which-nothing-is-there"),
        )
    ]
    begin(stage, "c-1")
    begin(stage, "c-2")
    said: list[str] = []
    journeys.tell_taken_out(there[:2], {"Resources": template}, stage.states, said.append)
    assert said == []
    del template["AbandonedCartJourney"]
    journeys.tell_taken_out(there, {"Resources": template}, stage.states, said.append)
    assert said == ["heraldo-local-abandoned-cart: taken out, which ends 2 runs of it"]


def test_a_run_that_never_began_is_over() -> None:
    assert Run("abandoned-cart", "c-1", stopped="2026-12-04T10:00:00.000Z").is_over
