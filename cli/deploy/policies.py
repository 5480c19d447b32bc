"""The IAM policies, one per function and stage: what each function does today, and no more.

Partition, region and account are wildcards, so that no file names any of them and a stage may live in China or
in GovCloud; everything else is exact.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from chalicelib import names
from chalicelib.store import deliveries, holds, listing, webhooks
from cli.deploy import encryption
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


# Topics of the stage into which lanes publish nothing.
_NOT_LANES: Final = (names.RECEIPTS, names.ALARMS)


def functions(lanes: Collection[str], *, posts: bool = False) -> tuple[str, ...]:
    """Every function of a stage with these lanes, by the name that chalice knows it by. `posts`: it has
    webhooks."""
    found = (API, *lanes, *names.INLETS, names.SWEEP, names.OUTCOMES, names.CONSOLE)
    return (*found, names.WEBHOOKS) if posts else found


def function_name(stage: str, function: str) -> str:
    """The name that chalice gives a function: the API handler's is the application's own."""
    return f"heraldo-{stage}" if function == API else f"heraldo-{stage}-{function}"


def policy(
    stage: str, function: str, lanes: Collection[str], *, posts: bool = False
) -> dict[str, Any]:
    """What `function` may do in `stage`: nothing that it does not do today. `posts`: the stage has webhooks."""
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
    elif function == names.WEBHOOKS:
        statements = _webhooks(stage)
    elif function == names.CONSOLE:
        statements = _console(stage, lanes, posts)
    else:
        statements = _lane(stage, function)
        if posts:
            statements.append(_allow([_SEND, "sqs:GetQueueUrl"], _queue(_posts(stage))))
    return {"Version": "2012-10-17", "Statement": [*statements, _logs(stage, function)]}


def _allow(actions: list[str], *resources: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": list(resources)}


def _queue(name: str) -> str:
    return f"arn:*:sqs:*:*:{name}"


def _table(stage: str, table: str) -> str:
    return f"arn:*:dynamodb:*:*:table/{names.table(stage, table)}"


def _mail(stage: str) -> list[str]:
    """What a stage sends e-mails with. The local AWS knows no resources of this action."""
    if stage == LOCAL:
        return ["*"]
    own = f"configuration-set/{names.configuration_set(stage)}"
    return [f"arn:*:ses:*:*:{resource}" for resource in ("identity/*", own)]


def _schedules(stage: str) -> str:
    """A stage's schedules. The local AWS takes all for schedules of the group `default`."""
    group = "default" if stage == LOCAL else names.schedules(stage)
    return f"arn:*:scheduler:*:*:schedule/{group}/*"


def _logs(stage: str, function: str) -> dict[str, Any]:
    group = f"arn:*:logs:*:*:log-group:/aws/lambda/{function_name(stage, function)}:*"
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
            **_allow(["iam:PassRole"], f"arn:*:iam::*:role/{names.waker(stage)}"),
            "Condition": {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}},
        },
    ]


def _stopping(stage: str) -> dict[str, Any]:
    """To say that an event ends what runs of a journey, as it is accepted."""
    return _allow(["dynamodb:UpdateItem"], _table(stage, "holds"))


def _sweep(stage: str, lanes: Collection[str]) -> list[dict[str, Any]]:
    queues = [_queue(names.queue(stage, lane)) for lane in lanes]
    return [
        _allow([_SEND, "sqs:GetQueueUrl"], *queues),
        _allow(["dynamodb:Query"], f"{_table(stage, 'holds')}/index/{holds.INDEX}"),
    ]


def _outcomes(stage: str) -> list[dict[str, Any]]:
    stream = f"{_table(stage, 'ledger')}/stream/*"
    told: dict[str, Any] = _allow(["events:PutEvents"], "arn:*:events:*:*:event-bus/default")
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


def _posts(stage: str) -> str:
    return names.queue(stage, names.WEBHOOKS)


def _webhooks(stage: str) -> list[dict[str, Any]]:
    return [
        _allow([*_RECEIVE], _queue(_posts(stage))),
        _allow([_SEND], _queue(names.dead_queue(stage, names.WEBHOOKS))),
        # What became of a post.
        _allow(["dynamodb:BatchWriteItem"], _table(stage, "ledger")),
        # What signs it, and nobody's addresses.
        {
            **_allow(["dynamodb:GetItem"], _table(stage, "people")),
            "Condition": {
                "ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"{webhooks.PREFIX}*"]}
            },
        },
    ]


def _api(stage: str, lanes: Collection[str]) -> list[dict[str, Any]]:
    return [
        *_intake(stage, lanes),
        _allow(["dynamodb:Query"], _table(stage, "ledger")),
        *_keys(stage),
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
        _stopping(stage),
        # To pass on who calls its pages. What they show and do is its own.
        _allow(
            ["lambda:InvokeFunction"],
            *(
                f"arn:*:lambda:*:*:function:{names.console(stage)}{alias}"
                for alias in ("", f":{names.LIVE}")
            ),
        ),
    ]


def _keys(stage: str) -> list[dict[str, Any]]:
    """To look a key up, and put down on which day it was used; nothing else of it."""
    used: dict[str, Any] = _allow(["dynamodb:UpdateItem"], _table(stage, "keys"))
    own = {"dynamodb:Attributes": ["hash", "used"]}
    return [
        _allow(["dynamodb:GetItem"], _table(stage, "keys")),
        {**used, "Condition": {"ForAllValues:StringEquals": own}},
    ]


def _console(stage: str, lanes: Collection[str], posts: bool) -> list[dict[str, Any]]:
    """What its pages show and do: to take events as the door does, and more."""
    ledger = _table(stage, "ledger")
    queues = (*lanes, *names.INLETS, *([names.WEBHOOKS] if posts else []))
    return [
        *_intake(stage, lanes),
        _stopping(stage),
        # Whom an event would go to, and what they got lately.
        _allow(["dynamodb:BatchGetItem"], _table(stage, "people"), _table(stage, "holds")),
        *_keys(stage),
        _allow(["dynamodb:Query"], ledger),
        _allow(["dynamodb:Query"], f"{ledger}/index/{listing.INDEX}"),
        # The audit log, which is written as what is held is.
        _allow(["dynamodb:Query"], _table(stage, "holds")),
        # Dead letters: to look at them, say what would become of them, and put them back.
        _allow(
            [*_RECEIVE, "sqs:GetQueueUrl"], *(_queue(names.dead_queue(stage, q)) for q in queues)
        ),
        _allow([_SEND], *(_queue(names.queue(stage, q)) for q in queues)),
        # What is held; of that, not what an event says.
        _allow(["dynamodb:Query"], f"{_table(stage, 'holds')}/index/{holds.INDEX}"),
        # Journeys, and where their runs stand.
        _allow(
            ["states:DescribeStateMachine", "states:ListExecutions"],
            f"arn:*:states:*:*:stateMachine:heraldo-{stage}-*",
        ),
        _allow(
            ["states:DescribeExecution", "states:GetExecutionHistory"],
            f"arn:*:states:*:*:execution:heraldo-{stage}-*:*",
        ),
        # To send somebody a mail of their own making, as a test.
        _allow(["ses:SendBulkEmail"], *_mail(stage)),
        # Who hears a topic, and to change that.
        _allow(
            ["sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic", "sns:Subscribe"],
            f"arn:*:sns:*:*:{names.topic(stage, '*')}",
        ),
        # AWS knows no resources of these. The page ends none but those of the stage's own topics.
        # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsns.html
        _allow(["sns:GetSubscriptionAttributes", "sns:Unsubscribe"], "*"),
        # To cancel what is held, and to acknowledge, as with people.
        *_people(stage),
        *(_inbox(stage) if stage == LOCAL else []),
    ]


def _inbox(stage: str) -> list[dict[str, Any]]:
    """To show what arrived, which is kept on the local stack alone."""
    actions = ["dynamodb:Query", "dynamodb:GetItem", "dynamodb:UpdateItem"]
    return [_allow(actions, _table(stage, deliveries.TABLE))]


def _people(stage: str) -> list[dict[str, Any]]:
    """To find people, change and erase them, cancel what waits for them, and lift what stops an address."""
    people = ["dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:DeleteItem"]
    holds = ["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:DeleteItem"]
    lifted = [] if stage == LOCAL else [_allow(["ses:DeleteSuppressedDestination"], "*")]
    return [
        _allow(people, _table(stage, "people")),
        _allow(holds, _table(stage, "holds")),
        _allow(["dynamodb:UpdateItem"], _table(stage, "ledger")),
        _allow(["scheduler:DeleteSchedule"], _schedules(stage)),
        *lifted,
    ]


def _bus(stage: str, lanes: Collection[str]) -> list[dict[str, Any]]:
    # Nobody waits for an answer there, so what cannot be accepted is dead-lettered.
    dead = [_queue(names.dead_queue(stage, lane)) for lane in (*lanes, names.BUS)]
    return [
        *_intake(stage, lanes),
        _allow([_SEND], *dead),
        _allow([*_RECEIVE], _queue(names.queue(stage, names.BUS))),
        _stopping(stage),
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
        _allow([_PUBLISH], f"arn:*:sns:*:*:{names.topic(stage, '*')}"),
        # But what a receipt is, SES alone says; and what an alarm is, CloudWatch.
        {
            **_allow(
                [_PUBLISH],
                *(f"arn:*:sns:*:*:{names.topic(stage, own)}" for own in _NOT_LANES),
            ),
            "Effect": "Deny",
        },
        # What encrypts the stage's topics, by its alias, for nobody knows its id beforehand, and through SNS alone.
        # https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html
        {
            **_allow([*encryption.USES], "arn:*:kms:*:*:key/*"),
            "Condition": {
                "ForAnyValue:StringEquals": {"kms:ResourceAliases": [names.key_alias(stage)]},
                "StringLike": {"kms:ViaService": ["sns.*.amazonaws.com*"]},
            },
        },
        # Where people's apps are. A topic is no endpoint, so this opens none.
        _allow(["sns:Publish"], "arn:*:sns:*:*:endpoint/*"),
        # A number is no ARN: whatever is no resource of SNS's, and so no topic of anybody's.
        {"Effect": "Allow", "Action": ["sns:Publish"], "NotResource": ["arn:*:sns:*:*:*"]},
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
        # What a recipient got lately, where a category has a cap; and the runs of journeys, which begin under
        # the condition that nobody acknowledged their event.
        _allow(["dynamodb:BatchGetItem", "dynamodb:ConditionCheckItem"], _table(stage, "holds")),
        *_holding(stage),
        _allow(["states:StartExecution"], f"arn:*:states:*:*:stateMachine:heraldo-{stage}-*"),
        _allow(
            ["states:DescribeExecution", "states:StopExecution"],
            f"arn:*:states:*:*:execution:heraldo-{stage}-*:*",
        ),
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
