"""`make run`: the whole system on this machine, in the foreground, until Ctrl-C."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import os
import secrets
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Collection, Iterator
from types import FrameType
from typing import Any, Final, NoReturn, TypedDict

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import names
from chalicelib.rules import reading
from chalicelib.rules.reading import RoutingError
from chalicelib.stage import Stage
from chalicelib.store import deliveries
from cli.deploy import deploy, generated, package, policies
from cli.deploy.cloudformation import DeployError
from cli.paths import ROOT, ROUTING
from cli.stack import inbox, watch, where
from cli.stack.emulator import REGION, Emulator, EmulatorError, check_port
from cli.stack.receipts import Receipts
from cli.stages import StagesError
from cli.words.layouts import LayoutError

STAGE: Final = "local"
_HEALTH_TIMEOUT: Final = 30.0


class Local(TypedDict):
    """What `.heraldo/local.json` says of the running stack."""

    endpoint_url: str
    api_url: str
    api_key: str
    region: str
    queues: dict[str, str]
    topics: dict[str, str]


_TOLD: Final = (EmulatorError, package.PackageError, DeployError)


_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_asked: Final = threading.Event()


class _Stopped(BaseException):
    """Somebody asked us to stop: Ctrl-C or SIGTERM."""


def main() -> int:
    """Run until stopped; whatever happens, leave nothing running."""
    for number in _SIGNALS:
        signal.signal(number, _stop)
    try:
        port = _port()
        check_port(port)
        os.environ["HERALDO_STAGE"] = STAGE
        where.home(port).mkdir(parents=True, exist_ok=True)
        emulator = Emulator(where.home(port), port)
        try:
            _run(emulator)
        finally:
            with _undisturbed():
                if _asked.is_set():
                    _say("Stopping")
                emulator.kill()
                where.forget(port)
            _clean(emulator)
    except _Stopped:
        _say("Stopped.")
        return 0
    except (*_TOLD, RoutingError, StagesError, LayoutError) as error:
        print(error, file=sys.stderr)
    except (BotoCoreError, ClientError, OSError) as error:
        print(f"The local AWS refused to be set up: {error}", file=sys.stderr)
    return 1


def _run(emulator: Emulator) -> None:
    if renewed := generated.renew():
        _say(f"Written anew, for what is declared: {', '.join(p.name for p in renewed)}")
    since = watch.snapshot()
    _say("Packaging")
    built = package.build(STAGE)
    _say(f"Starting the local AWS on port {emulator.port}")
    emulator.start()
    _say("Deploying")
    local, queue = set_up(emulator, built)
    (where.home(emulator.port) / "inbox.jsonl").write_text("", "utf-8")
    where.write(emulator.port, local)

    over = threading.Event()
    topics = threading.Thread(
        target=_deliver, args=(emulator, queue, over), name="inbox", daemon=True
    )

    def redeploy() -> None:
        where.write(emulator.port, set_again(emulator, local))

    persons = threading.Thread(
        target=_deliver_to_persons, args=(emulator, over), name="mails", daemon=True
    )
    reload = watch.Watch(built, since, emulator.client("lambda"), redeploy, _say)
    topics.start()
    persons.start()
    reload.start()
    _greet(local)
    try:
        while not emulator.failed():
            if _asked.wait(1):
                raise _Stopped
        raise EmulatorError(f"The local AWS died: {emulator.last_words()} (see {emulator.log})")
    finally:
        over.set()
        reload.stop()


def set_again(emulator: Emulator, local: Local) -> Local:
    """Deploy once more, with the lanes and topics that are declared by now; the key stays.

    Raises
    ------
    DeployError : nothing has changed, and the inbox hears what it heard before.
    """
    sqs, sns = emulator.client("sqs"), emulator.client("sns")
    built = package.build(STAGE)
    declared = reading.read(ROOT / ROUTING, STAGE).topics
    try:
        inbox.unsubscribe(sns, [arn for t, arn in local["topics"].items() if t not in declared])
        again, _ = set_up(emulator, built, local["api_key"])
    except DeployError:
        inbox.subscribe(sqs, sns, inbox.heard(local["topics"]))
        raise
    local.update(again)
    return local


def set_up(emulator: Emulator, built: package.Package, key: str = "") -> tuple[Local, str]:
    """Deploy to a local AWS that has started; return once the API answers.

    Returns the stack, and the URL of the inbox's queue.
    """
    stack = deploy.deploy(built, emulator.client, say=lambda _: None, quiet=0)
    _put_gateway_responses(emulator.client("apigateway"), stack.outputs["RestAPIId"], built)
    sqs, sns = emulator.client("sqs"), emulator.client("sns")
    routing = reading.read(ROOT / ROUTING, STAGE)
    topics = [topic["TopicArn"] for topic in sns.list_topics()["Topics"]]
    arns = {arn.rsplit(":", 1)[1]: arn for arn in topics}
    local: Local = {
        "endpoint_url": emulator.endpoint_url,
        "api_url": f"{emulator.endpoint_url}/_aws/execute-api/{stack.outputs['RestAPIId']}/api",
        "api_key": key or _create_key(emulator.client("dynamodb")),
        "region": REGION,
        "queues": {
            lane: sqs.get_queue_url(QueueName=names.queue(STAGE, lane))["QueueUrl"]
            for lane in routing.lanes
        },
        "topics": {topic: arns[names.topic(STAGE, topic)] for topic in sorted(routing.topics)},
    }
    queue = inbox.subscribe(sqs, sns, inbox.heard(local["topics"]))
    deliveries.make(Stage(STAGE, emulator.client))
    _tell_its_address(emulator.client("lambda"), local["api_url"], routing.lanes)
    _wait_for_health(local["api_url"], emulator)
    return local, queue


def _put_gateway_responses(gateway: Any, api: str, built: package.Package) -> None:
    """API Gateway's own answers, which the local AWS does not read from the template."""
    body = built.template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]
    for name, response in body["x-amazon-apigateway-gateway-responses"].items():
        gateway.put_gateway_response(restApiId=api, responseType=name, **response)
    gateway.create_deployment(restApiId=api, stageName="api")


def _tell_its_address(functions: Any, api_url: str, lanes: Collection[str]) -> None:
    """Where the API is, which on AWS stages.toml says: lanes put links to its pages into mails."""
    for function in (policies.API, *lanes):
        name = policies.function_name(STAGE, function)
        found = functions.get_function_configuration(FunctionName=name)["Environment"]
        functions.update_function_configuration(
            FunctionName=name,
            Environment={"Variables": {**found["Variables"], "HERALDO_API_URL": api_url}},
        )


def _create_key(dynamodb: Any) -> str:
    key = f"hk_{secrets.token_urlsafe(24)}"
    item = {
        "hash": hashlib.sha256(key.encode()).hexdigest(),
        "name": "local",
        "scope": "admin",
        "source": "local *",
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    dynamodb.put_item(
        TableName=names.table(STAGE, "keys"),
        Item={name: {"S": value} for name, value in item.items()},
    )
    return key


def _wait_for_health(api_url: str, emulator: Emulator) -> None:
    deadline = time.monotonic() + _HEALTH_TIMEOUT
    said = "no answer"
    while time.monotonic() < deadline and not emulator.failed():
        try:
            with urllib.request.urlopen(f"{api_url}/health", timeout=_HEALTH_TIMEOUT):  # noqa: S310
                return
        except urllib.error.HTTPError as error:
            said = f"{error.code} {error.read(2000).decode('utf-8', 'replace')}"
        except OSError as error:
            said = str(error)
        time.sleep(0.2)
    raise EmulatorError(f"GET {api_url}/health does not answer: {said} (see {emulator.log})")


def _deliver(emulator: Emulator, queue: str, over: threading.Event) -> None:
    """Show what subscribers receive, until `over`."""
    sqs = emulator.client("sqs", read_timeout=60, retries={"max_attempts": 0})
    file = where.home(emulator.port) / "inbox.jsonl"
    handle = Stage(STAGE, emulator.client)
    while not over.is_set():
        try:
            arrived = inbox.receive(sqs, queue, file, lambda entry: _say(inbox.line(entry)))
            deliveries.put(handle, arrived)
        except (BotoCoreError, ClientError, OSError, ValueError) as error:
            if over.wait(1) or emulator.failed():
                return
            _say(f"the inbox cannot be read: {error}")


def _deliver_to_persons(emulator: Emulator, over: threading.Event) -> None:
    """Show what people receive by themselves, until `over`. The longer the lists, the rarer they are read."""
    home = where.home(emulator.port)
    persons = inbox.Persons(emulator.endpoint_url)
    handle = Stage(STAGE, emulator.client)
    receipts = Receipts(handle)
    pause = 0.3
    while not over.wait(pause):
        begun = time.monotonic()
        try:
            fresh = persons.new()
            inbox.keep(home / "inbox.jsonl", fresh, lambda entry: _say(inbox.line(entry)))
            (home / inbox.LOOKED).touch()
            for mail in fresh:
                if mail["channel"] == "email":
                    receipts.sent(mail["message_id"], mail["to"])
            receipts.tell()
            deliveries.put(handle, fresh)
        except (BotoCoreError, ClientError, OSError, ValueError) as error:
            if over.wait(1) or emulator.failed():
                return
            _say(f"the mails cannot be read: {error}")
        pause = max(0.3, 5 * (time.monotonic() - begun))


def _greet(local: Local) -> None:
    key = """$(sed -n 's/.*"api_key": "\\(.*\\)".*/\\1/p' .heraldo/local.json)"""
    _say(
        f"""\
Heraldo is up: {local["api_url"]}

Try, in another terminal:
  ./heraldo send order.shipped
  ./heraldo inbox --wait 10
  curl -s {local["api_url"]}/events -H "Authorization: Bearer {key}" \\
    -H 'Content-Type: application/json' -d @templates/payment.confirmed/sample.json

Saved changes to templates, chalicelib/routing.toml and code take effect at once. Ctrl-C stops all of it.
"""
    )


def _port() -> int:
    wanted = os.environ.get("HERALDO_PORT") or "4566"
    if not wanted.isdigit() or not 0 < int(wanted) < 65536:
        raise EmulatorError(f"HERALDO_PORT must be a port number, not {wanted!r}")
    return int(wanted)


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    _asked.set()  # what is raised here can be lost: Python lets nothing out of a finalizer
    raise _Stopped


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Whatever is pressed now, nothing is left running."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    yield
    for number in _SIGNALS:
        signal.signal(number, _stop)


def _clean(emulator: Emulator) -> None:
    """Remove the files of the local AWS, which can be thousands; who does not want to wait for that
    presses Ctrl-C again, and the next start removes them."""
    with contextlib.suppress(_Stopped):
        emulator.clean()


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
