"""Whether what must not be lost is kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from chalicelib import names
from chalicelib.store import secrets, table, webhooks
from cli.doctor.finding import Patient, Told, check

_TABLES: Final = (table.LEDGER, table.PEOPLE, table.HOLDS, "keys")


@check("tables")
def there(found: Patient) -> Iterator[Told]:
    """A table is not there, or the stage has no secrets yet, without which no address is recognised, no link signed
    and nothing posted.
    """
    dynamodb = found.client("dynamodb")
    missing = []
    for short in _TABLES:
        name = names.table(found.stage, short)
        try:
            dynamodb.describe_table(TableName=name)
        except dynamodb.exceptions.ResourceNotFoundException:
            missing.append(short)
            yield Told("error", f"the table {name} is not there", "deploy the stage")
    if table.PEOPLE not in missing:
        name = names.table(found.stage, table.PEOPLE)
        if "Item" not in dynamodb.get_item(TableName=name, Key=secrets.KEY):
            yield Told("error", "the stage has no secrets", "deploy the stage, which makes them")
        for webhook in found.routing.webhooks.values():
            key = webhooks.key(webhook.name)
            if webhook.url and "Item" not in dynamodb.get_item(TableName=name, Key=key):
                remedy = f"./heraldo webhooks secret {webhook.name} --stage {found.stage}"
                what = f"webhook {webhook.name} has no secret: what is for it waits"
                yield Told("error", what, remedy)


@check("backups", local=False)
def backups(found: Patient) -> Iterator[Told]:
    """A table cannot be put back to how it was: point-in-time recovery is off."""
    dynamodb = found.client("dynamodb")
    for short in (table.LEDGER, table.PEOPLE, table.HOLDS):
        name = names.table(found.stage, short)
        told = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
        recovery = told.get("PointInTimeRecoveryDescription") or {}
        if recovery.get("PointInTimeRecoveryStatus") != "ENABLED":
            what = f"{name} cannot be put back to how it was (no point-in-time recovery)"
            yield Told("warning", what, "deploy the stage")
