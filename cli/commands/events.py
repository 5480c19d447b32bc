"""`./heraldo events`: how many events have which status, and which have one."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import click

from chalicelib.stage import Stage
from chalicelib.store import table
from chalicelib.store.record import Record, from_item
from chalicelib.store.statuses import STATUSES
from cli import target as targets
from cli.account import account, aws_errors
from cli.terminal import Progress, count
from cli.terminal import table as show_table


@click.command
@click.option("--status", type=click.Choice(list(STATUSES)), help="List those of this status.")
@click.option(
    "--type", "event_type", help="Only this event type.", shell_complete=targets.complete_type
)
@targets.stage_option
@targets.json_option
def command(status: str | None, event_type: str | None, stage: str | None, as_json: bool) -> None:
    """Count the events of the last 30 days by status, or list those of one.

    The ledger has no index by status, so this reads the whole of it: about one cent and one minute for
    a million events. What becomes of a single event is `./heraldo status ID`.

    \b
    ./heraldo events
    ./heraldo events --status unknown --stage prod
    """
    target = account(stage)
    counts: Counter[str] = Counter()
    found: list[Record] = []
    progress = Progress()
    with aws_errors(target):
        try:
            for record in _scan(target.handle(), status, event_type, progress):
                counts[record.status] += 1
                if status:
                    found.append(record)
        except KeyboardInterrupt:
            progress.end()
            click.echo("Interrupted: not all events were read.", err=True)
            sys.exit(130)
    progress.end()
    found.sort(key=lambda record: record.timeline[-1:])
    if as_json:
        shown: dict[str, Any] = {
            "counts": {name: counts[name] for name in STATUSES if counts[name]}
        }
        if status:
            shown["events"] = [_json(record) for record in found]
        print(json.dumps(shown, ensure_ascii=False))
    elif status:
        for record in found:
            _show(record)
        click.echo(f"{count(len(found), 'event')} {status}: {STATUSES[status]}", err=bool(found))
    elif counts:
        rows = [
            (str(counts[name]), name, about) for name, about in STATUSES.items() if counts[name]
        ]
        show_table(("COUNT", "STATUS", "THE EVENT IS"), rows)
    else:
        click.echo("There is no event in the ledger.")


def _scan(
    stage: Stage, status: str | None, event_type: str | None, progress: Progress
) -> Iterator[Record]:
    """Every record with this status and type, in no order; the ledger's other items are left out."""
    name = stage.table(table.LEDGER)
    total = stage.dynamodb.describe_table(TableName=name)["Table"].get("ItemCount", 0)
    conditions, values = ["attribute_exists(#status)"], {}
    names = {"#status": "status"}
    if status:
        conditions.append("#status = :status")
        values[":status"] = {"S": status}
    if event_type:
        conditions.append("#type = :type")
        values[":type"] = {"S": event_type}
        names["#type"] = "type"
    asked: dict[str, Any] = {
        "TableName": name,
        "FilterExpression": " AND ".join(conditions),
        "ExpressionAttributeNames": names,
    }
    if values:
        asked["ExpressionAttributeValues"] = values
    looked_at = 0
    for page in stage.dynamodb.get_paginator("scan").paginate(**asked):
        looked_at += page["ScannedCount"]
        # DynamoDB counts its items a few times a day.
        progress.show(f"{looked_at:,} of about {max(total, looked_at):,} events read")
        yield from map(from_item, page["Items"])


def _show(record: Record) -> None:
    at = record.timeline[-1].split(" ", 1)[0] if record.timeline else ""
    click.echo(f"{at}  {record.type}  {click.style(record.id, bold=True)}  from {record.source}")
    if record.unknown:
        click.echo(f"  may have gone out to {', '.join(record.unknown)}")
    elif record.reason:
        click.secho(f"  {record.reason}: {record.detail}", dim=True)


def _json(record: Record) -> dict[str, Any]:
    return {
        "id": record.id,
        "source": record.source,
        "type": record.type,
        "lane": record.lane,
        "at": record.timeline[-1].split(" ", 1)[0] if record.timeline else None,
        "unknown": list(record.unknown),
        "reason": record.reason,
        "detail": record.detail,
    }
