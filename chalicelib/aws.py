"""The clients, made when first used and kept for the life of the worker.

botocore rather than boto3: importing boto3 only to get its clients costs a cold start a sixth more.
Parameter validation is botocore's own setting and is off, because what Heraldo sends was validated
where it came in and checking it again costs more CPU than signing the request. Two more things that
botocore would do over and over are done once: see `client` and `_encode_form`. What each is worth is
in docs/performance.md.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import IO, Any, Final

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import JSONFileLoader, Loader, create_loader
from botocore.parsers import ResponseParserError

from chalicelib import names
from chalicelib.stage import Stage

CONNECT_SECONDS: Final = 2
# What a call raises where the line breaks, and where the service says no.
BREAKS: Final = (BotoCoreError, ClientError)
# The same, and what botocore's parsers stumble over where something on the way answered in AWS's place.
FAILURES: Final = (
    *BREAKS,
    ResponseParserError,
    LookupError,
    AttributeError,
    TypeError,
    ValueError,
)
# How often the client itself asks, and for how many seconds it waits for an answer.
_PATIENCE: Final = {
    # Never retried by the client: a publish that timed out may have been sent, and what to do then
    # is the event type's `on_unknown` to decide, not botocore's.
    "sns": (1, 5),
    "sesv2": (1, 10),
    # Whatever Heraldo asks of these may be repeated: FIFO deduplication makes a second send harmless.
    "dynamodb": (3, 2),
    "scheduler": (3, 3),
    "stepfunctions": (3, 3),
    # Whatever it was asked to do may have been done. API Gateway gives up after 29 seconds.
    "lambda": (1, 26),
    "sqs": (3, 3),
}


@functools.cache
def stage() -> Stage:
    """The stage that this Lambda function belongs to."""
    return Stage(names.stage(), client)


@functools.cache
def hurried_stage() -> Stage:
    """The same for the API, whose callers wait: its clients ask once, and the API again while there
    is time (`chalicelib.patience`)."""
    return Stage(names.stage(), functools.partial(client, hurried=True))


@functools.cache
def client(service: str, *, hurried: bool = False) -> Any:
    """A service's client, with Heraldo's patience."""
    attempts, read_timeout = _PATIENCE.get(service, (3, 5))
    if hurried:
        attempts = 1
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=read_timeout,
        retries={"total_max_attempts": attempts, "mode": "standard"},
        parameter_validation=False,
        tcp_keepalive=True,
        # Otherwise botocore describes this machine anew for every call, twice.
        user_agent=f"heraldo Botocore/{botocore.__version__}",
    )
    made = _session().create_client(service, config=config)
    made.meta.events.register("before-call.sns", _encode_form)
    return made


def _encode_form(params: dict[str, Any], **_: Any) -> None:
    """Encode SNS's form once. botocore does it once to sign and once to send, and byte by byte.

    Where SNS speaks another protocol, which is botocore's to choose, the body is no form, and its own.
    """
    form = params["body"]
    if not isinstance(form, dict):
        return
    try:
        pairs = [
            f"{name}={_short(text) if len(text) < _SHORT else _quoted(text)}"
            for name, text in form.items()
        ]
    except (AttributeError, TypeError):  # not texts alone
        return
    params["body"] = "&".join(pairs).encode()


def _quoted(text: str) -> str:
    """Text as a form may hold it: as it is, or else every byte as %XX.

    Most of a message could stand as it is, but to look for what cannot costs a fifth of a publish;
    this way a request is half as long again, and never longer than one in Greek was before.
    """
    if not text or (text.isascii() and text.isalnum()):
        return text
    return "%" + text.encode().hex("%")


# Names and values of attributes are the same in nearly every message.
_SHORT: Final = 24
_short: Final = functools.lru_cache(1024)(_quoted)


class _Plain(JSONFileLoader):
    """Reads a file into plain dicts, which keep their order as well as botocore's OrderedDict and are made in a third
    of the time."""

    def _load_file(self, full_path: str, open_method: Callable[..., IO[bytes]]) -> Any:
        try:
            with open_method(full_path, "rb") as file:
                return json.loads(file.read())
        except FileNotFoundError:
            return None


class _EveryName(list[str]):
    def __contains__(self, _: object) -> bool:
        return True


class _Models(Loader):
    """What botocore knows of services, without a look at each of the four hundred for one that is asked for:
    whether that exists is seen as it is loaded."""

    FILE_LOADER_CLASS = _Plain

    def list_available_services(self, _: str) -> list[str]:
        return _EveryName()


@functools.cache
def _session() -> botocore.session.Session:
    found = botocore.session.get_session()
    paths = create_loader(found.get_config_variable("data_path")).search_paths
    models = _Models(paths, include_default_search_paths=False)
    found.register_component("data_loader", models)
    return found


def know(*services: str) -> None:
    """Read what botocore has to know to make clients of these services, and make none."""
    loader = _session().get_component("data_loader")
    for service in services:
        for kind in ("service-2", "endpoint-rule-set-1"):
            loader.load_service_model(service, kind)
    for file in ("endpoints", "partitions", "sdk-default-configuration", "_retry"):
        loader.load_data(file)


def code_of(error: Exception) -> str:
    """What went wrong with a call in one word, as a log may show it."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "ClientError"))
    return type(error).__name__


def status_of(error: ClientError) -> int:
    """The HTTP status of a refusal."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500))


def position_of(result: Any, count: int) -> int | None:
    """Which entry of a batch a part of the answer is about, where it is one of ours at all.

    Entries are numbered from 0 by their `Id`.
    """
    found = result.get("Id") if isinstance(result, dict) else None
    if isinstance(found, str) and found.isdecimal() and int(found) < count:
        return int(found)
    return None


def taken(answer: Any, count: int) -> set[int]:
    """Which entries of a batch the answer says were taken."""
    found = (position_of(done, count) for done in answer.get("Successful") or ())
    return {position for position in found if position is not None}


def refused(answer: Any, count: int) -> dict[int, str]:
    """Which entries of a batch the answer says were not, and by what code."""
    found = ((position_of(bad, count), bad) for bad in answer.get("Failed") or ())
    return {p: str(bad.get("Code") or "Failed") for p, bad in found if p is not None}


def is_throttled(error: Exception) -> bool:
    """Whether a service refused this only because there was too much of it."""
    if not isinstance(error, ClientError) or status_of(error) >= 500:
        return False
    code = code_of(error)
    return status_of(error) == 429 or "Throttl" in code or "TooMany" in code


def passes(error: ClientError) -> bool:
    """Whether what a service refused now it may take a moment later."""
    status, code = status_of(error), code_of(error)
    return status >= 500 or status == 429 or any(sign in code for sign in _NOT_NOW)


# What DynamoDB, SQS and the SDKs say of too many requests:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
_NOT_NOW: Final = ("Throttl", "Throughput", "LimitExceeded", "InProgress", "TooMany")
