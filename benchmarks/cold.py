"""What a cold start costs: imports, the first batch, and what each dependency adds.

Lambda unpacks sources without bytecode and cannot write any, while its own Python and botocore have
theirs. So each figure is taken twice: "bytecode", and "sources", where Heraldo and what it packages
are compiled at import.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import contenders
from benchmarks.noop_aws import NoopAws
from cli.deploy import bytecode as compiled
from tests.factories import customers_hear_by

RUNS: Final = 7
PACKAGED: Final = ("jinja2", "markupsafe", "babel", "chalice")
OURS: Final = ("app.py", "chalicelib", "templates")

START: Final = """
import json, sys, time
clock = time.process_time
start = clock()
import app
imported = clock()
from chalicelib.rules.reading import routing
from chalicelib.words.render import templates
from chalicelib.events.event import parse
routing()
routed = clock()
sample = json.load(open(sys.argv[1]))
event = parse(sample, default_id="e-1")
templates().render(event)
rendered = clock()
templates().render(event)
again = clock()
batch = json.load(open(sys.argv[2]))
class Context:
    def get_remaining_time_in_millis(self):
        return 30_000
app.orders(batch, Context())
first = clock()
print(json.dumps([imported - start, routed - imported, rendered - routed, again - rendered, first - again]))
"""
STEPS: Final = (
    "import app",
    "read routing.toml",
    "first render",
    "second render",
    "first batch of 10 (two AWS clients)",
)
DOOR: Final = """
import json, sys, time
start = time.process_time()
import app
class Context:
    def __getattr__(self, name):
        return name
asked = json.load(open(sys.argv[1]))
answer = app.app(asked, Context())
print(json.dumps(time.process_time() - start))
assert answer["statusCode"] == 202, answer
"""
COMPILED: Final = """
import json
from collections import Counter
from pathlib import Path
from chalicelib.words import environment
from chalicelib.events.event import parse
from chalicelib.words.render import templates
count = Counter()
compile = environment.HeraldoEnvironment.compile
def counting(self, source, name=None, *args, **options):
    count[self, name] += 1
    return compile(self, source, name, *args, **options)
environment.HeraldoEnvironment.compile = counting
found = templates()
for _ in range(20):
    for event_type in found.types:
        sample = json.loads((found.root / event_type / "sample.json").read_text())
        for locale in found.locales(event_type):
            found.mail(found.render(parse(sample, default_id="e-1"), locale))
print(json.dumps([len(count), max(count.values())]))
"""


def measure() -> None:
    with tempfile.TemporaryDirectory() as folder, NoopAws() as aws:
        bytecode, sources = Path(folder, "bytecode"), Path(folder, "sources")
        for tree in (bytecode, sources):
            _lay_out(tree)
        for name, content in compiled.templates().items():
            file = bytecode / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        batch = Path(folder, "batch.json")
        batch.write_text(json.dumps(_batch()))
        sample = contenders.ROOT / "templates" / "order.shipped" / "sample.json"
        ways = {
            "bytecode": (bytecode, {}),
            "sources": (sources, {"PYTHONDONTWRITEBYTECODE": "1"}),
        }
        variables = contenders.environment_variables(aws.url)
        _run(bytecode, variables, START, str(sample), str(batch))  # writes the bytecode
        took = {
            way: [
                json.loads(_run(tree, {**variables, **more}, START, str(sample), str(batch)))
                for _ in range(RUNS)
            ]
            for way, (tree, more) in ways.items()
        }
        print(
            f"{'CPU ms, median of ' + str(RUNS) + ' processes':40} {'bytecode':>9} {'sources':>9}"
        )
        for number, step in enumerate(STEPS):
            columns = [median(run[number] for run in took[way]) * 1000 for way in ways]
            print(f"{step:40} {columns[0]:9.1f} {columns[1]:9.1f}")
        whole = [median(sum(run) - run[3] for run in took[way]) * 1000 for way in ways]
        print(f"{'all of it, without the second render':40} {whole[0]:9.1f} {whole[1]:9.1f}")

        asked = Path(folder, "asked.json")
        asked.write_text(json.dumps(_asked()))
        signed = {**variables, "HERALDO_AUTH": "iam"}  # no key is looked up
        at_door = {
            way: [json.loads(_run(tree, {**signed, **more}, DOOR, str(asked))) for _ in range(RUNS)]
            for way, (tree, more) in ways.items()
        }
        columns = [median(at_door[way]) * 1000 for way in ways]
        print(f"{'import app, and a first POST /events':40} {columns[0]:9.1f} {columns[1]:9.1f}")

        _against_the_textbook(bytecode, signed)

        print(f"\n{'of import app, by package':40} {'bytecode':>9} {'sources':>9}")
        parts = {way: _parts(tree, {**variables, **more}) for way, (tree, more) in ways.items()}
        for name in sorted(parts["sources"], key=lambda found: -parts["sources"][found])[:12]:
            columns = [parts[way].get(name, 0.0) for way in ways]
            print(f"{name:40} {columns[0]:9.1f} {columns[1]:9.1f}")

        print(
            f"\n{'dependency, imported alone':40} {'bytecode':>9} {'sources':>9} {'MiB':>6} {'files':>6}"
        )
        for module in (
            "jinja2",
            "markupsafe",
            "babel.dates",
            "chalice.app",
            "botocore.session",
            "boto3",
        ):
            code = (
                "import time; start = time.process_time(); "
                f"import {module}; print((time.process_time() - start) * 1000)"
            )
            columns = [
                median(float(_run(tree, {**variables, **more}, code)) for _ in range(RUNS))
                for tree, more in ways.values()
            ]
            size, files = _size(module.partition(".")[0])
            print(f"{module:40} {columns[0]:9.1f} {columns[1]:9.1f} {size:6.1f} {files:6}")

        names, most = json.loads(_run(sources, variables, COMPILED))
        print(
            f"\n20 mails of every type and locale compiled {names} templates, each {most} time(s)."
        )


# The same two clients, by who needs them: what there is to be had without any code of ours, what a plain Chalice app
# with boto3 and Jinja takes, and what our functions do.
_LOADED: Final = {
    "the floor: botocore and its clients": """
import botocore.session
session = botocore.session.get_session()
session.create_client({0!r}), session.create_client({1!r})
""",
    "the textbook: chalice, boto3, jinja2, the clients": """
import chalice, jinja2, boto3
app = chalice.Chalice("x")
boto3.client({0!r}), boto3.client({1!r})
""",
    "ours": """
import {2}
from chalicelib import aws
aws.stage().client({0!r}), aws.stage().client({1!r})
""",
}
_NEEDED: Final = {
    "a lane": ("heraldo-local-orders", "dynamodb", "sns", "chalicelib.lanes.entry"),
    "a lane of plain chalice": ("heraldo-local-orders", "dynamodb", "sns", "app"),
    "the door": ("heraldo-local", "dynamodb", "sqs", "app"),
}
_ROUNDS: Final = 15


def _against_the_textbook(tree: Path, variables: dict[str, str]) -> None:
    """CPU of the same start, three ways in turns; what it is of the textbook's."""
    for who, (function, *needs) in _NEEDED.items():
        took: dict[str, list[float]] = {way: [] for way in _LOADED}
        for _ in range(_ROUNDS):
            for way, code in _LOADED.items():
                timed = f"import time; start = time.process_time()\n{code.format(*needs)}\n"
                timed += "print(time.process_time() - start)"
                named = {**variables, "AWS_LAMBDA_FUNCTION_NAME": function}
                took[way].append(float(_run(tree, named, timed)))
        textbook = median(took["the textbook: chalice, boto3, jinja2, the clients"])
        print(
            f"\n{who}, with {' and '.join(needs[:2])}, {_ROUNDS} rounds in turns: CPU ms, of the textbook"
        )
        for way, seconds in took.items():
            own = median(seconds)
            print(f"{way:52} {own * 1000:6.1f}  {own / textbook:.2f}")


def _lay_out(tree: Path) -> None:
    """A folder as Lambda unpacks it; botocore stays where it is, with its bytecode."""
    tree.mkdir()
    ignore = shutil.ignore_patterns("__pycache__")
    for name in OURS:
        source = contenders.ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=ignore)
        else:
            shutil.copy(source, tree)
    rules = tree / "chalicelib" / "routing.toml"
    rules.write_text(customers_hear_by("topic:users", rules.read_text("utf-8")), "utf-8")
    for name in PACKAGED:
        shutil.copytree(_folder(name), tree / name, ignore=ignore)


def _batch() -> dict[str, Any]:
    from benchmarks.worker import batches_of

    return batches_of(1, 0)[0]


def _asked() -> dict[str, Any]:
    """A `POST /events` as API Gateway hands it over, of a caller that signs."""
    from benchmarks.worker import shipped

    event = {name: value for name, value in shipped(1).items() if name != "source"}
    identity = {"userArn": "arn:aws:iam::123456789012:user/shop"}
    return {
        "body": json.dumps(event),
        "isBase64Encoded": False,
        "headers": {"Content-Type": "application/json"},
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "requestContext": {
            "httpMethod": "POST",
            "identity": identity,
            "resourcePath": "/events",
        },
        "stageVariables": None,
    }


def _run(tree: Path, variables: dict[str, str], code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=tree,
        env={**variables, "PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout


def _parts(tree: Path, variables: dict[str, str]) -> dict[str, float]:
    """Milliseconds that each top-level package's own modules take, from -X importtime."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import app"],
        cwd=tree,
        env={**variables, "PYTHONPATH": str(tree)},
        stderr=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, float] = {}
    for line in done.stderr.splitlines():
        own, _, name = (part.strip() for part in line.removeprefix("import time:").split("|"))
        if own.isdigit():
            top = name.partition(".")[0]
            if top in sys.stdlib_module_names or top.startswith("_"):
                top = "standard library"
            found[top] = found.get(top, 0.0) + int(own) / 1000
    return found


def _folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent


def _size(package: str) -> tuple[float, int]:
    """MiB and files of a package as it is installed, without bytecode."""
    files = [
        Path(folder, name)
        for folder, _, names in os.walk(_folder(package))
        for name in names
        if not name.endswith(".pyc")
    ]
    return sum(file.stat().st_size for file in files) / 2**20, len(files)
