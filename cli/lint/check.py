"""Whether this tree could be deployed: run in a process of its own, on the code as it is now.

python -m cli.lint.check        prints `file:line: what is wrong`, a line per problem; 1 if there is any
"""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from cli.paths import ROOT, ROUTING

# What lint finds of a type that is still being written: what there is of it works.
_UNFINISHED: Final = ("missing-locale", "missing-sample", "stray-file")


def problems(root: Path = ROOT) -> Iterator[str]:
    """Everything that would keep the deployed functions, or a message, from working."""
    broken = list(_broken_code(root))
    yield from broken
    if not broken:
        from cli.lint.findings import lint

        for finding in lint(root):
            if finding.severity == "error" and finding.code not in _UNFINISHED:
                yield f"{finding.file}:{finding.line or 1}: {finding.message}; {finding.remedy}"


def problems_now() -> list[str]:
    """What is wrong with the tree as it is now, by a process that has loaded none of it before."""
    checked = subprocess.run(
        [sys.executable, "-m", "cli.lint.check"],
        cwd=ROOT,
        env={**os.environ, "HERALDO_STAGE": "local", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if checked.returncode and not checked.stdout:
        return [checked.stderr.strip() or "the check itself failed"]
    return checked.stdout.splitlines()


def _broken_code(root: Path) -> Iterator[str]:
    try:
        __import__("app")
    except SyntaxError as error:
        yield f"{_shown(error.filename or 'app.py', root)}:{error.lineno}: {error.msg}"
    except Exception as error:  # whatever a module does at import
        if (
            type(error).__name__ == "RoutingError"
        ):  # imported here, it could not tell what is broken
            yield from _broken_rules(error)
            return
        own = [f for f in traceback.extract_tb(error.__traceback__) if _is_ours(f.filename, root)]
        where = f"{_shown(own[-1].filename, root)}:{own[-1].lineno}" if own else "app.py"
        yield f"{where}: {type(error).__name__}: {error}"


def _broken_rules(error: Any) -> Iterator[str]:
    for problem in error.problems:
        what = f"{problem.rule}: {problem.problem}" if problem.rule else problem.problem
        yield f"{ROUTING}:{problem.line or 1}: {what}"


def _is_ours(file: str, root: Path) -> bool:
    path = Path(file)
    return path.is_relative_to(root) and path.relative_to(root).parts[0] in ("app.py", "chalicelib")


def _shown(file: str, root: Path) -> str:
    path = Path(file)
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else file


def main() -> int:
    """Print every problem."""
    os.environ.setdefault("HERALDO_STAGE", "local")
    found = list(problems())
    for problem in found:
        print(problem)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
