"""`./heraldo doctor`: what would not be delivered today, and why."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections import Counter
from typing import Final

import click

from cli import target as targets
from cli.account import account, aws_errors, rules
from cli.doctor.finding import Finding, table
from cli.doctor.look import examine, patient
from cli.stages import LOCAL
from cli.terminal import Progress, count

_COLOURS: Final = {"error": "red", "warning": "yellow"}


@click.command
@targets.stage_option
@targets.json_option
def command(stage: str | None, as_json: bool) -> None:
    """Look at a stage's account, and say what would not be delivered today, why, and what to do.

    Exits with 1 if there is an error. It only reads. All that it looks for: docs/doctor.md

    \b
    ./heraldo doctor --stage prod
    """
    target = account(stage)
    progress = Progress()
    with aws_errors(target):
        found = list(examine(patient(target, rules(target.stage)), progress.show))
    progress.end()
    found.sort(key=lambda finding: finding.severity != "error")
    if as_json:
        print(json.dumps([dataclasses.asdict(f) for f in found], ensure_ascii=False, indent=2))
    else:
        for finding in found:
            click.echo(_for_people(finding))
        click.echo(_summary(found))
        left_out = [check.code for check in table().values() if not check.local]
        if target.stage == LOCAL:
            what = f"The local AWS cannot tell of {', '.join(left_out)}."
            click.secho(what, dim=True, err=True)
    sys.exit(any(finding.severity == "error" for finding in found))


def _for_people(finding: Finding) -> str:
    severity = click.style(finding.severity, fg=_COLOURS[finding.severity], bold=True)
    code = click.style(f"  [{finding.code}]", dim=True)
    return (
        f"{severity}: {finding.problem}{code}\n    {click.style('→', fg='cyan')} {finding.remedy}\n"
    )


def _summary(found: list[Finding]) -> str:
    if not found:
        return click.style("Nothing keeps anything from being delivered.", fg="green")
    counts = Counter(finding.severity for finding in found)
    return ", ".join(count(counts[s], s) for s in ("error", "warning") if counts[s])
