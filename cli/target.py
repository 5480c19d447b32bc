"""Which Heraldo a command talks to: the local stack, or a stage on AWS."""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import boto3
import click
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import NoCredentialsError, NoRegionError

from chalicelib.rules import reading
from chalicelib.rules.reading import RoutingError
from chalicelib.stage import Stage
from cli import region
from cli.paths import ROOT, ROUTING
from cli.stack import where
from cli.stages import STAGE, stages

stage_option: Final = click.option(
    "--stage",
    type=STAGE,
    help="A stage on AWS, such as dev or prod; without it, the local stack.",
)
json_option: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class Unreachable(click.ClickException):
    """There is nothing to talk to; the message says what to do about it."""


@dataclass(frozen=True)
class Target:
    """A running Heraldo: its stage, its API and, on the local stack, its AWS endpoint."""

    stage: str
    api_url: str
    api_key: str
    endpoint_url: str | None = None
    region: str | None = None

    def client(self, service: str) -> Any:
        """A boto3 client for this stage's account; the local stack has its own credentials."""
        session: Any = _session(self)
        if self.endpoint_url is None:
            return session.client(service)
        # Where nobody listens on this machine, waiting changes nothing.
        once = Config(connect_timeout=5, retries={"total_max_attempts": 1})
        return session.client(service, endpoint_url=self.endpoint_url, config=once)

    def handle(self) -> Stage:
        """The stage as chalicelib takes it: a handle on its queues, topics and tables."""
        return Stage(self.stage, self.client)

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Call the API; gives the status and the decoded answer.

        Raises
        ------
        Unreachable : nobody answers there, or not with JSON.
        """
        headers: dict[str, str] = {}
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            # Half a surrogate pair goes as its escape, for Heraldo to refuse.
            data = json.dumps(body, ensure_ascii=False).encode(errors="backslashreplace")
        url = self.api_url.rstrip("/") + path
        headers |= self._proof(method, url, data, headers)
        try:
            answer = _pool().request(method, url, body=data, headers=headers)
            return answer.status, json.loads(answer.data)
        except urllib3.exceptions.HTTPError:
            raise Unreachable(f"Nobody answers at {self.api_url}{_hint(self.stage)}") from None
        except ValueError:
            raise Unreachable(f"{url} does not answer as Heraldo does.") from None

    def _proof(
        self, method: str, url: str, data: bytes | None, headers: Mapping[str, str]
    ) -> dict[str, str]:
        """Who asks: the key, or where the stage wants that (`auth = "iam"`) a signature of the shell's own."""
        if stages()[self.stage].auth != "iam":
            return {"Authorization": f"Bearer {self.api_key}"}
        session: Any = _session(self)
        credentials = session.get_credentials()
        if credentials is None:
            raise Unreachable(f"There are no AWS credentials to sign with. {region.REMEDY}")
        request = AWSRequest(method, url, dict(headers), data)
        frozen = credentials.get_frozen_credentials()
        SigV4Auth(frozen, "execute-api", session.region_name).add_auth(request)
        return dict(request.headers.items())


@functools.cache
def _pool() -> urllib3.PoolManager:
    # A request that was sent is not sent again here: whether that is safe depends on its id.
    return urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=5, read=35))


@functools.cache
def _session(target: Target) -> boto3.Session:
    if target.endpoint_url is None:
        return boto3.Session(region_name=target.region)
    return boto3.Session("test", "test", region_name=target.region)


def _hint(stage: str) -> str:
    return ". Is `make run` still running?" if stage == "local" else "."


def target(stage: str | None) -> Target:
    """The local stack, or a stage on AWS with the caller's own credentials and key.

    On AWS the API's address is the stack's output (or what `chalice deploy` wrote down), and the key
    is read from the environment: HERALDO_API_KEY.
    """
    if stage in (None, "local"):
        return _local()
    assert stage is not None  # noqa: S101 - for the type checker
    key = os.environ.get("HERALDO_API_KEY", "")
    return Target(stage, _api_url(stage), key, region=region.of_stage(stage))


def _local() -> Target:
    try:
        found = where.running()
    except FileNotFoundError:
        raise Unreachable("The local stack is not running: start it with `make run`.") from None
    return Target(
        "local", found["api_url"], found["api_key"], found["endpoint_url"], found["region"]
    )


def _api_url(stage: str) -> str:
    override = os.environ.get("HERALDO_API_URL") or stages()[stage].api_url
    if override:
        return override
    written = ROOT / ".chalice" / "deployed" / f"{stage}.json"
    if written.exists():
        for resource in json.loads(written.read_text(encoding="utf-8"))["resources"]:
            if "rest_api_url" in resource:
                return str(resource["rest_api_url"])
    try:
        stacks = region.clients(stage)("cloudformation").describe_stacks(
            StackName=f"heraldo-{stage}"
        )
        outputs = stacks["Stacks"][0].get("Outputs", [])
        return str(next(o["OutputValue"] for o in outputs if o["OutputKey"] == "EndpointURL"))
    except (NoCredentialsError, NoRegionError) as error:
        raise Unreachable(f"{error} {region.REMEDY}") from None
    except Exception as error:
        why = type(error).__name__
        raise Unreachable(
            f"No deployment of stage {stage} was found ({why}). Deploy it, or set HERALDO_API_URL."
        ) from None


def fail(status: int, answer: Any, as_json: bool) -> None:
    """Print a refusal as a person (or a program) can use it, and exit 1."""
    if as_json or not isinstance(answer, dict):
        print(json.dumps(answer, ensure_ascii=False))
    else:
        title = answer.get("title") or answer.get("message") or "The request failed"
        click.secho(f"{title} ({status})", fg="red", err=True)
        if answer.get("detail"):
            click.echo(answer["detail"], err=True)
        for error in answer.get("errors", []):
            click.echo(f"  {error['field']}: {error['problem']}", err=True)
    sys.exit(1)


def read_json(value: str, what: str) -> Any:
    """JSON given as an argument: itself, `@FILE`, or `-` for standard input."""
    try:
        if value == "-":
            text = sys.stdin.read()
        elif value.startswith("@"):
            text = Path(value[1:]).read_text(encoding="utf-8-sig")
        else:
            text = value
        return json.loads(text)
    except OSError as error:
        raise click.UsageError(f"{what}: cannot read {value[1:]} ({error.strerror})") from None
    except UnicodeDecodeError as error:
        where = f"at byte {error.start + 1} (0x{error.object[error.start]:02x})"
        raise click.UsageError(f"{what} is not UTF-8, {where}") from None
    except ValueError as error:
        raise click.UsageError(f"{what} is not JSON: {error}") from None


def complete_type(_context: Any, _parameter: Any, start: str) -> list[str]:
    """The event types of this working tree that a shell can offer."""
    return sorted(
        folder.name
        for folder in (ROOT / "templates").iterdir()
        if folder.name.startswith(start) and folder.name[0] not in "_."
    )


def complete_locale(_context: Any, _parameter: Any, start: str) -> list[str]:
    """The locales that anything is written in."""
    found = {file.stem for file in (ROOT / "templates").glob("[!_.]*/*.j2")}
    return sorted(tag for tag in found if tag.startswith(start) and "." not in tag)


def complete_topic(_context: Any, _parameter: Any, start: str) -> list[str]:
    """The topics of routing.toml; none while it cannot be read."""
    try:
        topics = reading.read(ROOT / ROUTING, None).topics
    except RoutingError:
        return []
    return sorted(topic for topic in topics if topic.startswith(start))


def complete_webhook(_context: Any, _parameter: Any, start: str) -> list[str]:
    """The webhooks of routing.toml; none while it cannot be read."""
    try:
        webhooks = reading.read(ROOT / ROUTING, None).webhooks
    except RoutingError:
        return []
    return sorted(webhook for webhook in webhooks if webhook.startswith(start))


def event_options(*, type_required: bool = True) -> Callable[..., Any]:
    """The options that say what an event is: `send` and `plan` have the same."""
    options = (
        click.argument(
            "event_type", metavar="TYPE", required=type_required, shell_complete=complete_type
        ),
        click.option("--data", help="JSON, or @FILE, or - for standard input."),
        click.option("--id", "event_id", help="Sent twice with one id is taken once."),
        click.option("--source", help="Who says so; default: the key's name."),
        click.option("--subject", help="What the event is about."),
        click.option("--recipient", help="A customer's id."),
        click.option("--email", help="Where that customer gets e-mail this time."),
        click.option("--phone", help="The same for SMS: +34600111222."),
        click.option(
            "--locale",
            help="Such as es, en or es-AR; default: es.",
            shell_complete=complete_locale,
        ),
        click.option("--partitionkey", help="Events with one key are delivered in order."),
        click.option("--deliverat", help="It goes out at this RFC 3339 time, not before."),
        click.option("--expirytime", help="Past this RFC 3339 time it is not sent."),
        click.option(
            "--set", "extensions", multiple=True, metavar="NAME=VALUE", help="An extension."
        ),
    )

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def build_event(
    event_type: str,
    data: str | None,
    event_id: str | None,
    extensions: tuple[str, ...],
    **rest: Any,
) -> dict[str, Any]:
    """The event that the options describe; without `--data` it is the type's own sample."""
    event: dict[str, Any] = {}
    if data is None:
        event = sample(event_type)
        event.pop("id", None)
    else:
        event = {"type": event_type, "data": read_json(data, "--data")}
    given = {"id": event_id, **rest}
    for extension in extensions:
        name, separator, value = extension.partition("=")
        if not separator:
            raise click.UsageError(f"--set {extension}: write NAME=VALUE")
        given[name] = value
    event.update({name: value for name, value in given.items() if value is not None})
    return event


def sample(event_type: str) -> dict[str, Any]:
    """The whole sample event of a type."""
    file = ROOT / "templates" / event_type / "sample.json"
    if not file.exists():
        from chalicelib.spelling import did_you_mean

        types = [f.name for f in (ROOT / "templates").iterdir() if f.name[0] not in "_."]
        near = did_you_mean(event_type, sorted(types))
        raise click.UsageError(
            f"There is no templates/{event_type}/sample.json to send{near or '.'} "
            "Or give the data with --data."
        )
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def path_part(event_id: str) -> str:
    """An id as it stands in the path; a slash is encoded twice, because gateways decode once."""
    once = quote(event_id, safe="")
    return quote(once, safe="") if "/" in event_id else once
