"""What a run has to say: a line for each check, and the whole of it as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import click

from cli.paths import HOME

KEPT: Final = HOME / "verify"


@dataclass(frozen=True, slots=True)
class Check:
    """One check: whether it passed (None: it was not tried), what is said of it, and its figures."""

    name: str
    passed: bool | None
    said: str
    figures: Mapping[str, Any] = field(default_factory=dict)

    def for_people(self) -> str:
        sign, colour = _SIGNS[self.passed]
        return f"{click.style(sign, fg=colour)} {self.name:<11} {self.said}"


_SIGNS: Final = {True: ("✓", "green"), False: ("✗", "red"), None: ("·", "yellow")}


@dataclass(frozen=True, slots=True)
class Report:
    """All of a run, as it is kept."""

    stage: str
    account: str
    region: str
    run: str
    began: str
    took_seconds: float
    interrupted: bool
    checks: Sequence[Check]

    @property
    def passed(self) -> bool:
        return not self.interrupted and all(check.passed for check in self.checks)

    def as_json(self) -> dict[str, Any]:
        found = asdict(self)
        return {"passed": self.passed, **found, "checks": [asdict(one) for one in self.checks]}

    def keep(self, folder: Path = KEPT) -> Path:
        """Write it down; gives the file."""
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{self.stage}-{self.run}.json"
        file.write_text(json.dumps(self.as_json(), ensure_ascii=False, indent=2) + "\n", "utf-8")
        return file
