"""Whatever is written, a later version wrote more of it: attributes that this one knows nothing of.

So what a roll-back meets is what these stories meet. Every kind of item and message that the code writes is changed on
its way to AWS, whoever writes it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib import aws
from tests.integration.aws_fixture import Stage

# One of each type that DynamoDB has.
LATER: dict[str, Any] = {
    "later_text": {"S": "später"},
    "later_number": {"N": "1.5"},
    "later_flag": {"BOOL": True},
    "later_none": {"NULL": True},
    "later_list": {"L": [{"S": "a"}, {"N": "1"}]},
    "later_map": {"M": {"deep": {"M": {"er": {"S": "x"}}}}},
    "later_set": {"SS": ["a", "b"]},
}
_SET = "SET "


def _put(asked: dict[str, Any]) -> None:
    asked["Item"] = {**LATER, **asked["Item"]}


def _update(asked: dict[str, Any]) -> None:
    if "#later" in asked.get("ExpressionAttributeNames", {}):
        return  # asked once more
    expression = asked.get("UpdateExpression", "")
    if _SET in expression:
        asked["UpdateExpression"] = expression.replace(_SET, f"{_SET}#later = :later, ", 1)
    else:
        asked["UpdateExpression"] = f"{expression} SET #later = :later"
    asked["ExpressionAttributeNames"] = {
        **asked.get("ExpressionAttributeNames", {}),
        "#later": "later_text",
    }
    asked["ExpressionAttributeValues"] = {
        **asked.get("ExpressionAttributeValues", {}),
        ":later": LATER["later_text"],
    }


def _batch(asked: dict[str, Any]) -> None:
    for writes in asked["RequestItems"].values():
        for write in writes:
            if "PutRequest" in write:
                _put(write["PutRequest"])


def _transaction(asked: dict[str, Any]) -> None:
    for write in asked["TransactItems"]:
        for does, change in (("Put", _put), ("Update", _update)):
            if does in write:
                change(write[does])


def _message(asked: dict[str, Any]) -> None:
    if asked["MessageBody"].startswith("{"):  # a letter may be anything
        body = json.loads(asked["MessageBody"])
        asked["MessageBody"] = json.dumps({**body, "later": "später"}, ensure_ascii=False)
    later = {"DataType": "String", "StringValue": "später"}
    asked["MessageAttributes"] = {**asked.get("MessageAttributes", {}), "later": later}


def _messages(asked: dict[str, Any]) -> None:
    for entry in asked["Entries"]:
        _message(entry)


HOOKS = {
    ("dynamodb", "PutItem"): _put,
    ("dynamodb", "UpdateItem"): _update,
    ("dynamodb", "BatchWriteItem"): _batch,
    ("dynamodb", "TransactWriteItems"): _transaction,
    ("sqs", "SendMessage"): _message,
    ("sqs", "SendMessageBatch"): _messages,
}


@pytest.fixture(autouse=True)
def later_writes_more(stage: Stage) -> Iterator[None]:
    """Have all that this code writes be as a later version writes it."""
    registered = []
    for (service, operation), change in HOOKS.items():
        for client in (aws.client(service), aws.client(service, hurried=True)):
            emitter = client.meta.events
            name = f"provide-client-params.{service}.{operation}"

            def changed(params: dict[str, Any], change: Any = change, **_: Any) -> None:
                change(params)

            emitter.register(name, changed)
            registered.append((emitter, name, changed))
    yield
    for emitter, name, changed in registered:
        emitter.unregister(name, changed)
