"""One thing that lint finds, and the table of checks that find them.

A check is a function below cli/lint/checks/ that bears its code and severity, and in its docstring
what is wrong and what to do about it: `--explain` and docs/lint.md show just that.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from cli.lint.tree import Tree

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. An error keeps a message from going out as it should.

    `file` is relative to the tree; `line` and `column` count from 1, and are 0 and None where the
    finding is about the file as a whole.
    """

    severity: Severity
    file: str
    line: int
    column: int | None
    code: str
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Told:
    """What a check says: a finding without its code. `word` is looked for to give the column."""

    file: str
    line: int
    message: str
    remedy: str
    word: str | None = None
    column: int | None = None


_Finds = Callable[["Tree"], Iterator[Told]]


@dataclass(frozen=True, slots=True)
class Check:
    """One check of the table."""

    code: str
    severity: Severity
    find: _Finds

    @property
    def about(self) -> str:
        """What is wrong, and what to do about it, on one line."""
        return " ".join((self.find.__doc__ or "").split())


_CHECKS: Final[dict[str, Check]] = {}


def check(code: str, severity: Severity) -> Callable[[_Finds], _Finds]:
    """Enter a function into the table."""

    def enter(find: _Finds) -> _Finds:
        assert code not in _CHECKS, f"two checks have the code {code}"  # noqa: S101
        _CHECKS[code] = Check(code, severity, find)
        return find

    return enter


@functools.cache
def table() -> Mapping[str, Check]:
    """Every check by its code, from all modules below cli/lint/checks/."""
    from cli.lint import checks

    for module in pkgutil.iter_modules(checks.__path__):
        importlib.import_module(f"{checks.__name__}.{module.name}")
    return _CHECKS
