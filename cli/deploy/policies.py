"""The IAM policies, one per function and stage: what each function does today, and no more.

Region and account are wildcards so that no file names an account; everything else is exact.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from chalicelib import names
from chalicelib.store import holds
from cli.stages import LOCAL

API: Final = "api_handler"

# AWS authorises a batch of these through the single action, the local AWS asks for the batch's own
# name. The star covers both, and on AWS nothing else.
_SEND: Final = "sqs:SendMessage*"
_PUBLISH: Final = "sns:Publish*"
_RECEIVE: Final = (
    *("sqs:ReceiveMessage", "sqs:GetQueueAttributes"),
    *("sqs:DeleteMessage*", "sqs:ChangeMessageVisibility*"),
)


def functions(lanes: Collection[str]) -> tuple[str, ...]:
    """Every function of a stage with these lanes, by the name that chalice knows it by."""
    return (API, *lanes, *names.INLETS, names.SWEEP, names.OUTCOMES)


def function_name(stage: str, function: str) -> str:
    """The name that chalice gives a function: the API handler's is the application's own."""
    return f"heraldo-{stage}" if function == API else f"heraldo-{stage}-{function}"


def policy(stage: str, function: str, lanes: Collection[str]) -> dict[str, Any]:
    """What `function` may do in `stage`: nothing that it does not do today."""
    if function == API:
        statements = _api(stage, lanes)
    elif function == names.BUS:
        statements = _bus(stage, lanes)
    elif function == names.RECEIPTS:
        statements = _receipts(stage)
    elif function == names.SWEEP:
        statements = _sweep(stage, lanes)
    elif function == names.OUTCOMES:
        statements = _outcomes(stage)
    else:
        statements = _lane(stage, function)
    return {"Version": "2012-10-17", "Statement": [*statements, _logs(stage, function)]}


def _allow(actions: list[str], *resources: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": list(resources)}


def _queue(name: str) -> str:
    return f"arn:aws:sqs:*:*:{name}"


def _table(stage: str, table: str) -> str:
    return f"arn:aws:dynamodb:*:*:table/{names.table(stage, table)}"


def _mail(stage: str) -> list[str]:
    """What a stage sends e-mails with. The local AWS knows no resources of this action."""
    if stage == LOCAL:
        return ["*"]
    own = f"configuration-set/{names.configuration_set(stage)}"
    return [f"arn:aws:ses:*:*:{resource}" for resource in ("identity/*", own)]


def _schedules(stage: str) -> str:
    """A stage's schedules. The local AWS takes all for schedules of the group `default`."""
    group = "default" if stage == LOCAL else names.schedules(stage)
    return f"arn:aws:scheduler:*:*:schedule/{group}/*"


def _logs(stage: str, function: str) -> dict[str, Any]:
    group = f"arn:aws:logs:*:*:log-group:/aws/lambda/{function_name(stage, function)}:*"
    return _allow(["logs:CreateLogStream", "logs:PutLogEvents"], group)


def _intake(stage: str, lanes: Collection[str]) -> list[dict[str, Any]]:
    queues = [_queue(names.queue(stage, lane)) for lane in lanes]
    return [
        _allow([_SEND, "sqs:GetQueueUrl"], *queues),
        # A transaction is authorised through the actions that it is made of: puts.
        _allow(["dynamodb:PutItem", "dynamodb:BatchGetItem"], _table(stage, "ledger")),
        # What stands for the addresses that come with events: store.secrets.
        _allow(["dynamodb:GetItem"], _table(stage, "people")),
        *_holding(stage),
    ]


def _holding(stage: str) -> list[dict[str, Any]]:
    """To keep an event until its time, and have its lane woken then."""
    return [
        _allow(["dynamodb:PutItem"], _table(stage, "holds")),
        _allow(["scheduler:CreateSchedule"], _schedules(stage)),
        # https://docs.aws.amazon.com/scheduler/latest/UserGuide/setting-up.html#setting-up-pass-role
        {
            **_allow(["iam:PassRole"], f"arn:aws:iam::*:role/{names.waker(stage)}"),
            "Condition": {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}},
        },
    ]


def _sweep(stage: str, lanes: Collection[str]) -> list[dict[str, Any]]:
    queues = [_queue(names.queue(stage, lane)) for lane in lanes]
    return [
        _allow([_SEND, "sqs:GetQueueUrl"], *queues),
        _allow(["dynamodb:Query"], f"{_table(stage, 'holds')}/index/{holds.INDEX}"),
    ]


def _outcomes(stage: str) -> list[dict[str, Any]]:
    stream = f"{_table(stage, 'ledger')}/stream/*"
    told: dict[str, Any] = _allow(["events:PutEvents"], "arn:aws:events:*:*:event-bus/default")
    # In nobody else's name: what is on the bus as heraldo.<stage> is what this function says.
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-conditions.html
    told["Condition"] = {
        "ForAllValues:StringEquals": {"events:source": [names.outcome_source(stage)]}
    }
    return [
        # Lambda reads the stream for it: https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
        _allow(
            ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"], stream
        ),
        _allow(["dynamodb:ListStreams"], stream),
        told,
        # Lambda says there, as this function, what it gave up on.
        _allow(["sqs:SendMessage"], _queue(names.lost_outcomes(stage))),
    ]


def _api(stage: str, lanes: Collection[str]) -> list[dict[str, Any]]:
    return [
        *_intake(stage, lanes),
        _allow(["dynamodb:Query"], _table(stage, "ledger")),
        _allow(["dynamodb:GetItem"], _table(stage, "keys")),
        _allow(
            ["dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:DeleteItem"],
            _table(stage, "people"),
        ),
        # To cancel what is held.
        _allow(["dynamodb:UpdateItem"], _table(stage, "ledger")),
        _allow(
            ["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:DeleteItem"],
            _table(stage, "holds"),
        ),
        _allow(["scheduler:DeleteSchedule"], _schedules(stage)),
    ]


def _bus(stage: str, lanes: Collection[str]) -> list[dict[str, Any]]:
    # Nobody waits for an answer there, so what cannot be accepted is dead-lettered.
    dead = [_queue(names.dead_queue(stage, lane)) for lane in (*lanes, names.BUS)]
    return [
        *_intake(stage, lanes),
        _allow([_SEND], *dead),
        _allow([*_RECEIVE], _queue(names.queue(stage, names.BUS))),
    ]


def _receipts(stage: str) -> list[dict[str, Any]]:
    return [
        _allow([*_RECEIVE], _queue(names.queue(stage, names.RECEIPTS))),
        _allow([_SEND], _queue(names.dead_queue(stage, names.RECEIPTS))),
        _allow(["dynamodb:BatchWriteItem", "dynamodb:PutItem"], _table(stage, "ledger")),
        # A receipt, and what it means for its address, in one transaction.
        _allow(
            ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem"],
            _table(stage, "people"),
        ),
    ]


def _lane(stage: str, lane: str) -> list[dict[str, Any]]:
    return [
        _allow([*_RECEIVE], _queue(names.queue(stage, lane))),
        _allow([_SEND], _queue(names.dead_queue(stage, lane))),
        _allow([_PUBLISH], f"arn:aws:sns:*:*:{names.topic(stage, '*')}"),
        # But what a receipt is, SES alone says.
        {
            **_allow([_PUBLISH], f"arn:aws:sns:*:*:{names.topic(stage, names.RECEIPTS)}"),
            "Effect": "Deny",
        },
        # Where people's apps are. A topic is no endpoint, so this opens none.
        _allow(["sns:Publish"], "arn:aws:sns:*:*:endpoint/*"),
        # A number is no ARN: whatever is no resource of SNS's, and so no topic of anybody's.
        {"Effect": "Allow", "Action": ["sns:Publish"], "NotResource": ["arn:aws:sns:*:*:*"]},
        _allow(["ses:SendBulkEmail"], *_mail(stage)),
        # A transaction is authorised through the actions that it is made of: puts.
        _allow(
            ["dynamodb:BatchGetItem", "dynamodb:BatchWriteItem", "dynamodb:PutItem"],
            _table(stage, "ledger"),
        ),
        _allow(["dynamodb:BatchGetItem", "dynamodb:GetItem"], _table(stage, "people")),
        # What was held goes out: what is due is read, and said to be on its way.
        _allow(
            ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"], _table(stage, "holds")
        ),
        # What a recipient got lately, where a category has a cap.
        _allow(["dynamodb:BatchGetItem"], _table(stage, "holds")),
        *_holding(stage),
        # Of a person, a lane may take away a device whose app is gone, and change nothing else.
        # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
        {
            **_allow(["dynamodb:UpdateItem"], _table(stage, "people")),
            "Condition": {
                "ForAllValues:StringEquals": {"dynamodb:Attributes": ["id", "push", "version"]},
                "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["person:*"]},
            },
        },
    ]
