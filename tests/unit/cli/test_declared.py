"""What follows from a line of routing.toml: a handler, resources, files; and what cannot follow."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli.deploy import generated, resources
from cli.lint.findings import lint
from cli.paths import ROOT, ROUTING
from cli.stages import stages


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What lanes and topics have to do with, in a tree of its own."""
    for folder in ("chalicelib", "infra", ".chalice"):
        ignored = shutil.ignore_patterns("__pycache__", "deployed", "deployments")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    for name in ("app.py", "stages.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "vendor").mkdir()
    (tmp_path / "vendor" / "templates").symlink_to(ROOT / "templates")
    return tmp_path


def declare(tree: Path, *lanes: str, topics: tuple[str, ...] = ()) -> None:
    """Put lines under [lanes] and [topics]; the first lane is on line `LINE`."""
    file = tree / ROUTING
    text = file.read_text("utf-8")
    text = text.replace("[topics]\n", "\n".join(["[topics]", *topics, ""]))
    file.write_text(text.replace("[lanes]\n", "\n".join(["[lanes]", *lanes, ""])), "utf-8")


CODES = ("lane-name", "resource-name", "no-file", "stale", "stages", "routing")
STAGES = tuple(stages())
LINE = 1 + (ROOT / ROUTING).read_text("utf-8").splitlines().index("[lanes]") + 1


def said(tree: Path) -> list[tuple[str, int, str, str]]:
    """What lint finds, but for the templates that this tree does not have."""
    found = [(f.file, f.line, f.code, f.message) for f in lint(tree)]
    return [told for told in found if told[2] in CODES]


def handlers(tree: Path) -> subprocess.CompletedProcess[str]:
    """The event sources of a tree's app, asked of a Python that has loaded none of it."""
    script = "import app, json; print(json.dumps({s.handler_string: s.queue for s in app.app.event_sources if hasattr(s, 'queue')}))"
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=tree,
        env={"HERALDO_STAGE": "dev", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_shipped_declaration_is_clean(tree: Path) -> None:
    assert said(tree) == []


def test_a_lane_is_one_line_and_everything_follows(tree: Path) -> None:
    declare(tree, 'returns = ["return.*"]', topics=("vip-users = {}",))

    found = json.loads(handlers(tree).stdout)
    assert found["app.returns"] == "heraldo-dev-returns.fifo"
    assert found["app.orders"] == "heraldo-dev-orders.fifo"
    template = resources.overlay("dev", tree)["Resources"]
    ids = ("ReturnsQueue", "ReturnsDeadQueue", "ReturnsLogGroup", "ReturnsDeadAlarm")
    assert {*ids, "ReturnsAgeAlarm", "Returns", "VipUsersTopic"} <= template.keys()
    assert template["Returns"]["Properties"]["FunctionName"] == "heraldo-dev-returns"
    assert template["VipUsersTopic"]["Properties"]["TopicName"] == "heraldo-dev-vip-users"

    new = {f".chalice/policies/{stage}/returns.json" for stage in STAGES}
    stale = {path.relative_to(tree).as_posix() for path in generated.stale(tree)}
    changed = {"api_handler", "bus", "sweep", "console"}
    others = {f".chalice/policies/{s}/{name}.json" for s in STAGES for name in changed}
    assert stale == {".chalice/config.json", *new, *others}
    assert {code for _, _, code, _ in said(tree)} == {"stale"}
    generated.renew(tree)
    assert said(tree) == []


def test_of_a_lane_that_is_taken_out_nothing_is_left_in_the_tree(tree: Path) -> None:
    file = tree / ROUTING
    before = {path: path.read_text("utf-8") for path in (tree / ".chalice").rglob("*.json")}
    text = file.read_text("utf-8")
    declare(tree, 'returns = ["return.*"]')
    generated.renew(tree)
    file.write_text(text, "utf-8")
    gone = tree / ".chalice" / "policies" / "dev" / "returns.json"
    message = f"is not what follows from {ROUTING} and stages.toml"
    assert (gone.relative_to(tree).as_posix(), 0, "stale", message) in said(tree)
    generated.renew(tree)
    assert {p: p.read_text("utf-8") for p in (tree / ".chalice").rglob("*.json")} == before


def test_settings_that_somebody_made_by_hand_are_kept(tree: Path) -> None:
    file = tree / ".chalice" / "config.json"
    config = json.loads(file.read_text("utf-8"))
    config["lambda_memory_size"] = 1024
    file.write_text(json.dumps(config), "utf-8")
    assert generated.stale(tree) == []
    declare(tree, 'returns = ["return.*"]')
    assert file in generated.renew(tree)
    assert json.loads(file.read_text("utf-8"))["lambda_memory_size"] == 1024


@pytest.mark.parametrize("name", ["drain", "answer", "app", "api", "lane", "log", "path", "bus"])
def test_a_lane_may_not_have_a_name_of_app_py(tree: Path, name: str) -> None:
    declare(tree, f'{name} = ["return.*"]')
    told = f"lane {name} has a name that app.py uses for itself"
    assert (ROUTING, LINE, "lane-name", told) in said(tree)
    assert f"routing.toml: line {LINE}: {told}: call it otherwise" in handlers(tree).stderr


def test_two_topics_may_not_be_one_resource(tree: Path) -> None:
    declare(tree, topics=('q-4 = { locales = ["es"] }', 'q4 = { locales = ["es"] }'))
    told = "topic q4: its Q4Topic is there already, here or in infra/: call it otherwise"
    [(file, _, code, message)] = said(tree)
    assert (file, code, message) == (ROUTING, "resource-name", told)


@pytest.mark.parametrize(
    "file", [ROUTING, "stages.toml", "infra/resources.yaml", ".chalice/config.json"]
)
def test_a_file_that_is_gone_is_missed(tree: Path, file: str) -> None:
    (tree / file).unlink()
    [(named, _, _, message)] = said(tree)
    assert named == file
    assert Path(file).name in message


def test_templates_alone_have_nothing_that_could_be_stale(tmp_path: Path) -> None:
    (tmp_path / "chalicelib").mkdir()
    shutil.copy(ROOT / ROUTING, tmp_path / ROUTING)
    assert said(tmp_path) == []
