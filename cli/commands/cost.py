"""`./heraldo cost`: what an event type costs on AWS, by the calls that its plan makes. Needs neither AWS nor the
local stack."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

import click

from chalicelib import names
from chalicelib.door import intake
from chalicelib.errors import HeraldoError
from chalicelib.events.event import Event
from chalicelib.plan.compose import compose
from chalicelib.plan.reach import ANYBODY, shown_links
from chalicelib.rules.reading import routing
from chalicelib.words.render import templates
from cli import target as targets
from cli.cost.calls import Calls, calls_of
from cli.cost.model import MILLION, Prices, dollars, monthly, prices, regions, units
from cli.deploy import resources, snapshots
from cli.journeys import definition, trial
from cli.journeys.walk import Ended, walk
from cli.paths import ROOT
from cli.stages import LOCAL, STAGE, stages
from cli.terminal import count, table

_MESSAGES: Final = "messages"
_SERVICES: Final = {
    "api_gateway": "API Gateway",
    "lambda": "Lambda",
    "sqs": "SQS",
    "dynamodb": "DynamoDB",
    "sns": "SNS",
    "scheduler": "EventBridge Scheduler",
    "step_functions": "Step Functions",
    "logs": "CloudWatch Logs",
    _MESSAGES: "the mails and pushes themselves",
}
# Accepted and sent, with how long it took, for each lane and each type in use; what there is of the others is little.
_FIGURES: Final = 3
_ALARM: Final = "AWS::CloudWatch::Alarm"
_START: Final = datetime(2026, 12, 4, 10, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Cost:
    """What so many events of a type cost."""

    type: str
    calls: Calls
    of: dict[str, float]

    @property
    def heraldo(self) -> float:
        return sum(self.of.values()) - self.messages

    @property
    def messages(self) -> float:
        return self.of.get(_MESSAGES, 0.0)


@click.command
@click.argument("types", nargs=-1, shell_complete=targets.complete_type)
@click.option("--events", type=click.IntRange(1), default=MILLION, help="How many; a million.")
@click.option("--region", default="us-east-1", help="Whose prices: " + ", ".join(regions()) + ".")
@click.option(
    "--batch", type=click.IntRange(1, 500), default=1, help="Events in one request; one alone."
)
@click.option(
    "--together",
    type=click.IntRange(1, 10),
    default=1,
    help="Events that a lane gets at once: 1 where little comes, up to 10.",
)
@click.option("--held", is_flag=True, help="Each waits for its time (`deliverat`).")
@click.option(
    "--sms", type=click.FloatRange(0), help="What a part of a text message costs, in dollars."
)
@click.option(
    "--memory",
    type=click.IntRange(128, 10240),
    default=lambda: _memory(),
    show_default=False,
    help="Megabytes of functions; what .chalice/config.json says.",
)
@click.option(
    "--stage", type=STAGE, default=LOCAL, help="Whose rules apply; nothing is asked of it."
)
@targets.json_option
def command(
    types: tuple[str, ...],
    events: int,
    region: str,
    batch: int,
    together: int,
    held: bool,
    sms: float | None,
    memory: int,
    stage: str,
    as_json: bool,
) -> None:
    """Compute what events of these TYPES cost on AWS, each by its sample; by default of all.

    Without free tiers and discounts. What a text message costs is its country's: say it with --sms.

    \b
    ./heraldo cost
    ./heraldo cost order.shipped --events 50000 --region eu-west-1
    ./heraldo cost promotion.started --batch 500 --together 10
    """
    known = _prices(region)
    wanted = types or templates().types
    found = [
        _cost(name, known, events, batch, together, held, sms, memory, stage) for name in wanted
    ]
    found.sort(key=lambda cost: -sum(cost.of.values()))
    each_month = _monthly(stage, known, memory)
    figures = _figures(stage, len(templates().types)) * known.of["cloudwatch.metrics"]
    if as_json:
        print(json.dumps(_json(found, known, events, each_month), ensure_ascii=False))
        return
    if types:
        for cost in found:
            _show(cost, events, sms)
    else:
        _show_all(found, events, sms)
    click.echo()
    told = ", ".join(f"{name} {_dollars(number)}" for name, number in each_month.items())
    total = _dollars(sum(each_month.values()))
    click.echo(f"And {total} a month, whatever is sent: {told};")
    click.echo(f"up to {_dollars(figures)} more for figures, if every type is sent all month.")
    if stages()[stage].snap_start:
        begun = memory / 1024 * known.of["lambda.restores"] / 1000
        click.echo(f"A thousand starts from snapshots cost {_dollars(begun)} more.")
    about = (
        f"{region}, list prices as of {known.as_of} (cli/cost/prices.toml), {memory} MB on arm64,"
        f" {count(batch, 'event')} to a request, {together} to a lane's batch."
    )
    click.secho(about, dim=True)


def _prices(region: str) -> Prices:
    if region not in regions():
        problem = f"there are no prices of {region!r}; there are those of {', '.join(regions())}"
        raise click.BadParameter(problem, param_hint="--region")
    return prices(region)


def _memory() -> int:
    found: dict[str, Any] = json.loads((ROOT / ".chalice" / "config.json").read_text("utf-8"))
    return int(found["lambda_memory_size"])


def _cost(
    event_type: str,
    known: Prices,
    events: int,
    batch: int,
    together: int,
    held: bool,
    sms: float | None,
    memory: int,
    stage: str,
) -> _Cost:
    raw = {**targets.sample(event_type), "id": "cost"}
    try:
        rules = routing(stage)
        checked = intake.check(raw, rules, default_source="cli")
        anybody = replace(ANYBODY, links=shown_links("https://…"))
        composed = compose(checked.event, checked.lane, rules, templates(), str, anybody)
    except HeraldoError as error:
        raise click.ClickException(f"{event_type}: its sample would be refused: {error}") from None
    calls = calls_of(checked.event, composed, held=held)
    used = units(
        calls,
        batch=batch,
        together=together,
        memory=memory,
        transitions=sum(_transitions(journey, checked.event) for journey in calls.starts),
    )
    of = dollars(used, known, events)
    if sms is not None and calls.parts:
        of[_MESSAGES] = of.get(_MESSAGES, 0.0) + sms * calls.parts * events
    return _Cost(event_type, calls, of)


def _transitions(journey: str, event: Event) -> int:
    """Those of a run that nothing stops."""
    given = trial.run_input(journey, "key", "run", event, _START)
    ends = walk(definition.read(ROOT, journey), given, _START)
    return sum(one.transitions for one in ends if isinstance(one, Ended))


def _figures(stage: str, types: int) -> int:
    return _FIGURES * (len(routing(stage).lanes) + types)


def _monthly(stage: str, known: Prices, memory: int) -> dict[str, float]:
    found = resources.infrastructure(stage)["Resources"].values()
    return monthly(
        known,
        alarms=sum(one["Type"] == _ALARM for one in found),
        queues=len(routing(stage).lanes) + len(names.INLETS),
        snapshots=_snapshots(stage, memory),
    )


def _snapshots(stage: str, memory: int) -> float:
    """How many gigabytes a stage's snapshots have."""
    return len(snapshots.FUNCTIONS) * memory / 1024 if stages()[stage].snap_start else 0.0


def _show_all(found: Sequence[_Cost], events: int, sms: float | None) -> None:
    rows = [
        (
            cost.type,
            _dollars(cost.heraldo),
            _dollars(cost.messages) + ("" if sms is not None or not cost.calls.parts else " + SMS"),
            _dollars(sum(cost.of.values())),
        )
        for cost in found
    ]
    table((f"{events:,} EVENTS OF", "HERALDO", "MESSAGES", "TOGETHER"), rows)


def _show(cost: _Cost, events: int, sms: float | None) -> None:
    total = sum(cost.of.values())
    click.secho(f"{events:,} × {cost.type}: {_dollars(total)}", bold=True)
    rows = [
        (f"  {_SERVICES[service]}", _dollars(number), f"{100 * number / total:.0f} %")
        for service, number in cost.of.items()
    ]
    table(("  SERVICE", "COSTS", "SHARE"), rows)
    if cost.calls.parts and sms is None:
        parts = count(cost.calls.parts, "part")
        click.echo(f"  and a text message of {parts} each, at its country's price: --sms")
    if cost.calls.starts:
        text = "  The journey is one that nothing stops; what it sends costs as those types do, but for the door."
        click.secho(text, dim=True)
    if cost.calls.channels.get("topic"):
        text = "  A topic's subscribers by e-mail cost 20 $ a million more, each; queues and functions nothing."
        click.secho(text, dim=True)


def _dollars(number: float) -> str:
    return f"{number:,.2f} $"


def _json(
    found: Sequence[_Cost], known: Prices, events: int, each_month: dict[str, float]
) -> dict[str, Any]:
    return {
        "events": events,
        "region": known.region,
        "prices_as_of": known.as_of,
        "types": {
            cost.type: {
                "total": round(sum(cost.of.values()), 4),
                "heraldo": round(cost.heraldo, 4),
                "messages": round(cost.messages, 4),
                "sms_parts": cost.calls.parts,
                "services": {name: round(number, 4) for name, number in cost.of.items()},
            }
            for cost in found
        },
        "monthly": {name: round(number, 4) for name, number in each_month.items()},
    }
