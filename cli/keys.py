"""The keys of a stage, as its table has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from chalicelib import names
from cli.target import Target

PREFIX: Final = "hk_"
_SHOWN_HASH: Final = 8


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as the table has it: everything but the key."""

    hash: str
    name: str
    scopes: tuple[str, ...]
    sources: tuple[str, ...]
    types: tuple[str, ...]
    test: bool
    created: str
    last: str
    used: str = ""
    """The day (UTC) on which it was last used; empty where it never was."""

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> StoredKey:
        def text(name: str) -> str:
            return str(item[name]["S"]) if name in item else ""

        return cls(
            text("hash"),
            text("name"),
            tuple(text("scope").split()),
            tuple(text("source").split()) or (text("name"), "*"),
            tuple(text("types").split()),
            bool(item["test"]["BOOL"]) if "test" in item else False,
            text("created"),
            text("last"),
            text("used"),
        )

    @property
    def id(self) -> str:
        """The start of the hash: names a key and gives nothing away."""
        return self.hash[:_SHOWN_HASH]

    def item(self) -> dict[str, Any]:
        """The DynamoDB item, as chalicelib.door.keys reads it."""
        item: dict[str, Any] = {
            "hash": {"S": self.hash},
            "name": {"S": self.name},
            "scope": {"S": " ".join(self.scopes)},
            "source": {"S": " ".join(self.sources)},
            "created": {"S": self.created},
            "last": {"S": self.last},
        }
        if self.types:
            item["types"] = {"S": " ".join(self.types)}
        if self.test:
            item["test"] = {"BOOL": True}
        return item

    def shown(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            "scopes": list(self.scopes),
            "sources": list(self.sources),
            "types": list(self.types),
            "test": self.test,
            "created": self.created,
            "last_used": self.used or None,
            "ends_in": self.last or None,
        }


def stored(target: Target) -> list[StoredKey]:
    """The keys of a stage, by their names.

    Raises
    ------
    BotoCoreError, ClientError : the table does not answer.
    """
    pages = target.client("dynamodb").get_paginator("scan").paginate(TableName=table_of(target))
    found = [StoredKey.of(item) for page in pages for item in page["Items"]]
    return sorted(found, key=lambda key: key.name)


def table_of(target: Target) -> str:
    return names.table(target.stage, "keys")
