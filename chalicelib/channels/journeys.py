"""Journeys start: the run is written down, and then its execution is started by a name that is the run's, so
that twice is once."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from botocore.exceptions import ClientError

from chalicelib import aws, names
from chalicelib.channels.answers import of_failure
from chalicelib.channels.publication import LATER, NOT_TRIED, Publication, Result
from chalicelib.stage import Stage
from chalicelib.store import runs
from chalicelib.store.run import RUNNING, STOPPED, Run, run_name
from chalicelib.store.runs import Stopped, Taken

# What Step Functions says of an input or a name that it would refuse for ever.
_REFUSED: Final = ("InvalidExecutionInput", "InvalidName", "Validation")
# What it and DynamoDB say where too much goes on at once.
_LATER: Final = ("ExecutionLimitExceeded", "TransactionCanceled", "TransactionInProgress")
_NONE: Final = "ExecutionDoesNotExist"
_TURNS: Final = 3
# https://docs.aws.amazon.com/step-functions/latest/apireference/API_StopExecution.html
_OVER: Final = ("ExecutionDoesNotExist", "ValidationException")


def send(
    stage: Stage,
    publications: Sequence[Publication],
    *,
    in_time: Callable[[], bool],
    once: bool,  # noqa: ARG001 - it always is
) -> list[Result]:
    """Start the journey `to` for each, whose message is the event that starts it; see `registry.Channel`.

    None is `unknown`: that one is started again changes nothing.
    """
    results = [NOT_TRIED] * len(publications)
    for number, publication in enumerate(publications):
        if number and not in_time():
            break
        results[number] = _start(stage, publication)
    return results


def _start(stage: Stage, publication: Publication) -> Result:
    about = publication.attributes
    key, tag = about["key"], about["tag"]
    run = Run(
        publication.to,
        key,
        run_name(publication.to, key, tag),
        about["started"],
        publication.message,
        tag,
        about.get("recipient", ""),
    )
    try:
        if why := _begin(stage, run):
            return Result(withheld=why)
        _execute(stage, run, about)
    except aws.FAILURES as error:
        result = replace(of_failure(error, _REFUSED), unknown=False)
        if result.error.removesuffix("Exception") in _LATER:
            return replace(result, fault=LATER)
        return result
    return Result(message_id=run.run)


def _begin(stage: Stage, run: Run) -> str:
    """Write down that a run begins; gives why it does not."""
    over = ""
    for _ in range(_TURNS):
        try:
            runs.begin(stage, run, over)
        except Stopped:
            return STOPPED
        except Taken as taken:
            if _goes_on(stage, taken.by):
                return RUNNING
            over = taken.by.run
        else:
            return ""
    return RUNNING  # its key changes hands all the time: others are at it


def _goes_on(stage: Stage, run: Run) -> bool:
    if runs.acknowledged(stage, run.tag) or runs.acknowledged(stage, run.run):
        return False
    return is_running(stage, run.journey, run.run)


def _execute(stage: Stage, run: Run, about: Any) -> None:
    begun = {name: about[name] for name in ("id", "source", "type")}
    told = {
        "journey": run.journey,
        "key": run.key,
        "run": run.run,
        "group": about["group"],
        "started": run.started,
        "event": begun,
    }
    machine = names.state_machine(stage.name, run.journey)
    try:
        stage.client("stepfunctions").start_execution(
            stateMachineArn=stage.place.state_machine_arn(machine),
            name=run.run,
            input=json.dumps(told, ensure_ascii=False, separators=(",", ":")),
        )
    except ClientError as error:
        # AWS takes one of the same name and input that runs as the same, and refuses it once it is closed.
        # https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
        if aws.code_of(error) != "ExecutionAlreadyExists":
            raise


def execution_arn(stage: Stage, journey: str, run: str) -> str:
    return stage.place.execution_arn(names.state_machine(stage.name, journey), run)


def is_running(stage: Stage, journey: str, run: str) -> bool:
    """Whether the execution of a run is under way.

    Raises
    ------
    BotoCoreError, ClientError : Step Functions does not say.
    """
    arn = execution_arn(stage, journey, run)
    try:
        found = stage.client("stepfunctions").describe_execution(executionArn=arn)
    except ClientError as error:
        if aws.code_of(error) == _NONE:
            return False
        raise
    return bool(found["status"] == "RUNNING")


def stop_execution(stage: Stage, journey: str, run: str) -> None:
    """Have the execution of a run end, as far as it is under way.

    Raises
    ------
    BotoCoreError, ClientError : it may go on; what it sends is dropped.
    """
    arn = execution_arn(stage, journey, run)
    try:
        stage.client("stepfunctions").stop_execution(executionArn=arn)
    except ClientError as error:
        if aws.code_of(error) not in _OVER:
            raise
