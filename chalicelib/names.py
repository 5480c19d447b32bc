"""Every AWS name, derived from the stage. No ARN stands in any file."""

from __future__ import annotations

import os
from typing import Final

from chalicelib.values import dataclass


def stage() -> str:
    """The stage this code runs in: `local`, `dev`, `prod`, … (environment `HERALDO_STAGE`)."""
    return os.environ.get("HERALDO_STAGE", "local")


def serves(*functions: str) -> bool:
    """Whether this process is one of these functions, by what chalice calls them; it is all of them outside of
    Lambda. The API's has no name of its own: it is ""."""
    name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
    if name is None:
        return True
    return name.removeprefix(f"heraldo-{stage()}").removeprefix("-") in functions


def iam_callers() -> bool:
    """Whether callers prove themselves by IAM signature (`auth = "iam"` in stages.toml) rather than a key."""
    return os.environ.get("HERALDO_AUTH") == "iam"


def channels() -> dict[str, bool]:
    """The channels that are on or off for whoever says nothing else (`channels` in stages.toml)."""
    words = (word.partition("=") for word in os.environ.get("HERALDO_CHANNELS", "").split())
    return {name: value == "on" for name, _, value in words}


BUS: Final = "bus"
"""The queue that EventBridge puts events into, which have no lane yet."""
RECEIPTS: Final = "receipts"
"""The queue for what SES says afterwards of the mails that it took."""
SWEEP: Final = "sweep"
"""The function that looks for what should have gone out."""
OUTCOMES: Final = "outcomes"
"""The function that tells the bus what became of events."""
WEBHOOKS: Final = "webhooks"
"""The queue of what is posted to servers outside of AWS, with a function and dead letters as a lane has."""
API: Final = ""
"""The function of the API, whose name is the stage's."""
CONSOLE: Final = "console"
"""The function of the console's pages."""
ALARMS: Final = "alarms"
"""The topic of whoever is told of alarms by CloudWatch itself, past Heraldo."""
INLETS: Final = (BUS, RECEIPTS)
"""The queues by which AWS itself tells something. Each has a function and dead letters as a lane has, and is
none: what lies in it has no order."""


VERIFY: Final = "verify"
"""The topic by which `./heraldo verify` gets back what it sends, and nobody else anything."""
VERIFY_TYPE: Final = "heraldo.verify"
"""The event type of that."""


def console(stage: str) -> str:
    """What the function of the console is called on AWS."""
    return f"heraldo-{stage}-{CONSOLE}"


LIVE: Final = "live"
"""The alias of a function's version that is called, where functions begin from snapshots: versions alone have one."""


def is_version() -> bool:
    """Whether this process is a published version of its function, as one is that began from a snapshot.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    return os.environ.get("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST") != "$LATEST"


def queue(stage: str, lane: str) -> str:
    return f"heraldo-{stage}-{lane}{_ending(lane)}"


def dead_queue(stage: str, lane: str) -> str:
    return f"heraldo-{stage}-{lane}-dead{_ending(lane)}"


def _ending(lane: str) -> str:
    return "" if lane in INLETS else ".fifo"


def lost_wakes(stage: str) -> str:
    """The queue for wakes that the scheduler could not deliver to their lanes."""
    return f"heraldo-{stage}-wakes-dead"


def lost_outcomes(stage: str) -> str:
    """The queue for what tells which outcomes could not be told."""
    return f"heraldo-{stage}-{OUTCOMES}-dead"


def outcome_source(stage: str) -> str:
    """Whom the bus hears of outcomes from."""
    return f"heraldo.{stage}"


def key_alias(stage: str) -> str:
    """What the key of a stage's topics is called."""
    return f"alias/heraldo-{stage}"


def dashboard(stage: str) -> str:
    """What a stage's dashboard in CloudWatch is called."""
    return f"heraldo-{stage}"


def schedules(stage: str) -> str:
    """The scheduler's group of a stage."""
    return f"heraldo-{stage}"


def waker(stage: str) -> str:
    """The role with which the scheduler wakes lanes."""
    return f"heraldo-{stage}-waker"


def state_machine(stage: str, journey: str) -> str:
    return f"heraldo-{stage}-{journey}"


def journeys(stage: str) -> str:
    """The role with which journeys send events into lanes."""
    return f"heraldo-{stage}-journeys"


def topic(stage: str, name: str) -> str:
    return f"heraldo-{stage}-{name}"


def configuration_set(stage: str) -> str:
    """What SES knows a stage's mails by."""
    return f"heraldo-{stage}"


def table(stage: str, name: str) -> str:
    return f"heraldo-{stage}-{name}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where this stage lives on AWS: what turns a name into an ARN."""

    partition: str
    region: str
    account: str

    @classmethod
    def of_arn(cls, arn: str) -> Place:
        """The place that `arn` is in, so that nobody has to ask AWS who we are."""
        _, partition, _, region, account, *_ = arn.split(":", 5)
        return cls(partition, region, account)

    def topic_arn(self, topic_name: str) -> str:
        return f"arn:{self.partition}:sns:{self.region}:{self.account}:{topic_name}"

    def queue_arn(self, queue_name: str) -> str:
        return f"arn:{self.partition}:sqs:{self.region}:{self.account}:{queue_name}"

    def role_arn(self, role_name: str) -> str:
        return f"arn:{self.partition}:iam::{self.account}:role/{role_name}"

    def state_machine_arn(self, name: str) -> str:
        return f"arn:{self.partition}:states:{self.region}:{self.account}:stateMachine:{name}"

    def execution_arn(self, name: str, execution: str) -> str:
        place = f"arn:{self.partition}:states:{self.region}:{self.account}"
        return f"{place}:execution:{name}:{execution}"
