"""How long `./heraldo lint` takes for a hundred event types, beside Jinja compiling the same files.

    python benchmarks/lint.py [--types 100]

The types are the shipped ones, copied under other names. Lint parses, reads what each template needs,
renders every sample and checks it; Jinja's own compilation of the files is what no lint can do without.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from chalicelib.words.render import Templates
from cli.lint.findings import lint

ROOT = Path(__file__).parents[1]


def grown_tree(root: Path, types: int) -> None:
    """A tree of `types` event types below `root`."""
    shutil.copytree(ROOT / "templates" / "_layouts", root / "templates" / "_layouts")
    (root / "chalicelib").mkdir()
    shutil.copy(ROOT / "chalicelib" / "routing.toml", root / "chalicelib")
    shipped = Templates(ROOT / "templates").types
    for number in range(types):
        original = shipped[number % len(shipped)]
        name = f"{original.split('.')[0]}.n{number}"
        folder = root / "templates" / name
        shutil.copytree(ROOT / "templates" / original, folder)
        sample = folder / "sample.json"
        event = json.loads(sample.read_text("utf-8"))
        sample.write_text(json.dumps({**event, "type": name}), "utf-8")


def compile_all(root: Path) -> None:
    known = Templates(root / "templates")
    for event_type in known.types:
        for locale in known.locales(event_type):
            known.environment.get_template(f"{event_type}/{locale}.j2")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--types", type=int, default=100)
    types = parser.parse_args().types
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        grown_tree(root, types)
        took = {"lint": 9e9, "compile": 9e9}
        for _ in range(3):
            for name, run in (("compile", compile_all), ("lint", lint)):
                began = time.perf_counter()
                run(root)
                took[name] = min(took[name], time.perf_counter() - began)
    print(f"{types} types, two locales each, best of three")
    print(f"Jinja compiles them in  {took['compile']:.2f} s")
    print(
        f"lint takes              {took['lint']:.2f} s, {took['lint'] / took['compile']:.1f} times that"
    )


if __name__ == "__main__":
    main()
