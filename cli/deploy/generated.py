"""What plain `chalice deploy` reads from disk and nobody writes by hand: one IAM policy per function
and stage, the part of `.chalice/config.json` that names them, and the compiled layouts of mails.

It follows from what is declared, is committed, and is refused where it is out of date: `make generate`
writes it anew.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

import click

from chalicelib.rules import reading
from chalicelib.rules.reading import RoutingError
from chalicelib.rules.routing import Routing
from cli.deploy import policies
from cli.paths import ROOT, ROUTING
from cli.stages import LOCAL, OWN_VARIABLES, Settings
from cli.stages import stages as read_stages
from cli.words import layouts

COMMAND: Final = "make generate"
# Where functions are processes of this machine, what is packaged is for it.
_ON_THIS_MACHINE: Final = {"lambda_architecture": "x86_64"}


def files(root: Path = ROOT) -> dict[Path, Any]:
    """Every generated file with the JSON it must hold; of a template, its text.

    Raises
    ------
    RoutingError, StagesError, LayoutError : what is declared cannot be read.
    """
    chalice = root / ".chalice"
    stages = read_stages(root)
    routings = {stage: reading.read(root / ROUTING, stage) for stage in stages}
    current = json.loads((chalice / "config.json").read_text("utf-8"))
    documents = {
        chalice / "policies" / stage / f"{function}.json": policies.policy(
            stage, function, routing.lanes, posts=routing.posts
        )
        for stage, routing in routings.items()
        for function in policies.functions(routing.lanes, posts=routing.posts)
    }
    documents[chalice / "config.json"] = config(current, stages.values(), routings)
    return documents | layouts.compiled(root)


def config(
    current: dict[str, Any], stages: Collection[Settings], routings: Mapping[str, Routing]
) -> dict[str, Any]:
    """`.chalice/config.json` with its stages written anew, each with its own routing; all else in it is kept."""
    found = {
        stage.name: {
            **(_ON_THIS_MACHINE if stage.name == LOCAL else {}),
            "environment_variables": {**_kept(current, stage.name), **stage.environment},
            "lambda_functions": {
                function: {"iam_policy_file": f"policies/{stage.name}/{function}.json"}
                for routing in (routings[stage.name],)
                for function in policies.functions(routing.lanes, posts=routing.posts)
            },
        }
        for stage in stages
    }
    # For a stage that is not declared, whatever the shell says: app.py refuses to be of none.
    nowhere = {**current.get("environment_variables", {}), "HERALDO_STAGE": ""}
    return {**current, "environment_variables": nowhere, "stages": found}


def _kept(current: dict[str, Any], stage: str) -> dict[str, str]:
    """The variables that somebody set for a stage by hand."""
    found = current.get("stages", {}).get(stage, {}).get("environment_variables", {})
    return {name: value for name, value in found.items() if name not in OWN_VARIABLES}


def stale(root: Path = ROOT) -> list[Path]:
    """The generated files that are not what they must be: changed, missing, or of nothing any more."""
    wanted = files(root)
    there = set((root / ".chalice" / "policies").rglob("*.json"))
    differing = [path for path, content in wanted.items() if _content(path) != content]
    return sorted({*differing, *(there - wanted.keys())})


def renew(root: Path = ROOT) -> list[Path]:
    """Write what is out of date, and remove what is of nothing any more; says which files that were."""
    wanted, changed = files(root), stale(root)
    for path in changed:
        if path in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            content = wanted[path]
            text = content if path.suffix == ".j2" else json.dumps(content, indent=2) + "\n"
            path.write_text(text, "utf-8")
        else:
            path.unlink()
            if not any(path.parent.iterdir()):
                path.parent.rmdir()
    return changed


def _content(path: Path) -> Any:
    try:
        text = path.read_text("utf-8")
        return text if path.suffix == ".j2" else json.loads(text)
    except (OSError, ValueError):
        return None


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; fail where something is out of date.")
def main(check: bool) -> None:
    """Write every generated file that is out of date."""
    try:
        changed = stale() if check else renew()
    except RoutingError as error:
        raise click.ClickException(str(error)) from None
    if check and changed:
        named = ", ".join(path.relative_to(ROOT).as_posix() for path in changed)
        raise click.ClickException(f"{named}: out of date. Run `{COMMAND}`, and commit it.")
    for path in changed:
        print(path.relative_to(ROOT))
    if not changed:
        print("Everything generated is up to date.")


if __name__ == "__main__":
    main()
