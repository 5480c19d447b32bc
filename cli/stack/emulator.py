"""The local AWS as a child process that never outlives its parent."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import botocore.session
from botocore.config import Config

from cli.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable

REGION: Final = "us-east-1"
CREDENTIALS: Final = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
_START_TIMEOUT: Final = 60.0
_PR_SET_PDEATHSIG: Final = 1


class EmulatorError(Exception):
    """One sentence for the person who typed the command."""


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def client(service: str, endpoint_url: str, **config: Any) -> Any:
    """A client of `service` on the local AWS, as its root user: nothing of the user's own AWS
    configuration (profile, region, credentials) has a say in it."""
    session = botocore.session.Session(profile=None)
    session.set_config_variable("profile", None)
    return session.create_client(
        service,
        region_name=REGION,
        endpoint_url=endpoint_url,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        config=Config(**config),
    )


class Emulator:
    """ministack on `port`, with IAM enforced and every file it makes below `home`.

    Use as a context manager; leaving it stops the process and its Lambda workers and removes
    their files. Nothing is kept from one start to the next.
    """

    def __init__(self, home: Path, port: int, python: Path | None = None) -> None:
        self.port = port
        self.endpoint_url = f"http://127.0.0.1:{port}"
        self.log = home / "aws.log"
        self._tmp = home / "tmp"
        self._python = python or ROOT / ".venv-aws" / "bin" / "python"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait until it answers."""
        check_port(self.port)
        self.clean()
        self._tmp.mkdir(parents=True)
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [self._python, "-m", "ministack.app"],
                cwd=self._tmp,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is ours to handle, and stop() can kill the group
                preexec_fn=_die_with_parent(os.getpid()) if sys.platform == "linux" else None,
            )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop it, its workers and whatever they started, and remove their files."""
        self.kill()
        self.clean()

    def kill(self) -> None:
        """Stop it, its workers and whatever they started; return when they are gone."""
        process, self._process = self._process, None
        if process is not None:
            # It keeps nothing, so there is nothing to wait for; its workers are of its group.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def client(self, service: str, **config: Any) -> Any:
        """See `client`."""
        return client(service, self.endpoint_url, **config)

    def failed(self) -> bool:
        """Whether it has died without being told to."""
        return self._process is not None and self._process.poll() is not None

    def last_words(self) -> str:
        """The last line it logged."""
        lines = self.log.read_text("utf-8", "replace").split("\n") if self.log.exists() else []
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")

    def _environment(self) -> dict[str, str]:
        # Lambda workers inherit this environment: an AWS_PROFILE or PYTHONPATH of the user's would
        # make them differ from real ones.
        kept: Iterable[str] = ("PATH", "HOME", "LANG", "LC_ALL", "SSL_CERT_FILE")
        return {
            **{name: os.environ[name] for name in kept if name in os.environ},
            **CREDENTIALS,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AUTH": "true",
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "PYTHONUNBUFFERED": "1",
            "TMPDIR": str(self._tmp),
            "TZ": "UTC",
        }

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_TIMEOUT
        while time.monotonic() < deadline:
            if self.failed():
                break
            try:
                with urllib.request.urlopen(f"{self.endpoint_url}/_ministack/health", timeout=2):  # noqa: S310
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        raise EmulatorError(f"The local AWS did not start: {self.last_words()} (see {self.log})")

    def clean(self) -> None:
        """Remove the files that it left."""
        shutil.rmtree(self._tmp, ignore_errors=True)


def check_port(port: int) -> None:
    """Raise `EmulatorError` when `port` is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise EmulatorError(
                f"Port {port} is taken; stop what listens there, or choose another:"
                f" HERALDO_PORT={port + 1} make run"
            ) from None


def _die_with_parent(parent: int) -> Any:
    # Loaded here and not in the child: between fork and exec little is safe to do.
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return ask
