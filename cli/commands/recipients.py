"""`./heraldo recipients`: the people whom events may be for."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final

import click

from chalicelib.door import cancelling, lifting, profile
from chalicelib.events.addresses import email_problem, phone_problem
from chalicelib.patience import Patience
from chalicelib.rules.destinations import CHANNELS
from chalicelib.rules.routing import Category
from chalicelib.store import people, register, secrets, table
from chalicelib.store.people import Person
from chalicelib.store.record import now_text
from cli import target as targets
from cli.account import account, aws_errors, put_down, rules
from cli.group import Group
from cli.people import files, importing
from cli.target import Target
from cli.terminal import Progress, confirm, count

_SECONDS: Final = 20
_FAULTS: Final = 20
_format = click.option("--format", "form", type=click.Choice(["csv", "jsonl"]), help="Of the file.")
_country = click.option(
    "--country", default="", help="Of numbers that are written without one, such as ES."
)


@click.group(cls=Group)
def command() -> None:
    """Keep whom events are for: where they are reached, and what they want to hear.

    \b
    ./heraldo recipients set c-1 --email ana@example.com --locale es
    ./heraldo recipients import customers.csv --country ES
    ./heraldo recipients show c-1
    """


@command.command("set")
@click.argument("person_id", metavar="ID")
@click.option("--email", help="Where they get e-mail; '' takes it away.")
@click.option("--phone", help="For SMS: +34600111222, or as people write it with --country.")
@click.option("--push", multiple=True, help="ARN of a platform endpoint; can be repeated.")
@click.option("--locale", help="Such as es or es-AR.")
@click.option("--time-zone", help="Such as Europe/Madrid.")
@click.option("--wants", multiple=True, metavar="CATEGORY.CHANNEL", help="What they want.")
@click.option(
    "--not", "refuses", multiple=True, metavar="CATEGORY.CHANNEL", help="What they do not."
)
@click.option("--consent", multiple=True, metavar="CATEGORY=HOW", help="How they agreed, now.")
@_country
@targets.stage_option
@targets.json_option
def set_(
    person_id: str,
    wants: tuple[str, ...],
    refuses: tuple[str, ...],
    consent: tuple[str, ...],
    country: str,
    stage: str | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Keep what is given of the recipient ID, and leave the rest as it is.

    \b
    ./heraldo recipients set c-1 --email ana@example.com --phone '600 111 222' --country ES
    ./heraldo recipients set c-1 --not promotions.sms --consent promotions=checkout
    """
    said: dict[str, Any] = {"id": person_id}
    for name, value in given.items():
        if value is not None and value != ():
            said[name] = list(value) if name == "push" else value or None
    for names, wanted in ((wants, True), (refuses, False)):
        for name in names:
            category, dot, channel = name.partition(".")
            if not dot:
                raise click.UsageError(f"{name}: write CATEGORY.CHANNEL, such as promotions.sms")
            said.setdefault("preferences", {}).setdefault(category, {})[channel] = wanted
    for text in consent:
        category, separator, how = text.partition("=")
        if not separator:
            raise click.UsageError(f"--consent {text}: write CATEGORY=HOW")
        said.setdefault("consent", {})[category] = {"at": now_text(), "how": how}
    target = account(stage, changes=True)
    reader = importing.Reader(_categories(target), _checked_country(country))
    found_id, checked, errors = reader.said(files.Line(1, said))
    if errors:
        raise click.ClickException("\n".join(f"{e.field}: {e.problem}" for e in errors))

    def by(person: Person, is_known: bool) -> bool:
        before = profile.shown(person)
        profile.merged(person, checked)
        return not is_known or profile.shown(person) != before

    with aws_errors(target):
        person = register.change(target.handle(), people.PERSON + found_id, by, Patience(_SECONDS))
    _show(profile.shown(person), as_json)


@command.command
@click.argument("person_id", metavar="ID")
@targets.stage_option
@targets.json_option
def show(person_id: str, stage: str | None, as_json: bool) -> None:
    """Show all that is kept of the recipient ID, or of an e-mail address or a number, and why nothing is sent
    where that is so.

    \b
    ./heraldo recipients show c-1 --stage prod --json
    ./heraldo recipients show ana@example.com
    """
    target = account(stage)
    with aws_errors(target):
        handle = target.handle()
        found = register.find(handle, person_id, Patience(_SECONDS))
        if found.person is None and _is_address(person_id):
            key = {"id": {"S": _address_item(target, person_id)}}
            items = table.read(handle, {table.PEOPLE: [key]}, _SECONDS)[table.PEOPLE]
            if items:
                about = profile.shown(people.from_item(items[0]))
                _show({**about, "id": person_id}, as_json)
                return
    if found.person is None:
        when = f" Somebody of this id was erased on {found.erased[:10]}." if found.erased else ""
        raise click.ClickException(f"Nothing is kept of this recipient.{when}")
    _show(profile.shown(found.person), as_json)


@command.command
@click.argument("person_id", metavar="ID")
@click.option("--channel", type=click.Choice(["email", "sms"]), default="email", show_default=True)
@targets.stage_option
def lift(person_id: str, channel: str, stage: str | None) -> None:
    """Send again to the address of the recipient ID, or to an address itself, that was stopped.

    An address is stopped after a hard bounce, a complaint, or five soft bounces in a row. SES keeps a list of
    its own; what was stopped is taken off that, too.

    \b
    ./heraldo recipients lift c-1
    ./heraldo recipients lift ana@example.com --stage prod
    """
    target = account(stage, changes=True)
    with aws_errors(target):
        handle, patience = target.handle(), Patience(_SECONDS)
        person = register.find(handle, person_id, patience).person
        if person is None and not _is_address(person_id):
            raise click.ClickException("Nothing is kept of this recipient.")
        known = person or lifting.of_address(handle, person_id)
        put_down(target, "address-lift", secrets.of(handle).hash_of(person_id))
        email = person.email if person else person_id
        held = lifting.lift(handle, known, channel, email, patience)
    if held:
        click.echo(f"Lifted: {person_id} gets {channel} again.")
    else:
        click.echo(f"Nothing was stopped for {person_id} by {channel}.")


def _is_address(text: str) -> bool:
    return not email_problem(text) or not phone_problem(text)


def _address_item(target: Target, address: str) -> str:
    return people.ADDRESS + secrets.of(target.handle()).hash_of(address)


@command.command("import")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@_format
@_country
@click.option("--dry-run", is_flag=True, help="Look at the file, and keep nothing.")
@click.option("--skip-faulty", is_flag=True, help="Keep the good lines where others are wrong.")
@targets.stage_option
@targets.json_option
def import_(
    file: Path,
    form: str | None,
    country: str,
    dry_run: bool,
    skip_faulty: bool,
    stage: str | None,
    as_json: bool,
) -> None:
    """Keep everybody in FILE, .csv or .jsonl; what it does not say of them stays as it is.

    The first line of a CSV names its columns: id, locale, time_zone, email, phone, push,
    preferences.<category>.<channel> (yes, no) and consent.<category>.at and .how. Where any line is
    wrong nothing is kept, unless --skip-faulty is given.

    \b
    ./heraldo recipients import customers.csv --country ES --dry-run
    ./heraldo recipients import customers.jsonl --stage prod --skip-faulty
    """
    target = account(stage, changes=not dry_run)
    form = files.format_of(file, form)
    reader = importing.Reader(_categories(target), _checked_country(country))
    progress = Progress()
    checked = reader.check(files.read(file, form), progress.show)
    progress.end()
    stops = bool(checked.faults) and not skip_faulty
    done = changed = 0
    if not stops and not dry_run:
        good = (line for line in files.read(file, form) if line.number not in checked.bad)
        said = ((found[0], found[1]) for found in map(reader.said, good))
        with aws_errors(target):
            try:
                for done, so_far in importing.save(target.handle(), said):
                    changed = so_far
                    progress.show(f"{done:,} of {checked.good:,} recipients kept")
            except KeyboardInterrupt:
                progress.end()
                click.echo(f"Interrupted: {done:,} are kept. Run it again for the rest.", err=True)
                sys.exit(130)
        progress.end()
    faults = [{"line": n, "field": e.field, "problem": e.problem} for n, e in checked.faults]
    if as_json:
        counts = {
            "good": checked.good,
            "kept": done,
            "changed": changed,
            "faulty": len(checked.bad),
        }
        print(json.dumps({**counts, "faults": faults}, ensure_ascii=False))
    else:
        for number, error in checked.faults[:_FAULTS]:
            click.secho(f"{file.name}:{number}: {error.field} {error.problem}", fg="red", err=True)
        if len(faults) > _FAULTS:
            click.echo(f"and {len(faults) - _FAULTS:,} more faults (--json lists them)", err=True)
        click.echo(_told(checked, done, changed, dry_run))
    if stops:
        sys.exit(1)


def _told(checked: importing.Checked, done: int, changed: int, dry_run: bool) -> str:
    faulty = f"{count(len(checked.bad), 'line')} of {checked.good + len(checked.bad):,} are wrong"
    if dry_run:
        return f"{count(checked.good, 'recipient')} could be kept; {faulty}."
    if done or not checked.faults:
        skipped = f" {faulty}, and were skipped." if checked.bad else ""
        return f"{count(done, 'recipient')} kept, {changed:,} of them new or changed.{skipped}"
    return f"Nothing was kept: {faulty}. Mend them, or keep the others with --skip-faulty."


@command.command
@click.argument("person_ids", metavar="[ID]...", nargs=-1)
@click.option("--to", "file", type=click.Path(dir_okay=False, path_type=Path), help="A file.")
@_format
@targets.stage_option
def export(
    person_ids: tuple[str, ...], file: Path | None, form: str | None, stage: str | None
) -> None:
    """Write everything that is kept of everybody, or of the recipients ID, as JSON Lines or CSV.

    \b
    ./heraldo recipients export c-1
    ./heraldo recipients export --to customers.csv --stage prod
    """
    target = account(stage)
    if form is None:
        form = files.format_of(file, None) if file else "jsonl"
    progress, done = Progress(), 0
    categories = _categories(target)
    columns = [f"preferences.{name}.{channel}" for name in categories for channel in CHANNELS]
    columns += [f"consent.{name}.{what}" for name in categories for what in ("at", "how")]
    with aws_errors(target):
        found = _named(target, person_ids) if person_ids else _everybody(target)
        opened: Any = (
            file.open("w", encoding="utf-8", newline="") if file else nullcontext(sys.stdout)
        )
        with opened as out:
            for done in files.write(map(profile.shown, found), form, out, columns):
                if file:
                    progress.show(f"{done:,} recipients written")
    progress.end()
    if file:
        click.echo(f"{count(done, 'recipient')} written to {file}", err=True)


@command.command
@click.argument("person_ids", metavar="ID...", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@targets.stage_option
def erase(person_ids: tuple[str, ...], yes: bool, stage: str | None) -> None:
    """Erase all that is kept of the recipients ID. It cannot be undone.

    That it was done, and when, is kept under a hash from which nobody reads who it was.

    \b
    ./heraldo recipients erase c-1 --stage prod
    """
    target = account(stage, changes=True)
    confirm(f"Erase {count(len(person_ids), 'recipient')} in stage {target.stage}?", yes)
    missing = 0
    with aws_errors(target):
        for person_id in person_ids:
            patience = Patience(_SECONDS)
            put_down(target, "person-erase", secrets.of(target.handle()).hash_of(person_id))
            waited = cancelling.erase(target.handle(), person_id)
            if register.erase(target.handle(), person_id, now_text(), patience) or waited:
                held = f", and {count(waited, 'event')} that waited for them" if waited else ""
                click.echo(f"Erased {person_id}{held}.")
            else:
                missing += 1
                click.secho(f"Nothing is kept of {person_id}.", fg="yellow", err=True)
    if missing:
        sys.exit(1)


def _categories(target: Target) -> dict[str, Category]:
    return dict(rules(target.stage).categories)


def _checked_country(country: str) -> str:
    if not country:
        return ""
    import phonenumbers

    if country.upper() not in phonenumbers.SUPPORTED_REGIONS:
        problem = f"{country!r} is no country by its ISO 3166 code, such as ES or AR"
        raise click.BadParameter(problem, param_hint="--country")
    return country.upper()


def _named(target: Target, ids: tuple[str, ...]) -> Iterator[Person]:
    for person_id in ids:
        person = register.find(target.handle(), person_id, Patience(_SECONDS)).person
        if person is None:
            raise click.ClickException(f"Nothing is kept of the recipient {person_id}.")
        yield person


def _everybody(target: Target) -> Iterator[Person]:
    stage = target.handle()
    pages = stage.dynamodb.get_paginator("scan").paginate(
        TableName=stage.table(table.PEOPLE),
        FilterExpression="begins_with(id, :kind)",
        ExpressionAttributeValues={":kind": {"S": people.PERSON}},
    )
    items = itertools.chain.from_iterable(page["Items"] for page in pages)
    yield from map(people.from_item, items)


def _show(person: dict[str, Any], as_json: bool) -> None:
    click.echo(json.dumps(person, ensure_ascii=False) if as_json else files.as_text(person))
