"""The locks: what requirements bring along, each file with its hash; and what is known against it.

python -m cli.locks           write them anew (`make lock`)
python -m cli.locks --audit   look their packages up (`make audit`)

Runs in an environment of its own, .venv-audit, so it imports the standard library only.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
_BIN: Final = Path(sys.executable).parent
# The oldest Python that has to do. What later ones need otherwise is told by markers.
_PYTHON: Final = "3.11"
DEV: Final = "requirements-dev"
# These are installed into one environment, one after the other, and so have the same of everything.
_WITH_DEV: Final = ("requirements", "requirements-tools")

_OUT_OF_REACH: Final = ("ConnectionError", "Max retries", "Timeout", "Name or service not known")


def names(root: Path = ROOT) -> list[str]:
    """The requirements files that are locked, without their ending; first the one by which others go."""
    found = sorted(file.stem for file in root.glob("requirements*.txt"))
    return sorted(found, key=lambda name: name != DEV)


def lock(name: str) -> list[str]:
    """The command that writes a lock: for every platform and Python from the oldest on, of no index of anybody's."""
    also = ["--constraint", f"{DEV}.lock"] if name in _WITH_DEV else []
    quiet = ("--no-header", "--no-annotate", "--no-emit-index-url", "--quiet")
    return [
        *(str(_BIN / "uv"), "pip", "compile", "--universal", "--python-version", _PYTHON),
        *("--generate-hashes", *quiet, "--upgrade", *also),
        *("--output-file", f"{name}.lock", f"{name}.txt"),
    ]


def audit(found: Sequence[str]) -> int:
    """Tell what is known against the packages of these locks; 1 where something is, or nobody can tell why not.

    Where nobody can be reached who knows, that is told, and is no fault.
    """
    told: list[dict[str, Any]] = []
    for packages in _rounds(found):
        command = [
            *(str(_BIN / "pip-audit"), "--disable-pip", "--no-deps", "--progress-spinner", "off"),
            *("--format", "json", "--requirement", "/dev/stdin"),
        ]
        asked = "\n".join(packages)
        done = subprocess.run(command, input=asked, capture_output=True, text=True, check=False)
        try:
            told += json.loads(done.stdout)["dependencies"]
        except (ValueError, KeyError):
            why = (done.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1]
            print(f"Nothing could be looked up: {why}")
            return 0 if any(sign in done.stderr for sign in _OUT_OF_REACH) else 1
    unknown = [one for one in told if "skip_reason" in one]
    bad = [one for one in told if one.get("vulns")]
    for one in bad:
        for known in one["vulns"]:
            mended = ", ".join(known["fix_versions"]) or "no version yet"
            print(f"{one['name']} {one['version']}: {known['id']}, mended in {mended}")
    print(
        f"{len(told)} packages: {len(bad)} with known vulnerabilities, {len(unknown)} of which nobody"
        " could be asked"
    )
    return 1 if bad else 0


def _rounds(found: Sequence[str]) -> list[list[str]]:
    """All that is locked, in lists in which no package stands twice: two environments may have two versions."""
    versions: dict[str, set[str]] = {}
    for name in found:
        text = (ROOT / f"{name}.lock").read_text("utf-8")
        for package, version in re.findall(r"^([A-Za-z0-9_.-]+)==(\S+)", text, re.MULTILINE):
            versions.setdefault(package, set()).add(version)
    most = max(map(len, versions.values()))
    return [
        [f"{name}=={sorted(of)[number]}" for name, of in versions.items() if number < len(of)]
        for number in range(most)
    ]


def main() -> int:
    if "--audit" in sys.argv[1:]:
        return audit(names())
    for name in names():
        print(f"{name}.lock", flush=True)
        subprocess.run(lock(name), cwd=ROOT, check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
