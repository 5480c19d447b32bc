"""Hot reload: what is saved takes the place of what runs on the local stack, if it can run at all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError
from click import ClickException

from chalicelib.rules import reading
from chalicelib.rules.reading import RoutingError
from cli import stages
from cli.deploy import bytecode, generated, package, policies
from cli.deploy.cloudformation import DeployError
from cli.lint import check
from cli.paths import ROOT, ROUTING
from cli.stack.emulator import EmulatorError

_LOOK_EVERY: Final = 0.3
_SHOWN: Final = 3
_NEEDS_RESTART: Final = ("requirements.txt", ".chalice", "infra", stages.FILE)

Snapshot = dict[str, tuple[int, int]]


class Watch(threading.Thread):
    """Watches the tree and brings every saved change to `functions`, until `stop` is called.

    It looks at the files' times instead of asking the kernel for changes: a hundred files cost less
    than a millisecond, and it works the same for every editor, file system and platform.
    """

    def __init__(
        self,
        built: package.Package,
        since: Snapshot,
        lambdas: Any,
        redeploy: Callable[[], None],
        say: Callable[[str], None],
    ) -> None:
        super().__init__(name="watch", daemon=True)
        entries = package.read_zip(built.zip_file)
        self._dependencies = {n: entries[n] for n in entries if not package.is_code(n)}
        self._lambdas = lambdas
        self._redeploy = redeploy
        self._running = _declared()
        self._say = say
        self._over = threading.Event()
        self._known = since

    def stop(self) -> None:
        """End it, within the time that one look takes."""
        self._over.set()

    def run(self) -> None:
        while not self._over.wait(_LOOK_EVERY):
            now = snapshot()
            if now == self._known:
                continue
            while not self._over.wait(_LOOK_EVERY / 3):  # an editor or git may still be writing
                before, now = now, snapshot()
                if before == now:
                    break
            changed = sorted(
                name
                for name in now.keys() | self._known.keys()
                if now.get(name) != self._known.get(name)
            )
            self._known = now
            try:
                self._take(changed)
            except (
                *(BotoCoreError, ClientError, OSError, SyntaxError),
                *(DeployError, package.PackageError, EmulatorError),
            ) as error:
                if not self._over.is_set():
                    self._say(f"not reloaded: {error}")

    def _take(self, changed: list[str]) -> None:
        started = time.monotonic()
        if any(name == ROUTING or name.endswith(".mjml") for name in changed):
            self._renew()
        later = [name for name in changed if name.startswith(_NEEDS_RESTART)]
        if wrong := self._generated_otherwise(later):
            self._say(
                f"{_listed(wrong)}: not what is generated; `{generated.COMMAND}` writes it anew"
            )
        elif later:
            self._say(f"{_listed(later)} changed: restart make run for that to take effect")
        changed = [name for name in changed if name not in later]
        if not changed:
            return
        if problems := check.problems_now():
            told = [f"  {problem}" for problem in problems]
            self._say("\n".join(["not reloaded, the last good version stays:", *told]))
            return
        wanted = _declared()
        if wanted != self._running:
            self._say("lanes, topics or webhooks have changed: deploying")
            self._redeploy()
            self._running = wanted
        else:
            self._update()
        took = time.monotonic() - started
        self._say(f"reloaded {_listed(changed)} ({took:.1f} s)")

    def _generated_otherwise(self, changed: list[str]) -> list[str]:
        """Which of these files follow from what is declared, and no longer say so."""
        try:
            stale = {path.relative_to(ROOT).as_posix() for path in generated.stale()}
        except (RoutingError, ClickException, OSError, ValueError):  # told by the check
            return []
        return [name for name in changed if name in stale]

    def _renew(self) -> None:
        """Write what follows from what is declared; where that cannot be read, the check says why."""
        try:
            renewed = generated.renew()
        except (RoutingError, ClickException):
            return
        if renewed:
            self._say(f"written anew: {_listed([f.relative_to(ROOT).as_posix() for f in renewed])}")
        mine = {path.relative_to(ROOT).as_posix() for path in renewed}
        self._known = {n: s for n, s in self._known.items() if n not in mine} | {
            n: s for n, s in snapshot().items() if n in mine
        }

    def _update(self) -> None:
        code = {name: file.read_bytes() for name, file in package.code_entries().items()}
        code |= bytecode.modules(code)
        entries = {**self._dependencies, **package.locale_entries(), **code}
        zipped = package.zipped(entries, level=1)
        lanes, _, posts = self._running
        for function in policies.functions(lanes, posts=bool(posts)):
            name = policies.function_name(stages.LOCAL, function)
            self._lambdas.update_function_code(FunctionName=name, ZipFile=zipped)


def _declared() -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """The names of the lanes, topics and webhooks that there are to be."""
    routing = reading.read(ROOT / ROUTING, stages.LOCAL)
    webhooks = (name for name, webhook in routing.webhooks.items() if webhook.url)
    return tuple(sorted(routing.lanes)), tuple(sorted(routing.topics)), tuple(sorted(webhooks))


def snapshot() -> Snapshot:
    """The watched files as they are now."""
    found: Snapshot = {}
    for file in package.watched_files():
        try:
            status = file.stat()
        except FileNotFoundError:
            continue
        found[file.relative_to(ROOT).as_posix()] = (status.st_mtime_ns, status.st_size)
    return found


def _listed(files: list[str]) -> str:
    shown = ", ".join(files[:_SHOWN])
    return f"{shown} and {len(files) - _SHOWN} more" if len(files) > _SHOWN else shown
