"""The words of every shipped sample, as tests/golden has them."""

from __future__ import annotations

import json
import re

import pytest

from cli.paths import ROOT
from cli.words.samples import as_text, every_sample

GOLDEN = ROOT / "tests" / "golden"
RENDERINGS = {f"{r.event_type}.{r.locale}": r for r in every_sample(ROOT)}


@pytest.mark.parametrize("name", sorted({f.stem for f in GOLDEN.glob("*.txt")} | {*RENDERINGS}))
def test_a_sample_says_what_its_golden_file_has(name: str) -> None:
    file = GOLDEN / f"{name}.txt"
    golden = file.read_text(encoding="utf-8") if file.exists() else ""
    now = as_text(RENDERINGS[name]) if name in RENDERINGS else ""
    assert now == golden, (
        f"{name} says something else than tests/golden/{name}.txt. See it with "
        "`./heraldo preview --diff`; if that is what you want, run `make golden` and commit it."
    )


@pytest.mark.parametrize("event_type", sorted({r.event_type for r in RENDERINGS.values()}))
def test_a_sample_with_relative_dates_says_what_time_it_is(event_type: str) -> None:
    folder = ROOT / "templates" / event_type
    words = "".join(f.read_text(encoding="utf-8") for f in folder.glob("*.j2"))
    if re.search(r"\|\s*relative\b", words):
        sample = json.loads((folder / "sample.json").read_text(encoding="utf-8"))
        assert "time" in sample, (
            f'add "time" to templates/{event_type}/sample.json: without it, "tomorrow" and the like '
            "are counted from today, and the golden files differ from day to day"
        )
