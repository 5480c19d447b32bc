"""What a deploy is about to change, told before it does, and asked about where somebody sits at a terminal."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import click
from botocore.exceptions import ClientError

from chalicelib.rules import reading
from chalicelib.rules.reading import RoutingError
from cli.deploy import chalice_state, changes, plans, policies
from cli.deploy.changes import Difference
from cli.deploy.cloudformation import DeployError, Say, Stack
from cli.paths import HOME, ROOT, ROUTING
from cli.terminal import confirm, count
from cli.words import changes as words
from cli.words.samples import NAMES

Clients = Callable[[str], Any]
Review = Callable[[Stack, Mapping[str, Any]], bool]
"""Looks at what a template changes of a stack, and gives whether it changes anything."""

# So much of what is said otherwise is shown; the whole is written to a file.
_LINES: Final = 30
_PARTS: Final = ("templates/", "chalicelib/")
_NO_ROLE: Final = ("NoSuchEntity", "NoSuchEntityException")


def of_package(stage: str, clients: Clients, yes: bool, say: Say = print) -> Review:
    """Tells what the one stack changes, code, words and rules in it, and asks."""

    def review(stack: Stack, template: Mapping[str, Any]) -> bool:
        difference = changes.between(stack.handed_in(), template)
        something = _tell(stack, difference, say)
        if difference.code:
            _tell_of_package(stage, clients, say)
        if something:
            _ask(stage, yes)
        return something

    return review


def of_infrastructure(stage: str, clients: Clients, yes: bool, say: Say = print) -> Review:
    """Tells what the stack around the functions changes, and what `chalice deploy` will after it, and asks."""

    def review(stack: Stack, template: Mapping[str, Any]) -> bool:
        difference = changes.between(stack.handed_in(), template)
        something = _tell(stack, difference, say)
        functions = set(chalice_state.functions(stage, clients))
        if functions:
            say(f"And `chalice deploy --stage {stage}` after it:")
            _tell_of_functions(stage, functions, clients, say)
            _tell_of_package(stage, clients, say)
        if something:
            _ask(stage, yes)
        return something

    return review


def _ask(stage: str, yes: bool) -> None:
    try:
        confirm(f"Deploy {stage}?", yes)
    except click.Abort:
        raise DeployError("Nothing was changed.") from None


def _tell(stack: Stack, difference: Difference, say: Say) -> bool:
    """Whether there is anything to tell of."""
    if not stack.exists():
        say(f"{stack.name} is new. It gets {changes.made(difference)}.")
        return True
    if not difference:
        say(f"{stack.name}: nothing would change")
        return False
    say(f"{stack.name} would change:")
    _lines("  ", changes.in_words(difference), say)
    _tell_rights(difference, say)
    return True


def _tell_rights(difference: Difference, say: Say) -> None:
    told = list(changes.rights_in_words(difference))
    if told:
        say("  Who may do what:")
        _lines("    ", told, say)


def _lines(indent: str, told: Iterator[str] | list[str], say: Say) -> None:
    for line in told:
        say(f"{indent}{line}")


# -- what the functions are made of ----------------------------------------------------------------


def _tell_of_package(stage: str, clients: Clients, say: Say) -> None:
    """What this tree says and sends otherwise than what is deployed."""
    try:
        with _unpacked(stage, clients) as before:
            if before is not None:
                _tell_words(before, stage, say)
                _tell_rules(before, stage, say)
    except (OSError, zipfile.BadZipFile) as error:
        say(f"  Words and rules are not compared: what is deployed cannot be fetched ({error})")


@contextlib.contextmanager
def _unpacked(stage: str, clients: Clients) -> Iterator[Path | None]:
    """The templates and rules that are deployed, in a folder that goes away again; None where there are none."""
    package = chalice_state.deployed_package(stage, clients)
    if package is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="heraldo-") as folder:
        (Path(folder) / "templates").mkdir()
        package.extractall(folder, [n for n in package.namelist() if n.startswith(_PARTS)])
        yield Path(folder)


def _tell_words(before: Path, stage: str, say: Say) -> None:
    found = words.changes(before, ROOT)
    if not found:
        say("  Words: no sample says anything else")
        return
    types = {change.event_type for change in found}
    told = f"{count(len(found), 'message')} of {count(len(types), 'event type')} say something else"
    for status, word in (("added", "new"), ("removed", "gone")):
        others = {c.event_type for c in found if c.status != status}
        if names := sorted({c.event_type for c in found if c.status == status} - others):
            told += f"; {word}: {changes.few(names)}"
    say(f"  Words: {told}")
    plain = [name for name in NAMES if name != "html"]
    lines = [
        line
        for change in found
        if change.status in ("changed", "broken")
        for line in _shown(words.for_people(change, plain, sys.stdout.isatty())).splitlines()
    ]
    _lines("    ", lines[:_LINES], say)
    if len(lines) > _LINES:
        file = HOME / "changes" / f"{stage}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        whole = "".join(words.for_people(change, (), colours=False) for change in found)
        file.write_text(click.unstyle(whole), "utf-8")
        say(f"    … all of it: {file.relative_to(ROOT)}")


def _shown(text: str) -> str:
    return text if sys.stdout.isatty() else click.unstyle(text)


def _tell_rules(before: Path, stage: str, say: Say) -> None:
    try:
        found = plans.changes(before, ROOT, stage)
    except RoutingError as error:
        say(f"  Rules are not compared: those that are deployed cannot be read any more ({error})")
        return
    if not found:
        say("  Rules: every sample and example goes where it went")
        return
    say("  Rules:")
    for told, names in found.items():
        say(f"    {told}: {changes.few(names)}")


def _tell_of_functions(stage: str, deployed: set[str], clients: Clients, say: Say) -> None:
    """Functions that come and go, and what those that stay may do from then on, or no more."""
    routing = reading.read(ROOT / ROUTING, stage)
    declared = {
        policies.function_name(stage, function): policies.policy(
            stage, function, routing.lanes, posts=routing.posts
        )
        for function in policies.functions(routing.lanes, posts=routing.posts)
    }
    for sign, names in (("+", declared.keys() - deployed), ("-", deployed - declared.keys())):
        _lines(f"  {sign} function ", sorted(names), say)
    gained: set[changes.Right] = set()
    lost: set[changes.Right] = set()
    for name in sorted(declared.keys() & deployed):
        new = set(changes.rights_in(declared[name], name))
        old = set(_rights_now(name, clients))
        gained |= new - old
        lost |= old - new
    _tell_rights(Difference((), (), (), frozenset(gained), frozenset(lost)), say)


def _rights_now(function: str, clients: Clients) -> Iterator[changes.Right]:
    role = clients("lambda").get_function_configuration(FunctionName=function)["Role"]
    asked = {"RoleName": role.rpartition("/")[2]}
    iam = clients("iam")
    try:
        for policy in iam.list_role_policies(**asked)["PolicyNames"]:
            found = iam.get_role_policy(**asked, PolicyName=policy)["PolicyDocument"]
            yield from changes.rights_in(found, function)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _NO_ROLE:
            raise
