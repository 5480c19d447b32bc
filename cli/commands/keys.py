"""`./heraldo keys`: who may send and who may read."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import click

from chalicelib.channels.audience import type_problem
from chalicelib.door.keys import CACHE_SECONDS, SCOPES, hash_of, lies_beneath
from chalicelib.events.event import MAX_SOURCE, is_uri_reference
from chalicelib.spelling import did_you_mean
from chalicelib.store import secrets as stage_secrets
from cli import target as targets
from cli.account import account, aws_errors, put_down
from cli.group import Group
from cli.keys import PREFIX, StoredKey, stored, table_of
from cli.terminal import age, confirm, table

_RANDOM_BYTES: Final = 32
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")
_SHORTEST_PREFIX: Final = 4
# What comes over the bus or straight from a queue has these, and no key speaks for it.
_NOT_FOR_KEYS: Final = ("eventbridge:", "queue:")


@click.group(cls=Group)
def command() -> None:
    """Create, list and revoke the keys with which others call the API.

    \b
    ./heraldo keys create --name shop --scope send
    ./heraldo keys list
    ./heraldo keys revoke shop
    """


@command.command
@click.option("--name", required=True, help="Whose key it is.")
@click.option(
    "--scope", "scopes", multiple=True, required=True, help="send, read, people or admin."
)
@click.option(
    "--source",
    "sources",
    multiple=True,
    help="For whom it speaks, and for what lies beneath; default: its name. '*' is anybody.",
)
@click.option("--types", multiple=True, help="Only these event types, such as 'order.*'.")
@click.option("--test", is_flag=True, help="Everything is run, and nothing is published.")
@targets.stage_option
@targets.json_option
def create(
    name: str,
    scopes: tuple[str, ...],
    sources: tuple[str, ...],
    types: tuple[str, ...],
    test: bool,
    stage: str | None,
    as_json: bool,
) -> None:
    """Create a key, and show it this once: only its hash is stored.

    --scope, --source and --types can be repeated; the first source is that of an event which names
    none. A key that takes over from another has its source, so that nothing is sent twice.

    \b
    ./heraldo keys create --name shop --scope send --scope read
    ./heraldo keys create --name shop-2027 --source shop --scope send --scope read
    ./heraldo keys create --name shop-test --scope send --types 'order.*' --test --stage prod
    """
    if not _NAME.match(name):
        problem = f"{name!r} must be lower-case letters, digits and hyphens, 63 at most"
        raise click.BadParameter(problem, param_hint="--name")
    secret = PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    key = StoredKey(
        hash_of(secret),
        name,
        _checked_scopes(_split(scopes)),
        _checked_sources(_split(sources), name),
        _checked_types(_split(types)),
        test,
        datetime.now(UTC).isoformat(timespec="seconds"),
        secret[-4:],
    )
    target = account(stage, changes=True)
    with aws_errors(target):
        others = stored(target)
        if any(other.name == name for other in others):
            raise click.ClickException(
                f"There is a key named {name} already. Take another name, or revoke that one first."
            )
        if not sources:
            _refuse_to_share(name, others)
        put_down(target, "key-create", f"{name}: {' '.join(key.scopes)}")
        target.client("dynamodb").put_item(TableName=table_of(target), Item=key.item())
    if as_json:
        print(json.dumps({**key.shown(), "key": secret}, ensure_ascii=False))
        return
    click.secho(secret, fg="green", bold=True)
    for_types = f" for {', '.join(key.types)}" if key.types else ""
    about = f"{key.name} may {' and '.join(key.scopes)}{for_types}, as {_speaks_for(key)}"
    click.echo(f"{about}; nothing is published (test)" if test else about, err=True)
    text = "Keep the key now: only its hash is stored, and it cannot be shown again."
    click.secho(text, fg="yellow", err=True)


@command.command("list")
@targets.stage_option
@targets.json_option
def list_(stage: str | None, as_json: bool) -> None:
    """List the keys; never the secrets.

    \b
    ./heraldo keys list --stage prod --json
    """
    target = account(stage)
    with aws_errors(target):
        found = stored(target)
    if as_json:
        print(json.dumps({"keys": [key.shown() for key in found]}, ensure_ascii=False))
    elif not found:
        click.echo("No keys. Create one: ./heraldo keys create --name shop --scope send")
    else:
        headers = ("NAME", "SCOPES", "SOURCES", "TYPES", "KEY", "ID", "AGE", "LAST USED")
        table(headers, [_row(key) for key in found])


@command.command
@click.argument("name_or_prefix")
@click.option("--yes", is_flag=True, help="Do not ask.")
@targets.stage_option
@targets.json_option
def revoke(name_or_prefix: str, yes: bool, stage: str | None, as_json: bool) -> None:
    """Revoke a key, by its name, the start of its id in the list, or the key itself.

    \b
    ./heraldo keys revoke shop
    ./heraldo keys revoke 3fa9 --stage prod --yes
    """
    target = account(stage, changes=True)
    with aws_errors(target):
        key = _find(stored(target), name_or_prefix)
        confirm(f"Revoke {key.name} ({', '.join(key.scopes)}) in stage {target.stage}?", yes)
        put_down(target, "key-revoke", key.name)
        target.client("dynamodb").delete_item(
            TableName=table_of(target), Key={"hash": {"S": key.hash}}
        )
    if as_json:
        shown = {**key.shown(), "in_force_within_seconds": CACHE_SECONDS}
        print(json.dumps(shown, ensure_ascii=False))
    else:
        click.echo(f"Revoked {key.name}. This is in force within {CACHE_SECONDS} seconds.")


@command.command
@click.option("--forget-old", is_flag=True, help="No link that was ever sent works any more.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@targets.stage_option
def rotate(forget_old: bool, yes: bool, stage: str | None) -> None:
    """Change the secret that signs the links at the foot of mails, as after somebody may have seen it.

    Links that were sent keep working, unless --forget-old is given: then nobody can use the unsubscribe link
    of a mail that they have.

    \b
    ./heraldo keys rotate --stage prod
    """
    target = account(stage, changes=True)
    ends = " Every link in every mail that was sent stops working." if forget_old else ""
    confirm(f"Change the secret of stage {target.stage}?{ends}", yes)
    with aws_errors(target):
        put_down(target, "secret-rotate", "all before" if forget_old else "")
        believed = stage_secrets.rotate(target.handle(), forget_old)
    minutes = stage_secrets.CACHE_SECONDS // 60
    if forget_old:
        gone = minutes + stage_secrets.FADING_SECONDS // 60
        last = f"links that were sent stop working within {gone}"
    else:
        last = f"{believed} secrets are believed"
    click.echo(f"Changed: links are signed with it within {minutes} minutes; {last}.")


def _find(known: Sequence[StoredKey], wanted: str) -> StoredKey:
    if wanted.startswith(PREFIX):
        found = [key for key in known if key.hash == hash_of(wanted)]
        wanted = "like this"
    else:
        found = [key for key in known if key.name == wanted]
        if not found and len(wanted) >= _SHORTEST_PREFIX:
            found = [key for key in known if key.hash.startswith(wanted)]
    if not found:
        near = did_you_mean(wanted, [key.name for key in known])
        raise click.ClickException(f"There is no key {wanted}{near}.")
    if len(found) > 1:
        ids = ", ".join(key.id for key in found)
        raise click.ClickException(f"{wanted} stands for several keys: {ids}. Give one of these.")
    return found[0]


def _row(key: StoredKey) -> tuple[str, ...]:
    scopes = " ".join(key.scopes) + (" (test)" if key.test else "")
    try:
        created = age(datetime.fromisoformat(key.created))
    except ValueError:
        created = key.created
    ends = f"{PREFIX}…{key.last}" if key.last else f"{PREFIX}…"
    types = " ".join(key.types) or "all"
    used = key.used or "never"
    return key.name, scopes, " ".join(key.sources), types, ends, key.id, created, used


def _split(values: Sequence[str]) -> list[str]:
    """What was given, once each; `--scope send,read` is two."""
    words = (word for value in values for word in re.split(r"[,\s]+", value))
    return list(dict.fromkeys(word for word in words if word))


def _checked_scopes(scopes: Sequence[str]) -> tuple[str, ...]:
    for scope in scopes:
        if scope not in SCOPES:
            near = did_you_mean(scope, SCOPES) or f"; the scopes are {', '.join(SCOPES)}"
            raise click.BadParameter(f"there is no scope {scope!r}{near}", param_hint="--scope")
    if not scopes:
        raise click.BadParameter(f"give one of {', '.join(SCOPES)}", param_hint="--scope")
    return tuple(scope for scope in SCOPES if scope in scopes)


def _checked_sources(sources: Sequence[str], name: str) -> tuple[str, ...]:
    for source in sources:
        if source == "*":
            continue
        problem = ""
        if not is_uri_reference(source) or len(source) > MAX_SOURCE:
            problem = f"is no URI reference of at most {MAX_SOURCE} characters, such as /shop"
        elif source.startswith(_NOT_FOR_KEYS):
            problem = "stands for what comes over the bus or from a queue, and no key does"
        if problem:
            raise click.BadParameter(f"{source!r} {problem}", param_hint="--source")
    named = [source for source in sources if source != "*"] or [name]
    return (*named, "*") if "*" in sources else tuple(named)


def _refuse_to_share(name: str, others: Sequence[StoredKey]) -> None:
    """Its name as a source could be what another key speaks for: that must be said out loud."""
    for other in others:
        if any(lies_beneath(source, name) for source in other.sources):
            raise click.ClickException(
                f"The key {other.name} speaks for {other.sources[0]}, so the source {name} would be "
                f"shared. Give another with --source, or --source {name} to share it."
            )


def _speaks_for(key: StoredKey) -> str:
    named = " or ".join(source for source in key.sources if source != "*")
    return f"{named}, or as anybody" if "*" in key.sources else named


def _checked_types(types: Sequence[str]) -> tuple[str, ...]:
    for name in types:
        problem = type_problem(name)
        if problem:
            raise click.BadParameter(problem, param_hint="--types")
    return tuple(types)
