"""The stages and their settings, as `stages.toml` has them: every mistake in it named by its line."""

from __future__ import annotations

import email.utils
import itertools
import re
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import click

from chalicelib.events.addresses import email_problem, normal_email
from chalicelib.rules.destinations import CHANNELS
from chalicelib.rules.lines import Lines
from chalicelib.rules.reading import Problem, RoutingError, no_toml, text_of
from chalicelib.spelling import did_you_mean
from cli.paths import ROOT

FILE: Final = "stages.toml"
LOCAL: Final = "local"
"""The stage that `make run` brings up on this machine."""
AUTH: Final = ("keys", "iam")
# A stage's name is a part of every other: a function's has 64 characters, of which it may have 16.
_NAME: Final = re.compile(r"[a-z][a-z0-9]{0,15}\Z")
_REGION: Final = re.compile(r"[a-z]{2}(-[a-z]+)+-\d+\Z")
_URL: Final = re.compile(r"https://[^\s/]+(/\S*)?\Z")
# What SNS takes as the name that a text message comes from, with a letter in it:
# https://docs.aws.amazon.com/sns/latest/dg/channels-sms-originating-identities-sender-ids.html
_SMS_SENDER: Final = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9]{1,11}\Z")
_KEYS: Final = (
    *("region", "auth", "api_url", "unnamed_events", "alarm_prefixes"),
    *("sender", "reply_to", "sms_sender", "channels", "outcomes", "alarms_to"),
    "snap_start",
)


@dataclass(frozen=True, slots=True)
class Settings:
    """One stage.

    `region` is where it lives, if that is fixed; `auth` how callers of its API prove who they are;
    `api_url` the address that they call, where that is not API Gateway's own. Whether it takes the events
    on EventBridge's bus that name no stage is `unnamed_events`; how the names of alarms begin that it
    tells of, beside its own, `alarm_prefixes`. E-mails come from `sender` (`Abedul <hola@abedul.example>`)
    and are answered to `reply_to`, text messages come from `sms_sender`; `channels` are those by which
    people get nothing, or something, unless they or a category say otherwise. Whether EventBridge's bus is
    told what becomes of events is `outcomes`; `alarms_to` has the e-mail addresses that CloudWatch tells of
    the stage's alarms. Whether the API and the console begin from a snapshot, in the one packaged stack, is
    `snap_start`.
    """

    name: str
    region: str | None = None
    auth: str = AUTH[0]
    api_url: str | None = None
    unnamed_events: bool = False
    alarm_prefixes: tuple[str, ...] = ()
    sender: str | None = None
    reply_to: str | None = None
    sms_sender: str | None = None
    channels: Mapping[str, bool] = field(default_factory=dict)
    outcomes: bool = False
    alarms_to: tuple[str, ...] = ()
    snap_start: bool = False
    line: int = 0

    @property
    def alarms(self) -> tuple[str, ...]:
        """How the names of the alarms begin that it tells of."""
        return (f"heraldo-{self.name}-", *self.alarm_prefixes)

    @property
    def environment(self) -> dict[str, str]:
        """What the stage's functions have to know of it, as their environment."""
        found = {"HERALDO_STAGE": self.name}
        if self.region:
            found["HERALDO_REGION"] = self.region
        if self.auth == "iam":
            found["HERALDO_AUTH"] = self.auth
        if self.api_url:
            found["HERALDO_API_URL"] = self.api_url
        if self.sender:
            found["HERALDO_SENDER"] = encoded(self.sender)
        if self.reply_to:
            found["HERALDO_REPLY_TO"] = encoded(self.reply_to)
        if self.sms_sender:
            found["HERALDO_SMS_SENDER"] = self.sms_sender
        if self.channels:
            words = (f"{name}={'on' if on else 'off'}" for name, on in self.channels.items())
            found["HERALDO_CHANNELS"] = " ".join(words)
        return found


def encoded(mailbox: str) -> str:
    """A mailbox as a mail's header has it: in ASCII, its name encoded where that needs it."""
    name, address = email.utils.parseaddr(mailbox)
    return email.utils.formataddr((name, normal_email(address)))


OWN_VARIABLES: Final = (
    *("HERALDO_STAGE", "HERALDO_REGION", "HERALDO_AUTH", "HERALDO_API_URL"),
    *("HERALDO_SENDER", "HERALDO_REPLY_TO", "HERALDO_SMS_SENDER", "HERALDO_CHANNELS"),
)
"""What `Settings.environment` decides, set or not."""


class StagesError(click.ClickException):
    """`stages.toml` cannot be used; `problems` has every mistake that was found."""

    def __init__(self, problems: Collection[Problem]) -> None:
        super().__init__("\n".join(f"{FILE}: {problem}" for problem in problems))
        self.problems = tuple(problems)


def stages(root: Path = ROOT) -> dict[str, Settings]:
    """The stages of a tree.

    Raises
    ------
    StagesError : with every mistake, each with its line.
    """
    try:
        return load(text_of(root / FILE))
    except RoutingError as error:
        raise StagesError(error.problems) from None


def declared(root: Path) -> Mapping[str, Settings]:
    """The stages of a tree, for whoever compares names with them; none where they cannot be read."""
    try:
        return stages(root)
    except StagesError:
        return {}


def load(text: str) -> dict[str, Settings]:
    """Read a `stages.toml`.

    Raises
    ------
    StagesError : as `stages`.
    """
    try:
        raw = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise StagesError([no_toml(text, error)]) from None
    lines = Lines(text)
    problems: list[Problem] = []
    found = {name: _stage(name, given, lines, problems) for name, given in raw.items()}
    problems += _taken_twice(list(found.values()), lines)
    if LOCAL not in raw:
        problems.append(
            Problem(0, "", f"there is no [{LOCAL}], which `make run` brings up: add it")
        )
    if problems:
        raise StagesError(sorted(problems, key=lambda problem: problem.line))
    return found


def _stage(name: str, given: Any, lines: Lines, problems: list[Problem]) -> Settings:
    def wrong(problem: str, *keys: str) -> None:
        problems.append(Problem(lines.of(name, *keys), name, problem))

    line = lines.of(name)
    if not _NAME.match(name):
        wrong("use lower-case letters and digits, a letter first, 16 at the most")
    if not isinstance(given, dict):
        wrong(f"a stage is a table: write [{name}]")
        return Settings(name, line=line)
    for key in given:
        if key not in _KEYS:
            wrong(f"unknown key {key!r}{did_you_mean(key, _KEYS)}", key)
    region, auth, api_url, unnamed, prefixes, *others = (given.get(key) for key in _KEYS)
    sender, reply_to, sms_sender, channels, outcomes, alarms_to, snap_start = others
    if region is not None and not _matches(_REGION, region):
        wrong("region must be one of AWS, such as 'eu-west-1'", "region")
    elif region is not None and name == LOCAL:
        wrong("has no region: it is on this machine", "region")
    if auth is not None and auth not in AUTH:
        wrong(f"auth must be one of {', '.join(AUTH)}", "auth")
    if api_url is not None and not _matches(_URL, api_url):
        wrong("api_url must be an address, such as 'https://events.shop.example'", "api_url")
    switches = {"unnamed_events": unnamed, "outcomes": outcomes, "snap_start": snap_start}
    for key, switch in switches.items():
        if not isinstance(switch, bool | None):
            wrong(f"{key} must be true or false", key)
    if prefixes is None:
        prefixes = []
    elif not isinstance(prefixes, list) or not all(isinstance(p, str) and p for p in prefixes):
        wrong("alarm_prefixes must be a list of beginnings, such as ['shop-']", "alarm_prefixes")
        prefixes = []
    for key, mailbox in (("sender", sender), ("reply_to", reply_to)):
        if mailbox is not None and (problem := _mailbox_problem(mailbox)):
            wrong(f"{key} {problem}", key)
            given = {**given, key: None}
    if sms_sender is not None and not _matches(_SMS_SENDER, sms_sender):
        wrong("sms_sender must be 1 to 11 letters and digits, a letter among them", "sms_sender")
    if channels is None:
        channels = {}
    elif not isinstance(channels, dict) or not all(isinstance(v, bool) for v in channels.values()):
        wrong("channels must be a table of on and off, such as { sms = false }", "channels")
        channels = {}
    for channel in channels:
        if channel not in CHANNELS:
            near = did_you_mean(channel, CHANNELS) or f"; they are {', '.join(CHANNELS)}"
            wrong(f"there is no channel {channel!r}{near}", "channels")
    return Settings(
        name,
        region,
        AUTH[0] if auth is None else auth,
        api_url,
        bool(unnamed),
        tuple(dict.fromkeys(prefixes)),
        given.get("sender"),
        given.get("reply_to"),
        sms_sender if isinstance(sms_sender, str) else None,
        channels,
        bool(outcomes),
        _addresses(alarms_to, wrong),
        bool(snap_start),
        line,
    )


def _addresses(given: Any, wrong: Callable[..., None]) -> tuple[str, ...]:
    """The addresses that alarms are told to; what is wrong with them is told."""
    shape = "alarms_to must be a list of e-mail addresses, such as ['ops@abedul.example']"
    if given is None:
        return ()
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        wrong(shape, "alarms_to")
        return ()
    for address in given:
        if problem := email_problem(address):
            wrong(f"alarms_to: {address!r} {problem}", "alarms_to")
    return tuple(dict.fromkeys(given))


def _mailbox_problem(mailbox: Any) -> str | None:
    """Why this is nothing that a mail can come from, or None."""
    shape = "must be an address, such as 'Abedul <hola@abedul.example>'"
    if not isinstance(mailbox, str) or not mailbox.isprintable():
        return shape
    _, address = email.utils.parseaddr(mailbox)
    if not address or not mailbox.rstrip().endswith((address, f"<{address}>")):
        return shape
    return email_problem(address)


def _taken_twice(stages: Sequence[Settings], lines: Lines) -> Iterator[Problem]:
    """What two stages of one account would both take. `local` is in no account with others."""
    unnamed = [stage for stage in stages if stage.unnamed_events and stage.name != LOCAL]
    for second in unnamed[1:]:
        said = f"{unnamed[0].name} has the events that name no stage already: one stage may"
        yield Problem(lines.of(second.name, "unnamed_events"), second.name, said)
    for stage in stages:
        for other in stages:
            for mine, theirs in itertools.product(stage.alarm_prefixes, other.alarms):
                if other is not stage and (mine.startswith(theirs) or theirs.startswith(mine)):
                    said = f"alarms that begin with {mine!r} may be {other.name}'s ({theirs!r})"
                    yield Problem(lines.of(stage.name, "alarm_prefixes"), stage.name, said)


def _matches(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and pattern.match(value) is not None


def unknown(name: str, known: Mapping[str, Settings]) -> str:
    """What is said of a stage that is not declared."""
    near = did_you_mean(name, tuple(known)) or f"; there are {', '.join(known)}"
    return f"there is no stage {name!r} in {FILE}{near}"


class StageName(click.ParamType[str]):
    """The name of a stage that is declared."""

    name = "stage"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        known = stages()
        if value not in known:
            self.fail(unknown(value, known), param, ctx)
        return value

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[click.shell_completion.CompletionItem]:
        del ctx, param
        names = [name for name in declared(ROOT) if name.startswith(incomplete)]
        return [click.shell_completion.CompletionItem(name) for name in names]


STAGE: Final = StageName()
