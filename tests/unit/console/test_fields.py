"""chalicelib/console/fields.py: a form of every contract, and the data that comes back out of it."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.console import fields, send
from chalicelib.plan import catalog
from chalicelib.words.contract import Field
from chalicelib.words.render import templates
from tests.factories import sample


def used(contract: Field, data: Any) -> Any:
    """What of some data a contract names."""
    if contract.item is not None and isinstance(data, list):
        return [used(contract.item, item) for item in data]
    if contract.children and isinstance(data, dict):
        found = {n: used(child, data[n]) for n, child in contract.children.items() if n in data}
        return {name: value for name, value in found.items() if value not in (None, "", {})}
    return data


@pytest.mark.parametrize("event_type", templates().types)
def test_what_the_sample_says_comes_back_as_it_was(event_type: str) -> None:
    contract, data = catalog.contract_of(event_type), sample(event_type)["data"]
    form = dict(send._flat(data, "data"))
    assert fields.data_of(contract, form, data) == used(contract, data)
    group = fields.form_of(contract, data, {}, data)
    assert set(send._paths(group)) <= {*form, *paths(contract, "data")}


def paths(contract: Field, path: str) -> list[str]:
    if contract.children:
        return [p for n, child in contract.children.items() for p in paths(child, f"{path}.{n}")]
    return [path]


LINE = Field(
    "",
    children={
        "name": Field("name", required=True, sure=frozenset({"text"})),
        "count": Field("count", sure=frozenset({"number"})),
    },
)
CONTRACT = Field(
    "",
    children={
        "gift": Field("gift"),
        "lines": Field("lines", required=True, item=LINE),
        "total": Field("total", required=True, sure=frozenset({"amount"})),
        "tags": Field("tags", item=Field("")),
    },
)


@pytest.mark.parametrize(
    ("form", "data"),
    [
        ({}, {"lines": []}),
        ({"data.total": "19.90"}, {"lines": [], "total": "19.90"}),
        ({"data.lines[0].count": "2"}, {"lines": [{"count": 2}]}),
        (
            {"data.lines[3].count": "two", "data.lines[1].name": "a"},
            {"lines": [{"name": "a"}, {"count": "two"}]},
        ),
        ({"data.lines[0].name": "", "data.lines[0].count": " "}, {"lines": []}),
        ({"data.tags[0]": "a", "data.tags[1]": ""}, {"lines": [], "tags": ["a"]}),
        ({"data.unknown": "x", "other": "y"}, {"lines": []}),
        ({"data.gift": "a\r\nb"}, {"lines": [], "gift": "a\nb"}),
    ],
)
def test_what_is_typed_is_read(form: dict[str, str], data: dict[str, Any]) -> None:
    assert fields.data_of(CONTRACT, form, {}) == data


def test_a_number_is_one_where_the_sample_has_one_and_a_yes_is_a_yes() -> None:
    form = {"data.total": "19.9", "data.gift": "true"}
    like = {"total": 1.5, "gift": False}
    assert fields.data_of(CONTRACT, form, like) == {"lines": [], "total": 19.9, "gift": True}
    assert fields.data_of(CONTRACT, {"data.total": "1e999"}, like)["total"] == "1e999"


@pytest.mark.parametrize("typed", [True, "true", "false"])
def test_what_is_yes_or_no_stays_a_choice_however_often_it_is_shown(typed: Any) -> None:
    """As it comes back from a form it is a text, and would be typed from then on."""
    group = fields.form_of(CONTRACT, {"gift": typed}, {}, {"gift": False})
    gift = next(part for part in group.parts if part.label == "gift")
    assert isinstance(gift, fields.Input)
    assert (gift.kind, gift.value) == ("choice", str(typed).lower())


def test_a_line_is_added_and_taken_away() -> None:
    form = {"data.lines[0].name": "a", "data.lines[0].count": "1", "do": "x"}
    more = fields.changed({**form, "add": "data.lines"})
    assert more == {**form, "data.lines[1].name": "", "data.lines[1].count": ""}
    assert fields.changed({**more, "remove": "data.lines[0]"}) == {
        "do": "x",
        "data.lines[1].name": "",
        "data.lines[1].count": "",
    }
    assert fields.changed({"add": "data.tags"}) == {"data.tags[0]": ""}
    assert fields.shown(CONTRACT, fields.changed({"add": "data.lines"}))["lines"] == [
        {"name": "", "count": ""}
    ]


def test_what_is_wrong_is_said_where_it_is() -> None:
    data = {"lines": [{"name": "a" * 100}], "gift": True}
    group = fields.form_of(CONTRACT, data, {"data.lines[0].count": "is no number"}, {})
    single = [part.label for part in group.parts if isinstance(part, fields.Input)]
    assert single == ["gift", "total"]
    [lines] = [p for p in group.parts if isinstance(p, fields.Group) and p.label == "lines"]
    [line] = lines.parts
    assert isinstance(line, fields.Group)
    assert line.removes
    name, count = line.parts
    assert isinstance(name, fields.Input) and isinstance(count, fields.Input)
    assert (name.kind, name.required, count.kind, count.problem) == (
        "long",
        True,
        "number",
        "is no number",
    )
