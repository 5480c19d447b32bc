"""Templates that were compiled as they were packaged."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from chalicelib.events.event import parse
from chalicelib.words.environment import HeraldoEnvironment
from chalicelib.words.render import Templates
from cli.deploy import bytecode
from cli.paths import ROOT
from tests.factories import sample


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Templates with their bytecode beside them, as Lambda unpacks them."""
    shutil.copytree(ROOT / "templates", tmp_path / "templates")
    for name, content in bytecode.templates().items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return tmp_path / "templates"


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """The names of templates that are compiled from now on."""
    names: list[str | None] = []
    compile = HeraldoEnvironment.compile

    def noted(
        self: HeraldoEnvironment, source: str, name: str | None = None, *more: object
    ) -> object:
        names.append(name)
        return compile(self, source, name, *more)  # type: ignore[call-overload]

    monkeypatch.setattr(HeraldoEnvironment, "compile", noted)
    return names


def shipped(root: Path) -> tuple[str, str]:
    words = Templates(root)
    message = words.render(parse(sample("order.shipped"), default_id="e-1"))
    return message.subject, words.mail(message).html


def test_a_packaged_template_says_the_same_and_is_not_compiled(
    tree: Path, compiled: list[str | None]
) -> None:
    said = shipped(tree)
    assert compiled == []
    assert said == shipped(ROOT / "templates")
    assert "order.shipped/es.j2" in compiled


def test_a_template_that_was_changed_since_is_compiled(
    tree: Path, compiled: list[str | None]
) -> None:
    file = tree / "order.shipped" / "es.j2"
    file.write_text(
        file.read_text("utf-8").replace("{% block subject %}", "{% block subject %}¡Ya! "), "utf-8"
    )
    assert shipped(tree)[0].startswith("¡Ya! ")
    assert compiled == ["order.shipped/es.j2"]


@pytest.mark.parametrize("content", [b"", b"j2", b"of another Python", b"\0" * 500])
def test_what_cannot_be_read_is_compiled(
    tree: Path, compiled: list[str | None], content: bytes
) -> None:
    (tree / "__pycache__" / "texts" / "order.shipped" / "es.j2").write_bytes(content)
    assert shipped(tree) == shipped(ROOT / "templates")
    assert compiled[0] == "order.shipped/es.j2"


def test_every_template_is_packaged_compiled() -> None:
    folders = ("templates", "chalicelib/door/pages", "chalicelib/console/pages")
    there = {file for folder in folders for file in (ROOT / folder).rglob("*.j2")}
    names = {Path(name) for name in bytecode.templates()}
    kept = {
        ROOT
        / name.parents[-(name.parts.index("__pycache__") + 1)]
        / Path(*name.parts[name.parts.index("__pycache__") + 2 :])
        for name in names
    }
    assert kept == there


def test_no_folder_of_this_machine_is_in_what_is_packaged() -> None:
    assert [n for n, content in bytecode.templates().items() if str(ROOT).encode() in content] == []
