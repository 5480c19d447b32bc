"""cli/stages.py: which stages there are, what stages.toml may say, and who refuses what is not there."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.deploy import deploy, package
from cli.main import main
from cli.paths import ROOT
from cli.stages import Settings, StagesError, load, stages

GOOD = """\
[local]

[dev]
region = "eu-west-1"

[prod]
region = "eu-west-1"
auth = "iam"
api_url = "https://events.shop.example/v1"
"""

# name: (the file, the line, the stage, what is said)
MISTAKES: dict[str, tuple[str, int, str, str]] = {
    "no TOML": ("[local\n", 1, "", "is not valid TOML"),
    "no stage for this machine": ("[dev]\n", 0, "", "there is no [local], which `make run` brings up"),
    "a stage that is no table": ("dev = 1\n" + GOOD.replace("[dev]\n", "[live]\n"), 1, "dev", "a stage is a table: write [dev]"),
    "a name in capitals": (GOOD + "[Live]\n", 10, "Live", "use lower-case letters and digits"),
    "a name with a hyphen": (GOOD + "[pre-prod]\n", 10, "pre-prod", "use lower-case letters and digits"),
    "a name that is too long": (GOOD + f"[{17 * 's'}]\n", 10, 17 * "s", "16 at the most"),
    "an unknown key": (GOOD.replace("auth", "aut"), 8, "prod", "unknown key 'aut'; did you mean auth"),
    "a region that is none": (GOOD.replace("[dev]\nregion = \"eu-west-1\"", "[dev]\nregion = 'Ireland'"), 4, "dev", "region must be one of AWS"),
    "a region of this machine": ("[local]\nregion = 'eu-west-1'\n", 2, "local", "has no region: it is on this machine"),
    "callers who prove nothing": (GOOD.replace('"iam"', '"none"'), 8, "prod", "auth must be one of keys, iam"),
    "auth that is no text": (GOOD.replace('"iam"', "[]"), 8, "prod", "auth must be one of keys, iam"),
    "unnamed events by a text": (GOOD + 'unnamed_events = "yes"\n', 10, "prod", "unnamed_events must be true or false"),
    "outcomes by a text": (GOOD + 'outcomes = "on"\n', 10, "prod", "outcomes must be true or false"),
    "snapshots by a text": (GOOD + 'snap_start = "on"\n', 10, "prod", "snap_start must be true or false"),
    "unnamed events for two stages": (GOOD.replace("[prod]", "unnamed_events = true\n[prod]") + "unnamed_events = true\n", 11, "prod", "dev has the events that name no stage already"),
    "alarms that are no list": (GOOD + 'alarm_prefixes = "shop-"\n', 10, "prod", "alarm_prefixes must be a list"),
    "alarms that begin with nothing": (GOOD + 'alarm_prefixes = [""]\n', 10, "prod", "alarm_prefixes must be a list"),
    "alarms of another stage": (GOOD + 'alarm_prefixes = ["heraldo-"]\n', 10, "prod", "'heraldo-' may be dev's ('heraldo-dev-')"),
    "alarms that two stages name": (GOOD.replace("[prod]", 'alarm_prefixes = ["shop-live"]\n[prod]') + 'alarm_prefixes = ["shop-"]\n', 11, "prod", "'shop-' may be dev's ('shop-live')"),
    "a sender without an address": (GOOD + 'sender = "Abedul"\n', 10, "prod", "sender is no e-mail address: write it as"),
    "a sender with a header in it": (GOOD + 'sender = "Abedul\\r\\nBcc: x@y.example <a@b.example>"\n', 10, "prod", "sender must be an address"),
    "a sender whose domain is none": (GOOD + 'sender = "hola@abedul"\n', 10, "prod", "sender is no e-mail address"),
    "two addresses to answer to": (GOOD + 'reply_to = "a@b.example, c@d.example"\n', 10, "prod", "reply_to must be an address"),
    "a sender of text messages that is too long": (GOOD + 'sms_sender = "AbedulTienda"\n', 10, "prod", "sms_sender must be 1 to 11 letters"),
    "a sender of text messages without a letter": (GOOD + 'sms_sender = "600111"\n', 10, "prod", "a letter among them"),
    "channels that are no table": (GOOD + 'channels = ["sms"]\n', 10, "prod", "channels must be a table of on and off"),
    "a channel that there is not": (GOOD + 'channels = { smss = false }\n', 10, "prod", "there is no channel 'smss'; did you mean sms"),
    "alarms told to a text": (GOOD + 'alarms_to = "ops@b.example"\n', 10, "prod", "alarms_to must be a list of e-mail addresses"),
    "alarms told to nobody": (GOOD + 'alarms_to = ["ops"]\n', 10, "prod", "alarms_to: 'ops' is no e-mail address"),
    "an address that is none": (GOOD.replace("https://", ""), 9, "prod", "api_url must be an address"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_refused_with_its_line_and_stage(mistake: str) -> None:
    text, line, stage, said = MISTAKES[mistake]
    with pytest.raises(StagesError) as refused:
        load(text)
    problem = next(p for p in refused.value.problems if said in p.problem)
    assert (problem.line, problem.rule) == (line, stage)


def test_a_file_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(StagesError, match=r"there is no stages\.toml"):
        stages(tmp_path)


def test_the_settings_of_a_stage_become_its_functions_environment() -> None:
    found = load(GOOD)
    assert found["dev"] == Settings("dev", "eu-west-1", line=3)
    assert found["dev"].environment == {"HERALDO_STAGE": "dev", "HERALDO_REGION": "eu-west-1"}
    assert found["local"].environment == {"HERALDO_STAGE": "local"}
    assert found["prod"].environment == {
        "HERALDO_STAGE": "prod",
        "HERALDO_REGION": "eu-west-1",
        "HERALDO_AUTH": "iam",
        "HERALDO_API_URL": "https://events.shop.example/v1",
    }


def test_who_sends_and_by_what_becomes_environment_too() -> None:
    text = GOOD + (
        'sender = "Señor Abedul <hola@Jamón.example>"\nreply_to = "ayuda@abedul.example"\n'
        'sms_sender = "Abedul"\nchannels = { sms = false, push = true }\n'
    )
    found = load(text)["prod"].environment
    assert found["HERALDO_SENDER"] == "=?utf-8?q?Se=C3=B1or_Abedul?= <hola@xn--jamn-sqa.example>"
    assert found["HERALDO_REPLY_TO"] == "ayuda@abedul.example"
    assert found["HERALDO_SMS_SENDER"] == "Abedul"
    assert found["HERALDO_CHANNELS"] == "sms=off push=on"


def test_outcomes_are_told_where_a_stage_says_so() -> None:
    found = load(GOOD + "outcomes = true\n")
    assert (found["prod"].outcomes, found["dev"].outcomes) == (True, False)


def invoke(*words: str) -> Result:
    return CliRunner().invoke(main, words)


COMMANDS = {
    "plan": ("plan", "order.placed"),
    "rules": ("rules", "list"),
    "send": ("send", "order.placed"),
    "status": ("status", "x"),
    "event-types": ("event-types",),
    "keys create": ("keys", "create", "--name", "shop", "--scope", "send"),
    "keys list": ("keys", "list"),
    "keys revoke": ("keys", "revoke", "shop"),
    "subscribe": ("subscribe", "users", "email", "ana@shop.example"),
    "subscriptions": ("subscriptions",),
    "unsubscribe": ("unsubscribe", "arn:aws:sns:x"),
    "dead-letters list": ("dead-letters", "list"),
    "dead-letters show": ("dead-letters", "show", "x"),
    "dead-letters redrive": ("dead-letters", "redrive"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_refuses_a_stage_that_is_not_declared(command: str) -> None:
    said = invoke(*COMMANDS[command], "--stage", "prdo")
    assert said.exit_code == 2
    assert "there is no stage 'prdo' in stages.toml; did you mean prod?" in said.output


@pytest.mark.parametrize("module", [deploy, package], ids=lambda module: str(module.__name__))
def test_the_make_targets_refuse_a_stage_that_is_not_declared(module: object) -> None:
    said = CliRunner().invoke(module.main, ["--stage", "prdo"])  # type: ignore[attr-defined]
    assert said.exit_code == 2
    assert "there is no stage 'prdo' in stages.toml; did you mean prod?" in said.output


def test_a_shell_completes_stages() -> None:
    words = {"_HERALDO_COMPLETE": "bash_complete", "COMP_WORDS": "./heraldo plan x --stage p"}
    said = CliRunner().invoke(
        main, [], env={**words, "COMP_CWORD": "4"}, complete_var="_HERALDO_COMPLETE", prog_name="h"
    )
    assert said.output == "plain,prod\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What chalice reads, without what it packages."""
    for name in ("app.py", "stages.toml", "requirements.txt"):
        shutil.copy(ROOT / name, tmp_path)
    for folder in ("chalicelib", ".chalice", "templates"):
        ignored = shutil.ignore_patterns("__pycache__", "deployed", "deployments")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    (tmp_path / "vendor").mkdir()
    (tmp_path / "vendor" / "templates").symlink_to("../templates")
    return tmp_path


def chalice(tree: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What plain chalice says; with an endpoint at which nobody listens."""
    return subprocess.run(
        [Path(sys.executable).with_name("chalice"), *words],
        cwd=tree,
        env={
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
            "PYTHONDONTWRITEBYTECODE": "1",
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("shell", [{}, {"HERALDO_STAGE": "dev"}], ids=["", "a stage in the shell"])
@pytest.mark.parametrize("command", ["deploy", "package"])
def test_plain_chalice_refuses_a_stage_that_is_not_declared(
    tree: Path, command: str, shell: dict[str, str]
) -> None:
    out = ["out"] if command == "package" else []
    said = chalice(tree, command, "--stage", "prdo", *out, **shell)
    assert said.returncode == 1
    assert said.stderr == "There is no stage 'prdo' in stages.toml; did you mean prod?\n"


@pytest.mark.parametrize("there", ["a file, as git makes it without symlinks", "nothing"])
def test_plain_chalice_refuses_to_package_no_templates(tree: Path, there: str) -> None:
    link = tree / "vendor" / "templates"
    link.unlink()
    if there != "nothing":
        link.write_text("../templates")
    said = chalice(tree, "package", "--stage", "dev", "out")
    assert said.returncode == 1
    assert said.stderr.startswith("vendor/templates must be a link to ../templates")
    assert "Traceback" not in said.stderr
    assert not (tree / "out").exists()


def test_a_declared_stage_is_what_the_functions_are_told(tree: Path) -> None:
    config = json.loads((tree / ".chalice" / "config.json").read_text("utf-8"))
    assert config["environment_variables"] == {"HERALDO_STAGE": ""}
    told = {n: s["environment_variables"]["HERALDO_STAGE"] for n, s in config["stages"].items()}
    assert told == {name: name for name in stages(tree)}
