"""The IAM policies, one per function and stage, and the part of chalice's configuration that names
them. `make policies` writes both; a test holds the committed files to this module.

Region and account are wildcards so that no file names an account; everything else is exact.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from chalicelib import names
from cli.paths import ROOT

STAGES: Final = ("local", "dev", "prod")
API: Final = "api_handler"
BUS: Final = ("events", "alarms")  # fed by EventBridge
FUNCTIONS: Final = (API, *names.LANES, *BUS)

# AWS authorises a batch of these through the single action, the local AWS asks for the batch's own
# name. The star covers both, and on AWS nothing else.
_SEND: Final = "sqs:SendMessage*"
_PUBLISH: Final = "sns:Publish*"
_SETTLE: Final = ("sqs:DeleteMessage*", "sqs:ChangeMessageVisibility*")


def function_name(stage: str, function: str) -> str:
    """The name that chalice gives a function: the API handler's is the application's own."""
    return f"heraldo-{stage}" if function == API else f"heraldo-{stage}-{function}"


def policy(stage: str, function: str) -> dict[str, Any]:
    """What `function` may do in `stage`: nothing that it does not do today."""
    if function == API:
        statements = _api(stage)
    elif function in BUS:
        statements = _bus(stage)
    else:
        statements = _lane(stage, function)
    return {"Version": "2012-10-17", "Statement": [*statements, _logs(stage, function)]}


def config(current: dict[str, Any]) -> dict[str, Any]:
    """`.chalice/config.json` with its stages written anew; the rest is kept, and so are settings."""
    stages = {
        stage: {
            "environment_variables": {**_settings(current, stage), "HERALDO_STAGE": stage},
            "lambda_functions": {
                function: {"iam_policy_file": f"policies/{stage}/{function}.json"}
                for function in FUNCTIONS
            },
        }
        for stage in STAGES
    }
    return {**current, "stages": stages}


def _settings(current: dict[str, Any], stage: str) -> dict[str, str]:
    """What somebody set for a stage by hand, such as HERALDO_AUTH."""
    found: dict[str, str] = (
        current.get("stages", {}).get(stage, {}).get("environment_variables", {})
    )
    return found


def files(root: Path = ROOT) -> dict[Path, str]:
    """Every generated file with the text it must have."""
    chalice = root / ".chalice"
    settings = json.loads((chalice / "config.json").read_text("utf-8"))
    documents = {
        chalice / "policies" / stage / f"{function}.json": policy(stage, function)
        for stage in STAGES
        for function in FUNCTIONS
    }
    documents[chalice / "config.json"] = config(settings)
    return {path: json.dumps(content, indent=2) + "\n" for path, content in documents.items()}


def _allow(actions: list[str], *resources: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": list(resources)}


def _queue(name: str) -> str:
    return f"arn:aws:sqs:*:*:{name}"


def _table(stage: str, table: str) -> str:
    return f"arn:aws:dynamodb:*:*:table/{names.table(stage, table)}"


def _logs(stage: str, function: str) -> dict[str, Any]:
    group = f"arn:aws:logs:*:*:log-group:/aws/lambda/{function_name(stage, function)}:*"
    return _allow(["logs:CreateLogStream", "logs:PutLogEvents"], group)


def _intake(stage: str) -> list[dict[str, Any]]:
    queues = [_queue(names.queue(stage, lane)) for lane in names.LANES]
    return [
        _allow([_SEND, "sqs:GetQueueUrl"], *queues),
        # A transaction is authorised through the actions that it is made of: puts.
        _allow(["dynamodb:PutItem", "dynamodb:BatchGetItem"], _table(stage, "ledger")),
    ]


def _api(stage: str) -> list[dict[str, Any]]:
    return [
        *_intake(stage),
        _allow(["dynamodb:Query"], _table(stage, "ledger")),
        _allow(["dynamodb:GetItem"], _table(stage, "keys")),
    ]


def _bus(stage: str) -> list[dict[str, Any]]:
    # Nobody waits for an answer there, so what cannot be accepted is dead-lettered.
    dead = [_queue(names.dead_queue(stage, lane)) for lane in names.LANES]
    return [*_intake(stage), _allow([_SEND, "sqs:GetQueueUrl"], *dead)]


def _lane(stage: str, lane: str) -> list[dict[str, Any]]:
    receive = ["sqs:ReceiveMessage", "sqs:GetQueueAttributes", *_SETTLE]
    return [
        _allow(receive, _queue(names.queue(stage, lane))),
        _allow([_SEND], _queue(names.dead_queue(stage, lane))),
        _allow([_PUBLISH], f"arn:aws:sns:*:*:{names.topic(stage, '*')}"),
        _allow(["dynamodb:BatchGetItem", "dynamodb:BatchWriteItem"], _table(stage, "ledger")),
    ]


def main() -> None:
    """Write every generated file (`make policies`)."""
    for path, text in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
