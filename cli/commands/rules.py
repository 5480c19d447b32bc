"""`./heraldo rules`: the routing rules in words, and whether they do what their examples say."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

import click

from chalicelib.rules.reading import RoutingError, load, text_of
from chalicelib.rules.routing import Routing, Rule
from chalicelib.rules.telling import in_words
from cli.group import Group
from cli.lint.examples import EXAMPLES, ExamplesError, Outcome, run, untried
from cli.paths import ROOT, ROUTING
from cli.stages import STAGE
from cli.target import json_option

_root: Final = click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=ROOT,
    help="Another tree than this one.",
)


@click.group("rules", cls=Group)
def command() -> None:
    """The routing rules: who hears about what (chalicelib/routing.toml)."""


@command.command("list")
@click.option("--stage", type=STAGE, help="Only the rules that apply to this stage.")
@json_option
@_root
def list_rules(stage: str | None, as_json: bool, root: Path) -> None:
    """List every rule: what it matches, where it sends, whose it is.

    \b
    ./heraldo rules list
    ./heraldo rules list --stage prod --json
    """
    routing = _load(root, stage, as_json)
    if as_json:
        print(json.dumps([_as_dict(rule) for rule in routing.rules], ensure_ascii=False))
        return
    for rule in routing.rules:
        click.echo(_for_people(rule))
    if not routing.rules:
        click.echo("There is no rule.")


@command.command("test")
@json_option
@_root
def test_rules(as_json: bool, root: Path) -> None:
    """Try the rules on the examples in chalicelib/routing.examples.toml.

    Exits with 1 if an event goes elsewhere than its example says.
    """
    try:
        outcomes = run(root)
    except (RoutingError, ExamplesError) as error:
        _refuse(error, as_json)
    failed = [outcome for outcome in outcomes if outcome.faults]
    missing = untried(outcomes, load(text_of(root / ROUTING), None))
    if as_json:
        found = {"examples": [_judged(o) for o in outcomes], "untried_rules": missing}
        print(json.dumps(found, ensure_ascii=False))
    else:
        for outcome in outcomes:
            click.echo(_told(outcome))
        if missing:
            told = f"! no example matches rule {', '.join(missing)}"
            click.secho(f"{told}: add one to {EXAMPLES}", fg="yellow")
        click.echo(f"{len(outcomes) - len(failed)} of {len(outcomes)} examples hold.")
    sys.exit(bool(failed))


def _load(root: Path, stage: str | None, as_json: bool) -> Routing:
    try:
        return load(text_of(root / ROUTING), stage)
    except RoutingError as error:
        _refuse(error, as_json)
        raise  # not reached


def _refuse(error: RoutingError | ExamplesError, as_json: bool) -> None:
    file = ROUTING if isinstance(error, RoutingError) else EXAMPLES
    if as_json:
        problems = [
            {"file": file, "line": p.line, "about": p.rule, "problem": p.problem}
            for p in error.problems
        ]
        print(json.dumps({"problems": problems}, ensure_ascii=False))
    else:
        for problem in error.problems:
            about = f"{problem.rule}: " if problem.rule else ""
            where = f"{file}:{problem.line}" if problem.line else file
            click.echo(f"{click.style(where, bold=True)}: {about}{problem.problem}", err=True)
    sys.exit(1)


# -- in words --------------------------------------------------------------------------------------


def _where(rule: Rule) -> str:
    if rule.suppress:
        return "nobody, and no later rule is asked (suppress)"
    to = ", ".join(rule.to) or "nobody"
    to += ", gathered in a digest" if rule.digest is not None else ""
    for does, journeys in (("starts", rule.starts), ("stops", rule.stops)):
        if journeys:
            told = f"{does} {', '.join(journeys)}"
            to = told if to == "nobody" else f"{to}; {told}"
    return f"{to}, and no later rule is asked (stop)" if rule.stop else to


def _for_people(rule: Rule) -> str:
    told = f"{click.style(rule.name, bold=True)} → {_where(rule)}"
    told += click.style(f"  {ROUTING}:{rule.line}\n", dim=True)
    told += f"    when {in_words(rule.pattern)}\n"
    if rule.stages:
        told += f"    only in {', '.join(rule.stages)}\n"
    if rule.owner:
        told += f"    owner: {rule.owner}\n"
    if rule.note:
        told += f"    {rule.note}\n"
    return told


def _as_dict(rule: Rule) -> dict[str, Any]:
    return {
        "name": rule.name,
        "when": in_words(rule.pattern),
        "to": list(rule.to),
        "digest": rule.digest is not None,
        "starts": list(rule.starts),
        "stops": list(rule.stops),
        "stop": rule.stop,
        "suppress": rule.suppress,
        "stages": list(rule.stages),
        "owner": rule.owner,
        "note": rule.note,
        "file": ROUTING,
        "line": rule.line,
    }


def _told(outcome: Outcome) -> str:
    example = outcome.example
    if not outcome.faults:
        return f"{click.style('✓', fg='green')} {example.name}"
    told = f"{click.style('✗', fg='red')} {click.style(example.name, bold=True)}"
    told += click.style(f"  {EXAMPLES}:{example.line}", dim=True)
    return "\n    ".join([told, *outcome.faults])


def _judged(outcome: Outcome) -> dict[str, Any]:
    example = outcome.example
    found: dict[str, Any] = {
        "name": example.name,
        "line": example.line,
        "passed": not outcome.faults,
        "rules": list(outcome.rules),
        "to": list(outcome.to),
        "faults": list(outcome.faults),
    }
    for name, expected in (("rules", example.rules), ("to", example.to)):
        if expected is not None:
            found[f"expected_{name}"] = list(expected)
    return found
