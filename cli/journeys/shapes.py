"""What a state of a journey may say, and what one that sends says: the form that the lanes read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

RESOURCE: Final = "arn:aws:states:::sqs:sendMessage"
TOP: Final = ("Comment", "QueryLanguage", "StartAt", "States")
_RUN: Final = "$states.context.Execution.Input"
_STATE: Final = "$states.context.State"
OUTPUT: Final = f"{{% {_RUN} %}}"
FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "Pass": ("Output", "Next", "End"),
    "Wait": ("Seconds", "Timestamp", "Output", "Next", "End"),
    "Choice": ("Choices", "Default", "Output"),
    "Succeed": ("Output",),
    "Fail": ("Error", "Cause"),
    "Task": ("Resource", "Arguments", "Retry", "Output", "Next", "End"),
}
"""The types of states, and what each may have beside Type and Comment."""
CHOICE: Final = ("Condition", "Next", "Output", "Comment")
ARGUMENTS: Final[Mapping[str, str]] = {
    "MessageGroupId": f"{{% {_RUN}.group %}}",
    "MessageDeduplicationId": f"{{% {_RUN}.run & '.' & {_STATE}.Name & '.' & {_STATE}.EnteredTime %}}",
}
BODY: Final[Mapping[str, str]] = {
    "step": f"{{% {_STATE}.Name %}}",
    "at": f"{{% {_STATE}.EnteredTime %}}",
    "run": OUTPUT,
}
_QUEUE: Final = re.compile(r"\$\{([A-Za-z0-9]+)\}\Z")
# It stands in a message's deduplication id, of 128 characters, and in the event's id:
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,40}\Z")


def queue(arguments: object) -> str:
    """The lane whose queue a state sends to, or nothing where that is not said."""
    given = arguments.get("QueueUrl") if isinstance(arguments, Mapping) else None
    found = _QUEUE.match(given) if isinstance(given, str) else None
    return found[1] if found else ""


def same(given: object, wanted: str) -> bool:
    """Whether an expression is this one, however it is spaced."""
    return isinstance(given, str) and given.replace(" ", "") == wanted.replace(" ", "")


def misshapen(fields: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """What of a sending state is not in the form that lanes read: where, what is wrong, the remedy."""
    if fields.get("Resource") != RESOURCE:
        yield ("Resource",), f"has the Resource {fields.get('Resource')!r}", f"write {RESOURCE!r}"
        return
    arguments = fields.get("Arguments")
    if not isinstance(arguments, Mapping):
        yield (), "has no Arguments", "write those of another state that sends"
        return
    if not queue(arguments):
        what = "does not say to which lane it sends"
        yield (
            ("Arguments", "QueueUrl"),
            what,
            'write "QueueUrl": "${reminders}", with the lane\'s name',
        )
    body = arguments.get("MessageBody")
    parts: list[tuple[tuple[str, ...], Mapping[str, Any], Mapping[str, str], tuple[str, ...]]] = [
        (("Arguments",), arguments, ARGUMENTS, ("QueueUrl", "MessageBody"))
    ]
    if isinstance(body, Mapping):
        parts.append((("Arguments", "MessageBody"), body, BODY, ("send",)))
        if not isinstance(body.get("send"), str) or "{%" in body["send"]:
            what = "does not say which event type it sends"
            yield ("Arguments", "MessageBody", "send"), what, 'write "send": "cart.reminder"'
    else:
        what = "has no MessageBody that says what it sends"
        yield ("Arguments", "MessageBody"), what, "write that of another state that sends"
    for way, there, wanted, others in parts:
        for name, expression in wanted.items():
            if not same(there.get(name), expression):
                what = f"{'has another' if name in there else 'lacks'} {name}"
                yield (*way, name), what, f'write "{name}": "{expression}"'
        for name in there:
            if name not in wanted and name not in others:
                yield (*way, name), f"has {name!r}, which no lane reads", "take it out"
    if not same(fields.get("Output"), OUTPUT):
        what = "hands on something else than what the run was started with"
        yield ("Output",), what, f'write "Output": "{OUTPUT}"'
    if not fields.get("Retry"):
        what = "gives up at the first error of SQS"
        yield (), what, "write a Retry on States.ALL, as other states that send have it"
