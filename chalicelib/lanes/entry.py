"""A lane's function in the packaged stack, past `app.py`: a worker that drains a queue needs nothing of the door.

Under a plain `chalice deploy` lanes are `app.orders` and so on, which do the same.
"""

import gc

# What is imported stays: to look for what could go takes a sixth of a cold start, and finds nothing.
gc.disable()

import os
from typing import Any

from chalicelib import aws, names
from chalicelib.lanes import dispatch

LANE = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "").removeprefix(f"heraldo-{names.stage()}-")


def handle(event: dict[str, Any], context: Any) -> None:
    """Deal with a raw SQS Lambda event."""
    remaining = context.get_remaining_time_in_millis
    dispatch.dispatch(aws.stage(), event["Records"], LANE, remaining)


gc.freeze()
gc.enable()
