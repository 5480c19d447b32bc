"""Templates that were compiled when they were packaged, beside them as bytecode is beside modules."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from jinja2 import BytecodeCache, Environment, FileSystemLoader, StrictUndefined
from jinja2.bccache import Bucket

FOLDER: Final = "__pycache__"


class Compiled(BytecodeCache):
    """What was compiled of the templates below `root`, for one environment of those that read them.

    A template of which there is nothing, or something of another text, another Python or another Jinja, is compiled as
    ever.
    """

    def __init__(self, root: Path, environment: str = "pages") -> None:
        self.folder = root / FOLDER / environment

    def get_cache_key(self, name: str, filename: str | None = None) -> str:  # noqa: ARG002 (Jinja's)
        return name

    def load_bytecode(self, bucket: Bucket) -> None:
        try:
            content = (self.folder / bucket.key).read_bytes()
        except OSError:
            return
        bucket.bytecode_from_string(content)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Nothing: a function may not write, and a tree is not written into."""


def of_pages(folder: Path) -> Environment:
    """What pages are made in, of the templates in a folder: nothing that somebody typed is ever markup."""
    return Environment(
        loader=FileSystemLoader(folder),
        bytecode_cache=Compiled(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
