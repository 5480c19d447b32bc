"""What SES says afterwards of the mails that it took, and what becomes of what is posted to webhooks: kept beside
the event's record, and for their addresses.

A receipt is an item of its own in the ledger, in a partition that is its event's and has no record in it. So
it is no matter whether it comes before the record or after it, lanes may write their records whole, and one
that comes twice is one. What it means for the address that the mail went to (`store.stops`) is written in the
same transaction: it is not lost, and a soft bounce does not count twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from botocore.exceptions import ClientError

from chalicelib import aws
from chalicelib.errors import TransientError
from chalicelib.patience import Patience
from chalicelib.stage import Stage
from chalicelib.store import people, register, secrets, statuses, stops, table
from chalicelib.store.people import Person
from chalicelib.store.record import expires_text
from chalicelib.store.secrets import Secrets
from chalicelib.values import dataclass

# Seconds to let a rival be, who writes the same address at the same moment.
_RIVAL_SECONDS: Final = 0.02


@dataclass(frozen=True, slots=True)
class Receipt:
    """What SES says of one mail, or became of one post: `kind` is one of `statuses.RECEIPTS`, `detail` a word for
    why.

    `event` and `destination` are what the mail's tags have. Whose mail it was, the `address` and the
    `person`, and the `effect` that it has on that address (`store.stops`) are used and not kept.
    """

    event: str
    destination: str
    message_id: str
    kind: str
    at: str
    detail: str = ""
    address: str = ""
    person: str = ""
    effect: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Its place in the ledger. Of a mail there is one of each kind, but that a hard bounce may follow a
        soft one."""
        hard = "/hard" if self.effect == stops.HARD_BOUNCE else ""
        return _partition(self.event), f"{self.destination}/{self.message_id}/{self.kind}{hard}"


def _partition(event: str) -> str:
    # No event is there: ids have one line.
    return f"receipts\n{event}"


def of_event(stage: Stage, event: str) -> list[Receipt]:
    """The receipts of an event, by its tag (`plan.compose.event_tag`), the oldest first.

    Raises
    ------
    TransientError : the ledger cannot be read.
    """
    try:
        answer = stage.dynamodb.query(
            TableName=stage.table(table.LEDGER),
            KeyConditionExpression="id = :id",
            ExpressionAttributeValues={":id": {"S": _partition(event)}},
            ConsistentRead=True,
        )
        found = [_from_item(event, item) for item in answer["Items"]]
    except aws.FAILURES as error:
        raise TransientError(f"the ledger cannot be read ({aws.code_of(error)})") from None
    gravity = list(statuses.RECEIPTS).index
    return sorted(found, key=lambda receipt: (receipt.at, gravity(receipt.kind)))


def keep(stage: Stage, receipts: Sequence[Receipt], patience: Patience) -> set[tuple[str, str]]:
    """Keep receipts, each once, with what they mean for their addresses; gives the keys of those that
    could not be kept now. Those of one address count in the order in which they are given."""
    fresh = {receipt.key: receipt for receipt in receipts}
    try:
        secret = secrets.of(stage)
        counting = _with_a_count(stage, fresh.values(), secret, patience)
    except TransientError:
        return set(fresh)
    plain = {}
    moving = {}
    for key, receipt in fresh.items():
        keyed = secret.hash_of(receipt.address) if receipt.effect else ""
        if not keyed or (receipt.effect == stops.DELIVERY and keyed not in counting):
            plain[key] = receipt
        else:
            moving[key] = receipt
    expires = expires_text()
    items = [_to_item(receipt, expires) for receipt in plain.values()]
    left = table.write(stage, table.LEDGER, items, patience.left())
    unkept = {(item["id"]["S"], item["source"]["S"]) for item in left}
    for key, receipt in moving.items():
        try:
            _keep_moving(stage, receipt, secret, expires, patience)
        except (TransientError, ClientError):
            unkept.add(key)
    return unkept


def note(stage: Stage, receipts: Sequence[Receipt], seconds: float) -> int:
    """Keep receipts that mean nothing for an address, within `seconds`; says how many could not be. One that is
    kept already gets the later time."""
    expires = expires_text()
    items = {receipt.key: _to_item(receipt, expires) for receipt in receipts}
    return len(table.write(stage, table.LEDGER, list(items.values()), seconds))


def _with_a_count(
    stage: Stage, receipts: Iterable[Receipt], secret: Secrets, patience: Patience
) -> set[str]:
    """The keyed hashes of those addresses that have soft bounces, which a delivery makes forgotten."""
    by_effect: dict[str, set[str]] = {}
    for receipt in receipts:
        by_effect.setdefault(receipt.effect, set()).add(secret.hash_of(receipt.address))
    soft = by_effect.get(stops.SOFT_BOUNCE, set())
    hashes = sorted(by_effect.get(stops.DELIVERY, set()) - soft)
    if not hashes:
        return soft
    keys = {table.PEOPLE: [people.address_key(keyed) for keyed in hashes]}
    items = patience.ask(lambda: table.read(stage, keys, patience.left()))[table.PEOPLE]
    return soft | {one.id for one in map(people.from_item, items) if one.soft}


def _keep_moving(
    stage: Stage, receipt: Receipt, secret: Secrets, expires: str, patience: Patience
) -> None:
    """Keep a receipt, and in the same transaction what it changes of its address: all of it, or nothing.

    Raises
    ------
    TransientError, ClientError : it is not kept.
    """
    keyed = secret.hash_of(receipt.address)
    keys = [people.address_key(keyed)]
    if receipt.person:
        keys.append(people.key_of(receipt.person))
    put = {
        "Put": {
            "TableName": stage.table(table.LEDGER),
            "Item": _to_item(receipt, expires),
            "ConditionExpression": "attribute_not_exists(id)",
        }
    }
    while not patience.is_over:
        read = patience.ask(lambda: table.read(stage, {table.PEOPLE: keys}, patience.left()))
        changed = _changed(receipt, keyed, read[table.PEOPLE], secret)
        writes: list[Any] = [put, *({"Put": register.put_of(stage, one)} for one in changed)]
        try:
            patience.ask(partial(stage.dynamodb.transact_write_items, TransactItems=writes))
        except ClientError as error:
            codes = [r.get("Code") for r in error.response.get("CancellationReasons") or ()]
            if codes and codes[0] == "ConditionalCheckFailed":
                return  # it was kept before, whole
            if not set(codes) & {"ConditionalCheckFailed", "TransactionConflict"}:
                raise
            patience.wait(_RIVAL_SECONDS)  # somebody else wrote that address, or its person
        else:
            return
    raise TransientError(patience.why)


def _changed(
    receipt: Receipt, keyed: str, read: Sequence[Mapping[str, Any]], secret: Secrets
) -> list[Person]:
    """The address as it is now, and the person whose it is, where that changes anything."""
    items = {item["id"]["S"]: people.from_item(item) for item in read}
    address = people.ADDRESS + keyed
    before = items.get(address) or people.of_item_id(address)
    after = stops.after(before, keyed, receipt.effect, receipt.at, receipt.detail)
    found = [after] if after != before else []
    person = items.get(people.PERSON + receipt.person)
    if person is not None and person.email and secret.hash_of(person.email) == keyed:
        theirs = stops.as_known(person, after)
        if theirs != person:
            found.append(theirs)
    return found


def _to_item(receipt: Receipt, expires: str) -> dict[str, Any]:
    event, source = receipt.key
    item = {
        "id": {"S": event},
        "source": {"S": source},
        "at": {"S": receipt.at},
        "kind": {"S": receipt.kind},
        "expires": {"N": expires},
    }
    if receipt.detail:
        item["detail"] = {"S": receipt.detail}
    return item


def _from_item(event: str, item: Mapping[str, Any]) -> Receipt:
    destination, message_id, *_ = item["source"]["S"].split("/")
    detail = item["detail"]["S"] if "detail" in item else ""
    return Receipt(event, destination, message_id, item["kind"]["S"], item["at"]["S"], detail)
