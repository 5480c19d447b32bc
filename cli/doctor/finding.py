"""One thing that the doctor finds in an account, and the table of checks that find them.

A check is a function below cli/doctor/checks/ that bears its code, and in its docstring what it looks for:
docs/doctor.md shows just that. It asks, and changes nothing.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from chalicelib.rules.routing import Routing
from cli.stages import Settings
from cli.target import Target

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Told:
    """What a check says. An error keeps something from being delivered today."""

    severity: Severity
    problem: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Finding:
    """The same with the check's code."""

    code: str
    severity: Severity
    problem: str
    remedy: str


@dataclass(frozen=True)
class Patient:
    """A stage that is looked at: where it runs, and what is declared of it."""

    target: Target
    settings: Settings
    routing: Routing
    reached_by: Sequence[str]
    """The channels by which rules reach people."""
    commercial_mail: bool
    """Whether any event type sends people advertising by e-mail."""

    @property
    def stage(self) -> str:
        return self.target.stage

    def client(self, service: str) -> Any:
        return self.target.client(service)


_Looks = Callable[[Patient], Iterator[Told]]


@dataclass(frozen=True, slots=True)
class Check:
    """One check of the table; `local`: the local AWS can tell, too."""

    code: str
    look: _Looks
    local: bool

    @property
    def about(self) -> str:
        """What it looks for, on one line."""
        return " ".join((self.look.__doc__ or "").split())


_CHECKS: Final[dict[str, Check]] = {}


def check(code: str, *, local: bool = True) -> Callable[[_Looks], _Looks]:
    """Enter a function into the table."""

    def enter(look: _Looks) -> _Looks:
        assert code not in _CHECKS, f"two checks have the code {code}"  # noqa: S101
        _CHECKS[code] = Check(code, look, local)
        return look

    return enter


@functools.cache
def table() -> Mapping[str, Check]:
    """Every check by its code, from all modules below cli/doctor/checks/."""
    from cli.doctor import checks

    for module in pkgutil.iter_modules(checks.__path__):
        importlib.import_module(f"{checks.__name__}.{module.name}")
    return _CHECKS
