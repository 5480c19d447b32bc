"""`./heraldo preview`: every channel and locale, watched, and as a difference."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cli.commands.preview import command
from cli.paths import ROOT
from cli.words.samples import Rendering
from cli.words.showing import side_by_side

SHIPPED = "order.shipped"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A git repository whose subfolder is a tree with two event types."""
    root = tmp_path / "shop"
    for folder in ("_layouts", "_mail", SHIPPED, "offer.published"):
        shutil.copytree(ROOT / "templates" / folder, root / "templates" / folder)
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    return root


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


def commit(folder: Path) -> None:
    git(folder, "add", ".")
    git(folder, "-c", "user.name=x", "-c", "user.email=x@y", "commit", "--quiet", "-m", "x")


def preview(tree: Path, *arguments: str) -> Result:
    return CliRunner().invoke(command, [*arguments, "--root", str(tree)])


def command_line(tree: Path, option: str) -> list[str]:
    """The same in a process of its own."""
    found = [sys.executable, "-m", "cli.main", "preview", SHIPPED, option]
    return [*found, "--root", str(tree)]


def edit(tree: Path, file: str, old: str, new: str) -> None:
    path = tree / "templates" / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


# -- what is shown ---------------------------------------------------------------------------------


def test_every_channel_and_locale_is_shown_with_its_limits(tree: Path) -> None:
    shown = preview(tree, SHIPPED).output
    assert "order.shipped in es\n" in shown
    assert "order.shipped in en\n" in shown
    assert re.search(r"subject \d\d/99\n", shown)
    assert "Hola, Lucía:" in shown
    assert re.search(r"sms GSM-7, \d+ characters, 1 part\n", shown)


def test_a_digest_is_shown_of_so_many_events_like_it(tree: Path) -> None:
    edit(
        tree,
        f"{SHIPPED}/es.j2",
        "{% block body %}",
        "{% block body %}{{ digest_count }} juntos {{ digest|length }} ",
    )
    assert "1 juntos 0\n" in preview(tree, SHIPPED, "--locale", "es").output
    shown = preview(tree, SHIPPED, "--locale", "es", "--digest", "12").output
    assert "12 juntos 12\n" in shown
    assert preview(tree, SHIPPED, "--digest", "1").exit_code == 2
    assert (
        "does not go with --diff"
        in preview(tree, SHIPPED, "--digest", "2", "--diff", "HEAD").output
    )


def test_the_characters_that_force_ucs_2_are_named(tree: Path) -> None:
    edit(tree, f"{SHIPPED}/es.j2", "{% block sms %}", "{% block sms %}¡Está aquí, señor! ")
    assert re.search(
        r"sms UCS-2, \d+ characters, 3 parts; UCS-2 because of á í\n", preview(tree, SHIPPED).output
    )


def test_a_channel_that_is_left_out_is_said_to_fall_back(tree: Path) -> None:
    edit(tree, f"{SHIPPED}/es.j2", "block sms", "block push")
    shown = preview(tree, SHIPPED, "--locale", "es").output
    assert re.search(r"sms \(no block: the body goes\) UCS-2, \d+ characters", shown)
    assert "\npush\n" in shown
    assert '"notification"' not in shown


@pytest.mark.parametrize(
    ("block", "told"),
    [("", r"html \(no block: made from the text\) "), ("{% block html %}<p>Hola</p>{% endblock %}", "html ")],
)  # fmt: skip
def test_the_html_of_an_e_mail_is_told_of(tree: Path, block: str, told: str) -> None:
    edit(tree, f"{SHIPPED}/es.j2", "{% block sms %}", f"{block}{{% block sms %}}")
    shown = preview(tree, SHIPPED, "--locale", "es").output
    assert re.search(rf"\n{told}\d+\.\d/102 KiB, shown by --open\n", shown)
    assert "<p>" not in shown
    asked = preview(tree, SHIPPED, "--locale", "es", "--channel", "html").output
    assert "<p>Hola, Lucía:</p>\n" in asked
    assert ("<p>Hola</p>\n" in asked) == bool(block)


def test_the_html_of_an_e_mail_can_be_had(tree: Path) -> None:
    edit(tree, f"{SHIPPED}/en.j2", "{% block body %}", "{% block body %}{{ gone }}")
    printed = preview(tree, SHIPPED, "--html")
    assert printed.exit_code == 1
    assert printed.stdout.startswith("<!doctype html>")
    assert printed.stdout.count("<!doctype html>") == 1
    assert "en.j2:5:" in printed.stderr


def test_without_a_layout_there_is_no_html_to_look_at(tree: Path) -> None:
    shutil.rmtree(tree / "templates" / "_mail")
    assert "html (no layout: e-mails are text alone)\n" in preview(tree, SHIPPED).output
    refused = preview(tree, SHIPPED, "--html")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "there is no" in refused.stderr
    assert "templates/_mail/layout.j2" in refused.stderr


def test_an_e_mail_is_shown_in_a_browser(tree: Path, tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" >> {tmp_path}/shown\n')
    browser.chmod(0o755)
    environment = {**os.environ, "BROWSER": str(browser)}
    ran = subprocess.run(
        command_line(tree, "--open"), cwd=ROOT, env=environment, check=True, capture_output=True
    )
    shown = [
        Path(line.removeprefix("file://")) for line in (tmp_path / "shown").read_text().split()
    ]
    assert [file.name for file in shown] == [f"{SHIPPED}.en.html", f"{SHIPPED}.es.html"]
    assert all(file.read_text("utf-8").startswith("<!doctype html>") for file in shown)
    assert all(str(file) in ran.stdout.decode() for file in shown)


def test_data_and_locale_can_be_given(tree: Path) -> None:
    data = json.loads((tree / "templates" / SHIPPED / "sample.json").read_text())["data"]
    given = json.dumps({**data, "name": "Ana"})
    shown = preview(tree, SHIPPED, "--data", given, "--locale", "es-AR", "--channel", "body").output
    assert shown.startswith("order.shipped in es (for es-AR)\nbody\nHola, Ana:")
    assert "subject" not in shown


def test_columns_stand_side_by_side_as_far_as_the_terminal_is_wide() -> None:
    renderings = [
        Rendering("a", tag, tag, {"subject": "Tu cesta 🧺 " * 6, "body": "uno dos " * 30})
        for tag in ("es", "en", "ca")
    ]
    for width, columns in ((300, 3), (120, 3), (90, 2), (79, 2), (78, 1), (0, 1)):
        lines = [
            re.sub(r"\x1b\[\d+m", "", x) for x in side_by_side(renderings, (), width).split("\n")
        ]
        assert max(line.count("│") for line in lines) == columns - 1
        if width:
            assert max(len(line) + line.count("🧺") for line in lines) <= width
        assert (
            len({line.index("│") + line.split("│")[0].count("🧺") for line in lines if "│" in line})
            <= 1
        )


def test_a_terminal_gets_columns_and_colours(tree: Path) -> None:
    leader, follower = pty.openpty()
    environment = {**os.environ, "COLUMNS": "160", "TERM": "xterm"}
    arguments = [sys.executable, "-m", "cli.main", "preview", SHIPPED, "--root", str(tree)]
    with subprocess.Popen(arguments, stdout=follower, cwd=ROOT, env=environment) as process:
        os.close(follower)
        shown = b""
        while chunk := _read(leader):
            shown += chunk
        assert process.wait() == 0
    assert "│" in shown.decode()
    assert "\x1b[36m" in shown.decode()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # what Linux says at the end of a terminal
        return b""


def test_json_has_all_that_people_see(tree: Path) -> None:
    [es] = json.loads(preview(tree, SHIPPED, "--locale", "es", "--json").stdout)
    assert es["channels"].keys() == {"subject", "body", "sms"}
    assert es["subject_characters"] == len(es["channels"]["subject"])
    assert es["html"].startswith("<!doctype html>")
    assert es["sms"]["encoding"] == "GSM-7"
    assert es["sms"]["forcing"] == []


# -- what is wrong ---------------------------------------------------------------------------------

BROKEN = {
    "a missing field": ("{{ order.id }}", "{{ order.idd }}", "order.idd is missing", "order.id?"),
    "an unknown filter": ("|link", "|lnk", "No filter named 'lnk'", "'link'"),
    "a tag that is not closed": ("{% endblock %}", "", "never closed", "endblock"),
    "a layout that is not there": (
        "personal.es", "personl.es", "there is no template _layouts/personl.es.j2", "personal.es",
    ),
    "a value of the wrong kind": ("{{ order.id }}", "{{ order|money }}", "money expects a number", ""),
    "a subject that is too long": (
        "{% block subject %}", "{% block subject %}" + "x" * 90, "SNS takes 99", "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_what_does_not_render_is_shown_with_its_line_and_a_remedy(tree: Path, case: str) -> None:
    old, new, problem, remedy = BROKEN[case]
    edit(tree, f"{SHIPPED}/es.j2", old, new)
    done = preview(tree, SHIPPED)
    assert done.exit_code == 1
    place = re.match(r"templates/order\.shipped/es\.j2:(\d+)", done.stderr)
    assert place, done.stderr
    lines = (tree / "templates" / SHIPPED / "es.j2").read_text().splitlines()
    assert f"{place[1]} | {lines[int(place[1]) - 1][:100]}" in done.stderr
    assert problem in done.stderr
    assert remedy in done.stderr
    assert "order.shipped in en" in done.stdout, "the locale that is well is still shown"


def test_the_caret_stands_below_the_word(tree: Path) -> None:
    edit(tree, "_layouts/personal.es.j2", "{{ name }}", "{{ nme }}")
    _, line, caret, remedy = preview(tree, SHIPPED, "--locale", "es").stderr.splitlines()
    assert line[caret.index("^") :].startswith("nme")
    assert remedy.strip() == "→ did you mean name?"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["order.shiped"], "did you mean order.shipped"),
        ([], "Name an event type: offer.published, order.shipped"),
        ([SHIPPED, "--data", "{"], "--data is not JSON"),
        ([SHIPPED, "--data", "[]"], "must be a JSON object"),
        ([SHIPPED, "--diff", "nowhere"], "git knows no revision 'nowhere'"),
        ([SHIPPED, "--watch", "--json"], "--watch goes with neither"),
        ([SHIPPED, "--open", "--html"], "--open and --html go with none"),
        ([SHIPPED, "--html", "--json"], "--open and --html go with none"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(tree: Path, arguments: list[str], problem: str) -> None:
    done = preview(tree, *arguments)
    assert done.exit_code != 0
    assert problem in done.stderr


def test_a_broken_sample_is_named(tree: Path) -> None:
    (tree / "templates" / SHIPPED / "sample.json").write_text('{"type": "order.shipped",\n oops}')
    assert "templates/order.shipped/sample.json:2:2: is not JSON" in preview(tree, SHIPPED).stderr


# -- --diff ----------------------------------------------------------------------------------------


def test_without_a_change_there_is_no_difference(tree: Path) -> None:
    done = preview(tree, "--diff", "--exit-code")
    assert (done.exit_code, done.output) == (0, "No sample says anything else than at HEAD.\n")


def test_a_comment_in_a_template_changes_no_word(tree: Path) -> None:
    edit(tree, f"{SHIPPED}/es.j2", "{% block body %}", "{# for customers #}{% block body %}")
    assert "No sample" in preview(tree, "--diff").output


def test_a_change_is_shown_in_the_rendered_words(tree: Path) -> None:
    edit(tree, f"{SHIPPED}/es.j2", "{% block subject %}", "{% block subject %}¡Bien! ")
    done = preview(tree, "--diff", "HEAD")
    assert done.exit_code == 0
    assert "━━ order.shipped in es\nsubject " in done.output
    assert re.search(r"^subject \d\d → \d\d/99\n- (.*)\n\+ ¡Bien! \1\n", done.output, re.M)
    assert "in en" not in done.output
    assert done.output.endswith("1 message of 1 event type changed since HEAD.\n")
    assert preview(tree, "--diff", "--exit-code").exit_code == 1


def test_a_change_of_a_layout_shows_in_all_types(tree: Path) -> None:
    edit(tree, "_layouts/shop.j2", '"Abedul"', '"Roble"')
    shown = preview(tree, "--diff").output
    for head in (
        "offer.published in en",
        "offer.published in es",
        "order.shipped in en",
        "order.shipped in es",
    ):
        assert f"━━ {head}\n" in shown
    assert "- Abedul" in shown
    assert "+ Roble" in shown


def test_added_and_removed_types_and_locales_are_shown(tree: Path) -> None:
    shutil.copytree(tree / "templates" / SHIPPED, tree / "templates" / "order.lost")
    shutil.rmtree(tree / "templates" / "offer.published")
    (tree / "templates" / SHIPPED / "en.j2").unlink()
    found = json.loads(preview(tree, "--diff", "--json").stdout)
    assert [(c["type"], c["locale"], c["status"]) for c in found] == [
        ("offer.published", "en", "removed"),
        ("offer.published", "es", "removed"),
        ("order.lost", "en", "added"),
        ("order.lost", "es", "added"),
        (SHIPPED, "en", "removed"),
    ]
    assert "━━ order.lost in es (added)\n" in preview(tree, "--diff").output


def test_a_change_that_does_not_render_fails_with_its_place(tree: Path) -> None:
    edit(tree, f"{SHIPPED}/es.j2", "|link", "|lnk")
    done = preview(tree, SHIPPED, "--diff")
    assert done.exit_code == 1
    assert "━━ order.shipped in es: does not render any more" in done.stdout
    assert "templates/order.shipped/es.j2:" in done.stderr


def test_an_older_revision_and_one_type_can_be_asked_for(tree: Path) -> None:
    edit(tree, f"{SHIPPED}/es.j2", "{% block subject %}", "{% block subject %}¡Bien! ")
    edit(tree, "offer.published/es.j2", "{% block subject %}", "{% block subject %}¡Ojo! ")
    commit(tree)
    assert "No sample" in preview(tree, "--diff").output
    shown = preview(tree, "--diff", SHIPPED, "--diff", "HEAD~1").output
    assert "No sample" not in shown
    shown = preview(tree, SHIPPED, "--diff", "HEAD~1").output
    assert "¡Bien!" in shown
    assert "¡Ojo!" not in shown


def test_a_sample_that_changed_is_said_so_and_the_sms_is_counted_anew(tree: Path) -> None:
    edit(tree, f"{SHIPPED}/sample.json", '"name": "Lucía"', '"name": "Ana"')
    edit(tree, f"{SHIPPED}/es.j2", "{% block sms %}", "{% block sms %}Más: ")
    shown = preview(tree, SHIPPED, "--diff").output
    assert "━━ order.shipped in es (sample.json changed, too)\n" in shown
    assert re.search(r"^sms GSM-7, .* → UCS-2, .*because of á$", shown, re.M)


def test_without_a_repository_the_diff_says_so(tree: Path) -> None:
    shutil.rmtree(tree.parent / ".git")
    done = preview(tree, "--diff")
    assert done.exit_code == 1
    assert "not a git repository" in done.stderr


# -- --watch ---------------------------------------------------------------------------------------


class Watched:
    def __init__(self, process: Any) -> None:
        self.process = process

    def until(self, words: str, seconds: float) -> str:
        """What was printed up to `words`, which must come within `seconds`."""
        descriptor, shown, end = self.process.stdout.fileno(), "", time.monotonic() + seconds
        while words not in shown:
            left = end - time.monotonic()
            ready, _, _ = select.select([descriptor], [], [], max(0.0, left))
            assert ready, f"{words!r} did not come within {seconds} s: {shown}"
            chunk = os.read(descriptor, 65536)
            assert chunk, f"it ended before it said {words!r}: {shown}"
            shown += chunk.decode()
        return shown


@pytest.fixture
def watched(tree: Path) -> Iterator[Watched]:
    with subprocess.Popen(
        command_line(tree, "--watch"), stdout=subprocess.PIPE, cwd=ROOT, preexec_fn=_heed_ctrl_c
    ) as process:
        try:
            yield Watched(process)
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
        finally:
            process.kill()  # or, where it does not end, this would wait for ever


def _heed_ctrl_c() -> None:
    """In the background of a script SIGINT is ignored, and a child inherits that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_a_saved_template_is_shown_again_at_once(tree: Path, watched: Watched) -> None:
    watched.until("Ctrl-C ends", 30)
    for word in ("Uno", "Dos", "Tres"):
        edit(tree, f"{SHIPPED}/es.j2", "{% block subject %}", f"{{% block subject %}}{word} ")
        shown = watched.until("Ctrl-C ends", 30)
        assert f"\n{word} " in shown
    edit(tree, f"{SHIPPED}/es.j2", "|link", "|lnk")
    shown = watched.until("did you mean 'link'?", 30)
    assert "Tres Dos Uno" in shown, "the last good rendering stays"
