"""Who was first: an event is written into the ledger if it is not there yet.

An event without an id also leaves where its content can be found, for the five minutes in which equal
content is one event.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Sequence
from typing import Any, Final

from botocore.exceptions import ClientError

from chalicelib import aws
from chalicelib.errors import TransientError
from chalicelib.patience import Patience
from chalicelib.stage import Stage
from chalicelib.store import holds, ledger, runs, statuses, table
from chalicelib.store.holds import Hold
from chalicelib.store.record import KEEP_SECONDS, EventKey, Record, from_item, to_item
from chalicelib.store.run import RunKey
from chalicelib.values import dataclass

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
TRANSACTION_ITEMS: Final = 100
# FIFO's own deduplication window, in which equal content without an id is one event:
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-exactly-once-processing.html
SAME_CONTENT_SECONDS: Final = 300
# How often the same events are fought over: each turn settles at least one of the rivals.
_TURNS: Final = 10
_RIVAL_SECONDS: Final = 0.05

# None: the claim holds. A record: it was there before. A TransientError: neither is known.
Outcome = Record | TransientError | None


def content_key(content: str, source: str) -> EventKey:
    """Where the ledger keeps which event had this content. No event is there: ids have one line."""
    return (f"content\n{content}", source)


@dataclass(frozen=True, slots=True)
class Claim:
    """A record to be written if there is none yet.

    `content` is the hash of an event that came without an id: the claim then fails as well where
    equal content of that source was claimed within five minutes. `hold` is kept with it; `stops` are the
    runs of journeys that are over once it holds.
    """

    record: Record
    content: str = ""
    hold: Hold | None = None
    stops: tuple[RunKey, ...] = ()

    def writes(self, stage: Stage, now: int) -> list[dict[str, Any]]:
        """The conditional puts that stand or fall together, but for what it stops."""
        kept = holds.puts(stage, self.hold) if self.hold else []
        return [*self._claims(stage.table(table.LEDGER), now), *kept]

    @property
    def number(self) -> int:
        """How many writes it takes."""
        number = 1 + bool(self.content) + len(self.stops)
        return number if self.hold is None else number + 2 + bool(self.hold.recipient)

    def _claims(self, table_name: str, now: int) -> list[dict[str, Any]]:
        keep_until = holds.keep_until(self.hold) if self.hold else now + KEEP_SECONDS
        put = {
            "TableName": table_name,
            "Item": to_item(self.record, str(keep_until)),
            "ConditionExpression": "attribute_not_exists(id)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        if not self.content:
            return [put]
        pointer_id, source = content_key(self.content, self.record.source)
        pointer = {
            "id": {"S": pointer_id},
            "source": {"S": source},
            "event_id": {"S": self.record.id},
            "claimed": {"N": str(now)},
            "expires": {"N": str(now + SAME_CONTENT_SECONDS)},
        }
        condition = "attribute_not_exists(id) OR claimed <= :before"
        before = {":before": {"N": str(now - SAME_CONTENT_SECONDS)}}
        return [
            {
                **put,
                "Item": pointer,
                "ConditionExpression": condition,
                "ExpressionAttributeValues": before,
            },
            put,
        ]


def claim(stage: Stage, claims: Sequence[Claim], patience: Patience) -> list[Outcome]:
    """Claim events, in order: what became of each.

    A claim that could not be decided may still hold. One call for one event with an id, one for each
    hundred puts otherwise; what there is no patience left for is not tried.
    """
    if len(claims) == 1 and claims[0].number == 1:
        return [_claim_one(stage, claims[0], patience)]
    outcomes: list[Outcome] = []
    for chunk in _chunks(claims):
        outcomes += _Transaction(stage, chunk, patience).run()
    return outcomes


def _claim_one(stage: Stage, claim: Claim, patience: Patience) -> Outcome:
    [put] = claim.writes(stage, int(time.time()))
    try:
        patience.ask(lambda: stage.dynamodb.put_item(**put))
    except ClientError as error:
        item: Any = error.response.get("Item")
        return from_item(item) if item else _unwritten(aws.code_of(error))
    except TransientError as error:
        return _unwritten(str(error))
    return None


def _chunks(claims: Sequence[Claim]) -> Iterable[list[Claim]]:
    """Claims to decide in one transaction each."""
    chunk: list[Claim] = []
    puts = 0
    for claim in claims:
        more = claim.number
        if puts + more > TRANSACTION_ITEMS:
            yield chunk
            chunk, puts = [], 0
        chunk.append(claim)
        puts += more
    if chunk:
        yield chunk


class _Transaction:
    """One transaction for many claims; those it refuses are told apart, the rest is tried again."""

    def __init__(self, stage: Stage, claims: Sequence[Claim], patience: Patience) -> None:
        self._stage = stage
        self._claims = claims
        self._patience = patience
        self._outcomes: dict[int, Outcome] = {}
        self._pointed: dict[int, EventKey] = {}
        self._stopped: set[RunKey] = set()  # by a later event already

    def run(self) -> list[Outcome]:
        why = "Contended"
        for turn in range(_TURNS):
            positions = self._undecided()
            if not positions or self._patience.is_over:
                break
            if turn > 1:
                self._patience.wait(_RIVAL_SECONDS * turn)
            try:
                self._try(positions)
            except TransientError:
                break  # patience is over
            except ClientError as error:  # of the table, and so the same for the next call
                why = aws.code_of(error)
                self._patience.count(why)
                break
        if self._patience.is_over:
            why = self._patience.why
        self._outcomes.update((position, _unwritten(why)) for position in self._undecided())
        self._follow_pointers()
        return [self._outcomes[position] for position in range(len(self._claims))]

    def _undecided(self) -> list[int]:
        decided = self._outcomes.keys() | self._pointed.keys()
        return [p for p in range(len(self._claims)) if p not in decided]

    def _try(self, positions: Sequence[int]) -> None:
        now = int(time.time())
        puts = [(p, put) for p in positions for put in self._claims[p].writes(self._stage, now)]
        stops = self._stops(positions)
        writes: list[Any] = [{"Put": put} for _, put in puts]
        writes += [{"Update": update} for update in stops.values()]
        token = uuid.uuid4().hex  # of two answers that did not come, one transaction is the result
        try:
            self._patience.ask(
                lambda: self._stage.dynamodb.transact_write_items(
                    TransactItems=writes, ClientRequestToken=token
                )
            )
        except ClientError as error:
            if aws.code_of(error) != "TransactionCanceledException":
                raise
            reasons: Any = error.response.get("CancellationReasons") or ()
            self._sort_out([*(p for p, _ in puts), *(None for _ in stops)], reasons)
            for key, reason in zip(stops, reasons[len(puts) :], strict=False):
                if reason.get("Code") == "ConditionalCheckFailed":
                    self._stopped.add(key)
        else:
            self._outcomes.update(dict.fromkeys(positions))

    def _stops(self, positions: Sequence[int]) -> dict[RunKey, dict[str, Any]]:
        """What these stop, each run once: a transaction changes no item twice."""
        latest: dict[RunKey, str] = {}
        for claim in (self._claims[position] for position in positions):
            for key in claim.stops:
                latest[key] = max(claim.record.accepted, latest.get(key, ""))
        still = {key: at for key, at in latest.items() if key not in self._stopped}
        return runs.stops(self._stage, still)

    def _sort_out(self, owners: Sequence[int | None], reasons: Any) -> None:
        """What a refused transaction says of each of its writes; what stops a run has no owner."""
        throttled = ""
        for position, reason in zip(owners, reasons, strict=False):
            code, item = reason.get("Code", ""), reason.get("Item")
            if position is not None and code == "ConditionalCheckFailed" and item:
                if "event_id" in item:
                    self._pointed[position] = (item["event_id"]["S"], item["source"]["S"])
                else:
                    self._outcomes[position] = from_item(item)
            elif "Throttl" in code or "Throughput" in code:
                throttled = code
        if throttled:
            self._patience.failed(throttled)

    def _follow_pointers(self) -> None:
        """The records of events that came without an id and were here a moment ago."""
        if not self._pointed:
            return
        try:
            known = self._patience.ask(
                lambda: ledger.read(self._stage, self._pointed.values(), self._patience.left())
            )
        except TransientError as error:
            self._outcomes.update(dict.fromkeys(self._pointed, error))
            return
        for position, key in self._pointed.items():
            test = self._claims[position].record.test
            gone = Record(*key, status=statuses.PUBLISHED, test=test)
            self._outcomes[position] = known.get(key) or gone


def _unwritten(why: str) -> TransientError:
    return TransientError(f"the ledger cannot be written ({why})")
