"""Whether this tree could be deployed: run in a process of its own, on the code as it is now.

python -m cli.check        prints `file:line: what is wrong`, a line per problem; 1 if there is any
"""

from __future__ import annotations

import json
import os
import sys
import tomllib
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import jinja2

ROOT: Final = Path(__file__).resolve().parents[1]


def problems(root: Path = ROOT) -> Iterator[str]:
    """Everything that would keep the deployed functions from working."""
    yield from _broken_code(root)
    yield from _broken_routing(root)
    yield from _broken_templates(root / "templates", root)


def _broken_code(root: Path) -> Iterator[str]:
    try:
        __import__("app")
    except SyntaxError as error:
        yield f"{_shown(error.filename or 'app.py', root)}:{error.lineno}: {error.msg}"
    except Exception as error:  # whatever a module does at import
        own = [f for f in traceback.extract_tb(error.__traceback__) if _is_ours(f.filename, root)]
        where = f"{_shown(own[-1].filename, root)}:{own[-1].lineno}" if own else "app.py"
        yield f"{where}: {type(error).__name__}: {error}"


def _broken_routing(root: Path) -> Iterator[str]:
    file = root / "chalicelib" / "routing.toml"
    try:
        from chalicelib import routing
    except Exception:  # told by _broken_code
        return
    try:
        routing.load(file.read_text("utf-8"), os.environ["HERALDO_STAGE"])
    except routing.RoutingError as error:
        for problem in error.problems:
            about = f"{problem.rule}: {problem.problem}" if problem.rule else problem.problem
            yield f"chalicelib/routing.toml:{problem.line or 1}: {about}"
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        yield f"chalicelib/routing.toml:1: {error}"


def _broken_templates(folder: Path, root: Path) -> Iterator[str]:
    try:
        from chalicelib.render import Templates
    except Exception:  # told by _broken_code
        return
    environment = Templates(folder).environment
    for file in sorted(folder.rglob("*.j2")):
        try:
            environment.get_template(file.relative_to(folder).as_posix())
        except jinja2.TemplateSyntaxError as error:
            yield f"{_shown(str(file), root)}:{error.lineno}: {error.message}"
        except UnicodeDecodeError:
            yield f"{_shown(str(file), root)}:1: is not UTF-8"
    for file in sorted(folder.glob("*/sample.json")):
        try:
            json.loads(file.read_text("utf-8"))
        except json.JSONDecodeError as error:
            yield f"{_shown(str(file), root)}:{error.lineno}: {error.msg}"
        except UnicodeDecodeError:
            yield f"{_shown(str(file), root)}:1: is not UTF-8"


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
