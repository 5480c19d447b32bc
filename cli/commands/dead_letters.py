"""`./heraldo dead-letters`: see what the lanes gave up on, and put it back."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any, Final

import click

from chalicelib.events.event import Event
from chalicelib.letters.letters import Letter, Look, Sought, look
from chalicelib.letters.verdict import Judge, Verdict
from chalicelib.names import INLETS, WEBHOOKS
from chalicelib.spelling import did_you_mean
from chalicelib.stage import Stage
from chalicelib.words.render import templates
from cli import target as targets
from cli.account import account, aws_errors, put_down, rules
from cli.group import Group
from cli.letters.redrive import Outcome, move
from cli.terminal import Progress, age, confirm, count, table

_MOST_SHOWN: Final = 20
# Nobody waits for a handler here, but somebody at a terminal does.
_READ_SECONDS: Final = 60.0

_lane_option: Final = click.option("--lane", help="Only this lane's; `bus`: EventBridge's.")


@click.group(cls=Group)
def command() -> None:
    """See what the lanes gave up on, why, and put it back once the cause is mended.

    \b
    ./heraldo dead-letters list
    ./heraldo dead-letters show 7f3c…
    ./heraldo dead-letters redrive --reason missing-data --dry-run
    """


@command.command("list")
@click.option("--all", "every", is_flag=True, help="Also each letter's id.")
@_lane_option
@targets.stage_option
@targets.json_option
def list_(every: bool, lane: str | None, stage: str | None, as_json: bool) -> None:
    """Count dead letters by event type and reason.

    \b
    ./heraldo dead-letters list --all
    ./heraldo dead-letters list --lane orders --stage prod --json
    """
    target = account(stage)
    handle = target.handle()
    with aws_errors(target):
        looks, _ = _look(handle, lane)
    groups: dict[tuple[str, str, str], list[Letter]] = {}
    for letter in _letters(looks):
        groups.setdefault((letter.type, letter.reason, letter.lane), []).append(letter)
    ordered = sorted(groups.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    if as_json:
        print(
            json.dumps(
                {
                    "count": sum(map(len, groups.values())),
                    "unseen": {each.lane: each.unseen for each in looks if each.unseen},
                    "groups": [_group_json(key, found, every) for key, found in ordered],
                },
                ensure_ascii=False,
            )
        )
        return
    if not groups and not any(each.unseen for each in looks):
        click.secho("No dead letters.", fg="green")
        return
    if not every:
        table(
            ("COUNT", "TYPE", "REASON", "LANE", "OLDEST"),
            [
                (str(len(found)), type_, reason, in_lane, age(_oldest(found)))
                for (type_, reason, in_lane), found in ordered
            ],
        )
    for (type_, reason, in_lane), found in ordered if every else ():
        click.secho(f"{type_}  {reason}", bold=True, nl=False)
        click.echo(f"  {len(found)} in lane {in_lane}")
        for letter in found:
            click.echo(f"  {letter.id}  {age(letter.died)}  {click.style(letter.detail, dim=True)}")
    _say_unseen(looks)


@command.command
@click.argument("event_id", metavar="ID")
@_lane_option
@targets.stage_option
@targets.json_option
def show(event_id: str, lane: str | None, stage: str | None, as_json: bool) -> None:
    """Show a dead letter: the event, the error, and how it would render now.

    Now means with the templates and rules of this checkout, deployed or not.

    \b
    ./heraldo dead-letters show 7f3c…
    """
    target = account(stage)
    handle = target.handle()
    with aws_errors(target):
        looks, judge = _look(handle, lane, [event_id])
        found = [each for each in _letters(looks) if event_id in (each.id, each.message_id)]
        records = judge.records(found)
    if not found:
        _say_unseen(looks)
        raise click.ClickException(_unknown_id(event_id, looks))
    for letter in found:
        verdict = judge.judge(letter, records.get(letter.key))
        if as_json:
            shown = {**_letter_json(letter), "event": _body(letter), "now": _verdict_json(verdict)}
            print(json.dumps(shown, ensure_ascii=False))
        else:
            _show(letter, verdict)


@command.command
@click.option("--type", "types", multiple=True, help="Only this event type; repeatable.")
@click.option("--reason", "reasons", multiple=True, help="Only this reason; repeatable.")
@click.option("--id", "ids", multiple=True, help="Only the event of this id; repeatable.")
@_lane_option
@click.option(
    "--dry-run", is_flag=True, help="Say what would go and what would fail; move nothing."
)
@click.option("--rate", type=click.IntRange(min=1), metavar="N", help="At most N a second.")
@click.option("--force", is_flag=True, help="Also what would fail again by this checkout.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@targets.stage_option
@targets.json_option
def redrive(
    types: tuple[str, ...],
    reasons: tuple[str, ...],
    ids: tuple[str, ...],
    lane: str | None,
    dry_run: bool,
    rate: int | None,
    force: bool,
    yes: bool,
    stage: str | None,
    as_json: bool,
) -> None:
    """Put dead letters back into their lanes, in order.

    Without options: all of them. The ledger sees to it that only what was missed is published. What
    would fail again with the templates and rules of this checkout stays where it is; so deploy the
    mended template first. It may be interrupted and run again.

    Exits 1 if anything that was meant stays behind.

    \b
    ./heraldo dead-letters redrive --dry-run
    ./heraldo dead-letters redrive --type order.shipped --reason missing-data
    ./heraldo dead-letters redrive --id 7f3c… --stage prod --yes
    """

    def wanted(letter: Letter) -> bool:
        return (
            (not types or letter.type in types)
            and (not reasons or letter.reason in reasons)
            and (not ids or letter.id in ids or letter.message_id in ids)
        )

    target = account(stage, changes=not dry_run)
    handle = target.handle()
    with aws_errors(target):
        looks, judge = _look(handle, lane, ids)
        meant = [letter for letter in _letters(looks) if wanted(letter)]
        missing = [i for i in ids if not any(i in (m.id, m.message_id) for m in meant)]
        if missing:
            _say_unseen(looks)
            raise click.ClickException(_unknown_id(missing[0], looks))
        verdicts = _judged(judge, meant)
        if dry_run:
            _say_plan(verdicts, looks, force, as_json)
            return
        going = [letter for letter, verdict in verdicts if force or verdict.fails is None]
        behind = {each.lane: each.unseen for each in looks if each.whole and each.unseen}
        lanes = [
            each.lane
            for each in looks
            if each.lane in behind or any(letter.lane == each.lane for letter in going)
        ]
        if not lanes:
            _summary(Outcome([], verdicts, looks), as_json)
            return
        unseen = sum(behind.values())
        more = f", and of {unseen} more behind them what is meant," if unseen else ""
        letters = count(len(going), "dead letter")
        confirm(f"Put {letters}{more} back into {target.stage}'s lanes?", yes)
        of = {"type": types, "reason": reasons, "id": ids, "lane": (lane,) if lane else ()}
        named = [f"{name}={value}" for name, values in of.items() for value in values]
        put_down(target, "redrive", " ".join(named) or "*")
        outcome = move(handle, judge, wanted, lanes, looks, verdicts, force, rate, ids)
    _summary(outcome, as_json)


def _summary(outcome: Outcome, as_json: bool) -> None:
    if as_json:
        found = {
            "moved": [letter.id for letter in outcome.moved],
            "still_failing": [
                {**_letter_json(letter), "now": _verdict_json(verdict)}
                for letter, verdict in outcome.still_failing
            ],
            "back_again": [letter.id for letter in outcome.back_again],
            "refused": [
                {"id": letter.id, "problem": problem} for letter, problem in outcome.refused
            ],
            "undeleted": outcome.undeleted,
            "unseen": outcome.unseen,
            "interrupted": outcome.interrupted,
        }
        print(json.dumps(found, ensure_ascii=False))
        sys.exit(outcome.exit_code)
    moved = count(len(outcome.moved), "dead letter")
    if outcome.interrupted:
        click.secho(f"Interrupted: {moved} put back. Run it again to go on.", fg="yellow", err=True)
        sys.exit(outcome.exit_code)
    if outcome.moved:
        extra = ""
        if outcome.nothing_to_send:
            extra = f"; {outcome.nothing_to_send} of them with nothing left to send"
        click.secho(f"{moved} put back{extra}.", fg="green")
    elif not outcome.exit_code:
        click.echo("No dead letter is meant: there is nothing to put back.")
    _say_failing(outcome.still_failing)
    for letter, problem in outcome.refused:
        text = f"{letter.id} stays, and what follows it in order: SQS refused it ({problem})"
        click.secho(text, fg="red", err=True)
    if outcome.back_again:
        again = count(len(outcome.back_again), "event was", "events were")
        text = f"{again} found here again after being put back; see ./heraldo dead-letters list"
        click.secho(text, fg="red", err=True)
    if outcome.undeleted:
        text = f"{outcome.undeleted} were put back but could not be removed from here."
        click.secho(f"{text} Run it again: nothing is published twice.", fg="yellow", err=True)
    if outcome.unseen:
        text = f"{outcome.unseen} more could not be reached: they wait behind ten of their own key"
        text += ", or are in other hands. Mend those in front, or move them too."
        click.secho(text, fg="yellow", err=True)
    sys.exit(outcome.exit_code)


def _say_plan(
    verdicts: Sequence[tuple[Letter, Verdict]], looks: Sequence[Look], force: bool, as_json: bool
) -> None:
    going = [(letter, verdict) for letter, verdict in verdicts if force or verdict.fails is None]
    staying = [] if force else [pair for pair in verdicts if pair[1].fails is not None]
    if as_json:
        found = {
            name: [
                {**_letter_json(letter), "now": _verdict_json(verdict)} for letter, verdict in of
            ]
            for name, of in (("would_go", going), ("would_stay", staying))
        }
        unseen = {each.lane: each.unseen for each in looks if each.whole and each.unseen}
        print(json.dumps({**found, "unseen": unseen}, ensure_ascii=False))
    else:
        click.echo(f"{count(len(going), 'dead letter')} would go back; nothing was moved.")
        for letter, verdict in going:
            what = ", ".join(verdict.sends) or verdict.note
            if verdict.fails is not None:
                what = click.style(f"fails again: {verdict.fails}", fg="red")
            click.echo(f"  {letter.id}  {letter.type}  → {what}")
        _say_failing(staying)
        _say_unseen(looks)
    sys.exit(1 if staying else 0)


def _say_failing(failing: Sequence[tuple[Letter, Verdict]]) -> None:
    if not failing:
        return
    text = count(len(failing), "dead letter stays", "dead letters stay")
    click.secho(f"{text}, because it would fail again:", fg="yellow", err=True)
    for letter, verdict in failing[:_MOST_SHOWN]:
        click.echo(f"  {letter.id}  {letter.type}: {verdict.fails}", err=True)
    if len(failing) > _MOST_SHOWN:
        click.echo(f"  and {len(failing) - _MOST_SHOWN} more; --json has them all", err=True)


def _show(letter: Letter, verdict: Verdict) -> None:
    click.secho(f"{letter.type}  {letter.id}", bold=True)
    click.echo(f"  from {letter.source}, in lane {letter.lane}, ordering key {letter.group!r}")
    click.echo(f"  dead for {age(letter.died)}: {click.style(letter.reason, fg='red')}")
    if letter.detail:
        click.echo(f"  {letter.detail}")
    click.secho("\nThe event" if isinstance(letter.content, Event) else "\nThe message", bold=True)
    body = _body(letter)
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False, indent=2)
    click.echo(_indented(text))
    click.secho("\nNow", bold=True)
    if verdict.fails is not None:
        reason = click.style(verdict.fails.reason, fg="red")
        click.echo(f"  it would fail again: {reason}\n  {verdict.fails}")
    elif verdict.sends:
        click.secho(f"  it would go to {', '.join(verdict.sends)}", fg="green")
    else:
        click.echo(f"  {verdict.note}")
    for name, message in verdict.composed.messages.items() if verdict.composed else ():
        click.secho(f"\n── {name} ──", bold=True)
        click.echo(f"{click.style('subject', dim=True)}  {message.subject}")
        click.echo(_indented(message.bodies["default"]))


def _look(stage: Stage, lane: str | None, ids: Sequence[str] = ()) -> tuple[list[Look], Judge]:
    """Look at the lanes, or until the letters of these ids are found."""
    declared = rules(stage.name)
    lanes = [*declared.lanes, *INLETS, *([WEBHOOKS] if declared.posts else [])]
    if lane is not None and lane not in lanes:
        near = did_you_mean(lane, lanes) or f"; the lanes are {', '.join(lanes)}"
        raise click.BadParameter(f"there is no lane {lane}{near}", param_hint="--lane")
    judge = Judge(stage, declared, templates(), _READ_SECONDS)
    progress = Progress()
    try:
        looks = look(stage, [lane] if lane else lanes, Sought(ids), progress.show)
    finally:
        progress.end()
    moved_by_sqs = [letter for letter in _letters(looks) if letter.moved_by_sqs]
    if moved_by_sqs:
        judge.records(moved_by_sqs)  # tells them why, as far as the ledger knows
    return looks, judge


def _judged(judge: Judge, letters: Sequence[Letter]) -> list[tuple[Letter, Verdict]]:
    records = judge.records(letters)
    return [(letter, judge.judge(letter, records.get(letter.key))) for letter in letters]


def _letters(looks: Sequence[Look]) -> list[Letter]:
    return [letter for each in looks for letter in each.letters]


def _oldest(letters: Sequence[Letter]) -> Any:
    return min(letter.died for letter in letters)


def _say_unseen(looks: Sequence[Look]) -> None:
    for each in looks:
        if each.whole and each.unseen:
            text = f"and {each.unseen} more in lane {each.lane}: behind ten of their own key, the"
            text += " most that SQS shows at a time, or in other hands"
            click.secho(text, fg="yellow", err=True)


def _unknown_id(event_id: str, looks: Sequence[Look]) -> str:
    near = did_you_mean(event_id, [letter.id for letter in _letters(looks)])
    return f"No dead letter has the id {event_id}{near}."


def _body(letter: Letter) -> Any:
    try:
        return json.loads(letter.body)
    except (ValueError, RecursionError):
        return letter.body


def _group_json(
    key: tuple[str, str, str], letters: Sequence[Letter], every: bool
) -> dict[str, Any]:
    event_type, reason, lane = key
    found: dict[str, Any] = {
        "type": event_type,
        "reason": reason,
        "lane": lane,
        "count": len(letters),
        "oldest": _iso(_oldest(letters)),
    }
    if every:
        found["letters"] = [_letter_json(letter) for letter in letters]
    return found


def _letter_json(letter: Letter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "source": letter.source,
        "type": letter.type,
        "lane": letter.lane,
        "ordering_key": letter.group,
        "died": _iso(letter.died),
        "reason": letter.reason,
        "detail": letter.detail,
    }


def _verdict_json(verdict: Verdict) -> dict[str, Any]:
    found: dict[str, Any] = {"fails": verdict.fails is not None, "sends": list(verdict.sends)}
    if verdict.fails is not None:
        found |= {"reason": verdict.fails.reason, "detail": str(verdict.fails)}
    if verdict.note:
        found["note"] = verdict.note
    if verdict.composed is not None:
        found["messages"] = {
            name: {"subject": message.subject, "body": message.bodies["default"]}
            for name, message in verdict.composed.messages.items()
        }
    return found


def _iso(moment: Any) -> str:
    return str(moment.isoformat(timespec="seconds").replace("+00:00", "Z"))


def _indented(text: str) -> str:
    return "\n".join(f"  {line}".rstrip() for line in text.splitlines())
