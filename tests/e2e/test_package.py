"""What the zip that is deployed holds."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from cli.deploy import package
from cli.lint import findings
from tests.e2e.conftest import ROOT


def test_the_zip_has_the_code_and_every_template(built: package.Package) -> None:
    entries = package.read_zip(built.zip_file)
    templates = [f for f in Path(ROOT, "templates").rglob("*") if f.suffix in (".j2", ".json")]
    assert len(templates) >= 36
    for file in [ROOT / "app.py", ROOT / "chalicelib" / "routing.toml", *templates]:
        assert entries[file.relative_to(ROOT).as_posix()] == file.read_bytes()


def test_the_zip_has_nothing_that_lambda_has_and_nothing_of_the_workshop(
    built: package.Package,
) -> None:
    tops = {name.split("/")[0] for name in package.read_zip(built.zip_file)}
    foreign = {"boto3", "botocore", "tests", "cli", "benchmarks", "docs", ".chalice", "moto"}
    assert tops & foreign == set()


def test_the_zip_has_the_locales_of_the_templates_and_no_others(built: package.Package) -> None:
    folder = "babel/locale-data/"
    names = package.read_zip(built.zip_file)
    locales = {name.removeprefix(folder) for name in names if name.startswith(folder)}
    assert locales == {"root.dat", "en.dat", "es.dat"}


def test_the_api_has_one_stage_and_a_throttle(built: package.Package) -> None:
    assert built.template["Globals"] == {"Api": {"OpenApiVersion": "2.0"}}
    [settings] = built.template["Resources"]["RestAPI"]["Properties"]["MethodSettings"]
    assert settings["ThrottlingRateLimit"]


def test_the_zip_has_what_lint_found(built: package.Package) -> None:
    found = json.loads(package.read_zip(built.zip_file)[package.FINDINGS])
    assert found == [asdict(finding) for finding in findings.lint(ROOT)]


def test_the_zip_says_what_it_is_made_of(built: package.Package) -> None:
    found = json.loads(package.read_zip(built.zip_file)["sbom.cdx.json"])
    assert [one["name"].lower() for one in found["components"]] == [
        "babel",
        "jinja2",
        "markupsafe",
        "tzdata",
    ]


def test_a_zip_is_small(built: package.Package) -> None:
    assert built.zip_file.stat().st_size < 3_500_000


def test_the_template_makes_each_mapping_wait_for_its_queue(built: package.Package) -> None:
    for lane in ("Orders", "Promotions", "Reminders", "Alerts"):
        function = built.template["Resources"][lane]["Properties"]
        queue = function["Events"][f"{lane}SqsEventSource"]["Properties"]["Queue"]
        assert queue == {"Fn::Sub": f"${{{lane}Queue.Arn}}"}
