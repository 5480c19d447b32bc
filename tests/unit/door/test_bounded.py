"""Answers fit into what Lambda gives, whatever is asked, and say what is left out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chalicelib.door import api, bounded, schemas
from chalicelib.door.http import MOST_ERRORS, Answer, Problem
from chalicelib.errors import FieldError
from chalicelib.plan import catalog
from tests.factories import sample
from tests.unit.door.fake_aws import FakeAws, connected

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
LAMBDA_BYTES = 6 * 1024 * 1024
WIDEST = "\U0001f9fa"  # a character that takes 12 bytes in JSON, and 14 in JSON's JSON


@pytest.fixture(scope="module")
def connect() -> Iterator[Callable[[FakeAws], None]]:
    with connected() as connect:
        yield connect


@pytest.fixture
def fake(connect: Callable[[FakeAws], None]) -> FakeAws:
    found = FakeAws()
    connect(found)
    return found


def fits(answer: Answer) -> bool:
    """Whether Lambda takes it: our JSON is a text in its own."""
    return len(json.dumps({"body": json.dumps(answer.body)})) < LAMBDA_BYTES


def bad(items: int, **more: Any) -> dict[str, Any]:
    """An order.placed in which every item is wrong."""
    data = sample("order.placed")["data"]
    order = {**data["order"], "items": [{}] * items}
    return {"type": "order.placed", "recipient": "cus", "data": {**data, "order": order}, **more}


def test_of_many_problems_the_first_are_named_and_the_others_counted() -> None:
    problem = Problem(422, "missing-data", "Mend.", [FieldError(f"f{n}", "p") for n in range(5000)])
    found = problem.body()
    assert [e["field"] for e in found["errors"]] == [f"f{n}" for n in range(MOST_ERRORS)]
    assert "and 4,980 more" in found["detail"]
    few = Problem(422, "missing-data", "Mend.", [FieldError("f", "p")] * MOST_ERRORS).body()
    assert few["detail"] == "Mend."


def test_a_long_field_or_problem_is_cut() -> None:
    [error] = Problem(422, "x", "d" * 9000, [FieldError("a." * 5000, "p" * 9000)]).body()["errors"]
    assert error["field"].startswith("a.a.")
    assert error["field"].endswith("…")
    assert len(error["field"]) <= 300
    assert len(error["problem"]) <= 600


def test_five_bad_events_of_a_batch_cost_no_megabytes(fake: FakeAws) -> None:
    events = [*(bad(2_000) for _ in range(5)), {**sample("order.placed"), "id": "good"}]
    answer = api.post_batch(fake.request(events))
    assert len(json.dumps(answer.body)) < 100_000
    assert [r["status"] for r in answer.body] == ["rejected"] * 5 + ["accepted"]
    assert "more are wrong" in answer.body[0]["problem"]["detail"]


def test_a_batch_of_nothing_but_mistakes_fits_and_every_event_has_its_result(
    fake: FakeAws,
) -> None:
    events = [bad(40, id=WIDEST * 256) for n in range(500)]
    answer = api.post_batch(fake.request(events))
    assert len(answer.body) == 500
    assert fits(answer)
    first, last = answer.body[0]["problem"], answer.body[-1]["problem"]
    assert len(first["errors"]) == MOST_ERRORS
    assert "errors" not in last
    assert f"{MOST_ERRORS} more fields" in last["detail"]


def test_a_plan_that_is_too_long_says_what_it_leaves_out() -> None:
    message = {"destination": "topic:x", "bodies": {"default": WIDEST * 1_000}, "subject": "s"}
    rules = [{"name": f"r{n}", "matched": n == 9_999, "why": "w" * 200} for n in range(10_000)]
    found = bounded.plan({"rules": rules, "messages": [message] * 30_000, "warnings": ["x"]})
    assert fits(Answer(200, found))
    assert found["rules"][-1]["name"] == "r9999"
    assert found["messages"][0]["bodies"]
    assert not found["messages"][-1]["bodies"]
    assert [w.split(":")[0] for w in found["warnings"][1:]] == [
        f"and {10_000 - len(found['rules'])} more rules",
        f"and {sum(not m['bodies'] for m in found['messages'])} more texts",
        f"and {30_000 - len(found['messages'])} more messages",
    ]


def test_a_plan_that_fits_is_whole() -> None:
    found = {"rules": [{"matched": False}], "messages": [{"bodies": {"a": "b"}}], "warnings": []}
    assert bounded.plan(found) == found


class Types:
    """Stands where the templates do: so many types."""

    def __init__(self, count: int) -> None:
        self.types = tuple(f"order.number{n}" for n in range(count))


@pytest.fixture(params=[3, 3_000])
def types(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Types:
    found = Types(request.param)
    whole = catalog.event_type("order.placed")
    for module in (api, schemas):
        monkeypatch.setattr(module, "templates", lambda: found)
    monkeypatch.setattr(catalog, "event_type", lambda name: {**whole, "type": name})
    return found


def test_however_many_types_there_are_they_are_listed(fake: FakeAws, types: Types) -> None:
    answer = api.get_event_types(fake.request())
    listed = answer.body["event_types"]
    assert [entry["type"] for entry in listed] == list(types.types)
    assert fits(answer)
    last = types.types[-1]
    [entry] = api.get_event_types(fake.request(query={"type": [last]})).body["event_types"]
    assert entry["type"] == last
    assert entry["sample"]
    assert (listed[-1] == entry) == (len(types.types) == 3)


def test_however_many_types_there_are_the_document_fits(fake: FakeAws, types: Types) -> None:
    answer = api.get_openapi(fake.request())
    assert fits(answer)
    schemas = answer.body["components"]["schemas"]
    mapping = schemas["Event"]["discriminator"]["mapping"]
    assert mapping.keys() == set(types.types)
    assert {ref.rsplit("/", 1)[1] for ref in mapping.values()} <= schemas.keys()
