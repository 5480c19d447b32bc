"""Whether keys open the door that nobody needs any more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from chalicelib import names
from cli.doctor.finding import Patient, Told, check

_UNUSED: Final = timedelta(days=90)


@check("keys")
def unused(found: Patient) -> Iterator[Told]:
    """A key was not used for 90 days: whoever found it could."""
    since = f"{datetime.now(UTC) - _UNUSED:%Y-%m-%d}"
    pages = found.client("dynamodb").get_paginator("scan")
    for page in pages.paginate(TableName=names.table(found.stage, "keys")):
        for item in page["Items"]:
            last = item["used"]["S"] if "used" in item else item["created"]["S"]
            if last < since:
                name = item["name"]["S"]
                what = f"the key {name} was not used since {last[:10]}"
                yield Told("warning", what, f"./heraldo keys revoke {name} --stage {found.stage}")
