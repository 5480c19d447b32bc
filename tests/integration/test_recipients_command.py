"""`./heraldo recipients` on moto: set, show, import, export, erase."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from chalicelib import aws
from chalicelib.patience import Patience
from chalicelib.store import register
from cli import target as targets
from cli.main import main
from cli.people import importing

pytestmark = pytest.mark.usefixtures("stage")
ANA = {"id": "c-1", "locale": "es", "email": "ana@example.com", "phone": "+34600111222"}


@pytest.fixture(autouse=True)
def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """moto copies its tables for a transaction, and stumbles over another that writes meanwhile."""
    monkeypatch.setattr(importing, "_WORKERS", 1)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["recipients", *arguments])


def shown(person_id: str) -> Any:
    result = run("show", person_id, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def test_what_is_set_is_shown_and_what_is_not_named_stays() -> None:
    first = run(
        "set", "c-1", "--email", "ana@example.com", "--phone", "600 111 222", "--country", "ES"
    )
    assert first.exit_code == 0, first.output
    assert run("set", "c-1", "--locale", "es").exit_code == 0
    assert shown("c-1") == ANA
    run("set", "c-1", "--phone", "", "--not", "promotions.sms", "--consent", "promotions=checkout")
    found = shown("c-1")
    assert found["preferences"] == {"promotions": {"sms": False}}
    assert found["consent"]["promotions"]["how"] == "checkout"
    assert "phone" not in found
    assert "preferences promotions: sms no" in run("show", "c-1").output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--email", "ana"], "email: is no e-mail address"),
        (["--phone", "600111222"], "phone: is no number in international form"),
        (["--phone", "600", "--country", "ES"], "phone: is no number"),
        (["--phone", "600111222", "--country", "XX"], "'XX' is no country"),
        (["--time-zone", "Europe/Madird"], "did you mean Europe/Madrid?"),
        (["--not", "promotions"], "write CATEGORY.CHANNEL"),
        (["--not", "alerts.email"], "alerts is critical"),
        (["--wants", "promos.sms"], "is no category; did you mean promotions?"),
        (["--consent", "promotions"], "write CATEGORY=HOW"),
    ],
)
def test_what_cannot_be_kept_is_told_with_its_remedy(arguments: list[str], said: str) -> None:
    result = run("set", "c-1", *arguments)
    assert result.exit_code != 0
    assert said in result.output
    assert "Nothing is kept of this recipient." in run("show", "c-1").output


def customers(file: Path, faults: dict[int, dict[str, str]], number: int = 250) -> Path:
    """A CSV of customers as a spreadsheet writes it, with faults in these lines."""
    columns = ["id", "email", "phone", "locale", "preferences.promotions.email"]
    with file.open("w", encoding="utf-8-sig", newline="") as out:
        writer = csv.DictWriter(out, columns, delimiter=";")
        writer.writeheader()
        for n in range(number):
            row = {
                "id": f"c-{n}",
                "email": f"customer{n}@example.com",
                "phone": f"6{n:08d}",
                "locale": ("es", "en", "es-AR")[n % 3],
                "preferences.promotions.email": "no" if n % 2 else "",
            }
            writer.writerow(row | faults.get(n + 2, {}))
    return file


FAULTS = {
    3: {"email": "customer"},
    7: {"phone": "12"},
    11: {"locale": "español"},
    19: {"id": "c-3"},
    23: {"preferences.promotions.email": "perhaps"},
    29: {"id": ""},
}


def test_where_a_line_is_wrong_nothing_is_kept(tmp_path: Path) -> None:
    file = customers(tmp_path / "customers.csv", FAULTS)
    result = run("import", str(file), "--country", "ES")
    assert result.exit_code == 1
    for said in (
        "customers.csv:3: email is no e-mail address",
        "customers.csv:7: phone is no number",
        "customers.csv:11: locale must be a language tag",
        "customers.csv:19: id is that of line 5 already",
        "customers.csv:23: preferences.promotions.email must be true or false",
        "customers.csv:29: id must be a text",
        "Nothing was kept: 6 lines of 250 are wrong",
    ):
        assert said in result.output
    assert run("show", "c-0").exit_code == 1


def test_the_good_lines_are_kept_on_request_and_twice_is_once(tmp_path: Path) -> None:
    file = customers(tmp_path / "customers.csv", FAULTS)
    options = ("--country", "ES", "--skip-faulty", "--json")
    result = run("import", str(file), *options)
    assert result.exit_code == 0, (result.output, result.exception)
    first = json.loads(result.output)
    assert {name: first[name] for name in ("good", "kept", "changed", "faulty")} == {
        "good": 244,
        "kept": 244,
        "changed": 244,
        "faulty": 6,
    }
    assert shown("c-249") == {
        "id": "c-249",
        "locale": "es",
        "email": "customer249@example.com",
        "phone": "+34600000249",
        "preferences": {"promotions": {"email": False}},
    }
    assert json.loads(run("import", str(file), *options).output)["changed"] == 0


def test_an_import_leaves_what_people_chose_themselves(tmp_path: Path) -> None:
    run("set", "c-0", "--not", "promotions.sms")
    run("import", str(customers(tmp_path / "c.csv", {}, 3)), "--country", "ES")
    assert shown("c-0")["preferences"] == {"promotions": {"sms": False}}


def test_a_change_in_between_is_not_lost_to_an_import(tmp_path: Path) -> None:
    """Between what an import reads and what it writes, somebody opts out."""
    run("set", "c-1", "--email", "old@example.com")
    once: list[int] = []

    def opt_out(**_: Any) -> None:
        if not once:
            once.append(1)
            run("set", "c-1", "--not", "promotions.email")

    events = targets._session(targets.target(None)).events
    events.register("before-call.dynamodb.TransactWriteItems", opt_out)
    try:
        file = tmp_path / "c.jsonl"
        file.write_text('{"id": "c-1", "email": "new@example.com"}\n{"id": "c-2"}\n', "utf-8")
        assert run("import", str(file)).exit_code == 0
    finally:
        events.unregister("before-call.dynamodb.TransactWriteItems", opt_out)
    assert shown("c-1") == {
        "id": "c-1",
        "email": "new@example.com",
        "preferences": {"promotions": {"email": False}},
    }
    assert shown("c-2") == {"id": "c-2"}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("c.csv", b"id,mail\n1,a@example.com\n", "line 1: no column 'mail'; did you mean email"),
        ("c.csv", b"email\na@example.com\n", "line 1: there is no column id"),
        ("c.csv", b"id,email,email\n", "there are two columns email"),
        ("c.csv", b"id,preferences.promotions\n", "preferences.<category>.<channel>"),
        ("c.csv", b"id,locale\n1,es,x\n", "c.csv:2: line has 3 cells"),
        ("c.csv", "id,locale\nñ,es\n".encode("latin-1"), "is not UTF-8"),
        ("c.jsonl", b'{"id": "1"\n', "c.jsonl:1: line is not JSON"),
        ("c.jsonl", b"[]\n", "c.jsonl:1: line must be a JSON object"),
        ("c.txt", b"", "name it .csv or .jsonl"),
    ],
)
def test_a_file_that_is_none_of_people_is_refused(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    result = run("import", str(file))
    assert result.exit_code != 0
    assert said in result.output


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_what_is_exported_is_imported_as_it_was(tmp_path: Path, form: str) -> None:
    run("import", str(customers(tmp_path / "c.csv", {}, 30)), "--country", "ES")
    run("set", "c-1", "--consent", "promotions=checkout, online", "--time-zone", "Europe/Madrid")
    before = {f"c-{n}": shown(f"c-{n}") for n in range(30)}
    file = tmp_path / f"out.{form}"
    assert run("export", "--to", str(file)).exit_code == 0
    for person_id in before:
        assert run("erase", person_id, "--yes").exit_code == 0
    assert run("import", str(file)).exit_code == 0
    assert {person_id: shown(person_id) for person_id in before} == before


def test_one_person_gets_all_that_is_kept_of_them() -> None:
    run("set", "c-1", "--email", "ana@example.com")
    run("set", "c-2", "--email", "eva@example.com")
    assert json.loads(run("export", "c-1").output) == {"id": "c-1", "email": "ana@example.com"}
    assert run("export", "c-3").exit_code == 1


def test_who_is_erased_is_not_found_but_that_it_was_done_is() -> None:
    run("set", "c-1", "--email", "ana@example.com")
    assert "Erased c-1." in run("erase", "c-1", "--yes").output
    assert "was erased on 20" in run("show", "c-1").output
    assert run("erase", "c-1", "--yes").exit_code == 1
    assert register.find(aws.stage(), "c-1", Patience(5)).person is None
