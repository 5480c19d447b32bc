"""`./heraldo lint`: find what is wrong with templates and rules before a customer does."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Final

import click

from chalicelib.spelling import did_you_mean
from cli.lint.finding import Finding, table
from cli.lint.findings import lint
from cli.paths import ROOT

_COLOURS: Final = {"error": "red", "warning": "yellow"}


@click.command("lint")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: a list of findings.")
@click.option("--github", is_flag=True, help="Print annotations for GitHub Actions.")
@click.option("--explain", metavar="CODE", help="Say what a code means, and what to do about it.")
@click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=ROOT,
    help="Another tree than this one.",
)
def command(as_json: bool, github: bool, explain: str | None, root: Path) -> None:
    """Check templates, samples and rules. Exits with 1 if there is an error.

    Needs neither AWS nor the local stack. All that it looks for: docs/lint.md
    """
    if explain is not None:
        check = table().get(explain)
        if check is None:
            near = did_you_mean(explain, list(table())) or "; docs/lint.md lists the codes"
            raise click.BadParameter(f"there is no {explain!r}{near}", param_hint="--explain")
        click.echo(f"{click.style(check.code, bold=True)} ({check.severity})\n{check.about}")
        return
    findings = lint(root)
    if as_json:
        print(json.dumps([dataclasses.asdict(f) for f in findings], ensure_ascii=False, indent=2))
    elif github:
        for finding in findings:
            click.echo(_annotation(finding))
    else:
        for finding in findings:
            click.echo(_for_people(finding, root))
        click.echo(_summary(findings))
    sys.exit(any(finding.severity == "error" for finding in findings))


def _for_people(finding: Finding, root: Path) -> str:
    where = finding.file
    if finding.line:
        where += f":{finding.line}" + (f":{finding.column}" if finding.column else "")
    severity = click.style(finding.severity, fg=_COLOURS[finding.severity], bold=True)
    told = f"{click.style(where, bold=True)}: {severity}: {finding.message}"
    told += click.style(f"  [{finding.code}]", dim=True)
    excerpt = _excerpt(finding, root)
    return f"{told}\n{excerpt}    {click.style('→', fg='cyan')} {finding.remedy}\n"


def _excerpt(finding: Finding, root: Path) -> str:
    """The line at fault, with a caret below the place."""
    if not finding.line:
        return ""
    try:
        lines = (root / finding.file).read_text(encoding="utf-8").splitlines()
        line = lines[finding.line - 1]
    except (OSError, UnicodeDecodeError, IndexError):
        return ""
    number = f"{finding.line} | "
    start = 0
    if finding.column and finding.column > 80:  # a long line shows what is around the place
        start = finding.column - 40
    shown = line[start : start + 110].replace("\t", " ")
    told = f"    {click.style(number, dim=True)}{shown}\n"
    if finding.column:
        caret = " " * (4 + len(number) + finding.column - 1 - start)
        told += f"{caret}{click.style('^', fg=_COLOURS[finding.severity])}\n"
    return told


def _annotation(finding: Finding) -> str:
    # https://docs.github.com/actions/reference/workflow-commands-for-github-actions
    properties = {"file": finding.file, "line": finding.line or 1, "title": finding.code}
    if finding.column:
        properties["col"] = finding.column
    told = ",".join(f"{key}={_escaped(str(v), ':,')}" for key, v in properties.items())
    return f"::{finding.severity} {told}::{_escaped(f'{finding.message}. {finding.remedy}')}"


def _escaped(text: str, also: str = "") -> str:
    for character in "%\r\n" + also:
        text = text.replace(character, f"%{ord(character):02X}")
    return text


def _summary(findings: list[Finding]) -> str:
    count = Counter(finding.severity for finding in findings)
    if not findings:
        return click.style("Nothing is wrong.", fg="green")
    told = [
        f"{count[severity]} {severity}{'' if count[severity] == 1 else 's'}"
        for severity in ("error", "warning")
        if count[severity]
    ]
    return ", ".join(told)


if __name__ == "__main__":
    command()
