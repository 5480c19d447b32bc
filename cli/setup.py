"""Makes the virtual environments: `.venv` for the tools, `.venv-aws` for the local AWS, and others.

Run by a bare Python before anything is installed, so it imports the standard library only. A stamp
with the hash of the requirements makes every later call instant.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
# What can be asked for: where it is installed, and what. A lock has all that its requirements bring along, each with
# the hashes of its files (`make lock`).
PARTS: Final = {
    "tools": (".venv", ("requirements-tools.lock",)),
    "dev": (".venv", ("requirements-dev.lock",)),
    "aws": (".venv-aws", ("requirements-aws.lock",)),
    "bench": (".venv-bench", ("requirements-bench.lock",)),
    "mutants": (".venv-mutants", ("requirements-mutants.lock",)),
    "clients": (".venv-clients", ("requirements-clients.lock", "tests/clients/package-lock.json")),
    "audit": (".venv-audit", ("requirements-audit.lock",)),
}
_NPM_LOCK: Final = "package-lock.json"  # what npm installs, beside pip


class SetupError(Exception):
    """One sentence for the person who typed the command."""


def ensure(part: str, root: Path = ROOT) -> None:
    """Install a part, or bring it up to date, where that is not done yet."""
    name, files = PARTS[part]
    folder = root / name
    python = folder / "bin" / "python"
    stamp = folder / f".{part}-ready"
    digest = _digest([root / file for file in files])
    if _is_ready(python, stamp, digest):
        return
    (root / ".heraldo").mkdir(exist_ok=True)
    with (root / ".heraldo" / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # `make run` and `make test` may both be the first
        if not _is_ready(python, stamp, digest):
            stamp.unlink(missing_ok=True)
            what = f"Installing {files[0]} (only this once)"
            if not sys.stdout.isatty():  # a terminal has it rewritten as it goes on, a pipe once
                print(what, flush=True)
            _progress(what, "making its environment")
            _make(folder, python)
            _install(python, root / files[0], what)
            for file in files:
                if file.endswith(_NPM_LOCK):
                    _install_npm(folder, (root / file).parent)
            stamp.write_text(digest)


def _digest(files: list[Path]) -> str:
    content = b"\0".join(file.read_bytes() for file in files)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return f"{version} {hashlib.sha256(content).hexdigest()}"


def _is_ready(python: Path, stamp: Path, digest: str) -> bool:
    ready = python.exists() and stamp.exists() and stamp.read_text() == digest
    if ready:
        stamp.touch()  # ./heraldo and make compare its time with the requirements'
    return ready


def _make(folder: Path, python: Path) -> None:
    runs = (
        python.exists()
        and not subprocess.run(
            [
                python,
                "-c",
                f"import pip, sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})",
            ],
            capture_output=True,
            check=False,
        ).returncode
    )
    if runs:
        return
    shutil.rmtree(folder, ignore_errors=True)
    # sys.executable may itself live in a virtual environment that is about to go.
    made = subprocess.run(
        [sys.executable, "-m", "venv", folder], capture_output=True, text=True, check=False
    )
    if made.returncode:
        shutil.rmtree(folder, ignore_errors=True)
        raise SetupError(
            "This Python cannot make virtual environments; on Debian and Ubuntu:"
            " apt-get install python3-venv"
        )


def _progress(what: str, now: str) -> None:
    if sys.stdout.isatty():
        print(f"\r\x1b[K{what}: {now}", end="", flush=True)


def _install(python: Path, requirements: Path, what: str) -> None:
    pip = subprocess.Popen(
        [
            *(python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input"),
            "--no-compile",  # Python compiles what is used when it is used: half of the time
            *("--require-hashes", "--retries", "2", "--progress-bar", "off", "-r", requirements),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert pip.stdout is not None  # noqa: S101 - for the type checker; PIPE was asked for
    said: list[str] = []
    found = 0
    try:
        for line in pip.stdout:
            said.append(line.strip())
            if line.startswith("Collecting "):
                found += 1
                _progress(what, f"package {found}, {line.split()[1]}")
            elif line.startswith("Installing collected"):
                _progress(what, f"unpacking {found} packages")
    except BaseException:
        pip.kill()
        raise
    finally:
        if sys.stdout.isatty():
            print(flush=True)
    if pip.wait():
        raise SetupError(_why(said))


def _install_npm(folder: Path, packages: Path) -> None:
    """What a lock file names, into the environment, by the Node that pip put there."""
    home = folder / "npm"
    home.mkdir(exist_ok=True)
    for name in ("package.json", _NPM_LOCK):
        shutil.copy(packages / name, home / name)
    npm = subprocess.run(
        [folder / "bin" / "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=home,
        env={**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    if npm.returncode:
        said = (npm.stderr or npm.stdout).strip().splitlines()
        raise SetupError(f"npm could not install {packages / 'package.json'}: {(said or ['?'])[0]}")


def _why(said: list[str]) -> str:
    text = "\n".join(said).lower()
    errors = [line for line in said if line.startswith("ERROR")]
    last = errors[-1].removeprefix("ERROR: ") if errors else (said or ["pip said nothing"])[-1]
    unreachable = ("connection", "newconnectionerror", "name resolution", "timed out", "proxy")
    if any(sign in text for sign in unreachable):
        return f"The package registry is out of reach; check the network or PIP_INDEX_URL ({last})"
    return f"pip could not install the requirements: {last}"


def main() -> int:
    """Install the parts named on the command line."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        for part in sys.argv[1:]:
            ensure(part)
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
