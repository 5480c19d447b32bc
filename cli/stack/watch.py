"""Hot reload: what is saved takes the place of what runs on the local stack, if it can run at all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from cli.deploy import package
from cli.lint import check
from cli.paths import ROOT

_LOOK_EVERY: Final = 0.3
_SHOWN: Final = 3
_NEEDS_RESTART: Final = ("requirements.txt", ".chalice", "infra")

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
        functions: Iterable[str],
        lambdas: Any,
        say: Callable[[str], None],
    ) -> None:
        super().__init__(name="watch", daemon=True)
        entries = package.read_zip(built.zip_file)
        self._dependencies = {n: entries[n] for n in entries if not package.is_code(n)}
        self._functions = tuple(functions)
        self._lambdas = lambdas
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
            except (BotoCoreError, ClientError, OSError, SyntaxError) as error:
                if not self._over.is_set():
                    self._say(f"not reloaded: {error}")

    def _take(self, changed: list[str]) -> None:
        started = time.monotonic()
        later = [name for name in changed if name.startswith(_NEEDS_RESTART)]
        if later:
            self._say(f"{_listed(later)} changed: restart make run for that to take effect")
        changed = [name for name in changed if name not in later]
        if not changed:
            return
        if problems := check.problems_now():
            told = [f"  {problem}" for problem in problems]
            self._say("\n".join(["not reloaded, the last good version stays:", *told]))
            return
        self._update()
        took = time.monotonic() - started
        self._say(f"reloaded {_listed(changed)} ({took:.1f} s)")

    def _update(self) -> None:
        code = {name: file.read_bytes() for name, file in package.code_entries().items()}
        code |= package.compiled(code)
        entries = {**self._dependencies, **package.locale_entries(), **code}
        zipped = package.zipped(entries, level=1)
        for function in self._functions:
            self._lambdas.update_function_code(FunctionName=function, ZipFile=zipped)


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
