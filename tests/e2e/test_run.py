"""`make run` as somebody in a terminal has it: saving, stopping, and what is left behind."""

from __future__ import annotations

import functools
import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from chalicelib.stage import Stage
from chalicelib.store import deliveries
from chalicelib.store.deliveries import Arrived
from cli.stack.emulator import client, free_port
from tests.endpoint import Endpoint, endpoint
from tests.patience import PATIENCE

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for leftovers in /proc")


class Run:
    """A `make run` with a terminal's process group, and its output line by line."""

    def __init__(self, tree: Path, port: int) -> None:
        self.tree = tree
        self.port = port
        self.lines: list[str] = []
        self._coming: queue.Queue[str | None] = queue.Queue()
        self.process = subprocess.Popen(
            ["make", "run"],
            cwd=tree,
            env={"PATH": os.environ["PATH"], "HOME": str(tree), "HERALDO_PORT": str(port)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._coming.put(line.rstrip("\n"))
        self._coming.put(None)

    def until(self, words: str, seconds: float = PATIENCE) -> str:
        """Wait for the next line that has `words` in it."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                line = self._coming.get(timeout=max(deadline - time.monotonic(), 0.01))
            except queue.Empty:
                raise AssertionError(f"no {words!r} in time after: {self.lines}") from None
            assert line is not None, f"it ended without {words!r}: {self.lines}"
            self.lines.append(line)
            if words in line:
                return line

    def interrupt(self) -> None:
        """What Ctrl-C does: the terminal signals the whole foreground group."""
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(PATIENCE)

    def leftovers(self) -> list[str]:
        """Processes that work in this tree, wherever they hang."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    folder = str((entry / "cwd").readlink())
                    command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                except OSError:
                    continue
                if folder.startswith(str(self.tree)):
                    found.append(f"{entry.name} {command}")
        return found

    def assert_nothing_is_left(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while self.leftovers() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert self.leftovers() == []
        assert list((self.tree / ".heraldo").glob("*/tmp")) == []
        assert not (self.tree / ".heraldo" / "local.json").exists()
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", self.port))

    def local(self) -> dict[str, str]:
        found: dict[str, str] = json.loads((self.tree / ".heraldo" / "local.json").read_text())
        return found

    def shown(self, count: int) -> Sequence[Arrived]:
        """What the console's inbox has, once it has so many."""
        handle = Stage("local", lambda service: client(service, self.local()["endpoint_url"]))
        deadline = time.monotonic() + PATIENCE
        while True:
            found, _ = deliveries.newest(handle, 50)
            if len(found) >= count or time.monotonic() > deadline:
                return found
            time.sleep(0.05)

    def get(self, path: str) -> object:
        with urllib.request.urlopen(self.local()["api_url"] + path, timeout=PATIENCE) as answer:
            return json.load(answer)

    def post(self, event: dict[str, object], status: int = 202) -> None:
        local = self.local()
        request = urllib.request.Request(
            local["api_url"] + "/events",
            json.dumps(event).encode(),
            {
                "Authorization": f"Bearer {local['api_key']}",
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            assert answer.status == status

    def heraldo(self, *words: str) -> str:
        """What a command of this tree prints."""
        done = subprocess.run(
            ["./heraldo", *words], cwd=self.tree, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture
def run(tree: Path) -> Iterator[Run]:
    started = Run(tree, free_port())
    yield started
    if started.process.poll() is None:
        started.interrupt()
    started.assert_nothing_is_left()


def test_a_delivery_is_shown_and_the_inbox_has_it(run: Run) -> None:
    assert run.until("Heraldo is up: http://127.0.0.1:").endswith("/api")
    run.post({"type": "critical.alert", **_alert("Sin luz en el almacén")})
    assert "critical.alert" in run.until("Sin luz en el almacén")

    inbox = subprocess.run(
        ["./heraldo", "inbox", "--wait", "20", "--json"],
        cwd=run.tree,
        capture_output=True,
        text=True,
        check=True,
    )
    received = [json.loads(line) for line in inbox.stdout.splitlines()]
    assert {d["topic"] for d in received} == {"alerts", "company"}
    assert all("Sin luz en el almacén" in d["subject"] for d in received)
    assert {one.place.partition("/")[2] for one in run.shown(2)} == {
        d["message_id"] for d in received
    }


def test_a_saved_template_takes_effect_and_a_broken_one_does_not(run: Run) -> None:
    template = run.tree / "templates" / "critical.alert" / "es.j2"
    good = template.read_text("utf-8")
    run.until("Heraldo is up")
    run.post({"type": "critical.alert", **_alert("uno")})
    run.until("uno")

    template.write_text(_with_subject(good, "Nuevas palabras"))
    run.until("reloaded templates/critical.alert/es.j2")
    run.post({"type": "critical.alert", **_alert("dos")})
    run.until("Nuevas palabras")

    template.write_text(_with_subject("\n" + good, "{{ nobody }"))
    line = 1 + good[: good.index("{% block subject %}")].count("\n") + 1
    run.until("not reloaded")
    run.until(f"templates/critical.alert/es.j2:{line}: ")
    run.post({"type": "critical.alert", **_alert("tres")})
    run.until("Nuevas palabras")


def test_saved_rules_and_code_take_effect_and_broken_ones_do_not(run: Run) -> None:
    rules = run.tree / "chalicelib" / "routing.toml"
    good = rules.read_text("utf-8")
    run.until("Heraldo is up")

    rules.write_text(
        good + '\n[[rule]]\nname = "x"\npattern.type = ["critical.alert"]\nto = ["topic:nobody"]\n'
    )
    run.until("not reloaded")
    run.until("chalicelib/routing.toml:")
    rules.write_text(good.replace('to = ["topic:alerts", "topic:company"]', 'to = ["topic:users"]'))
    run.until("reloaded chalicelib/routing.toml")
    run.post({"type": "critical.alert", **_alert("cuatro")})
    assert "  users " in run.until("cuatro")

    api = run.tree / "chalicelib" / "door" / "api.py"
    mended = '\ndef get_health(_request: Request) -> Answer:\n    return Answer(200, {"status": "mended"})\n'
    api.write_text(api.read_text("utf-8") + mended)
    run.until("reloaded chalicelib/door/api.py")
    assert run.get("/health") == {"status": "mended"}

    (run.tree / "chalicelib" / "names.py").write_text("import nothing_of_that_name\n")
    run.until("not reloaded")
    assert "nothing_of_that_name" in run.until("chalicelib/names.py:1")


@pytest.fixture
def erp() -> Iterator[Endpoint]:
    with endpoint() as found:
        yield found


def test_a_lane_a_topic_a_webhook_and_a_type_are_a_line_each_while_it_runs(
    run: Run, erp: Endpoint
) -> None:
    rules = run.tree / "chalicelib" / "routing.toml"
    before = rules.read_text("utf-8")
    run.until("Heraldo is up")
    key = run.local()["api_key"]

    shutil.copytree(run.tree / "templates" / "critical.alert", run.tree / "templates" / "stock.low")
    sample = run.tree / "templates" / "stock.low" / "sample.json"
    sample.write_text(sample.read_text("utf-8").replace("critical.alert", "stock.low"), "utf-8")
    rule = f'''[webhooks]
erp = {{ local = "{erp.url}" }}
[[rule]]
name = "stock"
pattern.type = ["stock.low"]
to = ["topic:buyers", "webhook:erp"]
'''
    with_lane = before.replace("[lanes]\n", '[lanes]\nstock = ["stock.*"]\n')
    with_both = with_lane.replace("[topics]\n", '[topics]\nbuyers = { locales = ["es"] }\n')
    rules.write_text(f"{with_both}\n{rule}", "utf-8")
    run.until("written anew: .chalice/config.json")
    run.until("lanes, topics or webhooks have changed: deploying")
    run.until("reloaded ")
    assert run.local()["api_key"] == key
    two = {"type": "stock.low", "id": "s-1", **_alert("Quedan dos lámparas")}
    run.post(two)
    run.post(two, status=200)
    assert "  buyers " in run.until("Quedan dos lámparas")
    secret = run.heraldo("webhooks", "secret", "erp")
    posted = erp.arrived.get(timeout=PATIENCE)
    assert posted.verified(secret)["data"]["summary"] == "Quedan dos lámparas"

    # What is taken out with something in it stays, and so does all that was there.
    aws = functools.partial(client, endpoint_url=run.local()["endpoint_url"])
    [mapping] = aws("lambda").list_event_source_mappings(FunctionName="heraldo-local-stock")[
        "EventSourceMappings"
    ]
    aws("lambda").update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    run.post({"type": "stock.low", **_alert("Queda una lámpara")})
    stock, away = run.tree / "templates" / "stock.low", run.tree / "stock.low"
    stock.rename(away)
    rules.write_text(before, "utf-8")
    run.until("not reloaded: Nothing was changed.")
    run.until("lane stock has 1 event waiting. Put its line back")
    away.rename(stock)
    rules.write_text(f"{with_both}\n{rule}\n", "utf-8")
    run.until("reloaded chalicelib/routing.toml")
    aws("lambda").update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)
    assert "  buyers " in run.until("Queda una lámpara")
    assert (
        erp.arrived.get(timeout=PATIENCE).verified(secret)["data"]["summary"] == "Queda una lámpara"
    )
    assert [heard.verified(secret)["id"] for heard in erp.heard].count("s-1") == 1
    _until_posted(aws("sqs"))
    life = json.loads(run.heraldo("status", "s-1", "--json"))
    assert life["messages"]["webhook:erp"] == posted.headers["webhook-id"]
    assert life["outcomes"]["webhook:erp"] == "delivered"

    stock.rename(away)
    rules.write_text(before, "utf-8")
    run.until("reloaded chalicelib/routing.toml")
    local = run.local()
    assert "stock" not in local["queues"]
    assert "buyers" not in local["topics"]
    names = [url.rsplit("/", 1)[1] for url in aws("sqs").list_queues()["QueueUrls"]]
    assert not any("stock" in name or "webhooks" in name for name in names)
    assert not any("buyers" in t["TopicArn"] for t in aws("sns").list_topics()["Topics"])
    run.post({"type": "critical.alert", **_alert("seis")})
    run.until("seis")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_stopping_it_leaves_nothing_behind(run: Run, number: signal.Signals) -> None:
    run.until("Heraldo is up")
    run.post({"type": "critical.alert", **_alert("cinco")})
    run.until("cinco")
    assert run.leftovers()

    if number == signal.SIGINT:
        run.interrupt()
    else:
        run.process.terminate()
        run.process.wait(PATIENCE)
    run.assert_nothing_is_left()


def test_the_local_aws_dies_with_a_parent_that_is_killed(run: Run) -> None:
    run.until("Heraldo is up")
    [parent] = [line.split()[0] for line in run.leftovers() if "cli.stack.local" in line]
    os.kill(int(parent), signal.SIGKILL)

    run.process.wait(PATIENCE)
    deadline = time.monotonic() + PATIENCE
    while run.leftovers() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert run.leftovers() == []

    again = Run(run.tree, run.port)
    again.until("Heraldo is up")
    again.interrupt()
    again.assert_nothing_is_left()


def test_a_stop_while_it_starts_leaves_nothing_behind(run: Run) -> None:
    run.until("Deploying")
    run.interrupt()
    run.assert_nothing_is_left()


def test_a_taken_port_is_told_in_one_sentence_before_anything_starts(tree: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        run = Run(tree, taken.getsockname()[1])
        line = run.until("is taken")
        run.process.wait(PATIENCE)
    assert run.process.returncode != 0
    assert line.startswith(f"Port {run.port} is taken; ")
    assert run.lines == [line]
    assert run.leftovers() == []


def test_two_that_run_from_one_clone_leave_each_other_alone(run: Run) -> None:
    run.until("Heraldo is up")
    other = Run(run.tree, free_port())
    try:
        other.until("Heraldo is up")
        run.interrupt()
        assert other.local()["endpoint_url"].endswith(f":{other.port}")
        other.post({"type": "critical.alert", **_alert("Sigue en pie")})
        other.until("Sigue en pie")
    finally:
        other.interrupt()
    other.until("Stopped.")


def test_a_tree_that_cannot_run_is_told_with_file_and_line(run: Run) -> None:
    run.interrupt()
    (run.tree / "templates" / "critical.alert" / "es.j2").write_text("\n\n{% block %}")
    broken = Run(run.tree, run.port)
    broken.until("This tree is not fit to be deployed")
    broken.until("templates/critical.alert/es.j2:3: ")
    broken.process.wait(PATIENCE)
    assert broken.process.returncode != 0


def _until_posted(sqs: Any) -> None:
    """Wait until nothing lies in the queue of webhooks."""
    url = sqs.get_queue_url(QueueName="heraldo-local-webhooks.fifo")["QueueUrl"]
    deadline = time.monotonic() + PATIENCE
    left = 1
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        got = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        left = sum(int(n) for name, n in got.items() if name.startswith("ApproximateNumberOf"))
    assert not left


def _alert(title: str) -> dict[str, object]:
    file = Path(__file__).parents[2] / "templates" / "critical.alert" / "sample.json"
    data = json.loads(file.read_text("utf-8"))["data"]
    return {"data": {**data, "summary": title}}


def _with_subject(template: str, subject: str) -> str:
    start = template.index("{% block subject %}") + len("{% block subject %}")
    return template[:start] + subject + template[template.index("{% endblock %}", start) :]
