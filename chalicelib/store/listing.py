"""The ledger, newest first: its index (`store.shares`), read a page at a time.

A page costs so much and no more, however long the ledger is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from chalicelib import aws
from chalicelib.errors import TransientError
from chalicelib.side_by_side import side_by_side
from chalicelib.store import table
from chalicelib.store.shares import AT, SHARD, SHARDS, shard_of
from chalicelib.values import dataclass

if TYPE_CHECKING:
    from chalicelib.patience import Patience
    from chalicelib.stage import Stage

INDEX: Final = "newest"
# What stands after a text in the index that is a part of a time.
_LAST: Final = "~"
# A page looks so often into each share, at so many items: none at all is 1 MB.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html
_LOOKS: Final = (50, 500, None, None)
_ROWS: Final = 4_000
_AT_ONCE: Final = 10
"""As many as the client has connections."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events: all, or those of a status, type, lane, rule or recipient (its keyed hash), that began
    within `since` and `until` (ISO, UTC; a part of one will do)."""

    status: str = ""
    type: str = ""
    lane: str = ""
    rule: str = ""
    whose: str = ""
    since: str = ""
    until: str = ""

    @property
    def shards(self) -> list[str]:
        return [shard_of("", self.whose)] if self.whose else [str(n) for n in range(SHARDS)]

    @property
    def is_narrow(self) -> bool:
        return any((self.status, self.type, self.lane, self.rule, self.whose))


@dataclass(frozen=True, slots=True)
class Page:
    """Items of the index, the newest first. `before` is where the next page begins, empty at the end;
    `is_whole`: it has as many as were asked for, or all there are. Where it is not, all that is newer than
    `before` was looked through."""

    items: Sequence[table.Item]
    before: str = ""
    is_whole: bool = True


@dataclass(slots=True)
class _Share:
    """What was read of one share: all that is wanted above `edge`, which is empty at its end."""

    shard: str
    edge: str
    items: list[table.Item] = field(default_factory=list)


def newest(stage: Stage, wanted: Wanted, count: int, patience: Patience, before: str = "") -> Page:
    """The newest `count` events of those wanted that stand before a place.

    Raises
    ------
    TransientError : the ledger cannot be read.
    """
    top = min(filter(None, (before, wanted.until and wanted.until + _LAST)), default=_LAST)
    shares = [_Share(shard, top) for shard in wanted.shards]
    # Where all of it counts, twice as many as a share should have of a page.
    every = 0 if wanted.is_narrow else 2 + 2 * count // len(shares)
    for look in _LOOKS:
        found = _sorted(shares)
        least = _at(found[count - 1]) if len(found) >= count else ""
        open_ones = [share for share in shares if share.edge > least]
        if not open_ones:
            break
        read_on = partial(_read_on, stage, wanted, every or look, patience)
        side_by_side(read_on, open_ones, _AT_ONCE)
    edge = max(share.edge for share in shares)
    sure = [item for item in _sorted(shares) if _at(item) >= edge]
    if len(sure) >= count or not edge:
        rest = len(sure) > count or bool(edge)
        return Page(sure[:count], _at(sure[count - 1]) if rest and len(sure) >= count else "")
    return Page(sure, edge, is_whole=False)


def _read_on(
    stage: Stage, wanted: Wanted, limit: int | None, patience: Patience, share: _Share
) -> None:
    answer = _query(stage, share.shard, wanted, share.edge, limit, patience)
    rule = wanted.rule  # of which DynamoDB finds every name that has it in it
    share.items += [i for i in answer["Items"] if not rule or rule in i["rules"]["S"].split()]
    last = answer.get("LastEvaluatedKey")
    share.edge = last[AT]["S"] if last else ""


def _query(
    stage: Stage,
    shard: str,
    wanted: Wanted,
    below: str,
    limit: int | None,
    patience: Patience,
) -> Any:
    names = {"#shard": SHARD, "#at": AT}
    since, last = wanted.since or "0", _just_below(below)  # both belong to BETWEEN
    if last < since:
        return {"Items": []}
    values: dict[str, Any] = {
        ":shard": {"S": shard},
        ":since": {"S": since},
        ":last": {"S": last},
    }
    conditions = []
    for name in ("status", "type", "lane", "whose"):
        if value := getattr(wanted, name):
            conditions.append(f"#{name} = :{name}")
            names[f"#{name}"] = name
            values[f":{name}"] = {"S": value}
    if wanted.rule:
        conditions.append("contains(#rules, :rule)")
        names["#rules"], values[":rule"] = "rules", {"S": wanted.rule}
    asked: dict[str, Any] = {
        "TableName": stage.table(table.LEDGER),
        "IndexName": INDEX,
        "KeyConditionExpression": "#shard = :shard AND #at BETWEEN :since AND :last",
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
        "ScanIndexForward": False,
    }
    if conditions:
        asked["FilterExpression"] = " AND ".join(conditions)
    if limit is not None:
        asked["Limit"] = limit
    return _ask(stage, asked, patience)


def _ask(stage: Stage, asked: Mapping[str, Any], patience: Patience) -> Any:
    def call() -> Any:
        answer: Any = stage.dynamodb.query(**asked)
        _ = answer["Items"]
        return answer

    try:
        return patience.ask(call)
    except ClientError as error:
        raise TransientError(f"the ledger cannot be read ({aws.code_of(error)})") from None


def _just_below(text: str) -> str:
    """The greatest text below this one that can be a place: places end in letters and digits."""
    return text[:-1] + chr(ord(text[-1]) - 1) + _LAST


def _sorted(shares: Iterable[_Share]) -> list[table.Item]:
    return sorted((item for share in shares for item in share.items), key=_at, reverse=True)


def _at(item: table.Item) -> str:
    return str(item[AT]["S"])


# -- figures ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sample:
    """Items of a span of time, each of which stands for `weight` events."""

    items: Sequence[table.Item]
    weight: float = 1.0


def sample(
    stage: Stage, since: datetime, until: datetime, patience: Patience, spans: int
) -> tuple[list[Sample], bool]:
    """What began between two moments (UTC), in so many spans of equal length; and whether that is all.

    Where there is more than can be read in a moment, it is a fair sample: what one share has, of each span
    the newest.

    Raises
    ------
    TransientError : the ledger cannot be read.
    """
    step = (until - since) / spans
    edges = [since + step * number for number in range(spans + 1)]
    texts = [_text(edge) for edge in edges]
    whole = Wanted(since=texts[0])
    answers = side_by_side(
        lambda shard: _query(stage, shard, whole, texts[-1], _ROWS // SHARDS, patience),
        whole.shards,
        _AT_ONCE,
    )
    if not any("LastEvaluatedKey" in answer for answer in answers):
        sorted_out: list[list[table.Item]] = [[] for _ in range(spans)]
        for answer in answers:
            for item in answer["Items"]:
                number = sum(_at(item) >= text for text in texts[1:-1])
                sorted_out[number].append(item)
        return [Sample(items) for items in sorted_out], True

    def of_span(number: int) -> Sample:
        wanted = Wanted(since=texts[number])
        answer = _query(stage, "0", wanted, texts[number + 1], _ROWS // spans, patience)
        items = answer["Items"]
        covered = step
        if "LastEvaluatedKey" in answer:
            oldest = datetime.fromisoformat(_at(items[-1]).split("/")[0])
            covered = max(edges[number + 1] - oldest, timedelta(milliseconds=1))
        return Sample(items, SHARDS * (step / covered))

    return side_by_side(of_span, range(spans), _AT_ONCE), False


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
