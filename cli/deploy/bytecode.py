"""What is compiled when it is packaged, for Lambda cannot keep what it compiles: without it every cold start compiles
everything anew.
"""

from __future__ import annotations

import functools
import importlib.util
import marshal
from collections.abc import Callable, Iterator, Mapping
from typing import cast

import jinja2

from chalicelib.console import web
from chalicelib.door import page
from chalicelib.words import mail
from chalicelib.words.compiled import Compiled
from chalicelib.words.render import Templates
from cli.paths import ROOT


def modules(entries: Mapping[str, bytes]) -> dict[str, bytes]:
    """The bytecode of every module among `entries`, under its name in the zip.

    Unchecked: the source's time and hash are not looked at, as PEP 552 has it.
    """
    return {
        importlib.util.cache_from_source(name): _module(name, content)
        for name, content in entries.items()
        if name.endswith(".py")
    }


@functools.cache
def _module(name: str, source: bytes) -> bytes:
    code = compile(source, name, "exec", dont_inherit=True)
    unchecked = (1).to_bytes(4, "little")
    header = importlib.util.MAGIC_NUMBER + unchecked + importlib.util.source_hash(source)
    return header + marshal.dumps(code)


def templates() -> dict[str, bytes]:
    """The bytecode of every template, under its name in the zip; see chalicelib/words/compiled.py."""
    words = Templates(ROOT / "templates")
    found: dict[str, bytes] = {}
    for environment, wanted in (
        (words.environment, lambda name: name != mail.LAYOUT),
        (words.stationery.environment, lambda name: name.startswith("_")),
        (page.environment(), lambda _: True),
        (web.environment(), lambda _: True),
    ):
        found.update(_templates(environment, wanted))
    return found


def _templates(
    environment: jinja2.Environment, wanted: Callable[[str], bool]
) -> Iterator[tuple[str, bytes]]:
    cache = cast(Compiled, environment.bytecode_cache)
    loader = cast(jinja2.BaseLoader, environment.loader)
    for name in filter(wanted, environment.list_templates(["j2"])):
        source, _, _ = loader.get_source(environment, name)
        bucket = cache.get_bucket(environment, name, None, source)
        # By its name alone: no path of this machine is in it.
        bucket.code = environment.compile(source, name, name)
        yield (cache.folder / name).relative_to(ROOT).as_posix(), bucket.bytecode_to_string()
