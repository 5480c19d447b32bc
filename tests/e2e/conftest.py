"""The deployed artefact on the local AWS, with IAM enforced; and copies of this tree to run it from."""

from __future__ import annotations

import json
import os
import shutil
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cli.deploy import package
from cli.stack import inbox, local
from cli.stack.emulator import Emulator, free_port
from tests.patience import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
_NOT_COPIED = (
    *(".git", ".venv*", ".heraldo", "__pycache__", ".*_cache", ".hypothesis"),
    *("deployed", "deployments"),
)


@dataclass
class Stack:
    """The packaged stack as deployed, and what its subscribers have received so far."""

    emulator: Emulator
    local: local.Local
    inbox_url: str
    folder: Path
    deliveries: list[inbox.Delivery] = field(default_factory=list)
    persons: inbox.Persons = field(init=False)

    def __post_init__(self) -> None:
        self.persons = inbox.Persons(self.emulator.endpoint_url)

    def client(self, service: str) -> Any:
        return self.emulator.client(service)

    def call(
        self, method: str, path: str, body: Any = None, key: str | None = None
    ) -> tuple[int, Any]:
        """Call the API with the stack's key, or with another; "" is none.

        A 503 is sent again as it says, as any sender does: this machine may be busy.
        """
        for _ in range(5):
            status, answer, wait = self._ask(method, path, body, key)
            if status != 503:
                break
            time.sleep(wait)
        return status, answer

    def _ask(self, method: str, path: str, body: Any, key: str | None) -> tuple[int, Any, float]:
        headers = {"Content-Type": "application/json"}
        key = self.local["api_key"] if key is None else key
        if key:
            headers["Authorization"] = f"Bearer {key}"
        data = None if body is None else json.dumps(body).encode()
        url = self.local["api_url"] + path
        request = urllib.request.Request(url, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, json.loads(answer.read() or b"null"), 0
        except urllib.error.HTTPError as refusal:
            wait = float(refusal.headers.get("Retry-After") or 0)
            return refusal.code, json.load(refusal), wait

    def received(
        self, wanted: Callable[[inbox.Delivery], bool], count: int = 1, seconds: float = PATIENCE
    ) -> list[inbox.Delivery]:
        """Wait until `count` deliveries are `wanted`, and return them in the order of arrival."""
        sqs = self.client("sqs")
        deadline = time.monotonic() + seconds
        while True:
            self.deliveries += self.persons.new()
            found = [entry for entry in self.deliveries if wanted(entry)]
            if len(found) >= count or time.monotonic() > deadline:
                break
            inbox.receive(
                sqs, self.inbox_url, self.folder / "inbox.jsonl", self.deliveries.append, wait=1
            )
        assert len(found) >= count, f"{len(found)} of {count} deliveries arrived"
        return found


@pytest.fixture(scope="session")
def built() -> package.Package:
    """The package of the stage `local`, as `make run` deploys it."""
    return package.build(local.STAGE)


@contextmanager
def deployed(built: package.Package, folder: Path) -> Iterator[Stack]:
    """The packaged stack on a local AWS of its own."""
    with Emulator(folder, free_port()) as emulator:
        facts, inbox_url = local.set_up(emulator, built)
        yield Stack(emulator, facts, inbox_url, folder)


@pytest.fixture(scope="session")
def stack(built: package.Package, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The packaged stack, deployed once for all tests: each uses names of its own."""
    with deployed(built, tmp_path_factory.mktemp("stack")) as up:
        yield up


@pytest.fixture(scope="module")
def stack_alone(
    built: package.Package, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """One that other files do not use: they leave dead letters, and other code."""
    with deployed(built, tmp_path_factory.mktemp("alone")) as up:
        yield up


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    """A local AWS with nothing in it."""
    with Emulator(tmp_path / "aws", free_port()) as started:
        yield started


@pytest.fixture
def tree(tmp_path: Path, built: package.Package) -> Path:
    """A copy of this tree to change and to run from, with this one's environments and package."""
    return copied(tmp_path / "tree", built)


def copied(copy: Path, built: package.Package) -> Path:
    """See `tree`."""
    shutil.copytree(ROOT, copy, symlinks=True, ignore=shutil.ignore_patterns(*_NOT_COPIED))
    for name in (".venv", ".venv-aws"):
        (copy / name).symlink_to(ROOT / name)
    folder = built.zip_file.parent
    shutil.copytree(folder, copy / ".heraldo" / "packages" / folder.name)
    return copy


@pytest.fixture
def unique() -> str:
    """A name that no other test uses."""
    return f"t-{uuid.uuid4().hex[:12]}"


def to(name: str) -> dict[str, str]:
    """The attributes of an event for somebody of this name, whose mail no other test looks at."""
    return {"recipient": name, "email": f"{name}@example.com"}


def is_to(name: str) -> Callable[[inbox.Delivery], bool]:
    """Whether a delivery is a mail to them."""
    return lambda delivery: delivery.get("to") == f"{name}@example.com"


def shell_environment(emulator: Emulator) -> dict[str, str]:
    """The environment of somebody who deploys to this local AWS from a shell."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "AWS_ENDPOINT_URL": emulator.endpoint_url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
