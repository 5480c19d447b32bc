"""Writes what is known of people: read, changed and written back, so that of two at once none is lost.

Every item of a person counts its writings, and is written only over the version that was read.
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from botocore.exceptions import ClientError

from chalicelib import aws
from chalicelib.errors import TransientError
from chalicelib.patience import Patience
from chalicelib.stage import Stage
from chalicelib.store import people, secrets, stops, table
from chalicelib.store.people import Person
from chalicelib.values import dataclass

# How often somebody else may have been faster.
_TURNS: Final = 10
_RIVAL_SECONDS: Final = 0.05
# That somebody was erased is kept under this, and a keyed hash of their id.
ERASED: Final = "erased:"


@dataclass(frozen=True, slots=True)
class Found:
    """What the table says of an id. `erased` is when a person of this id was erased last, or empty."""

    person: Person | None
    erased: str = ""


def find(stage: Stage, person_id: str, patience: Patience) -> Found:
    """A person by id.

    Raises
    ------
    TransientError : the table cannot be read in time.
    ClientError : it may not be.
    """
    stone = _stone(stage, person_id, patience)
    items = _read(stage, [people.key_of(person_id), stone], patience)
    person = items.get(people.PERSON + person_id)
    gone = items.get(stone["id"]["S"])
    return Found(people.from_item(person) if person else None, gone["at"]["S"] if gone else "")


Change = Callable[[Person, bool], bool]
"""A change of somebody: given what is known, and whether that is anything, it changes it in place and says
whether it did. It may be called again, with what somebody else has made of it meanwhile."""


def change(stage: Stage, item_id: str, by: Change, patience: Patience) -> Person:
    """Change somebody (`person:<id>` or `address:<hash>`) and give what they are then.

    What is known of an address comes along to whoever has it from now on.

    Raises
    ------
    TransientError : the table does not answer in time, or too many change the same.
    ClientError : it may not be written.
    """
    for turn in range(_TURNS):
        if turn:
            patience.wait(_RIVAL_SECONDS * turn)
        key = {"id": {"S": item_id}}
        item = _read(stage, [key], patience).get(item_id)
        old = people.from_item(item) if item else people.of_item_id(item_id)
        new = copy.deepcopy(old)
        if not by(new, item is not None):
            return old
        _take_over(stage, [(old, new)], patience)
        try:
            patience.ask(lambda new=new: stage.dynamodb.put_item(**put_of(stage, new)))  # type: ignore[misc]
        except ClientError as error:
            if aws.code_of(error) != "ConditionalCheckFailedException":
                raise
            # A try whose answer was lost is a rival too, and then all is done on the next turn.
        else:
            return new
    raise TransientError("somebody else changes the same person all the time")


def change_many(stage: Stage, changes: Mapping[str, Change], patience: Patience) -> int:
    """Change up to a hundred at once, as `change` does each; gives how many are different now.

    Raises
    ------
    TransientError, ClientError : as `change`; some may be changed.
    """
    items = _read(stage, [{"id": {"S": item_id}} for item_id in changes], patience)
    changed: list[tuple[Person, Person]] = []
    for item_id, by in changes.items():
        item = items.get(item_id)
        old = people.from_item(item) if item else people.of_item_id(item_id)
        new = copy.deepcopy(old)
        if by(new, item is not None):
            changed.append((old, new))
    if not changed:
        return 0
    _take_over(stage, changed, patience)
    writes: list[Any] = [{"Put": put_of(stage, new)} for _, new in changed]
    token = uuid.uuid4().hex
    try:
        patience.ask(
            lambda: stage.dynamodb.transact_write_items(
                TransactItems=writes, ClientRequestToken=token
            )
        )
    except ClientError as error:
        if aws.code_of(error) != "TransactionCanceledException":
            raise
        for old, _ in changed:  # somebody else changes one of them right now
            change(stage, old.item_id, changes[old.item_id], patience)
    return len(changed)


def lift(stage: Stage, item_id: str, channel: str, patience: Patience) -> bool:
    """Hold nothing against somebody's address any more; says whether anything was.

    `item_id` is `person:<id>`, whose present address it then is, or `address:<hash>`.

    Raises
    ------
    TransientError, ClientError : as `change`.
    """
    held: list[bool] = []

    def by(known: Person, _: bool) -> bool:
        held.append(stops.lift(known, channel))
        return held[-1]

    person = change(stage, item_id, by, patience)
    address = person.email if channel == "email" else person.phone
    if address:
        keyed = patience.ask(lambda: secrets.of(stage)).hash_of(address)
        change(stage, people.ADDRESS + keyed, by, patience)
    return any(held)


def put_push(stage: Stage, person: Person, push: Sequence[str]) -> None:
    """Keep these endpoints of a person, if those that are known are still theirs, and nothing else.

    It is all that a lane may change of people.

    Raises
    ------
    BotoCoreError, ClientError : it is not kept.
    """
    before, after = (
        people.to_item(replace(person, push=tuple(p))).get("push") for p in (person.push, push)
    )
    values: dict[str, Any] = {":before": before, ":one": {"N": "1"}}
    change = "REMOVE push"
    if after is not None:
        change, values[":after"] = "SET push = :after", after
    stage.dynamodb.update_item(
        TableName=stage.table(table.PEOPLE),
        Key=people.key_of(person.id),
        UpdateExpression=f"{change} ADD version :one",
        ConditionExpression="push = :before",
        ExpressionAttributeValues=values,
    )


def put_of(stage: Stage, person: Person) -> dict[str, Any]:
    """The conditional put of a person over the version that was read; counts the version on."""
    before = person.version
    person.version += 1
    condition = "version = :before" if before else "attribute_not_exists(version)"
    values = {"ExpressionAttributeValues": {":before": {"N": str(before)}}} if before else {}
    return {
        "TableName": stage.table(table.PEOPLE),
        "Item": people.to_item(person),
        "ConditionExpression": condition,
        **values,
    }


def erase(stage: Stage, person_id: str, at: str, patience: Patience) -> bool:
    """Erase a person, and keep that it was done; says whether there was one.

    What is kept holds no id: a keyed hash of it, by which only whoever knows the id finds it.

    Raises
    ------
    TransientError, ClientError : as `change`.
    """
    name = stage.table(table.PEOPLE)
    delete = {
        "TableName": name,
        "Key": people.key_of(person_id),
        "ConditionExpression": "attribute_exists(id)",
    }
    stone = {**_stone(stage, person_id, patience), "at": {"S": at}}
    writes: list[Any] = [{"Delete": delete}, {"Put": {"TableName": name, "Item": stone}}]
    token = uuid.uuid4().hex  # of two answers that did not come, one transaction is the result
    try:
        patience.ask(
            lambda: stage.dynamodb.transact_write_items(
                TransactItems=writes, ClientRequestToken=token
            )
        )
    except ClientError as error:
        if aws.code_of(error) != "TransactionCanceledException":
            raise
        return False
    return True


def _stone(stage: Stage, person_id: str, patience: Patience) -> dict[str, Any]:
    """The key under which is kept that a person was erased."""
    hash_of = patience.ask(lambda: secrets.of(stage)).hash_of
    return {"id": {"S": ERASED + hash_of(people.PERSON + person_id)}}


def _take_over(stage: Stage, changed: Iterable[tuple[Person, Person]], patience: Patience) -> None:
    """Let stops and opt-outs of an address count for whoever has it from now on."""
    moved = [
        (new, channel, getattr(new, name))
        for old, new in changed
        for channel, name in _CHANNELS
        if getattr(new, name) != getattr(old, name)
    ]
    if not moved:
        return
    hash_of = patience.ask(lambda: secrets.of(stage)).hash_of
    hashes = {address: hash_of(address) for _, _, address in moved if address}
    keys = [people.address_key(keyed) for keyed in dict.fromkeys(hashes.values())]
    items = _read(stage, keys, patience) if keys else {}
    for person, channel, address in moved:
        item = items.get(people.ADDRESS + hashes[address]) if address else None
        _inherit(person, channel, people.from_item(item) if item else None)


_CHANNELS: Final = (("email", "email"), ("sms", "phone"))


def _inherit(person: Person, channel: str, known: Person | None) -> None:
    person.stopped.pop(channel, None)
    person.soft.pop(channel, None)
    if known is None:
        return
    if channel in known.stopped:
        person.stopped[channel] = known.stopped[channel]
    if channel in known.soft:
        person.soft[channel] = known.soft[channel]
    for category, wanted in known.preferences.items():
        if wanted.get(channel) is False:
            person.preferences.setdefault(category, {})[channel] = False
            if said := known.refused.get(category, {}).get(channel):
                person.refused.setdefault(category, {})[channel] = said


def _read(
    stage: Stage, keys: Sequence[Mapping[str, Any]], patience: Patience
) -> dict[str, Mapping[str, Any]]:
    """The items of these keys that there are, by their ids."""
    found = patience.ask(lambda: table.read(stage, {table.PEOPLE: keys}, patience.left()))
    return {item["id"]["S"]: item for item in found[table.PEOPLE]}
